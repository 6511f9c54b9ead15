/*
 * Finding and ending processes that try to avoid it. Each test is a process of its own, which
 * adopts what its children leave behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/privilege/downscope.h"
#include "core/process/process_scan.h"
#include "core/process/process_tree.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

/* Only against a hang. */
#define LIMIT_MS 600000

static bool list_has(const struct pid_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

/* A pipe over which the processes of a tree report that they run. */
static int tell[2];

static void open_tell(void)
{
	child_require(pipe2(tell, O_CLOEXEC) == 0);
}

static void tell_pid(void)
{
	pid_t pid = getpid();
	child_require(io_write_all(tell[1], &pid, sizeof(pid)) == 0);
}

static pid_t hear_pid(void)
{
	pid_t pid = -1;
	child_require(io_read_full(tell[0], &pid, sizeof(pid)) == (ssize_t)sizeof(pid));
	return pid;
}

_Noreturn static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

_Noreturn static void wait_for_ever(void)
{
	tell_pid();
	sleep_for_ever();
}

static void adopt(void)
{
	struct error err;
	child_require(process_tree_adopt_orphans(&err) == 0);
	open_tell();
}

/* A chain of processes, each the child of the one before it; what `prepare` says is done in each.
 */
static void grow_chain(pid_t pids[], int length, void (*prepare)(int depth))
{
	struct {
		int depth;
		pid_t pid;
	} here;
	if (fork() == 0) {
		for (here.depth = 0;; here.depth++) {
			if (prepare != NULL)
				prepare(here.depth);
			here.pid = getpid();
			child_require(io_write_all(tell[1], &here, sizeof(here)) == 0);
			if (here.depth + 1 == length || fork() != 0)
				sleep_for_ever();
		}
	}
	for (int i = 0; i < length; i++) {
		child_require(io_read_full(tell[0], &here, sizeof(here)) == (ssize_t)sizeof(here));
		pids[here.depth] = here.pid;
	}
}

static void expect_all_dead(const pid_t pids[], int count)
{
	for (int i = 0; i < count; i++)
		child_require(!process_is_alive(pids[i]));
}

static void reap_all(void)
{
	int status;
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
}

/* --- children --- */

static void count_children(const void *argument)
{
	int status = 0;
	(void)argument;
	child_require(!process_tree_has_children());
	pid_t zombie = fork();
	if (zombie == 0)
		_exit(7);
	process_wait_until_state(zombie, 'Z');
	child_require(process_tree_has_children());
	child_require(process_tree_reap(zombie, &status));
	child_require(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	child_require(!process_tree_has_children());

	pid_t sleeper = process_start_sleeper();
	pid_t other = fork();
	if (other == 0)
		_exit(8);
	process_wait_until_state(other, 'Z');
	/* Another's end is not the one asked for, and is reaped all the same. */
	child_require(!process_tree_reap(sleeper, &status));
	child_require(process_state(other) == '\0');
	child_require(process_tree_has_children());
	kill(sleeper, SIGKILL);
	reap_all();
}

START_TEST(children_are_counted_and_reaped)
{
	ck_assert_int_eq(process_run(count_children, NULL), 0);
}
END_TEST

/* --- ending trees --- */

static void ignore_some(int depth)
{
	if (depth % 2 == 0)
		signal(SIGTERM, SIG_IGN);
}

static void terminate_tree(const void *argument)
{
	pid_t pids[5];
	(void)argument;
	adopt();
	grow_chain(pids, 5, NULL);
	struct pid_list roots = {.pids = &pids[0], .count = 1};
	/* A stopped one takes it, too. */
	kill(pids[2], SIGSTOP);
	process_wait_until_state(pids[2], 'T');
	process_tree_terminate(&roots);
	for (int i = 0; i < 5; i++)
		process_wait_until_dead(pids[i]);
	reap_all();
}

START_TEST(a_whole_tree_is_told_to_end)
{
	ck_assert_int_eq(process_run(terminate_tree, NULL), 0);
}
END_TEST

/* Forks children that only wait, as a script starts one command after the other. */
static void fork_children(void)
{
	setsid();
	for (int i = 0; i < 200; i++) {
		if (fork() == 0)
			sleep_for_ever();
		if (i == 0)
			tell_pid();
	}
	sleep_for_ever();
}

/* A child that is not told lives on, and the test does not end. */
static void terminate_forking(const void *argument)
{
	(void)argument;
	adopt();
	for (int round = 0; round < 20; round++) {
		pid_t parent = fork();
		if (parent == 0)
			fork_children();
		child_require(hear_pid() == parent);
		struct pid_list roots = {.pids = &parent, .count = 1};
		process_tree_terminate(&roots);
		reap_all();
	}
}

START_TEST(a_child_that_is_forked_meanwhile_is_told_to_end_as_well)
{
	ck_assert_int_eq(process_run(terminate_forking, NULL), 0);
}
END_TEST

/* A member of the leader's group that is no descendant of it, like a child that no list has. */
static void lead_group(void)
{
	setsid();
	if (fork() == 0) {
		if (fork() == 0)
			wait_for_ever();
		_exit(0);
	}
	sleep_for_ever();
}

static void terminate_group(const void *argument)
{
	int status;
	(void)argument;
	adopt();
	pid_t leader = fork();
	if (leader == 0)
		lead_group();
	pid_t member = hear_pid();
	while (process_tree_stat(member).parent != getpid())
		usleep(1000);
	struct pid_list roots = {.pids = &leader, .count = 1};
	process_tree_terminate(&roots);
	/* Has no effect on a process that has got SIGTERM. */
	kill(member, SIGKILL);
	child_require(waitpid(member, &status, 0) == member);
	child_require(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	child_require(waitpid(leader, &status, 0) == leader);
}

START_TEST(all_members_of_its_group_are_told_to_end)
{
	ck_assert_int_eq(process_run(terminate_group, NULL), 0);
}
END_TEST

#define NOT_POSSIBLE 77

static void terminate_forking_in_container(const void *argument)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) != 0)
		_exit(NOT_POSSIBLE);
	child_require(getsid(0) == 0);
	terminate_forking(argument);
}

