/*
 * Static builds directories: one job at a time, and no more of them than are used.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/workspace/builds_lock.h"
#include "core/workspace/static_builds.h"
#include "core/workspace/workspace.h"
#include "core/workspace/workspace_directories.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

#define NO_LIMIT_MS 600000
#define DAY_S	    86400

static struct path home;
static struct path builds; /* of the runner */
static struct test_header made;
static struct state *state;
static struct state other; /* another job of the same project */
static struct builds_lock lock;
static struct error err;

static void setup(void)
{
	home = scratch_make();
	test_header_init(&made, home.text);
	builds = path_of("%s/builds/short", made.base);
	snprintf(made.builds_dir, sizeof(made.builds_dir), "%.900s/project-20", builds.text);
	state = &made.header.state;
	state->settings.general.static_builds_dir = true;
	state->settings.general.static_builds_days = 7;
	other = *state;
	other.job_id = 981626;
	lock = (struct builds_lock){.directory = -1, .fd = -1};
	memset(&err, 0, sizeof(err));
	ck_assert_msg(workspace_make(state, &err) == 0, "%s", err.detail);
}

static void teardown(void)
{
	builds_lock_close(&lock);
	test_header_free(&made);
}

/* A project of that id, last used so many days ago. */
static struct path make_project(int id, double days)
{
	struct path project = path_of("%s/project-%d", builds.text, id);
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT},
				   {.tv_sec = time(NULL) - (time_t)(days * DAY_S)}};
	scratch_directory(project.text, 0700);
	scratch_directory(path_of("%s/group", project.text).text, 0500);
	ck_assert_int_eq(utimensat(AT_FDCWD, project.text, then, 0), 0);
	return project;
}

static bool is_there(const char *path)
{
	struct stat found;
	return lstat(path, &found) == 0;
}

static int clean(void)
{
	int removed = -1;
	ck_assert_msg(static_builds_clean(state, NO_LIMIT_MS, &removed, &err) == 0, "%s",
		      err.detail);
	return removed;
}

static void take(const struct state *job)
{
	ck_assert_msg(builds_lock_take(job, false, &lock, &err) == 0, "%s", err.detail);
	builds_lock_pause(&lock);
	builds_lock_close(&lock);
}

START_TEST(no_directories_are_nothing_to_clean)
{
	scratch_remove(made.base);
	ck_assert_int_eq(clean(), 0);
	ck_assert(!is_there(made.base));
}
END_TEST

START_TEST(what_no_job_has_used_for_days_goes)
{
	struct path old = make_project(1, 7.1);
	struct path recent = make_project(2, 6.9);
	struct path older = make_project(3, 4000);
	struct path future = make_project(4, -4000);
	take(state);
	ck_assert_int_eq(clean(), 2);
	ck_assert(!is_there(old.text) && !is_there(path_of("%s.job", old.text).text));
	ck_assert(!is_there(older.text) && is_there(recent.text) && is_there(future.text));
	ck_assert(is_there(made.builds_dir));
	/* Nothing half removed is left, nor does it come twice. */
	ck_assert(!is_there(path_of("%s/removed-1-981625", builds.text).text));
	ck_assert_int_eq(clean(), 0);
}
END_TEST

START_TEST(never_means_never)
{
	struct path old = make_project(1, 4000);
	state->settings.general.static_builds_days = 0;
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
}
END_TEST

START_TEST(the_number_of_days_counts)
{
	struct path old = make_project(1, 30);
	state->settings.general.static_builds_days = 31;
	ck_assert_int_eq(clean(), 0);
	state->settings.general.static_builds_days = 29;
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text));
}
END_TEST

START_TEST(what_is_in_use_stays_however_long)
{
	struct path old = make_project(30, 40);
	other.builds_dir = old.text;
	ck_assert_int_eq(builds_lock_take(&other, false, &lock, &err), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
	/* Between two stages it is not locked, but fresh. */
	builds_lock_pause(&lock);
	builds_lock_close(&lock);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
	/* The days begin with the job's end. */
	ck_assert_int_eq(builds_lock_leave(&other, &err), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
}
END_TEST

/* Names that are not of the pattern, or not directories, whatever their age. */
static const char *const OTHER_NAMES[] = {
	"000",	       "project-",	"project-x",
	"project-1x",  "project-1-2",	"project-1.job.x",
	"project",     "project--1",	"project-123456789012345678901",
	"removed-1",   "removed-1-",	"removed-1-x",
	"removed-x-1", "removed-1-2-3",
};

START_TEST(nothing_else_is_removed)
{
	struct path path = path_of("%s/%s", builds.text, OTHER_NAMES[_i]);
	scratch_directory(path.text, 0700);
	state->settings.general.static_builds_days = 1;
	struct path file = path_of("%s.job", path.text);
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
	scratch_write(file.text, "", 0600);
	ck_assert_int_eq(utimensat(AT_FDCWD, file.text, then, 0), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(path.text) && is_there(file.text));
}
END_TEST

START_TEST(no_link_is_followed_or_removed)
{
	struct path outside = path_of("%s/outside", home.text);
	struct path precious = path_of("%s/outside/precious", home.text);
	struct path old = make_project(1, 40);
	struct path linked = make_project(2, 40);
	scratch_directory(outside.text, 0750);
	scratch_write(precious.text, "", 0600);
	/* In a directory; in place of one, new and half removed; in place of a file. */
	ck_assert_int_eq(chmod(path_of("%s/group", old.text).text, 0700), 0);
	scratch_link(outside.text, path_of("%s/group/link", old.text).text);
	ck_assert_int_eq(rename(linked.text, path_of("%s/moved", home.text).text), 0);
	scratch_link(outside.text, linked.text);
	scratch_link(outside.text, path_of("%s/removed-7-8", builds.text).text);
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text) && is_there(linked.text));
	ck_assert(is_there(path_of("%s/removed-7-8", builds.text).text));
	ck_assert_int_eq(access(precious.text, F_OK), 0);
}
END_TEST

