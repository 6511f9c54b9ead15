#include "core/executor/inquiry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/io.h"

/* How long after the submit the scheduler is asked first, how long after that, and so on. */
static const int64_t PLAN_MS[] = {5000, 60000};
#define PLAN_STEPS (sizeof(PLAN_MS) / sizeof(PLAN_MS[0]))

/* Between two urgent questions. */
#define URGENT_MS 500

/* How long an answer may take. */
#define ANSWER_MOST_MS 60000

/* A job that waits says so again. */
#define TELL_AGAIN_MS 300000

void batch_say(const struct batch_voice *voice, const char *format, ...)
{
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	voice->say(voice->context, line);
}

void inquiry_init(struct inquiry *inquiry, struct queue *queue, const struct batch_voice *voice)
{
	*inquiry = (struct inquiry){
		.voice = voice,
		.queue = queue,
		.asked_at = -1,
		.planned = io_now_ms() + PLAN_MS[0],
	};
}

static void tell(struct inquiry *inquiry)
{
	const struct batch_answer *answer = &inquiry->answer;
	bool reason = answer->reason[0] != '\0';
	inquiry->told_at = io_now_ms();
	batch_say(inquiry->voice, "%s job %s: %s%s%s%s%s%s", inquiry->queue->scheduler->name,
		  inquiry->queue->allocation->number, answer->name, reason ? " (" : "",
		  answer->reason, reason ? ")" : "",
		  answer->expected[0] != '\0' ? ", expected to start " : "", answer->expected);
}

static void take_answer(struct inquiry *inquiry, const struct batch_answer *answer)
{
	bool news = strcmp(inquiry->answer.name, answer->name) != 0 ||
		    strcmp(inquiry->answer.reason, answer->reason) != 0 ||
		    (answer->meaning == BATCH_WAITING &&
		     io_now_ms() - inquiry->told_at >= TELL_AGAIN_MS);
	/* What the job prints is not to be broken by what is known. */
	if (answer->meaning == BATCH_RUNNING && inquiry->answer.meaning != BATCH_RUNNING &&
	    inquiry->started)
		news = false;
	inquiry->started = inquiry->started && answer->meaning != BATCH_WAITING;
	if (inquiry->silent && !inquiry->casual)
		batch_say(inquiry->voice, "%s answers again", inquiry->queue->scheduler->name);
	inquiry->silent = false;
	inquiry->answer = *answer;
	inquiry->asked_at = inquiry->queue->last_start;
	if (news && !inquiry->casual && answer->name[0] != '\0')
		tell(inquiry);
}

static void miss_answer(struct inquiry *inquiry, const char *why)
{
	/* Who keeps no history has said all that is to be had. */
	if (inquiry->silent || inquiry->asks_history || inquiry->casual)
		return;
	inquiry->silent = true;
	batch_say(inquiry->voice, "%s does not tell how the job is: %s; it is asked again later",
		  inquiry->queue->scheduler->name, why);
}

static void read_answer(struct inquiry *inquiry)
{
	const struct scheduler *scheduler = inquiry->queue->scheduler;
	const struct command *command = &inquiry->queue->command;
	const struct command_result *result = &command->result;
	struct batch_answer answer;
	char why[256];
	if (!inquiry->asks_history && queue_change_form(inquiry->queue)) {
		inquiry->planned = io_now_ms();
		return;
	}
	bool read = command->in_time;
	if (read && inquiry->asks_history)
		read = result->status == 0 && scheduler->read_history(result->output, &answer);
	else if (read)
		read = scheduler->read_answer(result, &answer);
	if (read) {
		take_answer(inquiry, &answer);
		return;
	}
	queue_explain(command, why, sizeof(why));
	miss_answer(inquiry, why);
}

bool inquiry_is_open(const struct inquiry *inquiry)
{
	if (inquiry->answer.meaning != BATCH_FORGOTTEN ||
	    inquiry->queue->scheduler->ask_history == NULL)
		return false;
	return !inquiry->history_is_out ||
	       (inquiry->asks_history && inquiry->queue->command.child > 0);
}

static void start(struct inquiry *inquiry)
{
	const struct scheduler *scheduler = inquiry->queue->scheduler;
	struct error err;
	inquiry->steps++;
	size_t step = inquiry->steps < PLAN_STEPS ? inquiry->steps : PLAN_STEPS - 1;
	inquiry->planned = io_now_ms() + PLAN_MS[step];
	/* What the scheduler has forgotten, somebody else may remember. */
	inquiry->asks_history = inquiry->answer.meaning == BATCH_FORGOTTEN &&
				scheduler->ask_history != NULL && !inquiry->history_is_out;
	inquiry->history_is_out = inquiry->history_is_out || inquiry->asks_history;
	const char *const *template =
		inquiry->asks_history ? scheduler->ask_history : queue_ask(inquiry->queue);
	if (queue_start(inquiry->queue, template, NULL, ANSWER_MOST_MS, &err) != 0)
		miss_answer(inquiry, err.detail);
}

void inquiry_step(struct inquiry *inquiry, int64_t urgent_from)
{
	struct queue *queue = inquiry->queue;
	if (queue->command.child > 0) {
		if (command_step(&queue->command))
			read_answer(inquiry);
		return;
	}
	int64_t due = inquiry->planned;
	int64_t floor = queue_next_start(queue);
	if (urgent_from >= 0)
		due = queue->last_start + URGENT_MS > urgent_from ? queue->last_start + URGENT_MS
								  : urgent_from;
	/* Without a number, all jobs would be asked about. */
	if (queue->allocation->number[0] == '\0')
		return;
	if (io_now_ms() >= (due > floor ? due : floor))
		start(inquiry);
}
