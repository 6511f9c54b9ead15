/*
 * The lock file of a builds directory: one job has the directory until it ends or its lock expires,
 * even if flock(2) is missing or locks nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/workspace/builds_lock.h"
#include "core/workspace/workspace.h"
#include "core/workspace/workspace_directories.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path home;
static struct path file;
static struct test_header made;
static struct state *state;
static struct state other; /* another job of the same project */
static struct builds_lock lock;
static struct builds_lock second;
static struct error err;

static struct {
	int fails_with; /* 0: it works */
	int removals;	/* how often the file goes away just before */
} flock_of_test;

/* Replaces the C library's function. */
int flock(int fd, int operation)
{
	if (flock_of_test.removals-- > 0)
		ck_assert_int_eq(unlink(file.text), 0);
	errno = flock_of_test.fails_with;
	return errno != 0 ? -1 : (int)syscall(SYS_flock, fd, operation);
}

static void setup(void)
{
	home = scratch_make();
	test_header_init(&made, home.text);
	state = &made.header.state;
	other = *state;
	other.job_id = 981626;
	file = path_of("%s/builds/short/000-20.job", made.base);
	lock = second = (struct builds_lock){.directory = -1, .fd = -1};
	memset(&err, 0, sizeof(err));
	memset(&flock_of_test, 0, sizeof(flock_of_test));
	ck_assert_msg(workspace_make(state, &err) == 0, "%s", err.detail);
}

static void teardown(void)
{
	builds_lock_close(&lock);
	builds_lock_close(&second);
	test_header_free(&made);
}

/* Takes the lock like a stage that comes to its end. */
static void take(const struct state *job)
{
	ck_assert_msg(builds_lock_take(job, false, &lock, &err) == 0, "%s", err.detail);
	builds_lock_pause(&lock);
	builds_lock_close(&lock);
}

/* Takes the lock like a stage whose process dies. */
static void die_in_stage_of(const struct state *job)
{
	ck_assert_int_eq(builds_lock_take(job, false, &lock, &err), 0);
	builds_lock_close(&lock);
}

static int try_as(const struct state *job, bool impatient)
{
	int result = builds_lock_take(job, impatient, &second, &err);
	builds_lock_pause(&second);
	builds_lock_close(&second);
	return result;
}

static int keep_as(const struct state *job)
{
	int result = builds_lock_keep(job, BUILDS_LOCK_INTERVAL_S, &second, &err);
	builds_lock_pause(&second);
	builds_lock_close(&second);
	return result;
}

static bool is_there(void)
{
	struct stat found;
	return lstat(file.text, &found) == 0;
}

static void age(int64_t seconds)
{
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};
	ck_assert_int_eq(utimensat(AT_FDCWD, file.text, then, AT_SYMLINK_NOFOLLOW), 0);
}

static void expect_phase(const char *phase)
{
	size_t size;
	char host[65] = "";
	char line[160];
	ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
	snprintf(line, sizeof(line), "981625 %s 600000 %s\n", host, phase);
	char *text = scratch_read(file.text, &size);
	ck_assert_str_eq(text, line);
	free(text);
}

/* With flock(2), without it (Lustre), and if it fails (NFS without its daemon). */
static const int FLOCKS[] = {0, ENOSYS, ENOLCK};

START_TEST(one_job_has_it_until_its_end)
{
	struct stat found;
	flock_of_test.fails_with = FLOCKS[_i];
	take(state);
	ck_assert_int_eq(stat(file.text, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	ck_assert_int_eq(try_as(&other, false), 1);
	ck_assert_uint_eq(second.holder.job, 981625);
	/* Again, as the runner tries again; and then a stage. */
	take(state);
	ck_assert_int_eq(builds_lock_keep(state, BUILDS_LOCK_INTERVAL_S, &lock, &err), 0);
	ck_assert_int_eq(try_as(&other, true), 1);
	builds_lock_pause(&lock);
	builds_lock_close(&lock);
	ck_assert_int_eq(try_as(&other, true), 1);
	ck_assert_int_eq(builds_lock_leave(state, &err), 0);
	ck_assert(!is_there());
	take(&other);
	ck_assert_int_eq(try_as(state, false), 1);
}
END_TEST

START_TEST(the_file_tells_job_host_timeout_and_phase)
{
	ck_assert_int_eq(builds_lock_take(state, false, &lock, &err), 0);
	expect_phase("running");
	builds_lock_pause(&lock);
	expect_phase("between");
	builds_lock_close(&lock);
	ck_assert_int_eq(builds_lock_keep(state, BUILDS_LOCK_INTERVAL_S, &lock, &err), 0);
	expect_phase("running");
}
END_TEST

START_TEST(each_project_each_number_and_each_place_has_its_own)
{
	struct path path = path_of("%s/builds/short/001", made.base);
	struct path mine = path_of("%s/mine/short/000", home.text);
	take(state);
	other.project_id = 21;
	ck_assert_int_eq(try_as(&other, false), 0);
	other.project_id = 20;
	ck_assert_int_eq(try_as(&other, false), 1);
	other.builds_dir = path.text;
	ck_assert_int_eq(try_as(&other, false), 0);
	other.custom_builds = path_of("%s/mine", home.text).text;
	other.builds_dir = mine.text;
	ck_assert_int_eq(try_as(&other, false), 0);
	ck_assert_int_eq(access(path_of("%s/mine/short/000-20.job", home.text).text, F_OK), 0);
	ck_assert_int_eq(access(path_of("%s/builds/short/001-20.job", made.base).text, F_OK), 0);
}
END_TEST

START_TEST(a_static_one_is_the_projects)
{
	snprintf(made.builds_dir, sizeof(made.builds_dir), "%.900s/builds/short/project-20",
		 made.base);
	state->settings.general.static_builds_dir = true;
	take(state);
	ck_assert_int_eq(access(path_of("%s.job", made.builds_dir).text, F_OK), 0);
	ck_assert(!is_there());
}
END_TEST

START_TEST(a_stage_without_the_directory_fails)
{
	flock_of_test.fails_with = FLOCKS[_i];
	ck_assert_int_eq(keep_as(state), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "its lock file 000-20.job was removed"));
	take(&other);
	ck_assert_int_eq(keep_as(state), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "it has passed to job 981626 on "));
	/* Its cleanup does not take it from the other job, either. */
	ck_assert_int_eq(builds_lock_leave(state, &err), 0);
	ck_assert_int_eq(keep_as(&other), 0);
}
END_TEST

