#include "core/executor/nested_jobs.h"

#include <stdio.h>
#include <string.h>

#include "core/executor/scheduler.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

/* Each pass finds what the jobs of the one before have submitted before they ended. */
#define PASSES 3

/* Not the cookie: every user of the cluster may see it. */
#define MARK "jacamar-ci:%s"

char *nested_jobs_mark(const struct state *state)
{
	const struct scheduler *scheduler = scheduler_of(state->settings.general.executor);
	if (scheduler == NULL || scheduler->mark == NULL)
		return strdup("");
	return text_format("builtin export JACAMAR_BATCH_MARK=" MARK "\n%s", state->reference,
			   scheduler->mark);
}

/* Adds the numbers of the lines "NUMBER MARK"; false without memory. */
static bool collect(const char *lines, const char *mark, struct string_list *numbers)
{
	size_t length = strlen(mark);
	for (const char *line = lines; *line != '\0'; line = scheduler_next_line(line)) {
		char number[BATCH_NUMBER_SIZE];
		const char *second = line + strspn(line, TEXT_DIGIT) + 1;
		if (scheduler_take_number(line, TEXT_DIGIT, " ", number) &&
		    strncmp(second, mark, length) == 0 && second[length] == '\n' &&
		    !string_list_add(numbers, number))
			return false;
	}
	return true;
}

static void report(const struct scheduler_client *client, const struct string_list *numbers)
{
	char names[512] = "";
	size_t used = 0;
	for (size_t i = 0; i < numbers->count && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
					 i > 0 ? ", " : "", numbers->items[i]);
	batch_report(client, "cancelled batch jobs that the script had submitted itself: %s",
		     names);
}

/* One pass: how many were cancelled; -1 with *err. */
static int end_once(struct scheduler_client *client, int64_t limit_ms, struct error *err)
{
	const struct scheduler *scheduler = client->scheduler;
	char mark[STATE_REFERENCE_SIZE + 16];
	struct string_list numbers = {.count = 0};
	snprintf(mark, sizeof(mark), MARK, client->state->reference);
	int result = scheduler_client_run(client, scheduler->list_marked, NULL, limit_ms, err);
	if (result == 0 && client->process.in_time && scheduler->none != NULL &&
	    strstr(client->result.errors, scheduler->none) != NULL)
		return 0;
	if (result == 0 && (!client->process.in_time || client->result.status != 0 ||
			    !collect(client->result.output, mark, &numbers)))
		result = error_set(err, ERROR_SYSTEM, "%s", scheduler_client_failure(client).text);
	if (result == 0 && numbers.count > 0) {
		result = scheduler_client_run(client, scheduler->cancel_marked, &numbers, limit_ms,
					      err);
		if (result == 0 && (!client->process.in_time || client->result.status != 0))
			result = error_set(err, ERROR_SYSTEM, "%s",
					   scheduler_client_failure(client).text);
		if (result == 0)
			report(client, &numbers);
	}
	result = result == 0 ? (int)numbers.count : -1;
	string_list_free(&numbers);
	return result;
}

void nested_jobs_end(struct scheduler_client *client, int64_t limit_ms)
{
	struct error err;
	int64_t deadline = io_now_ms() + limit_ms;
	int ended = client->scheduler->list_marked != NULL ? 1 : 0;
	for (int pass = 0; pass < PASSES && ended > 0 && io_now_ms() < deadline; pass++) {
		ended = end_once(client, deadline - io_now_ms(), &err);
		if (ended > 0)
			scheduler_client_pause(client, 1000);
	}
	if (ended < 0)
		batch_report(client,
			     "batch jobs that the script has submitted itself may be left: %s",
			     err.detail);
}
