/*
 * How Cobalt's answers are read: what the clients of Cobalt 1.0.33 print, and its cobaltlog.
 */
#include <stdio.h>
#include <string.h>

#include "core/executor/scheduler.h"
#include "core/words.h"
#include "t/unit/suites.h"

static const struct {
	const char *output, *number; /* NULL: none */
} NUMBERS[] = {
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
	char number[BATCH_NUMBER_SIZE] = "";
	ck_assert_int_eq(COBALT.read_number(NUMBERS[_i].output, number),
			 NUMBERS[_i].number != NULL);
	ck_assert_str_eq(number, NUMBERS[_i].number != NULL ? NUMBERS[_i].number : "");
}
END_TEST

#define JOB(number, command) "JobID: " number "\n    Command  : " command "\n\n"
static const struct {
	const char *output, *number; /* NULL: it is not there */
} LISTS[] = {
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

START_TEST(a_lost_job_is_found_by_what_it_executes)
{
	const struct batch_marks marks = {.wrapper = "/s/x.batch", .name = "ci-7"};
	char number[BATCH_NUMBER_SIZE] = "";
	ck_assert_int_eq(COBALT.read_list(LISTS[_i].output, &marks, number),
			 LISTS[_i].number != NULL);
	ck_assert_str_eq(number, LISTS[_i].number != NULL ? LISTS[_i].number : "");
}
END_TEST

static const struct {
	const char *state;
	enum batch_meaning meaning;
} STATES[] = {
	{"queued", BATCH_WAITING},     {"user_hold", BATCH_WAITING},
	{"admin_hold", BATCH_WAITING}, {"dep_hold", BATCH_WAITING},
	{"dep_fail", BATCH_WAITING},   {"maxrun_hold", BATCH_WAITING},
	{"preempted", BATCH_WAITING},  {"starting", BATCH_RUNNING},
	{"running", BATCH_RUNNING},    {"preempting", BATCH_RUNNING},
	{"killing", BATCH_RUNNING},    {"exiting", BATCH_RUNNING},
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
	ck_assert(COBALT.read_answer(&result, &answer));
	ck_assert_str_eq(answer.name, STATES[_i].state);
	ck_assert_int_eq(answer.meaning, STATES[_i].meaning);
	ck_assert_str_eq(answer.expected,
			 answer.meaning == BATCH_WAITING ? "2026-11-24 02:43:09" : "");
	ck_assert_str_eq(answer.reason, "");
	ck_assert_ptr_null(answer.words);
}
END_TEST

START_TEST(what_says_nothing_is_not_told)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobID: 7\n    State           : queued\n    Est_Start_Time  : -\n\n");
	ck_assert(COBALT.read_answer(&result, &answer));
	ck_assert_str_eq(answer.expected, "");
	snprintf(result.output, sizeof(result.output), "JobID: 7\n    State : r\033[2J\xff\n");
	ck_assert(COBALT.read_answer(&result, &answer));
	ck_assert_str_eq(answer.name, "r?[2J?");
}
END_TEST

static const struct {
	int status;
	const char *output, *errors;
} GARBAGE[] = {
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
	struct command_result result = {.status = GARBAGE[_i].status};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output), "%s", GARBAGE[_i].output);
	snprintf(result.errors, sizeof(result.errors), "%s", GARBAGE[_i].errors);
	ck_assert(!COBALT.read_answer(&result, &answer));
}
END_TEST

START_TEST(a_job_that_has_ended_is_forgotten)
{
	struct command_result result = {.status = 0x100};
	struct batch_answer answer;
	ck_assert(COBALT.read_answer(&result, &answer));
	ck_assert_int_eq(answer.meaning, BATCH_FORGOTTEN);
	ck_assert_str_eq(answer.name, "");
}
END_TEST

#define NORMALLY                                                                              \
	"Info: task completed normally with an exit code of 143; initiating job cleanup and " \
	"removal\n"
