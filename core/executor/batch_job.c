#include "core/executor/batch_job.h"

#include "core/executor/shell.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

/*
 * After a script whose exit code is known: how long the start of a question to the scheduler may be
 * delayed, and how long the answer may take.
 */
#define ASK_UNTIL_MS 800
#define ANSWER_MS    5000

/* While the scheduler is being asked about the end, it has this many times nfs_timeout. */
#define ASKING_FACTOR 3

/*
 * WAITING after the script's end: the scheduler has requeued the job. A script that was killed is
 * to run again then; one that has its exit code must not.
 *
 * ALIVE after the script's end: the scheduler has not noticed the end yet. If the exit code is
 * known, jacamar does not wait until it has.
 */
/* clang-format off */
static const enum batch_phase NEXT[EVENTS][PHASES] = {
	/* in the phase   SAME  PREPARING  QUEUED     RUNNING    VANISHED   EXITED     KILLED */
	[SUBMITTED]        = { 0, QUEUED,    SAME,      SAME,      SAME,      SAME,      SAME },
	[NOT_IN_QUEUE]     = { 0, DONE,      DONE,      DONE,      DONE,      DONE,      DONE },
	[NODE_STARTED]     = { 0, SAME,      RUNNING,   RUNNING,   SAME,      RUNNING,   RUNNING },
	[NODE_EXITED]      = { 0, SAME,      EXITED,    EXITED,    EXITED,    SAME,      SAME },
	[NODE_KILLED]      = { 0, SAME,      KILLED,    KILLED,    KILLED,    SAME,      SAME },
	[REPORTED_WAITING] = { 0, SAME,      QUEUED,    QUEUED,    QUEUED,    ABANDONED, QUEUED },
	[REPORTED_ALIVE]   = { 0, SAME,      SAME,      SAME,      RUNNING,   DONE,      SAME },
	[REPORTED_ENDED]   = { 0, SAME,      VANISHED,  VANISHED,  SAME,      DONE,      DONE },
	[REPORTED_FAILED]  = { 0, SAME,      DONE,      DONE,      DONE,      DONE,      DONE },
	[REPORTED_LOST]    = { 0, SAME,      DONE,      DONE,      DONE,      DONE,      DONE },
	[TIME_IS_UP]       = { 0, SAME,      SAME,      SAME,      DONE,      DONE,      ABANDONED },
};
/* clang-format on */

static enum batch_phase phase_after(enum batch_phase phase, enum batch_event event)
{
	enum batch_phase next = NEXT[event][phase];
	return next == SAME ? phase : next;
}

bool batch_job_is_shared(const struct batch_job *batch)
{
	return batch->call->header->allocation != NULL;
}

void batch_job_handle(struct batch_job *batch, enum batch_event event)
{
	enum batch_phase before = batch->phase;
	batch->phase = phase_after(before, event);
	/* The next start writes a file of its own. */
	if (before == KILLED && batch->phase == QUEUED)
		batch_files_forget_exit(&batch->files, &batch->ended);
	if (batch->phase <= RUNNING) {
		batch->ended = BATCH_NO_EXIT;
		batch->ended_at = -1;
	} else if (batch->ended_at < 0) {
		batch->ended_at = io_now_ms();
	}
}

/* True if the scheduler has answered a question that was asked after the end. */
static bool has_answered(const struct batch_job *batch)
{
	return batch->status.asked_at >= batch->ended_at;
}

/* True if the end has been seen, and the scheduler has had its time to explain it. */
static bool is_time_up(const struct batch_job *batch)
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
static enum batch_event read_report(const struct batch_job *batch, bool time_is_up)
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

enum batch_event batch_job_event(const struct batch_job *batch, bool is_answered)
{
	bool time_is_up = is_time_up(batch);
	enum batch_event event =
		is_answered || time_is_up ? read_report(batch, time_is_up) : NO_EVENT;
	if (time_is_up && phase_after(batch->phase, event) == batch->phase)
		return TIME_IS_UP;
	return event;
}

static int fail_without_result(const struct batch_job *batch, const char *why, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, "%s has no result: %s; run the CI job again",
			 batch_title(&batch->client).text, why);
}

/* Slurm calls this JobLaunchFailure if the node could not even create the job's log. */
static int fail_without_exit_code(const struct batch_job *batch, struct error *err)
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

int batch_job_conclude(const struct batch_job *batch, enum batch_phase last, enum batch_event event,
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
