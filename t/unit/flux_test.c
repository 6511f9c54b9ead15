/*
 * How Flux's answers are read: what flux-core 0.48 to 0.66 print, in the forms that are asked for.
 */
#include <stdio.h>

#include "t/unit/answers.h"
#include "t/unit/suites.h"

static const struct number_row NUMBERS[] = {
	{"\xc6\x92"
	 "2oLkTbqwJb\n",
	 "f2oLkTbqwJb"},
	{"f2oLkTbqwJb\n", "f2oLkTbqwJb"},
	{"", NULL},
	{"\n", NULL},
	{"f\n", NULL},
	{"\xc6\x92\n", NULL},
	{"f2oLkTbqwJb", NULL},
	{"2oLkTbqwJb\n", NULL},
	{"f2oLk Tbqw\n", NULL},
	{"f2oLk;id\n", NULL},
	{"f0123456789012345678901234567890123456789012345678901234567890123456789\n", NULL},
};

START_TEST(a_number_is_read)
{
	expect_number(&FLUX, &NUMBERS[_i]);
}
END_TEST

START_TEST(a_lost_job_is_found_by_its_name)
{
	char number[BATCH_NUMBER_SIZE] = "";
	ck_assert(!FLUX.read_list("", "ci-7", number));
	ck_assert(!FLUX.read_list("8216510824448 ci-77\n8216510824449 ci-\n", "ci-7", number));
	ck_assert(FLUX.read_list("8216510824448 ci-77\n9216510824448 ci-7\n", "ci-7", number));
	ck_assert_str_eq(number, "9216510824448");
}
END_TEST

static const struct {
	const char *output, *name;
	enum batch_meaning meaning;
	const char *reason, *expected;
} ANSWERS[] = {
	{"DEPEND||||\n", "DEPEND", BATCH_WAITING, "", ""},
	{"DEPEND|||depends:after-start=\xc6\x92"
	 "ab|\n",
	 "DEPEND", BATCH_WAITING, "depends:after-start=??ab", ""},
	{"PRIORITY|||priority-wait|\n", "PRIORITY", BATCH_WAITING, "priority-wait", ""},
	{"SCHED||||\n", "SCHED", BATCH_WAITING, "", ""},
	{"SCHED|||held|\n", "SCHED", BATCH_WAITING, "held", ""},
	{"SCHED|||eta:5.2m|\n", "SCHED", BATCH_WAITING, "", "in 5.2m"},
	{"SCHED|||eta:now|\n", "SCHED", BATCH_WAITING, "", ""},
	{"RUN|||node[1-2]|\n", "RUN", BATCH_RUNNING, "", ""},
	{"RUN|2|node-failure|node[1-2]|lost contact with node2\n", "RUN", BATCH_RUNNING,
	 "node-failure: lost contact with node2", ""},
	{"CLEANUP|0|cancel|node1|\n", "CLEANUP", BATCH_ENDING, "cancel", ""},
	{"COMPLETED|||node1|\n", "COMPLETED", BATCH_ENDED, "", ""},
	{"FAILED|||node1|\n", "FAILED", BATCH_ENDED, "", ""},
	{"FAILED|2|node-failure|node1|lost it\n", "FAILED", BATCH_ENDED, "node-failure: lost it",
	 ""},
	{"FAILED|0|epilog|node1|\n", "FAILED", BATCH_ENDED, "epilog", ""},
	{"TIMEOUT|0|timeout|node1|resource allocation expired\n", "TIMEOUT", BATCH_KILLED,
	 "timeout: resource allocation expired", ""},
	{"CANCELED|0|cancel|node1|enough\n", "CANCELED", BATCH_KILLED, "cancel: enough", ""},
	{"CANCELED|0|cancel||a|b|c\n", "CANCELED", BATCH_KILLED, "cancel: a|b|c", ""},
	{"CANCELED|0|cancel||two\nSCHED||||\n", "CANCELED", BATCH_KILLED, "cancel: two", ""},
	{"FAILED|0|alloc||unsatisfiable request\n", "FAILED", BATCH_KILLED,
	 "alloc: unsatisfiable request", ""},
	{"FAILED|0|dependency||failed\n", "FAILED", BATCH_KILLED, "dependency: failed", ""},
	{"FAILED|0|mine||COMPLETED|||\n", "FAILED", BATCH_KILLED, "mine: COMPLETED|||", ""},
	{"FAILED|0|exec|node1|node failure on node1 (rank 0)\n", "FAILED", BATCH_LOST,
	 "exec: node failure on node1 (rank 0)", ""},
	{"FAILED|0|exec|node1|shell rank 0 (on node1): Killed\n", "FAILED", BATCH_LOST,
	 "exec: shell rank 0 (on node1): Killed", ""},
	{"FAILED|0|prolog|node1|prolog exited with code=1\n", "FAILED", BATCH_LOST,
	 "prolog: prolog exited with code=1", ""},
	{"NEW\033[2J||||\n", "NEW?[2J", BATCH_UNKNOWN, "", ""},
};

