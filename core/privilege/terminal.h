/*
 * Takes the controlling terminal away from a job's processes. The runner has one only if somebody
 * has started it by hand.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_TERMINAL_H
#define JACAMAR_CORE_PRIVILEGE_TERMINAL_H

#include "core/lib/error.h"

/*
 * Gives up the controlling terminal and checks that it is gone. With it, a process of a job could
 * type into that terminal (ioctl TIOCSTI), and so run commands as the person who started the
 * runner. For a forked child: a session leader would get SIGHUP.
 */
int terminal_leave(struct error *err);

#endif