START_TEST(a_lock_that_is_none_keeps_its_directory_and_is_reported)
{
	struct path precious = path_of("%s/precious", home.text);
	struct path odd = make_project(1, 40);
	struct path old = make_project(2, 40);
	struct path file = path_of("%s.job", odd.text);
	int removed;
	scratch_write(precious.text, "precious", 0600);
	scratch_link(precious.text, file.text);
	ck_assert_int_eq(static_builds_clean(state, NO_LIMIT_MS, &removed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "project-1.job"));
	ck_assert_int_eq(removed, 1);
	ck_assert(is_there(odd.text) && is_there(file.text) && !is_there(old.text));
	ck_assert_int_eq(access(precious.text, F_OK), 0);
}
END_TEST

START_TEST(a_directory_of_another_account_stays)
{
	if (!process_is_root(__func__))
		return;
	struct path old = make_project(1, 40);
	ck_assert_int_eq(chown(old.text, 65534, 65534), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
}
END_TEST

START_TEST(without_time_the_rest_is_left_to_the_next)
{
	struct path old = make_project(1, 40);
	struct path half = path_of("%s/removed-7-8", builds.text);
	int removed;
	scratch_directory(half.text, 0700);
	ck_assert_int_eq(static_builds_clean(state, 0, &removed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "the next job will continue"));
	ck_assert_int_eq(removed, 0);
	ck_assert(is_there(old.text) && is_there(half.text));
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text) && !is_there(half.text));
}
END_TEST

START_TEST(nothing_is_cleaned_behind_a_link)
{
	struct path moved = path_of("%s/moved", home.text);
	struct path old = make_project(1, 40);
	static const char *const levels[] = {"/builds", "/builds/short"};
	struct path level = path_of("%s%s", made.base, levels[_i]);
	int removed;
	(void)old;
	ck_assert_int_eq(rename(level.text, moved.text), 0);
	scratch_link(moved.text, level.text);
	ck_assert_int_eq(static_builds_clean(state, NO_LIMIT_MS, &removed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a link, not a directory"));
	ck_assert(is_there(old.text));
}
END_TEST

/* A project in the directory 000, with a mark of so many days ago. */
static struct path make_checkout(int id, double days)
{
	struct path project = path_of("%s/000/group/p%d", builds.text, id);
	struct path mark = path_of("%s/000-%d.used", builds.text, id);
	char path[32];
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT},
				   {.tv_sec = time(NULL) - (time_t)(days * DAY_S)}};
	snprintf(path, sizeof(path), "group/p%d", id);
	(void)mkdir(path_of("%s/000", builds.text).text, 0700);
	(void)mkdir(path_of("%s/000/group", builds.text).text, 0700);
	scratch_directory(project.text, 0500);
	scratch_directory(path_of("%s.tmp", project.text).text, 0700);
	scratch_write(mark.text, path, 0600);
	ck_assert_int_eq(utimensat(AT_FDCWD, mark.text, then, 0), 0);
	return project;
}

START_TEST(a_marked_project_goes_with_its_mark_and_the_directory_beside_it)
{
	struct path old = make_checkout(1, 7.1);
	struct path recent = make_checkout(2, 6.9);
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text) && !is_there(path_of("%s.tmp", old.text).text));
	ck_assert(!is_there(path_of("%s/000-1.used", builds.text).text));
	ck_assert(!is_there(path_of("%s/000-1.job", builds.text).text));
	ck_assert(!is_there(path_of("%s/removed-1-981625", builds.text).text));
	ck_assert(is_there(recent.text) && is_there(path_of("%s.tmp", recent.text).text));
	ck_assert_int_eq(clean(), 0);
}
END_TEST

/* Directories above the project of which a job has removed the owner's rights. */
static const struct {
	const char *directory;
	mode_t mode;
} CLOSED[] = {{"000/group", 0500}, {"000/group", 0}, {"000", 0}, {"000", 0070}};

