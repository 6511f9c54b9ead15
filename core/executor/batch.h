/*
 * The executors of a batch scheduler: a sub-stage's script runs in a job of the scheduler's, and
 * its log and its exit code arrive as if it had run here. One engine; scheduler.h says what it
 * knows of each.
 *
 * How a job ends is told by files (allocation.h), which are looked at often; the scheduler is
 * asked rarely.
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_H
#define JACAMAR_CORE_EXECUTOR_BATCH_H

#include <stdbool.h>
#include <sys/resource.h>

#include "core/channel.h"
#include "core/error.h"
#include "core/executor/inquiry.h"
#include "core/script.h"

/* True where the executor is a scheduler's and the sub-stage one that goes there. */
bool batch_takes(enum executor_kind executor, const char *substage);

struct batch_call {
	const char *substage;	     /* of batch_run alone, as is: */
	const struct script *script; /* received */
	const struct channel_header *header;
	const struct channel_reader *channel;
	rlim_t core_limit; /* launch.h */
	struct batch_voice voice;
};

/*
 * Runs the script to its end; *exit_code is its own, or BATCH_FAILED, with the reason in the log,
 * where it has none: the scheduler ended it for a limit or on demand, or did not take what its
 * author asks for. A job that was cancelled, or was lost by no fault of its own, is an error.
 */
#define BATCH_FAILED 1
int batch_run(const struct batch_call *call, int *exit_code, struct error *err);

/* Cancels what the scheduler still has of this job, and waits until it is gone. */
int batch_clean_up(const struct batch_call *call, struct error *err);

#endif
