/*
 * How Slurm's answers are read: what its commands print, of Debian's Slurm 22.05, shortened.
 */
#include <stdio.h>

#include "t/unit/answers.h"
#include "t/unit/suites.h"

static const struct number_row NUMBERS[] = {
	{"1234\n", "1234"},
	{"1234;cluster\n", "1234"},
	{"", NULL},
	{"\n", NULL},
	{"1234", NULL},
	{"-1\n", NULL},
	{"12 34\n", NULL},
	{"Submitted batch job 1234\n", NULL},
	{"0123456789012345678901234567890123456789012345678901234567890123456789\n", NULL},
};

START_TEST(a_number_is_read)
{
	expect_number(&SLURM, &NUMBERS[_i]);
}
END_TEST

static const struct number_row LISTS[] = {
	{"7 /s/x.batch\n", "7"},
	{"1 /s/y.batch\n7 /s/x.batch\n9 /s/x.batch2\n", "7"},
	{"7 /s/x.batch", "7"},
	{"", NULL},
	{"1 /s/x.batch2\n2 /s/x.batc\n3 (null)\n4\n-x /s/x.batch\n5  /s/x.batch\n", NULL},
	{"/s/x.batch\n /s/x.batch\n", NULL},
};

START_TEST(a_lost_job_is_found_by_its_command)
{
	expect_in_list(&SLURM, &LISTS[_i]);
}
END_TEST

static const struct {
	const char *state;
	enum batch_meaning meaning;
} STATES[] = {
	{"PENDING", BATCH_WAITING},	  {"CONFIGURING", BATCH_WAITING},
	{"REQUEUED", BATCH_WAITING},	  {"REQUEUE_HOLD", BATCH_WAITING},
	{"SPECIAL_EXIT", BATCH_WAITING},  {"RUNNING", BATCH_RUNNING},
	{"SUSPENDED", BATCH_RUNNING},	  {"STOPPED", BATCH_RUNNING},
	{"COMPLETING", BATCH_ENDING},	  {"STAGE_OUT", BATCH_RUNNING},
	{"COMPLETED", BATCH_ENDED},	  {"FAILED", BATCH_ENDED},
	{"TIMEOUT", BATCH_KILLED},	  {"DEADLINE", BATCH_KILLED},
	{"CANCELLED", BATCH_KILLED},	  {"OUT_OF_MEMORY", BATCH_KILLED},
	{"NODE_FAIL", BATCH_LOST},	  {"BOOT_FAIL", BATCH_LOST},
	{"PREEMPTED", BATCH_LOST},	  {"REVOKED", BATCH_LOST},
	{"SOMETHING_NEW", BATCH_UNKNOWN},
};

START_TEST(a_state_is_read)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobId=7 JobName=x y\n   UserId=usr(1000) GroupId=usr(1000)\n"
		 "   JobState=%s Reason=Resources Dependency=(null)\n"
		 "   StartTime=2026-11-24T00:13:25 EndTime=Unknown Deadline=N/A\n",
		 STATES[_i].state);
	ck_assert(scheduler_read_answer(&SLURM, &result, &answer));
	ck_assert_str_eq(answer.name, STATES[_i].state);
	ck_assert_int_eq(answer.meaning, STATES[_i].meaning);
	ck_assert_str_eq(answer.reason, "Resources");
	ck_assert_str_eq(answer.expected,
			 answer.meaning == BATCH_WAITING ? "2026-11-24T00:13:25" : "");
	/* What is no fault of GitLab's is explained. */
	ck_assert_int_eq(answer.why != NULL,
			 answer.meaning == BATCH_KILLED || answer.meaning == BATCH_LOST);
}
END_TEST

