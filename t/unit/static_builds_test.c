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

#include "core/static_builds.h"
#include "core/workspace.h"
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
static struct turn turn;
static struct error err;

static void setup(void)
{
	home = scratch_make();
	test_header_init(&made, home.text);
	builds = path_of("%s/builds/short", made.base);
	snprintf(made.builds_dir, sizeof(made.builds_dir), "%.900s/project-20", builds.text);
	state = &made.header.state;
	state->static_builds = true;
	state->static_builds_days = 7;
	other = *state;
	other.job_id = 981626;
	turn = (struct turn){.fd = -1};
	memset(&err, 0, sizeof(err));
	ck_assert_msg(workspace_make(state, &err) == 0, "%s", err.detail);
}

static void teardown(void)
{
	turn_close(&turn);
	test_header_free(&made);
}

/* A project of that id, last used so many days ago. */
static struct path make_project(int id, double days)
{
	struct path project = path_of("%s/project-%d", builds.text, id);
	struct path file = path_of("%s.job", project.text);
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT},
				   {.tv_sec = time(NULL) - (time_t)(days * DAY_S)}};
	scratch_directory(project.text, 0700);
	scratch_directory(path_of("%s/group", project.text).text, 0500);
	scratch_write(file.text, "1\n", 0600);
	ck_assert_int_eq(utimensat(AT_FDCWD, file.text, then, 0), 0);
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
	ck_assert_msg(static_builds_take(job, &turn, &err) == 0, "%s", err.detail);
	turn_close(&turn);
}

START_TEST(one_job_has_it_from_prepare_to_cleanup)
{
	take(state);
	ck_assert_int_eq(static_builds_take(&other, &turn, &err), 1);
	ck_assert_str_eq(turn.holder, "981625");
	/* Again, as the runner tries again; and then a stage, while which it is locked. */
	take(state);
	ck_assert_int_eq(static_builds_keep(state, &turn, &err), 0);
	struct turn second;
	ck_assert_int_eq(static_builds_take(&other, &second, &err), 1);
	turn_close(&second);
	turn_close(&turn);
	ck_assert_int_eq(static_builds_take(&other, &turn, &err), 1);
	ck_assert_int_eq(static_builds_leave(state, &err), 0);
	take(&other);
	ck_assert_int_eq(static_builds_take(state, &turn, &err), 1);
}
END_TEST

START_TEST(a_stage_without_the_directory_fails)
{
	ck_assert_int_eq(static_builds_keep(state, &turn, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is no longer this job's"));
	turn_close(&turn);
	take(&other);
	ck_assert_int_eq(static_builds_keep(state, &turn, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "it has passed to job 981626"));
	turn_close(&turn);
	/* Nor does its cleanup take it from the other. */
	ck_assert_int_eq(static_builds_leave(state, &err), 0);
	ck_assert_int_eq(static_builds_keep(&other, &turn, &err), 0);
	struct turn second;
	ck_assert_int_eq(static_builds_keep(state, &second, &err), -1);
	ck_assert_int_eq(static_builds_leave(state, &err), 0);
	turn_close(&second);
}
END_TEST

START_TEST(a_job_that_never_ended_gives_way_but_is_told)
{
	struct path file = path_of("%s/project-20.job", builds.text);
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 3600}};
	take(&other);
	ck_assert_int_eq(utimensat(AT_FDCWD, file.text, then, 0), 0);
	take(state);
	ck_assert_int_eq(static_builds_keep(&other, &turn, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "it has passed to job 981625"));
}
END_TEST

START_TEST(without_the_setting_nothing_is_taken)
{
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			state->static_builds = false;
		else
			state->custom_builds = home.text;
		ck_assert_int_eq(static_builds_take(state, &turn, &err), 0);
		ck_assert_int_eq(turn.fd, -1);
		ck_assert_int_eq(static_builds_keep(state, &turn, &err), 0);
		ck_assert_int_eq(turn.fd, -1);
		ck_assert_int_eq(static_builds_leave(state, &err), 0);
		ck_assert(!is_there(path_of("%s/project-20.job", builds.text).text));
		state->static_builds = true;
	}
}
END_TEST

