/*
 * The confined child: what it returns, and what it can no longer do. Some of the workers here
 * behave like a parser that was taken over by the bytes that it parsed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

/* Only against a hang. */
#define LIMIT_MS 600000

struct reply {
	int number;
	char text[64 * 1024]; /* more than a pipe takes at once */
};

static struct reply reply;
static struct error err;
static const struct confinement PLAIN = {.limit_ms = LIMIT_MS};

static int run(int (*work)(const void *, void *, struct error *), const void *argument)
{
	memset(&reply, 'x', sizeof(reply));
	memset(&err, 0, sizeof(err));
	return confine_run(&PLAIN, work, argument, &reply, sizeof(reply), &err);
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
	ck_assert_int_eq(reply.text[0], '\0');
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
	const struct confinement brief = {.limit_ms = 100, .file = &ends[1]};
	ck_assert_int_eq(confine_run(&brief, hang, &ends[1], &reply, sizeof(reply), &err), -1);
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
	static const struct confinement told = {.cancellable = true, .limit_ms = LIMIT_MS};
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
		ck_assert_int_eq(confine_run(&told, hang, &ends[1], &reply, sizeof(reply), &err),
				 -1);
		ck_assert_int_eq(err.kind, ERROR_CANCELLED);
		ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	}
	/* It was taken; and that a child has ended tells nobody to end. */
	raise(SIGCHLD);
	ck_assert_int_eq(confine_run(&told, answer, &number, &reply, sizeof(reply), &err), 0);
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

/* The child's answer pipe: a pipe for writing that did not exist before. */
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

/* Reports success, and then writes less, or more, than the whole reply. */
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

START_TEST(a_child_that_writes_too_little_is_an_error_without_a_reply)
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
		ck_assert_int_eq(reply.text[0], '\0');
	}
	/* To test the test: one byte more is a whole reply. */
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

/* Gives a whole answer and closes the pipe, as at its end, but does not exit. */
_Noreturn static int answer_and_stay(const void *argument, void *out, struct error *error)
{
	static const char zeros[sizeof(int) + sizeof(struct error)];
	int fd = find_way_out();
	(void)argument;
	(void)error;
	io_write_all(fd, zeros, sizeof(zeros));
	io_write_all(fd, out, sizeof(struct reply));
	close(fd);
	for (;;)
		pause();
}

START_TEST(a_child_that_answers_and_does_not_exit_is_ended)
{
	/* The program's stages block SIGCHLD; its other commands do not. */
	static const int hows[] = {SIG_UNBLOCK, SIG_BLOCK};
	sigset_t held;
	remember_files();
	sigemptyset(&held);
	sigaddset(&held, SIGCHLD);
	for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
		sigset_t after;
		ck_assert_int_eq(sigprocmask(hows[i], &held, NULL), 0);
		ck_assert_int_eq(run(answer_and_stay, NULL), 0);
		ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
		ck_assert_int_eq(errno, ECHILD);
		ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &after), 0);
		ck_assert_int_eq(sigismember(&after, SIGCHLD), hows[i] == SIG_BLOCK);
	}
}
END_TEST

/* What the child finds out about itself. */
struct found {
	uid_t uid;
	gid_t gid;
	unsigned long long effective;
	unsigned long long permitted;
	unsigned long long inheritable;
	unsigned long long ambient;
	unsigned long long no_new_privs;
	unsigned long long filters; /* 2: it has some */
	rlim_t processes;
	int open; /* descriptors from 3 on */
};

static int look_around(const void *argument, void *out, struct error *error)
{
	struct found *found = out;
	struct rlimit processes = {.rlim_max = 1};
	(void)argument;
	(void)error;
	getrlimit(RLIMIT_NPROC, &processes);
	*found = (struct found){
		.uid = geteuid(),
		.gid = getegid(),
		.effective = process_status("CapEff", 16),
		.permitted = process_status("CapPrm", 16),
		.inheritable = process_status("CapInh", 16),
		.ambient = process_status("CapAmb", 16),
		.no_new_privs = process_status("NoNewPrivs", 10),
		.filters = process_status("Seccomp", 10),
		.processes = processes.rlim_max,
	};
	for (int fd = STDERR_FILENO + 1; fd < MOST_FILES; fd++)
		found->open += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
	return 0;
}

