#include "core/executor/scheduler_client.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/executor/scheduler_command.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/protocol/environment.h"

/* A submit that takes longer is reported. */
#define SLOW_SUBMIT_MS 10000

/* The pause before the scheduler is asked again. */
#define PAUSE_MS 200

int scheduler_client_open(struct scheduler_client *client, const struct channel_header *header,
			  const struct channel_reader *channel, struct batch_reporter reporter,
			  struct error *err)
{
	*client = (struct scheduler_client){
		.scheduler = scheduler_of(header->state.settings.general.executor),
		.header = header,
		.state = &header->state,
		.reporter = reporter,
		.channel = channel->fd,
		.cancelled = channel_was_ended(channel),
		.last_start = INT64_MIN / 2,
	};
	snprintf(client->name, sizeof(client->name), "ci-%llu",
		 (unsigned long long)header->state.job_id);
	client->signals = signals_open(err);
	if (client->signals < 0)
		return -1;
	client->environment = scheduler_command_environment(header->environment,
							    &header->state.settings.batch.env_vars);
	return client->environment != NULL ? 0 : error_set(err, ERROR_SYSTEM, "out of memory");
}

void scheduler_client_close(struct scheduler_client *client)
{
	subprocess_abort(&client->process);
	json_decref(client->environment);
	if (client->signals >= 0)
		close(client->signals);
}

void batch_report(const struct scheduler_client *client, const char *format, ...)
{
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	client->reporter.report(client->reporter.context, line);
}

struct batch_title batch_title(const struct scheduler_client *client)
{
	struct batch_title title;
	const char *number = client->files->number;
	snprintf(title.text, sizeof(title.text), "%s job %s", client->scheduler->name,
		 number[0] != '\0' ? number : "of unknown number");
	return title;
}

void scheduler_client_wait(struct scheduler_client *client, int64_t timeout_ms, bool for_output)
{
	struct pollfd sources[] = {
		{.fd = client->signals, .events = POLLIN},
		/* A channel that has ended stays readable. */
		{.fd = client->cancelled ? -1 : client->channel, .events = POLLIN},
		{.fd = for_output ? STDOUT_FILENO : -1, .events = POLLOUT},
		{.fd = -1},
		{.fd = -1},
	};
	subprocess_poll(&client->process, &sources[3]);
	if (poll(sources, sizeof(sources) / sizeof(sources[0]),
		 timeout_ms > 0 ? (int)timeout_ms : 0) < 0)
		return;
	if (signals_read(client->signals).end || sources[1].revents != 0)
		client->cancelled = true;
}

int64_t scheduler_client_next_start(const struct scheduler_client *client)
{
	return client->last_start + client->state->settings.batch.command_delay_ms;
}

struct launch {
	struct scheduler_client *client;
	struct string_list *words;
};

