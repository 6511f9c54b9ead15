/*
 * Follows the state of a batch job that the scheduler reports. The scheduler is asked rarely, and
 * nobody waits for its answer: an answer is read when it has come, and what is new in it is written
 * to the job's log.
 *
 * A batch job may not wait in the queue if the scheduler's reason is one that no waiting ends, and
 * not longer than [batch] max_pending. Either needs an answer of the scheduler which says that the
 * job still waits: the start of a job may not be visible on this host yet.
 */
#ifndef JACAMAR_CORE_EXECUTOR_JOB_STATUS_H
#define JACAMAR_CORE_EXECUTOR_JOB_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/scheduler.h"
#include "core/executor/scheduler_client.h"

/* What is reported in the job's log. */
enum job_status_report {
	REPORT_ALL,
	REPORT_ALL_BUT_START, /* not that the job runs, which the log has already */
	REPORT_NOTHING,
};

/* All times are of io_now_ms's clock; -1: not yet. */
struct job_status {
	struct scheduler_client *client;
	struct batch_answer answer; /* the last one; before it, name and meaning are empty */
	int64_t asked_at;	    /* when it was asked for */
	int64_t reported_at;
	int64_t next_ask;
	enum job_status_report report;
	bool outage_reported; /* the scheduler has not answered since */
	enum { HISTORY_NOT_ASKED, HISTORY_BEING_ASKED, HISTORY_ASKED } history;
	int64_t waits_since;   /* in the queue */
	int64_t hopeless_at;   /* the scheduler has reported such a reason since */
	char pending_why[512]; /* why the job must not wait any longer */
};

void job_status_init(struct job_status *status, struct scheduler_client *client);

/* True if the scheduler has forgotten the job, but its history may still know how the job ended. */
bool job_status_is_open(const struct job_status *status);

/*
 * Reads an answer that has arrived. Otherwise asks if it is time: regularly or, if the answer is
 * urgent, as often as [batch] command_delay allows. An answer is urgent from `urgent_from` on (-1:
 * never), or if it can show that the job must not wait any longer. True if there is a new answer,
 * or if the last one is final because the history has none.
 */
bool job_status_step(struct job_status *status, enum job_status_report report, int64_t urgent_from);

/* True if the job must not wait any longer; `waits` if it is in the queue as far as is known. */
bool job_status_ends_waiting(struct job_status *status, bool waits);

#endif
