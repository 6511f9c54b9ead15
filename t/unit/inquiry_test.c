/*
 * What the job's log is told of its state in the scheduler, and when: a stand-in for scontrol
 * prints what the test wants.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/executor/inquiry.h"
#include "core/io.h"
#include "t/unit/header.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

#define PERIOD_MS 300000

static struct path home;
static struct test_header made;
static struct allocation allocation;
static struct queue queue;
static struct inquiry inquiry;
static char said[4096];

static void say(const void *context, const char *line)
{
	(void)context;
	size_t used = strlen(said);
	snprintf(said + used, sizeof(said) - used, "%s\n", line);
}

static const struct batch_voice VOICE = {say, NULL};

static void setup(void)
{
	struct error err;
	struct channel_reader channel = {.fd = -1};
	home = scratch_make();
	test_header_init(&made, home.text);
	made.header.state.executor = EXECUTOR_SLURM;
	made.header.state.scheduler_bin = home.text;
	made.header.state.command_delay_ms = 0;
	ck_assert_int_eq(allocation_init(&allocation, -1, home.text, "build_script", &err), 0);
	snprintf(allocation.number, sizeof(allocation.number), "42");
	ck_assert_int_eq(queue_open(&queue, &made.header, &channel, 0, &err), 0);
	queue.allocation = &allocation;
	inquiry_init(&inquiry, &queue, &VOICE);
	said[0] = '\0';
}

static void teardown(void)
{
	queue_close(&queue);
	allocation_free(&allocation);
	test_header_free(&made);
}

/* Asks once; what was said is in `said`. */
static void ask(const char *state)
{
	struct path path = path_of("%s/scontrol", home.text);
	char script[512];
	snprintf(script, sizeof(script), "#!/bin/sh\nprintf 'JobId=42\\n   JobState=%s'\n", state);
	(void)unlink(path.text);
	scratch_write(path.text, script, 0700);
	said[0] = '\0';
	/* As long after the last one as an urgent question has to be. */
	queue.last_start = io_now_ms() - 60000;
	inquiry_step(&inquiry, 0);
	ck_assert_int_gt(queue.command.child, 0);
	while (queue.command.child > 0) {
		queue_wait(&queue, 1000, false);
		inquiry_step(&inquiry, -1);
	}
}

#define WAITS	 "PENDING Reason=Priority Dependency=x\\n   StartTime=2026-12-24T18:00:00 EndTime=x\\n"
#define IS_TOLD	 "slurm job 42: PENDING (Priority), expected to start 2026-12-24T18:00:00\n"
#define RUNS	 "RUNNING Reason=None Dependency=x\\n   StartTime=2026-12-24T18:00:00 EndTime=x\\n"
#define IS_MOVED "slurm job 42: PENDING (Resources), expected to start 2026-12-24T18:00:00\n"

START_TEST(a_state_is_told_once_and_each_change_of_it)
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

START_TEST(a_job_that_waits_says_so_again_every_five_minutes)
{
	ask(WAITS);
	inquiry.told_at -= PERIOD_MS - 10000;
	ask(WAITS);
	ck_assert_str_eq(said, "");
	inquiry.told_at -= 10000;
	ask(WAITS);
	ck_assert_str_eq(said, IS_TOLD);
	ask(WAITS);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_job_that_runs_does_not)
{
	ask(RUNS);
	inquiry.told_at -= PERIOD_MS;
	ask(RUNS);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_start_that_its_own_file_has_told_is_not_told_again)
{
	ask(WAITS);
	inquiry.started = true;
	ask(RUNS);
	ck_assert_str_eq(said, "");
}
END_TEST

Suite *inquiry_suite(void)
{
	Suite *suite = suite_create("inquiry");
	TCase *states = tcase_create("states");
	tcase_add_checked_fixture(states, setup, teardown);
	tcase_add_test(states, a_state_is_told_once_and_each_change_of_it);
	tcase_add_test(states, a_job_that_waits_says_so_again_every_five_minutes);
	tcase_add_test(states, a_job_that_runs_does_not);
	tcase_add_test(states, a_start_that_its_own_file_has_told_is_not_told_again);
	suite_add_tcase(suite, states);
	return suite;
}
