/*
 * How LSF's answers are read: what its commands print, by the command reference of LSF 10.1.
 */
#include <stdio.h>
#include <string.h>

#include "t/unit/answers.h"
#include "t/unit/suites.h"

static const struct number_row NUMBERS[] = {
	{"Job <1234> is submitted to queue <normal>.\n", "1234"},
	{"Job <1234> is submitted to default queue <normal>.\n", "1234"},
	{"Your project is abc123.\nJob <12> is submitted to queue <q>.\n", "12"},
	{"Job <1> is submitted to queue <q>.\nJob <2> is submitted to queue <q>.\n", "2"},
	{"", NULL},
	{"\n\n", NULL},
	{"1234\n", NULL},
	{" Job <1234> is submitted to queue <normal>.\n", NULL},
	{"Job <> is submitted to queue <normal>.\n", NULL},
	{"Job <-1> is submitted to queue <normal>.\n", NULL},
	{"Job <12[1]> is submitted to queue <normal>.\n", NULL},
	{"Job <1234> is not found\n", NULL},
	{"Job <0123456789012345678901234567890123456789012345678901234567890123456789> "
	 "is submitted to queue <normal>.\n",
	 NULL},
};

START_TEST(a_number_is_read)
{
	expect_number(&LSF, &NUMBERS[_i]);
}
END_TEST

START_TEST(a_lost_job_is_found_by_its_name)
{
	char number[BATCH_NUMBER_SIZE] = "";
	ck_assert(LSF.read_list("1 ci-77\n2 xci-7\n3 ci-7\n", "ci-7", number));
	ck_assert_str_eq(number, "3");
	ck_assert(!LSF.read_list("1 ci-77\n2 x ci-7\n3 -\nci-7\n", "ci-7", number));
}
END_TEST

static const struct {
	const char *line, *name, *reason, *expected;
	enum batch_meaning meaning;
} ANSWERS[] = {
	{"PEND|-|-|-|New job is waiting for scheduling;", "PEND",
	 "New job is waiting for scheduling;", "", BATCH_WAITING},
	{"PEND|-|Nov 24 02:43|-|Job's resource requirements not satisfied: 3 hosts;", "PEND",
	 "Job's resource requirements not satisfied: 3 hosts;", "Nov 24 02:43", BATCH_WAITING},
	{"PSUSP|-|-|-|Job was suspended by the user while pending;", "PSUSP",
	 "Job was suspended by the user while pending;", "", BATCH_WAITING},
	{"PROV|-|-|-|-", "PROV", "", "", BATCH_WAITING},
	{"PEND|-|-|-|Dependency condition invalid or never satisfied;", "PEND",
	 "Dependency condition invalid or never satisfied;", "", BATCH_HOPELESS},
	{"WAIT|-|-|-|-", "WAIT", "", "", BATCH_WAITING},
	{"PEND|-|-|TERM_REQUEUE_OWNER: job killed and requeued by owner|a|b", "PEND", "a|b", "",
	 BATCH_WAITING},
	{"RUN|-|-|-|-", "RUN", "", "", BATCH_RUNNING},
	{"USUSP|-|-|-|-", "USUSP", "", "", BATCH_RUNNING},
	{"SSUSP|-|-|-|-", "SSUSP", "", "", BATCH_RUNNING},
	{"UNKWN|-|-|-|-", "UNKWN", "", "", BATCH_RUNNING},
	{"DONE|-|-|-|-", "DONE", "", "", BATCH_ENDED},
	{"EXIT|3|-|-|-", "EXIT", "", "", BATCH_ENDED},
	{"EXIT|137|-|TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF|-", "EXIT",
	 "TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF", "", BATCH_ENDED},
	{"EXIT|1|-|TERM_SOMETHING_NEW: job killed|-", "EXIT", "TERM_SOMETHING_NEW: job killed", "",
	 BATCH_ENDED},
	{"EXIT|140|-|TERM_RUNLIMIT: job killed after reaching LSF run time limit|-", "EXIT",
	 "TERM_RUNLIMIT: job killed after reaching LSF run time limit", "", BATCH_KILLED},
	{"EXIT|137|-|TERM_MEMLIMIT: job killed after reaching LSF memory usage limit|-", "EXIT",
	 "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit", "", BATCH_KILLED},
	{"EXIT|130|-|TERM_OWNER: job killed by owner|-", "EXIT", "TERM_OWNER: job killed by owner",
	 "", BATCH_KILLED},
	{"EXIT|-|-|TERM_ADMIN: job killed by root or LSF administrator|-", "EXIT",
	 "TERM_ADMIN: job killed by root or LSF administrator", "", BATCH_KILLED},
	{"EXIT|-|-|TERM_PREEMPT: job killed after preemption|-", "EXIT",
	 "TERM_PREEMPT: job killed after preemption", "", BATCH_LOST},
	{"EXIT|-|-|TERM_ZOMBIE: job exited while LSF is not available|-", "EXIT",
	 "TERM_ZOMBIE: job exited while LSF is not available", "", BATCH_LOST},
	{"EXIT|-|-|TERM_OWNERS: x|-", "EXIT", "TERM_OWNERS: x", "", BATCH_ENDED},
	{"ZOMBI|-|-|-|-", "ZOMBI", "", "", BATCH_LOST},
};

