/*
 * Submits a batch job until the scheduler has judged the request. A scheduler that is busy or does
 * not answer is asked again, until [batch] submit_timeout; one line in the job's log has its
 * message.
 *
 * The answer may be lost although the scheduler has taken the job. So nothing is submitted again
 * before the scheduler has listed the jobs of the account, and this one is not among them. If it
 * comes into the queue even later, it finds no feed, and ends without running the script; or it has
 * taken its feed, and is the job.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SUBMISSION_H
#define JACAMAR_CORE_EXECUTOR_SUBMISSION_H

#include "core/executor/scheduler_client.h"
#include "core/lib/string_list.h"
#include "core/lib/error.h"

struct submission {
	struct scheduler_client *client;
	const struct string_list *arguments;
	int (*write)(const void *context, struct error *err); /* the files of each attempt */
	const void *context;
};

enum submit_fault {
	SUBMIT_UNCLEAR,	  /* there may be a job: the queue could not be searched */
	SUBMIT_NOT_ASKED, /* there is no job: the command could not be executed */
	SUBMIT_REFUSED,	  /* there is no job: the scheduler has refused the request */
	SUBMIT_UNJUDGED,  /* the queue has no job: the scheduler was busy or did not answer */
};

/*
 * Submits the job and gets its number. A job whose number was lost, and that has left the queue by
 * now, is submitted as well: its start file shows that. If the CI job is cancelled meanwhile, the
 * submit still has some seconds to end: without its number, a job is hard to cancel. With
 * SUBMIT_UNJUDGED or SUBMIT_UNCLEAR the time was over.
 */
int submission_make(const struct submission *submission, enum submit_fault *fault,
		    struct error *err);

#endif
