/*
 * wall hold: a process to attack: it listens on the abstract socket "wall-PID", says "PID" and
 * waits. wall try PID [WORD]: prints what this process can do to that one, a line "WORDsignal: ok"
 * or "WORDsignal: ERROR" for each kind of access. wall own: the same for a child of its own, with
 * the word "own ".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address;

static socklen_t name_socket(pid_t pid)
{
	address.sun_family = AF_UNIX;
	int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "wall-%d", pid);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int serve(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t size = name_socket(getpid());
	if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 5) != 0)
		return -1;
	return fd;
}

static long reach_signal(pid_t pid)
{
	return kill(pid, 0);
}

static long reach_file(pid_t pid, const char *name)
{
	char path[64];
	char byte;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	int fd = open(path, O_RDONLY);
	long got = fd < 0 ? -1 : read(fd, &byte, 1);
	int why = errno;
	close(fd);
	errno = why;
	return got > 0 ? 0 : -1;
}

static long reach_environ(pid_t pid)
{
	return reach_file(pid, "environ");
}

static long reach_maps(pid_t pid)
{
	return reach_file(pid, "maps");
}

static long reach_memory(pid_t pid)
{
	/* EFAULT comes after the check of the permission: another process has it elsewhere. */
	char byte;
	struct iovec here = {&byte, 1};
	struct iovec there = {&address, 1};
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == 1 || errno == EFAULT ? 0 : -1;
}

static long reach_trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return -1;
	/* A tracer can let go only of a stopped process. */
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	waitpid(pid, NULL, __WALL);
	return ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static long reach_socket(pid_t pid)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t size = name_socket(pid);
	long result = connect(fd, (struct sockaddr *)&address, size);
	int why = errno;
	close(fd);
	errno = why;
	return result;
}

/* With a limit of its processor time, the kernel would kill it. */
static long reach_limits(pid_t pid)
{
	struct rlimit limit;
	return prlimit(pid, RLIMIT_CPU, NULL, &limit) == 0 ? prlimit(pid, RLIMIT_CPU, &limit, NULL)
							   : -1;
}

static void try_all(pid_t pid, const char *word)
{
	static const struct {
		const char *name;
		long (*reach)(pid_t pid);
	} ways[] = {
		{"signal", reach_signal}, {"environ", reach_environ}, {"maps", reach_maps},
		{"memory", reach_memory}, {"trace", reach_trace},     {"socket", reach_socket},
		{"limits", reach_limits},
	};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		printf("%s%s: %s\n", word, ways[i].name,
		       ways[i].reach(pid) == 0 ? "ok" : strerror(errno));
	fflush(stdout);
}

static int try_own(void)
{
	int ready[2];
	char byte;
	if (pipe(ready) != 0)
		return 1;
	pid_t child = fork();
	if (child == 0) {
		if (serve() >= 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1)
		return 1;
	try_all(child, "own ");
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) == child ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "own") == 0)
		return try_own();
	if (argc > 2 && strcmp(argv[1], "try") == 0) {
		try_all((pid_t)atol(argv[2]), argc > 3 ? argv[3] : "");
		return 0;
	}
	if (argc != 2 || strcmp(argv[1], "hold") != 0 || serve() < 0)
		return 2;
	printf("%d\n", getpid());
	fflush(stdout);
	return pause();
}