static const struct {
	const char *output;
	enum batch_meaning meaning; /* UNKNOWN: no answer */
} HISTORIES[] = {
	{"Jobid: 7\nqsub --jobname=ci-7 x\n" NORMALLY, BATCH_ENDED},
	{"Info: maximum execution time exceeded; initiating job termination\n" NORMALLY,
	 BATCH_CONDEMNED},
	{"Info: user delete requested with signal SIGTERM by user usr\n" NORMALLY, BATCH_CONDEMNED},
	{"Info: user delete requested; removing job from the queue\n", BATCH_CONDEMNED},
	{"Info: user delete with signal SIGTERM requested by user usr; initiating job cleanup and "
	 "removal\n",
	 BATCH_CONDEMNED},
	{"Info: forced delete requested by user 'adm'; initiating job termination\n",
	 BATCH_CONDEMNED},
	{"ERROR: execution failure; initiating job cleanup and removal\n", BATCH_LOST},
	{NORMALLY "Info: job is in the process of exiting; user delete request ignored\n",
	 BATCH_ENDED},
	{"Jobid: 7\nqsub --jobname=ci-7 x\n", BATCH_UNKNOWN},
	{"", BATCH_UNKNOWN},
};

START_TEST(the_cobaltlog_is_read)
{
	struct batch_answer answer;
	bool read = COBALT.read_history(HISTORIES[_i].output, &answer);
	ck_assert_int_eq(read, HISTORIES[_i].meaning != BATCH_UNKNOWN);
	ck_assert(!read || answer.meaning == HISTORIES[_i].meaning);
	ck_assert(!read || (answer.words != NULL) == (answer.meaning != BATCH_ENDED));
}
END_TEST

static const struct {
	int status;
	const char *errors;
	bool refusal;
} FAILURES[] = {
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

START_TEST(a_refusal_is_told_from_a_failure)
{
	struct command_result result = {.status = FAILURES[_i].status};
	snprintf(result.errors, sizeof(result.errors), "%s", FAILURES[_i].errors);
	ck_assert_int_eq(COBALT.is_refusal(&result), FAILURES[_i].refusal);
}
END_TEST

static const struct {
	const char *text;
	bool fit;
} OPTIONS[] = {
	{"-n 2 -t 10 -A abc -q debug", true},
	{"-n2 -t10 --project=abc --queue debug", true},
	{"--held --preemptable --attrs a=b:c=d", true},
	{"-h -v -d --env 'A=$(id);B=x'", true},
	{"--jobname 'my job' --cwd=/a -i /b --umask 077", true},
	{"-o x", false},
	{"-ox", false},
	{"-hox", false},
	{"--output=x", false},
	{"--out x", false},
	{"-e x", false},
	{"--error x", false},
	{"-O x", false},
	{"--outputprefix=x", false},
	{"--debuglog=x", false},
	{"--debugl x", false},
	{"-I", false},
	{"-hI", false},
	{"--interactive", false},
	{"--inter", false},
	{"--mode=c16", false},
	{"--mod interactive", false},
	{"--help", false},
	{"--version", false},
	{"-n 2 x", false},
	{"-- x", false},
	{"-n", false},
	{"-A -n 2", false},
	{"-1", false},
	{"-Zx", false},
	{"'-Z x'", false},
	{"x", false},
};

START_TEST(options_that_break_the_driver_are_refused_by_name)
{
	struct words words = {.count = 0};
	char fault[256] = "";
	ck_assert_ptr_null(words_split(&words, OPTIONS[_i].text));
	ck_assert_msg(options_check(&COBALT.options, &words, fault, sizeof(fault)) ==
			      OPTIONS[_i].fit,
		      "%s: %s", OPTIONS[_i].text, fault);
	ck_assert_int_eq(strstr(fault, " is refused: ") == NULL, OPTIONS[_i].fit);
	words_free(&words);
}
END_TEST

Suite *cobalt_suite(void)
{
	Suite *suite = suite_create("cobalt");
	TCase *answers = tcase_create("answers");
	tcase_add_loop_test(answers, a_number_is_read, 0, ROWS(NUMBERS));
	tcase_add_loop_test(answers, a_lost_job_is_found_by_what_it_executes, 0, ROWS(LISTS));
	tcase_add_loop_test(answers, a_state_is_read, 0, ROWS(STATES));
	tcase_add_test(answers, what_says_nothing_is_not_told);
	tcase_add_loop_test(answers, garbage_is_no_answer, 0, ROWS(GARBAGE));
	tcase_add_test(answers, a_job_that_has_ended_is_forgotten);
	tcase_add_loop_test(answers, the_cobaltlog_is_read, 0, ROWS(HISTORIES));
	tcase_add_loop_test(answers, a_refusal_is_told_from_a_failure, 0, ROWS(FAILURES));
	tcase_add_loop_test(answers, options_that_break_the_driver_are_refused_by_name, 0,
			    ROWS(OPTIONS));
	suite_add_tcase(suite, answers);
	return suite;
}
