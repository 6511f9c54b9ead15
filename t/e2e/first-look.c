/*
 * first-look: stands in for jacamar on the user's side, as PREFIX/first-look/jacamar. It says on
 * standard error what a process of the user finds there that stops and traces jacamar right after
 * its exec, and tries to use it; then it executes PREFIX/bin/jacamar with the same arguments.
 * Without an argument it only says so.
 *
 *   first look: STAGE: terminal: typed | ERROR
 *   first look: STAGE: keyring of UID: kept | ERROR
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void look_at_terminal(const char *stage)
{
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int typed = terminal >= 0 ? ioctl(terminal, TIOCSTI, "x") : -1;
	fprintf(stderr, "first look: %s: terminal: %s\n", stage,
		typed == 0 ? "typed" : strerror(errno));
	if (terminal >= 0)
		close(terminal);
}

/* By a link from a keyring of its own a process keeps a keyring for as long as it wants. */
static void look_at_keyring(const char *stage)
{
	char text[256] = "";
	unsigned int owner = 0;
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof(text) - 1) <
		    0 ||
	    sscanf(text, "keyring;%u;", &owner) != 1) {
		fprintf(stderr, "first look: %s: no keyring: %s\n", stage, strerror(errno));
		return;
	}
	long kept = syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_SESSION_KEYRING,
			    KEY_SPEC_PROCESS_KEYRING);
	fprintf(stderr, "first look: %s: keyring of %u: %s\n", stage, owner,
		kept == 0 ? "kept" : strerror(errno));
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	const char *stage = argc > 2 ? argv[2] : "alone";
	look_at_terminal(stage);
	look_at_keyring(stage);
	if (argc < 2)
		return 0;
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	char *end = strstr(path, "/first-look/jacamar");
	if (end == NULL)
		return 127;
	strcpy(end, "/bin/jacamar");
	argv[0] = path;
	execv(path, argv);
	return 127;
}