START_TEST(the_child_has_no_privilege_and_no_way_to_one)
{
	struct found found = {.effective = 1};
	if (geteuid() == 0 && !process_is_root(__func__))
		return;
	ck_assert_int_eq(dup2(STDIN_FILENO, 100), 100);
	ck_assert_int_eq(confine_run(&PLAIN, look_around, NULL, &found, sizeof(found), &err), 0);
	close(100);
	ck_assert_uint_ne(found.uid, 0);
	if (geteuid() == 0) {
		ck_assert(confined_uids_have(found.uid));
		ck_assert_uint_eq(found.gid, found.uid);
	}
	ck_assert_uint_eq(found.effective, 0);
	ck_assert_uint_eq(found.permitted, 0);
	ck_assert_uint_eq(found.inheritable, 0);
	ck_assert_uint_eq(found.ambient, 0);
	ck_assert_uint_eq(found.no_new_privs, 1);
	ck_assert_uint_eq(found.filters, 2);
	ck_assert_uint_eq(found.processes, 0);
	/* Of the pipes, its two ends. */
	ck_assert_int_eq(found.open, 2);
}
END_TEST

/* What an attacker in the child may try. Each returns true if it has worked. */

static bool forks(pid_t parent)
{
	(void)parent;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	return child > 0;
}

static bool clones(pid_t parent)
{
	(void)parent;
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		_exit(0);
	return child > 0;
}

static bool executes(pid_t parent)
{
	(void)parent;
	return execl("/bin/true", "true", (char *)NULL) == 0 || errno != ENOSYS;
}

static bool signals_parent(pid_t parent)
{
	return kill(parent, 0) == 0;
}

static bool signals_all(pid_t parent)
{
	(void)parent;
	return kill(-1, 0) == 0;
}

static bool traces_parent(pid_t parent)
{
	return ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0;
}

static bool is_traced(pid_t parent)
{
	(void)parent;
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool reads_parent(pid_t parent)
{
	char byte;
	struct iovec here = {&byte, 1};
	struct iovec there = {&byte, 1};
	return process_vm_readv(parent, &here, 1, &there, 1, 0) >= 0;
}

static bool changes_a_file(pid_t parent)
{
	(void)parent;
	return open("/tmp", O_TMPFILE | O_WRONLY, 0600) >= 0 || open("/dev/null", O_WRONLY) >= 0 ||
	       mkdir("/tmp/jacamar-unit-confined", 0700) == 0;
}

static bool lives_on(pid_t parent)
{
	(void)parent;
	const struct itimerspec later = {.it_value = {.tv_sec = 1000}};
	/* The first timer of a process is 0. */
	return syscall(SYS_timer_settime, 0, 0, &later, NULL) == 0 ||
	       syscall(SYS_timer_delete, 0) == 0 || setsid() >= 0;
}

static bool raises_its_limits(pid_t parent)
{
	(void)parent;
	return setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}) == 0;
}

static bool takes_an_id(pid_t parent)
{
	(void)parent;
	return setuid(geteuid()) == 0 || setgid(getegid()) == 0;
}

static bool has_keys(pid_t parent)
{
	(void)parent;
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0;
}

static bool connects(pid_t parent)
{
	(void)parent;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
	       socket(AF_INET6, SOCK_DGRAM, 0) >= 0;
}

static bool listens_to_packets(pid_t parent)
{
	(void)parent;
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_VSOCK, SOCK_STREAM, 0) >= 0;
}

static void *nothing(void *argument)
{
	return argument;
}

