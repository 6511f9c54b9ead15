/*
 * One batch job from before its submission to its end: what batch.c knows of it, and its phase.
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_JOB_H
#define JACAMAR_CORE_EXECUTOR_BATCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/batch_call.h"
#include "core/executor/batch_files.h"
#include "core/executor/batch_phase.h"
#include "core/executor/job_status.h"
#include "core/executor/log_follower.h"
#include "core/executor/scheduler_client.h"

/* The node has not reported the end of the script. */
#define BATCH_NO_EXIT ((struct batch_files_exit){.code = -1, .size = UINT64_MAX})

struct batch_job {
	const struct batch_call *call;
	struct batch_files files;
	struct scheduler_client client;
	struct job_status status;
	struct log_follower *follower;
	struct batch_files_start start;
	struct batch_files_exit ended; /* from the node; BATCH_NO_EXIT before that */
	enum batch_phase phase;
	int64_t began;
	int64_t ended_at; /* when the first sign of the end was seen; -1: not yet */
};

/* True if the script runs in an allocation that several jobs share. */
bool batch_job_is_shared(const struct batch_job *batch);

/* Brings the job into the phase that follows. */
void batch_job_handle(struct batch_job *batch, enum batch_event event);

#endif
