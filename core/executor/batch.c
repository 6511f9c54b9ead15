#include "core/executor/batch.h"

#include <stdio.h>
#include <string.h>

#include "core/executor/allocation.h"
#include "core/executor/arguments.h"
#include "core/executor/batch_files.h"
#include "core/executor/batch_phase.h"
#include "core/executor/job_log.h"
#include "core/executor/log_follower.h"
#include "core/executor/nested_jobs.h"
#include "core/executor/pending.h"
#include "core/executor/scheduler.h"
#include "core/executor/scheduler_client.h"
#include "core/executor/shell.h"
#include "core/executor/submission.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

/* How often the files are read: in the first minute and near the end, and in between. */
#define LOOK_MS	      200
#define LOOK_LATER_MS 400
#define FIRST_MS      60000

/*
 * After the script's end: when the scheduler is asked, which hears of the end from the node. Where
 * the exit code is known, until when that must be possible, and how long the answer may take.
 */
#define ASK_AFTER_MS 200
#define ASK_UNTIL_MS 800
#define ANSWER_MS    5000

/* A log of unknown length is complete when it has not grown for this time. */
#define QUIET_MS 1000

/* While the scheduler is being asked about the end, it has this many times nfs_timeout. */
#define ASKING_FACTOR 3

/* After a cancel, the rest of the log is copied in at most this many steps. */
#define LAST_STEPS 64

static const struct batch_files_exit NO_EXIT = {.code = -1, .size = UINT64_MAX};

struct batch {
	const struct batch_call *call;
	struct batch_files files;
	struct scheduler_client client;
	struct job_status status;
	struct pending pending;
	struct log_follower *follower;
	struct batch_reporter reporter; /* the call's, each report on a line of its own */
	struct batch_files_start start;
	struct batch_files_exit ended; /* from the node; NO_EXIT before that */
	enum batch_phase phase;
	int64_t began;
	int64_t ended_at; /* when the first sign of the end was seen; -1: not yet */
};

static bool is_shared(const struct batch *batch)
{
	return batch->call->header->allocation != NULL;
}

bool batch_takes(enum executor_kind executor, const char *substage)
{
	return scheduler_of(executor) != NULL &&
	       (strcmp(substage, "build_script") == 0 || strncmp(substage, "step_", 5) == 0);
}

/* For messages: "slurm job 1234". */
struct batch_title {
	char text[BATCH_NUMBER_SIZE + 32];
};
static struct batch_title title(const struct batch *batch)
{
	struct batch_title title;
	bool known = batch->files.number[0] != '\0';
	snprintf(title.text, sizeof(title.text), "%s job %s", batch->client.scheduler->name,
		 known ? batch->files.number : "of unknown number");
	return title;
}

static void report_on_own_line(const void *context, const char *line)
{
	const struct batch *batch = context;
	log_follower_end_line(batch->follower);
	batch->call->reporter.report(batch->call->reporter.context, line);
}

static void handle(struct batch *batch, enum batch_event event)
{
	enum batch_phase before = batch->phase;
	batch->phase = batch_phase_after(before, event);
	/* The next start writes a file of its own. */
	if (before == KILLED && batch->phase == QUEUED)
		batch_files_forget_exit(&batch->files, &batch->ended);
	if (batch->phase <= RUNNING) {
		batch->ended = NO_EXIT;
		batch->ended_at = -1;
	} else if (batch->ended_at < 0) {
		batch->ended_at = io_now_ms();
	}
}

static int submit_with(struct batch *batch, const struct arguments *arguments, struct error *err)
{
	const struct submission submission = {
		.client = &batch->client,
		.header = batch->call->header,
		.script = batch->call->script,
		.arguments = &arguments->words,
		.reporter = &batch->reporter,
	};
	enum submit_fault fault;
	memcpy(batch->files.cluster, arguments->cluster, sizeof(batch->files.cluster));
	int made = is_shared(batch) ? allocation_join(&submission, &fault, err)
				    : submission_make(&submission, &fault, err);
	if (made == 0) {
		handle(batch, SUBMITTED);
		int result = is_shared(batch) ? 0 : batch_files_record(&batch->files, err);
		batch_report(&batch->reporter, "%s", title(batch).text);
		return result;
	}
	/* Otherwise `jacamar cleanup` searches the queue once more. */
	if (fault == SUBMIT_REFUSED || fault == SUBMIT_NOT_ASKED)
		handle(batch, NOT_IN_QUEUE);
	/* Without an argument of the author's, the refused request is the site's own. */
	if (fault != SUBMIT_REFUSED || arguments->of_author == 0)
		return -1;
	batch_report(&batch->reporter, "%s", err->detail);
	return 0;
}

