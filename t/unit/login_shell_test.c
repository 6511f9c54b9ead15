/* The login shell: its input, and which of its output is used. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/executor/login_shell.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static const struct {
	const char *text;
	const char *quoted;
} QUOTES[] = {
	{"", "''"},	  {"a b", "'a b'"},	  {"$x `y` \"z\" \\ \n", "'$x `y` \"z\" \\ \n'"},
	{"'", "''\\'''"}, {"it's", "'it'\\''s'"}, {"''", "''\\'''\\'''"},
};

START_TEST(a_shell_reads_quoted_text_as_it_is)
{
	char *quoted = login_shell_quote(QUOTES[_i].text);
	ck_assert_str_eq(quoted, QUOTES[_i].quoted);
	free(quoted);
}
END_TEST

static struct path home;
static struct test_header made;

static void setup(void)
{
	home = scratch_make();
	test_header_init(&made, home.text);
}

static void teardown(void)
{
	test_header_free(&made);
}

/* What a test looks at in the child. */
struct run {
	const char *lines;
	bool output_to_errors;
	struct login_shell_end end;
};

static void run(struct run *run)
{
	struct error err = {.detail = ""};
	int ends[2];
	child_require(pipe2(ends, O_CLOEXEC) == 0);
	struct channel_reader channel = {.fd = ends[0]};
	struct login_shell shell = {.header = &made.header,
				    .lines = run->lines,
				    .output_to_errors = run->output_to_errors};
	child_require(login_shell_run(&shell, &channel, &run->end, &err) == 0);
}

static void report_all(const void *argument)
{
	struct run here = {.lines = "echo \"$HOME $0 $- $(umask)\" >&" LOGIN_SHELL_REPORT "\n"};
	struct path expected = path_of("%s ", home.text);
	(void)argument;
	run(&here);
	child_require(!here.end.cancelled && here.end.status == 0);
	child_require(strncmp(here.end.report, expected.text, strlen(expected.text)) == 0);
	child_require(strstr(here.end.report, " 0022\n") != NULL);
	child_require(!here.end.log_is_held);
}

START_TEST(the_lines_are_run_and_their_report_is_read)
{
	ck_assert_int_eq(process_run(report_all, NULL), 0);
}
END_TEST

static void say_much(const void *argument)
{
	struct run here = {.lines = "printf '%010000d' 0 >&" LOGIN_SHELL_REPORT "\n"};
	(void)argument;
	run(&here);
	child_require(strlen(here.end.report) == LOGIN_SHELL_REPORT_SIZE - 1);
}

START_TEST(a_report_that_is_too_long_is_cut)
{
	ck_assert_int_eq(process_run(say_much, NULL), 0);
}
END_TEST

static void say_nothing(const void *argument)
{
	struct run here = {.lines = "exit 9\n"};
	(void)argument;
	run(&here);
	child_require(here.end.report[0] == '\0');
	child_require(WIFEXITED(here.end.status) && WEXITSTATUS(here.end.status) == 9);
}

START_TEST(no_report_and_an_empty_one_are_distinguished)
{
	ck_assert_int_eq(process_run(say_nothing, NULL), 0);
}
END_TEST

static void keep_the_report_open(const void *argument)
{
	/* It holds neither of the log's ends, so it may go on; its report is waited for no more. */
	struct run here = {.lines = "sleep 1000000 </dev/null >/dev/null 2>&1 & "
				    "echo $! >&" LOGIN_SHELL_REPORT "\n"};
	(void)argument;
	run(&here);
	pid_t sleeper = (pid_t)atoi(here.end.report);
	child_require(sleeper > 1 && process_is_alive(sleeper));
	kill(sleeper, SIGKILL);
}

START_TEST(a_process_that_holds_the_report_open_is_not_waited_for)
{
	ck_assert_int_eq(process_run(keep_the_report_open, NULL), 0);
}
END_TEST

static void mix_output(const void *argument)
{
	const struct path *file = argument;
	struct path out = path_of("%s/out", home.text);
	struct run here = {.lines = "echo chatter\n", .output_to_errors = true};
	int fd = open(file->text, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int null = open(out.text, O_WRONLY | O_CREAT | O_EXCL, 0600);
	child_require(dup2(null, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	run(&here);
}

START_TEST(output_of_a_profile_can_be_kept_out_of_our_output)
{
	struct path errors = path_of("%s/errors", home.text);
	size_t size = 1;
	ck_assert_int_eq(process_run(mix_output, &errors), 0);
	char *text = scratch_read(errors.text, &size);
	ck_assert_str_eq(text, "chatter\n");
	free(text);
	text = scratch_read(path_of("%s/out", home.text).text, &size);
	ck_assert_uint_eq(size, 0);
	free(text);
}
END_TEST

START_TEST(lines_that_do_not_fit_into_a_pipe_are_refused)
{
	char *lines = malloc(5000);
	memset(lines, ' ', 4999);
	lines[4999] = '\0';
	struct login_shell_end end;
	struct error err;
	struct channel_reader channel = {.fd = -1};
	struct login_shell shell = {.header = &made.header, .lines = lines};
	ck_assert_int_eq(login_shell_run(&shell, &channel, &end, &err), -1);
	free(lines);
}
END_TEST

Suite *login_shell_suite(void)
{
	Suite *suite = suite_create("login_shell");
	TCase *tcase = tcase_create("login_shell");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_shell_reads_quoted_text_as_it_is, 0, ROWS(QUOTES));
	tcase_add_test(tcase, the_lines_are_run_and_their_report_is_read);
	tcase_add_test(tcase, a_report_that_is_too_long_is_cut);
	tcase_add_test(tcase, no_report_and_an_empty_one_are_distinguished);
	tcase_add_test(tcase, a_process_that_holds_the_report_open_is_not_waited_for);
	tcase_add_test(tcase, output_of_a_profile_can_be_kept_out_of_our_output);
	tcase_add_test(tcase, lines_that_do_not_fit_into_a_pipe_are_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
