/*
 * How PBS's answers are read: what OpenPBS 23.06 prints as JSON and in the plain form, and what
 * Torque does, shortened.
 */
#include <stdio.h>
#include <string.h>

#include "t/unit/answers.h"
#include "t/unit/suites.h"

static const struct number_row NUMBERS[] = {
	{"1234.server\n", "1234.server"},
	{"1234.server-name.example.com\n", "1234.server-name.example.com"},
	{"1234\n", "1234"},
	{"", NULL},
	{"\n", NULL},
	{"server\n", NULL},
	{"-1.server\n", NULL},
	{"1234.server", NULL},
	{"1234[].server\n", NULL},
	{"1234.server;id\n", NULL},
	{"qsub: waiting for job 1234.server to start\n", NULL},
	{"1234.a123456789a123456789a123456789a123456789a123456789a123456789\n", NULL},
};

START_TEST(a_number_is_read)
{
	expect_number(&PBS, &NUMBERS[_i]);
}
END_TEST

static const struct number_row LISTS[] = {
	{"", NULL},
	{"\n", NULL},
	{"server\n\n", NULL},
	{"77.server", NULL},
	{"77.server\n", "77.server"},
	/* The newest, wherever it is. */
	{"9.server\n101.server\n77.server\n", "101.server"},
	{"garbage\n77.server\n-2.server\n", "77.server"},
};

START_TEST(a_lost_job_is_the_newest_of_its_name)
{
	expect_in_list(&PBS, &LISTS[_i]);
}
END_TEST

/* Fields of a job: as JSON, and as the same in the plain form. */
static const struct {
	const char *json, *plain;
	enum batch_meaning meaning;
	const char *words; /* a part of them; NULL: none */
} STATES[] = {
	{"'job_state':'Q'", "    job_state = Q\n", BATCH_WAITING, NULL},
	{"'job_state':'H'", "    job_state = H\n", BATCH_WAITING, NULL},
	{"'job_state':'W'", "    job_state = W\n", BATCH_WAITING, NULL},
	{"'job_state':'T'", "    job_state = T\n", BATCH_WAITING, NULL},
	{"'job_state':'R'", "    job_state = R\n", BATCH_RUNNING, NULL},
	{"'job_state':'S'", "    job_state = S\n", BATCH_RUNNING, NULL},
	{"'job_state':'E'", "    job_state = E\n", BATCH_ENDING, NULL},
	{"'job_state':'?'", "    job_state = ?\n", BATCH_UNKNOWN, NULL},
	{"'job_state':'M'", "    job_state = M\n", BATCH_LOST, "another server"},
	{"'job_state':'F','substate':92,'Exit_status':0",
	 "    job_state = F\n    substate = 92\n    Exit_status = 0\n", BATCH_ENDED, NULL},
	{"'job_state':'F','substate':93,'Exit_status':137",
	 "    job_state = F\n    substate = 93\n    Exit_status = 137\n", BATCH_ENDED, NULL},
	{"'job_state':'F','substate':93,'Exit_status':265",
	 "    job_state = F\n    substate = 93\n    Exit_status = 265\n", BATCH_ENDED, NULL},
	{"'job_state':'F','substate':91,'Exit_status':271",
	 "    job_state = F\n    substate = 91\n    Exit_status = 271\n", BATCH_KILLED,
	 "cancelled"},
	{"'job_state':'F','substate':91", "    job_state = F\n    substate = 91\n", BATCH_KILLED,
	 "cancelled"},
	{"'job_state':'F','substate':93", "    job_state = F\n    substate = 93\n", BATCH_LOST,
	 "one of its nodes"},
	{"'job_state':'F','Exit_status':-29", "    job_state = F\n    Exit_status = -29\n",
	 BATCH_KILLED, "its time limit"},
	{"'job_state':'F','Exit_status':-27", "    job_state = F\n    Exit_status = -27\n",
	 BATCH_KILLED, "more memory"},
	{"'job_state':'F','Exit_status':-28", "    job_state = F\n    Exit_status = -28\n",
	 BATCH_KILLED, "processor time"},
	{"'job_state':'F','Exit_status':-19", "    job_state = F\n    Exit_status = -19\n",
	 BATCH_KILLED, "a hook"},
	{"'job_state':'F','Exit_status':-11", "    job_state = F\n    Exit_status = -11\n",
	 BATCH_LOST, "cannot run it again"},
	{"'job_state':'F','Exit_status':-1", "    job_state = F\n    Exit_status = -1\n",
	 BATCH_LOST, "could not be started"},
	{"'job_state':'F','Exit_status':271,'Resource_List':{'walltime':'01:00:00'},"
	 "'resources_used':{'walltime':'01:00:02'}",
	 "    resources_used.walltime = 01:00:02\n    job_state = F\n"
	 "    Resource_List.walltime = 01:00:00\n    Exit_status = 271\n",
	 BATCH_KILLED, "its time limit"},
	{"'job_state':'F','Exit_status':1,'Resource_List':{'walltime':'01:00:00'},"
	 "'resources_used':{'walltime':'01:00:02'}",
	 "    resources_used.walltime = 01:00:02\n    job_state = F\n"
	 "    Resource_List.walltime = 01:00:00\n    Exit_status = 1\n",
	 BATCH_ENDED, NULL},
	{"'job_state':'F','Exit_status':271,'Resource_List':{'walltime':'x'},"
	 "'resources_used':{'walltime':'01:00:02'}",
	 "    resources_used.walltime = 01:00:02\n    job_state = F\n"
	 "    Resource_List.walltime = x\n    Exit_status = 271\n",
	 BATCH_ENDED, NULL},
	/* Torque's, the codes of which mean something else. */
	{NULL, "    job_state = C\n    exit_status = 0\n", BATCH_ENDED, NULL},
	{NULL, "    job_state = C\n    exit_status = 271\n", BATCH_KILLED, "cancelled"},
	{NULL, "    job_state = C\n    exit_status = -10\n", BATCH_KILLED, "more memory"},
	{NULL, "    job_state = C\n    exit_status = -11\n", BATCH_KILLED, "its time limit"},
	{NULL, "    job_state = C\n    exit_status = -3\n", BATCH_LOST, "could not be started"},
	{NULL, "    job_state = C\n", BATCH_KILLED, "cancelled"},
};