/* 0 with the phase DONE: what the job's author asks for was refused, and that was reported. */
static int submit(struct batch *batch, struct error *err)
{
	const struct scheduler *scheduler = batch->client.scheduler;
	const char *allocation = batch->call->header->allocation;
	struct arguments arguments;
	if (is_shared(batch) && !allocation_is_name(allocation)) {
		handle(batch, NOT_IN_QUEUE);
		batch_report(&batch->reporter,
			     "JACAMAR_ALLOCATION is '%s'; it must be 1 to %d characters of "
			     "[A-Za-z0-9._-]",
			     allocation, ALLOCATION_NAME_MOST);
		return 0;
	}
	int result = arguments_read(scheduler, batch->call->header, &arguments, err);
	if (result == 0 && arguments.fault[0] == '\0') {
		result = submit_with(batch, &arguments, err);
	} else {
		handle(batch, NOT_IN_QUEUE);
		if (result == 0)
			batch_report(&batch->reporter,
				     "the job's arguments for %s cannot be used: %s",
				     scheduler->submit[0], arguments.fault);
	}
	argv_free(&arguments.words);
	return result;
}

/* Reads what the node has written into the files, and copies what is new in the log. */
static enum log_follower_result look(struct batch *batch)
{
	/* Read before the start, which is thus reported before anything that follows it. */
	bool has_begun = batch->follower->position > 0 || log_follower_size(batch->follower) > 0;
	/* Processes that an ended job has left may write there, too, but they start nothing. */
	if (batch->status.answer.meaning < BATCH_ENDED &&
	    batch_files_read_start(&batch->files, &batch->start)) {
		batch_report(&batch->reporter, "%s runs on %s", title(batch).text,
			     batch->start.node);
		handle(batch, NODE_STARTED);
	}
	/* Before the log: all of the log was written before the end. */
	struct batch_files_exit ended;
	if (batch->phase < EXITED && batch_files_read_exit(&batch->files, &ended)) {
		/* In a shared allocation, the scheduler does not know of single scripts. */
		bool by_itself = !ended.terminated && ended.code >= 0 &&
				 ended.code <= (is_shared(batch) ? 255 : 128);
		batch->ended = ended;
		handle(batch, by_itself ? NODE_EXITED : NODE_KILLED);
	}
	return has_begun ? log_follower_step(batch->follower) : FOLLOW_IDLE;
}

/* True if the scheduler has answered a question that was asked after the end. */
static bool has_answered(const struct batch *batch)
{
	return batch->status.asked_at >= batch->ended_at;
}

/* True if the end has been seen, and the scheduler has had its time to explain it. */
static bool is_time_up(const struct batch *batch)
{
	const struct scheduler_client *client = &batch->client;
	int64_t waited = io_now_ms() - batch->ended_at;
	bool is_asked = client->last_start >= batch->ended_at;
	bool runs = client->process.child > 0;
	if (batch->phase < VANISHED)
		return false;
	if (batch->phase == EXITED) {
		bool can_ask =
			scheduler_client_next_start(client) <= batch->ended_at + ASK_UNTIL_MS &&
			batch->files.number[0] != '\0';
		return waited >= ANSWER_MS || !(is_asked ? runs : can_ask);
	}
	bool asks = runs || !is_asked || job_status_is_open(&batch->status);
	return waited >= client->state->settings.batch.nfs_timeout_ms * (asks ? ASKING_FACTOR : 1);
}

/* What the scheduler's last answer means in this phase. */
static enum batch_event read_report(const struct batch *batch, bool time_is_up)
{
	static const enum batch_event events[] = {
		[BATCH_UNKNOWN] = REPORTED_ALIVE,    [BATCH_WAITING] = REPORTED_WAITING,
		[BATCH_HOPELESS] = REPORTED_WAITING, [BATCH_RUNNING] = REPORTED_ALIVE,
		[BATCH_ENDING] = REPORTED_ALIVE,     [BATCH_ENDED] = REPORTED_ENDED,
		[BATCH_KILLED] = REPORTED_FAILED,    [BATCH_FORGOTTEN] = REPORTED_ENDED,
		[BATCH_LOST] = REPORTED_LOST,
	};
	enum batch_event event = events[batch->status.answer.meaning];
	if (event == REPORTED_FAILED || event == REPORTED_LOST)
		return event;
	/* An answer from before the end does not explain it; the history may still do so. */
	if (batch->phase >= EXITED && !has_answered(batch))
		return NO_EVENT;
	if (batch->phase == KILLED && job_status_is_open(&batch->status) && !time_is_up)
		return NO_EVENT;
	return event;
}

static enum batch_event next_event(const struct batch *batch, bool is_answered)
{
	bool time_is_up = is_time_up(batch);
	enum batch_event event =
		is_answered || time_is_up ? read_report(batch, time_is_up) : NO_EVENT;
	if (time_is_up && batch_phase_after(batch->phase, event) == batch->phase)
		return TIME_IS_UP;
	return event;
}

