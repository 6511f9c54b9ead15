/*
 * One call of the driver, as GitLab Runner makes it: in a process group of its own, with empty
 * standard input, and with pipes for standard output and error that are read to their end. To end
 * the job, the group gets SIGTERM and later SIGKILL.
 */
#ifndef JACAMAR_T_PLAY_CALL_H
#define JACAMAR_T_PLAY_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "t/play/text.h"

/* The effect of a cancelled job on a call depends on the phase of the job. */
enum phase {
	PHASE_BEFORE, /* up to the job's script: a cancelled job ends at once */
	PHASE_SCRIPT, /* only the script ends; the sub-stages that follow still run */
	PHASE_AFTER,  /* a cancelled job continues */
	PHASE_CLEANUP /* only its own timeout ends it */
};

/* What is watched over the whole job. All times are milliseconds; -1: never. */
struct watch {
	int signals; /* signalfd of SIGCHLD and of those that end this program */
	int log;     /* copy of the job's log, or -1 */
	int64_t deadline;
	int64_t cancel_at;
	const char *cancel_text; /* NULL: none */
	bool out_of_time;	 /* time is over where the job would be cancelled */
	bool abort;		 /* a cancelled job ends at once in every phase */
	int64_t eof_timeout;	 /* from the end of the process to the end of its pipes */
	const char *late_fifo;	 /* gets the pipes of a call that is late; NULL: nobody asks */
	int64_t grace;		 /* from SIGTERM to SIGKILL */
	int64_t force;		 /* from SIGKILL to giving up */
	bool script_cancelled;
	const char *stopped; /* NULL, or why no more calls are made: canceled, timeout, aborted */
};

struct call {
	enum phase phase;
	char **argv;
	char **environment;
	const char *directory;
	int64_t timeout;
	bool keep_stdout; /* in `output`, not in the job's log */
	bool keep_stderr; /* in `errors` and on standard error, not in the job's log */

	/* Results. */
	pid_t pid;
	int error;     /* errno of a call that could not be started, else 0 */
	int status;    /* of waitpid */
	int signalled; /* the last signal sent to the group, or 0 */
	bool hung;     /* ended, but something held its pipes beyond eof_timeout */
	bool given_up; /* not even SIGKILL ended it */
	int64_t duration;
	struct text output;
	struct text errors;
};

/* Blocks the signals; to be called once, before anything else runs. */
void watch_start(struct watch *watch);
/* Looks at the clock and at the signals; call_run and watch_sleep do so too. */
void watch_look(struct watch *watch, enum phase phase);
/* Returns early where the job is stopped. */
void watch_sleep(struct watch *watch, int64_t duration);
/* Writes to the job's log. */
void watch_log(const struct watch *watch, const char *bytes, size_t length);

void call_run(struct call *call, struct watch *watch);

#endif
