#include "core/executor/batch.h"

#include <string.h>

#include "core/executor/allocation.h"
#include "core/executor/arguments.h"
#include "core/executor/batch_files.h"
#include "core/executor/batch_job.h"
#include "core/executor/job_log.h"
#include "core/executor/log_follower.h"
#include "core/executor/nested_jobs.h"
#include "core/executor/scheduler.h"
#include "core/executor/scheduler_client.h"
#include "core/executor/submission.h"
#include "core/lib/io.h"

/* How often the files are read: in the first minute and near the end, and in between. */
#define LOOK_MS	      200
#define LOOK_LATER_MS 400
#define FIRST_MS      60000

/*
 * How long after the script's end the scheduler is asked: the node must report the end to it first.
 */
#define ASK_AFTER_MS 200

/* A log of unknown length is complete when it has not grown for this time. */
#define QUIET_MS 1000

/* After a cancel, the rest of the log is copied in at most this many steps. */
#define LAST_STEPS 64

bool batch_takes(enum executor_kind executor, const char *substage)
{
	return scheduler_of(executor) != NULL && script_is_of_author(substage) &&
	       strcmp(substage, "after_script") != 0;
}

static void report_on_own_line(const void *context, const char *line)
{
	const struct batch_job *batch = context;
	log_follower_end_line(batch->follower);
	batch->call->reporter.report(batch->call->reporter.context, line);
}

/* For each attempt to submit the job. */
static int write_files(const void *context, struct error *err)
{
	const struct batch_job *batch = context;
	return batch_files_write(&batch->files, batch->client.scheduler, batch->call->header,
				 batch->call->script, err);
}

static int submit_with(struct batch_job *batch, const struct arguments *arguments,
		       struct error *err)
{
	const struct submission submission = {
		.client = &batch->client,
		.arguments = &arguments->words,
		.write = write_files,
		.context = batch,
	};
	enum submit_fault fault;
	memcpy(batch->files.cluster, arguments->cluster, sizeof(batch->files.cluster));
	int made = batch_job_is_shared(batch) ? allocation_join(&submission, &fault, err)
					      : submission_make(&submission, &fault, err);
	if (made == 0) {
		batch_job_handle(batch, SUBMITTED);
		int result =
			batch_job_is_shared(batch) ? 0 : batch_files_record(&batch->files, err);
		batch_report(&batch->client, "%s", batch_title(&batch->client).text);
		return result;
	}
	/* Otherwise `jacamar cleanup` searches the queue once more. */
	if (fault == SUBMIT_REFUSED || fault == SUBMIT_NOT_ASKED)
		batch_job_handle(batch, NOT_IN_QUEUE);
	/* Without an argument of the author's, the refused request is the site's own. */
	if (fault != SUBMIT_REFUSED || arguments->of_author == 0)
		return -1;
	batch_report(&batch->client, "%s", err->detail);
	return 0;
}

/* The author must know where to correct the arguments. */
static void report_unusable(struct batch_job *batch, const char *fault)
{
	static const char usual[] = "SCHEDULER_PARAMETERS";
	const struct string_list *names =
		&batch->call->header->state.settings.batch.arguments_variable;
	char others[256] = "";
	size_t used = 0;
	for (size_t i = 0; i < names->count && used < sizeof(others); i++)
		if (strcmp(names->items[i], usual) != 0)
			used += (size_t)snprintf(others + used, sizeof(others) - used, " or %s",
						 names->items[i]);
	batch_report(&batch->client, "the arguments for %s in %s%s cannot be used: %s",
		     batch->client.scheduler->submit[0], usual, others, fault);
}

/* If the author's request was refused, reports that, and returns 0 with the phase DONE. */
static int submit(struct batch_job *batch, struct error *err)
{
	const struct scheduler *scheduler = batch->client.scheduler;
	const char *allocation = batch->call->header->allocation;
	struct arguments arguments;
	if (batch_job_is_shared(batch) && !allocation_is_name(allocation)) {
		batch_job_handle(batch, NOT_IN_QUEUE);
		batch_report(&batch->client,
			     "JACAMAR_ALLOCATION is '%s'; it must be 1 to %d characters of "
			     "[A-Za-z0-9._-]",
			     allocation, ALLOCATION_NAME_MOST);
		return 0;
	}
	int result = arguments_read(scheduler, batch->call->header, &arguments, err);
	if (result == 0 && arguments.fault[0] == '\0') {
		result = submit_with(batch, &arguments, err);
	} else {
		batch_job_handle(batch, NOT_IN_QUEUE);
		if (result == 0)
			report_unusable(batch, arguments.fault);
	}
	string_list_free(&arguments.words);
	return result;
}