/* 'x' in place of "x". */
static void fill_json(struct command_result *result, const char *fields)
{
	snprintf(result->output, sizeof(result->output),
		 "{\n'timestamp':1,\n'pbs_version':'23.06.06',\n'Jobs':{\n'1234.server':{%s}}}\n",
		 fields);
	for (char *at = result->output; (at = strchr(at, '\'')) != NULL; at++)
		*at = '"';
}

static void expect_state(const struct command_result *result, int row)
{
	struct batch_answer answer;
	ck_assert(!PBS.is_unfit(result));
	ck_assert_msg(scheduler_read_answer(&PBS, result, &answer), "%s", result->output);
	ck_assert_msg(answer.meaning == STATES[row].meaning, "%s", result->output);
	ck_assert_int_eq(answer.why != NULL, STATES[row].words != NULL);
	ck_assert_int_ge((int)strlen(answer.name), 1);
	if (answer.why != NULL)
		ck_assert_ptr_nonnull(strstr(answer.why, STATES[row].words));
}

START_TEST(a_state_is_read_in_either_form)
{
	struct command_result result = {.status = 0};
	if (STATES[_i].json != NULL) {
		fill_json(&result, STATES[_i].json);
		expect_state(&result, _i);
	}
	snprintf(result.output, sizeof(result.output), "Job Id: 1234.server\n%s\n",
		 STATES[_i].plain);
	expect_state(&result, _i);
}
END_TEST

