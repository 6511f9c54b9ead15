/*
 * What doctor reads: the runner's file, the listing of sudo, modes, and words for a shell. Also:
 * which account it chooses as the service account.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/doctor/runner_file.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

/* --- the runner's file --- */

static struct runner_file *parse(const char *text)
{
	struct error err = {.detail = ""};
	struct runner_file *file = malloc(sizeof(*file));
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(runner_file_parse(text, strlen(text), file, &err), 0);
	return file;
}

static void release(struct runner_file *file)
{
	runner_file_free(file);
	free(file);
}

START_TEST(each_runner_has_its_own_commands)
{
	struct runner_file *file = parse("concurrent = 5\n"
					 "shutdown_timeout = 300\n"
					 "[[runners]]\n"
					 "  url = \"https://one.example.com\"\n"
					 "  executor = \"shell\"\n"
					 "[[runners]]\n"
					 "  url = 'https://two.example.com'\n"
					 "  [runners.custom]\n"
					 "    config_exec = \"/opt/jacamar/bin/jacamar-auth\"\n"
					 "    config_args = [\"config\", # stage\n"
					 "      \"--configuration\", \"/etc/x.toml\",\n"
					 "    ]\n"
					 "    graceful_kill_timeout = 1_80\n");
	ck_assert_uint_eq(file->count, 2);
	ck_assert_int_eq(json_integer_value(file->shutdown_timeout.value), 300);
	ck_assert_uint_eq(file->shutdown_timeout.line, 2);
	ck_assert_str_eq(runner_string(&file->runners[0].executor), "shell");
	ck_assert_ptr_null(runner_string(&file->runners[0].exec[RUNNER_CONFIG]));
	const struct runner *two = &file->runners[1];
	ck_assert_uint_eq(two->line, 6);
	ck_assert_str_eq(runner_string(&two->url), "https://two.example.com");
	ck_assert_str_eq(runner_string(&two->exec[RUNNER_CONFIG]), "/opt/jacamar/bin/jacamar-auth");
	ck_assert_uint_eq(two->exec[RUNNER_CONFIG].line, 9);
	ck_assert_uint_eq(two->arguments[RUNNER_CONFIG].line, 10);
	ck_assert_uint_eq(json_array_size(two->arguments[RUNNER_CONFIG].value), 3);
	ck_assert_str_eq(json_string_value(json_array_get(two->arguments[RUNNER_CONFIG].value, 2)),
			 "/etc/x.toml");
	ck_assert_int_eq(json_integer_value(two->graceful_kill_timeout.value), 180);
	ck_assert_uint_eq(two->graceful_kill_timeout.line, 13);
	release(file);
}
END_TEST

/* All of these are a file of one runner whose executor is "custom". */
static const char *const SPELLINGS[] = {
	"[[runners]]\nexecutor = \"custom\"\n",
	"[[ runners ]] # ours\n\texecutor='custom' # so\n",
	"[[\"runners\"]]\r\n\"executor\" = \"custom\"\r\n",
	"\xef\xbb\xbf[[runners]]\nexecutor = \"\"\"custom\"\"\"",
	"[[runners]]\nexecutor = \"custom\"\nexecutor = \"shell\"\n",
	/* Values of any type that doctor does not need. */
	"[[runners]]\nx = 1.5\ny = 1979-05-27\nz = {a = 1}\nw = [[1], [2]]\nexecutor='custom'\n",
	"[[runners]]\nw = [\n  {a = 1},\n  2,\n]\nexecutor = \"custom\"\n",
	"[[runners]]\n'a.b'.\"c=d\" = \"]\"\nexecutor = 'custom'\n[[runners.x]]\nexecutor = 1\n",
	"no sense\n[[runners]]\n= \nexecutor = \"custom\"\n[runners.docker]\nexecutor = \"x\"\n",
};

