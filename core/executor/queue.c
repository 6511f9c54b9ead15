#include "core/executor/queue.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/io.h"
#include "core/supervise.h"
#include "core/text.h"

/* A submit: some schedulers try again by themselves for as long. */
#define SUBMIT_MOST_MS 120000

/* How long a submit may go on once the job is cancelled, and a look for a lost number. */
#define LATE_MOST_MS 15000

/* How long the sign of a job is waited for that no queue has. */
#define SIGN_MOST_MS 2000

/* Between two questions whether a cancelled job is gone. */
#define GONE_PAUSE_MS 200

int queue_open(struct queue *queue, const struct channel_header *header,
	       const struct channel_reader *channel, rlim_t core_limit, struct error *err)
{
	*queue = (struct queue){
		.scheduler = scheduler_of(header->state.executor),
		.state = &header->state,
		.channel = channel->fd,
		.cancelled = channel_was_ended(channel),
		.last_start = INT64_MIN / 2,
	};
	queue->signals = supervise_open_signals(err);
	if (queue->signals < 0)
		return -1;
	return command_site_make(&queue->site, header, core_limit, err);
}

void queue_close(struct queue *queue)
{
	command_abort(&queue->command);
	command_site_free(&queue->site);
	if (queue->signals >= 0)
		close(queue->signals);
}

void queue_wait(struct queue *queue, int64_t timeout_ms, bool for_output)
{
	struct pollfd sources[] = {
		{.fd = queue->signals, .events = POLLIN},
		/* Its end stays there to be read, and has been told. */
		{.fd = queue->cancelled ? -1 : queue->channel, .events = POLLIN},
		{.fd = for_output ? STDOUT_FILENO : -1, .events = POLLOUT},
		{.fd = -1},
		{.fd = -1},
	};
	command_poll(&queue->command, &sources[3]);
	if (poll(sources, sizeof(sources) / sizeof(sources[0]),
		 timeout_ms > 0 ? (int)timeout_ms : 0) < 0)
		return;
	if (supervise_read_signals(queue->signals).end || sources[1].revents != 0)
		queue->cancelled = true;
}

int64_t queue_next_start(const struct queue *queue)
{
	return queue->last_start + queue->state->command_delay_ms;
}

/* The job's name in the scheduler, in new memory. */
static char *name_of(const struct queue *queue)
{
	return text_format("ci-%llu", (unsigned long long)queue->state->job_id);
}

int queue_start(struct queue *queue, const char *const *template, const struct words *arguments,
		int64_t limit_ms, struct error *err)
{
	const struct allocation *allocation = queue->allocation;
	cleanup_free char *name = name_of(queue);
	const struct placeholder known[] = {
		{"{wrapper}", allocation->wrapper},
		{"{log}", allocation->log},
		{"{journal}", queue->state->skip_cobalt_log ? "/dev/null" : allocation->journal},
		{"{name}", name},
		{"{account}", queue->state->account.name},
		{"{number}", allocation->number},
		{NULL, NULL},
	};
	struct words words = {.count = 0};
	queue->last_start = io_now_ms();
	int result = -1;
	if (name == NULL || !command_compose(&words, template, known, arguments))
		error_set(err, ERROR_SYSTEM, "out of memory");
	else
		result = command_start(&queue->command, &queue->site, &words, limit_ms, err);
	words_free(&words);
	return result;
}

/* Runs a command to its end, or to the limit. -1 where it could not be started. */
static int run(struct queue *queue, const char *const *template, const struct words *arguments,
	       int64_t limit_ms, struct error *err)
{
	bool late = queue->cancelled;
	if (queue_start(queue, template, arguments, limit_ms, err) != 0)
		return -1;
	struct command *command = &queue->command;
	while (!command_step(command)) {
		int64_t left = command->deadline - io_now_ms();
		/* One that cannot be killed is left to itself. */
		if (left < -GONE_PAUSE_MS) {
			command_abort(command);
			command->result.status = SIGKILL;
			break;
		}
		queue_wait(queue, left > 0 ? left : GONE_PAUSE_MS, false);
		if (queue->cancelled && !late && left > LATE_MOST_MS)
			command->deadline = io_now_ms() + LATE_MOST_MS;
		late = queue->cancelled;
	}
	return 0;
}

