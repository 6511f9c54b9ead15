/*
 * The service's side of one stage: starts `jacamar --no-auth STAGE env-script` as the user,
 * speaks to it over the channel, and keeps watch. Where the stage does not come to its own end,
 * no process of it is left: sweep.h.
 */
#ifndef JACAMAR_CORE_SESSION_H
#define JACAMAR_CORE_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "core/channel.h"
#include "core/error.h"

struct session {
	const char *program; /* the file to execute: program.h */
	const char *jacamar; /* what it is called */
	const char *sudo;    /* that executes `jacamar`: sudo.h; NULL: `program` is executed here */
	const char *stage;
	const char *substage; /* NULL but for run */
	struct channel_header *header;
	int script;   /* a descriptor of the script; -1: none */
	int response; /* of the job response, which must be of the state's job; -1: unchecked here
		       */
	int output;   /* becomes the user's side's standard output; -1: it keeps ours */
	rlim_t core_limit; /* what the user's side gets back */
};

struct session_end {
	bool cancelled; /* by a signal to us, or because our parent ended */
	int exit_code;	/* of the user's side, where it ended by itself: 0-255 */
	int signal;	/* that ended the user's side; 0: none */
	bool left;	/* processes of the job that could not be ended */
};

/*
 * The signal by which the user's side says that it failed, and why is in the log. An exit code
 * could not say it: each of them is a script's.
 */
#define SESSION_FAILED SIGABRT

/* Runs it to its end; 0 also where the job was cancelled or its user's side was killed. */
int session_run(const struct session *session, struct session_end *end, struct error *err);

#endif
