/*
 * How Cobalt's answers are read: what the clients of Cobalt 1.0.33 print, and its cobaltlog.
 */
#include <stdio.h>

#include "t/unit/answers.h"
#include "t/unit/suites.h"

static const struct number_row NUMBERS[] = {
	{"1234\n", "1234"},
	{"1234 a message of the site\n", "1234"},
	{"Job routed to queue \"default\".\n1234\n", "1234"},
	{"1\n1234\n", "1234"},
	{"", NULL},
	{"\n", NULL},
	{"1234", NULL},
	{"12x\n", NULL},
	{"-1\n", NULL},
	{" 1234\n", NULL},
	{"0123456789012345678901234567890123456789012345678901234567890123456789\n", NULL},
};

START_TEST(a_number_is_read)
{
	expect_number(&COBALT, &NUMBERS[_i]);
}
END_TEST

#define JOB(number, command) "JobID: " number "\n    Command  : " command "\n\n"
static const struct number_row LISTS[] = {
	{JOB("7", "/s/x.batch"), "7"},
	{JOB("   6", "/s/y.batch") JOB("   7", "/s/x.batch") JOB("1000", "/s/x.batch2"), "7"},
	{"JobID: 7\n    Command  : /s/x.batch", "7"},
	{JOB("6", "/s/x.batch") JOB("7", "/s/x.batch"), "7"},
	{"", NULL},
	{JOB("6", "/s/x.batch2") JOB("7", "/s/x.batc") JOB("8", ""), NULL},
	{JOB("", "/s/x.batch") JOB("-x", "/s/x.batch") JOB("7 8", "/s/x.batch"), NULL},
	{"    Command  : /s/x.batch\nJobID: 7\n", NULL},
	{"JobID: 7\nCommand: x Command : /s/x.batch\n", NULL},
};

START_TEST(a_lost_job_is_found_by_its_command)
{
	expect_in_list(&COBALT, &LISTS[_i]);
}
END_TEST

static const struct {
	const char *state;
	enum batch_meaning meaning;
} STATES[] = {
	{"queued", BATCH_WAITING},     {"user_hold", BATCH_WAITING},
	{"admin_hold", BATCH_WAITING}, {"dep_hold", BATCH_WAITING},
	{"dep_fail", BATCH_HOPELESS},  {"maxrun_hold", BATCH_WAITING},
	{"preempted", BATCH_WAITING},  {"starting", BATCH_RUNNING},
	{"running", BATCH_RUNNING},    {"preempting", BATCH_RUNNING},
	{"killing", BATCH_RUNNING},    {"exiting", BATCH_ENDING},
	{"done", BATCH_FORGOTTEN},     {"something_new", BATCH_UNKNOWN},
};

START_TEST(a_state_is_read)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobID: 7\n    State           : %s\n"
		 "    Est_Start_Time  : 2026-11-24 02:43:09\n\n",
		 STATES[_i].state);
	ck_assert(scheduler_read_answer(&COBALT, &result, &answer));
	ck_assert_str_eq(answer.name, STATES[_i].state);
	ck_assert_int_eq(answer.meaning, STATES[_i].meaning);
	bool is_hopeless = answer.meaning == BATCH_HOPELESS;
	ck_assert_str_eq(answer.expected, answer.meaning == BATCH_WAITING || is_hopeless
						  ? "2026-11-24 02:43:09"
						  : "");
	ck_assert_str_eq(answer.reason, "");
	ck_assert_int_eq(answer.why != NULL, is_hopeless);
}
END_TEST

START_TEST(a_field_without_meaning_is_not_reported)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobID: 7\n    State           : queued\n    Est_Start_Time  : -\n\n");
	ck_assert(scheduler_read_answer(&COBALT, &result, &answer));
	ck_assert_str_eq(answer.expected, "");
	snprintf(result.output, sizeof(result.output), "JobID: 7\n    State : r\033[2J\xff\n");
	ck_assert(scheduler_read_answer(&COBALT, &result, &answer));
	ck_assert_str_eq(answer.name, "r?[2J?");
}
END_TEST

static const struct garbage_row GARBAGE[] = {
	{0, "", ""},
	{0, "JobID: 7\n", ""},
	{0, "JobID: 7\n    State :\n", ""},
	{0, "JobID: 7\n    States : running\n", ""},
	{0, "<html>", ""},
	{0x100, "JobID: 7\n    State : running\n", ""},
	{0x100, "", "component error: Failed to connect to queue-manager: x\n"},
	{0x200, "", ""},
	{9, "", ""},
};

START_TEST(garbage_is_no_answer)
{
	expect_no_answer(&COBALT, &GARBAGE[_i]);
}
END_TEST

START_TEST(a_job_that_has_ended_is_forgotten)
{
	struct command_result result = {.status = 0x100};
	struct batch_answer answer;
	ck_assert(scheduler_read_answer(&COBALT, &result, &answer));
	ck_assert_int_eq(answer.meaning, BATCH_FORGOTTEN);
	ck_assert_str_eq(answer.name, "");
}
END_TEST