static int fail_without_result(const struct batch *batch, const char *why, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, "%s has no result: %s; run the CI job again",
			 title(batch).text, why);
}

/* Slurm calls this JobLaunchFailure if the node could not even create the job's log. */
static int fail_without_exit_code(const struct batch *batch, struct error *err)
{
	const struct state *state = &batch->call->header->state;
	const char *node = batch->status.answer.node;
	cleanup_free char *why = text_format(
		"it has ended, but its node%s%s wrote no exit code into %.600s; check "
		"that the node mounts this directory, that %s can write to it there, "
		"and that neither the file system nor a quota is full",
		node[0] != '\0' ? " " : "", node, state->scripts_dir, state->account.name);
	return fail_without_result(batch, why != NULL ? why : "out of memory", err);
}

/* The job's result, after `event` has ended the phase `last`. */
static int conclude(struct batch *batch, enum batch_phase last, enum batch_event event,
		    int *exit_code, struct error *err)
{
	const struct batch_answer *answer = &batch->status.answer;
	if (event == REPORTED_FAILED) {
		*exit_code = BATCH_FAILED;
		return 0;
	}
	if (event == REPORTED_LOST && last != EXITED)
		return fail_without_result(batch, answer->why, err);
	if (last == VANISHED)
		return fail_without_exit_code(batch, err);
	if (last == KILLED && event == TIME_IS_UP && !has_answered(batch))
		return fail_without_result(batch, "the scheduler does not report why it was killed",
					   err);
	if (batch->ended.code < 0)
		return shell_explain(batch->ended.status, err);
	*exit_code = batch->ended.code;
	return 0;
}

/*
 * Copies the log to its last byte: up to the size that the node has reported with the end, else
 * until it does not grow. Processes that the job has left may write on, and are not waited for.
 */
static void drain(struct batch *batch)
{
	struct log_follower *follower = batch->follower;
	int64_t most = batch->call->header->state.settings.batch.nfs_timeout_ms;
	int64_t began = io_now_ms();
	int64_t last = began;
	uint64_t wanted = batch->ended.size;
	bool is_known = wanted != UINT64_MAX;
	for (;;) {
		uint64_t before = follower->position;
		enum log_follower_result followed = log_follower_step(follower);
		int64_t now = io_now_ms();
		if (follower->position >= wanted || follower->error != 0 || batch->client.cancelled)
			return;
		if (followed != FOLLOW_IDLE || follower->position != before)
			last = now;
		else if (now - last >= (is_known ? most : QUIET_MS))
			break;
		if (wanted == UINT64_MAX && now - began >= most)
			wanted = log_follower_size(follower);
		scheduler_client_wait(&batch->client, followed == FOLLOW_MORE ? 0 : LOOK_MS,
				      followed == FOLLOW_BLOCKED);
	}
	if (is_known)
		batch_report(&batch->reporter,
			     "the end of the log did not arrive within batch.nfs_timeout");
}

/* Ends the script by cancelling the job, or, in a shared allocation, by leaving it. */
static int end_script(struct batch *batch, enum allocation_leave how, struct error *err)
{
	if (is_shared(batch))
		return allocation_leave(batch->call, &batch->client, how, err);
	return scheduler_client_withdraw(&batch->client, scheduler_client_patience(&batch->client),
					 err);
}

/* Cancels the job in the scheduler, and copies what it has still written. */
static int leave_queue(struct batch *batch, struct error *err)
{
	int gone = end_script(batch, ALLOCATION_END, err);
	for (int step = 0; step < LAST_STEPS && look(batch) == FOLLOW_MORE; step++)
		;
	/* Only a job that has started can have submitted others. */
	if (gone == 0 && batch_files_has_started(&batch->files))
		nested_jobs_end(&batch->client, &batch->reporter,
				scheduler_client_patience(&batch->client) / 6);
	return gone;
}

/* Because the CI job was cancelled. */
static int withdraw(struct batch *batch, struct error *err)
{
	if (leave_queue(batch, err) != 0)
		return -1;
	/* `jacamar cleanup` searches the queue once more for a job without a number. */
	if (batch->files.number[0] != '\0') {
		handle(batch, NOT_IN_QUEUE);
		if (!is_shared(batch))
			batch_report(&batch->reporter, "%s is gone from the queue",
				     title(batch).text);
	}
	return error_cancelled(err);
}

/* Because the job must not wait any longer. */
static int stop_waiting(struct batch *batch, int *exit_code, struct error *err)
{
	struct error why;
	if (leave_queue(batch, &why) != 0)
		return error_set(err, ERROR_SYSTEM, "%.400s, and %.500s", batch->pending.why,
				 why.detail);
	handle(batch, NOT_IN_QUEUE);
	batch_report(&batch->reporter, "%s failed: %s; it was cancelled", title(batch).text,
		     batch->pending.why);
	*exit_code = BATCH_FAILED;
	return 0;
}