static const struct {
	int64_t idle_s;
	int result;
} IDLE[] = {{0, 1}, {500, 1}, {-3600, 1}, {700, 0}, {1000000, 0}};

START_TEST(a_job_that_is_not_heard_of_gives_way)
{
	for (size_t i = 0; i < ROWS(FLOCKS); i++) {
		flock_of_test.fails_with = FLOCKS[i];
		take(&other);
		age(IDLE[_i].idle_s);
		/* It keeps the directory until another one takes it. */
		ck_assert_int_eq(keep_as(&other), 0);
		age(IDLE[_i].idle_s);
		ck_assert_int_eq(try_as(state, false), IDLE[_i].result);
		ck_assert_int_eq(keep_as(&other), IDLE[_i].result == 1 ? 0 : -1);
		unlink(file.text);
	}
}
END_TEST

START_TEST(a_stage_that_runs_keeps_it_however_long)
{
	take(&other);
	ck_assert_int_eq(builds_lock_keep(&other, BUILDS_LOCK_INTERVAL_S, &lock, &err), 0);
	age(1000000);
	ck_assert_int_eq(try_as(state, true), 1);
	ck_assert(!second.holder.interrupted);
}
END_TEST

START_TEST(a_stage_renews_it)
{
	struct stat found;
	flock_of_test.fails_with = ENOSYS;
	take(state);
	ck_assert_int_eq(builds_lock_keep(state, 1, &lock, &err), 0);
	age(700);
	for (int i = 0; i < 600; i++) {
		ck_assert_int_eq(stat(file.text, &found), 0);
		if (time(NULL) - found.st_mtime < 600)
			break;
		usleep(50000);
	}
	ck_assert_int_lt(time(NULL) - found.st_mtime, 600);
	ck_assert_int_eq(try_as(&other, false), 1);
}
END_TEST

START_TEST(only_a_dead_stage_of_this_host_is_interrupted)
{
	die_in_stage_of(&other);
	ck_assert_int_eq(try_as(state, false), 1);
	ck_assert(second.holder.interrupted);
	ck_assert_int_eq(second.holder.timeout_ms, 600000);
	/* Nobody can tell where there is no flock(2), nor, where it is the host's own, of others.
	 */
	flock_of_test.fails_with = ENOSYS;
	ck_assert_int_eq(try_as(state, true), 1);
	ck_assert(!second.holder.interrupted);
	flock_of_test.fails_with = 0;
	ck_assert_int_eq(try_as(state, true), 0);

	unlink(file.text);
	scratch_write(file.text, "981626 login2 600000 running\n", 0600);
	ck_assert_int_eq(try_as(state, true), 1);
	ck_assert(!second.holder.interrupted);
	ck_assert_str_eq(second.holder.host, "login2");
	/* Between two stages no process needs to run. */
	unlink(file.text);
	take(&other);
	ck_assert_int_eq(try_as(state, true), 1);
	ck_assert(!second.holder.interrupted);
}
END_TEST

static const char *const CONTENTS[] = {
	"x",
	"\n",
	"-8 a 1 running",
	"8",
	"8 a",
	"8 a x running",
	"0x8 \033[2J 1 running",
	"9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
};