START_TEST(what_is_of_no_interest_is_passed_over)
{
	struct runner_file *file = parse(SPELLINGS[_i]);
	ck_assert_uint_eq(file->count, 1);
	ck_assert_ptr_nonnull(runner_string(&file->runners[0].executor));
	ck_assert_str_eq(runner_string(&file->runners[0].executor), "custom");
	release(file);
}
END_TEST

/* For any text, reading it ends, and what was read is freed. */
static const char *const ODD[] = {
	"",
	"[",
	"[[",
	"[[runners",
	"[[runners]]\nexecutor",
	"[[runners]]\nexecutor =",
	"[[runners]]\nexecutor = \"cus",
	"[[runners]]\n[runners.custom]\nconfig_args = [\"a\"",
	"[[runners]]\n[runners.custom]\nconfig_args = [1]",
	"\"\"\"",
	"executor = \"custom\"",
	"[runners]\nexecutor = \"custom\"",
};

START_TEST(no_runner_is_made_of_half_a_file)
{
	struct runner_file *file = parse(ODD[_i]);
	if (file->count > 0)
		ck_assert_ptr_null(runner_string(&file->runners[0].executor));
	release(file);
}
END_TEST

/* What the runner itself would refuse, and the line; 0: it is TOML. */
static const struct {
	const char *text;
	size_t line;
	const char *fault;
} TOML[] = {
	{"", 0, ""},
	{"a = 1\n[b]\nc = \"x\" # d\n[[e]]\n[[e]]\nf = 'g'\n", 0, ""},
	{"a = 1.5\nb = 1979-05-27 07:32:00Z\nc = {d = [1, \"]\"], e = '}'}\nf = inf\n", 0, ""},
	{"a = [\n  [1, 2], # ]\n  {b = 1},\n]\nc = true\n", 0, ""},
	{"[a]\n\"b=c\" = \"d\"\n\"e.f/g\" = \"h\"\n", 0, ""},
	/* The same name in another element, and in another table. */
	{"[[a]]\nb = 1\n[a.c]\nb = 2\n[[a]]\nb = 3\n[a.c]\nb = 4\n", 0, ""},
	{"[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\nc = 2\n[[a]]\n[[a.b]]\nc = 3\n", 0, ""},
	{"a = [1.5, 1979-05-27 07:32:00, 07:32:00, -inf, +nan, 1e3]\nb = 1979-05-27\n", 0, ""},
	{"a = [\"b\", 1]\nb = [['''\n]''', \"]\"]] # ]\nc = {}\n", 0, ""},
	{"a = 1\na = 2\n", 2, "already"},
	{"[a]\nb.c = 1\n[d]\n[a.b]\nc = 2\n", 4, "already"},
	{"[a]\n[b]\n[a]\n", 3, "already"},
	{"[[a]]\nb = 1\nb = 2\n", 3, "already"},
	{"[[a]]\n[a]\n", 2, "already"},
	{"[a]\n[[a]]\n", 2, "already"},
	{"[a.b]\n[[a]]\n", 2, "already"},
	{"[[a]]\n[b]\n[b]\n[[a]]\n", 3, "already"},
	{"a = \"b\n", 1, "closing"},
	{"\na = [\n1,\n", 2, "never closed"},
	{"a = {b = 1\n", 1, "never closed"},
	{"a = b\n", 1, "quotes"},
	{"a = 12k\n", 1, "number"},
	{"a = 1979-05-27 b\n", 1, "unexpected text"},
	{"a =\n", 1, "missing"},
	{"a = 1 b\n", 1, "unexpected text"},
	{"a = \"b\" \"\n", 1, "unexpected text"},
	{"a\n", 1, "equals sign"},
	{"= 1\n", 1, "missing"},
	{"[a\n", 1, "closing bracket"},
	{"[[a]\n", 1, "closing bracket"},
	{"[]\n", 1, "missing"},
	{"[a] b\n", 1, "unexpected text"},
	{"a = \"\001\"\n", 1, "control"},
};

