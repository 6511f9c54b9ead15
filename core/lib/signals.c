#include "core/lib/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Blocks the signals that this process waits for, and sets *mask to them. */
static int hold(sigset_t *mask)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	sigemptyset(mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaddset(mask, numbers[i]);
		/*
		 * If SIGCHLD were ignored, the kernel would reap our children; an ignored SIGTERM
		 * would be lost.
		 */
		signal(numbers[i], SIG_DFL);
	}
	return sigprocmask(SIG_SETMASK, mask, NULL);
}

int signals_hold(struct error *err)
{
	sigset_t mask;
	return hold(&mask) == 0 ? 0 : error_errno(err, ERROR_SYSTEM, "cannot block signals");
}

int signals_open(struct error *err)
{
	sigset_t mask;
	int fd = -1;
	signal(SIGPIPE, SIG_IGN);
	if (hold(&mask) == 0)
		fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot wait for signals");
	return fd;
}

struct signals signals_read(int signal_fd)
{
	struct signals seen = {.child = false};
	struct signalfd_siginfo info;
	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			seen.child = true;
		else
			seen.end = true;
	}
	return seen;
}

/* glibc 2.32 has sigabbrev_np(3). */
const char *signals_name(int number)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP",	   [SIGINT] = "SIGINT",	  [SIGQUIT] = "SIGQUIT",
		[SIGILL] = "SIGILL",	   [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",
		[SIGBUS] = "SIGBUS",	   [SIGFPE] = "SIGFPE",	  [SIGKILL] = "SIGKILL",
		[SIGUSR1] = "SIGUSR1",	   [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE",	   [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",
		[SIGCHLD] = "SIGCHLD",	   [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP",
		[SIGTSTP] = "SIGTSTP",	   [SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU",
		[SIGURG] = "SIGURG",	   [SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ",
		[SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGWINCH] = "SIGWINCH",
		[SIGIO] = "SIGIO",	   [SIGPWR] = "SIGPWR",	  [SIGSYS] = "SIGSYS",
	};
	bool named = number > 0 && (size_t)number < sizeof(names) / sizeof(names[0]) &&
		     names[number] != NULL;
	return named ? names[number] : strsignal(number);
}

void signals_reset(void)
{
	/*
	 * GitLab Runner is a Go program, and a job would inherit the signals that it ignores. The
	 * system call is used directly, because glibc reserves 32 and 33. All zero is SIG_DFL in
	 * the kernel's struct.
	 */
	static const unsigned long default_action[8] = {0};
	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, default_action, NULL, NSIG / 8);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