/* Why a job waits: for ever, or not. */
static const struct {
	const char *reason;
	enum batch_meaning meaning;
} WAITS[] = {
	{"Resources", BATCH_WAITING},
	{"Priority", BATCH_WAITING},
	{"Dependency", BATCH_WAITING},
	{"BeginTime", BATCH_WAITING},
	{"JobHeldUser", BATCH_WAITING},
	{"JobHeldAdmin", BATCH_WAITING},
	{"PartitionDown", BATCH_WAITING},
	{"PartitionNodeLimit", BATCH_WAITING},
	{"JobHoldMaxRequeue", BATCH_WAITING},
	{"ReqNodeNotAvail", BATCH_WAITING},
	{"InvalidAccount", BATCH_WAITING},
	{"AssocMaxJobsLimit", BATCH_WAITING},
	{"AssocGrpCpuLimit", BATCH_WAITING},
	{"QOSMaxJobsPerUserLimit", BATCH_WAITING},
	{"QOSMaxNodePerUserLimit", BATCH_WAITING},
	{"QOSGrpNodeLimit", BATCH_WAITING},
	{"DependencyNeverSatisfied", BATCH_HOPELESS},
	{"PartitionConfig", BATCH_HOPELESS},
	{"PartitionTimeLimit", BATCH_HOPELESS},
	{"BadConstraints", BATCH_HOPELESS},
	{"AssocMaxWallDurationPerJobLimit", BATCH_HOPELESS},
	{"AssocMaxCpuPerNode", BATCH_HOPELESS},
	{"QOSMaxNodePerJobLimit", BATCH_HOPELESS},
	{"QOSMaxGRESMinutesPerJob", BATCH_HOPELESS},
	{"QOSMinCpuNotSatisfied", BATCH_HOPELESS},
};

START_TEST(a_reason_that_never_ends_is_known)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobId=7\n   JobState=PENDING Reason=%s Dependency=(null)\n", WAITS[_i].reason);
	ck_assert(scheduler_read_answer(&SLURM, &result, &answer));
	ck_assert_int_eq(answer.meaning, WAITS[_i].meaning);
	ck_assert_int_eq(answer.why != NULL, answer.meaning == BATCH_HOPELESS);
}
END_TEST

/* While its nodes are cleared, the reason says what the state will be. */
static const struct {
	const char *reason;
	enum batch_meaning meaning;
	const char *words;
} REASONS[] = {
	{"None", BATCH_ENDING, NULL},
	{"BeginTime", BATCH_ENDING, NULL},
	{"NonZeroExitCode", BATCH_ENDED, NULL},
	{"RaisedSignal:9(Killed)", BATCH_ENDED, NULL},
	{"OutOfMemory", BATCH_KILLED, REASON_MEMORY},
	{"TimeLimit", BATCH_KILLED, REASON_TIME},
};

START_TEST(a_reason_is_read)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobId=7\n   JobState=COMPLETING Reason=%s Dependency=(null)\n",
		 REASONS[_i].reason);
	ck_assert(scheduler_read_answer(&SLURM, &result, &answer));
	ck_assert_int_eq(answer.meaning, REASONS[_i].meaning);
	ck_assert_pstr_eq(answer.why, REASONS[_i].words);
}
END_TEST

START_TEST(a_field_without_meaning_is_not_reported)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "JobId=7\n   JobState=PENDING Reason=None Dep=(null)\n   StartTime=Unknown E=\n");
	ck_assert(scheduler_read_answer(&SLURM, &result, &answer));
	ck_assert_str_eq(answer.reason, "");
	ck_assert_str_eq(answer.expected, "");
	snprintf(result.output, sizeof(result.output),
		 "JobId=7\n   JobState=RUN\033[2J Reason=\xff\n");
	ck_assert(scheduler_read_answer(&SLURM, &result, &answer));
	ck_assert_str_eq(answer.name, "RUN?[2J");
	ck_assert_str_eq(answer.reason, "?");
}
END_TEST

static const struct garbage_row GARBAGE[] = {
	{0, "", ""},
	{0, "JobId=7 JobName=x", ""},
	{0, "   JobState= Reason=x\n", ""},
	{0, "<html>", ""},
	{0x100, "JobId=7\n   JobState=RUNNING Reason=x\n", ""},
	{0x100, "", "slurm_load_jobs error: Unable to contact slurm controller\n"},
	{9, "", ""},
};

START_TEST(garbage_is_no_answer)
{
	expect_no_answer(&SLURM, &GARBAGE[_i]);
}
END_TEST

