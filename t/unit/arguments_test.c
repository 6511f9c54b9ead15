/*
 * The arguments of a submit command: the site's, then the author's, and whose fault one is.
 */
#include <string.h>

#include "core/executor/arguments.h"
#include "t/unit/suites.h"

static const struct {
	const char *site, *author; /* NULL: none */
	bool illegal;		   /* allow_illegal_args */
	const char *words;	   /* each behind a space; NULL: the site's cannot be used */
	const char *fault;	   /* of whichever cannot; "": none */
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

START_TEST(the_site_s_come_first_and_the_author_s_are_told_from_them)
{
	struct channel_header header = {.arguments = list_of(CASES[_i].author)};
	json_t *site = list_of(CASES[_i].site);
	struct arguments arguments;
	struct error err = {.detail = ""};
	char words[256] = "";
	header.state.default_arguments = site;
	header.state.allow_illegal_args = CASES[_i].illegal;

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
	words_free(&arguments.words);
	json_decref(header.arguments);
	json_decref(site);
}
END_TEST

Suite *arguments_suite(void)
{
	Suite *suite = suite_create("arguments");
	TCase *tcase = tcase_create("arguments");

	tcase_add_loop_test(tcase, the_site_s_come_first_and_the_author_s_are_told_from_them, 0,
			    ROWS(CASES));
	suite_add_tcase(suite, tcase);
	return suite;
}