START_TEST(why_a_job_waits_is_read_in_either_form)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	fill_json(&result, "'job_state':'Q','estimated':{'start_time':'Tue Nov 24 02:50:00 2026'},"
			   "'comment':'Not Running: \xc3\xa9'");
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_str_eq(answer.name, "queued");
	ck_assert_str_eq(answer.reason, "Not Running: ??");
	ck_assert_str_eq(answer.expected, "Tue Nov 24 02:50:00 2026");
	ck_assert_int_eq(answer.meaning, BATCH_WAITING);
	fill_json(&result, "'job_state':'Q','comment':'Can Never Run: Insufficient amount of "
			   "resource: ncpus (R: 100 A: 8 T: 8)'");
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_int_eq(answer.meaning, BATCH_HOPELESS);
	ck_assert_ptr_nonnull(answer.why);
	fill_json(&result, "'job_state':'R','estimated':{'start_time':'UNKNOWN'}");
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_str_eq(answer.expected, "");
	snprintf(result.output, sizeof(result.output),
		 "Job Id: 1.s\n    job_state = Q\n    comment = Not Running: Insu\n\tfficient,\n"
		 "\t amount\n    estimated.start_time = UNKNOWN\n\n");
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_str_eq(answer.reason, "Not Running: Insufficient, amount");
	ck_assert_str_eq(answer.expected, "");
}
END_TEST

START_TEST(text_that_looks_like_a_field_is_ignored)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output),
		 "Job Id: 1.s\n    Job_Name = job_state = F\n    Account = x    job_state = F\n"
		 "\t    job_state = F\n     job_state = F\n    job_state = R\033[2J\n\n");
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_str_eq(answer.name, "R?[2J");
	fill_json(&result, "'Job_Name':'job_state','Variable_List':{'job_state':'F'},"
			   "'job_state':'R'");
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_str_eq(answer.name, "running");
}
END_TEST

static const struct {
	int status;
	const char *output, *errors;
	bool unfit;
} GARBAGE[] = {
	{0, "", "", false},
	{0, "<html>", "", true},
	{0, "<Data><Job><job_state>R</job_state></Job></Data>\n", "", true},
	{0, "{", "", true},
	{0, "{\"Jobs\":{\"1.s\":{\"job_state\":\"R\",\"A\":\"x\"y\"}}}", "", true},
	{0, "{\"Jobs\":[]}", "", true},
	{0, "{\"Jobs\":{\"1.s\":3}}", "", true},
	{0, "{\"timestamp\":1}", "qstat: PBS is not configured to maintain job history 1.s\n",
	 true},
	{0, "", "qstat: PBS is not configured to maintain job history 1.s\n", true},
	{0, "{\"Jobs\":{\"1.s\":{}}}", "", false},
	{0, "Job Id: 1.s\n", "", false},
	{0x200, "", "qstat: invalid option -- 'F'\nusage: \nqstat [-f]\n", true},
	{0xff00, "", "qstat: cannot connect to server s (errno=111)\n", false},
	{0x100, "{\"Jobs\":{\"1.s\":{\"job_state\":\"R\"}}}", "", false},
	{9, "", "", false},
};

START_TEST(garbage_is_no_answer)
{
	struct command_result result = {.status = GARBAGE[_i].status};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output), "%s", GARBAGE[_i].output);
	snprintf(result.errors, sizeof(result.errors), "%s", GARBAGE[_i].errors);
	ck_assert(!scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_int_eq(PBS.is_unfit(&result), GARBAGE[_i].unfit);
}
END_TEST

static const struct {
	const char *errors;
	enum batch_meaning meaning;
} GONE[] = {
	{"qstat: Unknown Job Id 1234.server\n", BATCH_FORGOTTEN},
	{"qstat: Unknown Job Id Error 1234.server\n", BATCH_FORGOTTEN},
	{"qstat: 1234.server Job has finished, use -x or -H to obtain historical job "
	 "information\n",
	 BATCH_ENDED},
};

START_TEST(a_job_may_be_gone)
{
	struct command_result result = {.status = 153 * 0x100};
	struct batch_answer answer;
	snprintf(result.errors, sizeof(result.errors), "%s", GONE[_i].errors);
	ck_assert(!PBS.is_unfit(&result));
	ck_assert(scheduler_read_answer(&PBS, &result, &answer));
	ck_assert_int_eq(answer.meaning, GONE[_i].meaning);
}
END_TEST

