/*
 * Text is split into words as by a shell; options for sbatch are accepted or refused.
 */
#include <stdlib.h>
#include <string.h>

#include "core/executor/arguments.h"
#include "core/executor/scheduler.h"
#include "core/lib/argv.h"
#include "t/unit/suites.h"

#define MOST 4

static const struct {
	const char *text;
	const char *words[MOST + 1];
} SPLITS[] = {
	{"", {NULL}},
	{" \t\n ", {NULL}},
	{"a", {"a", NULL}},
	{" a  b\tc\nd ", {"a", "b", "c", "d", NULL}},
	{"'a b' \"c d\"", {"a b", "c d", NULL}},
	{"a'b'\"c\"d", {"abcd", NULL}},
	{"'' \"\"", {"", "", NULL}},
	{"'a\\b' \"a\\b\" a\\b", {"a\\b", "a\\b", "ab", NULL}},
	{"\"a\\\"b\\\\c\\$d\\`e\"", {"a\"b\\c$d`e", NULL}},
	{"a\\ b \\'", {"a b", "'", NULL}},
	{"a\\\nb \\\n c \"d\\\ne\"", {"ab", "c", "de", NULL}},
	{"'\n' \"\n\"", {"\n", "\n", NULL}},
	{"$HOME $(id) `id` ${a}", {"$HOME", "$(id)", "`id`", "${a}", NULL}},
	{"* ~ a;b&c|d #e", {"*", "~", "a;b&c|d", "#e", NULL}},
	{"<a >b (c)", {"<a", ">b", "(c)", NULL}},
	{"\xc3\xa9 \x7f", {"\xc3\xa9", "\x7f", NULL}},
};

START_TEST(a_text_is_split)
{
	struct string_list words = {.count = 0};
	size_t count = 0;
	ck_assert_ptr_null(argv_split(&words, SPLITS[_i].text));
	for (; SPLITS[_i].words[count] != NULL; count++) {
		ck_assert_uint_lt(count, words.count);
		ck_assert_str_eq(words.items[count], SPLITS[_i].words[count]);
	}
	ck_assert_uint_eq(words.count, count);
	ck_assert(count == 0 || words.items[count] == NULL);
	string_list_free(&words);
}
END_TEST

static const struct {
	const char *text, *fault;
} FAULTS[] = {
	{"a 'b", "a single quote is not closed"},
	{"a \"b", "a double quote is not closed"},
	{"\"a\\\"", "a double quote is not closed"},
	{"\"a\\", "a double quote is not closed"},
	{"a \\", "the last backslash has no character after it"},
	{"a'b' '", "a single quote is not closed"},
};

START_TEST(an_unclosed_quote_is_a_fault)
{
	struct string_list words = {.count = 0};
	ck_assert_pstr_eq(argv_split(&words, FAULTS[_i].text), FAULTS[_i].fault);
	string_list_free(&words);
}
END_TEST

static const char *const GOOD[] = {
	"",
	"-n 2 --time=7",
	"-n2 -N 2 --time 7",
	"--exclusive --nodes=1",
	"--exclusive=user -t 1:00",
	"--export=NONE --export-file=/a",
	"--hold -H --no-requeue",
	"-Hn 2",
	"--comment x --comment '' --comment='-o'",
	"--wait-all-nodes=1",
	"--error-is-none=1", /* for sbatch to refuse */
	"-J wave",
	"-pwave", /* letters after an option with a value are the value */
	"--gres=gpu:2 -C 'a&b'",
	"--signal=B:USR1@60",
	"-d afterok:12 --nice=5 --nice",
	"--contig --qo x --excl=user",
	"-k -koff -n 2",
	"-s -O -Q -v --priority -1",
	"--of-a-plugin",
	"--of-a-plugin --time=1",
	"-n 2 --of-a-plugin",
	"--comment='a\nb'",
	"--time", /* for sbatch to refuse: it takes a word for that which is not needed */
};

START_TEST(harmless_options_are_accepted)
{
	struct arguments arguments = {.of_author = 0};
	ck_assert_ptr_null(argv_split(&arguments.words, GOOD[_i]));
	ck_assert_msg(arguments_are_allowed(&scheduler_of(EXECUTOR_SLURM)->options,
					    &(struct string_list){.count = 0}, &arguments),
		      "%s", arguments.fault);
	string_list_free(&arguments.words);
}
END_TEST

static const char *const HARMFUL[] = {
	"--output=x",
	"--output x",
	"-o x",
	"-ox",
	"-Hox",
	"--out=x",
	"--o=x",
	"--outpu x",
	"-n 2 -o x",
	"--time=1 -e x",
	"--error=x",
	"--err x",
	"-e x",
	"-ex",
	"--open-mode=truncate",
	"--wait",
	"-W",
	"--wai",
	"-HW",
	"--wrap=id",
	"--wrap id",
	"--wra=id",
	"--parsable",
	"--pars",
	"--array=1-3",
	"-a 1-3",
	"-a1-3",
	"--uid=0",
	"--gid 0",
	"--ui=0",
	"--clusters=a,b",
	"-M a,b",
	"-Ma,b",
	"--test-only",
	"--test",
	"--help",
	"-h",
	"--usage",
	"--version",
	"-V",
	"--",
	"-- x",
	"x",
	"-n 2 x",
	"--hold x",
	"--time=1 x",
	": -n 1",
	"-",
	"-n2 3",
	"--exclusive user",
	"--comment -ox",
	"-n",
	"--=x",
	"--of-a-plugin --time 1",
	"--of-a-plugin x --time=1 y",
	"--job-name='a\n   JobState=COMPLETED'",
	"-J'a\nb'",
	"--job 'a\nb'",
	"-A 'a\nb'",
	"--wckey='a\nb'",
	"--comment --wait",
	"--comment --nodes 2",
	"--comment -n 2",
	"--contig x", /* no value, abbreviated or not */
	"--spread-seg x",
	"-kx x", /* a value that is attached or none */
	"-k x",
	"-1",
	"-H1",
	"--time -1 -1",
	"-Z x",
	"'-Z x'",
	"'--x y'",
	"--external",
	"--autocomplete=x",
};

START_TEST(options_that_would_break_jacamar_are_refused_by_name)
{
	struct arguments arguments = {.of_author = 0};
	ck_assert_ptr_null(argv_split(&arguments.words, HARMFUL[_i]));
	ck_assert_msg(!arguments_are_allowed(&scheduler_of(EXECUTOR_SLURM)->options,
					     &(struct string_list){.count = 0}, &arguments),
		      "%s", HARMFUL[_i]);
	ck_assert_ptr_nonnull(strstr(arguments.fault, " is refused: "));
	string_list_free(&arguments.words);
}
END_TEST

Suite *argv_suite(void)
{
	Suite *suite = suite_create("argv");
	TCase *splits = tcase_create("split");
	TCase *options = tcase_create("options");
	tcase_add_loop_test(splits, a_text_is_split, 0, ROWS(SPLITS));
	tcase_add_loop_test(splits, an_unclosed_quote_is_a_fault, 0, ROWS(FAULTS));
	tcase_add_loop_test(options, harmless_options_are_accepted, 0, ROWS(GOOD));
	tcase_add_loop_test(options, options_that_would_break_jacamar_are_refused_by_name, 0,
			    ROWS(HARMFUL));
	suite_add_tcase(suite, splits);
	suite_add_tcase(suite, options);
	return suite;
}
