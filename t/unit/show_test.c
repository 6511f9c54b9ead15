/*
 * Settings shown as a file: each type of value, where it comes from, and back again.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/schema.h"
#include "config/settings.h"
#include "t/unit/suites.h"

#define GENERAL "[general]\nexecutor = \"shell\"\ndata_dir = \"$HOME\"\n"

/* The settings of the text, which must be good. */
static struct settings *parse(const char *text)
{
	char *messages = NULL;
	struct settings *settings = settings_parse("f", text, strlen(text), &messages);
	ck_assert_msg(settings != NULL, "\n%s\nrefused: %s", text, messages);
	return settings;
}

static char *show(const char *text)
{
	struct settings *settings = parse(text);
	char *shown = show_settings(settings);
	ck_assert_ptr_nonnull(shown);
	settings_free(settings);
	return shown;
}

/* The text has this line in this table. */
static void expect_line(const char *text, const char *table, const char *line)
{
	char header[40], *whole = NULL;
	snprintf(header, sizeof(header), "[%s]\n", table);
	const char *begin = strstr(text, header);
	ck_assert_msg(begin != NULL, "no table [%s] in\n%s", table, text);
	const char *end = strstr(begin, "\n\n");
	ck_assert(asprintf(&whole, "\n%s\n", line) > 0);
	const char *found = strstr(begin, whole);
	ck_assert_msg(found != NULL && (end == NULL || found < end), "no line\n%s\nin [%s] of\n%s",
		      line, table, text);
	free(whole);
}

/* What a file sets, and how that is shown: on line 4, or 5 below another header. */
static const struct {
	const char *table, *set, *shown;
} VALUES[] = {
	{"general", "name = 'plain'", "name = \"plain\""},
	{"general", "job_message = 'a\"b\\c'", "job_message = \"a\\\"b\\\\c\""},
	{"general", "job_message = \"\"\"\none\n\ttwo\"\"\"", "job_message = \"one\\n\\ttwo\""},
	{"general", "name = \"\xc3\xbc \xe2\x80\xae\xe2\x82\xac \xf0\x9f\x98\x80\"",
	 "name = \"\\u00FC \\u202E\\u20AC \\U0001F600\""},
	{"general", "tls_ca_file = '/a'", "tls-ca-file = \"/a\""},
	{"auth", "downscope = 'none'", "downscope = \"none\""},
	{"general", "retain_logs = true", "retain_logs = true"},
	{"auth", "no_new_privs = false", "no_new_privs = false"},
	{"auth", "min_uid = 0x7_d0", "min_uid = 2000"},
	{"general", "kill_timeout = '90s'", "kill_timeout = \"1m30s\""},
	{"auth", "downscope_env = []", "downscope_env = []"},
	{"auth", "shell_allowlist = ['/bin/sh',\n'/a\"b',\n]",
	 "shell_allowlist = [\"/bin/sh\", \"/a\\\"b\"]"},
	{"general", "jwt_env_variable = 'A'", "jwt_env_variable = [\"A\"]"},
	{"auth.limits", "nproc = 4096", "nproc = 4096"},
	{"auth.limits", "core = 0", "core = 0"},
	{"auth.limits", "memlock = 'unlimited'", "memlock = \"unlimited\""},
	/* as long as there is room before the comments, and longer */
	{"general", "name = '012345678901234567890123456789012345678'",
	 "name = \"012345678901234567890123456789012345678\""},
	{"general", "name = '0123456789012345678901234567890123456789'",
	 "name = \"0123456789012345678901234567890123456789\""},
};

START_TEST(a_value_is_shown_with_its_line)
{
	char *text = NULL, line[100];
	bool general = strcmp(VALUES[_i].table, "general") == 0;
	ck_assert(asprintf(&text, "%s%s%s%s%s", GENERAL, general ? "" : "[",
			   general ? "" : VALUES[_i].table, general ? "" : "]\n",
			   VALUES[_i].set) > 0);
	char *shown = show(text);
	snprintf(line, sizeof(line), "%-48s  # line %d", VALUES[_i].shown, general ? 4 : 5);
	expect_line(shown, VALUES[_i].table, line);
	free(shown);
	free(text);
}
END_TEST

