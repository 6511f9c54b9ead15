/*
 * on-terminal COMMAND [ARGUMENT]...: runs it below a session whose controlling terminal is one of
 * its own, as a runner that was started by hand; its standard descriptors stay what they are.
 * Returns its exit code, and 99 where something was typed into the terminal meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CANNOT_RUN 77
#define WAS_TYPED  99

static int wait_for(pid_t child)
{
	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return CANNOT_RUN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The session's leader, which opens its controlling terminal and waits for the command. */
static int lead(const char *path, char **argv)
{
	struct termios settings;
	int typed = 0;
	setsid();
	int terminal = open(path, O_RDWR | O_CLOEXEC);
	if (terminal < 0 || tcgetattr(terminal, &settings) != 0)
		return CANNOT_RUN;
	/* What is typed counts before the end of a line. */
	cfmakeraw(&settings);
	if (tcsetattr(terminal, TCSANOW, &settings) != 0)
		return CANNOT_RUN;
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "on-terminal: %s: %s\n", argv[0], strerror(errno));
		_exit(CANNOT_RUN);
	}
	int code = child < 0 ? CANNOT_RUN : wait_for(child);
	if (ioctl(terminal, FIONREAD, &typed) != 0 || typed == 0)
		return code;
	fprintf(stderr, "on-terminal: %d bytes were typed\n", typed);
	return WAS_TYPED;
}

int main(int argc, char **argv)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (argc < 2 || master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		return CANNOT_RUN;
	pid_t leader = fork();
	if (leader == 0)
		_exit(lead(ptsname(master), argv + 1));
	return leader < 0 ? CANNOT_RUN : wait_for(leader);
}