/* Reads what the node has written into the files, and copies what is new in the log. */
static enum log_follower_result look(struct batch_job *batch)
{
	/*
	 * The log is checked before the start file, so that the start is reported before any
	 * output.
	 */
	bool has_begun = batch->follower->position > 0 || log_follower_size(batch->follower) > 0;
	/* Processes that an ended job has left may write there, too, but they start nothing. */
	if (batch->status.answer.meaning < BATCH_ENDED &&
	    batch_files_read_start(&batch->files, &batch->start)) {
		batch_report(&batch->client, "%s runs on %s", batch_title(&batch->client).text,
			     batch->start.node);
		batch_job_handle(batch, NODE_STARTED);
	}
	/* Before the log: all of the log was written before the end. */
	struct batch_files_exit ended;
	if (batch->phase < EXITED && batch_files_read_exit(&batch->files, &ended)) {
		/* In a shared allocation, the scheduler does not know of single scripts. */
		bool by_itself = !ended.terminated && ended.code >= 0 &&
				 ended.code <= (batch_job_is_shared(batch) ? 255 : 128);
		batch->ended = ended;
		batch_job_handle(batch, by_itself ? NODE_EXITED : NODE_KILLED);
	}
	return has_begun ? log_follower_step(batch->follower) : FOLLOW_IDLE;
}

/*
 * Copies the log to its last byte: up to the size that the node has reported with the end, else
 * until it does not grow. Processes that the job has left may write on, and are not waited for.
 */
static void drain(struct batch_job *batch)
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
		batch_report(&batch->client,
			     "the end of the log did not arrive within batch.nfs_timeout");
}

/* Ends the script by cancelling the job, or, in a shared allocation, by leaving it. */
static int end_script(struct batch_job *batch, enum allocation_leave how, struct error *err)
{
	if (batch_job_is_shared(batch))
		return allocation_leave(&batch->client, how, err);
	return scheduler_client_withdraw(&batch->client, scheduler_client_patience(&batch->client),
					 err);
}

/* Cancels the job in the scheduler, and copies the rest of its log. */
static int leave_queue(struct batch_job *batch, struct error *err)
{
	int gone = end_script(batch, ALLOCATION_END, err);
	for (int step = 0; step < LAST_STEPS && look(batch) == FOLLOW_MORE; step++)
		;
	/* Only a job that has started can have submitted others. */
	if (gone == 0 && batch_files_has(&batch->files, "start"))
		nested_jobs_end(&batch->client, scheduler_client_patience(&batch->client) / 6);
	return gone;
}

/* Cancels the batch job because the CI job was cancelled. */
static int withdraw(struct batch_job *batch, struct error *err)
{
	if (leave_queue(batch, err) != 0)
		return -1;
	/* `jacamar cleanup` searches the queue once more for a job without a number. */
	if (batch->files.number[0] != '\0') {
		batch_job_handle(batch, NOT_IN_QUEUE);
		if (!batch_job_is_shared(batch))
			batch_report(&batch->client, "%s is gone from the queue",
				     batch_title(&batch->client).text);
	}
	return error_cancelled(err);
}

/* Cancels the batch job because it must not wait in the queue any longer. */
static int stop_waiting(struct batch_job *batch, int *exit_code, struct error *err)
{
	struct error why;
	if (leave_queue(batch, &why) != 0)
		return error_set(err, ERROR_SYSTEM, "%.400s, and %.500s", batch->status.pending_why,
				 why.detail);
	batch_job_handle(batch, NOT_IN_QUEUE);
	batch_report(&batch->client, "%s failed: %s; it was cancelled",
		     batch_title(&batch->client).text, batch->status.pending_why);
	*exit_code = BATCH_FAILED;
	return 0;
}

/* How long to wait for something to happen before the files are read again. */
static int64_t look_pause(const struct batch_job *batch, enum log_follower_result followed)
{
	if (followed == FOLLOW_MORE)
		return 0;
	bool soon = batch->ended_at >= 0 || io_now_ms() - batch->began < FIRST_MS;
	return soon ? LOOK_MS : LOOK_LATER_MS;
}

