/*
 * Reading and writing to the end, over pipes that give and take as little as they like.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

#define MUCH ((size_t)300 * 1024)

/* A child that writes `size` bytes in parts of odd sizes; the reading end. */
static int start_writer(size_t size)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		process_forget_check();
		static char bytes[1021];
		memset(bytes, 'x', sizeof(bytes));
		for (size_t part; size > 0; size -= part) {
			part = size % 7 != 0 ? size % 7 : sizeof(bytes);
			part = part < size ? part : size;
			if (write(ends[1], bytes, part) != (ssize_t)part)
				_exit(1);
		}
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

START_TEST(all_is_written_to_a_slow_reader)
{
	int ends[2];
	int status;
	char *bytes = malloc(MUCH);
	memset(bytes, 'x', MUCH);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		char part[997];
		size_t seen = 0;
		close(ends[1]);
		for (ssize_t got; (got = read(ends[0], part, sizeof(part))) > 0;)
			seen += (size_t)got;
		free(bytes);
		_exit(seen == MUCH ? 0 : 1);
	}
	close(ends[0]);
	ck_assert_int_eq(io_write_all(ends[1], bytes, MUCH), 0);
	close(ends[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	free(bytes);
}
END_TEST

START_TEST(a_write_that_fails_tells_why)
{
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	errno = 0;
	ck_assert_int_eq(io_write_all(ends[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(ends[1]);
}
END_TEST

START_TEST(a_full_read_takes_what_comes_in_parts)
{
	char *bytes = malloc(MUCH);
	int fd = start_writer(MUCH);
	ck_assert_int_eq(io_read_full(fd, bytes, 1000), 1000);
	ck_assert_int_eq(io_read_full(fd, bytes, MUCH), (ssize_t)MUCH - 1000);
	ck_assert_int_eq(io_read_full(fd, bytes, 10), 0);
	close(fd);
	ck_assert_int_eq(io_read_full(fd, bytes, 10), -1);
	free(bytes);
}
END_TEST

/* Around the sizes at which the memory grows. */
static const size_t SIZES[] = {0, 1, 4095, 4096, 4097, 8192, 16384, 16385, MUCH};

START_TEST(all_is_read_to_the_end)
{
	size_t size = 0;
	int fd = start_writer(SIZES[_i]);
	char *text = io_read_to_end(fd, SIZES[_i], &size);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(size, SIZES[_i]);
	ck_assert_uint_eq(strlen(text), SIZES[_i]);
	free(text);
	close(fd);
}
END_TEST

START_TEST(too_much_is_refused)
{
	size_t size = 0;
	int fd = start_writer(SIZES[_i]);
	errno = 0;
	ck_assert_ptr_null(io_read_to_end(fd, SIZES[_i] - 1, &size));
	ck_assert_int_eq(errno, EFBIG);
	close(fd);
}
END_TEST

static void reap_writers(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

Suite *io_suite(void)
{
	Suite *suite = suite_create("io");
	TCase *tcase = tcase_create("io");

	tcase_add_checked_fixture(tcase, NULL, reap_writers);
	tcase_add_test(tcase, all_is_written_to_a_slow_reader);
	tcase_add_test(tcase, a_write_that_fails_tells_why);
	tcase_add_test(tcase, a_full_read_takes_what_comes_in_parts);
	tcase_add_loop_test(tcase, all_is_read_to_the_end, 0, ROWS(SIZES));
	tcase_add_loop_test(tcase, too_much_is_refused, 1, ROWS(SIZES));
	suite_add_tcase(suite, tcase);
	return suite;
}
