/*
 * Batch jobs that the script of a job has submitted itself. They are marked with the reference of
 * the job, and cancelled if the job is cancelled, or if its processes were killed. If the script
 * ends normally, they stay in the queue: it may have submitted them to run later.
 */
#ifndef JACAMAR_CORE_EXECUTOR_NESTED_JOBS_H
#define JACAMAR_CORE_EXECUTOR_NESTED_JOBS_H

#include "core/executor/scheduler_client.h"
#include "core/protocol/state.h"

/* Lines for the shell that runs the script, in new memory; NULL without memory. */
char *nested_jobs_mark(const struct state *state);

/* Cancels them, and reports their numbers or why that failed. */
void nested_jobs_end(struct scheduler_client *client, int64_t limit_ms);

#endif