/* How long to wait for something to happen before the files are read again. */
static int64_t look_pause(const struct batch *batch, enum log_follower_result followed)
{
	if (followed == FOLLOW_MORE)
		return 0;
	bool soon = batch->ended_at >= 0 || io_now_ms() - batch->began < FIRST_MS;
	return soon ? LOOK_MS : LOOK_LATER_MS;
}

/* Follows the submitted job to its end. */
static int watch(struct batch *batch, int *exit_code, struct error *err)
{
	while (!batch->client.cancelled) {
		enum job_status_report report = batch->phase == EXITED	 ? REPORT_NOTHING
						: batch->phase == QUEUED ? REPORT_ALL
									 : REPORT_ALL_BUT_START;
		bool is_answered =
			job_status_step(&batch->status, report,
					batch->ended_at >= 0 ? batch->ended_at + ASK_AFTER_MS
							     : pending_urgent_from(&batch->pending,
										   &batch->status));
		enum log_follower_result followed = look(batch);
		enum batch_phase last = batch->phase;
		enum batch_event event = next_event(batch, is_answered);
		handle(batch, event);
		if (batch->phase >= DONE) {
			int result = conclude(batch, last, event, exit_code, err);
			drain(batch);
			/* The scheduler's answer can arrive before the last of the job's log. */
			if (event == REPORTED_FAILED)
				batch_report(&batch->reporter, "%s failed: %s", title(batch).text,
					     batch->status.answer.why);
			/* An allocation that is over: the next job makes a new one. */
			if (is_shared(batch) && batch->status.answer.meaning >= BATCH_ENDED)
				(void)end_script(batch, ALLOCATION_END,
						 &(struct error){.kind = ERROR_NONE});
			return result;
		}
		if (pending_is_over(&batch->pending, &batch->status, batch->phase == QUEUED))
			return stop_waiting(batch, exit_code, err);
		scheduler_client_wait(&batch->client, look_pause(batch, followed),
				      followed == FOLLOW_BLOCKED);
	}
	return withdraw(batch, err);
}

/* A sub-stage that is tried again: its first attempt would write into the same files. */
static int end_first_attempt(struct batch *batch, struct error *err)
{
	int result = 0;
	if (is_shared(batch) || batch_files_recall(&batch->files))
		result = end_script(batch, ALLOCATION_RETRY, err);
	batch->files.number[0] = '\0';
	return result;
}

static int run(struct batch *batch, int *exit_code, struct error *err)
{
	if (end_first_attempt(batch, err) != 0)
		return -1;
	if (batch->client.cancelled) {
		handle(batch, NOT_IN_QUEUE);
		return error_cancelled(err);
	}
	int result = submit(batch, err);
	if (batch->phase == DONE) {
		*exit_code = BATCH_FAILED;
		return result;
	}
	if (batch->client.cancelled)
		return withdraw(batch, err);
	if (result == 0) {
		job_status_init(&batch->status, &batch->client, &batch->reporter);
		pending_init(&batch->pending, batch->client.state->settings.batch.max_pending_ms);
		return watch(batch, exit_code, err);
	}
	/* Without its number on the disk, the job could not be cancelled later. */
	if (batch->files.number[0] != '\0' &&
	    end_script(batch, ALLOCATION_END, &(struct error){.kind = ERROR_NONE}) == 0)
		handle(batch, NOT_IN_QUEUE);
	return -1;
}

int batch_run(const struct batch_call *call, int *exit_code, struct error *err)
{
	const struct state *state = &call->header->state;
	struct log_follower follower = {.position = 0};
	struct batch batch = {
		.call = call,
		.client = {.signals = -1},
		.follower = &follower,
		.phase = PREPARING,
		.ended = NO_EXIT,
		.began = io_now_ms(),
		.ended_at = -1,
	};
	follower.files = &batch.files;
	batch.reporter = (struct batch_reporter){report_on_own_line, &batch};
	int result = batch_files_init(&batch.files, call->script->directory, state->scripts_dir,
				      call->substage, err);
	if (result == 0)
		result = scheduler_client_open(&batch.client, call->header, call->channel, err);
	batch.client.files = &batch.files;
	if (result == 0)
		result = run(&batch, exit_code, err);
	if (result == 0)
		result = job_log_check(follower.error, err);
	/* The caller reports the error next. */
	if (result != 0)
		log_follower_end_line(&follower);
	/* Else `jacamar cleanup` finds the job by them. */
	if (batch.phase == DONE)
		batch_files_close(&batch.files, state->settings.general.retain_logs);
	scheduler_client_close(&batch.client);
	batch_files_free(&batch.files);
	return result;
}
