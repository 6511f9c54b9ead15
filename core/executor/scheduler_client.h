/*
 * Submits a job to the scheduler, asks for its state and cancels it. It waits for the first of
 * these: an answer, a signal, the end of the CI job.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SCHEDULER_CLIENT_H
#define JACAMAR_CORE_EXECUTOR_SCHEDULER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/batch_files.h"
#include "core/executor/scheduler.h"
#include "core/lib/string_list.h"
#include "core/lib/error.h"
#include "core/process/subprocess.h"
#include "core/protocol/channel.h"

/* Writes one line of jacamar's own into the job's log. */
struct batch_reporter {
	void (*report)(const void *context, const char *line);
	const void *context;
};

/* The limit of a submit once the CI job is cancelled, and of a search for a lost number. */
#define SCHEDULER_SHORT_LIMIT_MS 15000

struct scheduler_client {
	const struct scheduler *scheduler;
	const struct channel_header *header;
	const struct state *state; /* of the header */
	struct batch_reporter reporter;
	struct batch_files *files; /* of the job; borrowed */
	char name[96];		   /* of the job in the scheduler */
	json_t *environment;	   /* of all commands */
	struct subprocess process; /* the command that runs */
	struct command_result result;
	int signals; /* signals.h */
	int channel; /* its end cancels the job; -1: nothing can cancel it */
	bool cancelled;
	int64_t last_start;   /* of a command, on io_now_ms's clock */
	size_t ask_form;      /* 0: `ask`; n: ask_otherwise[n - 1] */
	int64_t submit_until; /* the end of all attempts to submit the job */
	bool delay_reported;  /* of these */
};

/* The caller calls scheduler_client_close also after a failure. */
int scheduler_client_open(struct scheduler_client *client, const struct channel_header *header,
			  const struct channel_reader *channel, struct batch_reporter reporter,
			  struct error *err);
void scheduler_client_close(struct scheduler_client *client);

void batch_report(const struct scheduler_client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For messages: "slurm job 1234". */
struct batch_title {
	char text[BATCH_NUMBER_SIZE + 32];
};
struct batch_title batch_title(const struct scheduler_client *client);

/*
 * Waits for a signal, the end of the channel or output of the running command, but not longer than
 * `timeout_ms`; with `for_output` also until standard output can be written.
 */
void scheduler_client_wait(struct scheduler_client *client, int64_t timeout_ms, bool for_output);

/* When the next command may start: [batch] command_delay after the last. */
int64_t scheduler_client_next_start(const struct scheduler_client *client);

/* Starts one of the scheduler's commands, unless another one runs. */
int scheduler_client_start(struct scheduler_client *client, const char *const *template,
			   const struct string_list *arguments, int64_t limit_ms,
			   struct error *err);

/* Runs a command to its end, or to the limit. -1 if it could not be started. */
int scheduler_client_run(struct scheduler_client *client, const char *const *template,
			 const struct string_list *arguments, int64_t limit_ms, struct error *err);

/* Reads what the command has printed; true once it has ended, and `result` is complete. */
bool scheduler_client_step(struct scheduler_client *client);

/* The command that asks for the state of the job. */
const char *const *scheduler_client_ask(const struct scheduler_client *client);

/*
 * True if the command that has ended does not know this form of the question: the next form is used
 * from then on.
 */
bool scheduler_client_change_form(struct scheduler_client *client);

/* Searches the queue for the job: 1 with its number, 0 if it is not there, -1 if unknown. */
int scheduler_client_search(struct scheduler_client *client, int64_t limit_ms, struct error *err);

/* Reports that the submit takes long: one line in the job's log for all attempts. */
void scheduler_client_report_delay(struct scheduler_client *client, const char *words);

/* Waits, whatever happens meanwhile. */
void scheduler_client_pause(struct scheduler_client *client, int64_t pause_ms);

/* Cancels the job, even if its number is not known, and waits until it has left the queue. */
int scheduler_client_withdraw(struct scheduler_client *client, int64_t limit_ms, struct error *err);

/*
 * True if the scheduler reports that the job has ended, or does not know it. Otherwise *err has the
 * state of the job, or why the scheduler does not report it.
 */
bool scheduler_client_is_gone(struct scheduler_client *client, int64_t deadline, struct error *err);

/* How long that may take: this process is killed after kill_timeout. */
int64_t scheduler_client_patience(const struct scheduler_client *client);

/* Why a command has failed: one line of its own, or how it ended. */
struct scheduler_failure {
	char text[512];
};
struct scheduler_failure scheduler_client_failure(const struct scheduler_client *client);

#endif
