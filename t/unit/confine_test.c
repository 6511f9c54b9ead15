/*
 * The confined child: what comes out of it, and what it cannot do any more. Some of the workers
 * here behave as a parser would that was taken over by what it parsed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/confine.h"
#include "core/io.h"
#include "core/text.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

/* Against a hang alone. */
#define LIMIT_MS 600000

struct reply {
	int number;
	char text[64 * 1024]; /* more than a pipe takes at once */
};

static struct reply reply;
static struct error err;

static int run(int (*work)(const void *, void *, struct error *), const void *argument)
{
	memset(&reply, 'x', sizeof(reply));
	memset(&err, 0, sizeof(err));
	return confine_run(work, argument, &reply, sizeof(reply), LIMIT_MS, &err);
}

static int answer(const void *argument, void *out, struct error *error)
{
	struct reply *answered = out;
	(void)error;
	answered->number = *(const int *)argument + 1;
	memset(answered->text, 'r', sizeof(answered->text));
	return 0;
}

START_TEST(a_reply_comes_back_whole)
{
	int number = 41;
	ck_assert_msg(run(answer, &number) == 0, "%s", err.detail);
	ck_assert_int_eq(reply.number, 42);
	for (size_t i = 0; i < sizeof(reply.text); i++)
		ck_assert_int_eq(reply.text[i], 'r');
}
END_TEST

static int change_the_argument(const void *argument, void *out, struct error *error)
{
	*(int *)(uintptr_t)argument = 7;
	setenv("JACAMAR_UNIT_CONFINED", "1", 1);
	return answer(argument, out, error);
}

START_TEST(nothing_else_comes_back)
{
	int number = 41;
	ck_assert_int_eq(run(change_the_argument, &number), 0);
	ck_assert_int_eq(number, 41);
	ck_assert_ptr_null(getenv("JACAMAR_UNIT_CONFINED"));
}
END_TEST

static int deny(const void *argument, void *out, struct error *error)
{
	memset(out, 'y', sizeof(struct reply));
	return error_set(error, *(const enum error_kind *)argument, "refused\nby %s", "the work");
}

static int print(const void *argument, void *out, struct error *error)
{
	char byte;
	(void)out;
	(void)error;
	/* config's answer to the runner goes to standard output; nothing of a parser may. */
	if (io_write_all(STDOUT_FILENO, "noise", 5) != 0 ||
	    io_write_all(STDERR_FILENO, "noise", 5) != 0 || read(STDIN_FILENO, &byte, 1) != 0)
		return -1;
	return *(const int *)argument;
}

START_TEST(nothing_is_printed)
{
	int ends[2];
	int number = 0;
	char byte;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	fflush(stdout);
	int kept[] = {-1, dup(STDOUT_FILENO), dup(STDERR_FILENO)};
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		ck_assert_int_eq(dup2(ends[1], fd), fd);
	int result = run(print, &number);
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		ck_assert_int_eq(dup2(kept[fd], fd), fd);
		close(kept[fd]);
	}
	close(ends[1]);
	ck_assert_msg(result == 0, "%s", err.detail);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}
END_TEST

