/*
 * without CALL COMMAND [ARGUMENT]...: executes the command on a kernel, or with file systems, that
 * lack the system call CALL, one of CALLS below: it fails with ENOSYS. A filter of system calls
 * does that, without no_new_privs, so that file capabilities still work; this takes root.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned int number;
} CALLS[] = {
	{"flock", SYS_flock},
	{"seccomp", SYS_seccomp},
	{"landlock_create_ruleset", 444}, /* on every architecture */
};

#define COUNT (sizeof(CALLS) / sizeof(CALLS[0]))

int main(int argc, char **argv)
{
	size_t which = 0;
	while (argc > 2 && which < COUNT && strcmp(argv[1], CALLS[which].name) != 0)
		which++;
	if (argc < 3 || which == COUNT)
		return 2;
	unsigned int call = CALLS[which].number;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = code};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		fprintf(stderr, "without: %s\n", strerror(errno));
		return 77;
	}
	execvp(argv[2], argv + 2);
	fprintf(stderr, "without: %s: %s\n", argv[2], strerror(errno));
	return 1;
}
