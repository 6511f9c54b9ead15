/*
 * A module of PAM that does to its process what root's modules may do, and more:
 *
 *   session required /PATH/pam-module.so DIRECTORY
 *
 * It writes its environment, and what its standard descriptors are, to DIRECTORY/environment. It
 * waits while DIRECTORY has a file "hold-open" or "hold-close", and then fails, with words of its
 * own, if there is a file "fail-open" or "fail-close". "DIRECTORY/at-open" says that it has begun.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int has(const char *directory, const char *what, const char *when)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s-%s", directory, what, when);
	return access(path, F_OK) == 0;
}

static void show_environment(const char *directory)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/environment", directory);
	FILE *file = fopen(path, "w");
	for (char **setting = environ; file != NULL && *setting != NULL; setting++)
		fprintf(file, "%s\n", *setting);
	for (int fd = 0; file != NULL && fd < 3; fd++) {
		char link[64];
		char target[4096] = "";
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, target, sizeof(target) - 1) > 0)
			fprintf(file, "%s\n", target);
	}
	if (file != NULL)
		fclose(file);
}

static int wait_and_fail(pam_handle_t *handle, const char *directory, const char *when)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/at-%s", directory, when);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	while (has(directory, "hold", when))
		usleep(20000);
	if (!has(directory, "fail", when))
		return PAM_SUCCESS;
	pam_error(handle, "the module says no\nto %s", when);
	return PAM_SESSION_ERR;
}

int pam_sm_open_session(pam_handle_t *handle, int flags, int argc, const char **argv)
{
	const gid_t groups[] = {0, 1, 4};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	sigset_t all;
	(void)flags;
	(void)argc;
	show_environment(argv[0]);
	/* All that a process hands on to its children. */
	setgroups(3, groups);
	syscall(SYS_capget, &header, data);
	data[0].inheritable = data[0].permitted;
	syscall(SYS_capset, &header, data);
	for (int capability = 0; capability < 32; capability++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	dup2(open("/etc/shadow", O_RDONLY), 9);
	sigfillset(&all);
	sigdelset(&all, SIGCHLD);
	sigdelset(&all, SIGALRM);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGUSR2, SIG_IGN);
	umask(0777);
	if (setpriority(PRIO_PROCESS, 0, -5) != 0)
		return PAM_SESSION_ERR;
	setenv("OF_MODULE", "1", 1);
	pam_putenv(handle, "OF_PAM=1");
	pam_putenv(handle, "LD_PRELOAD=/nonexistent/of-pam.so");
	return wait_and_fail(handle, argv[0], "open");
}

int pam_sm_close_session(pam_handle_t *handle, int flags, int argc, const char **argv)
{
	(void)flags;
	(void)argc;
	return wait_and_fail(handle, argv[0], "close");
}
