#include "core/executor/job_status.h"

#include <stdio.h>
#include <string.h>

#include "core/lib/io.h"

/* The time from the submission to the first query of the state, and from each query to the next. */
#define FIRST_ASK_MS 5000
#define NEXT_ASK_MS  60000

/* The time between two urgent queries. */
#define URGENT_MS 500

/* How long an answer may take. */
#define ANSWER_LIMIT_MS 60000

/* The state of a job that waits is reported again after this time. */
#define REPORT_AGAIN_MS 300000

/* A reason that no waiting ends counts if it is still there after this time: it may be of a moment.
 */
#define CONFIRM_MS 5000

void job_status_init(struct job_status *status, struct scheduler_client *client)
{
	*status = (struct job_status){
		.client = client,
		.asked_at = -1,
		.next_ask = io_now_ms() + FIRST_ASK_MS,
		.waits_since = -1,
		.hopeless_at = -1,
	};
}

/* "PENDING (Resources)" */
struct description {
	char text[256];
};
static struct description describe(const struct batch_answer *answer)
{
	struct description words;
	bool reason = answer->reason[0] != '\0';
	snprintf(words.text, sizeof(words.text), "%s%s%s%s", answer->name, reason ? " (" : "",
		 answer->reason, reason ? ")" : "");
	return words;
}

static bool is_waiting(const struct batch_answer *answer)
{
	return answer->meaning == BATCH_WAITING || answer->meaning == BATCH_HOPELESS;
}

static void report_answer(struct job_status *status)
{
	const struct batch_answer *answer = &status->answer;
	status->reported_at = io_now_ms();
	batch_report(status->client, "%s: %s%s%s", batch_title(status->client).text,
		     describe(answer).text,
		     answer->expected[0] != '\0' ? ", expected to start " : "", answer->expected);
}

static void take_answer(struct job_status *status, const struct batch_answer *answer)
{
	bool is_news = strcmp(status->answer.name, answer->name) != 0 ||
		       strcmp(status->answer.reason, answer->reason) != 0 ||
		       (is_waiting(answer) && io_now_ms() - status->reported_at >= REPORT_AGAIN_MS);
	/* This would interrupt the job's output only to report that the job runs. */
	if (status->report == REPORT_ALL_BUT_START && answer->meaning == BATCH_RUNNING &&
	    status->answer.meaning != BATCH_RUNNING)
		is_news = false;
	if (status->outage_reported && status->report != REPORT_NOTHING)
		batch_report(status->client, "%s answers again", status->client->scheduler->name);
	status->outage_reported = false;
	status->answer = *answer;
	status->asked_at = status->client->last_start;
	if (is_news && status->report != REPORT_NOTHING && answer->name[0] != '\0')
		report_answer(status);
}

static void report_outage(struct job_status *status, const char *why)
{
	if (status->outage_reported || status->report == REPORT_NOTHING)
		return;
	status->outage_reported = true;
	batch_report(status->client,
		     "%s does not report the state of the job: %s; it will be asked again",
		     status->client->scheduler->name, why);
}

/* A history without an answer is no outage: many sites keep none. */
static bool read_answer(struct job_status *status)
{
	const struct scheduler *scheduler = status->client->scheduler;
	const struct command_result *result = &status->client->result;
	struct batch_answer answer = {.name = ""};
	bool of_history = status->history == HISTORY_BEING_ASKED;
	if (of_history) {
		status->history = HISTORY_ASKED;
	} else if (scheduler_client_change_form(status->client)) {
		status->next_ask = io_now_ms();
		return false;
	}
	bool is_answer = status->client->process.in_time;
	if (is_answer && of_history)
		is_answer = result->status == 0 && scheduler->read_history(result->output, &answer);
	else if (is_answer)
		is_answer = scheduler_read_answer(scheduler, result, &answer);
	if (is_answer)
		take_answer(status, &answer);
	else if (!of_history)
		report_outage(status, scheduler_client_failure(status->client).text);
	return is_answer || of_history;
}

bool job_status_is_open(const struct job_status *status)
{
	return status->answer.meaning == BATCH_FORGOTTEN &&
	       status->client->scheduler->ask_history != NULL && status->history != HISTORY_ASKED;
}

/* Asks the history once for a job that the scheduler has forgotten, otherwise the scheduler. */
static bool ask(struct job_status *status)
{
	struct scheduler_client *client = status->client;
	struct error err;
	bool of_history = job_status_is_open(status);
	status->next_ask = io_now_ms() + NEXT_ASK_MS;
	if (scheduler_client_start(client,
				   of_history ? client->scheduler->ask_history
					      : scheduler_client_ask(client),
				   NULL, ANSWER_LIMIT_MS, &err) == 0) {
		status->history = of_history ? HISTORY_BEING_ASKED : status->history;
		return false;
	}
	if (of_history)
		status->history = HISTORY_ASKED;
	else
		report_outage(status, err.detail);
	return of_history;
}

/* Since when the answer is urgent that ends the waiting; -1: it is not. */
static int64_t pending_urgent_from(const struct job_status *status)
{
	int64_t most_ms = status->client->state->settings.batch.max_pending_ms;
	int64_t limit = status->waits_since + most_ms;
	if (status->waits_since >= 0 && most_ms > 0 && io_now_ms() >= limit &&
	    status->asked_at < limit)
		return limit;
	return status->hopeless_at >= 0 ? status->hopeless_at + CONFIRM_MS : -1;
}

bool job_status_step(struct job_status *status, enum job_status_report report, int64_t urgent_from)
{
	struct scheduler_client *client = status->client;
	status->report = report;
	if (client->process.child > 0)
		return scheduler_client_step(client) && read_answer(status);
	if (urgent_from < 0)
		urgent_from = pending_urgent_from(status);
	int64_t due = status->next_ask;
	int64_t earliest = scheduler_client_next_start(client);
	if (urgent_from >= 0)
		due = client->last_start + URGENT_MS > urgent_from ? client->last_start + URGENT_MS
								   : urgent_from;
	/* Without a number, the scheduler would be asked about all jobs. */
	if (client->files->number[0] == '\0' || io_now_ms() < (due > earliest ? due : earliest))
		return false;
	return ask(status);
}

static bool is_hopeless(struct job_status *status)
{
	const struct batch_answer *answer = &status->answer;
	if (answer->meaning != BATCH_HOPELESS) {
		status->hopeless_at = -1;
		return false;
	}
	if (status->hopeless_at < 0)
		status->hopeless_at = status->asked_at;
	if (status->asked_at < status->hopeless_at + CONFIRM_MS)
		return false;
	snprintf(status->pending_why, sizeof(status->pending_why), "it can never start (%s): %s",
		 answer->reason[0] != '\0' ? answer->reason : answer->name, answer->why);
	return true;
}

static bool is_too_long(struct job_status *status)
{
	const struct batch_answer *answer = &status->answer;
	int64_t most_ms = status->client->state->settings.batch.max_pending_ms;
	if (most_ms == 0 || !is_waiting(answer) || status->asked_at < status->waits_since + most_ms)
		return false;
	snprintf(status->pending_why, sizeof(status->pending_why),
		 "it has waited for %lld s in the queue, the limit of this site "
		 "(batch.max_pending); its last state was %s",
		 (long long)(most_ms / 1000), describe(answer).text);
	return true;
}

bool job_status_ends_waiting(struct job_status *status, bool waits)
{
	if (!waits) {
		status->waits_since = status->hopeless_at = -1;
		return false;
	}
	if (status->waits_since < 0)
		status->waits_since = io_now_ms();
	return is_hopeless(status) || is_too_long(status);
}