START_TEST(an_error_is_handed_on_without_the_reply)
{
	enum error_kind kind = ERROR_DENIED;
	ck_assert_int_eq(run(deny, &kind), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "refused?by the work");
	ck_assert_int_eq(reply.text[0], 'x');
	/* A child does not say that the program was called in a wrong way, or that all is well. */
	kind = ERROR_USAGE;
	ck_assert_int_eq(run(deny, &kind), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	kind = ERROR_NONE;
	ck_assert_int_eq(run(deny, &kind), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
}
END_TEST

static int say_garbage(const void *argument, void *out, struct error *error)
{
	(void)argument;
	(void)out;
	memset(error, 0x80 + '\n', sizeof(*error));
	return -1;
}

START_TEST(an_error_of_garbage_becomes_a_line)
{
	ck_assert_int_eq(run(say_garbage, NULL), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_uint_eq(strlen(err.detail), sizeof(err.detail) - 1);
	ck_assert(text_is_printable(err.detail));
}
END_TEST

static int die(const void *argument, void *out, struct error *error)
{
	(void)out;
	(void)error;
	process_forget_check();
	raise(*(const int *)argument);
	return 0;
}

_Noreturn static int leave(const void *argument, void *out, struct error *error)
{
	(void)out;
	(void)error;
	_exit(*(const int *)argument);
}

START_TEST(a_child_that_dies_is_an_error)
{
	static const int signals[] = {SIGKILL, SIGTERM, SIGALRM, SIGPIPE};
	static const int codes[] = {0, 1, 255};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		ck_assert_int_eq(run(die, &signals[i]), -1);
		ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	}
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		ck_assert_int_eq(run(leave, &codes[i]), -1);
		ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	}
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

_Noreturn static int hang(const void *argument, void *out, struct error *error)
{
	(void)out;
	(void)error;
	io_write_all(*(const int *)argument, &(pid_t){getpid()}, sizeof(pid_t));
	for (;;)
		pause();
}

START_TEST(a_child_that_hangs_is_ended)
{
	int ends[2];
	pid_t child = -1;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	memset(&reply, 'x', sizeof(reply));
	ck_assert_int_eq(confine_run(hang, &ends[1], &reply, sizeof(reply), 100, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	close(ends[1]);
	/* Where the limit was over before the child came so far, it has not written. */
	if (io_read_full(ends[0], &child, sizeof(child)) == (ssize_t)sizeof(child))
		ck_assert(!process_is_alive(child));
	close(ends[0]);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(a_signal_ends_work_that_may_be_told)
{
	static const int ending[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t held;
	int ends[2];
	int number = 41;
	sigemptyset(&held);
	sigaddset(&held, SIGCHLD);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		sigaddset(&held, ending[i]);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &held, NULL), 0);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		raise(ending[i]);
		ck_assert_int_eq(confine_run_unless_told(hang, &ends[1], &reply, sizeof(reply),
							 LIMIT_MS, &err),
				 -1);
		ck_assert_int_eq(err.kind, ERROR_CANCELLED);
		ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	}
	/* It was taken; and that a child has ended tells nobody to end. */
	raise(SIGCHLD);
	ck_assert_int_eq(
		confine_run_unless_told(answer, &number, &reply, sizeof(reply), LIMIT_MS, &err), 0);
	ck_assert_int_eq(reply.number, 42);
	/* Other work, such as what records the end, goes on. */
	raise(SIGTERM);
	ck_assert_int_eq(run(answer, &number), 0);
}
END_TEST

#define MOST_FILES 256

static bool was_open[MOST_FILES];

static void remember_files(void)
{
	for (int fd = 0; fd < MOST_FILES; fd++)
		was_open[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* The child's way out: a pipe to write to that was not there before. */
static int find_way_out(void)
{
	for (int fd = MOST_FILES - 1; fd >= 0; fd--) {
		struct stat found;
		if (!was_open[fd] && fstat(fd, &found) == 0 && S_ISFIFO(found.st_mode) &&
		    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
			return fd;
	}
	return -1;
}

/* Says that all is well, and then less, or more, than the whole reply. */
static int write_other_than_all(const void *argument, void *out, struct error *error)
{
	static char zeros[sizeof(struct error) + 16];
	size_t size = *(const size_t *)argument;
	int fd = find_way_out();
	(void)error;
	if (fd < 0)
		return 0;
	/* confine.c's record: the result and the error. */
	size_t verdict = sizeof(int) + sizeof(struct error);
	io_write_all(fd, zeros, size < verdict ? size : verdict);
	if (size > verdict)
		io_write_all(fd, out, size - verdict);
	_exit(0);
}

START_TEST(a_child_that_writes_too_little_is_an_error)
{
	static const size_t sizes[] = {0,
				       1,
				       sizeof(int),
				       sizeof(int) + sizeof(struct error),
				       sizeof(int) + sizeof(struct error) + 1,
				       sizeof(int) + sizeof(struct error) + sizeof(struct reply) -
					       1};
	remember_files();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_msg(run(write_other_than_all, &sizes[i]) == -1, "%zu bytes", sizes[i]);
		ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	}
	/* The measure itself is right: one byte more is a whole reply. */
	size_t whole = sizes[5] + 1;
	ck_assert_int_eq(run(write_other_than_all, &whole), 0);
}
END_TEST

static int write_without_end(const void *argument, void *out, struct error *error)
{
	int fd = find_way_out();
	(void)argument;
	(void)error;
	signal(SIGPIPE, SIG_DFL);
	while (fd >= 0 && io_write_all(fd, out, 4096) == 0)
		;
	return -1;
}

START_TEST(a_child_that_never_stops_writing_is_ended)
{
	remember_files();
	run(write_without_end, NULL);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* What the child finds of itself, and whether it can undo it. */
struct found {
	uid_t uid;
	unsigned long long effective;
	unsigned long long permitted;
	unsigned long long inheritable;
	unsigned long long ambient;
	unsigned long long no_new_privs;
	rlim_t core;
	int dumpable;
	bool regained;
	bool has_key;
};

static const char KEY[] = "a key of the caller";

/* Puts it into a session keyring of this process' own; false where the kernel has no keys. */
static bool may_have_keys(void)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 &&
	       syscall(SYS_add_key, "user", KEY, "x", 1, KEY_SPEC_SESSION_KEYRING) >= 0;
}

static bool has_key(void)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", KEY, 0) >= 0;
}

static int look_around(const void *argument, void *out, struct error *error)
{
	struct found *found = out;
	struct rlimit core = {.rlim_cur = 1};
	(void)argument;
	(void)error;
	getrlimit(RLIMIT_CORE, &core);
	*found = (struct found){
		.uid = geteuid(),
		.effective = process_status("CapEff", 16),
		.permitted = process_status("CapPrm", 16),
		.inheritable = process_status("CapInh", 16),
		.ambient = process_status("CapAmb", 16),
		.no_new_privs = process_status("NoNewPrivs", 10),
		.core = core.rlim_cur,
		.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
		.has_key = has_key(),
		.regained = setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0,
	};
	return 0;
}

START_TEST(the_child_has_no_privilege_and_no_way_to_one)
{
	struct found found = {.effective = 1};
	if (geteuid() == 0 && !process_is_root(__func__))
		return;
	/* A kernel may be built without keys. */
	ck_assert(may_have_keys() ? has_key() : errno == ENOSYS);
	ck_assert_int_eq(confine_run(look_around, NULL, &found, sizeof(found), LIMIT_MS, &err), 0);
	ck_assert_uint_ne(found.uid, 0);
	ck_assert_uint_eq(found.effective, 0);
	ck_assert_uint_eq(found.permitted, 0);
	ck_assert_uint_eq(found.inheritable, 0);
	ck_assert_uint_eq(found.ambient, 0);
	ck_assert_uint_eq(found.no_new_privs, 1);
	ck_assert_uint_eq(found.core, 0);
	ck_assert_int_eq(found.dumpable, 0);
	ck_assert(!found.regained);
	ck_assert(!found.has_key);
}
END_TEST

START_TEST(the_caller_keeps_what_it_has)
{
	int number = 1;
	uid_t uid = geteuid();
	unsigned long long capabilities = process_status("CapPrm", 16);
	unsigned long long own = process_status("NoNewPrivs", 10);
	ck_assert_int_eq(run(answer, &number), 0);
	ck_assert_uint_eq(geteuid(), uid);
	ck_assert_uint_eq(process_status("CapPrm", 16), capabilities);
	ck_assert_uint_eq(process_status("NoNewPrivs", 10), own);
}
END_TEST

Suite *confine_suite(void)
{
	Suite *suite = suite_create("confine");
	TCase *tcase = tcase_create("confine");

	tcase_add_test(tcase, a_reply_comes_back_whole);
	tcase_add_test(tcase, nothing_else_comes_back);
	tcase_add_test(tcase, nothing_is_printed);
	tcase_add_test(tcase, an_error_is_handed_on_without_the_reply);
	tcase_add_test(tcase, an_error_of_garbage_becomes_a_line);
	tcase_add_test(tcase, a_child_that_dies_is_an_error);
	tcase_add_test(tcase, a_child_that_hangs_is_ended);
	tcase_add_test(tcase, a_signal_ends_work_that_may_be_told);
	tcase_add_test(tcase, a_child_that_writes_too_little_is_an_error);
	tcase_add_test(tcase, a_child_that_never_stops_writing_is_ended);
	tcase_add_test(tcase, the_child_has_no_privilege_and_no_way_to_one);
	tcase_add_test(tcase, the_caller_keeps_what_it_has);
	suite_add_tcase(suite, tcase);
	return suite;
}