START_TEST(an_answer_is_read)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output), "%s%s\n%s",
		 _i % 2 != 0 ? "Cannot connect to LSF. Please wait ...\n" : "", ANSWERS[_i].line,
		 _i % 3 != 0 ? " more of the reason|RUN|-|-\n" : "");
	ck_assert(scheduler_read_answer(&LSF, &result, &answer));
	ck_assert_str_eq(answer.name, ANSWERS[_i].name);
	ck_assert_str_eq(answer.reason, ANSWERS[_i].reason);
	ck_assert_str_eq(answer.expected, ANSWERS[_i].expected);
	ck_assert_int_eq(answer.meaning, ANSWERS[_i].meaning);
	ck_assert_int_eq(answer.why != NULL, answer.meaning == BATCH_KILLED ||
						     answer.meaning == BATCH_LOST ||
						     answer.meaning == BATCH_HOPELESS);
}
END_TEST

static const struct garbage_row GARBAGE[] = {
	{0, "", ""},
	{0, "RUN\n", ""},
	{0, "RUN|-|-|-\n", ""},
	{0, "RUN|-\n-|-|-\n", ""},
	{0, "run|-|-|-|-\n", ""},
	{0, " RUN|-|-|-|-\n", ""},
	{0, "RUNNING|-|-|-|-\n", ""},
	{0, "|-|-|-|-\n", ""},
	{0, "STAT|EXIT_CODE|ESTIMATED_START_TIME|EXIT_REASON|PEND_REASON\n", ""},
	{0xff00, "RUN|-|-|-|-\n", ""},
	{0xff00, "", "LSF is down. Please wait ...\n"},
	{0xff00, "", "Cannot connect to LSF. Please wait ...\n"},
	{0xff00, "", "file is not found\n"},
	{9, "", ""},
};

START_TEST(garbage_is_no_answer)
{
	expect_no_answer(&LSF, &GARBAGE[_i]);
}
END_TEST

START_TEST(a_job_may_be_forgotten)
{
	struct command_result result = {.status = 0xff00};
	struct batch_answer answer;
	snprintf(result.errors, sizeof(result.errors), "Job <1234> is not found\n");
	ck_assert(scheduler_read_answer(&LSF, &result, &answer));
	ck_assert_int_eq(answer.meaning, BATCH_FORGOTTEN);
}
END_TEST

START_TEST(a_reported_text_is_printable)
{
	struct command_result result = {.status = 0};
	struct batch_answer answer;
	memset(result.output, 'x', sizeof(result.output) - 1);
	memcpy(result.output, "PEND|-|\033[2J|-|\xff", 15);
	ck_assert(scheduler_read_answer(&LSF, &result, &answer));
	ck_assert_str_eq(answer.expected, "?[2J");
	ck_assert_uint_eq(strlen(answer.reason), sizeof(answer.reason) - 1);
	ck_assert_int_eq(answer.reason[0], '?');
}
END_TEST

#define SUBMITTED                                                                             \
	"Job <1234>, Job Name <ci-7>, User <usr>, Project <default>, Command </bin/bash x>\n" \
	"Tue Nov 24 02:43:09: Submitted from host <login>, to Queue <normal>;\n"
static const struct history_row HISTORIES[] = {
	{SUBMITTED "Tue Nov 24 02:43:11: Done successfully. The CPU time used is 0.0 seconds;\n",
	 BATCH_ENDED},
	{SUBMITTED "Tue Nov 24 02:43:11: Exited with exit code 3;\n"
		   "Tue Nov 24 02:43:11: Completed <exit>;\n",
	 BATCH_ENDED},
	{SUBMITTED "Tue Nov 24 02:43:11: Completed <exit>; TERM_RUNLIMIT: job killed after "
		   "reaching LSF run time limit;\n",
	 BATCH_KILLED},
	{SUBMITTED "Tue Nov 24 02:43:11: Completed <exit>; TERM_REQUEUE_OWNER: x;\n"
		   "Tue Nov 24 02:43:12: Completed <exit>; TERM_ZOMBIE: x;\n",
	 BATCH_LOST},
	{SUBMITTED "Tue Nov 24 02:43:11: Completed <exit>; TERM_REQUEUE_OWNER: x;\n"
		   "Tue Nov 24 02:43:12: Done successfully. x\n",
	 BATCH_ENDED},
	{SUBMITTED, BATCH_UNKNOWN},
	{"", BATCH_UNKNOWN},
	{"No matching job found\n", BATCH_UNKNOWN},
};

