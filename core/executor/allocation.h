/*
 * One allocation for several jobs of a pipeline. The job's author names it in JACAMAR_ALLOCATION.
 *
 * The first job of that name submits a batch job (the keeper, allocation_keeper.bash) with its own
 * arguments; this batch job holds the nodes. The keeper starts the scripts of all jobs, each with
 * its usual wrapper (batch_wrapper.bash): a script finds the same environment as in a batch job of
 * its own, and srun, flux run or mpiexec use the nodes of the allocation. So this works with every
 * scheduler. batch.c follows a script by its files as always, and asks the scheduler about the
 * keeper's job.
 *
 * All of this is on the user's side; the service's side passes on the two variables, unchecked. The
 * allocation has a directory of the user's own:
 *
 *   <base>/allocations/<short token>/<project id>-<pipeline id>-<name>/
 *     keeper.batch, keeper.job, keeper.start    as those of another job: batch_files.h
 *     keeper.release                            its end was asked for
 *     <job id>.run                              a job that uses it: see below
 *   <base>/allocations/<short token>/<project id>-<pipeline id>-<name>,lock
 *
 * The ids are those that the id token proves (with `jacamar --no-auth`, those of the job response):
 * a job of another pipeline does not find the directory, whatever its variables are, and another
 * account cannot open it. (Processes of the same account could always use each other's allocations:
 * for the scheduler, they are the same user.)
 *
 * The file of a job exists from when it joins until it has left. It has one line: the job's cookie
 * and the path of the sub-stage's files, for which the keeper starts the wrapper once; or "end",
 * after which the keeper kills what is left of the job, and then removes the file.
 *
 * A job holds the lock (builds_lock.h) while it makes, joins or leaves the allocation. So if two
 * jobs start at once, one submits, and the other waits for the number. A job that joins waits for
 * its script's start in the queue, like the one that submitted. If the scheduler reports that the
 * allocation is over, a job that wants to join makes a new one; a job that has joined ends as if
 * the batch job were its own.
 *
 * The allocation ends
 * - when no script has run in it for batch.allocation_idle: the keeper then removes the directory;
 * - when the last job leaves it, if one of its jobs had JACAMAR_ALLOCATION_RELEASE=true, or was
 *   cancelled. (When a pipeline is cancelled, each of its running jobs is.) Otherwise nobody can
 *   know whether another job follows.
 */
#ifndef JACAMAR_CORE_EXECUTOR_ALLOCATION_H
#define JACAMAR_CORE_EXECUTOR_ALLOCATION_H

#include <stdbool.h>

#include "core/executor/scheduler_client.h"
#include "core/executor/submission.h"
#include "core/lib/error.h"

#define ALLOCATION_NAME_MOST 64

/* True for 1 to 64 bytes of [A-Za-z0-9._-]. */
bool allocation_is_name(const char *name);

/*
 * Runs the script in the allocation that the job's header names; the name must be valid. If
 * this allocation does not exist yet, submits it. Writes its number to the files of job->client.
 * The caller uses this in place of submission_make.
 */
int allocation_join(const struct submission *job, enum submit_fault *fault, struct error *err);

enum allocation_leave {
	ALLOCATION_RETRY, /* only for a while: the job will join it again */
	ALLOCATION_LEAVE,
	ALLOCATION_END, /* the allocation has ended, or shall end when no other job uses it */
};

/*
 * Ends the script of this job in the allocation, and, if it is the last job and the allocation
 * shall end, the allocation. Waits until that is done. Without effect if the job has not joined.
 */
int allocation_leave(struct scheduler_client *client, enum allocation_leave how, struct error *err);

#endif
