#include "core/executor/batch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/executor/allocation.h"
#include "core/executor/arguments.h"
#include "core/executor/follow.h"
#include "core/executor/queue.h"
#include "core/executor/scheduler.h"
#include "core/executor/shell.h"
#include "core/io.h"
#include "core/resident.h"
#include "core/text.h"

/* How often the files are looked at: in the first minute and near the end, and else. */
#define LOOK_MS	      200
#define LOOK_LATER_MS 400
#define FIRST_MS      60000

/*
 * After the end was seen: when the scheduler is asked, which the node tells of it by itself. About
 * a script that ended by itself, until when that must be allowed, and how long an answer may take.
 */
#define ASK_AFTER_MS 200
#define ASK_UNTIL_MS 800
#define ANSWER_MS    5000

/* A log of unknown length is at its end when it has not grown for so long. */
#define QUIET_MS 1000

/* How many times nfs_timeout the scheduler has to tell of the end, while it is asked. */
#define ASKING_FACTOR 3

/* After a cancel: what is there of the log is shown, in so many steps. */
#define LAST_STEPS 64

struct batch {
	const struct batch_call *call;
	struct allocation allocation;
	struct queue queue;
	struct inquiry inquiry;
	struct follower follower;
	struct batch_voice voice; /* the call's, on a line of its own */
	struct mouth {
		const struct batch_voice *voice;
		struct follower *follower;
	} mouth;
	struct allocation_start start;
	struct allocation_exit ended; /* where has_exit */
	bool has_exit;
	bool is_over; /* the scheduler has nothing more to do with it */
	int64_t began;
	int64_t end_seen; /* when the first sign of the end came; -1: not yet */
};

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
	bool known = batch->allocation.number[0] != '\0';
	snprintf(title.text, sizeof(title.text), "%s job %s", batch->queue.scheduler->name,
		 known ? batch->allocation.number : "of unknown number");
	return title;
}

static void say_on_own_line(const void *context, const char *line)
{
	const struct mouth *mouth = context;
	follow_end_line(mouth->follower);
	mouth->voice->say(mouth->voice->context, line);
}

/* 1 where it failed for what its author asks, and that was said. */
static int submit_with(struct batch *batch, const struct arguments *arguments, struct error *err)
{
	const struct batch_call *call = batch->call;
	enum submit_fault fault = SUBMIT_UNCLEAR;
	if (allocation_write(&batch->allocation, batch->queue.scheduler, call->header, call->script,
			     err) != 0)
		return -1;
	if (queue_submit(&batch->queue, &arguments->words, &fault, err) == 0) {
		int result = allocation_record(&batch->allocation, err);
		batch_say(&batch->voice, "%s", title(batch).text);
		return result;
	}
	batch->is_over = fault != SUBMIT_UNCLEAR;
	/* Without a word of the author's in it, a request is the site's own. */
	if (fault != SUBMIT_REFUSED || arguments->of_author == 0)
		return -1;
	batch_say(&batch->voice, "%s", err->detail);
	return 1;
}

static int submit(struct batch *batch, struct error *err)
{
	const struct scheduler *scheduler = batch->queue.scheduler;
	struct arguments arguments;
	int result = arguments_read(scheduler, batch->call->header, &arguments, err);
	batch->is_over = result != 0 || arguments.fault[0] != '\0';
	if (!batch->is_over) {
		result = submit_with(batch, &arguments, err);
	} else if (result == 0) {
		batch_say(&batch->voice, "the job's arguments for %s cannot be used: %s",
			  scheduler->submit[0], arguments.fault);
		result = 1;
	}
	words_free(&arguments.words);
	return result;
}

/* A look at the files; what the log has got is copied. */
static enum follow_result look(struct batch *batch)
{
	/* Asked first: what was written then comes after the start, which is told before it. */
	bool has_begun = batch->follower.position > 0 || follow_size(&batch->follower) > 0;
	/* What is left of a job that has ended may write there, but starts nothing. */
	if (batch->inquiry.answer.meaning < BATCH_ENDED &&
	    allocation_read_start(&batch->allocation, &batch->start)) {
		batch_say(&batch->voice, "%s runs on %s", title(batch).text, batch->start.node);
		batch->inquiry.started = true;
		/* What ended was a start before this one. */
		batch->has_exit = false;
		batch->end_seen = -1;
	}
	/* Before the log: what is there by then was written before the end. */
	if (!batch->has_exit && allocation_read_exit(&batch->allocation, &batch->ended))
		batch->has_exit = true;
	if (batch->has_exit && batch->end_seen < 0)
		batch->end_seen = io_now_ms();
	return has_begun ? follow_step(&batch->follower) : FOLLOW_IDLE;
}

enum verdict { GO_ON, DECIDED, FAILED };

static enum verdict lose(struct batch *batch, struct error *err, const char *why)
{
	error_set(err, ERROR_SYSTEM, "%s has no result: %s", title(batch).text, why);
	return FAILED;
}