/* The leader of the session stays outside of the pid namespace, as with `podman exec`. */
static void enter_container(const void *argument)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) != 0)
		_exit(NOT_POSSIBLE);
	int status = process_run(terminate_forking_in_container, argument);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

START_TEST(a_child_in_a_container_is_told_to_end_as_well)
{
	int status = process_run(enter_container, NULL);
	if (WEXITSTATUS(status) == NOT_POSSIBLE)
		process_skip(__func__, "needs a pid namespace with its own /proc");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

static void kill_tree(const void *argument)
{
	pid_t pids[6];
	pid_t stranger = process_start_sleeper();
	(void)argument;
	adopt();
	grow_chain(pids, 6, ignore_some);
	kill(pids[1], SIGSTOP);
	process_wait_until_state(pids[1], 'T');
	struct pid_list roots = {.pids = &pids[0], .count = 1};
	child_require(process_tree_kill(&roots) == 6);
	for (int i = 0; i < 6; i++)
		process_wait_until_dead(pids[i]);
	/* Only what was meant. */
	child_require(process_is_alive(stranger));
	/* Zombies are not counted, and do not keep the kill going. */
	child_require(process_tree_kill(&roots) == 0);
	kill(stranger, SIGKILL);
	reap_all();
	child_require(process_tree_kill(&roots) == 0);
}

START_TEST(a_whole_tree_is_killed_whatever_it_ignores)
{
	ck_assert_int_eq(process_run(kill_tree, NULL), 0);
}
END_TEST

/* Forks twice and leaves, in a session of its own: init's child, were it not for us. */
static void leave_orphan(int depth)
{
	if (depth == 0) {
		if (fork() != 0)
			_exit(0);
		setsid();
		if (fork() != 0)
			_exit(0);
		signal(SIGTERM, SIG_IGN);
	}
}

static void kill_orphans(const void *argument)
{
	pid_t pids[3];
	(void)argument;
	adopt();
	grow_chain(pids, 3, leave_orphan);
	child_require(process_tree_has_children());
	child_require(process_tree_kill_descendants(LIMIT_MS));
	expect_all_dead(pids, 3);
	child_require(!process_tree_has_children());
	/* With nobody left it is done at once. */
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(orphans_are_adopted_and_killed)
{
	ck_assert_int_eq(process_run(kill_orphans, NULL), 0);
}
END_TEST

/* Keeps the standard descriptors, and room for so many more. */
static void leave_descriptors(rlim_t count)
{
	struct error err;
	struct rlimit files;
	child_require(io_close_from(STDERR_FILENO + 1, &err) == 0);
	child_require(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = STDERR_FILENO + 1 + count;
	child_require(setrlimit(RLIMIT_NOFILE, &files) == 0);
}

/* With a descriptor for the directory of threads in /proc, and none for the file of children. */
static void kill_without_descriptors(const void *argument)
{
	struct error err;
	struct pid_list found = {.count = 0};
	(void)argument;
	child_require(process_tree_adopt_orphans(&err) == 0);
	pid_t sleeper = process_start_sleeper();
	leave_descriptors(1);
	child_require(process_tree_has_children());
	child_require(process_tree_descendants(&found) != 0 && found.count == 0);
	child_require(!process_tree_kill_descendants(0));
	child_require(process_is_alive(sleeper) && kill(sleeper, SIGKILL) == 0);
	pid_list_free(&found);
	reap_all();
}

START_TEST(children_that_cannot_be_listed_do_not_count_as_gone)
{
	ck_assert_int_eq(process_run(kill_without_descriptors, NULL), 0);
}
END_TEST

/* Each forks again and again, as far as the number reaches that all of them share. */
static void bomb(atomic_int *left)
{
	for (;;) {
		if (atomic_fetch_sub(left, 1) > 0 && fork() == 0)
			continue;
		if (atomic_load(left) <= 0)
			wait_for_ever();
	}
}

static void kill_bomb(const void *argument)
{
	(void)argument;
	adopt();
	atomic_int *left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child_require(left != MAP_FAILED);
	atomic_init(left, 60);
	if (fork() == 0)
		bomb(left);
	/* In the middle of it. */
	while (atomic_load(left) > 30)
		sched_yield();
	child_require(process_tree_kill_descendants(LIMIT_MS));
	child_require(!process_tree_has_children());
}

START_TEST(a_fork_bomb_is_killed)
{
	ck_assert_int_eq(process_run(kill_bomb, NULL), 0);
}
END_TEST

/* Never lives long enough to be killed: each leaves a child, and ends. */
static void run_away(atomic_int *generation)
{
	if (fork() != 0)
		return;
	for (;;) {
		atomic_fetch_add(generation, 1);
		if (fork() != 0)
			_exit(0);
	}
}

static void kill_runaway(const void *argument)
{
	(void)argument;
	adopt();
	atomic_int *generation = mmap(NULL, sizeof(*generation), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child_require(generation != MAP_FAILED);
	run_away(generation);
	while (atomic_load(generation) < 10)
		sched_yield();
	child_require(process_tree_kill_descendants(LIMIT_MS));
	child_require(!process_tree_has_children());
}

START_TEST(a_process_that_runs_away_is_killed)
{
	ck_assert_int_eq(process_run(kill_runaway, NULL), 0);
}
END_TEST

/* --- finding --- */

static int held[2];

static void open_held(void)
{
	child_require(pipe2(held, O_CLOEXEC) == 0);
}

/* A child with the ends of `held` that are asked for. */
static pid_t start_holder(bool reader, bool writer)
{
	pid_t child = fork();
	if (child == 0) {
		if (!reader)
			close(held[0]);
		if (!writer)
			close(held[1]);
		prctl(PR_SET_NAME, "a) R \033b");
		wait_for_ever();
	}
	child_require(hear_pid() == child);
	return child;
}

static ino_t pipe_inode(void)
{
	struct stat found;
	child_require(fstat(held[1], &found) == 0);
	return found.st_ino;
}

static void find_holders(const void *argument)
{
	(void)argument;
	adopt();
	open_held();
	pid_t both = start_holder(true, true);
	pid_t writer = start_holder(false, true);
	pid_t reader = start_holder(true, false);
	pid_t neither = start_holder(false, false);
	pid_t zombie = start_holder(false, true);
	kill(zombie, SIGKILL);
	process_wait_until_dead(zombie);
	pid_t stopped = start_holder(false, true);
	kill(stopped, SIGSTOP);
	process_wait_until_state(stopped, 'T');

	struct process_scan_mark mark = {.pipes = {0, pipe_inode()}};
	struct pid_list found = {.count = 0};
	char names[512] = "";
	char expected[64];
	child_require(mark.pipes[1] != 0);
	child_require(process_scan(&mark, &found, names, sizeof(names)) == 0);
	child_require(list_has(&found, both) && list_has(&found, writer));
	child_require(list_has(&found, stopped));
	child_require(!list_has(&found, reader) && !list_has(&found, neither));
	child_require(!list_has(&found, zombie) && !list_has(&found, getpid()));
	child_require(found.count == 3);
	/* A name of the job's choice stays in its line. */
	snprintf(expected, sizeof(expected), "%d (a) R ?b)", (int)both);
	child_require(strstr(names, expected) != NULL);
	child_require(strchr(names, '\033') == NULL);
	pid_list_free(&found);

	/* What does not fit in the line for the log is left out, not cut. */
	char few[8] = "";
	child_require(process_scan(&mark, &found, few, sizeof(few)) == 0 && found.count == 3);
	child_require(few[0] == '\0');
	pid_list_free(&found);
	child_require(process_tree_kill_descendants(LIMIT_MS));
	child_require(process_scan(&mark, &found, NULL, 0) == 0 && found.count == 0);
}

START_TEST(who_can_write_to_a_pipe_is_found)
{
	ck_assert_int_eq(process_run(find_holders, NULL), 0);
}
END_TEST

/* A process that keeps forking and exiting, so that its pid is soon another one's. */
static _Noreturn void keep_forking(void)
{
	int64_t end = io_now_ms() + LIMIT_MS;
	signal(SIGCHLD, SIG_IGN);
	while (io_now_ms() < end)
		if (fork() > 0)
			_exit(0);
	_exit(1);
}

/*
 * Among so many processes, a search that goes through a list of them finds it in less than half of
 * the searches, and the search of the newest ones in nearly all.
 */
#define CROWD	 300
#define SEARCHES 40
#define ENOUGH	 (SEARCHES / 4 * 3)

static void find_one_that_keeps_forking(const void *argument)
{
	char byte;
	int times = 0;
	(void)argument;
	adopt();
	for (int i = 0; i < CROWD; i++)
		(void)process_start_sleeper();
	open_held();
	if (fork() == 0)
		keep_forking();
	struct process_scan_mark mark = {.pipes = {0, pipe_inode()}};
	close(held[1]);
	for (int i = 0; i < SEARCHES; i++) {
		struct pid_list found = {.count = 0};
		child_require(process_scan(&mark, &found, NULL, 0) == 0);
		times += found.count > 0;
		pid_list_free(&found);
	}
	/* Until nobody has the pipe open. */
	mark.signal_number = SIGKILL;
	child_require(fcntl(held[0], F_SETFL, O_NONBLOCK) == 0);
	while (read(held[0], &byte, 1) != 0) {
		struct pid_list killed = {.count = 0};
		child_require(process_scan(&mark, &killed, NULL, 0) == 0);
		pid_list_free(&killed);
	}
	child_require(process_tree_kill_descendants(LIMIT_MS));
	child_require(times >= ENOUGH);
}

START_TEST(one_that_keeps_forking_is_found_among_many)
{
	ck_assert_int_eq(process_run(find_one_that_keeps_forking, NULL), 0);
}
END_TEST

/* Of accounts that no other process has. */
#define OWN_ID	  2099999997
#define ABSENT_ID 2099999998

/* Where /proc cannot be read, a search fails. */
static void search_for_an_absent_account(const void *argument)
{
	struct process_scan_mark mark = {.variable = "A=1"};
	struct pid_list found = {.count = 0};
	(void)argument;
	child_require(chroot("/dev") == 0 && chdir("/") == 0);
	child_require(setresuid(OWN_ID, ABSENT_ID, 0) == 0);
	child_require(process_scan_has_uid(OWN_ID) && !process_scan_has_uid(ABSENT_ID));
	child_require(process_scan(&mark, &found, NULL, 0) == 0 && found.count == 0);
	child_require(setresuid(ABSENT_ID, ABSENT_ID, 0) == 0);
	child_require(process_scan(&mark, &found, NULL, 0) == -1);
}

START_TEST(proc_is_not_read_for_an_account_without_processes)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(search_for_an_absent_account, NULL), 0);
}
END_TEST

/* Executes a program that waits, with this environment; -1 for none of `held`. */
static pid_t start_program(const char *variable, bool holds)
{
	int running[2];
	char byte;
	child_require(pipe2(running, O_CLOEXEC) == 0);
	pid_t child = fork();
	if (child == 0) {
		char *const arguments[] = {(char *)"sleep", (char *)"1000000", NULL};
		char *const environment[] = {(char *)"A=1", (char *)variable, (char *)"Z=1", NULL};
		if (holds)
			fcntl(held[1], F_SETFD, 0);
		execve("/bin/sleep", arguments, environment);
		_exit(127);
	}
	close(running[1]);
	/* Its end closes with the exec. */
	child_require(read(running[0], &byte, 1) == 0);
	close(running[0]);
	return child;
}

static void find_cookies(const void *argument)
{
	char cookie[48], longer[64], inner[64];
	(void)argument;
	adopt();
	open_held();
	snprintf(cookie, sizeof(cookie), "JACAMAR_CI_JOB=unit-%d", (int)getpid());
	snprintf(longer, sizeof(longer), "%s0", cookie);
	snprintf(inner, sizeof(inner), "X%s", cookie);
	pid_t holder = start_program(cookie, true);
	pid_t bearer = start_program(cookie, false);
	pid_t other = start_program(longer, true);
	pid_t third = start_program(inner, true);

	struct pid_list found = {.count = 0};
	struct process_scan_mark by_cookie = {.variable = cookie};
	child_require(process_scan(&by_cookie, &found, NULL, 0) == 0 && found.count == 2);
	child_require(list_has(&found, holder) && list_has(&found, bearer));
	pid_list_free(&found);

	/* Both marks together are both wanted. */
	struct process_scan_mark by_both = {.pipes = {pipe_inode(), 0}, .variable = cookie};
	child_require(process_scan(&by_both, &found, NULL, 0) == 0 && found.count == 1);
	child_require(list_has(&found, holder));
	pid_list_free(&found);

	struct process_scan_mark by_pipe = {.pipes = {pipe_inode(), 0}};
	child_require(process_scan(&by_pipe, &found, NULL, 0) == 0 && found.count == 3);
	child_require(list_has(&found, other) && list_has(&found, third));
	pid_list_free(&found);
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

/* First without a descriptor for the directory of a process, then for its environment. */
static void find_without_descriptors(const void *argument)
{
	const char cookie[] = "JACAMAR_CI_JOB=unit";
	const struct process_scan_mark mark = {.variable = cookie};
	struct pid_list found = {.count = 0};
	(void)argument;
	adopt();
	open_held();
	start_program(cookie, false);
	for (rlim_t room = 1; room <= 2; room++) {
		leave_descriptors(room);
		child_require(process_scan(&mark, &found, NULL, 0) == -1 && found.count == 0 &&
			      errno == EMFILE);
	}
	leave_descriptors(4);
	child_require(process_scan(&mark, &found, NULL, 0) == 0 && found.count == 1);
	pid_list_free(&found);
	child_require(process_tree_kill_descendants(LIMIT_MS));
}

START_TEST(a_process_that_cannot_be_examined_does_not_count_as_absent)
{
	ck_assert_int_eq(process_run(find_without_descriptors, NULL), 0);
}
END_TEST

START_TEST(who_bears_the_cookie_is_found)
{
	ck_assert_int_eq(process_run(find_cookies, NULL), 0);
}
END_TEST

/* --- signals --- */

static void read_signals(const void *argument)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	struct error err;
	int status;
	(void)argument;
	for (int number = 1; number < 32; number++)
		signal(number, SIG_IGN);
	int fd = signals_open(&err);
	child_require(fd >= 0);
	struct signals seen = signals_read(fd);
	child_require(!seen.child && !seen.end);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		child_require(raise(ends[i]) == 0);
		seen = signals_read(fd);
		child_require(seen.end && !seen.child);
		seen = signals_read(fd);
		child_require(!seen.end && !seen.child);
	}
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	process_wait_until_state(child, 'Z');
	seen = signals_read(fd);
	child_require(seen.child && !seen.end);
	/* The caller's ignored SIGCHLD did not reap it for us. */
	child_require(process_tree_reap(child, &status));
	child_require(raise(SIGTERM) == 0 && raise(SIGCHLD) == 0);
	seen = signals_read(fd);
	child_require(seen.child && seen.end);
	/* A runner that closed its pipe does not end us. */
	child_require(raise(SIGPIPE) == 0);
}

START_TEST(signals_are_read_whatever_was_inherited)
{
	ck_assert_int_eq(process_run(read_signals, NULL), 0);
}
END_TEST

/* --- those below another process --- */

/* A process with two children and an orphan that it has adopted, whose pids go to `below`. */
static pid_t start_family(pid_t below[3])
{
	pid_t parent = fork();
	if (parent == 0) {
		struct error err;
		child_require(process_tree_adopt_orphans(&err) == 0);
		for (int i = 0; i < 2; i++)
			if (fork() == 0)
				wait_for_ever();
		if (fork() == 0) {
			if (fork() == 0)
				wait_for_ever();
			_exit(0);
		}
		while (wait(NULL) > 0)
			;
		sleep_for_ever();
	}
	for (int i = 0; i < 3; i++)
		below[i] = hear_pid();
	return parent;
}

static void kill_family(const void *argument)
{
	struct pid_list spared = {.count = 0};
	pid_t below[3];
	(void)argument;
	adopt();
	pid_t parent = start_family(below);
	child_require(pid_list_add(&spared, below[0]));
	child_require(process_tree_kill_below(parent, &spared, LIMIT_MS));
	expect_all_dead(below + 1, 2);
	child_require(process_is_alive(below[0]) && process_is_alive(parent));
	child_require(process_tree_kill_below(parent, NULL, LIMIT_MS));
	expect_all_dead(below, 1);
	pid_list_free(&spared);
	/* A process that cannot be seen has no visible descendants. */
	child_require(kill(parent, SIGKILL) == 0 && waitpid(parent, NULL, 0) == parent);
	child_require(!process_tree_kill_below(parent, NULL, LIMIT_MS));
}

START_TEST(those_below_another_process_are_killed_but_for_some)
{
	ck_assert_int_eq(process_run(kill_family, NULL), 0);
}
END_TEST

Suite *process_tree_suite(void)
{
	Suite *suite = suite_create("process_tree");
	TCase *end = tcase_create("end"), *find = tcase_create("find");

	tcase_add_test(end, children_are_counted_and_reaped);
	tcase_add_test(end, a_whole_tree_is_told_to_end);
	tcase_add_test(end, a_child_that_is_forked_meanwhile_is_told_to_end_as_well);
	tcase_add_test(end, all_members_of_its_group_are_told_to_end);
	tcase_add_test(end, a_child_in_a_container_is_told_to_end_as_well);
	tcase_add_test(end, a_whole_tree_is_killed_whatever_it_ignores);
	tcase_add_test(end, orphans_are_adopted_and_killed);
	tcase_add_test(end, children_that_cannot_be_listed_do_not_count_as_gone);
	tcase_add_test(end, a_fork_bomb_is_killed);
	tcase_add_test(end, a_process_that_runs_away_is_killed);
	tcase_add_test(end, those_below_another_process_are_killed_but_for_some);
	tcase_add_test(end, signals_are_read_whatever_was_inherited);
	suite_add_tcase(suite, end);

	tcase_add_test(find, who_can_write_to_a_pipe_is_found);
	tcase_add_test(find, one_that_keeps_forking_is_found_among_many);
	tcase_add_test(find, proc_is_not_read_for_an_account_without_processes);
	tcase_add_test(find, who_bears_the_cookie_is_found);
	tcase_add_test(find, a_process_that_cannot_be_examined_does_not_count_as_absent);
	suite_add_tcase(suite, find);
	return suite;
}
