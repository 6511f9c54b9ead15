/*
 * Calls a function (the work) in a forked child, which sends back the result over a pipe. This is
 * for work that may hang, such as a look-up of accounts in a directory service that does not
 * answer, and for work that needs a process with fewer rights. While this process waits for the
 * result, it still reacts to signals that tell it to end.
 */
#ifndef JACAMAR_CORE_LIB_WORKER_H
#define JACAMAR_CORE_LIB_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/lib/error.h"

/* What the child does, and how long this process waits for it. */
struct worker {
	int (*work)(const void *argument, void *reply, struct error *err);
	const void *argument;
	void *reply; /* a plain value: input and output of the work */
	size_t reply_size;
	bool keeps_reply; /* the reply is copied back even if the work has failed */
	/*
	 * Called in the child before the work; must leave the descriptor `answer` open. NULL: the
	 * child is killed when this process ends.
	 */
	int (*prepare)(const void *context, int answer, struct error *err);
	const void *context;
	int signals;	  /* signals.h: a signal to end also ends the work; -1: it does not */
	int64_t grace_ms; /* how long the child may take after SIGTERM; 0: this process does not
			     wait */
	int64_t deadline; /* on io_now_ms's clock; -1: none */

	/* Set by worker_start: */
	pid_t child;
	int answer;
	bool told; /* a signal has told this process to end */
};

struct worker_verdict {
	int result; /* of the work, or of `prepare` if that failed */
	struct error error;
};

/* Forks. The caller calls worker_close after success. */
int worker_start(struct worker *worker, struct error *err);

/*
 * Waits for the verdict and the reply. -1 with errno if they do not arrive: ECANCELED, ETIMEDOUT,
 * or EPIPE if the child has died. The reply is all zero then, and also if the work has failed
 * without `keeps_reply`.
 */
int worker_receive(struct worker *worker, struct worker_verdict *verdict);

/* Closes the pipe and reaps the child; with `kills`, kills it first. */
void worker_close(struct worker *worker, bool kills);

/*
 * Does all of this for work that may hang, with the rights of this process: returns what the work
 * returns. If this process is told to end, the child gets SIGTERM and a few seconds:
 * ERROR_CANCELLED. The reply is copied back even if the work has failed; it is all zero if the
 * child has died. Such signals are blocked from then on (signals.h).
 */
int worker_run(int (*work)(const void *argument, void *reply, struct error *err),
	       const void *argument, void *reply, size_t reply_size, struct error *err);

#endif