static enum verdict take_code(const struct batch *batch, int *exit_code, struct error *err)
{
	if (batch->ended.code < 0) {
		(void)shell_explain(batch->ended.status, err);
		return FAILED;
	}
	*exit_code = batch->ended.code;
	return DECIDED;
}

/* Who is asked about the end is waited for, if not for ever: a scheduler may be slow. */
static bool is_late(const struct batch *batch)
{
	const struct queue *queue = &batch->queue;
	int64_t waited = io_now_ms() - batch->end_seen;
	bool asks = queue->command.child > 0 || queue->last_start < batch->end_seen ||
		    inquiry_is_open(&batch->inquiry);
	return waited >= queue->state->nfs_timeout_ms * (asks ? ASKING_FACTOR : 1);
}

/* The script has ended, but perhaps not by itself: what the scheduler says of that counts. */
static enum verdict judge_exit(struct batch *batch, bool late, int *exit_code, struct error *err)
{
	/* An answer that is older than the end is none. */
	bool fresh = batch->inquiry.asked_at >= batch->end_seen;
	enum batch_meaning meaning = fresh ? batch->inquiry.answer.meaning : BATCH_UNKNOWN;
	if (meaning == BATCH_WAITING) {
		allocation_forget_exit(&batch->allocation, &batch->ended);
		batch->has_exit = false;
		batch->end_seen = -1;
		return GO_ON;
	}
	if (!late && inquiry_is_open(&batch->inquiry))
		return GO_ON;
	if (meaning >= BATCH_ENDED || (late && fresh))
		return take_code(batch, exit_code, err);
	if (late)
		return lose(batch, err, "the scheduler does not tell whether it ended by itself");
	return GO_ON;
}

/*
 * The script has ended by itself, as far as it knows: one that went on without what was taken from
 * it for want of memory knows nothing of that. Who says so in time is believed.
 */
static enum verdict judge_own_exit(struct batch *batch, int *exit_code, struct error *err)
{
	const struct inquiry *inquiry = &batch->inquiry;
	const struct queue *queue = &batch->queue;
	int64_t waited = io_now_ms() - batch->end_seen;
	bool asked = queue->last_start >= batch->end_seen;
	bool answered = inquiry->asked_at >= batch->end_seen;
	bool may_ask = queue_next_start(queue) <= batch->end_seen + ASK_UNTIL_MS &&
		       batch->allocation.number[0] != '\0';
	if (waited < ANSWER_MS && (asked ? queue->command.child > 0 : may_ask))
		return GO_ON;
	/* It may not have heard of the end yet; but what it has put back must not run. */
	batch->is_over = !answered || inquiry->answer.meaning != BATCH_WAITING;
	return take_code(batch, exit_code, err);
}

/* What is known by now decides, or does not yet. */
static enum verdict judge(struct batch *batch, int *exit_code, struct error *err)
{
	const struct batch_answer *answer = &batch->inquiry.answer;
	const struct allocation_exit *ended = &batch->ended;
	bool by_itself =
		batch->has_exit && !ended->terminated && ended->code >= 0 && ended->code <= 128;
	batch->is_over = answer->meaning >= BATCH_ENDED;
	if (batch->is_over && batch->end_seen < 0)
		batch->end_seen = io_now_ms();
	if (answer->meaning == BATCH_LOST && !by_itself)
		return lose(batch, err, answer->words);
	if (answer->meaning == BATCH_CONDEMNED) {
		batch_say(&batch->voice, "%s failed: %s", title(batch).text, answer->words);
		*exit_code = BATCH_FAILED;
		return DECIDED;
	}
	if (batch->end_seen < 0)
		return GO_ON;
	batch->inquiry.casual = by_itself;
	if (by_itself)
		return judge_own_exit(batch, exit_code, err);
	bool late = is_late(batch);
	if (batch->has_exit)
		return judge_exit(batch, late, exit_code, err);
	return late ? lose(batch, err, "it has ended, but its end was not told by its script")
		    : GO_ON;
}

/* How long nothing needs to be looked at, but for what wakes us. */
static int64_t look_pause(const struct batch *batch, enum follow_result followed)
{
	if (followed == FOLLOW_MORE)
		return 0;
	bool soon = batch->end_seen >= 0 || io_now_ms() - batch->began < FIRST_MS;
	return soon ? LOOK_MS : LOOK_LATER_MS;
}

static enum verdict watch(struct batch *batch, int *exit_code, struct error *err)
{
	enum verdict verdict = GO_ON;
	while (verdict == GO_ON && !batch->queue.cancelled) {
		enum follow_result followed = look(batch);
		verdict = judge(batch, exit_code, err);
		if (verdict != GO_ON)
			break;
		inquiry_step(&batch->inquiry,
			     batch->end_seen >= 0 ? batch->end_seen + ASK_AFTER_MS : -1);
		queue_wait(&batch->queue, look_pause(batch, followed), followed == FOLLOW_BLOCKED);
	}
	return verdict;
}

/*
 * The log to its last byte: as many as the node counted where it told the end, else until no more
 * come. What was left behind may write on for ever, and is not waited for.
 */
