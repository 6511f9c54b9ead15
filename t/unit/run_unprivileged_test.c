/*
 * Programs of the site: their output is captured, and they have no access to our descriptors and
 * privileges.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/privilege/downscope.h"
#include "core/privilege/run_unprivileged.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct unprivileged_output captured;

/* Runs `script` with /bin/sh; the result of run_unprivileged. */
static int run_shell(const char *script, int64_t limit_ms, struct error *err)
{
	const char *arguments[] = {"sh", "-c", script, "sh", "one", "a b", NULL};
	char *environment[] = {(char *)"NAME=value", (char *)"PATH=/usr/bin:/bin", NULL};
	struct unprivileged_run capture = {
		.program = "/bin/sh",
		.descriptor = -1,
		.arguments = (char *const *)arguments,
		.environment = environment,
		.limit_ms = limit_ms,
	};
	return run_unprivileged(&capture, &captured, err);
}

/* The same, with a limit that only a hang exceeds. */
static void run_well(const char *script)
{
	struct error err = {.detail = ""};
	ck_assert_msg(run_shell(script, 600000, &err) == 0, "%s", err.detail);
}

static const struct {
	const char *script, *output, *errors;
	int code;
} RUNS[] = {
	{":", "", "", 0},
	{"exit 3", "", "", 3},
	{"echo said; echo loudly >&2; exit 1", "said\n", "loudly", 1},
	{"echo first >&2; echo second >&2", "", "first", 0},
	{"printf '\\033[2J' >&2", "", "?[2J", 0},
	{"echo \"$1,$2,$#\"", "one,a b,2\n", "", 0},
	{"env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort",
	 "NAME=value\nPATH=/usr/bin:/bin\n", "", 0},
	{"cat; pwd; umask", "/\n0022\n", "", 0},
	{"exec >&-; exec 2>&-; exit 7", "", "", 7},
	{"head -c 65536 /dev/zero | tr '\\0' x | wc -c", "65536\n", "", 0},
};

START_TEST(output_and_status_are_captured)
{
	run_well(RUNS[_i].script);
	ck_assert_str_eq(captured.output, RUNS[_i].output);
	ck_assert_uint_eq(captured.size, strlen(RUNS[_i].output));
	ck_assert_str_eq(captured.errors, RUNS[_i].errors);
	ck_assert(WIFEXITED(captured.status));
	ck_assert_int_eq(WEXITSTATUS(captured.status), RUNS[_i].code);
}
END_TEST

START_TEST(output_that_fits_is_captured_and_one_byte_more_is_an_error)
{
	struct error err;
	run_well("head -c 65536 /dev/zero | tr '\\0' x");
	ck_assert_uint_eq(captured.size, 65536);
	ck_assert_int_eq(run_shell("head -c 65537 /dev/zero | tr '\\0' x", 600000, &err), -1);
	ck_assert_str_eq(err.detail, "it prints more than 65536 bytes");
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_int_eq(run_shell("while :; do echo loud; done", 600000, &err), -1);
	ck_assert_str_eq(err.detail, "it prints more than 65536 bytes");
	run_well("head -c 1000000 /dev/zero >&2");
	ck_assert_uint_eq(captured.size, 0);
}
END_TEST

START_TEST(a_signal_is_captured)
{
	run_well("kill -KILL $$");
	ck_assert(WIFSIGNALED(captured.status));
	ck_assert_int_eq(WTERMSIG(captured.status), SIGKILL);
}
END_TEST

/* The pid that the script left in the file. */
static pid_t pid_in(const struct path *file)
{
	size_t size;
	char *text = scratch_read(file->text, &size);
	pid_t pid = (pid_t)atoi(text);
	free(text);
	ck_assert_int_gt(pid, 1);
	return pid;
}

START_TEST(a_program_that_takes_too_long_is_killed_with_its_children)
{
	struct path place = scratch_make();
	struct path file = path_of("%s/pid", place.text);
	struct error err;
	char script[4 * SCRATCH_SIZE];
	snprintf(script, sizeof(script),
		 "trap '' TERM HUP; setsid sleep 600 & echo $! >%s; mv %s %s.moved; sleep 600",
		 file.text, file.text, file.text);
	/* Long enough to have begun, on any machine. */
	ck_assert_int_eq(run_shell(script, 5000, &err), -1);
	ck_assert_str_eq(err.detail, "it has not ended in time");
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	struct path moved = path_of("%s.moved", file.text);
	process_wait_until_dead(pid_in(&moved));
}
END_TEST

START_TEST(processes_that_it_leaves_running_are_killed)
{
	struct path place = scratch_make();
	struct path file = path_of("%s/pid", place.text);
	char script[4 * SCRATCH_SIZE];
	snprintf(script, sizeof(script), "setsid sleep 600 & echo $! >%s; echo done", file.text);
	run_well(script);
	ck_assert_str_eq(captured.output, "done\n");
	process_wait_until_dead(pid_in(&file));
}
END_TEST

START_TEST(it_has_no_privilege_and_cannot_gain_one)
{
	run_well("grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|SigIgn|SigBlk):' /proc/self/status");
	ck_assert_str_eq(captured.output, "SigBlk:\t0000000000000000\n"
					  "SigIgn:\t0000000000000000\n"
					  "CapInh:\t0000000000000000\n"
					  "CapPrm:\t0000000000000000\n"
					  "CapEff:\t0000000000000000\n"
					  "CapAmb:\t0000000000000000\n"
					  "NoNewPrivs:\t1\n");
}
END_TEST