static pid_t spawn(const void *argument, int output, int errors, struct error *err)
{
	const struct launch *launch = argument;
	const json_t *environment = launch->client->environment;
	cleanup_free char **variables = environment_vector(environment);
	cleanup_free char *path = scheduler_command_find(
		launch->words->items[0], launch->client->state->settings.batch.scheduler_bin,
		environment, err);
	if (path == NULL)
		return -1;
	if (variables == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open /dev/null");
	const struct subprocess_program program = {
		.path = path,
		.arguments = launch->words->items,
		.environment = variables,
		.input = null,
		.output = output,
		.errors = errors,
		.other = -1,
	};
	return subprocess_spawn(&program, err);
}

int scheduler_client_start(struct scheduler_client *client, const char *const *template,
			   const struct string_list *arguments, int64_t limit_ms, struct error *err)
{
	const struct batch_files *files = client->files;
	struct command_result *result = &client->result;
	char cluster[BATCH_CLUSTER_SIZE + 16];
	bool no_journal = files->silent || client->state->settings.batch.skip_cobalt_log;
	cleanup_free char *log = text_format("%s.log", files->here);
	cleanup_free char *journal = text_format("%s.journal", files->here);
	const struct placeholder known[] = {
		{"{wrapper}", files->wrapper},
		{"{log}", files->silent ? "/dev/null" : log},
		{"{journal}", no_journal ? "/dev/null" : journal},
		{"{name}", client->name},
		{"{account}", client->state->account.name},
		{"{number}", files->number},
		{"{cluster}", cluster},
		{NULL, NULL},
	};
	struct string_list words = {.count = 0};
	int started = -1;
	snprintf(cluster, sizeof(cluster), "%s%s", files->cluster[0] != '\0' ? "--clusters=" : "",
		 files->cluster);
	client->last_start = io_now_ms();
	memset(result, 0, sizeof(*result));
	client->process = (struct subprocess){
		.output = {.text = result->output, .room = sizeof(result->output) - 1},
		.errors = {.text = result->errors,
			   .room = sizeof(result->errors) - 1,
			   .keeps_end = true},
	};
	if (log == NULL || journal == NULL ||
	    !scheduler_command_compose(&words, template, known, arguments))
		error_set(err, ERROR_SYSTEM, "out of memory");
	else
		started = subprocess_start(&client->process, limit_ms, spawn,
					   &(struct launch){client, &words}, err);
	string_list_free(&words);
	return started;
}

bool scheduler_client_step(struct scheduler_client *client)
{
	const struct subprocess *process = &client->process;
	if (!subprocess_step(&client->process))
		return false;
	client->result.status = process->status;
	client->result.cut = process->output.was_cut;
	client->result.errors_cut = process->errors.was_cut;
	return true;
}

void scheduler_client_report_delay(struct scheduler_client *client, const char *words)
{
	int64_t left = client->submit_until - io_now_ms();
	if (!client->delay_reported)
		batch_report(client, "%s; jacamar keeps trying for up to %lld s", words,
			     (long long)((left + 999) / 1000));
	client->delay_reported = true;
}

/*
 * Reports a slow submission, with what the command has printed so far: some commands retry by
 * themselves and print that. Returns the time until the next report.
 */
static int64_t report_slow(struct scheduler_client *client, const char *const *template,
			   int64_t pause_ms)
{
	char words[768];
	const char *said = scheduler_last_words(&client->result);
	int64_t left = client->last_start + SLOW_SUBMIT_MS - io_now_ms();
	if (template != client->scheduler->submit || client->delay_reported)
		return pause_ms;
	if (left > 0)
		return left < pause_ms ? left : pause_ms;
	snprintf(words, sizeof(words), "%s has not submitted the job yet%s%.*s", template[0],
		 said[0] != '\0' ? ": " : "", (int)strcspn(said, "\n"), said);
	text_make_printable(words);
	scheduler_client_report_delay(client, words);
	return pause_ms;
}

int scheduler_client_run(struct scheduler_client *client, const char *const *template,
			 const struct string_list *arguments, int64_t limit_ms, struct error *err)
{
	bool late = client->cancelled;
	if (scheduler_client_start(client, template, arguments, limit_ms, err) != 0)
		return -1;
	while (!scheduler_client_step(client)) {
		int64_t left = client->process.deadline - io_now_ms();
		/* A command that cannot be killed is not waited for. */
		if (left < -PAUSE_MS) {
			subprocess_abort(&client->process);
			client->result.status = SIGKILL;
			break;
		}
		scheduler_client_wait(
			client, report_slow(client, template, left > 0 ? left : PAUSE_MS), false);
		if (client->cancelled && !late && left > SCHEDULER_SHORT_LIMIT_MS)
			client->process.deadline = io_now_ms() + SCHEDULER_SHORT_LIMIT_MS;
		late = client->cancelled;
	}
	return 0;
}

struct scheduler_failure scheduler_client_failure(const struct scheduler_client *client)
{
	struct scheduler_failure why;
	int status = client->result.status;
	const char *line = scheduler_last_words(&client->result);
	bool in_time = client->process.in_time;
	if (line[0] != '\0')
		snprintf(why.text, sizeof(why.text), "%s%.*s",
			 in_time ? "" : "no answer within the time limit, but: ",
			 (int)strcspn(line, "\n"), line);
	else if (!in_time)
		snprintf(why.text, sizeof(why.text), "no answer within the time limit");
	else if (WIFSIGNALED(status))
		snprintf(why.text, sizeof(why.text), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(why.text, sizeof(why.text),
			 "exit code %d, and no output that jacamar understands",
			 WEXITSTATUS(status));
	text_make_printable(why.text);
	return why;
}

int scheduler_client_search(struct scheduler_client *client, int64_t limit_ms, struct error *err)
{
	const struct scheduler *scheduler = client->scheduler;
	struct batch_files *files = client->files;
	const char *mark = scheduler->listed_by_wrapper ? files->wrapper : client->name;
	if (scheduler_client_run(client, scheduler->list, NULL, limit_ms, err) != 0)
		return -1;
	if (client->process.in_time && scheduler->none != NULL &&
	    strstr(client->result.errors, scheduler->none) != NULL)
		return 0;
	if (client->result.status != 0)
		return error_set(err, ERROR_SYSTEM, "%s does not list the jobs of the account: %s",
				 scheduler->list[0], scheduler_client_failure(client).text);
	if (scheduler->read_list(client->result.output, mark, files->number))
		return 1;
	if (!client->result.cut)
		return 0;
	return error_set(err, ERROR_SYSTEM, "%s lists too many jobs", scheduler->list[0]);
}

const char *const *scheduler_client_ask(const struct scheduler_client *client)
{
	const struct scheduler *scheduler = client->scheduler;
	return client->ask_form == 0 ? scheduler->ask
				     : scheduler->ask_otherwise[client->ask_form - 1];
}

bool scheduler_client_change_form(struct scheduler_client *client)
{
	const struct scheduler *scheduler = client->scheduler;
	if (scheduler->is_unfit == NULL || scheduler->ask_otherwise[client->ask_form] == NULL ||
	    !client->process.in_time || !scheduler->is_unfit(&client->result))
		return false;
	client->ask_form++;
	return true;
}

bool scheduler_client_is_gone(struct scheduler_client *client, int64_t deadline, struct error *err)
{
	struct batch_answer answer;
	do {
		if (scheduler_client_run(client, scheduler_client_ask(client), NULL,
					 deadline - io_now_ms(), err) != 0)
			return false;
	} while (scheduler_client_change_form(client));
	if (!client->process.in_time ||
	    !scheduler_read_answer(client->scheduler, &client->result, &answer)) {
		error_set(err, ERROR_SYSTEM, "%s", scheduler_client_failure(client).text);
		return false;
	}
	error_set(err, ERROR_SYSTEM, "it is still %s", answer.name);
	return answer.meaning >= BATCH_ENDED;
}

/* Cancels the job: 0, 1 if there is no job, -1 if the scheduler did not accept it. */
static int cancel(struct scheduler_client *client, int64_t deadline, struct error *err)
{
	if (client->files->number[0] == '\0') {
		/* Twice: a submit may still have been under way. */
		int found = scheduler_client_search(client, deadline - io_now_ms(), err);
		if (found == 0) {
			scheduler_client_wait(client, PAUSE_MS, false);
			found = scheduler_client_search(client, deadline - io_now_ms(), err);
		}
		if (found <= 0)
			return found == 0 ? 1 : -1;
	}
	if (scheduler_client_run(client, client->scheduler->cancel, NULL, deadline - io_now_ms(),
				 err) != 0)
		return -1;
	if (client->process.in_time && client->result.status == 0)
		return 0;
	return error_set(err, ERROR_SYSTEM, "%s", scheduler_client_failure(client).text);
}

void scheduler_client_pause(struct scheduler_client *client, int64_t pause_ms)
{
	int64_t until = io_now_ms() + pause_ms;
	for (int64_t left; (left = until - io_now_ms()) > 0;)
		scheduler_client_wait(client, left, false);
}

int64_t scheduler_client_patience(const struct scheduler_client *client)
{
	return client->state->settings.general.kill_timeout_ms / 4 * 3;
}

int scheduler_client_withdraw(struct scheduler_client *client, int64_t limit_ms, struct error *err)
{
	struct error why = {.detail = ""};
	int64_t start = io_now_ms();
	int64_t deadline = start + limit_ms;
	int64_t cancel_at = start;
	int64_t left;
	subprocess_abort(&client->process);
	do {
		if (io_now_ms() >= cancel_at) {
			int result = cancel(client, deadline, &why);
			if (result == 1)
				return 0;
			/*
			 * A scheduler that restarts can lose a cancel that it has accepted. It gets
			 * a second one when the job has had time to end.
			 */
			if (cancel_at > start)
				cancel_at = deadline;
			else if (result == 0)
				cancel_at = start + limit_ms / 2;
			scheduler_client_pause(client, PAUSE_MS);
		}
		/* Also after a failure: a job that has ended cannot be cancelled. */
		if (client->files->number[0] != '\0' && io_now_ms() < deadline &&
		    scheduler_client_is_gone(client, deadline, &why))
			return 0;
		/* At least three more questions in the time that is left. */
		int64_t pause = client->state->settings.batch.command_delay_ms;
		left = deadline - io_now_ms();
		if (pause > left / 4)
			pause = left / 4;
		scheduler_client_pause(client, pause > PAUSE_MS ? pause : PAUSE_MS);
		left = deadline - io_now_ms();
	} while (left > 0);
	return error_set(err, ERROR_SYSTEM, "%s may still be in the queue: %s",
			 batch_title(client).text, why.detail);
}
