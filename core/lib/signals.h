/*
 * The signals that a waiting process reacts to: SIGCHLD, and those that tell it to end (SIGTERM,
 * SIGINT, SIGHUP, SIGQUIT). They are read from a descriptor (signalfd(2)).
 */
#ifndef JACAMAR_CORE_LIB_SIGNALS_H
#define JACAMAR_CORE_LIB_SIGNALS_H

#include <stdbool.h>

#include "core/lib/error.h"

/* Blocks these signals, so that a signal that arrives before signals_open() is not lost. */
int signals_hold(struct error *err);

/*
 * Blocks these signals, and returns a descriptor that is readable when one has arrived; the caller
 * closes it. From then on SIGPIPE is ignored. -1 with *err if that fails.
 */
int signals_open(struct error *err);

struct signals {
	bool child; /* a child has changed its state */
	bool end;   /* a signal told this process to end */
};

/* Reads the signals that have arrived on that descriptor. Does not wait. */
struct signals signals_read(int signal_fd);

/* A name such as "SIGKILL"; for signals from 32 on, strsignal(3)'s text. */
const char *signals_name(int number);

/* Gives every signal its default disposition and empties the mask, as at a login. */
void signals_reset(void);

#endif
