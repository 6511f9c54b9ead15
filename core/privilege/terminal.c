#include "core/privilege/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A descriptor of the controlling terminal; -1, with errno ENXIO if there is none. */
static int open_terminal(void)
{
	return open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

int terminal_leave(struct error *err)
{
	int terminal = open_terminal();
	if (terminal >= 0) {
		(void)ioctl(terminal, TIOCNOTTY);
		close(terminal);
		terminal = open_terminal();
	}
	if (terminal >= 0) {
		close(terminal);
		return error_set(err, ERROR_SYSTEM, "cannot give up the controlling terminal");
	}
	if (errno != ENXIO)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot check for a controlling terminal: /dev/tty");
	return 0;
}
