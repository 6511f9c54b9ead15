/*
 * The arguments of a submit command: the site's, then the author's, and why one is refused.
 */
#include <string.h>

#include "core/executor/arguments.h"
#include "t/unit/suites.h"

static const struct {
	const char *site, *author; /* NULL: none */
	bool illegal;		   /* allow_illegal_args */
	const char *words;	   /* each after a space; NULL: the site's cannot be used */
	const char *fault;	   /* of the argument that cannot be used; "": none */
	size_t of_author;
} CASES[] = {
	{NULL, NULL, false, "", "", 0},
	{NULL, "-n 2", false, " -n 2", "", 2},
	{"--time=9 -N 1", NULL, false, " --time=9 -N 1", "", 0},
	{"--time=9", "--time=8", false, " --time=9 --time=8", "", 1},
	{"-n", NULL, false, NULL,
	 "batch.default_args cannot be used for sbatch: -n is refused: "
	 "its value is missing",
	 0},
	{"-o x", "-n 2", false, NULL,
	 "batch.default_args cannot be used for sbatch: -o is refused: ", 0},
	{"'a", "-n 2", false, NULL,
	 "batch.default_args cannot be used for sbatch: a single quote is not closed", 0},
	{"-N 1", "-o x", false, " -N 1 -o x", "-o is refused: ", 2},
	{"-N 1", "\"a", false, " -N 1", "a double quote is not closed", 0},
	{"-N 1", "job.sh", false, " -N 1 job.sh", "job.sh is refused: ", 1},
	{"-o x", "-e y", true, " -o x -e y", "", 2},
	/* A dash of a word processor. */
	{NULL, "\xe2\x80\x93p short", false, " \xe2\x80\x93p short",
	 "\xe2\x80\x93p is refused: it is not an option; the scheduler would run it instead of "
	 "the script; it has a "
	 "character that is not printable ASCII: type each - and \" again",
	 2},
	/* An option that may have a value is not followed by another one, unless the site knows. */
	{NULL, "--plugin -N 1", false, " --plugin -N 1",
	 "-N is refused: it could be the value of --plugin; write --plugin=value, or, if that has "
	 "no value, ask the site to add it to batch.flag_options",
	 3},
	{NULL, "--own-flag -N 1", false, " --own-flag -N 1", "", 3},
	{NULL, "--own-flags -N 1", false, " --own-flags -N 1", "-N is refused: ", 3},
	{NULL, "--own -N 1", false, " --own -N 1", "-N is refused: ", 3},
	{NULL, "--own-flag id", false, " --own-flag id", "id is refused: it is not an option", 2},
	{NULL, "-y -N 1", false, " -y -N 1", "", 3},
	{NULL, "-z -N 1", false, " -z -N 1", "-z is refused: ", 3},
	/* A flag of the site does not allow an option that is refused. */
	{NULL, "--output -N 1", false, " --output -N 1", "--output is refused: ", 3},
	{"'a", NULL, true, NULL,
	 "batch.default_args cannot be used for sbatch: a single quote is not closed", 0},
};

static json_t *list_of(const char *text)
{
	json_t *list = json_array();
	if (text != NULL)
		json_array_append_new(list, json_string(text));
	return list;
}

START_TEST(arguments_of_the_site_come_first_and_those_of_the_author_are_counted)
{
	struct channel_header header = {.arguments = list_of(CASES[_i].author)};
	struct arguments arguments;
	struct error err = {.detail = ""};
	char words[256] = "";
	char *site[] = {(char *)CASES[_i].site};
	header.state.settings.batch.default_args =
		(struct string_list){.items = site, .count = site[0] != NULL};
	header.state.settings.batch.allow_illegal_args = CASES[_i].illegal;
	static char *flags[] = {(char *)"--own-flag", (char *)"-y", (char *)"--output"};
	header.state.settings.batch.flag_options = (struct string_list){.items = flags, .count = 3};

	int result = arguments_read(&SLURM, &header, &arguments, &err);
	ck_assert_int_eq(result, CASES[_i].words != NULL ? 0 : -1);
	const char *said = result == 0 ? arguments.fault : err.detail;
	ck_assert_msg(strncmp(said, CASES[_i].fault, strlen(CASES[_i].fault)) == 0, "%s", said);
	ck_assert_int_eq(said[0] == '\0', CASES[_i].fault[0] == '\0');
	if (result == 0) {
		for (size_t i = 0; i < arguments.words.count; i++)
			strcat(strcat(words, " "), arguments.words.items[i]);
		ck_assert_str_eq(words, CASES[_i].words);
		ck_assert_uint_eq(arguments.of_author, CASES[_i].of_author);
	} else {
		ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	}
	string_list_free(&arguments.words);
	json_decref(header.arguments);
}
END_TEST

/* --clusters: the last one counts, and it must be one. */
static const struct {
	const char *arguments, *cluster;
} CLUSTERS[] = {
	{"-n 2", ""},
	{"--clusters=far", "far"},
	{"--clusters far -n 2", "far"},
	{"-M far", "far"},
	{"-Mfar", "far"},
	{"-HM far", "far"},
	{"--clusters=far -M near", "near"},
	{"--cluster-constraint=x", ""},
	{"--clusters=a,b", NULL},
	{"-M all", NULL},
	{"-M ALL", NULL},
	{"--clusters=", NULL},
	{"--clusters=-x", NULL},
	{"--clusters=a;b", NULL},
	{"'-Ma b'", NULL},
	{"-M", NULL},
};

START_TEST(the_cluster_of_the_job_is_known)
{
	struct channel_header header = {.arguments = list_of(CLUSTERS[_i].arguments)};
	struct arguments arguments;
	struct error err;
	ck_assert_int_eq(arguments_read(&SLURM, &header, &arguments, &err), 0);
	ck_assert_int_eq(arguments.fault[0] == '\0', CLUSTERS[_i].cluster != NULL);
	if (CLUSTERS[_i].cluster != NULL)
		ck_assert_str_eq(arguments.cluster, CLUSTERS[_i].cluster);
	string_list_free(&arguments.words);
	json_decref(header.arguments);
}
END_TEST

/* A text that fills its array has no end, and not every compiler warns about that. */
START_TEST(the_texts_of_refused_options_fit_their_rows)
{
	const struct scheduler *scheduler = scheduler_of((enum executor_kind)_i);
	ck_assert_ptr_nonnull(scheduler);
	const struct refused_option *row = scheduler->options.refused;
	for (; row->reason != NULL; row++) {
		ck_assert_msg(memchr(row->name, '\0', sizeof(row->name)) != NULL, "%.16s",
			      row->name);
		ck_assert_msg(memchr(row->part, '\0', sizeof(row->part)) != NULL, "%.20s",
			      row->part);
	}
}
END_TEST

Suite *arguments_suite(void)
{
	Suite *suite = suite_create("arguments");
	TCase *tcase = tcase_create("arguments");

	tcase_add_loop_test(tcase,
			    arguments_of_the_site_come_first_and_those_of_the_author_are_counted, 0,
			    ROWS(CASES));
	tcase_add_loop_test(tcase, the_cluster_of_the_job_is_known, 0, ROWS(CLUSTERS));
	tcase_add_loop_test(tcase, the_texts_of_refused_options_fit_their_rows, EXECUTOR_SLURM,
			    EXECUTOR_COBALT + 1);
	suite_add_tcase(suite, tcase);
	return suite;
}
