/*
 * The list of what a sub-stage leaves running: it finds the same processes again, and no others.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/process/leftovers.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path scripts;

static void setup(void)
{
	scripts = scratch_make();
}

static void find(struct pid_list *found, char *names, size_t size)
{
	*found = (struct pid_list){.count = 0};
	leftovers_find(scripts.text, found, names, size);
}

static void record_and_find(const void *argument)
{
	struct error err;
	struct pid_list found;
	char names[64] = "";
	char expected[64];
	(void)argument;
	cleanup_close int fd = open(scripts.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child_require(leftovers_record(fd, &err) == 0);
	find(&found, NULL, 0);
	child_require(found.count == 0);

	pid_t sleeper = process_start_sleeper();
	/* Two sub-stages may note the same one. */
	child_require(leftovers_record(fd, &err) == 0 && leftovers_record(fd, &err) == 0);
	find(&found, names, sizeof(names));
	child_require(found.count == 1 && found.pids[0] == sleeper);
	pid_list_free(&found);
	snprintf(expected, sizeof(expected), "%d (unit)", (int)sleeper);
	child_require(strcmp(names, expected) == 0);

	kill(sleeper, SIGKILL);
	process_wait_until_dead(sleeper);
	find(&found, NULL, 0);
	child_require(found.count == 0);
}

START_TEST(a_process_that_was_left_running_is_found_until_it_ends)
{
	ck_assert_int_eq(process_run(record_and_find, NULL), 0);
}
END_TEST

static void find_less_restricted(const void *argument)
{
	struct error err;
	struct pid_list found;
	(void)argument;
	cleanup_close int fd = open(scripts.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t before = process_start_sleeper();
	child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	pid_t after = process_start_sleeper();
	child_require(leftovers_record(fd, &err) == 0);
	find(&found, NULL, 0);
	child_require(found.count == 1 && found.pids[0] == after);
	pid_list_free(&found);
	kill(before, SIGKILL);
	kill(after, SIGKILL);
}

START_TEST(a_process_that_is_less_restricted_is_not_found)
{
	ck_assert_int_eq(process_run(find_less_restricted, NULL), 0);
}
END_TEST

/* The file is the user's: it may hold anything. */
static const char *const LISTS[] = {
	"", "1 1\n", "0 0\n", "-1 -\n", "x\n", " \n", "99999999999999999999 1\n", "4294967297 1\n",
};

START_TEST(a_list_names_only_living_processes_by_their_start)
{
	struct pid_list found;
	/* This process lives, but began at another time than this line has it. */
	char *own = text_format("%d 1\n%d -\n%d\n%s", (int)getpid(), (int)getpid(), (int)getpid(),
				LISTS[_i]);
	scratch_write(path_of("%s/left-running", scripts.text).text, own, 0600);
	free(own);
	find(&found, NULL, 0);
	ck_assert_uint_eq(found.count, 0);
}
END_TEST

START_TEST(a_link_in_its_place_is_not_followed)
{
	struct error err;
	struct pid_list found;
	struct path target = path_of("%s/target", scripts.text);
	cleanup_close int fd = open(scripts.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scratch_write(target.text, "", 0600);
	scratch_link(target.text, path_of("%s/left-running", scripts.text).text);
	pid_t sleeper = process_start_sleeper();
	ck_assert_int_eq(leftovers_record(fd, &err), -1);
	find(&found, NULL, 0);
	ck_assert_uint_eq(found.count, 0);
	kill(sleeper, SIGKILL);
}
END_TEST

Suite *leftovers_suite(void)
{
	Suite *suite = suite_create("leftovers");
	TCase *tcase = tcase_create("leftovers");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_process_that_was_left_running_is_found_until_it_ends);
	tcase_add_test(tcase, a_process_that_is_less_restricted_is_not_found);
	tcase_add_loop_test(tcase, a_list_names_only_living_processes_by_their_start, 0,
			    ROWS(LISTS));
	tcase_add_test(tcase, a_link_in_its_place_is_not_followed);
	suite_add_tcase(suite, tcase);
	return suite;
}
