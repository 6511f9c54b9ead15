#include "t/unit/process.h"

#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAP_BIT_SETGID 6
#define CAP_BIT_SETUID 7

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

void process_forget_check(void)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
}

int process_run(void (*body)(const void *argument), const void *argument)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		process_forget_check();
		body(argument);
		_exit(0);
	}
	if (child < 0)
		return -1;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

_Noreturn void process_child_failed(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: in a child: not so: %s (%s)\n", file, line, condition,
		strerror(errno));
	_exit(1);
}

pid_t process_start_sleeper(void)
{
	pid_t child = fork();
	if (child == 0) {
		process_forget_check();
		for (;;)
			pause();
	}
	return child;
}

char process_state(pid_t pid)
{
	char path[64];
	char text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return '\0';
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	const char *end = strrchr(text, ')');
	return end != NULL && strlen(end) > 2 ? end[2] : '\0';
}

bool process_is_alive(pid_t pid)
{
	char state = process_state(pid);
	return state != '\0' && state != 'Z' && state != 'X';
}

void process_wait_until_dead(pid_t pid)
{
	while (process_is_alive(pid))
		pause_briefly();
}

void process_wait_until_state(pid_t pid, char state)
{
	while (process_state(pid) != state)
		pause_briefly();
}

unsigned long long process_status(const char *name, int base)
{
	char line[512];
	unsigned long long value = 0;
	size_t length = strlen(name);
	FILE *file = fopen("/proc/self/status", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			value = strtoull(line + length + 1, NULL, base);
	if (file != NULL)
		fclose(file);
	return value;
}

void process_skip(const char *test, const char *reason)
{
	/* Check's macro appends "_fn" to the name of a test. */
	size_t length = strlen(test);
	if (length > 3 && strcmp(test + length - 3, "_fn") == 0)
		length -= 3;
	fprintf(stderr, "# skipped: %.*s: %s\n", (int)length, test, reason);
}

bool process_is_root(const char *test)
{
	unsigned long long capabilities = process_status("CapEff", 16);
	if (geteuid() == 0 && (capabilities >> CAP_BIT_SETGID & 1) != 0 &&
	    (capabilities >> CAP_BIT_SETUID & 1) != 0)
		return true;
	process_skip(test, "needs root");
	return false;
}

/* Kills each child that the kernel lists; false where it lists none. */
static bool kill_children(void)
{
	char path[64];
	long pid;
	bool any = false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "re");
	while (file != NULL && fscanf(file, "%ld", &pid) == 1) {
		kill((pid_t)pid, SIGKILL);
		any = true;
	}
	if (file != NULL)
		fclose(file);
	return any;
}

void process_end_children(void)
{
	while (kill_children())
		while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
			kill_children();
}

void process_fake_call(unsigned int number, int argument)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) +
							   8 * (unsigned int)argument +
							   (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	child_require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}