/* Follows the submitted job to its end. */
static int watch(struct batch_job *batch, int *exit_code, struct error *err)
{
	while (!batch->client.cancelled) {
		enum job_status_report report = batch->phase == EXITED	 ? REPORT_NOTHING
						: batch->phase == QUEUED ? REPORT_ALL
									 : REPORT_ALL_BUT_START;
		bool is_answered =
			job_status_step(&batch->status, report,
					batch->ended_at >= 0 ? batch->ended_at + ASK_AFTER_MS : -1);
		enum log_follower_result followed = look(batch);
		enum batch_phase last = batch->phase;
		enum batch_event event = batch_job_event(batch, is_answered);
		batch_job_handle(batch, event);
		if (batch->phase >= DONE) {
			int result = batch_job_conclude(batch, last, event, exit_code, err);
			drain(batch);
			if (batch->ended.log_incomplete)
				batch_report(&batch->client,
					     "the job's log is incomplete: the file system of %s, "
					     "or a quota there, was full",
					     batch->client.state->scripts_dir);
			/* The scheduler's answer can arrive before the last of the job's log. */
			if (event == REPORTED_FAILED)
				batch_report(&batch->client, "%s failed: %s",
					     batch_title(&batch->client).text,
					     batch->status.answer.why);
			/* An allocation that is over: the next job makes a new one. */
			if (batch_job_is_shared(batch) &&
			    batch->status.answer.meaning >= BATCH_ENDED)
				(void)end_script(batch, ALLOCATION_END,
						 &(struct error){.kind = ERROR_NONE});
			return result;
		}
		if (job_status_ends_waiting(&batch->status, batch->phase == QUEUED))
			return stop_waiting(batch, exit_code, err);
		scheduler_client_wait(&batch->client, look_pause(batch, followed),
				      followed == FOLLOW_BLOCKED);
	}
	return withdraw(batch, err);
}

/* If a sub-stage is repeated: the job of its first attempt would write into the same files. */
static int end_first_attempt(struct batch_job *batch, struct error *err)
{
	int result = 0;
	if (batch_job_is_shared(batch) || batch_files_recall(&batch->files))
		result = end_script(batch, ALLOCATION_RETRY, err);
	batch->files.number[0] = '\0';
	return result;
}

static int run(struct batch_job *batch, int *exit_code, struct error *err)
{
	if (end_first_attempt(batch, err) != 0)
		return -1;
	if (batch->client.cancelled) {
		batch_job_handle(batch, NOT_IN_QUEUE);
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
		job_status_init(&batch->status, &batch->client);
		return watch(batch, exit_code, err);
	}
	/* Without its number on the disk, the job could not be cancelled later. */
	if (batch->files.number[0] != '\0' &&
	    end_script(batch, ALLOCATION_END, &(struct error){.kind = ERROR_NONE}) == 0)
		batch_job_handle(batch, NOT_IN_QUEUE);
	return -1;
}

int batch_run(const struct batch_call *call, int *exit_code, struct error *err)
{
	const struct state *state = &call->header->state;
	struct log_follower follower = {.position = 0};
	struct batch_job batch = {
		.call = call,
		.client = {.signals = -1},
		.follower = &follower,
		.phase = PREPARING,
		.ended = BATCH_NO_EXIT,
		.began = io_now_ms(),
		.ended_at = -1,
	};
	follower.files = &batch.files;
	int result = batch_files_init(&batch.files, call->script->directory, state->scripts_dir,
				      call->substage, err);
	if (result == 0)
		result = scheduler_client_open(&batch.client, call->header, call->channel,
					       (struct batch_reporter){report_on_own_line, &batch},
					       err);
	batch.client.files = &batch.files;
	if (result == 0)
		result = run(&batch, exit_code, err);
	if (result == 0)
		result = job_log_check(follower.error, err);
	/* The caller reports the error next. */
	if (result != 0)
		log_follower_end_line(&follower);
	/* Otherwise `jacamar cleanup` finds the job by these files. */
	if (batch.phase == DONE)
		batch_files_close(&batch.files, state->settings.general.retain_logs);
	scheduler_client_close(&batch.client);
	batch_files_free(&batch.files);
	return result;
}