void queue_explain(const struct command *command, char *text, size_t size)
{
	int status = command->result.status;
	const char *line = scheduler_last_words(&command->result);
	if (!command->in_time)
		snprintf(text, size, "it has not answered in time");
	else if (line[0] != '\0')
		snprintf(text, size, "%.*s", (int)strcspn(line, "\n"), line);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "it was ended by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "it ended with code %d and no answer that is understood",
			 WEXITSTATUS(status));
	text_make_printable(text);
}

/* 1 where the job is in the queue, with its number; 0 where it is not; -1: nobody knows. */
static int find_lost(struct queue *queue, int64_t limit_ms, struct error *err)
{
	const struct scheduler *scheduler = queue->scheduler;
	struct allocation *allocation = queue->allocation;
	cleanup_free char *name = name_of(queue);
	const struct batch_marks marks = {.wrapper = allocation->wrapper, .name = name};
	char why[256];
	if (name == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (run(queue, scheduler->list, NULL, limit_ms, err) != 0)
		return -1;
	if (queue->command.in_time && scheduler->none != NULL &&
	    strstr(queue->command.result.errors, scheduler->none) != NULL)
		return 0;
	if (queue->command.result.status != 0) {
		queue_explain(&queue->command, why, sizeof(why));
		return error_set(err, ERROR_SYSTEM, "%s does not tell which jobs there are: %s",
				 scheduler->list[0], why);
	}
	if (scheduler->read_list(queue->command.result.output, &marks, allocation->number))
		return 1;
	if (!queue->command.result.cut)
		return 0;
	return error_set(err, ERROR_SYSTEM, "%s tells of too many jobs", scheduler->list[0]);
}

/*
 * The answer alone may have been lost: then the job is in the queue, or its node has told of it. 1
 * where there is one, 0 where there is none; -1: nobody knows.
 */
static int find_submitted(struct queue *queue, int64_t patience_ms)
{
	struct error ignored;
	int64_t until = io_now_ms() + patience_ms;
	int found = find_lost(queue, LATE_MOST_MS, &ignored);
	while (found == 0 && !allocation_has_started(queue->allocation)) {
		if (queue->cancelled || io_now_ms() >= until)
			return 0;
		queue_wait(queue, GONE_PAUSE_MS, false);
	}
	/* One that came into the queue meanwhile has a number there. */
	if (found == 0 && find_lost(queue, LATE_MOST_MS, &ignored) != 1)
		queue->allocation->number[0] = '\0';
	return found == 0 ? 1 : found;
}

int queue_submit(struct queue *queue, const struct words *arguments, enum submit_fault *fault,
		 struct error *err)
{
	const struct scheduler *scheduler = queue->scheduler;
	struct allocation *allocation = queue->allocation;
	const struct command_result *result = &queue->command.result;
	char why[512];
	*fault = SUBMIT_NOT_ASKED;
	if (run(queue, scheduler->submit, arguments, SUBMIT_MOST_MS, err) != 0)
		return -1;
	if (result->status == 0 && scheduler->read_number(result->output, allocation->number))
		return 0;
	bool refused = queue->command.in_time && scheduler_is_refusal(scheduler, result);
	queue_explain(&queue->command, why, sizeof(why));
	error_set(err, ERROR_SYSTEM, "the job was not submitted: %s: %s", scheduler->submit[0],
		  why);
	int found = find_submitted(queue, refused ? 0 : SIGN_MOST_MS);
	*fault = refused && found == 0 ? SUBMIT_REFUSED : SUBMIT_UNCLEAR;
	return found == 1 ? 0 : -1;
}

const char *const *queue_ask(const struct queue *queue)
{
	const struct scheduler *scheduler = queue->scheduler;
	return queue->ask_form == 0 ? scheduler->ask
				    : scheduler->ask_otherwise[queue->ask_form - 1];
}

bool queue_change_form(struct queue *queue)
{
	const struct scheduler *scheduler = queue->scheduler;
	if (scheduler->is_unfit == NULL || scheduler->ask_otherwise[queue->ask_form] == NULL ||
	    !queue->command.in_time || !scheduler->is_unfit(&queue->command.result))
		return false;
	queue->ask_form++;
	return true;
}

/* True where the scheduler says that the job has ended. */
static bool is_gone(struct queue *queue, int64_t deadline, struct error *err)
{
	struct batch_answer answer;
	char why[256];
	do {
		if (run(queue, queue_ask(queue), NULL, deadline - io_now_ms(), err) != 0)
			return false;
	} while (queue_change_form(queue));
	if (!queue->command.in_time ||
	    !queue->scheduler->read_answer(&queue->command.result, &answer)) {
		queue_explain(&queue->command, why, sizeof(why));
		error_set(err, ERROR_SYSTEM, "%s", why);
		return false;
	}
	error_set(err, ERROR_SYSTEM, "it is still %s", answer.name);
	return answer.meaning >= BATCH_ENDED;
}

/* Cancels the job; 1 where there is none, -1 where the scheduler did not take it. */
static int tell_to_end(struct queue *queue, int64_t deadline, struct error *err)
{
	char why[256];
	if (queue->allocation->number[0] == '\0') {
		/* Twice: a submit that was on its way may have come to its end meanwhile. */
		int found = find_lost(queue, deadline - io_now_ms(), err);
		if (found == 0) {
			queue_wait(queue, GONE_PAUSE_MS, false);
			found = find_lost(queue, deadline - io_now_ms(), err);
		}
		if (found <= 0)
			return found == 0 ? 1 : -1;
	}
	if (run(queue, queue->scheduler->cancel, NULL, deadline - io_now_ms(), err) != 0)
		return -1;
	if (queue->command.in_time && queue->command.result.status == 0)
		return 0;
	queue_explain(&queue->command, why, sizeof(why));
	return error_set(err, ERROR_SYSTEM, "%s", why);
}

static void pause_for(struct queue *queue, int64_t pause_ms)
{
	int64_t until = io_now_ms() + pause_ms;
	for (int64_t left; (left = until - io_now_ms()) > 0;)
		queue_wait(queue, left, false);
}

int64_t queue_patience(const struct queue *queue)
{
	return queue->state->kill_timeout_ms / 4 * 3;
}

int queue_withdraw(struct queue *queue, int64_t limit_ms, struct error *err)
{
	struct error why = {.detail = ""};
	int64_t deadline = io_now_ms() + limit_ms;
	int64_t left;
	bool told = false;
	command_abort(&queue->command);
	do {
		if (!told) {
			int result = tell_to_end(queue, deadline, &why);
			if (result == 1)
				return 0;
			told = result == 0;
			pause_for(queue, GONE_PAUSE_MS);
		}
		/* Also where it was not taken: who has ended already cannot be told to. */
		if (queue->allocation->number[0] != '\0' && io_now_ms() < deadline &&
		    is_gone(queue, deadline, &why))
			return 0;
		/* Where time is short, so is the pause. */
		int64_t pause = queue->state->command_delay_ms;
		left = deadline - io_now_ms();
		if (pause > left / 4)
			pause = left / 4;
		pause_for(queue, pause > GONE_PAUSE_MS ? pause : GONE_PAUSE_MS);
		left = deadline - io_now_ms();
	} while (left > 0);
	return error_set(err, ERROR_SYSTEM, "%s job %s may still be in the queue: %s",
			 queue->scheduler->name,
			 queue->allocation->number[0] != '\0' ? queue->allocation->number
							      : "without a known number",
			 why.detail);
}
