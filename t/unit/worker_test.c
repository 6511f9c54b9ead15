/* Work in a child: its result, and that a process which is told to end does not wait for it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/worker.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

struct reply {
	int number;
	char text[100000]; /* more than a pipe holds */
};

static int answer(const void *argument, void *reply, struct error *err)
{
	struct reply *out = reply;
	(void)err;
	out->number += *(const int *)argument;
	memset(out->text, 'x', sizeof(out->text) - 1);
	return 0;
}

START_TEST(the_work_starts_from_the_reply_and_changes_it)
{
	struct error err;
	struct reply *reply = calloc(1, sizeof(*reply));
	const int argument = 40;
	reply->number = 2;
	ck_assert_int_eq(worker_run(answer, &argument, reply, sizeof(*reply), &err), 0);
	ck_assert_int_eq(reply->number, 42);
	ck_assert_uint_eq(strlen(reply->text), sizeof(reply->text) - 1);
	free(reply);
}
END_TEST

/* True if the memory that malloc(3) gives out has these bytes. */
static bool heap_has(const char *wanted, size_t size)
{
	/* Not on the heap. With sanitizers, each test ends by a search of all static variables for
	 * leaks. */
	const size_t room = (size_t)16 * 1024 * 1024;
	char *copy = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	cleanup_close int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ck_assert_ptr_nonnull(maps);
	ck_assert_ptr_ne(copy, MAP_FAILED);
	/* The kernel may list it in parts. */
	while (fgets(line, sizeof(line), maps) != NULL) {
		char *end;
		if (strstr(line, "[heap]") == NULL)
			continue;
		unsigned long first = strtoul(line, &end, 16);
		size_t length = strtoul(end + 1, NULL, 16) - first;
		ck_assert_uint_le(length, room);
		ck_assert_int_eq(pread(memory, copy, length, (off_t)first), (ssize_t)length);
		found = found || memmem(copy, length, wanted, size) != NULL;
	}
	fclose(maps);
	munmap(copy, room);
	return found;
}

/* As much as the token of a job. */
#define TOLD_SIZE 8192

static int tell(const void *argument, void *reply, struct error *err)
{
	(void)argument;
	(void)err;
	memset(reply, 'x', TOLD_SIZE);
	return 0;
}

/* A child with the network is a copy of this process, and must not find another child's reply. */
START_TEST(only_the_caller_has_the_reply)
{
	struct error err;
	static char reply[TOLD_SIZE];
	char secret[256];
	memset(secret, 'x', sizeof(secret));
	ck_assert(!heap_has(secret, sizeof(secret)));
	ck_assert_int_eq(worker_run(tell, NULL, reply, sizeof(reply), &err), 0);
	ck_assert_int_eq(memcmp(reply, secret, sizeof(secret)), 0);
	ck_assert(!heap_has(secret, sizeof(secret)));
}
END_TEST

static int refuse(const void *argument, void *reply, struct error *err)
{
	(void)argument;
	*(int *)reply = 7;
	error_set(err, ERROR_DENIED, "no job for usr");
	return error_notify(err, "ask the site");
}

START_TEST(a_failure_comes_back_whole_and_the_reply_with_it)
{
	struct error err;
	int reply = 0;
	ck_assert_int_eq(worker_run(refuse, NULL, &reply, sizeof(reply), &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "no job for usr");
	ck_assert_str_eq(err.notice, "ask the site");
	ck_assert_int_eq(reply, 7);
}
END_TEST

static int die(const void *argument, void *reply, struct error *err)
{
	(void)argument;
	(void)err;
	*(int *)reply = 7;
	raise(SIGKILL);
	return 0;
}

START_TEST(a_child_that_dies_is_an_error_and_leaves_no_reply)
{
	struct error err;
	int reply = 3;
	ck_assert_int_eq(worker_run(die, NULL, &reply, sizeof(reply), &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_int_eq(reply, 0);
}
END_TEST

/* Tells its parent to end, and never comes back. */
static int hang(const void *argument, void *reply, struct error *err)
{
	(void)reply;
	(void)err;
	kill(*(const pid_t *)argument, SIGTERM);
	while (pause() != 0)
		;
	return 0;
}

/* Does as it is told, as something does that ends a program of its own first. */
static int obey(const void *argument, void *reply, struct error *err)
{
	sigset_t wanted;
	int number;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	kill(*(const pid_t *)argument, SIGTERM);
	sigwait(&wanted, &number);
	*(int *)reply = number;
	return error_set(err, ERROR_CANCELLED, "told");
}

static void be_told(const void *argument)
{
	bool obeys = *(const bool *)argument;
	const pid_t self = getpid();
	struct error err;
	int reply = 0;
	child_require(worker_run(obeys ? obey : hang, &self, &reply, sizeof(reply), &err) == -1);
	child_require(err.kind == ERROR_CANCELLED);
	child_require(err.kind == ERROR_CANCELLED);
	child_require(reply == (obeys ? SIGTERM : 0));
}

START_TEST(who_is_told_to_end_does_not_wait_for_a_child_that_hangs)
{
	const bool obeys = _i == 1;
	ck_assert_int_eq(process_run(be_told, &obeys), 0);
}
END_TEST

Suite *worker_suite(void)
{
	Suite *suite = suite_create("worker");
	TCase *tcase = tcase_create("worker");
	TCase *waits = tcase_create("waits");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_work_starts_from_the_reply_and_changes_it);
	tcase_add_test(tcase, only_the_caller_has_the_reply);
	tcase_add_test(tcase, a_failure_comes_back_whole_and_the_reply_with_it);
	tcase_add_test(tcase, a_child_that_dies_is_an_error_and_leaves_no_reply);
	suite_add_tcase(suite, tcase);

	/* The child is killed some seconds after it was told to end. */
	tcase_set_tags(waits, "slow waits-5");
	tcase_set_timeout(waits, 60);
	tcase_add_loop_test(waits, who_is_told_to_end_does_not_wait_for_a_child_that_hangs, 0, 2);
	suite_add_tcase(suite, waits);
	return suite;
}