START_TEST(an_answer_is_read)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output), "%s", ANSWERS[_i].output);
	ck_assert(scheduler_read_answer(&FLUX, &result, &answer));
	ck_assert_str_eq(answer.name, ANSWERS[_i].name);
	ck_assert_int_eq(answer.meaning, ANSWERS[_i].meaning);
	ck_assert_str_eq(answer.reason, ANSWERS[_i].reason);
	ck_assert_str_eq(answer.expected, ANSWERS[_i].expected);
	ck_assert_int_eq(answer.why != NULL,
			 answer.meaning == BATCH_KILLED || answer.meaning == BATCH_LOST);
}
END_TEST

START_TEST(a_failed_node_and_a_killed_shell_are_distinguished)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output), "FAILED|0|exec||node failure on x\n");
	ck_assert(scheduler_read_answer(&FLUX, &result, &answer));
	ck_assert_str_eq(answer.why, "one of its nodes has failed");
	snprintf(result.output, sizeof(result.output), "FAILED|0|exec||shell rank 0: Killed\n");
	ck_assert(scheduler_read_answer(&FLUX, &result, &answer));
	ck_assert_str_eq(answer.why, "it could not be executed, or its Flux shell was killed");
}
END_TEST

static const struct garbage_row GARBAGE[] = {
	{0, "", ""},
	{0, "\n", ""},
	{0, "RUN\n", ""},
	{0, "RUN|||\n", ""},
	{0, "||||\n", ""},
	{0, "<html>", ""},
	{0x100, "RUN||||\n", ""},
	{0x100, "", "flux-jobs: ERROR: Unable to connect to Flux: broker socket was not found\n"},
	{0x100, "", "flux-jobs: ERROR: job of name unknown\n"},
	{9, "", ""},
};

START_TEST(garbage_is_no_answer)
{
	expect_no_answer(&FLUX, &GARBAGE[_i]);
}
END_TEST

START_TEST(a_job_may_be_forgotten)
{
	/* Releases differ in the status. */
	for (int status = 0; status <= 0x100; status += 0x100) {
		struct command_result result = {.status = status};
		struct batch_answer answer;
		snprintf(result.errors, sizeof(result.errors), "JobID f2oLk unknown\n");
		ck_assert(scheduler_read_answer(&FLUX, &result, &answer));
		ck_assert_int_eq(answer.meaning, BATCH_FORGOTTEN);
		ck_assert_str_eq(answer.name, "");
	}
}
END_TEST

