/*
 * Ending the processes of a job by its cookie. Each test is a process of its own, which adopts what
 * its children leave behind; the processes that it looks for are executed programs, as the kernel
 * shows the environment of an exec.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/process/job_processes.h"
#include "core/process/process_scan.h"
#include "core/process/process_tree.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

/* Only against a hang. */
#define LIMIT_MS 600000

static char cookie[32];
static char names[JOB_PROCESSES_NAMES_SIZE];

static void begin(void)
{
	struct error err;
	process_forget_check();
	child_require(process_tree_adopt_orphans(&err) == 0);
	snprintf(cookie, sizeof(cookie), "unit-%d", (int)getpid());
}

/* A shell that runs `script` with this job's cookie, or another's; it has begun when this returns.
 */
static pid_t start(const char *script, const char *job)
{
	int ready[2];
	char byte;
	child_require(pipe(ready) == 0);
	pid_t child = fork();
	if (child == 0) {
		char variable[64];
		char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
		char *const environment[] = {(char *)"PATH=/usr/bin:/bin", variable, NULL};
		snprintf(variable, sizeof(variable), "JACAMAR_CI_JOB=%s", job);
		dup2(ready[1], 9);
		close(ready[0]);
		close(ready[1]);
		execve("/bin/sh", arguments, environment);
		_exit(127);
	}
	close(ready[1]);
	child_require(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return child;
}

static int end(int64_t grace_ms)
{
	struct error err;
	return job_processes_end(cookie, NULL, grace_ms, LIMIT_MS, names, &err);
}

static void end_by_cookie(const void *argument)
{
	char other_cookie[48];
	char expected[64];
	(void)argument;
	begin();
	child_require(end(0) == 0 && names[0] == '\0');

	snprintf(other_cookie, sizeof(other_cookie), "%s0", cookie);
	pid_t other = start("echo >&9; exec 9>&-; while :; do sleep 1000000; done", other_cookie);
	pid_t plain = start("echo >&9; exec 9>&-; while :; do sleep 1000000; done", cookie);
	child_require(end(0) == 0);
	snprintf(expected, sizeof(expected), "%d (sh)", (int)plain);
	child_require(strstr(names, expected) != NULL);
	child_require(!process_is_alive(plain) && process_is_alive(other));
	/* The next search finds nothing. */
	child_require(end(0) == 0 && names[0] == '\0');
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(processes_with_the_cookie_are_ended_and_no_others)
{
	ck_assert_int_eq(process_run(end_by_cookie, NULL), 0);
}
END_TEST

static void end_without_cookie(const void *argument)
{
	(void)argument;
	begin();
	/* Its child has an empty environment, and ignores what may be ignored. */
	pid_t parent = start("env -i sh -c 'trap \"\" TERM; echo >&9; exec 9>&-; "
			     "while :; do sleep 1000000; done' & exec 9>&-; wait",
			     cookie);
	struct pid_list below = {.count = 0};
	child_require(process_tree_descendants(&below) == 0 && below.count >= 2);
	child_require(end(0) == 0);
	child_require(!process_is_alive(parent));
	/* They have been sent SIGKILL, which needs a moment. If one lives on, the test hangs. */
	for (size_t i = 0; i < below.count; i++)
		process_wait_until_dead(below.pids[i]);
	pid_list_free(&below);
}

START_TEST(what_is_below_them_is_ended_without_a_cookie)
{
	ck_assert_int_eq(process_run(end_without_cookie, NULL), 0);
}
END_TEST

static void end_with_grace(const void *argument)
{
	int status;
	(void)argument;
	begin();
	pid_t obedient = start("trap 'exit 7' TERM; echo >&9; exec 9>&-; "
			       "while :; do sleep 0.01; done",
			       cookie);
	child_require(end(LIMIT_MS) == 0);
	child_require(waitpid(obedient, &status, 0) == obedient);
	child_require(WIFEXITED(status) && WEXITSTATUS(status) == 7);

	pid_t stubborn =
		start("trap '' TERM; echo >&9; exec 9>&-; while :; do sleep 1000000; done", cookie);
	child_require(end(1) == 0);
	child_require(waitpid(stubborn, &status, 0) == stubborn);
	child_require(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(they_are_asked_first_and_killed_after_the_grace)
{
	ck_assert_int_eq(process_run(end_with_grace, NULL), 0);
}
END_TEST

/* Reading that file of the process hangs from now on: it becomes a FIFO without a writer. */
static void make_reading_hang(pid_t pid, const char *file)
{
	char path[64];
	char fifo[] = "/tmp/job-processes-XXXXXX";
	child_require(mkdtemp(fifo) != NULL && rmdir(fifo) == 0 && mkfifo(fifo, 0600) == 0);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	bool mounted = unshare(CLONE_NEWNS) == 0 &&
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		       mount(fifo, path, NULL, MS_BIND, NULL) == 0;
	unlink(fifo);
	child_require(mounted);
}

/*
 * Reading the environment of the process hangs, as on older kernels that of one whose execve(2)
 * never ends.
 */
static void end_where_reading_hangs(const void *argument)
{
	struct error err;
	(void)argument;
	begin();
	pid_t hidden = start("echo >&9; exec 9>&-; while :; do sleep 1000000; done", cookie);
	make_reading_hang(hidden, "environ");
	child_require(job_processes_end(cookie, NULL, 0, 0, names, &err) == -1);
	child_require(strstr(err.detail, "did not end in time") != NULL);
	/* The child that searched is gone. */
	struct pid_list left = {.count = 0};
	child_require(process_tree_descendants(&left) == 0 && left.count > 0 &&
		      left.pids[0] == hidden);
	for (size_t i = 1; i < left.count; i++)
		child_require(process_tree_stat(left.pids[i]).parent == hidden);
	pid_list_free(&left);
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(a_process_whose_environment_cannot_be_read_does_not_stop_the_cleanup)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(end_where_reading_hangs, NULL), 0);
}
END_TEST

#define CROWDED_ID 2099999999
#define OTHER_ID   2099999998

/* Another account can keep the kernel from showing the command line of its process. */
static void end_where_another_account_hangs(const void *argument)
{
	struct error err;
	(void)argument;
	begin();
	pid_t other = fork();
	if (other == 0)
		_exit(setresuid(OTHER_ID, OTHER_ID, OTHER_ID) == 0 ? pause() : 1);
	make_reading_hang(other, "cmdline");
	while (!process_scan_has_uid(OTHER_ID))
		usleep(1000);
	child_require(job_processes_end(cookie, NULL, 0, 0, names, &err) == 0);
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(a_process_of_another_account_cannot_stop_the_cleanup)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(end_where_another_account_hangs, NULL), 0);
}
END_TEST

/* A job that has used up the limit of processes leaves none for the search. */
static void end_without_a_process_to_spare(const void *argument)
{
	static const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
	(void)argument;
	child_require(setresgid(CROWDED_ID, CROWDED_ID, CROWDED_ID) == 0 &&
		      setresuid(CROWDED_ID, CROWDED_ID, CROWDED_ID) == 0);
	begin();
	pid_t plain = start("echo >&9; exec 9>&-; while :; do sleep 1000000; done", cookie);
	child_require(setrlimit(RLIMIT_NPROC, &none) == 0 && fork() < 0);
	child_require(end(0) == 0);
	child_require(!process_is_alive(plain));
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(they_are_ended_where_no_process_can_be_started)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(end_without_a_process_to_spare, NULL), 0);
}
END_TEST

Suite *job_processes_suite(void)
{
	Suite *suite = suite_create("job_processes");
	TCase *tcase = tcase_create("job_processes");
	TCase *waits = tcase_create("waits");

	tcase_add_test(tcase, processes_with_the_cookie_are_ended_and_no_others);
	tcase_add_test(tcase, what_is_below_them_is_ended_without_a_cookie);
	tcase_add_test(tcase, they_are_asked_first_and_killed_after_the_grace);
	tcase_add_test(tcase, a_process_of_another_account_cannot_stop_the_cleanup);
	tcase_add_test(tcase, they_are_ended_where_no_process_can_be_started);
	suite_add_tcase(suite, tcase);
	tcase_set_tags(waits, "slow waits-5");
	tcase_add_test(waits, a_process_whose_environment_cannot_be_read_does_not_stop_the_cleanup);
	suite_add_tcase(suite, waits);
	return suite;
}
