/*
 * The signals that a waiting process reacts to: SIGCHLD, and those that tell it to end (SIGTERM,
 * SIGINT, SIGHUP, SIGQUIT). They are read from a descriptor (signalfd(2)).
 */
#ifndef JACAMAR_CORE_LIB_SIGNALS_H
#define JACAMAR_CORE_LIB_SIGNALS_H

#include <stdbool.h>

#include "core/lib/error.h"

/* Blocks these signals, so that one which comes before signals_open is not lost. */
int signals_hold(struct error *err);

/*
 * Blocks these signals and returns a descriptor that is readable when one has come; the caller
 * closes it. SIGPIPE is ignored from here on. -1 with *err filled where it fails.
 */
int signals_open(struct error *err);

struct signals {
	bool child; /* a child has changed its state */
	bool end;   /* we were told to end */
};

/* Takes what has come on that descriptor. Does not wait. */
struct signals signals_read(int signal_fd);

/* "SIGKILL"; strsignal's text for those that have no number below 32. */
const char *signals_name(int number);

/* Gives every signal its default disposition and empties the mask, as at a login. */
void signals_reset(void);

#endif
