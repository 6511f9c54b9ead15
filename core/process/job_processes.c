#include "core/process/job_processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/lib/worker.h"
#include "core/process/leftovers.h"
#include "core/process/process_scan.h"
#include "core/process/process_tree.h"
#include "core/protocol/environment.h"

/*
 * How many searches in a row must find nothing: a process that keeps forking and exiting can
 * escape one of them, but not several.
 */
#define EMPTY_SEARCHES 10

#define PAUSE_US 20000

/*
 * How long the searches may take beyond the limit: the last ones, which find nothing. On a busy
 * host with many processes each of them can take more than a second.
 */
#define SEARCH_MS 30000

/* The processes of a job, and those that must get SIGCONT to notice their end. */
struct job_processes {
	struct pid_list found;
	struct pid_list sleeping;
};

/* True if its real uid is that of this account, also if /proc shows it as root's. */
static bool is_of_account(pid_t pid)
{
	static const char start[] = "\nUid:\t";
	char path[32];
	char text[1024];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (io_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return false;
	const char *line = strstr(text, start);
	return line != NULL && strtoul(line + strlen(start), NULL, 10) == geteuid();
}

/*
 * True if it is of this account and has the command line of a user's side: jacamar --no-auth STAGE
 * env-script ... The account is checked first: any account can make a read of its own processes'
 * command lines block, and that must not keep this search from its end.
 */
static bool is_user_side(pid_t pid)
{
	static const char *const expected[] = {NULL, "--no-auth", NULL, "env-script"};
	char path[32];
	char text[1024];
	if (!is_of_account(pid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	ssize_t size = io_read_text(AT_FDCWD, path, text, sizeof(text));
	const char *argument = text;
	if (size <= 0)
		return false;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		if (argument >= text + size ||
		    (expected[i] != NULL && strcmp(argument, expected[i]) != 0))
			return false;
		argument += strlen(argument) + 1;
	}
	return true;
}

/*
 * Adds the user's side that is the parent of a found process: all processes of its stage are its
 * descendants. The search cannot find it: its own environment is unreadable, and after sudo it has
 * no cookie. If it is stopped, sudo has stopped itself as well, and needs SIGCONT to notice that
 * the user's side has ended. This process and its parent, which asked for the search, are not
 * added.
 */
static void add_user_side(struct job_processes *processes, pid_t child)
{
	pid_t parent = process_tree_stat(child).parent;
	if (parent <= 1 || parent == getpid() || parent == getppid() ||
	    pid_list_has(&processes->found, parent) || !is_user_side(parent))
		return;
	pid_list_add(&processes->found, parent);
	pid_list_add(&processes->sleeping, process_tree_stat(parent).parent);
}

/*
 * Sends SIGCONT to all user's sides of the account. One that was stopped before it had started a
 * process cannot be found: if jacamar-auth was killed as well, nobody would wake it. It ends as
 * soon as it reads the channel. A user's side of a job that still runs just goes on. Those of other
 * accounts are left alone: within a session the kernel permits this signal to all processes.
 */
static void wake_user_sides(void)
{
	const struct dirent *entry;
	DIR *processes = process_scan_has_uid(geteuid()) ? opendir("/proc") : NULL;
	while (processes != NULL && (entry = readdir(processes)) != NULL) {
		uint64_t pid;
		if (text_to_u64(entry->d_name, &pid) && is_user_side((pid_t)pid))
			(void)kill((pid_t)pid, SIGCONT);
	}
	if (processes != NULL)
		closedir(processes);
}

static int find(const struct process_scan_mark *mark, const char *scripts_dir,
		struct job_processes *processes, char *names, struct error *err)
{
	if (scripts_dir != NULL)
		leftovers_find(scripts_dir, &processes->found, names, JOB_PROCESSES_NAMES_SIZE);
	/* Without a mark, every process of the account would be found. */
	if (mark->variable != NULL &&
	    process_scan(mark, &processes->found, names, JOB_PROCESSES_NAMES_SIZE) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look for processes in /proc");
	for (size_t i = processes->found.count; i > 0; i--)
		add_user_side(processes, processes->found.pids[i - 1]);
	return 0;
}

/* SIGCONT does no harm if the pid belongs to another process by now. */
static void wake(const struct pid_list *sleeping)
{
	for (size_t i = 0; i < sleeping->count; i++)
		if (sleeping->pids[i] > 1)
			(void)kill(sleeping->pids[i], SIGCONT);
}

/* What is searched for, and how long. */
struct search {
	const char *variable; /* "NAME=cookie" */
	const char *scripts_dir;
	int64_t grace_ms;
	int64_t limit_ms;
};

static int end_all(const void *argument, void *found_names, struct error *err)
{
	const struct search *search = argument;
	char *names = found_names;
	struct process_scan_mark mark = {.variable = search->variable};
	int64_t start = io_now_ms();
	bool terminated = false;
	/* Before a search for the list alone, jacamar-auth has searched for the cookie. */
	bool wakes = search->variable != NULL;

	for (int empty = 0; empty < EMPTY_SEARCHES;) {
		struct job_processes processes = {.found = {.count = 0}};
		int64_t waited = io_now_ms() - start;
		bool kills = waited >= search->grace_ms;
		size_t killed = 0;
		if (wakes)
			wake_user_sides();
		/*
		 * Stopped during the search: a process that keeps forking and exiting has a new pid
		 * soon.
		 */
		mark.signal_number = kills ? SIGSTOP : 0;
		int result = find(&mark, search->scripts_dir, &processes,
				  names[0] == '\0' ? names : NULL, err);
		bool any = processes.found.count > 0;
		empty = any ? 0 : empty + 1;
		/* A process that may have stopped them is killed now. */
		wakes = any;
		if (any && kills)
			killed = process_tree_kill(&processes.found);
		else if (any && !terminated)
			process_tree_terminate(&processes.found);
		terminated = terminated || any;
		wake(&processes.sleeping);
		pid_list_free(&processes.found);
		pid_list_free(&processes.sleeping);
		if (result != 0)
			return -1;
		if (any && waited > search->limit_ms)
			return error_set(err, ERROR_SYSTEM,
					 "processes of the job could not be killed: %s", names);
		if (any && killed == 0)
			usleep(PAUSE_US);
	}
	return 0;
}

/* False if each search would find nothing: most jobs leave no process running. */
static bool needs_search(const char *cookie, const char *scripts_dir)
{
	return (cookie != NULL && process_scan_has_uid(geteuid())) ||
	       (scripts_dir != NULL && leftovers_are_recorded(scripts_dir));
}

int job_processes_end(const char *cookie, const char *scripts_dir, int64_t grace_ms,
		      int64_t limit_ms, char *names, struct error *err)
{
	cleanup_free char *variable =
		cookie != NULL ? text_format(ENVIRONMENT_COOKIE "=%s", cookie) : NULL;
	const struct search search = {variable, scripts_dir, grace_ms, limit_ms};
	struct worker_verdict verdict;
	struct worker worker = {
		.work = end_all,
		.argument = &search,
		.reply = names,
		.reply_size = JOB_PROCESSES_NAMES_SIZE,
		.keeps_reply = true,
		.signals = -1,
		.deadline = io_now_ms() + grace_ms + limit_ms + SEARCH_MS,
	};
	memset(names, 0, JOB_PROCESSES_NAMES_SIZE);
	if (!needs_search(cookie, scripts_dir))
		return 0;
	if (cookie != NULL && variable == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	/* The job may have used up the user's processes: then this process searches itself. */
	if (worker_start(&worker, err) != 0)
		return end_all(&search, names, err);
	int received = worker_receive(&worker, &verdict);
	bool late = errno == ETIMEDOUT;
	worker_close(&worker, true);
	if (received != 0)
		return error_set(err, ERROR_SYSTEM, "the search for processes of the job %s",
				 late ? "did not end in time: does 'ps e', as the job's account, "
					"hang as well?"
				      : "was killed");
	if (verdict.result != 0)
		*err = verdict.error;
	return verdict.result;
}
