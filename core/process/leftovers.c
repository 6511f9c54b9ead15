#include "core/process/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/process/process_scan.h"

#define FILE_NAME      "left-running"
#define LIST_MOST_SIZE (1024 * 1024)

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

/* The number on the line `name` of a process's status; 0 if there is none. */
static uint64_t status_number(const char *process, const char *name)
{
	char path[64];
	char text[4096];
	uint64_t number;
	snprintf(path, sizeof(path), "/proc/%s/status", process);
	if (io_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	char *at = strstr(text, name);
	if (at == NULL)
		return 0;
	at += strlen(name);
	at[strcspn(at, "\n")] = '\0';
	return text_to_u64(at, &number) ? number : 0;
}

/*
 * No process can undo these restrictions, and each child inherits them. A process of the job has
 * all that this one has. So one with fewer is not of the job: with auth.isolate the job may not
 * kill it, so a line in the list must not, either.
 */
static bool can_be_of_job(const char *pid)
{
	static const char *const restrictions[] = {"\nNoNewPrivs:\t", "\nSeccomp:\t",
						   "\nSeccomp_filters:\t"};
	for (size_t i = 0; i < sizeof(restrictions) / sizeof(restrictions[0]); i++)
		if (status_number(pid, restrictions[i]) < status_number("self", restrictions[i]))
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