static void drain(struct batch *batch)
{
	struct follower *follower = &batch->follower;
	int64_t most = batch->call->header->state.nfs_timeout_ms;
	int64_t began = io_now_ms();
	int64_t last = began;
	uint64_t wanted = batch->has_exit ? batch->ended.size : UINT64_MAX;
	for (;;) {
		uint64_t before = follower->position;
		enum follow_result followed = follow_step(follower);
		int64_t now = io_now_ms();
		if (follower->position >= wanted || follower->broken || batch->queue.cancelled)
			return;
		if (followed != FOLLOW_IDLE || follower->position != before)
			last = now;
		else if (now - last >= (batch->has_exit ? most : QUIET_MS))
			break;
		if (wanted == UINT64_MAX && now - began >= most)
			wanted = follow_size(follower);
		queue_wait(&batch->queue, followed == FOLLOW_MORE ? 0 : LOOK_MS,
			   followed == FOLLOW_BLOCKED);
	}
	if (batch->has_exit)
		batch_say(&batch->voice, "the end of the log has not arrived in time");
}

/* Cancels the job in the scheduler, and shows what it had to say to that. */
static int withdraw(struct batch *batch, struct error *err)
{
	struct error why;
	int gone = queue_withdraw(&batch->queue, queue_patience(&batch->queue), &why);
	for (int step = 0; step < LAST_STEPS && look(batch) == FOLLOW_MORE; step++)
		;
	/* What was not found in the queue is looked for once more by cleanup. */
	batch->is_over = gone == 0 && batch->allocation.number[0] != '\0';
	if (gone != 0)
		return error_set(err, ERROR_SYSTEM, "the job was cancelled, but %.900s",
				 why.detail);
	if (batch->is_over)
		batch_say(&batch->voice, "%s is gone from the queue", title(batch).text);
	return error_set(err, ERROR_SYSTEM, "the job was cancelled");
}

/* A sub-stage that is tried again: its first attempt would write into the same files. */
static int end_first_attempt(struct batch *batch, struct error *err)
{
	int result = 0;
	if (allocation_recall(&batch->allocation))
		result = queue_withdraw(&batch->queue, queue_patience(&batch->queue), err);
	batch->allocation.number[0] = '\0';
	return result;
}

static int run(struct batch *batch, int *exit_code, struct error *err)
{
	if (end_first_attempt(batch, err) != 0)
		return -1;
	if (batch->queue.cancelled) {
		batch->is_over = true;
		return error_set(err, ERROR_SYSTEM, "the job was cancelled");
	}
	int result = submit(batch, err);
	if (result == 1) {
		*exit_code = BATCH_FAILED;
		return 0;
	}
	if (batch->queue.cancelled && !batch->is_over)
		return withdraw(batch, err);
	if (result != 0) {
		/* What cannot be told on the disk must not live. */
		if (batch->allocation.number[0] != '\0')
			batch->is_over =
				queue_withdraw(&batch->queue, queue_patience(&batch->queue),
					       &(struct error){.kind = ERROR_NONE}) == 0;
		return -1;
	}
	inquiry_init(&batch->inquiry, &batch->queue, &batch->voice);
	resident_trim();
	enum verdict verdict = watch(batch, exit_code, err);
	if (verdict == GO_ON)
		return withdraw(batch, err);
	drain(batch);
	return verdict == DECIDED ? 0 : -1;
}

/* A shell is to read the path as the word that it is, whatever the scheduler does to it before. */
static int check_path(const struct batch *batch, struct error *err)
{
	const char *path = batch->allocation.wrapper;
	if (!batch->queue.scheduler->hands_to_shell ||
	    text_is_made_of(path, TEXT_WORD "/.,:=@+", PATH_MAX))
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "the job's directory has a character that is not a letter, a digit or one "
			 "of _-/.,:=@+, which %s does not take as it is: %s",
			 batch->queue.scheduler->name, path);
}

int batch_run(const struct batch_call *call, int *exit_code, struct error *err)
{
	const struct state *state = &call->header->state;
	struct batch batch = {
		.call = call, .queue = {.signals = -1}, .began = io_now_ms(), .end_seen = -1};
	batch.follower.allocation = &batch.allocation;
	batch.mouth = (struct mouth){&call->voice, &batch.follower};
	batch.voice = (struct batch_voice){say_on_own_line, &batch.mouth};
	int result = allocation_init(&batch.allocation, call->script->directory, state->scripts_dir,
				     call->substage, err);
	if (result == 0)
		result = queue_open(&batch.queue, call->header, call->channel, call->core_limit,
				    err);
	batch.queue.allocation = &batch.allocation;
	if (result == 0)
		result = check_path(&batch, err);
	if (result == 0)
		result = run(&batch, exit_code, err);
	/* The error is told next. */
	if (result != 0)
		follow_end_line(&batch.follower);
	if (batch.is_over)
		allocation_close(&batch.allocation, state->retain_logs);
	queue_close(&batch.queue);
	allocation_free(&batch.allocation);
	return result;
}
