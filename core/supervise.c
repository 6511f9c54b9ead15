#include "core/supervise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"

/* The pace of killing, and how many rounds in a row may find nobody that they could signal. */
#define ROUND_PAUSE_US	    2000
#define OUT_OF_REACH_ROUNDS 100

/* Rounds of stopping before killing all the same: a fork bomb is starved long before. */
#define STOP_ROUNDS 1000

void pid_list_free(struct pid_list *list)
{
	free(list->pids);
	memset(list, 0, sizeof(*list));
}

bool pid_list_same(const struct pid_list *a, const struct pid_list *b)
{
	return a->count == b->count &&
	       (a->count == 0 || memcmp(a->pids, b->pids, a->count * sizeof(*a->pids)) == 0);
}

bool pid_list_has(const struct pid_list *list, pid_t pid)
{
	for (size_t i = 0; list != NULL && i < list->count; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

bool pid_list_add(struct pid_list *list, pid_t pid)
{
	if (list->count == list->room) {
		size_t room = list->room > 0 ? 2 * list->room : 64;
		pid_t *grown = realloc(list->pids, room * sizeof(*grown));
		if (grown == NULL)
			return false;
		list->pids = grown;
		list->room = room;
	}
	list->pids[list->count++] = pid;
	return true;
}

int supervise_adopt_orphans(struct error *err)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot adopt orphaned processes");
	if (access("/proc/thread-self/children", R_OK) != 0)
		return error_errno(
			err, ERROR_SYSTEM,
			"/proc/thread-self/children, by which a job's processes are found");
	return 0;
}

int supervise_open_signals(struct error *err)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	sigset_t mask;
	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaddset(&mask, numbers[i]);
		/* An ignored SIGCHLD would reap our children for us, an ignored SIGTERM be lost. */
		signal(numbers[i], SIG_DFL);
	}
	signal(SIGPIPE, SIG_IGN);
	int fd = -1;
	if (sigprocmask(SIG_SETMASK, &mask, NULL) == 0)
		fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot wait for signals");
	return fd;
}

struct supervise_signals supervise_read_signals(int signal_fd)
{
	struct supervise_signals seen = {.child = false};
	struct signalfd_siginfo info;
	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			seen.child = true;
		else
			seen.end = true;
	}
	return seen;
}

static void add_children_of_thread(int task, const char *thread, struct pid_list *list)
{
	char path[64];
	size_t size;
	if (snprintf(path, sizeof(path), "%s/children", thread) >= (int)sizeof(path))
		return;
	cleanup_close int fd = openat(task, path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, SIZE_MAX / 4, &size) : NULL;
	if (text == NULL)
		return;
	char *rest = text;
	for (char *word; (word = strsep(&rest, " \n")) != NULL;) {
		uint64_t pid;
		if (text_to_u64(word, &pid))
			pid_list_add(list, (pid_t)pid);
	}
}

/* Any thread may be the one that forked. -1 where the process, or /proc, cannot be read. */
static int add_children(const char *process, struct pid_list *list)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/task", process);
	DIR *tasks = opendir(path);
	if (tasks == NULL)
		return -1;
	const struct dirent *entry;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			add_children_of_thread(dirfd(tasks), entry->d_name, list);
	closedir(tasks);
	return 0;
}

bool supervise_has_children(void)
{
	struct pid_list children = {.count = 0};
	bool any = add_children("self", &children) != 0 || children.count > 0;
	pid_list_free(&children);
	return any;
}

bool supervise_reap(pid_t child, int *status)
{
	bool ended = false;
	int how;
	pid_t pid;
	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		if (pid == child) {
			*status = how;
			ended = true;
		}
	}
	return ended;
}

/* Appends the descendants of all that stand in the list from `from` on. */
static void add_descendants(struct pid_list *list, size_t from)
{
	for (size_t i = from; i < list->count; i++) {
		char process[16];
		snprintf(process, sizeof(process), "%d", (int)list->pids[i]);
		(void)add_children(process, list); /* who is gone has none */
	}
}

int supervise_descendants(struct pid_list *list)
{
	int result = add_children("self", list);
	add_descendants(list, 0);
	return result;
}

static void copy_list(const struct pid_list *from, struct pid_list *to)
{
	for (size_t i = 0; i < from->count; i++)
		pid_list_add(to, from->pids[i]);
}

