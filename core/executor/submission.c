#include "core/executor/submission.h"

#include <string.h>

#include "core/executor/batch_files.h"
#include "core/lib/io.h"

/* The pause before the second attempt; it doubles up to the longest. */
#define FIRST_PAUSE_MS	 2000
#define LONGEST_PAUSE_MS 30000

/* How long to wait for the start file of a job that is not in the queue, and how often to look. */
#define START_LIMIT_MS 2000
#define LOOK_MS	       200

static bool is_over(const struct scheduler_client *client)
{
	return client->cancelled || io_now_ms() >= client->submit_until;
}

/*
 * After a submit without an answer there may be a job all the same: in the queue, or already on a
 * node, which has written its start file. 1 if there is one, 0 if not, -1 if that is unknown. The
 * start file is waited for `limit_ms`.
 */
static int find_submitted(struct scheduler_client *client, int64_t limit_ms)
{
	struct error ignored;
	int64_t until = io_now_ms() + limit_ms;
	int found = scheduler_client_search(client, SCHEDULER_SHORT_LIMIT_MS, &ignored);
	while (found == 0 && !batch_files_has(client->files, "start")) {
		if (client->cancelled || io_now_ms() >= until)
			return 0;
		scheduler_client_wait(client, LOOK_MS, false);
	}
	/* If the job has come into the queue meanwhile, its number is there. */
	if (found == 0 && scheduler_client_search(client, SCHEDULER_SHORT_LIMIT_MS, &ignored) != 1)
		client->files->number[0] = '\0';
	return found == 0 ? 1 : found;
}

/* Many commands begin their messages with their own name. */
static int refuse_submit(const struct scheduler_client *client, struct error *err)
{
	const char *command = client->scheduler->submit[0];
	const struct scheduler_failure why = scheduler_client_failure(client);
	bool is_named = strncmp(why.text, command, strlen(command)) == 0;
	return error_set(err, ERROR_SYSTEM, "the job was not submitted: %s%s%s",
			 is_named ? "" : command, is_named ? "" : ": ", why.text);
}

static int try_once(const struct submission *submission, enum submit_fault *fault,
		    struct error *err)
{
	struct scheduler_client *client = submission->client;
	const struct scheduler *scheduler = client->scheduler;
	const struct command_result *result = &client->result;
	int64_t limit = client->submit_until - io_now_ms();
	*fault = SUBMIT_NOT_ASKED;
	if (submission->write(submission->context, err) != 0 ||
	    scheduler_client_run(
		    client, scheduler->submit, submission->arguments,
		    limit > SCHEDULER_SHORT_LIMIT_MS ? limit : SCHEDULER_SHORT_LIMIT_MS, err) != 0)
		return -1;
	if (result->status == 0 && scheduler->read_number(result->output, client->files->number))
		return 0;
	bool refused = client->process.in_time && scheduler_is_refusal(scheduler, result);
	(void)refuse_submit(client, err);
	int found = find_submitted(client, refused ? 0 : START_LIMIT_MS);
	*fault = found != 0 ? SUBMIT_UNCLEAR : refused ? SUBMIT_REFUSED : SUBMIT_UNJUDGED;
	return found == 1 ? 0 : -1;
}

/*
 * Searches for the job after a pause, and until the scheduler lists the jobs of the account: 1 if
 * there is a job, 0 if not, -1 if the time was over before that was known.
 */
static int search(struct scheduler_client *client, int64_t pause_ms)
{
	int found = -1;
	while (found < 0 && !is_over(client)) {
		scheduler_client_pause(client, pause_ms);
		found = find_submitted(client, 0);
	}
	return found;
}

/*
 * Between two attempts: 0 if another one can be made, 1 if there is a job after all, -1 if the time
 * is over; or with *err, which otherwise keeps the words of the scheduler.
 */
static int give_up_attempt(struct scheduler_client *client, int64_t pause_ms, struct error *err)
{
	int found = search(client, pause_ms);
	if (found != 0 || is_over(client))
		return found != 0 ? found : -1;
	int taken = batch_files_give_up(client->files, err);
	if (taken == 0)
		return batch_files_begin_next(client->files, err);
	/* A job has come into the queue after the search. It is found by this attempt's wrapper. */
	if (taken > 0)
		(void)find_submitted(client, 0);
	return taken;
}

int submission_make(const struct submission *submission, enum submit_fault *fault,
		    struct error *err)
{
	struct scheduler_client *client = submission->client;
	int64_t pause = FIRST_PAUSE_MS;
	client->submit_until = io_now_ms() + client->state->settings.batch.submit_timeout_ms;
	client->delay_reported = false;
	int result = try_once(submission, fault, err);
	while (result != 0 && *fault != SUBMIT_REFUSED && *fault != SUBMIT_NOT_ASKED &&
	       !is_over(client)) {
		scheduler_client_report_delay(client, err->detail);
		int found = give_up_attempt(client, pause, err);
		if (found != 0)
			return found > 0 ? 0 : -1;
		result = try_once(submission, fault, err);
		pause = pause < LONGEST_PAUSE_MS / 2 ? pause * 2 : LONGEST_PAUSE_MS;
	}
	return result;
}
