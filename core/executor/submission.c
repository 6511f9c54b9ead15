#include "core/executor/submission.h"

#include <stdio.h>
#include <string.h>

#include "core/executor/batch_files.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

/* The pause before the second attempt; it doubles up to the longest. */
#define FIRST_PAUSE_MS	 2000
#define LONGEST_PAUSE_MS 30000

/* One submission while it is made. */
struct course {
	const struct submission *submission;
	int64_t deadline;
	bool reported;
};

static bool is_over(const struct course *course)
{
	return course->submission->client->cancelled || io_now_ms() >= course->deadline;
}

/* One line in the job's log for all attempts. */
static void report(struct course *course, const char *words)
{
	int64_t left = course->deadline - io_now_ms();
	if (course->reported)
		return;
	course->reported = true;
	batch_report(course->submission->client, "%s; jacamar keeps trying for up to %lld s", words,
		     (long long)((left + 999) / 1000));
}

/* What the command has printed so far: some retry by themselves, and say so. */
static void report_slow(const struct scheduler_client *client, void *context)
{
	char words[768];
	const char *command = client->scheduler->submit[0];
	const char *said = scheduler_last_words(&client->result);
	snprintf(words, sizeof(words), "%s has not submitted the job yet%s%.*s", command,
		 said[0] != '\0' ? ": " : "", (int)strcspn(said, "\n"), said);
	text_make_printable(words);
	report(context, words);
}

/*
 * Searches for the job after a pause, and until the scheduler lists the jobs of the account: 1 if
 * there is a job, 0 if not, -1 if the time was over before that was known.
 */
static int search(struct course *course, int64_t pause_ms)
{
	struct scheduler_client *client = course->submission->client;
	int found = -1;
	while (found < 0 && !is_over(course)) {
		scheduler_client_pause(client, pause_ms);
		found = scheduler_client_find_submitted(client, 0);
	}
	return found;
}

/*
 * Between two attempts: 0 if another one can be made, 1 if there is a job after all, -1 if the time
 * is over; or with *err, which otherwise keeps the words of the scheduler.
 */
static int give_up_attempt(struct course *course, int64_t pause_ms, struct error *err)
{
	struct scheduler_client *client = course->submission->client;
	int found = search(course, pause_ms);
	if (found != 0 || is_over(course))
		return found != 0 ? found : -1;
	int taken = batch_files_give_up(client->files, err);
	if (taken == 0)
		return batch_files_begin_next(client->files, err);
	/* A job has come into the queue after the search. It is found by this attempt's wrapper. */
	if (taken > 0)
		(void)scheduler_client_find_submitted(client, 0);
	return taken;
}

static int try_once(struct course *course, enum submit_fault *fault, struct error *err)
{
	const struct submission *submission = course->submission;
	struct scheduler_client *client = submission->client;
	*fault = SUBMIT_NOT_ASKED;
	int written = submission->write != NULL
			      ? submission->write(submission->context, err)
			      : batch_files_write(client->files, client->scheduler, client->header,
						  submission->script, err);
	if (written != 0)
		return -1;
	return scheduler_client_submit(client, submission->arguments,
				       course->deadline - io_now_ms(), fault, err);
}

static int try_until_judged(struct course *course, enum submit_fault *fault, struct error *err)
{
	int64_t pause = FIRST_PAUSE_MS;
	int result = try_once(course, fault, err);
	while (result != 0 && *fault != SUBMIT_REFUSED && *fault != SUBMIT_NOT_ASKED &&
	       !is_over(course)) {
		report(course, err->detail);
		int found = give_up_attempt(course, pause, err);
		if (found != 0)
			return found > 0 ? 0 : -1;
		result = try_once(course, fault, err);
		pause = pause < LONGEST_PAUSE_MS / 2 ? pause * 2 : LONGEST_PAUSE_MS;
	}
	return result;
}

int submission_make(const struct submission *submission, enum submit_fault *fault,
		    struct error *err)
{
	struct scheduler_client *client = submission->client;
	struct course course = {
		.submission = submission,
		.deadline = io_now_ms() + client->state->settings.batch.submit_timeout_ms,
	};
	client->on_slow_submit = report_slow;
	client->slow_context = &course;
	int result = try_until_judged(&course, fault, err);
	client->on_slow_submit = NULL;
	return result;
}
