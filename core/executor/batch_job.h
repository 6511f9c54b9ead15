/*
 * One batch job from before its submission to its end: what batch.c knows of it, its phase, and how
 * it ended, by what the node has written and what the scheduler reports. One table, in batch_job.c,
 * says which event leads from which phase to which other.
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_JOB_H
#define JACAMAR_CORE_EXECUTOR_BATCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/batch.h"
#include "core/executor/batch_files.h"
#include "core/executor/job_status.h"
#include "core/executor/log_follower.h"
#include "core/executor/scheduler_client.h"
#include "core/lib/error.h"

enum batch_phase {
	SAME,	   /* only in the table: the event does not change the phase */
	PREPARING, /* not submitted yet */
	QUEUED,	   /* submitted; no node has started the script */
	RUNNING,   /* a node has started the script */
	VANISHED,  /* the scheduler has reported the end of the job, the node has not */
	EXITED,	   /* the script ended by itself, unless the scheduler knows better */
	KILLED,	   /* the script was ended from outside; only the scheduler knows why */
	DONE,	   /* the scheduler has no such job any more */
	ABANDONED, /* the scheduler may still have the job: `jacamar cleanup` has to cancel it */
	PHASES
};

enum batch_event {
	NO_EVENT,
	SUBMITTED,
	NOT_IN_QUEUE, /* never submitted, or cancelled */
	/* The node has written a file. */
	NODE_STARTED,
	NODE_EXITED,
	NODE_KILLED,
	/* The scheduler has reported a state: enum batch_meaning. */
	REPORTED_WAITING,
	REPORTED_ALIVE,
	REPORTED_ENDED,
	REPORTED_FAILED,
	REPORTED_LOST,
	/* The scheduler has had its time to explain the end. */
	TIME_IS_UP,
	EVENTS
};

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

/*
 * What the scheduler's last answer means in this phase; `is_answered`: it is new. TIME_IS_UP if the
 * end has been seen, and the scheduler has not explained it in time.
 */
enum batch_event batch_job_event(const struct batch_job *batch, bool is_answered);

/* The job's result, after `event` has ended the phase `last`: *exit_code, or -1 with *err. */
int batch_job_conclude(const struct batch_job *batch, enum batch_phase last, enum batch_event event,
		       int *exit_code, struct error *err);

#endif