START_TEST(no_directories_are_nothing_to_leave_or_clean)
{
	scratch_remove(made.base);
	ck_assert_int_eq(static_builds_leave(state, &err), 0);
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
	state->static_builds_days = 0;
	ck_assert_int_eq(clean(), 0);
	state->static_builds_days = 7;
	state->static_builds = false;
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
}
END_TEST

START_TEST(the_number_of_days_counts)
{
	struct path old = make_project(1, 30);
	state->static_builds_days = 31;
	ck_assert_int_eq(clean(), 0);
	state->static_builds_days = 29;
	ck_assert_int_eq(clean(), 1);
	ck_assert(!is_there(old.text));
}
END_TEST

START_TEST(what_is_in_use_stays_however_long)
{
	struct path old = make_project(20000, 40);
	struct path file = path_of("%s.job", old.text);
	struct turn held;
	int directory = open(builds.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(turn_open(directory, "project-20000.job", &held, &err), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text) && is_there(file.text));
	/* Between two stages it is not locked, but fresh. */
	turn_touch(&held);
	turn_close(&held);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text));
	close(directory);
}
END_TEST

START_TEST(without_a_file_the_days_begin_now)
{
	struct path old = make_project(1, 40);
	struct path file = path_of("%s.job", old.text);
	ck_assert_int_eq(unlink(file.text), 0);
	ck_assert_int_eq(clean(), 0);
	ck_assert(is_there(old.text) && is_there(file.text));
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
	state->static_builds_days = 1;
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

START_TEST(a_turn_that_is_none_keeps_its_directory_and_is_reported)
{
	struct path precious = path_of("%s/precious", home.text);
	struct path odd = make_project(1, 40);
	struct path old = make_project(2, 40);
	struct path file = path_of("%s.job", odd.text);
	int removed;
	scratch_write(precious.text, "precious", 0600);
	ck_assert_int_eq(unlink(file.text), 0);
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
	ck_assert_ptr_nonnull(strstr(err.detail, "the rest is left to the next job"));
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
	static const char *const levels[] = {"", "/builds", "/builds/short"};
	struct path level = path_of("%s%s", made.base, levels[_i]);
	int removed;
	(void)old;
	ck_assert_int_eq(rename(level.text, moved.text), 0);
	scratch_link(moved.text, level.text);
	ck_assert_int_eq(static_builds_clean(state, NO_LIMIT_MS, &removed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a link or a file"));
	ck_assert_int_eq(static_builds_take(state, &turn, &err), -1);
	ck_assert(is_there(old.text));
}
END_TEST

static TCase *clean_tests(void)
{
	TCase *tcase = tcase_create("clean");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_no_job_has_used_for_days_goes);
	tcase_add_test(tcase, never_means_never);
	tcase_add_test(tcase, the_number_of_days_counts);
	tcase_add_test(tcase, what_is_in_use_stays_however_long);
	tcase_add_test(tcase, without_a_file_the_days_begin_now);
	tcase_add_loop_test(tcase, nothing_else_is_removed, 0, ROWS(OTHER_NAMES));
	tcase_add_test(tcase, no_link_is_followed_or_removed);
	tcase_add_test(tcase, a_turn_that_is_none_keeps_its_directory_and_is_reported);
	tcase_add_test(tcase, a_directory_of_another_account_stays);
	tcase_add_test(tcase, without_time_the_rest_is_left_to_the_next);
	tcase_add_loop_test(tcase, nothing_is_cleaned_behind_a_link, 0, 3);
	return tcase;
}

Suite *static_builds_suite(void)
{
	Suite *suite = suite_create("static_builds");
	TCase *take_tests = tcase_create("take");

	tcase_add_checked_fixture(take_tests, setup, teardown);
	tcase_add_test(take_tests, one_job_has_it_from_prepare_to_cleanup);
	tcase_add_test(take_tests, a_stage_without_the_directory_fails);
	tcase_add_test(take_tests, a_job_that_never_ended_gives_way_but_is_told);
	tcase_add_test(take_tests, without_the_setting_nothing_is_taken);
	tcase_add_test(take_tests, no_directories_are_nothing_to_leave_or_clean);
	suite_add_tcase(suite, take_tests);
	suite_add_tcase(suite, clean_tests());
	return suite;
}