#define NORMALLY                                                                              \
	"Info: task completed normally with an exit code of 143; initiating job cleanup and " \
	"removal\n"
static const struct history_row HISTORIES[] = {
	{"Jobid: 7\nqsub --jobname=ci-7 x\n" NORMALLY, BATCH_ENDED},
	{"Info: maximum execution time exceeded; initiating job termination\n" NORMALLY,
	 BATCH_KILLED},
	{"Info: user delete requested with signal SIGTERM by user usr\n" NORMALLY, BATCH_KILLED},
	{"Info: user delete requested; removing job from the queue\n", BATCH_KILLED},
	{"Info: user delete with signal SIGTERM requested by user usr; initiating job cleanup and "
	 "removal\n",
	 BATCH_KILLED},
	{"Info: forced delete requested by user 'adm'; initiating job termination\n", BATCH_KILLED},
	{"ERROR: execution failure; initiating job cleanup and removal\n", BATCH_LOST},
	{NORMALLY "Info: job is in the process of exiting; user delete request ignored\n",
	 BATCH_ENDED},
	{"Jobid: 7\nqsub --jobname=ci-7 x\n", BATCH_UNKNOWN},
	{"", BATCH_UNKNOWN},
};

START_TEST(the_cobaltlog_is_read)
{
	expect_history(&COBALT, &HISTORIES[_i]);
}
END_TEST

static const struct failure_row FAILURES[] = {
	{0x100, "'time' not provided\n", true},
	{0x100, "command /s/a b.batch not found, or is not a file\n", true},
	{0x100,
	 "component error: XMLRPC failure <Fault 1014: 'Walltime greater than the maximum'> in "
	 "system.validate_job\n",
	 true},
	{0x100, "<Fault 1014: \"The limit of 20 jobs per user in the 'x' queue is reached\">\n",
	 true},
	{0x100, "", false},
	{9, "'time' not provided\n", false},
	{0x100, "component error: Failed to connect to system: [Errno 111] Connection refused\n",
	 false},
	{0x100,
	 "component error: Following exception occurred while trying to execute "
	 "system.validate_job: timed out\n",
	 false},
};

START_TEST(a_refusal_and_a_failure_are_distinguished)
{
	expect_failure(&COBALT, &FAILURES[_i]);
}
END_TEST

static const char *const GOOD[] = {
	"-n 2 -t 10 -A abc -q debug",
	"-n2 -t10 --project=abc --queue debug",
	"--held --preemptable --attrs a=b:c=d",
	"-h -v -d --env 'A=$(id);B=x'",
	"--jobname 'my job' --cwd=/a -i /b --umask 077",
};

static const char *const HARMFUL[] = {
	"-o x",
	"-ox",
	"-hox",
	"--output=x",
	"--out x",
	"-e x",
	"--error x",
	"-O x",
	"--outputprefix=x",
	"--debuglog=x",
	"--debugl x",
	"-I",
	"-hI",
	"--interactive",
	"--inter",
	"--mode=c16",
	"--mod interactive",
	"--help",
	"--version",
	"-n 2 x",
	"-- x",
	"-n",
	"-A -n 2",
	"-1",
	"-Zx",
	"'-Z x'",
	"x",
};

START_TEST(harmless_options_are_accepted)
{
	expect_taken(&COBALT, GOOD[_i]);
}
END_TEST

START_TEST(other_options_are_refused_by_name)
{
	expect_refused(&COBALT, HARMFUL[_i]);
}
END_TEST

Suite *cobalt_suite(void)
{
	Suite *suite = suite_create("cobalt");
	TCase *answers = tcase_create("answers");
	tcase_add_loop_test(answers, a_number_is_read, 0, ROWS(NUMBERS));
	tcase_add_loop_test(answers, a_lost_job_is_found_by_its_command, 0, ROWS(LISTS));
	tcase_add_loop_test(answers, a_state_is_read, 0, ROWS(STATES));
	tcase_add_test(answers, a_field_without_meaning_is_not_reported);
	tcase_add_loop_test(answers, garbage_is_no_answer, 0, ROWS(GARBAGE));
	tcase_add_test(answers, a_job_that_has_ended_is_forgotten);
	tcase_add_loop_test(answers, the_cobaltlog_is_read, 0, ROWS(HISTORIES));
	tcase_add_loop_test(answers, a_refusal_and_a_failure_are_distinguished, 0, ROWS(FAILURES));
	tcase_add_loop_test(answers, harmless_options_are_accepted, 0, ROWS(GOOD));
	tcase_add_loop_test(answers, other_options_are_refused_by_name, 0, ROWS(HARMFUL));
	suite_add_tcase(suite, answers);
	return suite;
}
