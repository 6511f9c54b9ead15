#include "core/process/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/process/process_scan.h"

#define FILE_NAME      "left-running"
#define LIST_MOST_SIZE (1024 * 1024)

/* The line of the groups is long for an account in many of them. */
#define STATUS_MOST_SIZE (1024 * 1024)

int leftovers_record(int scripts, struct error *err)
{
	struct pid_list left = {.count = 0};
	int result = 0;
	int status;
	process_tree_reap(-1, &status);
	if (process_tree_descendants(&left) != 0)
		result = error_errno(err, ERROR_SYSTEM, "cannot list the processes of the job");
	cleanup_close int fd = left.count == 0 ? -1
					       : openat(scripts, FILE_NAME,
							O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW |
								O_NONBLOCK | O_CLOEXEC,
							0600);
	for (size_t i = 0; i < left.count && result == 0; i++) {
		if (fd < 0 || dprintf(fd, "%d %llu\n", (int)left.pids[i],
				      process_tree_stat(left.pids[i]).start) < 0)
			result = error_errno(
				err, ERROR_SYSTEM,
				"cannot record which processes the script left running");
	}
	pid_list_free(&left);
	return result;
}

/* Lines of /proc/PID/status. One that an older kernel lacks counts as 0. */
static const char *const RESTRICTIONS[] = {"\nNoNewPrivs:", "\nSeccomp:", "\nSeccomp_filters:"};
#define RESTRICTION_COUNT (sizeof(RESTRICTIONS) / sizeof(RESTRICTIONS[0]))

static bool read_restrictions(const char *process, unsigned long long numbers[RESTRICTION_COUNT])
{
	char path[64];
	size_t size;
	snprintf(path, sizeof(path), "/proc/%s/status", process);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, STATUS_MOST_SIZE, &size) : NULL;
	for (size_t i = 0; text != NULL && i < RESTRICTION_COUNT; i++) {
		const char *line = strstr(text, RESTRICTIONS[i]);
		numbers[i] = line != NULL ? strtoull(line + strlen(RESTRICTIONS[i]), NULL, 10) : 0;
	}
	return text != NULL;
}

/*
 * No process can undo these restrictions, and each child inherits them. A process of the job has
 * all that this one has. So one with fewer is not of the job: with auth.isolate the job may not
 * kill it, so a line in the list must not, either. If they cannot be read, the process is left
 * alone.
 */
static bool can_be_of_job(const char *pid)
{
	unsigned long long its[RESTRICTION_COUNT];
	unsigned long long own[RESTRICTION_COUNT];
	if (!read_restrictions(pid, its) || !read_restrictions("self", own))
		return false;
	for (size_t i = 0; i < RESTRICTION_COUNT; i++)
		if (its[i] < own[i])
			return false;
	return true;
}

/* A line is "PID START". Other lines are ignored. */
static void add_line(char *line, struct pid_list *found, char *names, size_t size)
{
	uint64_t pid;
	uint64_t start;
	const char *word = strsep(&line, " ");
	if (line == NULL || !text_to_u64(word, &pid) || !text_to_u64(line, &start) || pid <= 1 ||
	    pid > INT32_MAX || process_tree_is_dead((pid_t)pid) ||
	    process_tree_stat((pid_t)pid).start != start || kill((pid_t)pid, 0) != 0 ||
	    !can_be_of_job(word) || pid_list_has(found, (pid_t)pid))
		return;
	pid_list_add(found, (pid_t)pid);
	if (names != NULL)
		process_scan_add_name((pid_t)pid, names, size);
}

bool leftovers_are_recorded(const char *scripts_dir)
{
	cleanup_free char *path = text_format("%s/" FILE_NAME, scripts_dir);
	return path == NULL || access(path, F_OK) == 0;
}

void leftovers_find(const char *scripts_dir, struct pid_list *found, char *names, size_t names_size)
{
	size_t size;
	cleanup_free char *path = text_format("%s/" FILE_NAME, scripts_dir);
	cleanup_close int fd =
		path != NULL ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, LIST_MOST_SIZE, &size) : NULL;
	char *rest = text;
	for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
		add_line(line, found, names, names_size);
}
