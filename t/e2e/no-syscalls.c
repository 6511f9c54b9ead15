/*
 * no-syscalls COMMAND [ARGUMENT]...: executes it on a kernel that lacks the calls that are newer
 * than the oldest one the program is for (RHEL 8's): each of them fails with ENOSYS.
 * no-syscalls: names the calls that are missing, one a line.
 *
 * A filter of seccomp(2). It is set without no_new_privs, as file capabilities must go on to
 * work, and that takes root.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than Linux 4.18, but for execveat; one number on every architecture from 424 on. */
static const struct {
	unsigned int number;
	const char *name;
} MISSING[] = {
	{SYS_execveat, "execveat"}, {424, "pidfd_send_signal"},
	{434, "pidfd_open"},	    {435, "clone3"},
	{436, "close_range"},	    {437, "openat2"},
	{438, "pidfd_getfd"},	    {439, "faccessat2"},
	{452, "fchmodat2"},
};

#define COUNT (sizeof(MISSING) / sizeof(MISSING[0]))

int main(int argc, char **argv)
{
	/* One load, a comparison each, and two verdicts. */
	struct sock_filter code[COUNT + 3];
	struct sock_fprog program = {.len = COUNT + 3, .filter = code};

	if (argc < 2) {
		for (size_t i = 0; i < COUNT; i++)
			if (syscall(MISSING[i].number, -1, 0, 0, 0, 0, 0) < 0 && errno == ENOSYS)
				puts(MISSING[i].name);
		return 0;
	}
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, MISSING[i].number, (uint8_t)(COUNT - i), 0);
	code[1 + COUNT] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[2 + COUNT] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		fprintf(stderr, "no-syscalls: %s\n", strerror(errno));
		return 77;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "no-syscalls: %s: %s\n", argv[1], strerror(errno));
	return 1;
}