START_TEST(what_is_not_toml_is_told_with_its_line)
{
	struct runner_file *file = parse(TOML[_i].text);
	ck_assert_msg(file->fault_line == TOML[_i].line, "%s: %zu %s", TOML[_i].text,
		      file->fault_line, file->fault);
	ck_assert_msg(strstr(file->fault, TOML[_i].fault) != NULL, "%s", file->fault);
	release(file);
}
END_TEST

/* Each with as many keys as a real one: more in all than our own file may have. */
START_TEST(more_runners_than_there_is_room_for_are_passed_over)
{
	struct error err = {.detail = ""};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	for (int i = 0; i < RUNNERS_MAX + 3; i++) {
		fprintf(out, "[[runners]]\nurl = \"%d\"\n[runners.docker]\n", i);
		for (int key = 0; key < 30; key++)
			fprintf(out, "key%d = 1.5\n", key);
	}
	fprintf(out, "[runners.custom]\nrun_exec = 'x'\n");
	fclose(out);
	struct runner_file *file = malloc(sizeof(*file));
	ck_assert_int_eq(runner_file_parse(text, size, file, &err), 0);
	ck_assert_uint_eq(file->count, RUNNERS_MAX);
	ck_assert_msg(file->fault_line == 0, "%s", file->fault);
	const struct runner *last = &file->runners[RUNNERS_MAX - 1];
	ck_assert_str_eq(runner_string(&last->url), "63");
	/* A key of a runner beyond them is not the last one's. */
	ck_assert_ptr_null(runner_string(&last->exec[RUNNER_RUN]));
	release(file);
	free(text);
}
END_TEST

/* --- which account runs the runner --- */

#define RUNNER 990
#define OTHER  1001

/*
 * The program belongs to root's group, to a group with the name of an account, or to another group.
 */
#define CLOSED .is_private = true
#define CAPS   CLOSED, .is_capable = true
#define NAMED  .has_group = true
#define ROOTS  .is_of_root = true

static const struct {
	struct service_clues clues;
	enum service_source source;
} SERVICES[] = {
	/*
	 * If root's program is for a group with an account's name, that account is chosen, whoever
	 * asks.
	 */
	{{.caller = 0, CAPS, NAMED}, SERVICE_OF_GROUP},
	{{.caller = RUNNER, CAPS, NAMED, .is_let_in = true}, SERVICE_OF_GROUP},
	{{.caller = OTHER, CAPS, NAMED}, SERVICE_OF_GROUP},
	{{.caller = OTHER, CAPS, NAMED, .is_let_in = true}, SERVICE_OF_GROUP},
	{{.caller = 0, CLOSED, NAMED}, SERVICE_OF_GROUP},
	{{.caller = 0, .is_capable = true, NAMED}, SERVICE_OF_GROUP},
	{{.caller = 0, CAPS, NAMED, .has_runner_file = true}, SERVICE_OF_GROUP},
	{{.caller = 0, CAPS, NAMED, .configuration_owner = OTHER}, SERVICE_OF_GROUP},
	/* A program for everyone, without capabilities, tells nothing. */
	{{.caller = OTHER, NAMED}, SERVICE_OF_CALLER},
	{{.caller = OTHER, NAMED, .has_runner_file = true}, SERVICE_OF_RUNNER_FILE},
	/* An account that may execute a program that is not for everyone is chosen. */
	{{.caller = RUNNER, CAPS, .is_let_in = true}, SERVICE_OF_CALLER},
	{{.caller = RUNNER, CAPS, .is_let_in = true, .has_runner_file = true}, SERVICE_OF_CALLER},
	{{.caller = RUNNER, CAPS, .is_let_in = true, .configuration_owner = OTHER},
	 SERVICE_OF_CALLER},
	{{.caller = RUNNER, .is_capable = true, .is_let_in = true}, SERVICE_UNKNOWN},
	/* If the program tells nothing, the owner of the runner's file is chosen. */
	{{.caller = 0, CAPS, .has_runner_file = true}, SERVICE_OF_RUNNER_FILE},
	{{.caller = 0, CAPS, ROOTS, .has_runner_file = true}, SERVICE_OF_RUNNER_FILE},
	{{.caller = RUNNER, CAPS, ROOTS, .has_runner_file = true}, SERVICE_OF_RUNNER_FILE},
	{{.caller = 0, .has_runner_file = true}, SERVICE_OF_RUNNER_FILE},
	{{.caller = 0, .has_runner_file = true, .configuration_owner = OTHER},
	 SERVICE_OF_RUNNER_FILE},
	/*
	 * Without that file, a program that the caller may not execute is for an unknown account.
	 */
	{{.caller = 0, CAPS}, SERVICE_UNKNOWN},
	{{.caller = 0, CAPS, .is_let_in = true}, SERVICE_UNKNOWN},
	{{.caller = 0, CAPS, ROOTS}, SERVICE_UNKNOWN},
	{{.caller = 0, CLOSED}, SERVICE_UNKNOWN},
	{{.caller = OTHER, CAPS}, SERVICE_UNKNOWN},
	{{.caller = OTHER, CLOSED, ROOTS}, SERVICE_UNKNOWN},
	{{.caller = 0, .is_capable = true, ROOTS}, SERVICE_UNKNOWN},
	/* If only root may execute the program, root is the service account. */
	{{.caller = 0, CLOSED, ROOTS}, SERVICE_OF_CALLER},
	{{.caller = 0, CLOSED, ROOTS, .configuration_owner = OTHER}, SERVICE_UNKNOWN},
	/*
	 * A program for everyone: the caller is chosen, unless another account owns the
	 * configuration.
	 */
	{{.caller = 0}, SERVICE_OF_CALLER},
	{{.caller = RUNNER}, SERVICE_OF_CALLER},
	{{.caller = 0, .configuration_owner = OTHER}, SERVICE_UNKNOWN},
	{{.caller = RUNNER, .configuration_owner = RUNNER}, SERVICE_OF_CALLER},
	{{.caller = OTHER, .configuration_owner = RUNNER}, SERVICE_UNKNOWN},
};

