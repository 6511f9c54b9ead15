#include "core/process/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"

/* The pause between two rounds of killing, and how many in a row may reach no process. */
#define ROUND_PAUSE_US	    2000
#define OUT_OF_REACH_ROUNDS 100

/* The limit of rounds of stopping before the kill; a fork bomb is stopped long before. */
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

int process_tree_adopt_orphans(struct error *err)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot adopt orphaned processes");
	if (access("/proc/thread-self/children", R_OK) != 0)
		return error_errno(
			err, ERROR_SYSTEM,
			"/proc/thread-self/children, by which a job's processes are found");
	return 0;
}

/* 0 also for a thread that has ended: it has no children. -1 if they cannot be read. */
static int add_children_of_thread(int task, const char *thread, struct pid_list *list)
{
	char path[64];
	size_t size;
	if (snprintf(path, sizeof(path), "%s/children", thread) >= (int)sizeof(path))
		return -1;
	cleanup_close int fd = openat(task, path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, SIZE_MAX / 4, &size) : NULL;
	if (text == NULL)
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	char *rest = text;
	for (char *word; (word = strsep(&rest, " \n")) != NULL;) {
		uint64_t pid;
		if (text_to_u64(word, &pid) && !pid_list_add(list, (pid_t)pid))
			return -1;
	}
	return 0;
}

/* Each thread has its own children. -1 if the process, or /proc, cannot be read. */
static int add_children(const char *process, struct pid_list *list)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/task", process);
	DIR *tasks = opendir(path);
	if (tasks == NULL)
		return -1;
	const struct dirent *entry;
	int result = 0;
	do {
		errno = 0;
		entry = readdir(tasks);
		if (entry == NULL && errno != 0)
			result = -1;
		else if (entry != NULL && entry->d_name[0] != '.')
			result = add_children_of_thread(dirfd(tasks), entry->d_name, list);
	} while (entry != NULL && result == 0);
	closedir(tasks);
	return result;
}

bool process_tree_has_children(void)
{
	struct pid_list children = {.count = 0};
	bool any = add_children("self", &children) != 0 || children.count > 0;
	pid_list_free(&children);
	return any;
}

bool process_tree_reap(pid_t child, int *status)
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

/* Appends the descendants of the processes in the list, from index `from` on. */
static void add_descendants(struct pid_list *list, size_t from)
{
	for (size_t i = from; i < list->count; i++) {
		char process[16];
		snprintf(process, sizeof(process), "%d", (int)list->pids[i]);
		(void)add_children(process, list); /* a process that has ended has none */
	}
}

int process_tree_descendants(struct pid_list *list)
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

/* Fields of /proc/PID/stat, as proc(5) counts them. */
#define SESSION_FIELD 6
#define START_FIELD   22

struct process_stat process_tree_stat(pid_t pid)
{
	struct process_stat stat = {.state = '\0'};
	char path[32];
	char text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	(void)io_read_text(AT_FDCWD, path, text, sizeof(text));
	/* The name before it, in parentheses, may have parentheses in it. */
	char *end = strrchr(text, ')');
	if (end == NULL || strlen(end) < 4)
		return stat;
	stat.state = end[2];
	char *rest = end + 3;
	stat.parent = (pid_t)strtol(rest, &rest, 10);
	stat.group = (pid_t)strtol(rest, &rest, 10);
	stat.session = (pid_t)strtol(rest, &rest, 10);
	for (int field = SESSION_FIELD + 1; field <= START_FIELD; field++)
		stat.start = strtoull(rest, &rest, 10);
	return stat;
}

bool process_tree_is_dead(pid_t pid)
{
	char state = process_tree_stat(pid).state;
	return state == 'Z' || state == 'X';
}

/* Without checks in between: a process that keeps forking and exiting has a new pid soon. */
static void signal_each(const struct pid_list *list, int signal_number)
{
	for (size_t i = 0; i < list->count; i++)
		(void)kill(list->pids[i], signal_number);
}

/* Returns how many living processes got SIGKILL. A zombie can be signalled, too. */
static size_t kill_each(const struct pid_list *list)
{
	size_t reached = 0;
	for (size_t i = 0; i < list->count; i++)
		if (!process_tree_is_dead(list->pids[i]) && kill(list->pids[i], SIGKILL) == 0)
			reached++;
	return reached;
}