/* The letter of the process's state in /proc/PID/stat; 0 where that cannot be read. */
static int process_state(pid_t pid)
{
	char path[32];
	char text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? io_read_full(fd, text, sizeof(text) - 1) : -1;
	if (size <= 0)
		return '\0';
	text[size] = '\0';
	/* The name before it, in parentheses, may hold anything, parentheses too. */
	const char *end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

bool supervise_is_dead(pid_t pid)
{
	int state = process_state(pid);
	return state == 'Z' || state == 'X';
}

/* Signals whoever has one of these pids, as fast as can be: some do not keep theirs for long. */
static void signal_each(const struct pid_list *list, int signal_number)
{
	for (size_t i = 0; i < list->count; i++)
		(void)kill(list->pids[i], signal_number);
}

/* Kills; how many were alive, and ours to kill. A zombie takes signals as well. */
static size_t kill_each(const struct pid_list *list)
{
	size_t reached = 0;
	for (size_t i = 0; i < list->count; i++)
		if (!supervise_is_dead(list->pids[i]) && kill(list->pids[i], SIGKILL) == 0)
			reached++;
	return reached;
}

void supervise_terminate(const struct pid_list *roots)
{
	struct pid_list all = {.count = 0};
	copy_list(roots, &all);
	add_descendants(&all, 0);
	signal_each(&all, SIGTERM);
	/* A stopped process could not even take it. The list is old: who ended left others to us.
	 */
	signal_each(&all, SIGCONT);
	pid_list_free(&all);
}

void supervise_terminate_descendants(void)
{
	struct pid_list children = {.count = 0};
	if (add_children("self", &children) == 0)
		supervise_terminate(&children);
	pid_list_free(&children);
}

static int compare_pids(const void *a, const void *b)
{
	const pid_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

/* True where `now` has a process that is not in `before`; both are sorted. */
static bool has_new(const struct pid_list *before, const struct pid_list *now)
{
	size_t i = 0;
	for (size_t k = 0; k < now->count; k++) {
		while (i < before->count && before->pids[i] < now->pids[k])
			i++;
		if (i == before->count || before->pids[i] != now->pids[k])
			return true;
	}
	return false;
}

size_t supervise_kill(const struct pid_list *roots)
{
	struct pid_list before = {.count = 0};
	struct pid_list now = {.count = 0};

	/* Before anything takes time: one that forks and exits again and again is gone soon. */
	signal_each(roots, SIGSTOP);
	/* A stopped process cannot fork; once a round finds nobody new, nobody is left running. */
	for (int round = 0; round < STOP_ROUNDS; round++) {
		now = (struct pid_list){.count = 0};
		copy_list(roots, &now);
		add_descendants(&now, 0);
		signal_each(&now, SIGSTOP);
		if (now.count > 0)
			qsort(now.pids, now.count, sizeof(*now.pids), compare_pids);
		bool grew = has_new(&before, &now);
		pid_list_free(&before);
		before = now;
		if (!grew)
			break;
	}
	size_t reached = kill_each(&now);
	pid_list_free(&now);
	return reached;
}

/* True where one of them is alive, as far as can be seen. */
static bool any_alive(const struct pid_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!supervise_is_dead(list->pids[i]))
			return true;
	return false;
}

bool supervise_any_in_reach(const struct pid_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (kill(list->pids[i], 0) == 0 || errno != EPERM)
			return true;
	return false;
}

/*
 * Stops the children of a process by the shortest way from seeing to signalling, again and again
 * until no other ones come up: one that forks and exits all the time is never there for long.
 */
static void stop_children(const char *thread, const struct pid_list *spared)
{
	char path[64];
	char now[4096];
	char before[4096] = "";
	snprintf(path, sizeof(path), "/proc/%s/children", thread);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int round = 0; fd >= 0 && round < STOP_ROUNDS; round++) {
		ssize_t size = pread(fd, now, sizeof(now) - 1, 0);
		now[size > 0 ? size : 0] = '\0';
		char *rest = now;
		for (long pid; (pid = strtol(rest, &rest, 10)) > 0;)
			if (!pid_list_has(spared, (pid_t)pid))
				(void)kill((pid_t)pid, SIGSTOP);
		if (strcmp(now, before) == 0)
			break;
		memcpy(before, now, sizeof(before));
	}
}

/* The children of a process that are not spared; -1 as add_children. */
static int list_children(const char *process, const struct pid_list *spared, struct pid_list *list)
{
	if (add_children(process, list) != 0)
		return -1;
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++)
		if (!pid_list_has(spared, list->pids[i]))
			list->pids[kept++] = list->pids[i];
	list->count = kept;
	return 0;
}

/* `thread`, one of `process`, is the one whose children are stopped at once. */
static bool kill_below(const char *process, const char *thread, const struct pid_list *spared,
		       int64_t limit_ms)
{
	int64_t deadline = io_now_ms() + limit_ms;
	struct pid_list before = {.count = 0};
	bool gone = false;
	int out_of_reach = 0;

	for (bool done = false; !done;) {
		struct pid_list now = {.count = 0};
		int status;
		supervise_reap(-1, &status);
		stop_children(thread, spared);
		bool known = list_children(process, spared, &now) == 0;
		bool reached = known && supervise_kill(&now) > 0;
		out_of_reach =
			known && !reached && pid_list_same(&before, &now) ? out_of_reach + 1 : 0;
		gone = known && now.count == 0;
		done = gone || out_of_reach > OUT_OF_REACH_ROUNDS || io_now_ms() > deadline;
		/* A zombie that its tracer does not let go of is still a child, and no more. */
		if (done && !gone)
			gone = known && !any_alive(&now);
		pid_list_free(&before);
		before = now;
		if (!done)
			usleep(ROUND_PAUSE_US);
	}
	pid_list_free(&before);
	return gone;
}

bool supervise_kill_descendants(int64_t limit_ms)
{
	return kill_below("self", "thread-self", NULL, limit_ms);
}

bool supervise_kill_below(pid_t ancestor, const struct pid_list *spared, int64_t limit_ms)
{
	char process[16];
	char thread[64];
	struct pid_list children = {.count = 0};
	snprintf(process, sizeof(process), "%d", (int)ancestor);
	snprintf(thread, sizeof(thread), "%s/task/%s", process, process);
	bool visible = add_children(process, &children) == 0;
	pid_list_free(&children);
	return visible && kill_below(process, thread, spared, limit_ms);
}