START_TEST(who_owns_a_file_alone_is_not_the_service_account)
{
	ck_assert_int_eq(service_choose(&SERVICES[_i].clues), SERVICES[_i].source);
}
END_TEST

/* --- findings --- */

START_TEST(a_finding_without_a_place_leaves_the_remedy_of_the_last)
{
	struct doctor *doctor = calloc(1, sizeof(*doctor));
	ck_assert_ptr_nonnull(doctor);
	for (size_t i = 0; i < DOCTOR_FINDINGS_MAX; i++)
		doctor_say(doctor, DOCTOR_PASS, "check", "%zu", i);
	doctor_mend(doctor, "its own");
	doctor_say(doctor, DOCTOR_FAIL, "check", "no place");
	doctor_mend(doctor, "another's");
	struct doctor_finding *last = &doctor->findings[DOCTOR_FINDINGS_MAX - 1];
	ck_assert_uint_eq(doctor->count, DOCTOR_FINDINGS_MAX);
	ck_assert_str_eq(last->remedy, "its own");
	ck_assert_int_eq(doctor_verdict(doctor), DOCTOR_FAIL);
	doctor_free(doctor);
	free(doctor);
}
END_TEST

/* --- sudo's listing --- */

#define OPTIONS                                                                     \
	"Matching Defaults entries for gitlab-runner on host:\n"                    \
	"    env_reset, mail_badpass, secure_path=/usr/bin\\:/bin, !requiretty\n\n" \
	"Runas and Command-specific defaults for gitlab-runner:\n"                  \
	"    Defaults!/bin/j !log_input, !log_output\n"                             \
	"    Defaults!/bin/jj stay_setuid, log_input\n\n"                           \
	"User gitlab-runner may run the following commands on host:\n"
#define BEGIN "    (usr) NOPASSWD: "

