#include "core/search.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"

/* Far above what execve takes. */
#define ENVIRONMENT_MOST_SIZE (8 * 1024 * 1024)

ino_t search_pipe_of(int fd)
{
	struct stat found;
	return fstat(fd, &found) == 0 && S_ISFIFO(found.st_mode) ? found.st_ino : 0;
}

/*
 * Whether the descriptor `name` in the directory `files` is one of these pipes, open for writing.
 * Links of /proc are read, never followed: behind one may be a file on a file system that hangs.
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

/* True where the process, given by a descriptor of its /proc directory, can write into a pipe. */
static bool holds_pipe(int process, const ino_t pipes[2])
{
	int files = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = files >= 0 ? fdopendir(files) : NULL;
	const struct dirent *entry;
	bool holds = false;
	if (listing == NULL)
		return false;
	while (!holds && (entry = readdir(listing)) != NULL)
		holds = is_pipe(files, entry->d_name, pipes);
	closedir(listing);
	return holds;
}

static bool has_variable(int process, const char *variable)
{
	size_t size;
	cleanup_close int fd = openat(process, "environ", O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, ENVIRONMENT_MOST_SIZE, &size) : NULL;
	if (text == NULL)
		return false;
	for (const char *at = text; at < text + size; at += strlen(at) + 1)
		if (strcmp(at, variable) == 0)
			return true;
	return false;
}

static bool bears_mark(int process, pid_t pid, const struct search_mark *mark)
{
	bool by_pipe = mark->pipes[0] != 0 || mark->pipes[1] != 0;
	return (!by_pipe || holds_pipe(process, mark->pipes)) &&
	       (mark->variable == NULL || pid_list_has(mark->or_one_of, pid) ||
		has_variable(process, mark->variable));
}

/* Appends "PID (name)" to the line for the log. */
static void add_name(int process, pid_t pid, char *names, size_t size)
{
	char name[32] = "";
	size_t used = strlen(names);
	cleanup_close int fd = process >= 0 ? openat(process, "comm", O_RDONLY | O_CLOEXEC) : -1;
	ssize_t got = fd >= 0 ? io_read_full(fd, name, sizeof(name) - 1) : -1;
	name[got > 0 ? got : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	text_make_printable(name);
	/* An entry stands whole or not at all: half a pid is another one's. */
	char entry[64];
	snprintf(entry, sizeof(entry), "%s%d (%s)", used > 0 ? ", " : "", (int)pid, name);
	if (strlen(entry) < size - used)
		memcpy(names + used, entry, strlen(entry) + 1);
}

int search_processes(const struct search_mark *mark, struct pid_list *found, char *names,
		     size_t names_size)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	if (processes == NULL)
		return -1;
	while ((entry = readdir(processes)) != NULL) {
		uint64_t pid;
		struct stat owner;
		if (!text_to_u64(entry->d_name, &pid) || (pid_t)pid == getpid() ||
		    fstatat(dirfd(processes), entry->d_name, &owner, 0) != 0 ||
		    owner.st_uid != geteuid() || supervise_is_dead((pid_t)pid))
			continue;
		cleanup_close int process =
			openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !bears_mark(process, (pid_t)pid, mark))
			continue;
		if (mark->signal_number != 0)
			kill((pid_t)pid, mark->signal_number);
		if (names != NULL)
			add_name(process, (pid_t)pid, names, names_size);
		pid_list_add(found, (pid_t)pid);
	}
	closedir(processes);
	return 0;
}

int search_opaque(struct pid_list *found, char *names, size_t names_size)
{
	struct pid_list all = {.count = 0};
	int result = supervise_descendants(&all);
	for (size_t i = 0; i < all.count; i++) {
		char path[32];
		snprintf(path, sizeof(path), "/proc/%d", (int)all.pids[i]);
		cleanup_close int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup_close int files =
			process >= 0 ? openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				     : -1;
		/* With hidepid a process that we may not look at is as good as absent. */
		if (files >= 0 || supervise_is_dead(all.pids[i]) ||
		    (kill(all.pids[i], 0) != 0 && errno == ESRCH))
			continue;
		if (names != NULL)
			add_name(process, all.pids[i], names, names_size);
		pid_list_add(found, all.pids[i]);
	}
	pid_list_free(&all);
	return result;
}