START_TEST(a_marked_project_goes_even_if_a_job_has_closed_the_directories_above_it)
{
	struct path old = make_checkout(1, 7.1);
	struct path closed = path_of("%s/%s", builds.text, CLOSED[_i].directory);
	struct stat opened;
	ck_assert_int_eq(chmod(closed.text, CLOSED[_i].mode), 0);
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(path_of("%s/000-1.used", builds.text).text));
	/* The group keeps its rights. */
	ck_assert_int_eq(stat(closed.text, &opened), 0);
	ck_assert_int_eq(opened.st_mode & 07777, CLOSED[_i].mode | 0700);
	ck_assert(!is_there(old.text) && !is_there(path_of("%s.tmp", old.text).text));
}
END_TEST

START_TEST(a_marked_project_that_a_job_has_locked_stays)
{
	struct path used = make_checkout(20, 40);
	struct path number = path_of("%s/000", builds.text);
	state->settings.general.static_builds_dir = other.settings.general.static_builds_dir =
		false;
	other.builds_dir = number.text;
	take(&other);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(used.text) && is_there(path_of("%s/000-20.used", builds.text).text));
}
END_TEST

/* What another project uses: the same path, which was renamed or deleted meanwhile; below it; above
   it; and the runner's directory of either. */
static const char *const PATHS_OF_OTHERS[] = {"group/p1", "group/p1/sub", "group", "group/p1.tmp"};

START_TEST(a_path_that_another_project_uses_stays)
{
	struct path old = make_checkout(1, 40);
	struct path mark = path_of("%s/000-2.used", builds.text);
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
	scratch_write(mark.text, PATHS_OF_OTHERS[_i], 0600);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text) && is_there(path_of("%s.tmp", old.text).text));
	/* However long its job runs. */
	scratch_write(path_of("%s/000-2.job", builds.text).text, "2 host 1000 running\n", 0600);
	ck_assert_int_eq(utimensat(AT_FDCWD, mark.text, then, 0), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text) && is_there(path_of("%s.tmp", old.text).text));
	/* Then both are old. */
	ck_assert_int_eq(unlink(path_of("%s/000-2.job", builds.text).text), 0);
	ck_assert_int_ge(clean(), 1);
	ck_assert(!is_there(old.text) && !is_there(path_of("%s.tmp", old.text).text));
}
END_TEST

/* A runner's directory is that of one project only, and numbers have nothing in common. */
static const char *const MARKS_OF_OTHERS[][2] = {
	{"000-2.used", "group/p10"}, {"000-2.used", "group/p1.tmpx"}, {"001-1.used", "group/p1"}};

START_TEST(another_project_beside_it_keeps_nothing)
{
	struct path old = make_checkout(1, 40);
	scratch_write(path_of("%s/%s", builds.text, MARKS_OF_OTHERS[_i][0]).text,
		      MARKS_OF_OTHERS[_i][1], 0600);
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text));
}
END_TEST

START_TEST(without_time_marked_projects_are_left_to_the_next)
{
	struct path old = make_checkout(1, 40);
	int removed;
	ck_assert_int_eq(static_builds_clean(state, 0, &removed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "the next job will continue"));
	ck_assert(is_there(old.text));
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text));
}
END_TEST

static TCase *clean_tests(void)
{
	TCase *tcase = tcase_create("clean");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, no_directories_are_nothing_to_clean);
	tcase_add_test(tcase, what_no_job_has_used_for_days_goes);
	tcase_add_test(tcase, never_means_never);
	tcase_add_test(tcase, the_number_of_days_counts);
	tcase_add_test(tcase, what_is_in_use_stays_however_long);
	tcase_add_loop_test(tcase, nothing_else_is_removed, 0, ROWS(OTHER_NAMES));
	tcase_add_test(tcase, no_link_is_followed_or_removed);
	tcase_add_test(tcase, a_lock_that_is_none_keeps_its_directory_and_is_reported);
	tcase_add_test(tcase, a_directory_of_another_account_stays);
	tcase_add_test(tcase, without_time_the_rest_is_left_to_the_next);
	tcase_add_loop_test(tcase, nothing_is_cleaned_behind_a_link, 0, 2);
	tcase_add_test(tcase, a_marked_project_goes_with_its_mark_and_the_directory_beside_it);
	tcase_add_loop_test(tcase,
			    a_marked_project_goes_even_if_a_job_has_closed_the_directories_above_it,
			    0, sizeof(CLOSED) / sizeof(CLOSED[0]));
	tcase_add_test(tcase, a_marked_project_that_a_job_has_locked_stays);
	tcase_add_loop_test(tcase, a_path_that_another_project_uses_stays, 0,
			    ROWS(PATHS_OF_OTHERS));
	tcase_add_loop_test(tcase, another_project_beside_it_keeps_nothing, 0,
			    ROWS(MARKS_OF_OTHERS));
	tcase_add_test(tcase, without_time_marked_projects_are_left_to_the_next);
	return tcase;
}

Suite *static_builds_suite(void)
{
	Suite *suite = suite_create("static_builds");

	suite_add_tcase(suite, clean_tests());
	return suite;
}