static const struct {
	const char *listing;
	bool asks;
} COMMANDS[] = {
	{BEGIN "/bin/j config\n", false},
	{"    (usr) /bin/j config\n", true},
	{"    (usr) PASSWD: /bin/j config\n", true},
	{BEGIN "/bin/x, /bin/j config\n", false},
	{BEGIN "/bin/x, PASSWD: /bin/j config\n", true},
	{"    (usr) /bin/x, NOPASSWD: /bin/j config, /bin/y\n", false},
	/* The last line that matches counts. */
	{"    (usr) /bin/j config\n" BEGIN "/bin/j config\n", false},
	{BEGIN "/bin/j config\n    (usr) /bin/j config\n", true},
	/* Lines about other commands, and the tags of other lines, have no effect. */
	{BEGIN "/bin/j configure\n    (usr) /bin/x\n", false},
	{BEGIN "/bin/x\n    (usr) /bin/j config\n", true},
	{"    (usr) NOPASSWD: ALL\n", false},
	/* Folded. */
	{BEGIN "/bin/j\n        config\n", false},
	{"    (usr) /bin/j\n        config\n", true},
};

START_TEST(the_tag_before_a_command_holds)
{
	char text[2048];
	snprintf(text, sizeof(text), "%s%s", OPTIONS, COMMANDS[_i].listing);
	sudo_listing_unfold(text);
	ck_assert_msg(sudo_listing_asks_password(text, "/bin/j config") == COMMANDS[_i].asks, "%s",
		      text);
}
END_TEST

static const struct {
	const char *option;
	const char *path;
	bool set;
} OPTION_ROWS[] = {
	{"env_reset", "/bin/j", true},	  {"requiretty", "/bin/j", false},
	{"log_input", "/bin/j", false},	  {"stay_setuid", "/bin/j", false},
	{"stay_setuid", "/bin/jj", true}, {"log_input", "/bin/jj", true},
	{"log", "/bin/jj", false},	  {"run", "/bin/j", false},
	{"mail", "/bin/j", false},	  {"secure_path", "/bin/j", false},
};

START_TEST(an_option_holds_for_all_or_for_the_command)
{
	ck_assert(sudo_listing_has_option(OPTIONS, OPTION_ROWS[_i].option, OPTION_ROWS[_i].path) ==
		  OPTION_ROWS[_i].set);
}
END_TEST

START_TEST(the_last_setting_of_an_option_counts)
{
	static const char text[] = "    log_input\n    Defaults!/bin/j !log_input\n"
				   "    !log_output, log_output\n    Defaults!ALL stay_setuid\n";
	ck_assert(!sudo_listing_has_option(text, "log_input", "/bin/j"));
	ck_assert(sudo_listing_has_option(text, "log_input", "/bin/k"));
	ck_assert(sudo_listing_has_option(text, "log_output", "/bin/j"));
	ck_assert(sudo_listing_has_option(text, "stay_setuid", "/bin/j"));
}
END_TEST

/* --- names for a shell --- */

static const struct {
	const char *name;
	const char *word;
} WORDS[] = {
	{"/opt/jacamar/bin/jacamar-auth", "/opt/jacamar/bin/jacamar-auth"},
	{"", "''"},
	{"-R", "./-R"},
	{"+!id", "'./+!id'"},
	{"-\n", "$'\\056\\057\\055\\012'"},
	{"a b", "'a b'"},
	{"it's", "'it'\\''s'"},
	{"$(id)", "'$(id)'"},
	{"~/x", "'~/x'"},
	{"a\033[31mb", "$'\\141\\033\\133\\063\\061\\155\\142'"},
	{"a\nb", "$'\\141\\012\\142'"},
	{"\xc3\xa9", "$'\\303\\251'"},
};

/* Checks the remedy that has this name after a command and a number. */
static void check_word(const char *name, const char *word)
{
	char *expected = text_format("ls %s at 7", word);
	struct doctor *doctor = calloc(1, sizeof(*doctor));
	ck_assert_ptr_nonnull(doctor);
	doctor_say(doctor, DOCTOR_FAIL, "check", "what");
	doctor_mend(doctor, "ls %s", name);
	doctor_mend(doctor, " at %zu", (size_t)7);
	ck_assert_str_eq(doctor->findings[0].remedy, expected);
	doctor_free(doctor);
	free(doctor);
	free(expected);
}