static const struct failure_row FAILURES[] = {
	{0x100, "flux-batch: ERROR: Number of slots to allocate must be specified\n", true},
	{0x100, "flux-batch: ERROR: [Errno 22] Invalid queue 'x' specified\n", true},
	{0x200, "flux-batch: error: unrecognized arguments: --nonsense\n", true},
	{0x100, "", false},
	{9, "flux-batch: ERROR: Invalid queue\n", false},
	{0x100, "flux-batch: ERROR: Unable to connect to Flux: broker socket was not found\n",
	 false},
	{0x100, "flux-batch: ERROR: [Errno 38] Function not implemented\n", false},
	{0x100, "flux-batch: ERROR: [Errno 110] Connection timed out\n", false},
	{0x100, "flux-batch: ERROR: job submission to batch is disabled: maintenance\n", false},
};

START_TEST(a_refusal_and_a_failure_are_distinguished)
{
	expect_failure(&FLUX, &FAILURES[_i]);
}
END_TEST

static const char *const GOOD[] = {
	"-N2 -n 4 -c2 -g 1 -t 30m -q batch -B bank",
	"--nodes=2 --exclusive --time-limit=1h",
	"-x -N 1 --unbuffered -N1",
	"--urgency=hold --begin-time=+1h --dependency=afterok:f2oLk",
	"-o cpu-affinity=off -S user.a=b --setattr user.c=d",
	"--env=-* --env-remove=X --conf=resource.noverify=true",
	"--dump --dump=x -u -l",
	"--add-file=/a/b --add-file c=d --setattr=user.comment='my files' -B -1",
};

static const char *const HARMFUL[] = {
	"--wrap -x",
	"--quiet -x",
	"--dry-run -x",
	"--help -x",
	"--list-plugins -x",
	"--output=x",
	"--output x",
	"--out=x",
	"--error x",
	"--err=x",
	"--wrap",
	"--wra",
	"--job-name=x",
	"--job x",
	"--quiet",
	"--dry",
	"--dry-run",
	"--help",
	"-h",
	"-xh",
	"--list-plugins",
	"--",
	"-- id",
	"id",
	"-N1 id",
	"-x id",
	"-N",
	"--dump x",
	"-1",
	"-N1 -1",
	"'-Z a'",
	"'-Zq a'",
	"-Z",
	"'--a b'",
	"'--a b=c' -x",
	"--debug-emulate id",
	"--debug id",
	"--broker-opts=/a",
	"--broker-opt /a",
	"--add-file=script=/a",
	"--add-file /a/script",
	"-Sjob.name=x",
	"-xSjob.name=x",
	"--setattr=.system.job.name=x",
	"--setattr system.job={}",
	"-S .system={}",
	"-S ^System=/a",
	"--seta=system.files.script=x",
};

START_TEST(harmless_options_are_accepted)
{
	expect_taken(&FLUX, GOOD[_i]);
}
END_TEST

START_TEST(other_options_are_refused_by_name)
{
	expect_refused(&FLUX, HARMFUL[_i]);
}
END_TEST

Suite *flux_suite(void)
{
	Suite *suite = suite_create("flux");
	TCase *answers = tcase_create("answers");
	tcase_add_loop_test(answers, a_number_is_read, 0, ROWS(NUMBERS));
	tcase_add_test(answers, a_lost_job_is_found_by_its_name);
	tcase_add_loop_test(answers, an_answer_is_read, 0, ROWS(ANSWERS));
	tcase_add_test(answers, a_failed_node_and_a_killed_shell_are_distinguished);
	tcase_add_loop_test(answers, garbage_is_no_answer, 0, ROWS(GARBAGE));
	tcase_add_test(answers, a_job_may_be_forgotten);
	tcase_add_loop_test(answers, a_refusal_and_a_failure_are_distinguished, 0, ROWS(FAILURES));
	tcase_add_loop_test(answers, harmless_options_are_accepted, 0, ROWS(GOOD));
	tcase_add_loop_test(answers, other_options_are_refused_by_name, 0, ROWS(HARMFUL));
	suite_add_tcase(suite, answers);
	return suite;
}