START_TEST(what_the_file_does_not_set_is_shown)
{
	static const struct {
		const char *table, *shown;
	} defaults[] = {
		{"general", "kill_timeout = \"2m0s\""},
		{"general", "jwt_env_variable = [\"SITE_ID_TOKEN\", \"CI_JOB_JWT_V2\", "
			    "\"CI_JOB_JWT\"]"},
		{"general", "retain_logs = false"},
		{"auth", "min_uid = 1000"},
		{"auth", "shell_allowlist = []"},
	};
	char *shown = show(GENERAL), line[100];
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		snprintf(line, sizeof(line), "%-48s  # default", defaults[i].shown);
		expect_line(shown, defaults[i].table, line);
	}
	expect_line(shown, "general", "# name is unset");
	expect_line(shown, "auth", "# downscope is unset");
	expect_line(shown, "auth.limits", "# nofile is unset");
	free(shown);
}
END_TEST

START_TEST(what_is_without_effect_is_shown_so)
{
	static const struct {
		const char *table, *shown, *comment;
	} lines[] = {
		{"auth", "shell_allowlist = [\"/bin/sh\"]",
		 "line 6, without effect: all jobs run as the service account"},
		{"auth", "min_uid = 1000",
		 "default, without effect: all jobs run as the service account"},
		{"auth", "max_env_chars = 0", "default"},
		{"batch", "ff_slurm_sacct = true",
		 "line 8, without effect: the script itself reports its exit code"},
	};
	char *shown = show(GENERAL "[auth]\ndownscope = 'none'\nshell_allowlist = ['/bin/sh']\n"
				   "[batch]\nff_slurm_sacct = true\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char line[160];
		snprintf(line, sizeof(line), "%-48s  # %s", lines[i].shown, lines[i].comment);
		expect_line(shown, lines[i].table, line);
	}
	free(shown);
}
END_TEST

START_TEST(every_key_has_a_line)
{
	char *shown = show(GENERAL), expected[100];
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		const struct schema_row *row = &SCHEMA[i];
		snprintf(expected, sizeof(expected), "\n%s = ", row->name);
		bool set = strstr(shown, expected) != NULL;
		snprintf(expected, sizeof(expected), "\n# %s is unset\n", row->name);
		ck_assert_msg(set != (strstr(shown, expected) != NULL), "%s", row->name);
	}
	free(shown);
}
END_TEST

/* No file can hold these: what shows them relies on no check of a value. */
START_TEST(nothing_hostile_reaches_a_terminal)
{
	static const struct {
		char string[16];
		const char *shown;
	} strings[] = {
		{"\x1b[31m", "\"\\u001B[31m\""},
		{"a\nb\rc\bd\fe", "\"a\\nb\\rc\\bd\\fe\""},
		{"\x7f\xc2\x9b", "\"\\u007F\\u009B\""},
		{"\x01\x1f", "\"\\u0001\\u001F\""},
	};
	struct settings *settings = parse(GENERAL);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		settings->general.name = strdup(strings[i].string);
		char *shown = show_settings(settings);
		const char *begin = strstr(shown, "\nname = ");
		ck_assert_ptr_nonnull(begin);
		ck_assert_msg(strncmp(begin + 8, strings[i].shown, strlen(strings[i].shown)) == 0,
			      "%s", begin);
		free(settings->general.name);
		free(shown);
	}
	settings->general.name = NULL;
	settings_free(settings);
}
END_TEST

static const struct {
	int64_t milliseconds;
	const char *shown;
} DURATIONS[] = {
	{0, "0s"},
	{1, "1ms"},
	{999, "999ms"},
	{1000, "1s"},
	{1500, "1.5s"},
	{1010, "1.01s"},
	{59001, "59.001s"},
	{60000, "1m0s"},
	{90000, "1m30s"},
	{3600000, "1h0m0s"},
	{3661100, "1h1m1.1s"},
	{DURATION_MAX_MS, "168h0m0s"},
	{3600001, "1h0m0.001s"},
};

START_TEST(a_duration_is_shown_as_go_does)
{
	int64_t milliseconds = -1;
	char expected[40];
	struct settings *settings = parse(GENERAL);
	settings->general.kill_timeout_ms = DURATIONS[_i].milliseconds;
	char *shown = show_settings(settings);
	snprintf(expected, sizeof(expected), "\nkill_timeout = \"%s\" ", DURATIONS[_i].shown);
	ck_assert_msg(strstr(shown, expected) != NULL, "no%sin\n%s", expected, shown);
	ck_assert_ptr_null(parse_duration(DURATIONS[_i].shown, &milliseconds));
	ck_assert_int_eq(milliseconds, DURATIONS[_i].milliseconds);
	free(shown);
	settings_free(settings);
}
END_TEST