static bool starts_a_thread(pid_t parent)
{
	pthread_t thread;
	(void)parent;
	return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static const struct {
	const char *name;
	bool (*works)(pid_t parent);
	bool with_network; /* there it must work, else in neither child */
} ATTEMPTS[] = {
	{"fork", forks, false},
	{"clone", clones, false},
	{"execute", executes, false},
	{"signal the parent", signals_parent, false},
	{"signal all", signals_all, false},
	{"trace the parent", traces_parent, false},
	{"be traced", is_traced, false},
	{"read the parent", reads_parent, false},
	{"change a file", changes_a_file, false},
	{"live on", lives_on, false},
	{"raise its limits", raises_its_limits, false},
	{"take an id", takes_an_id, false},
	{"use keys", has_keys, false},
	{"connect", connects, true},
	{"listen to packets", listens_to_packets, false},
	{"start a thread", starts_a_thread, true},
};

#define ATTEMPT_COUNT (sizeof(ATTEMPTS) / sizeof(ATTEMPTS[0]))

static int attempt(const void *argument, void *out, struct error *error)
{
	bool *worked = out;
	const pid_t *parent = argument;
	(void)error;
	for (size_t i = 0; i < ATTEMPT_COUNT; i++)
		worked[i] = ATTEMPTS[i].works(*parent);
	return 0;
}

START_TEST(the_child_can_do_what_it_is_for)
{
	const struct confinement how = {.network = _i == 1, .limit_ms = LIMIT_MS};
	bool worked[ATTEMPT_COUNT];
	pid_t parent = getpid();
	if (geteuid() == 0 && !process_is_root(__func__))
		return;
	ck_assert_msg(confine_run(&how, attempt, &parent, worked, sizeof(worked), &err) == 0, "%s",
		      err.detail);
	for (size_t i = 0; i < ATTEMPT_COUNT; i++)
		ck_assert_msg(worked[i] == (how.network && ATTEMPTS[i].with_network), "%s",
			      ATTEMPTS[i].name);
}
END_TEST

static char hidden[] = "not for strangers";

struct remembered {
	bool secret;
	bool variable;
	bool proxy;
};

static int remember(const void *argument, void *out, struct error *error)
{
	struct remembered *found = out;
	const char *const *value = argument; /* where the environment has it */
	(void)error;
	found->secret = hidden[0] != '\0' || hidden[sizeof(hidden) - 2] != '\0';
	found->variable = getenv("CUSTOM_ENV_SECRET") != NULL || (*value)[0] != '\0';
	found->proxy = getenv("https_proxy") != NULL;
	return 0;
}

START_TEST(a_child_with_the_network_knows_no_secret)
{
	const struct confinement how = {.network = _i == 1, .limit_ms = LIMIT_MS};
	struct remembered found;
	setenv("CUSTOM_ENV_SECRET", "value", 1);
	setenv("https_proxy", "http://localhost:1", 1);
	const char *value = getenv("CUSTOM_ENV_SECRET");
	confine_keep_secret(hidden, sizeof(hidden));
	ck_assert_int_eq(confine_run(&how, remember, &value, &found, sizeof(found), &err), 0);
	confine_keep_secret(NULL, 0);
	ck_assert_int_eq(found.secret, !how.network);
	ck_assert_int_eq(found.variable, !how.network);
	ck_assert(found.proxy);
	/* This process has them still. */
	ck_assert_str_eq(hidden, "not for strangers");
	ck_assert_str_eq(value, "value");
}
END_TEST

/* Reports its pid, and then answers with more than a pipe can hold. */
static int answer_slowly(const void *argument, void *out, struct error *error)
{
	int number = 1;
	io_write_all(*(const int *)argument, &(pid_t){getpid()}, sizeof(pid_t));
	/* Until the parent is stopped. */
	raise(SIGSTOP);
	return answer(&number, out, error);
}

/* Taken over: closes what it reads from, by which it would learn that its parent is gone. */
_Noreturn static int let_go(const void *argument, void *out, struct error *error)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &ignore, NULL);
	for (int fd = 0; fd < MOST_FILES; fd++)
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
			close(fd);
	hang(argument, out, error);
}

static const struct {
	int (*work)(const void *, void *, struct error *);
	bool stopped; /* the parent, so that it does not take the reply */
	int64_t limit_ms;
} LIVES[] = {
	{hang, false, LIMIT_MS},
	{answer_slowly, true, LIMIT_MS},
	{let_go, false, 1000},
};