START_TEST(a_file_that_says_something_else_is_another_jobs)
{
	scratch_write(file.text, CONTENTS[_i], 0600);
	ck_assert_int_eq(try_as(state, true), 1);
	ck_assert_uint_ne(second.holder.job, state->job_id);
	ck_assert_ptr_null(strchr(second.holder.host, '\033'));
	ck_assert_int_eq(keep_as(state), -1);
	age(700);
	ck_assert_int_eq(try_as(state, false), 0);
}
END_TEST

/* As if a process was killed after it had made the file. */
START_TEST(an_empty_file_is_removed_once_nobody_locks_it)
{
	scratch_write(file.text, "", 0600);
	flock_of_test.fails_with = ENOSYS;
	ck_assert_int_eq(try_as(state, true), 1);
	flock_of_test.fails_with = 0;
	ck_assert_int_eq(keep_as(state), -1);
	int maker = open(file.text, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(flock(maker, LOCK_EX), 0);
	ck_assert_int_eq(try_as(state, false), 1);
	close(maker);
	ck_assert_int_eq(try_as(state, false), 0);
	expect_phase("between");
}
END_TEST

START_TEST(a_new_file_that_another_job_removed_is_made_again)
{
	flock_of_test.removals = 1;
	take(state);
	expect_phase("between");
}
END_TEST

START_TEST(only_a_plain_file_is_one)
{
	struct path precious = path_of("%s/precious", home.text);
	size_t size;
	scratch_write(precious.text, "precious", 0600);

	scratch_link(precious.text, file.text);
	ck_assert_int_eq(try_as(state, true), -1);
	ck_assert_int_eq(keep_as(state), -1);
	unlink(file.text);
	scratch_link("missing", file.text);
	ck_assert_int_eq(try_as(state, true), -1);
	unlink(file.text);
	ck_assert_int_eq(link(precious.text, file.text), 0);
	ck_assert_int_eq(try_as(state, true), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is not a regular file that only the user owns"));
	unlink(file.text);
	ck_assert_int_eq(mkfifo(file.text, 0600), 0);
	ck_assert_int_eq(try_as(state, true), -1);
	unlink(file.text);
	scratch_directory(file.text, 0700);
	ck_assert_int_eq(try_as(state, true), -1);
	char *text = scratch_read(precious.text, &size);
	ck_assert_str_eq(text, "precious");
	free(text);
}
END_TEST

START_TEST(a_file_of_another_account_is_refused)
{
	if (!process_is_root(__func__))
		return;
	scratch_write(file.text, "", 0666);
	ck_assert_int_eq(chown(file.text, 65534, 65534), 0);
	ck_assert_int_eq(try_as(state, true), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is not a regular file that only the user owns"));
}
END_TEST

START_TEST(a_file_that_was_removed_is_not_taken)
{
	struct stat named;
	struct stat taken;
	take(state);
	flock_of_test.removals = 1;
	ck_assert_int_eq(builds_lock_take(state, false, &lock, &err), 0);
	ck_assert_int_eq(stat(file.text, &named), 0);
	ck_assert_int_eq(fstat(lock.fd, &taken), 0);
	ck_assert_uint_eq(named.st_ino, taken.st_ino);
}
END_TEST

START_TEST(what_is_not_there_is_nothing_to_leave)
{
	scratch_remove(made.base);
	ck_assert_int_eq(builds_lock_leave(state, &err), 0);
	ck_assert_int_eq(access(made.base, F_OK), -1);
}
END_TEST

Suite *builds_lock_suite(void)
{
	Suite *suite = suite_create("builds_lock");
	TCase *tcase = tcase_create("builds_lock");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, one_job_has_it_until_its_end, 0, ROWS(FLOCKS));
	tcase_add_test(tcase, the_file_tells_job_host_timeout_and_phase);
	tcase_add_test(tcase, each_project_each_number_and_each_place_has_its_own);
	tcase_add_test(tcase, a_static_one_is_the_projects);
	tcase_add_loop_test(tcase, a_stage_without_the_directory_fails, 0, ROWS(FLOCKS));
	tcase_add_loop_test(tcase, a_job_that_is_not_heard_of_gives_way, 0, ROWS(IDLE));
	tcase_add_test(tcase, a_stage_that_runs_keeps_it_however_long);
	tcase_add_test(tcase, a_stage_renews_it);
	tcase_add_test(tcase, only_a_dead_stage_of_this_host_is_interrupted);
	tcase_add_loop_test(tcase, a_file_that_says_something_else_is_another_jobs, 0,
			    ROWS(CONTENTS));
	tcase_add_test(tcase, an_empty_file_is_removed_once_nobody_locks_it);
	tcase_add_test(tcase, a_new_file_that_another_job_removed_is_made_again);
	tcase_add_test(tcase, only_a_plain_file_is_one);
	tcase_add_test(tcase, a_file_of_another_account_is_refused);
	tcase_add_test(tcase, a_file_that_was_removed_is_not_taken);
	tcase_add_test(tcase, what_is_not_there_is_nothing_to_leave);
	suite_add_tcase(suite, tcase);
	return suite;
}
