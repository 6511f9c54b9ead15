/*
 * Speaking with a scheduler about one job, and waiting meanwhile for whatever else may come.
 */
#ifndef JACAMAR_CORE_EXECUTOR_QUEUE_H
#define JACAMAR_CORE_EXECUTOR_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/channel.h"
#include "core/error.h"
#include "core/executor/allocation.h"
#include "core/executor/command.h"
#include "core/executor/scheduler.h"

struct queue {
	const struct scheduler *scheduler;
	const struct state *state;
	struct allocation *allocation; /* borrowed, of the job that is spoken of */
	struct command_site site;
	struct command command;
	int signals; /* supervise.h */
	int channel; /* its end is the job's; -1: nobody can end it any more */
	bool cancelled;
	int64_t last_start; /* of a command, on io_now_ms's clock */
	size_t ask_form;    /* 0: the best; else the other form that was found to be known */
};

/* The caller calls queue_close also after a failure. */
int queue_open(struct queue *queue, const struct channel_header *header,
	       const struct channel_reader *channel, rlim_t core_limit, struct error *err);
void queue_close(struct queue *queue);

/*
 * Waits for a signal, the end of the channel, the running command, at most that long; with
 * `for_output` also until standard output can be written.
 */
void queue_wait(struct queue *queue, int64_t timeout_ms, bool for_output);

/* When the next command may start: [batch] command_delay after the last. */
int64_t queue_next_start(const struct queue *queue);

/* Starts one of the scheduler's commands; queue_wait and command_step do the rest. */
int queue_start(struct queue *queue, const char *const *template, const struct words *arguments,
		int64_t limit_ms, struct error *err);

/* What asks for the job's state, in the form that is known. */
const char *const *queue_ask(const struct queue *queue);

/*
 * True where the ended command says that this form is not known; the next one is used from then on.
 */
bool queue_change_form(struct queue *queue);

/*
 * Submits the job and gets its number, unless nobody can tell it of one that has ended by
 * now, and the files alone show that it was submitted. A job that is cancelled meanwhile is
 * submitted all the same, if that is soon: only who knows its number can end it.
 */
enum submit_fault {
	SUBMIT_UNCLEAR,	  /* there may be a job */
	SUBMIT_NOT_ASKED, /* there is none: the command could not be executed */
	SUBMIT_REFUSED,	  /* there is none: the scheduler has judged the request itself, and none
			     is in its queue */
};
int queue_submit(struct queue *queue, const struct words *arguments, enum submit_fault *fault,
		 struct error *err);

/* Cancels the job, whether its number is known or not, and waits until it is gone. */
int queue_withdraw(struct queue *queue, int64_t limit_ms, struct error *err);

/* How long that may take: at kill_timeout, who waits for it is killed. */
int64_t queue_patience(const struct queue *queue);

/* What an ended command said went wrong, or how it ended; one line. */
void queue_explain(const struct command *command, char *text, size_t size);

#endif