START_TEST(it_inherits_no_descriptor)
{
	int fd = open("/etc/passwd", O_RDONLY);
	ck_assert_int_ge(fd, 3);
	run_well("for fd in /proc/self/fd/*; do [ -e $fd ] && echo ${fd##*/}; done");
	ck_assert_str_eq(captured.output, "0\n1\n2\n");
	close(fd);
}
END_TEST

/* A script, opened and then exchanged under its path: what was opened is what runs. */
static void run_opened(const char *text, const char *path, int descriptor)
{
	const char *arguments[] = {path, NULL};
	char *environment[] = {NULL};
	struct error err = {.detail = ""};
	struct unprivileged_run capture = {
		.program = path,
		.descriptor = descriptor,
		.arguments = (char *const *)arguments,
		.environment = environment,
		.limit_ms = 600000,
	};
	ck_assert_msg(run_unprivileged(&capture, &captured, &err) == 0, "%s", err.detail);
	ck_assert_msg(strcmp(captured.output, text) == 0, "%s%s", captured.output, captured.errors);
}

START_TEST(the_open_file_is_executed_not_its_path)
{
	struct path place = scratch_make();
	struct path path = path_of("%s/script", place.text);
	scratch_write(path.text, "#!/bin/sh\necho checked\n", 0700);
	int fd = open(path.text, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	run_opened("checked\n", path.text, -1);
	ck_assert_int_eq(unlink(path.text), 0);
	scratch_write(path.text, "#!/bin/sh\necho swapped\n", 0700);
	run_opened("checked\n", path.text, fd);
	run_opened("swapped\n", path.text, -1);
	close(fd);
}
END_TEST

START_TEST(a_program_that_cannot_be_executed_is_an_error)
{
	struct path place = scratch_make();
	struct path path = path_of("%s/missing", place.text);
	const char *arguments[] = {path.text, NULL};
	char *environment[] = {NULL};
	struct error err;
	struct unprivileged_run capture = {
		.program = path.text,
		.descriptor = -1,
		.arguments = (char *const *)arguments,
		.environment = environment,
		.limit_ms = 600000,
	};
	ck_assert_int_eq(run_unprivileged(&capture, &captured, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.detail, "cannot execute"));
}
END_TEST

/* With room for what run_unprivileged itself opens, and no descriptor more. */
static void run_without_descriptors(const void *argument)
{
	struct error err = {.detail = ""};
	struct rlimit files;
	(void)argument;
	child_require(io_close_from(STDERR_FILENO + 1, &err) == 0);
	child_require(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = STDERR_FILENO + 1 + 7;
	child_require(setrlimit(RLIMIT_NOFILE, &files) == 0);
	child_require(run_shell("echo it runs", 600000, &err) == -1);
	child_require(captured.size == 0 && err.kind == ERROR_SYSTEM);
	child_require(strcmp(err.detail, "cannot open /dev/null: Too many open files") == 0);
}

START_TEST(a_child_that_cannot_be_set_up_is_an_error)
{
	ck_assert_int_eq(process_run(run_without_descriptors, NULL), 0);
}
END_TEST

static void be_told_to_end(const void *argument)
{
	struct error err;
	(void)argument;
	/* The program itself sends the signal. */
	child_require(run_shell("kill -TERM $PPID; sleep 600", 600000, &err) == -1);
	child_require(err.kind == ERROR_CANCELLED);
}

static void wait_for_something_else(const void *argument)
{
	struct error err;
	sigset_t blocked;
	(void)argument;
	child_require(run_shell("exit 0", 600000, &err) == 0);
	child_require(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0);
	child_require(sigismember(&blocked, SIGTERM) == 0);
}

START_TEST(signals_are_not_blocked_afterwards)
{
	ck_assert_int_eq(process_run(wait_for_something_else, NULL), 0);
}
END_TEST

START_TEST(a_cancel_ends_it)
{
	ck_assert_int_eq(process_run(be_told_to_end, NULL), 0);
}
END_TEST

Suite *run_unprivileged_suite(void)
{
	Suite *suite = suite_create("run_unprivileged");
	TCase *tcase = tcase_create("capture");
	TCase *waits = tcase_create("waits");

	tcase_add_loop_test(tcase, output_and_status_are_captured, 0, ROWS(RUNS));
	tcase_add_test(tcase, output_that_fits_is_captured_and_one_byte_more_is_an_error);
	tcase_add_test(tcase, a_signal_is_captured);
	tcase_add_test(tcase, processes_that_it_leaves_running_are_killed);
	tcase_add_test(tcase, it_has_no_privilege_and_cannot_gain_one);
	tcase_add_test(tcase, it_inherits_no_descriptor);
	tcase_add_test(tcase, the_open_file_is_executed_not_its_path);
	tcase_add_test(tcase, a_program_that_cannot_be_executed_is_an_error);
	tcase_add_test(tcase, a_child_that_cannot_be_set_up_is_an_error);
	tcase_add_test(tcase, a_cancel_ends_it);
	tcase_add_test(tcase, signals_are_not_blocked_afterwards);
	suite_add_tcase(suite, tcase);

	/* It takes as long as the program may. */
	tcase_set_tags(waits, "slow waits-5");
	tcase_add_test(waits, a_program_that_takes_too_long_is_killed_with_its_children);
	suite_add_tcase(suite, waits);
	return suite;
}