/* As jacamar-auth is, where that is not root: with less than it takes to signal its child. */
static void run_as_service(int row, int told)
{
	const struct confinement how = {.limit_ms = LIVES[row].limit_ms, .file = &told};
	process_forget_check();
	if (geteuid() == 0 && privilege_reserve(&err) != 0)
		_exit(1);
	confine_run(&how, LIVES[row].work, &told, &reply, sizeof(reply), &err);
	_exit(0);
}

START_TEST(the_child_dies_with_its_parent)
{
	int ends[2];
	pid_t child = -1;
	if (geteuid() == 0 && !process_is_root(__func__))
		return;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t parent = fork();
	if (parent == 0)
		run_as_service(_i, ends[1]);
	close(ends[1]);
	ck_assert_int_eq(io_read_full(ends[0], &child, sizeof(child)), sizeof(child));
	close(ends[0]);
	if (LIVES[_i].stopped) {
		process_wait_until_state(child, 'T');
		kill(parent, SIGSTOP);
		process_wait_until_state(parent, 'T');
		kill(child, SIGCONT);
	}
	kill(parent, SIGKILL);
	ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
	/* If it lives on, the test hangs. */
	process_wait_until_dead(child);
}
END_TEST

static void take_the_place(const void *argument)
{
	uid_t uid = *(const uid_t *)argument;
	process_forget_check();
	child_require(setresuid(uid, uid, uid) == 0);
	for (;;)
		pause();
}

/* Each restriction, by its system call and the argument that is not 0 if it is requested. */
static const struct {
	unsigned int call;
	int argument;
	const char *says;
} FAKES[] = {
	{SYS_setresuid, 0, "uid"},	   {SYS_setresgid, 0, "uid"},
	{SYS_prctl, 0, "no_new_privs"},	   {SYS_prlimit64, 2, "the limit of a confined process"},
	{SYS_seccomp, 2, "the filter of"},
};

static void run_with_fake(const void *argument)
{
	int row = *(const int *)argument;
	int number = 41;
	process_fake_call(FAKES[row].call, FAKES[row].argument);
	child_require(run(answer, &number) == -1);
	child_require(strstr(err.detail, FAKES[row].says) != NULL);
	child_require(strstr(err.detail, "is not in effect") != NULL);
}

START_TEST(a_restriction_that_is_not_in_effect_is_an_error)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(run_with_fake, &_i), 0);
}
END_TEST

START_TEST(a_uid_that_a_process_has_is_passed_over)
{
	struct found found;
	uid_t uid = confined_uids_own();
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(confine_run(&PLAIN, look_around, NULL, &found, sizeof(found), &err), 0);
	ck_assert_uint_eq(found.uid, uid);
	pid_t other = fork();
	if (other == 0)
		take_the_place(&uid);
	errno = 0;
	while (getpriority(PRIO_USER, uid) == -1 && errno == ESRCH)
		errno = 0;
	ck_assert_int_eq(confine_run(&PLAIN, look_around, NULL, &found, sizeof(found), &err), 0);
	kill(other, SIGKILL);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
	/* A process of another test may have the next one. */
	ck_assert_uint_gt(found.uid, uid);
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
	tcase_add_test(tcase, a_child_that_writes_too_little_is_an_error_without_a_reply);
	tcase_add_test(tcase, a_child_that_never_stops_writing_is_ended);
	tcase_add_test(tcase, a_child_that_answers_and_does_not_exit_is_ended);
	tcase_add_test(tcase, the_child_has_no_privilege_and_no_way_to_one);
	tcase_add_loop_test(tcase, the_child_can_do_what_it_is_for, 0, 2);
	tcase_add_loop_test(tcase, a_child_with_the_network_knows_no_secret, 0, 2);
	tcase_add_loop_test(tcase, the_child_dies_with_its_parent, 0, ROWS(LIVES));
	tcase_add_loop_test(tcase, a_restriction_that_is_not_in_effect_is_an_error, 0, ROWS(FAKES));
	tcase_add_test(tcase, a_uid_that_a_process_has_is_passed_over);
	tcase_add_test(tcase, the_caller_keeps_what_it_has);
	suite_add_tcase(suite, tcase);
	return suite;
}