START_TEST(the_history_is_read)
{
	expect_history(&LSF, &HISTORIES[_i]);
}
END_TEST

static const struct failure_row FAILURES[] = {
	{0xff00, "nowhere: No such queue. Job not submitted.\n", true},
	{0xff00, "Bad resource requirement syntax. Job not submitted.\n", true},
	{0xff00, "Request aborted by esub. Job not submitted.\n", true},
	{0xff00, "Cannot connect to LSF. Please wait ...\nx: No such queue. Job not submitted.\n",
	 true},
	{0xff00, "No such queue. Job not submitted.\n\n", true},
	{0xff00, "LSF is down. Please wait ...\n\n", false},
	{0xff00, "", false},
	{9, "nowhere: No such queue. Job not submitted.\n", false},
	{0xff00, "LSF is down. Please wait ...\n", false},
	{0xff00, "Cannot connect to LSF. Please wait ...\n", false},
	{0xff00, "batch daemon not responding ... still trying\n", false},
	{0xff00,
	 "Failed in an LSF library call: Slave LIM configuration is not ready yet. Job not "
	 "submitted.\n",
	 false},
	{0xff00, "Contacting batch daemon: Communication timeout. Job not submitted.\n", false},
};

START_TEST(a_refusal_and_a_failure_are_distinguished)
{
	expect_failure(&LSF, &FAILURES[_i]);
}
END_TEST

static const char *const GOOD[] = {
	"",
	"-n 2 -W 10:00",
	"-n2 -W10:00 -M8000",
	"-q normal -P abc123 -nnodes 4 -alloc_flags 'smt4 gpumps'",
	"-R 'span[ptile=4] rusage[mem=4GB]' -R 'select[a&&b]'",
	"-gpu 'num=1:mode=exclusive_process'",
	"-Jd '; touch x' -x -H -rn",
	"-B -N -u me@example.com",
	"-w 'done(12)' -ti",
	"-E 'touch x; y' -cwd /a -outdir /b",
};

static const char *const HARMFUL[] = {
	"-o x",	      "-oo x",	   "-e x",    "-eo x",	 "-ox",	    "-i x",	"-is x",
	"-J x",	      "-J x[1-9]", "-Jx",     "-Zs",	 "-Q 1",    "-Q all",	"-r",
	"-I",	      "-Ip",	   "-Is",     "-IS",	 "-ISp",    "-ISs",	"-IX",
	"-XF",	      "-tty",	   "-K",      "-n 2 -K", "-pack x", "-h",	"-V",
	"-json x",    "-yaml x",   "-jsdl x", "-Iq",	 "-Kn 2",   "-nnn 2",	"-qnormal",
	"--output x", "--n 2",	   "--",      "-- x",	 "x",	    "-n 2 x",	"-x y",
	"-n",	      "-P -n 5",   "-P -o",   "-q",	 "-",	    "-n 2 -",	"-unknown x",
	"-n=2 -- x",  "-1",	   "-N1",     "-x2",	 "'-n 2'",  "-n '' ''",
};

START_TEST(harmless_options_are_accepted)
{
	expect_taken(&LSF, GOOD[_i]);
}
END_TEST

START_TEST(other_options_are_refused_by_name)
{
	expect_refused(&LSF, HARMFUL[_i]);
}
END_TEST

Suite *lsf_suite(void)
{
	Suite *suite = suite_create("lsf");
	TCase *answers = tcase_create("answers");
	TCase *options = tcase_create("options");
	tcase_add_loop_test(answers, a_number_is_read, 0, ROWS(NUMBERS));
	tcase_add_test(answers, a_lost_job_is_found_by_its_name);
	tcase_add_loop_test(answers, an_answer_is_read, 0, ROWS(ANSWERS));
	tcase_add_loop_test(answers, garbage_is_no_answer, 0, ROWS(GARBAGE));
	tcase_add_test(answers, a_job_may_be_forgotten);
	tcase_add_test(answers, a_reported_text_is_printable);
	tcase_add_loop_test(answers, the_history_is_read, 0, ROWS(HISTORIES));
	tcase_add_loop_test(answers, a_refusal_and_a_failure_are_distinguished, 0, ROWS(FAILURES));
	suite_add_tcase(suite, answers);
	tcase_add_loop_test(options, harmless_options_are_accepted, 0, ROWS(GOOD));
	tcase_add_loop_test(options, other_options_are_refused_by_name, 0, ROWS(HARMFUL));
	suite_add_tcase(suite, options);
	return suite;
}
