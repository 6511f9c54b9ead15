/*
 * What the scheduler says of a job. It is asked rarely, and never waited for: the answer is taken
 * when it comes, and what is new in it is said in the job's log.
 */
#ifndef JACAMAR_CORE_EXECUTOR_INQUIRY_H
#define JACAMAR_CORE_EXECUTOR_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/queue.h"
#include "core/executor/scheduler.h"

/* Says one line in the job's log. */
struct batch_voice {
	void (*say)(const void *context, const char *line);
	const void *context;
};
void batch_say(const struct batch_voice *voice, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct inquiry {
	const struct batch_voice *voice;
	struct queue *queue;
	struct batch_answer answer; /* the last one; its name and meaning are empty before it */
	int64_t asked_at;	    /* when it was asked for; -1 before it */
	int64_t planned;	    /* when the scheduler is asked next */
	size_t steps;		    /* of the plan that lie behind */
	int64_t told_at;
	bool started;	     /* that it runs was told already */
	bool silent;	     /* the last question had no answer */
	bool casual;	     /* it matters little: what is new is not told */
	bool asks_history;   /* the command that runs is of those */
	bool history_is_out; /* it has had its one chance */
};

/* All times are of io_now_ms's clock. */
void inquiry_init(struct inquiry *inquiry, struct queue *queue, const struct batch_voice *voice);

/* True where somebody is still to say how the job ended that the scheduler has forgotten. */
bool inquiry_is_open(const struct inquiry *inquiry);

/*
 * Takes what has come, and asks where it is time: by plan, or, where it is urgent, from then on as
 * soon as [batch] command_delay allows (-1: it is not).
 */
void inquiry_step(struct inquiry *inquiry, int64_t urgent_from);

#endif
