/*
 * The file that says which job uses a directory: one job has it, until it ends or gives way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/turn.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path place;
static struct path file;
static int parent;
static struct turn turn;
static struct error err;

static void setup(void)
{
	place = scratch_make();
	file = path_of("%s/turn", place.text);
	parent = open(place.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(parent, 0);
	turn = (struct turn){.fd = -1};
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	turn_close(&turn);
	close(parent);
}

static void expect_content(const char *text)
{
	size_t size;
	char *found = scratch_read(file.text, &size);
	ck_assert_str_eq(found, text);
	free(found);
}

/* As if nothing had been heard of it for so long. */
static void age(int64_t seconds)
{
	struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};
	ck_assert_int_eq(utimensat(AT_FDCWD, file.text, then, 0), 0);
}

START_TEST(a_new_file_is_nobodys)
{
	struct stat found;
	umask(0);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert_str_eq(turn.holder, "");
	ck_assert(!turn_is_of(&turn, 7) && !turn_is_of_other(&turn, 7));
	ck_assert_int_eq(stat(file.text, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert_int_eq(turn_write(&turn, UINT64_MAX, &err), 0);
	turn_close(&turn);
	expect_content("18446744073709551615\n");
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert(turn_is_of(&turn, UINT64_MAX) && !turn_is_of(&turn, 7));
	ck_assert(turn_is_of_other(&turn, 7) && !turn_is_of_other(&turn, UINT64_MAX));
	ck_assert_int_eq(turn_write(&turn, 7, &err), 0);
	expect_content("7\n");
	ck_assert_int_eq(turn_write(&turn, 0, &err), 0);
	expect_content("");
}
END_TEST

START_TEST(one_process_has_it)
{
	struct turn second;
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert_int_eq(turn_write(&turn, 7, &err), 0);
	ck_assert_int_eq(turn_open(parent, "turn", &second, &err), 1);
	ck_assert_int_eq(second.fd, -1);
	ck_assert_str_eq(second.holder, "7");
	turn_close(&second);
	turn_close(&turn);
	ck_assert_int_eq(turn_open(parent, "turn", &second, &err), 0);
	turn_close(&second);
}
END_TEST

static const struct {
	int64_t idle_s;
	bool other;
} IDLE[] = {
	{0, true}, {500, true}, {-3600, true}, {700, false}, {1000000, false},
};

START_TEST(who_is_not_heard_of_for_long_gives_way)
{
	scratch_write(file.text, "8\n", 0600);
	age(IDLE[_i].idle_s);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert_int_ge(turn.idle_s, IDLE[_i].idle_s);
	ck_assert_int_eq(turn_is_of_other(&turn, 7), IDLE[_i].other);
	/* A job has it until another one takes it. */
	ck_assert(turn_is_of(&turn, 8));
	turn_touch(&turn);
	turn_close(&turn);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert(turn_is_of_other(&turn, 7));
}
END_TEST

static const char *const CONTENTS[] = {
	"x",   "8 ",	  " 8",	 "-8",
	"0x8", "\033[2J", "\n8", "99999999999999999999999999999999999999999999999999999",
};

START_TEST(a_file_that_says_something_else_is_of_no_job)
{
	scratch_write(file.text, CONTENTS[_i], 0600);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert(!turn_is_of(&turn, 8));
	ck_assert(strlen(turn.holder) < sizeof(turn.holder));
	ck_assert_ptr_null(strchr(turn.holder, '\033'));
}
END_TEST

START_TEST(only_a_plain_file_is_written_to)
{
	struct path other = path_of("%s/other", place.text);
	scratch_write(other.text, "precious", 0600);

	scratch_link("other", file.text);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	unlink(file.text);
	scratch_link("missing", file.text);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	ck_assert_int_eq(access(path_of("%s/missing", place.text).text, F_OK), -1);
	unlink(file.text);
	ck_assert_int_eq(link(other.text, file.text), 0);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is not a file of the user alone"));
	unlink(file.text);
	ck_assert_int_eq(mkfifo(file.text, 0600), 0);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	unlink(file.text);
	scratch_directory(file.text, 0700);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	ck_assert_int_eq(turn.fd, -1);
	file = other;
	expect_content("precious");
}
END_TEST

START_TEST(a_file_of_another_account_is_refused)
{
	if (!process_is_root(__func__))
		return;
	scratch_write(file.text, "", 0666);
	ck_assert_int_eq(chown(file.text, 65534, 65534), 0);
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is not a file of the user alone"));
}
END_TEST

/* How often the file still goes away between being opened and being locked. */
static int removals;

/* In place of the C library's. */
int flock(int fd, int operation)
{
	if (removals-- > 0)
		ck_assert_int_eq(unlink(file.text), 0);
	return (int)syscall(SYS_flock, fd, operation);
}

START_TEST(a_file_that_was_removed_is_not_locked)
{
	struct stat named;
	struct stat locked;
	removals = 3;
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), 0);
	ck_assert_int_eq(stat(file.text, &named), 0);
	ck_assert_int_eq(fstat(turn.fd, &locked), 0);
	ck_assert_uint_eq(named.st_ino, locked.st_ino);
	turn_close(&turn);

	removals = 1000000;
	ck_assert_int_eq(turn_open(parent, "turn", &turn, &err), -1);
	ck_assert_int_eq(turn.fd, -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "removed again and again"));
	removals = 0;
}
END_TEST

Suite *turn_suite(void)
{
	Suite *suite = suite_create("turn");
	TCase *tcase = tcase_create("turn");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_new_file_is_nobodys);
	tcase_add_test(tcase, what_is_written_is_read);
	tcase_add_test(tcase, one_process_has_it);
	tcase_add_loop_test(tcase, who_is_not_heard_of_for_long_gives_way, 0, ROWS(IDLE));
	tcase_add_loop_test(tcase, a_file_that_says_something_else_is_of_no_job, 0, ROWS(CONTENTS));
	tcase_add_test(tcase, only_a_plain_file_is_written_to);
	tcase_add_test(tcase, a_file_of_another_account_is_refused);
	tcase_add_test(tcase, a_file_that_was_removed_is_not_locked);
	suite_add_tcase(suite, tcase);
	return suite;
}
