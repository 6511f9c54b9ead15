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
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"

/* A process's environment is one of its pages; what is larger is read in parts. */
#define ENVIRONMENT_MOST_SIZE (8 * 1024 * 1024)

/* Rounds of stopping before killing all the same: a fork bomb is starved long before. */
#define STOP_ROUNDS 1000

void pid_list_free(struct pid_list *list)
{
	free(list->pids);
	memset(list, 0, sizeof(*list));
}

static bool add_pid(struct pid_list *list, pid_t pid)
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
			add_pid(list, (pid_t)pid);
	}
}

/* Any thread may be the one that forked. */
static void add_children(const char *process, struct pid_list *list)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/task", process);
	DIR *tasks = opendir(path);
	if (tasks == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			add_children_of_thread(dirfd(tasks), entry->d_name, list);
	closedir(tasks);
}

int supervise_children(pid_t except, struct pid_list *list)
{
	add_children("self", list);
	for (size_t i = 0; i < list->count; i++)
		if (list->pids[i] == except)
			list->pids[i--] = list->pids[--list->count];
	return (int)list->count;
}

/* Appends the descendants of all that stand in the list from `from` on. */
static void add_descendants(struct pid_list *list, size_t from)
{
	for (size_t i = from; i < list->count; i++) {
		char process[16];
		snprintf(process, sizeof(process), "%d", (int)list->pids[i]);
		add_children(process, list);
	}
}

static void copy_list(const struct pid_list *from, struct pid_list *to)
{
	for (size_t i = 0; i < from->count; i++)
		add_pid(to, from->pids[i]);
}

/* Reads the field `number` (from 3 on) of /proc/PID/stat; 0 where the process is gone. */
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

/* A zombie takes signals as well, and would be counted for ever. */
static bool is_dead(pid_t pid)
{
	int state = process_state(pid);
	return state == 'Z' || state == 'X';
}

static size_t signal_each(const struct pid_list *list, size_t from, int signal_number)
{
	size_t reached = 0;
	for (size_t i = from; i < list->count; i++)
		if (!is_dead(list->pids[i]) && kill(list->pids[i], signal_number) == 0)
			reached++;
	return reached;
}

size_t supervise_signal(const struct pid_list *roots, int signal_number)
{
	struct pid_list all = {.count = 0};
	copy_list(roots, &all);
	add_descendants(&all, 0);
	size_t reached = signal_each(&all, 0, signal_number);
	pid_list_free(&all);
	return reached;
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

	/* A stopped process cannot fork; once a round finds nobody new, nobody is left running. */
	for (int round = 0; round < STOP_ROUNDS; round++) {
		now = (struct pid_list){.count = 0};
		copy_list(roots, &now);
		add_descendants(&now, 0);
		signal_each(&now, 0, SIGSTOP);
		if (now.count > 0)
			qsort(now.pids, now.count, sizeof(*now.pids), compare_pids);
		bool grew = has_new(&before, &now);
		pid_list_free(&before);
		before = now;
		if (!grew)
			break;
	}
	size_t reached = signal_each(&now, 0, SIGKILL);
	pid_list_free(&now);
	return reached;
}

struct supervise_pipe supervise_pipe_of(int fd)
{
	struct stat found;
	if (fstat(fd, &found) != 0 || !S_ISFIFO(found.st_mode))
		return (struct supervise_pipe){.inode = 0};
	return (struct supervise_pipe){.device = found.st_dev, .inode = found.st_ino};
}

static bool is_pipe(const struct stat *file, const struct supervise_pipe *pipe)
{
	return pipe->inode != 0 && S_ISFIFO(file->st_mode) && file->st_ino == pipe->inode &&
	       file->st_dev == pipe->device;
}

/* True where the process, given by a descriptor of its /proc directory, can write into a pipe. */
static bool holds_pipe(int process, const struct supervise_pipe pipes[2])
{
	int files = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = files >= 0 ? fdopendir(files) : NULL;
	const struct dirent *entry;
	bool holds = false;
	if (listing == NULL)
		return false;
	while (!holds && (entry = readdir(listing)) != NULL) {
		struct stat link;
		struct stat file;
		/* The link's own mode tells how the file is open: its reader is no culprit. */
		if (fstatat(files, entry->d_name, &link, AT_SYMLINK_NOFOLLOW) != 0 ||
		    (link.st_mode & S_IWUSR) == 0 || fstatat(files, entry->d_name, &file, 0) != 0)
			continue;
		holds = is_pipe(&file, &pipes[0]) || is_pipe(&file, &pipes[1]);
	}
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

static bool bears_mark(int process, const struct supervise_mark *mark)
{
	bool by_pipe = mark->pipes[0].inode != 0 || mark->pipes[1].inode != 0;
	return (!by_pipe || holds_pipe(process, mark->pipes)) &&
	       (mark->variable == NULL || has_variable(process, mark->variable));
}

/* Appends "PID (name)" to the line for the log. */
static void add_name(int process, pid_t pid, char *names, size_t size)
{
	char name[32] = "";
	size_t used = strlen(names);
	cleanup_close int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? io_read_full(fd, name, sizeof(name) - 1) : -1;
	name[got > 0 ? got : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	text_make_printable(name);
	snprintf(names + used, size - used, "%s%d (%s)", used > 0 ? ", " : "", (int)pid, name);
}

void supervise_find(const struct supervise_mark *mark, struct pid_list *found, char *names,
		    size_t names_size)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	if (processes == NULL)
		return;
	while ((entry = readdir(processes)) != NULL) {
		uint64_t pid;
		struct stat owner;
		if (!text_to_u64(entry->d_name, &pid) || (pid_t)pid == getpid() ||
		    fstatat(dirfd(processes), entry->d_name, &owner, 0) != 0 ||
		    owner.st_uid != geteuid() || is_dead((pid_t)pid))
			continue;
		cleanup_close int process =
			openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !bears_mark(process, mark))
			continue;
		if (names != NULL)
			add_name(process, (pid_t)pid, names, names_size);
		add_pid(found, (pid_t)pid);
	}
	closedir(processes);
}

void supervise_find_opaque(struct pid_list *found, char *names, size_t names_size)
{
	struct pid_list all = {.count = 0};
	add_children("self", &all);
	add_descendants(&all, 0);
	for (size_t i = 0; i < all.count; i++) {
		char path[32];
		snprintf(path, sizeof(path), "/proc/%d", (int)all.pids[i]);
		cleanup_close int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup_close int files =
			process >= 0 ? openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				     : -1;
		if (files >= 0 || errno == ENOENT || errno == ESRCH || is_dead(all.pids[i]))
			continue;
		if (names != NULL)
			add_name(process, all.pids[i], names, names_size);
		add_pid(found, all.pids[i]);
	}
	pid_list_free(&all);
}