START_TEST(a_job_may_be_forgotten)
{
	struct command_result result = {.status = 0x100};
	struct batch_answer answer;
	snprintf(result.errors, sizeof(result.errors),
		 "slurm_load_jobs error: Invalid job id specified\n");
	ck_assert(scheduler_read_answer(&SLURM, &result, &answer));
	ck_assert_int_eq(answer.meaning, BATCH_FORGOTTEN);
	ck_assert_str_eq(answer.name, "");
}
END_TEST

static const struct history_row HISTORIES[] = {
	{"TIMEOUT\n", BATCH_KILLED},
	{"CANCELLED by 1000\n", BATCH_KILLED},
	{"CANCELLED+\n", BATCH_KILLED},
	{"COMPLETED\n", BATCH_ENDED},
	{"", BATCH_UNKNOWN},
	{"\n", BATCH_UNKNOWN},
	{"nonsense\n", BATCH_UNKNOWN},
};

START_TEST(the_history_is_read)
{
	expect_history(&SLURM, &HISTORIES[_i]);
}
END_TEST

static const struct failure_row FAILURES[] = {
	{0x100, "sbatch: error: Batch job submission failed: Invalid partition name specified\n",
	 true},
	{0x100, "sbatch: unrecognized option '--nonsense'\n", true},
	{0x100, "", false},
	{9, "sbatch: error: Invalid partition\n", false},
	{0x100,
	 "sbatch: error: Batch job submission failed: Unable to contact slurm controller "
	 "(connect failure)\n",
	 false},
	{0x100, "sbatch: error: Batch job submission failed: Socket timed out on send/recv\n",
	 false},
	{0x100, "sbatch: error: If munged is up, restart with --num-threads=10\n", false},
	{0x100, "sbatch: fatal: Could not establish a configuration source\n", false},
	{0x100,
	 "sbatch: error: Batch job submission failed: I/O error writing script/environment to "
	 "file\n",
	 false},
	{0x100, "sbatch: error: Batch job submission failed: Message receive failure\n", false},
	{0x100,
	 "sbatch: error: Batch job submission failed: Slurm temporarily unable to accept job, "
	 "sleeping and retrying\n",
	 false},
	/* What -v has it say of its plugins is no failure. */
	{0x100,
	 "sbatch: debug:  auth/munge: init: Munge authentication plugin loaded\n"
	 "sbatch: error: Batch job submission failed: Invalid qos specification\n",
	 true},
};

START_TEST(a_refusal_and_a_failure_are_distinguished)
{
	expect_failure(&SLURM, &FAILURES[_i]);
}
END_TEST

START_TEST(executors_without_a_scheduler_have_none)
{
	ck_assert_ptr_null(scheduler_of(EXECUTOR_SHELL));
	ck_assert_ptr_null(scheduler_of((enum executor_kind)1000));
	ck_assert_str_eq(scheduler_name_of(EXECUTOR_SHELL), "shell");
	ck_assert_str_eq(scheduler_name_of(EXECUTOR_SLURM), "slurm");
}
END_TEST

Suite *slurm_suite(void)
{
	Suite *suite = suite_create("slurm");
	TCase *answers = tcase_create("answers");
	tcase_add_loop_test(answers, a_number_is_read, 0, ROWS(NUMBERS));
	tcase_add_loop_test(answers, a_lost_job_is_found_by_its_command, 0, ROWS(LISTS));
	tcase_add_loop_test(answers, a_state_is_read, 0, ROWS(STATES));
	tcase_add_loop_test(answers, a_reason_is_read, 0, ROWS(REASONS));
	tcase_add_loop_test(answers, a_reason_that_never_ends_is_known, 0, ROWS(WAITS));
	tcase_add_test(answers, a_field_without_meaning_is_not_reported);
	tcase_add_loop_test(answers, garbage_is_no_answer, 0, ROWS(GARBAGE));
	tcase_add_test(answers, a_job_may_be_forgotten);
	tcase_add_loop_test(answers, the_history_is_read, 0, ROWS(HISTORIES));
	tcase_add_loop_test(answers, a_refusal_and_a_failure_are_distinguished, 0, ROWS(FAILURES));
	tcase_add_test(answers, executors_without_a_scheduler_have_none);
	suite_add_tcase(suite, answers);
	return suite;
}