/*
 * Sends SIGTERM to all processes in the list, by their process groups: a process can fork between
 * being listed and getting a signal of its own, but no child misses a signal to the group. All
 * members of a group are in one session. If that is not the session of this process, the job has
 * begun it, and it has no other processes in it. In this session each process gets its own signal.
 * A session whose leader is outside of this pid namespace has the number 0.
 */
static void terminate_each(const struct pid_list *list)
{
	struct pid_list groups = {.count = 0};
	struct process_stat own = process_tree_stat(getpid());
	for (size_t i = 0; i < list->count; i++) {
		struct process_stat stat = process_tree_stat(list->pids[i]);
		if (stat.group <= 1 || own.state == '\0' || stat.session == own.session)
			(void)kill(list->pids[i], SIGTERM);
		else if (!pid_list_has(&groups, stat.group) && pid_list_add(&groups, stat.group))
			(void)kill(-stat.group, SIGTERM);
	}
	pid_list_free(&groups);
}

void process_tree_terminate(const struct pid_list *roots)
{
	struct pid_list all = {.count = 0};
	copy_list(roots, &all);
	add_descendants(&all, 0);
	terminate_each(&all);
	/* A stopped process does not handle SIGTERM before it continues. */
	signal_each(&all, SIGCONT);
	pid_list_free(&all);
}

void process_tree_terminate_descendants(void)
{
	struct pid_list children = {.count = 0};
	if (add_children("self", &children) == 0)
		process_tree_terminate(&children);
	pid_list_free(&children);
}

size_t process_tree_kill(const struct pid_list *roots)
{
	struct pid_list before = {.count = 0};
	struct pid_list now = {.count = 0};

	/* First of all: a process that keeps forking and exiting has a new pid soon. */
	signal_each(roots, SIGSTOP);
	/* A stopped process cannot fork: if a round finds the same processes, all are stopped. */
	for (int round = 0; round < STOP_ROUNDS; round++) {
		now = (struct pid_list){.count = 0};
		copy_list(roots, &now);
		add_descendants(&now, 0);
		signal_each(&now, SIGSTOP);
		bool changed = !pid_list_same(&before, &now);
		pid_list_free(&before);
		before = now;
		if (!changed)
			break;
	}
	size_t reached = kill_each(&now);
	pid_list_free(&now);
	return reached;
}

/* True if one of them is alive, or cannot be seen. */
static bool any_alive(const struct pid_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!process_tree_is_dead(list->pids[i]))
			return true;
	return false;
}

/*
 * Stops the children of a process, with as little as possible between reading a pid and signalling
 * it, until two readings are equal: a process that keeps forking and exiting never has a pid for
 * long.
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
		/* A pid that was cut has no blank after it, and is that of another process. */
		for (long pid; (pid = strtol(rest, &rest, 10)) > 0 && *rest == ' ';)
			if (!pid_list_has(spared, (pid_t)pid))
				(void)kill((pid_t)pid, SIGSTOP);
		if (strcmp(now, before) == 0)
			break;
		memcpy(before, now, sizeof(before));
	}
}

/* Lists the children of a process that are not in `spared`; -1 as add_children. */
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

/* `thread` is the thread of `process` whose children are stopped first. */
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
		process_tree_reap(-1, &status);
		stop_children(thread, spared);
		bool known = list_children(process, spared, &now) == 0;
		bool reached = known && process_tree_kill(&now) > 0;
		out_of_reach =
			known && !reached && pid_list_same(&before, &now) ? out_of_reach + 1 : 0;
		gone = known && now.count == 0;
		done = gone || out_of_reach > OUT_OF_REACH_ROUNDS || io_now_ms() > deadline;
		/* A zombie whose tracer does not reap it stays a child, but runs nothing. */
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

bool process_tree_kill_descendants(int64_t limit_ms)
{
	return kill_below("self", "thread-self", NULL, limit_ms);
}

bool process_tree_kill_below(pid_t ancestor, const struct pid_list *spared, int64_t limit_ms)
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