static void expect_same_strings(const char *name, const char *was, const char *is)
{
	ck_assert_msg((was == NULL) == (is == NULL), "%s", name);
	ck_assert_msg(was == NULL || strcmp(was, is) == 0, "%s", name);
}

/* The fields of one key, of the settings before and after, hold the same. */
static void expect_same(const struct schema_row *row, const void *was, const void *is)
{
	static const size_t sizes[] = {
		[SCHEMA_CHOICE] = sizeof(unsigned int),
		[SCHEMA_BOOLEAN] = sizeof(bool),
		[SCHEMA_INTEGER] = sizeof(int64_t),
		[SCHEMA_DURATION] = sizeof(int64_t),
	};
	const struct string_list *list = was, *other = is;
	const struct limit_setting *limit = was, *other_limit = is;
	switch (row->type) {
	case SCHEMA_STRING:
	case SCHEMA_STRING_OR_INTEGER:
		expect_same_strings(row->name, *(char *const *)was, *(char *const *)is);
		break;
	case SCHEMA_LIST:
	case SCHEMA_STRING_OR_LIST:
		ck_assert_msg(list->count == other->count, "%s", row->name);
		for (size_t i = 0; i < list->count; i++)
			expect_same_strings(row->name, list->items[i], other->items[i]);
		break;
	case SCHEMA_LIMIT:
		ck_assert_msg(limit->set == other_limit->set && limit->value == other_limit->value,
			      "%s", row->name);
		break;
	default:
		ck_assert_msg(memcmp(was, is, sizes[row->type]) == 0, "%s", row->name);
	}
}

static const char *const FILES[] = {
	GENERAL,
	"[general]\nexecutor = 'shell'\ndata_dir = '/scratch/ci'\n"
	"name = \"\xc3\xbc \\\\ \\\"\"\njob_message = '''\none # two\n\t'three' = [\n'''\n"
	"shell_path = '/opt/b in/bash'\ngitlab_server = 'https://gitlab.example.com:8443/git'\n"
	"tls_ca_file = '/etc/\xf0\x9f\x98\x80.pem'\nkill_timeout = '1h0m0.001s'\nretain_logs = "
	"true\n"
	"jwt_env_variable = ['A', 'B']\njwt_required_aud = '#'\n"
	"[auth]\ndownscope = 'setuid'\njacamar_path = '/opt/jacamar/bin'\nmin_uid = 4294967294\n"
	"shell_allowlist = ['/bin/bash', '/bin/a,b', '/bin/]']\ndownscope_env = ['X', '_Y']\n"
	"no_new_privs = true\nmax_env_chars = 9223372036854775807\n"
	"[auth.limits]\nnofile = 128\nnproc = 0\ncore = 9223372036854775806\ncpu = 1\nas = 2\n"
	"memlock = 'unlimited'\nstack = 3\nfsize = 'unlimited'\n",
};

START_TEST(what_is_shown_is_read_as_the_same)
{
	struct settings *was = parse(FILES[_i]);
	char *shown = show_settings(was);
	struct settings *is = parse(shown);
	for (size_t i = 0; i < SCHEMA_ROWS; i++)
		expect_same(&SCHEMA[i], (const char *)was + SCHEMA[i].offset,
			    (const char *)is + SCHEMA[i].offset);
	free(shown);
	settings_free(was);
	settings_free(is);
}
END_TEST

START_TEST(it_is_ascii_alone)
{
	char *shown = show(FILES[1]);
	for (const char *at = shown; *at != '\0'; at++)
		ck_assert_msg(*at == '\n' || (*at >= ' ' && *at <= '~'), "%s", at);
	free(shown);
}
END_TEST

Suite *show_suite(void)
{
	Suite *suite = suite_create("show");
	TCase *lines = tcase_create("lines");
	tcase_add_loop_test(lines, a_value_is_shown_with_its_line, 0, ROWS(VALUES));
	tcase_add_test(lines, what_the_file_does_not_set_is_shown);
	tcase_add_test(lines, what_is_without_effect_is_shown_so);
	tcase_add_test(lines, every_key_has_a_line);
	tcase_add_test(lines, nothing_hostile_reaches_a_terminal);
	tcase_add_loop_test(lines, a_duration_is_shown_as_go_does, 0, ROWS(DURATIONS));
	tcase_add_loop_test(lines, what_is_shown_is_read_as_the_same, 0, ROWS(FILES));
	tcase_add_test(lines, it_is_ascii_alone);
	suite_add_tcase(suite, lines);
	return suite;
}
