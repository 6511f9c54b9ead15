/*
 * How long a batch job may wait in the queue: not if the scheduler's reason is one that no waiting
 * ends, and not longer than [batch] max_pending. Either needs an answer of the scheduler which says
 * that the job still waits: the start of a job may not be visible on this host yet.
 */
#ifndef JACAMAR_CORE_EXECUTOR_PENDING_H
#define JACAMAR_CORE_EXECUTOR_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/job_status.h"

/* All times are of io_now_ms's clock; -1: not yet. */
struct pending {
	int64_t most_ms;     /* max_pending; 0: there is no limit */
	int64_t since;	     /* the job waits in the queue */
	int64_t hopeless_at; /* the scheduler has reported such a reason since */
	char why[512];	     /* why the job must not wait any longer */
};

void pending_init(struct pending *pending, int64_t most_ms);

/*
 * Reads the last answer; `waits` if the job is in the queue as far as is known. True if the job
 * must not wait any longer.
 */
bool pending_is_over(struct pending *pending, const struct job_status *status, bool waits);

/* From when an answer is urgent: for job_status_step. */
int64_t pending_urgent_from(const struct pending *pending, const struct job_status *status);

#endif
