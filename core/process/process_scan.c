#include "core/process/process_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"

/* Far above the limit of execve(2). */
#define ENVIRONMENT_MOST_SIZE (8 * 1024 * 1024)

/* How many of the newest processes are examined, and how often, while others start. */
#define NEWEST_COUNT 3
#define NEWEST_LOOKS 100

/*
 * True if the descriptor `name` in the directory `files` is one of these pipes, open for writing.
 * Links of /proc are read, not followed: the file could be on a file system that hangs.
 */
static bool is_pipe(int files, const char *name, const ino_t pipes[2])
{
	char target[64];
	char wanted[64];
	struct stat link;
	ssize_t size = readlinkat(files, name, target, sizeof(target) - 1);
	if (size <= 0 || fstatat(files, name, &link, AT_SYMLINK_NOFOLLOW) != 0 ||
	    (link.st_mode & S_IWUSR) == 0)
		return false;
	target[size] = '\0';
	for (int i = 0; i < 2; i++) {
		snprintf(wanted, sizeof(wanted), "pipe:[%ju]", (uintmax_t)pipes[i]);
		if (pipes[i] != 0 && strcmp(target, wanted) == 0)
			return true;
	}
	return false;
}

/* `process` is a descriptor of its /proc directory. */
static bool holds_pipe(int process, const ino_t pipes[2])
{
	cleanup_listing DIR *listing = io_list(process, "fd");
	const struct dirent *entry;
	bool holds = false;
	if (listing == NULL)
		return false;
	while (!holds && (entry = readdir(listing)) != NULL)
		holds = is_pipe(dirfd(listing), entry->d_name, pipes);
	return holds;
}

/*
 * What a process counts as that cannot be opened: 0, because it has ended or the kernel does not
 * show it; -1 if this process lacks descriptors or memory.
 */
static int answer_unopened(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -1 : 0;
}

/* 1 if it has the variable, 0 if not, -1 if that is not known. */
static int has_variable(int process, const char *variable)
{
	size_t size;
	cleanup_close int fd = openat(process, "environ", O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, ENVIRONMENT_MOST_SIZE, &size) : NULL;
	if (text == NULL)
		return answer_unopened();
	for (const char *at = text; at < text + size; at += strlen(at) + 1)
		if (strcmp(at, variable) == 0)
			return 1;
	return 0;
}

/* Likewise. */
static int has_mark(int process, const struct process_scan_mark *mark)
{
	bool by_pipe = mark->pipes[0] != 0 || mark->pipes[1] != 0;
	if (by_pipe && !holds_pipe(process, mark->pipes))
		return 0;
	return mark->variable == NULL ? 1 : has_variable(process, mark->variable);
}

void process_scan_add_name(pid_t pid, char *names, size_t size)
{
	char path[32];
	char name[32];
	size_t used = strlen(names);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	(void)io_read_text(AT_FDCWD, path, name, sizeof(name));
	name[strcspn(name, "\n")] = '\0';
	text_make_printable(name);
	/* Never a part of an entry: the first digits of a pid are the pid of another process. */
	char entry[64];
	snprintf(entry, sizeof(entry), "%s%d (%s)", used > 0 ? ", " : "", (int)pid, name);
	if (strlen(entry) < size - used)
		memcpy(names + used, entry, strlen(entry) + 1);
}

bool process_scan_has_uid(uid_t uid)
{
	errno = 0;
	return getpriority(PRIO_USER, uid) != -1 || errno != ESRCH;
}

/* All processes in /proc except this one. */
static int list_processes(DIR *processes, struct pid_list *all)
{
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(processes);
		uint64_t pid;
		if (entry == NULL)
			return errno == 0 ? 0 : -1;
		if (text_to_u64(entry->d_name, &pid) && (pid_t)pid != getpid() &&
		    !pid_list_add(all, (pid_t)pid))
			return -1;
	}
}

/* Whether the /proc directory `name` in `directory` is that of a process of this account. */
static bool is_ours(int directory, const char *name)
{
	struct stat owner;
	return fstatat(directory, name, &owner, AT_SYMLINK_NOFOLLOW) == 0 &&
	       owner.st_uid == geteuid();
}

/*
 * Examines one process, which may have ended or been found before. Most processes of a host are
 * others': stat(2) alone takes a third of the time that it takes with open(2) and close(2). -1 if
 * it is not known whether the process has the mark.
 */
static int examine(int processes, pid_t pid, const struct process_scan_mark *mark,
		   struct pid_list *found)
{
	char name[16];
	snprintf(name, sizeof(name), "%d", (int)pid);
	if (!is_ours(processes, name))
		return 0;
	cleanup_close int process = openat(processes, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return answer_unopened();
	/* Another process may have its pid by now. */
	int has = is_ours(process, ".") ? has_mark(process, mark) : 0;
	if (has <= 0)
		return has;
	if (mark->signal_number != 0)
		kill(pid, mark->signal_number);
	return pid_list_has(found, pid) || pid_list_add(found, pid) ? 0 : -1;
}

/* The pid that the kernel gave last; 0 if it is not known. */
static pid_t read_last_pid(int loadavg)
{
	char text[128];
	ssize_t size = pread(loadavg, text, sizeof(text) - 1, 0);
	text[size > 0 ? size : 0] = '\0';
	const char *last = strrchr(text, ' ');
	return last != NULL ? (pid_t)strtol(last, NULL, 10) : 0;
}

/*
 * Examines the newest processes, as long as new ones start. A process that keeps forking and
 * exiting is one of these, but has another pid before its turn comes in a list of all processes.
 */
static int examine_newest(int processes, const struct process_scan_mark *mark,
			  struct pid_list *found)
{
	cleanup_close int loadavg = openat(processes, "loadavg", O_RDONLY | O_CLOEXEC);
	pid_t before = 0;
	pid_t last = read_last_pid(loadavg);
	for (int look = 0; look < NEWEST_LOOKS && last != before; look++) {
		for (pid_t pid = last; pid > 1 && pid > last - NEWEST_COUNT; pid--)
			if (pid != getpid() && examine(processes, pid, mark, found) != 0)
				return -1;
		before = last;
		last = read_last_pid(loadavg);
	}
	return 0;
}

int process_scan(const struct process_scan_mark *mark, struct pid_list *found, char *names,
		 size_t names_size)
{
	struct pid_list all = {.count = 0};
	size_t first = found->count;
	/* Of a process with another real uid, the kernel shows neither files nor environment. */
	if (!process_scan_has_uid(geteuid()))
		return 0;
	DIR *processes = opendir("/proc");
	if (processes == NULL)
		return -1;
	int unknown = list_processes(processes, &all) == 0 ? 0 : errno;
	for (size_t i = all.count; i > 0; i--)
		if (examine(dirfd(processes), all.pids[i - 1], mark, found) != 0)
			unknown = errno;
	if (examine_newest(dirfd(processes), mark, found) != 0)
		unknown = errno;
	for (size_t i = first; i < found->count && names != NULL; i++)
		process_scan_add_name(found->pids[i], names, names_size);
	pid_list_free(&all);
	closedir(processes);
	errno = unknown;
	return unknown == 0 ? 0 : -1;
}
