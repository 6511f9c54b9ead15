/*
 * The executors of the batch schedulers (scheduler.h): the script of a sub-stage runs in a batch
 * job, and its log and exit code come back as if it had run on this host.
 *
 * The nodes write the progress of the job to files (batch_files.h), which are read often. The
 * scheduler is asked rarely (job_status.h). Both can move the job to its next phase (batch_job.h).
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_H
#define JACAMAR_CORE_EXECUTOR_BATCH_H

#include <stdbool.h>

#include "config/settings.h"
#include "core/executor/scheduler_client.h"
#include "core/lib/error.h"
#include "core/protocol/channel.h"
#include "core/workspace/script.h"

/* What both functions are called with. */
struct batch_call {
	const char *substage;	     /* only for batch_run */
	const struct script *script; /* only for batch_run: received */
	const struct channel_header *header;
	const struct channel_reader *channel;
	struct batch_reporter reporter;
};

/* An exit code: the scheduler has ended or refused the job. */
#define BATCH_FAILED 1

/* True if the executor is a scheduler, and the sub-stage one that runs in a batch job. */
bool batch_takes(enum executor_kind executor, const char *substage);

/*
 * Runs the script to its end. *exit_code is the script's; or BATCH_FAILED, with the reason in the
 * log, if the scheduler has killed the job for a limit or a cancel, or has refused the request of
 * the job's author. A CI job that was cancelled, or lost by no fault of its own, is an error.
 */
int batch_run(const struct batch_call *call, int *exit_code, struct error *err);

/* Cancels all batch jobs of this CI job, and waits until they have left the queue. */
int batch_clean_up(const struct batch_call *call, struct error *err);

#endif
