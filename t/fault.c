/*
 * fault: executes a command and makes one system call of it fail, or have no effect, once.
 *
 *   fault REPORT DIRECTORY CALL PROCESS NUMBER ERROR COMMAND [ARGUMENT]...
 *
 * Only processes that execute a program below DIRECTORY count, and only the calls after the dynamic
 * loader's own work. Of these processes, the PROCESS-th that makes CALL (from 1, in the order of
 * their first such call) is chosen; its NUMBER-th such call is not made. Instead it returns ERROR,
 * an errno, or success if ERROR is 0. PROCESS 0: no process. CALL may be a list, separated by
 * commas.
 *
 * REPORT gets a line for each call that counts: "CALL PROCESS NUMBER FIRST-ARGUMENT", the last one
 * as a number. The line of the call that was not made ends in " injected" and the file that the
 * call names. The exit code is the command's; 128 + N if signal N ended it; 77 if the kernel cannot
 * do this.
 *
 * A filter of seccomp(2) asks another process about each call, which needs Linux 5.6. Unlike a
 * tracer it does not disable file capabilities: it is set without no_new_privs, which only root can
 * do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define UNAVAILABLE 77
#define MOST_CALLS  64
#define MOST_COUNTS 1024

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:%"

/* How often one process has made one call. */
struct count {
	int call; /* its number for this kernel */
	pid_t pid;
	int process; /* 1: the first that made this call */
	int times;
};

static struct {
	int report;
	const char *directory;
	int calls[MOST_CALLS];
	int call_count;
	int process, number, error;
	struct count counts[MOST_COUNTS];
	int count_count;
} fault;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	exit(UNAVAILABLE);
}

/*
 * Names of calls that this architecture lacks are skipped: each is one of several names for a
 * thing.
 */
static void read_calls(char *list)
{
	for (char *name; (name = strsep(&list, ",")) != NULL;) {
		int call = seccomp_syscall_resolve_name(name);
		if (call >= 0 && fault.call_count < MOST_CALLS)
			fault.calls[fault.call_count++] = call;
	}
}

/* Returns the descriptor on which the kernel asks; -1 if the kernel cannot do that. */
static int install_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (filter == NULL || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0)
		return -1;
	for (int i = 0; i < fault.call_count; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_NOTIFY, fault.calls[i], 0) != 0)
			return -1;
	return seccomp_load(filter) == 0 ? seccomp_notify_fd(filter) : -1;
}

static bool is_ours(pid_t pid)
{
	char link[64], program[4096];
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	ssize_t length = readlink(link, program, sizeof(program) - 1);
	size_t prefix = strlen(fault.directory);
	return length > (ssize_t)prefix && strncmp(program, fault.directory, prefix) == 0 &&
	       program[prefix] == '/';
}

/* True before main() and in dlopen(3): the program cannot report failures of the loader. */
static bool is_of_loader(pid_t pid, uint64_t address)
{
	char path[64], line[4600];
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps != NULL && !found && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && address >= from && address < to)
			found = strstr(line, "/ld-") != NULL || strstr(line, "/ld.so") != NULL;
	}
	if (maps != NULL)
		fclose(maps);
	return found;
}

static struct count *count_of(int call, pid_t pid)
{
	int process = 1;
	for (int i = 0; i < fault.count_count; i++) {
		if (fault.counts[i].call == call && fault.counts[i].pid == pid)
			return &fault.counts[i];
		process += fault.counts[i].call == call;
	}
	if (fault.count_count == MOST_COUNTS)
		return NULL;
	struct count *count = &fault.counts[fault.count_count++];
	*count = (struct count){.call = call, .pid = pid, .process = process};
	return count;
}

/* The first of the first two arguments that is a name; "" if neither is. */
static void read_name(const struct seccomp_notif *request, char *name, size_t size)
{
	for (int i = 0; i < 2; i++) {
		struct iovec here = {.iov_base = name, .iov_len = size - 1};
		struct iovec there = {.iov_base = (void *)(uintptr_t)request->data.args[i],
				      .iov_len = size - 1};
		memset(name, 0, size);
		if (process_vm_readv((pid_t)request->pid, &here, 1, &there, 1, 0) > 0 &&
		    name[strspn(name, NAME_CHARACTERS)] == '\0' && name[0] != '\0')
			return;
	}
	name[0] = '\0';
}

