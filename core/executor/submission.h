/*
 * Submits a batch job until the scheduler has judged the request. A scheduler that is busy or does
 * not answer is asked again, until [batch] submit_timeout; one line in the job's log has its words.
 *
 * The answer may be lost although the scheduler has taken the job. So nothing is submitted again
 * before the scheduler has listed the jobs of the account, and this one is not among them. If it
 * comes into the queue even later, it finds no feed, and ends without running the script; or it has
 * taken its feed, and is the job.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SUBMISSION_H
#define JACAMAR_CORE_EXECUTOR_SUBMISSION_H

#include "core/executor/scheduler_client.h"
#include "core/lib/argv.h"
#include "core/lib/error.h"
#include "core/workspace/script.h"

struct submission {
	struct scheduler_client *client;
	const struct script *script;
	const struct argv *arguments;
	/* Writes the files of each attempt; NULL: batch_files_write does. */
	int (*write)(void *context, struct error *err);
	void *context;
};

/* As scheduler_client_submit. With SUBMIT_UNJUDGED or SUBMIT_UNCLEAR the time was over. */
int submission_make(const struct submission *submission, enum submit_fault *fault,
		    struct error *err);

#endif
