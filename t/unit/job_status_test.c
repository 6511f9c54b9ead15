/*
 * Which states of a batch job are reported in its log, and when. A stand-in for scontrol prints the
 * state.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/executor/job_status.h"
#include "core/lib/io.h"
#include "t/unit/header.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

#define PERIOD_MS 300000

static struct path home;
static struct test_header made;
static struct batch_files files;
static struct scheduler_client client;
static struct job_status status;
static enum job_status_report report;
static char said[4096];

static void say(const void *context, const char *line)
{
	(void)context;
	size_t used = strlen(said);
	snprintf(said + used, sizeof(said) - used, "%s\n", line);
}

static const struct batch_reporter VOICE = {say, NULL};

static void setup(void)
{
	struct error err;
	struct channel_reader channel = {.fd = -1};
	home = scratch_make();
	test_header_init(&made, home.text);
	made.header.state.settings.general.executor = EXECUTOR_SLURM;
	made.header.state.settings.batch.scheduler_bin = home.text;
	made.header.state.settings.batch.command_delay_ms = 0;
	ck_assert_int_eq(batch_files_init(&files, -1, home.text, "build_script", &err), 0);
	snprintf(files.number, sizeof(files.number), "42");
	ck_assert_int_eq(scheduler_client_open(&client, &made.header, &channel, VOICE, &err), 0);
	client.files = &files;
	job_status_init(&status, &client);
	report = REPORT_ALL;
	said[0] = '\0';
}

static void teardown(void)
{
	scheduler_client_close(&client);
	batch_files_free(&files);
	test_header_free(&made);
}

/* Asks once; the report is in `said`. */
static void ask(const char *state)
{
	struct path path = path_of("%s/scontrol", home.text);
	char script[512];
	snprintf(script, sizeof(script), "#!/bin/sh\nprintf 'JobId=42\\n   JobState=%s'\n", state);
	(void)unlink(path.text);
	scratch_write(path.text, script, 0700);
	said[0] = '\0';
	/* The last question was long ago. */
	client.last_start = io_now_ms() - 60000;
	job_status_step(&status, report, 0);
	ck_assert_int_gt(client.process.child, 0);
	while (client.process.child > 0) {
		scheduler_client_wait(&client, 1000, false);
		job_status_step(&status, report, -1);
	}
}

#define WAITS	 "PENDING Reason=Priority Dependency=x\\n   StartTime=2026-12-24T18:00:00 EndTime=x\\n"
#define IS_TOLD	 "slurm job 42: PENDING (Priority), expected to start 2026-12-24T18:00:00\n"
#define RUNS	 "RUNNING Reason=None Dependency=x\\n   StartTime=2026-12-24T18:00:00 EndTime=x\\n"
#define IS_MOVED "slurm job 42: PENDING (Resources), expected to start 2026-12-24T18:00:00\n"

START_TEST(a_state_is_reported_once_and_each_change_of_it)
{
	ask(WAITS);
	ck_assert_str_eq(said, IS_TOLD);
	ask(WAITS);
	ck_assert_str_eq(said, "");
	ask("PENDING Reason=Resources Dependency=x\\n   StartTime=2026-12-24T18:00:00 "
	    "EndTime=x\\n");
	ck_assert_str_eq(said, IS_MOVED);
	ask(RUNS);
	ck_assert_str_eq(said, "slurm job 42: RUNNING\n");
	ask(RUNS);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_waiting_job_is_reported_again_every_five_minutes)
{
	ask(WAITS);
	status.reported_at -= PERIOD_MS - 10000;
	ask(WAITS);
	ck_assert_str_eq(said, "");
	status.reported_at -= 10000;
	ask(WAITS);
	ck_assert_str_eq(said, IS_TOLD);
	ask(WAITS);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_running_job_is_not_reported_again)
{
	ask(RUNS);
	status.reported_at -= PERIOD_MS;
	ask(RUNS);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_start_that_was_seen_in_the_files_is_not_reported_again)
{
	ask(WAITS);
	report = REPORT_ALL_BUT_START;
	ask(RUNS);
	ck_assert_str_eq(said, "");
}
END_TEST

Suite *job_status_suite(void)
{
	Suite *suite = suite_create("job_status");
	TCase *states = tcase_create("states");
	tcase_add_checked_fixture(states, setup, teardown);
	tcase_add_test(states, a_state_is_reported_once_and_each_change_of_it);
	tcase_add_test(states, a_waiting_job_is_reported_again_every_five_minutes);
	tcase_add_test(states, a_running_job_is_not_reported_again);
	tcase_add_test(states, a_start_that_was_seen_in_the_files_is_not_reported_again);
	suite_add_tcase(suite, states);
	return suite;
}