/* True if the call is the one that is not to be made. */
static bool is_chosen(const struct seccomp_notif *request)
{
	pid_t pid = (pid_t)request->pid;
	if (!is_ours(pid) || is_of_loader(pid, request->data.instruction_pointer))
		return false;
	struct count *count = count_of(request->data.nr, pid);
	if (count == NULL)
		return false;
	count->times++;
	bool chosen = count->process == fault.process && count->times == fault.number;
	char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), request->data.nr);
	char file[256] = "";
	if (chosen)
		read_name(request, file, sizeof(file));
	dprintf(fault.report, "%s %d %d %lld%s%s\n", name, count->process, count->times,
		(long long)request->data.args[0], chosen ? " injected " : "", file);
	free(name);
	return chosen;
}

/* Answers until no process has the filter any more, which may be long after the command. */
static void answer_all(int notify)
{
	struct seccomp_notif *request;
	struct seccomp_notif_resp *response;
	struct pollfd polled = {.fd = notify, .events = POLLIN};

	if (seccomp_notify_alloc(&request, &response) != 0)
		die("seccomp_notify_alloc");
	while (poll(&polled, 1, -1) > 0 || errno == EINTR) {
		if ((polled.revents & POLLIN) == 0)
			break;
		/* A caller that was interrupted by a signal asks again. */
		memset(request, 0, sizeof(*request));
		if (seccomp_notify_receive(notify, request) != 0)
			continue;
		bool chosen = is_chosen(request);
		*response = (struct seccomp_notif_resp){
			.id = request->id,
			.error = chosen ? -fault.error : 0,
			.flags = chosen ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE,
		};
		(void)seccomp_notify_respond(notify, response);
	}
	seccomp_notify_free(request, response);
}

/* In the process that answers: takes the descriptor from the one that is to execute the command. */
static int take_descriptor(pid_t pid, const volatile int *shared)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0)
		return -1;
	while (*shared == 0 && kill(pid, 0) == 0)
		usleep(200);
	return *shared <= 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, *shared, 0);
}

/* The filter's descriptor goes through `shared`; then the command waits until it is taken. */
static _Noreturn void execute(char **command, volatile int *shared, volatile int *taken)
{
	int notify = install_filter();
	*shared = notify < 0 ? -1 : notify;
	while (notify >= 0 && *taken == 0)
		usleep(200);
	if (notify < 0 || *taken < 0) {
		fputs("fault: this needs root, and Linux 5.6 or newer\n", stderr);
		_exit(UNAVAILABLE);
	}
	execvp(command[0], command);
	die(command[0]);
}

static _Noreturn void answer(pid_t command, volatile int *shared, volatile int *taken)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/*
	 * A process that waits for the end of the command's output must not wait for this process.
	 */
	if (setsid() < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		die("/dev/null");
	int notify = take_descriptor(command, shared);
	*taken = notify < 0 ? -1 : 1;
	if (notify >= 0)
		answer_all(notify);
	exit(notify < 0);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 8) {
		fputs("usage: fault REPORT DIRECTORY CALL[,CALL]... PROCESS NUMBER ERROR "
		      "COMMAND [ARGUMENT]...\n",
		      stderr);
		return UNAVAILABLE;
	}
	fault.report = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fault.report < 0)
		die(argv[1]);
	fault.directory = argv[2];
	read_calls(argv[3]);
	fault.process = atoi(argv[4]);
	fault.number = atoi(argv[5]);
	fault.error = atoi(argv[6]);
	volatile int *shared = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	pid_t command = fork();
	if (command == 0)
		execute(argv + 7, shared, shared + 1);
	pid_t answers = command < 0 ? -1 : fork();
	if (answers == 0)
		answer(command, shared, shared + 1);
	if (answers < 0 || waitpid(command, &status, 0) != command)
		die("fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