START_TEST(a_name_is_one_word_of_a_shell)
{
	check_word(WORDS[_i].name, WORDS[_i].word);
}
END_TEST

START_TEST(a_long_name_is_given_as_a_whole)
{
	static char name[3 * PATH_MAX];
	memset(name, 'a', sizeof(name) - 1);
	check_word(name, name);
}
END_TEST

/* --- modes --- */

static const struct {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	unsigned int permissions;
} MODES[] = {
	{0740, 1000, 5, 7}, {0047, 1000, 5, 0}, {0750, 4, 1000, 5},
	{0705, 4, 1000, 0}, {0701, 4, 5, 1},	{0770, 4, 5, 0},
};

START_TEST(the_owner_then_the_group_then_the_others)
{
	struct account account = {.name = "no-such-account", .uid = 1000, .gid = 1000};
	struct stat file = {.st_mode = S_IFREG | MODES[_i].mode,
			    .st_uid = MODES[_i].uid,
			    .st_gid = MODES[_i].gid};
	ck_assert_uint_eq(doctor_permissions(&file, &account), MODES[_i].permissions);
}
END_TEST

/* --- the first fault of a path --- */

START_TEST(the_first_fault_of_a_way_is_told)
{
	struct error err = {.detail = ""};
	struct secure_path_fault fault;
	const struct secure_path_terms terms = {.what = "a program", .owner = geteuid()};
	free(secure_path_examine("/bin/sh", &terms, &fault, &err));
	ck_assert_str_eq(fault.entry, "");
	struct path outer = scratch_make();
	struct path inner = path_of("%s/inner", outer.text);
	scratch_directory(inner.text, 0777);
	struct path file = path_of("%s/file", inner.text);
	scratch_write(file.text, "", 0666);
	ck_assert_ptr_null(secure_path_examine(file.text, &terms, &fault, &err));
	/* A directory above the tests' own may already have a fault. */
	if (strncmp(fault.entry, outer.text, strlen(outer.text)) == 0)
		ck_assert_str_eq(fault.entry, inner.text);
	ck_assert(!fault.foreign || fault.owner != 0);
	ck_assert_ptr_nonnull(strstr(err.detail, file.text));
}
END_TEST

Suite *doctor_suite(void)
{
	Suite *suite = suite_create("doctor");
	TCase *tcase = tcase_create("doctor");

	tcase_add_test(tcase, each_runner_has_its_own_commands);
	tcase_add_loop_test(tcase, what_is_of_no_interest_is_passed_over, 0, ROWS(SPELLINGS));
	tcase_add_loop_test(tcase, no_runner_is_made_of_half_a_file, 0, ROWS(ODD));
	tcase_add_loop_test(tcase, what_is_not_toml_is_told_with_its_line, 0, ROWS(TOML));
	tcase_add_test(tcase, more_runners_than_there_is_room_for_are_passed_over);
	tcase_add_loop_test(tcase, who_owns_a_file_alone_is_not_the_service_account, 0,
			    ROWS(SERVICES));
	tcase_add_test(tcase, a_finding_without_a_place_leaves_the_remedy_of_the_last);
	tcase_add_loop_test(tcase, the_tag_before_a_command_holds, 0, ROWS(COMMANDS));
	tcase_add_loop_test(tcase, an_option_holds_for_all_or_for_the_command, 0,
			    ROWS(OPTION_ROWS));
	tcase_add_test(tcase, the_last_setting_of_an_option_counts);
	tcase_add_loop_test(tcase, a_name_is_one_word_of_a_shell, 0, ROWS(WORDS));
	tcase_add_test(tcase, a_long_name_is_given_as_a_whole);
	tcase_add_loop_test(tcase, the_owner_then_the_group_then_the_others, 0, ROWS(MODES));
	tcase_add_test(tcase, the_first_fault_of_a_way_is_told);
	suite_add_tcase(suite, tcase);
	return suite;
}