static const struct failure_row FAILURES[] = {
	{170 * 0x100, "qsub: Unknown queue\n", true},
	{0x200, "qsub: invalid option -- 'G'\nusage: qsub [-a date_time]\n", true},
	{0x100, "qsub: submit error (Unknown queue MSG=cannot locate queue)\n", true},
	{0x100, "", false},
	{9, "qsub: Unknown queue\n", false},
	{111 * 0x100, "Connection refused\nqsub: cannot connect to server s (errno=111)\n", false},
	{0x100, "qsub: Request not allowed: Server shutting down\n", false},
	{0x100, "qsub: Queue is not enabled\n", false},
	{0x100, "qsub: Invalid credential\n", false},
};

START_TEST(a_refusal_and_a_failure_are_distinguished)
{
	expect_failure(&PBS, &FAILURES[_i]);
}
END_TEST

static const char *const GOOD[] = {
	"-l select=2:ncpus=4 -l walltime=1:00:00 -q workq -A account -P project",
	"-hr n -p 10 -m n",
	"-p -100 -n -x -f",
	"-W group_list=staff,umask=022 -Wdepend=afterok:12.server",
	"-v A=b,C='d e' -a 1200 -V",
	"-A block -l place=excl",
};

static const char *const HARMFUL[] = {
	"-ex",
	"-jx",
	"-kx",
	"--version -x",
	"-joe",
	"-koed",
	"-Nx",
	"-S/bin/sh",
	"-Cx",
	"-J1-3",
	"-t1-3",
	"-uroot",
	"-o x",
	"-ox",
	"-e x",
	"-j oe",
	"-k oed",
	"-N x",
	"-S /bin/sh",
	"-C x",
	"-z",
	"-J 1-3",
	"-t 1-3",
	"-I",
	"-X",
	"-u root",
	"-hI",
	"-hoX",
	"-W block=true",
	"-Wblock=1",
	"-W x=1,block=true",
	"-W BLOCK=true",
	"-W Output_Path=/a",
	"-W error_path=/a",
	"-Wumask=022,Job_Name=x",
	"-W 'Job_Name = x'",
	"-W Shell_Path_List=/a",
	"-W Join_Path=oe",
	"-W Keep_Files=oe",
	"-W executable=x",
	"-W array_indices_submitted=1-3",
	"-W User_List=root",
	"-q workq@elsewhere",
	"-q@elsewhere",
	"-1",
	"-Z x",
	"-hZ",
	"-hW block=true",
	"-W interactive=true",
	"--version",
	"--help",
	"--",
	"-- id",
	"id",
	"-q workq id",
	"-h id",
	"-q",
};

START_TEST(harmless_options_are_accepted)
{
	expect_taken(&PBS, GOOD[_i]);
}
END_TEST

START_TEST(other_options_are_refused_by_name)
{
	expect_refused(&PBS, HARMFUL[_i]);
}
END_TEST

Suite *pbs_suite(void)
{
	Suite *suite = suite_create("pbs");
	TCase *answers = tcase_create("answers");
	tcase_add_loop_test(answers, a_number_is_read, 0, ROWS(NUMBERS));
	tcase_add_loop_test(answers, a_lost_job_is_the_newest_of_its_name, 0, ROWS(LISTS));
	tcase_add_loop_test(answers, a_state_is_read_in_either_form, 0, ROWS(STATES));
	tcase_add_test(answers, why_a_job_waits_is_read_in_either_form);
	tcase_add_test(answers, text_that_looks_like_a_field_is_ignored);
	tcase_add_loop_test(answers, garbage_is_no_answer, 0, ROWS(GARBAGE));
	tcase_add_loop_test(answers, a_job_may_be_gone, 0, ROWS(GONE));
	tcase_add_loop_test(answers, a_refusal_and_a_failure_are_distinguished, 0, ROWS(FAILURES));
	tcase_add_loop_test(answers, harmless_options_are_accepted, 0, ROWS(GOOD));
	tcase_add_loop_test(answers, other_options_are_refused_by_name, 0, ROWS(HARMFUL));
	suite_add_tcase(suite, answers);
	return suite;
}
