#include "core/workspace/static_builds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/remove_tree.h"
#include "core/lib/text.h"
#include "core/workspace/builds_lock.h"
#include "core/workspace/workspace.h"
#include "core/workspace/workspace_directories.h"

/* A directory is renamed before it is removed, so that no job finds only a part of it. */
#define REMOVED "removed-"

#define NAME_SIZE 64
#define DAY_S	  (24 * 3600)

struct cleaning {
	const struct state *state;
	int directory;
	int64_t deadline;
	int removed;
	bool failed;
	struct error *err; /* of the first failure */
};

/* True for `prefix`, as many numbers, which are separated by '-', and `end`. */
static bool is_named(const char *name, const char *prefix, int numbers, const char *end)
{
	size_t length = strlen(prefix);
	if (strncmp(name, prefix, length) != 0)
		return false;
	const char *rest = name + length;
	for (int i = 0; i < numbers; i++) {
		if (i > 0 && *rest++ != '-')
			return false;
		size_t digits = strspn(rest, TEXT_DIGIT);
		if (digits == 0 || digits > 20)
			return false;
		rest += digits;
	}
	return strcmp(rest, end) == 0;
}

/* True for `<number>-<project id>.used`. */
static bool is_mark(const char *name)
{
	return is_named(name, "", 2, BUILDS_LOCK_USED);
}

static bool is_own_directory(const struct cleaning *cleaning, const char *name)
{
	struct stat found;
	return fstatat(cleaning->directory, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(found.st_mode) && found.st_uid == geteuid();
}

/* Records the first failure. The caller continues after it. */
static void note_failure(struct cleaning *cleaning, const char *name)
{
	const struct state *state = cleaning->state;
	if (!cleaning->failed && errno == ETIME)
		error_set(cleaning->err, ERROR_SYSTEM,
			  "there was not enough time to remove all old builds; the next job will "
			  "continue");
	else if (!cleaning->failed)
		error_errno(cleaning->err, ERROR_SYSTEM,
			    "cannot remove old builds, %s/builds/%s/%s", state->base,
			    state->short_token, name);
	cleaning->failed = true;
}

static void remove_renamed(struct cleaning *cleaning, const char *name)
{
	if (remove_tree(cleaning->directory, name, cleaning->deadline) != 0 && errno != ENOENT)
		note_failure(cleaning, name);
}

/* True if no job has used it for static_builds_days. */
static bool is_old(const struct cleaning *cleaning, const char *name)
{
	struct stat found;
	return fstatat(cleaning->directory, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - found.st_mtime >
		       cleaning->state->settings.general.static_builds_days * DAY_S;
}

/*
 * Takes the lock `lock_name`; 0 if no job has it, or has used `name` meanwhile. The caller calls
 * builds_lock_remove in any case.
 */
static int lock_unused(struct cleaning *cleaning, const char *name, const char *lock_name,
		       struct builds_lock *lock)
{
	struct error unusable;
	/* The lock closes its directory. */
	int directory = fcntl(cleaning->directory, F_DUPFD_CLOEXEC, 0);
	int taken = builds_lock_take_file(directory, lock_name, cleaning->state, false, lock,
					  &unusable);
	if (taken < 0 && !cleaning->failed) {
		*cleaning->err = unusable;
		cleaning->failed = true;
	}
	return taken == 0 && is_old(cleaning, name) ? 0 : -1;
}

/* Reads the project's path from a mark; false if it is no file of the user, or has no path. */
static bool read_mark(const struct cleaning *cleaning, const char *mark, char path[PATH_MAX])
{
	struct stat found;
	cleanup_close int fd =
		openat(cleaning->directory, mark, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) ||
	    found.st_uid != geteuid())
		return false;
	ssize_t size = pread(fd, path, PATH_MAX - 1, 0);
	path[size > 0 ? size : 0] = '\0';
	return path[0] != '\0' && text_is_printable(path) && !text_has_parent_component(path);
}

/*
 * Opens a directory of the user's, and gives its owner the rights that a job may have removed: to
 * move it to another directory takes write permission on it, and on the one above it. Through
 * /proc, as in remove_tree(). -1 if there is no such directory (errno ENOENT or ENOTDIR), or if it
 * cannot be opened.
 */
static int open_own(int above, const char *name)
{
	char self[32];
	struct stat found;
	int fd = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &found) != 0 || found.st_uid != geteuid()) {
		close(fd);
		errno = ENOTDIR;
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	/* If this fails, the caller reports what it cannot do then. */
	if ((found.st_mode & S_IRWXU) != S_IRWXU)
		(void)chmod(self, (found.st_mode & 07777) | S_IRWXU);
	return fd;
}

static bool is_absent(int code)
{
	return code == ENOENT || code == ENOTDIR;
}

/*
 * Opens the directory above the project in `number`. All directories above that must be the user's,
 * and none may be a link. Cuts `path` before the project's directory, and *project is that name. -1
 * as open_own().
 */
static int open_above_project(const struct cleaning *cleaning, const char *number, char *path,
			      const char **project)
{
	int at = open_own(cleaning->directory, number);
	*project = path;
	for (char *slash; at >= 0 && (slash = strchr(*project, '/')) != NULL;) {
		*slash = '\0';
		int next = open_own(at, *project);
		int why = errno;
		close(at);
		errno = why;
		at = next;
		*project = slash + 1;
	}
	return at;
}

/*
 * Moves the project's directory of `number`, and the runner's directory `project.tmp` next to it,
 * to `to`. Returns whether any was moved, or -1.
 */
static int move_checkout(struct cleaning *cleaning, const char *number, char *path, const char *to)
{
	static const char *const ends[] = {"", ".tmp"};
	const char *project;
	int moved = 0;
	cleanup_close int above = open_above_project(cleaning, number, path, &project);
	if (above < 0 && !is_absent(errno)) {
		note_failure(cleaning, number);
		return -1;
	}
	for (size_t i = 0; above >= 0 && i < sizeof(ends) / sizeof(ends[0]); i++) {
		char name[PATH_MAX + 8];
		char new_name[2 * NAME_SIZE];
		snprintf(name, sizeof(name), "%s%s", project, ends[i]);
		snprintf(new_name, sizeof(new_name), "%s/%s%s", to, number, ends[i]);
		cleanup_close int own = open_own(above, name);
		if (own < 0 && is_absent(errno))
			continue;
		if ((mkdirat(cleaning->directory, to, 0700) != 0 && errno != EEXIST) ||
		    renameat(above, name, cleaning->directory, new_name) != 0) {
			note_failure(cleaning, number);
			return -1;
		}
		moved = 1;
	}
	return moved;
}

/* True if the path is what move_checkout moves for `project`, or in it. */
static bool is_part_of(const char *path, const char *project)
{
	size_t length = strlen(project);
	if (strncmp(path, project, length) != 0)
		return false;
	const char *rest = path + length;
	rest += strncmp(rest, ".tmp", 4) == 0 ? 4 : 0;
	return rest[0] == '\0' || rest[0] == '/';
}

/* True if a job may use what the mark names: its mark is new, or it has its lock. */
static bool is_live(const struct cleaning *cleaning, const char *mark)
{
	char lock_name[NAME_SIZE + 8];
	int stem = (int)(strlen(mark) - strlen(BUILDS_LOCK_USED));
	snprintf(lock_name, sizeof(lock_name), "%.*s.job", stem, mark);
	return !is_old(cleaning, mark) ||
	       faccessat(cleaning->directory, lock_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * True if another project may use the directory, a part of it, or one that it is a part of. The
 * path of a project that was renamed or deleted can have passed to another one, which has a lock of
 * its own.
 */
static bool is_shared(const struct cleaning *cleaning, const char *mark, const char *path)
{
	char other[PATH_MAX];
	bool shared = false;
	size_t number = strcspn(mark, "-") + 1;
	cleanup_listing DIR *listing = io_list(cleaning->directory, ".");
	if (listing == NULL)
		return true;
	const struct dirent *entry;
	while (!shared && (entry = readdir(listing)) != NULL) {
		const char *name = entry->d_name;
		shared = is_mark(name) && strncmp(name, mark, number) == 0 &&
			 strcmp(name, mark) != 0 && is_live(cleaning, name) &&
			 read_mark(cleaning, name, other) &&
			 (is_part_of(other, path) || is_part_of(path, other));
	}
	return shared;
}

/* Under the lock: moves what the mark names to `new_name`; returns as move_checkout. */
static int take_checkout(struct cleaning *cleaning, const char *mark, const char *new_name)
{
	char path[PATH_MAX];
	char number[NAME_SIZE];
	int moved = 0;
	snprintf(number, sizeof(number), "%.*s", (int)strspn(mark, TEXT_DIGIT), mark);
	if (read_mark(cleaning, mark, path)) {
		if (is_shared(cleaning, mark, path))
			return -1;
		moved = move_checkout(cleaning, number, path, new_name);
	}
	/* A project that is not there any more needs no mark. */
	if (moved >= 0)
		(void)unlinkat(cleaning->directory, mark, 0);
	return moved;
}

static int take_project(struct cleaning *cleaning, const char *name, const char *new_name)
{
	if (renameat(cleaning->directory, name, cleaning->directory, new_name) == 0)
		return 1;
	note_failure(cleaning, name);
	return -1;
}

/*
 * `name` is `project-<id>`, or a mark `<number>-<project id>.used`, which is as old as the last job
 * of the project there. `take` renames the directory, so that no job finds only a part of it.
 */
static void clean(struct cleaning *cleaning, const char *name,
		  int (*take)(struct cleaning *cleaning, const char *name, const char *new_name))
{
	struct builds_lock lock;
	char lock_name[NAME_SIZE + 8];
	char new_name[NAME_SIZE];
	int moved = -1;
	const char *id = name + strcspn(name, "-") + 1;
	snprintf(lock_name, sizeof(lock_name), "%.*s.job", (int)strcspn(name, "."), name);
	snprintf(new_name, sizeof(new_name), REMOVED "%.*s-%" PRIu64, (int)strspn(id, TEXT_DIGIT),
		 id, cleaning->state->job_id);
	if (!is_old(cleaning, name))
		return;
	if (lock_unused(cleaning, name, lock_name, &lock) == 0)
		moved = take(cleaning, name, new_name);
	builds_lock_remove(&lock);
	if (moved <= 0)
		return;
	cleaning->removed++;
	remove_renamed(cleaning, new_name);
}

/* False if the time is over. */
static bool clean_entry(struct cleaning *cleaning, const char *name)
{
	if (io_now_ms() >= cleaning->deadline) {
		errno = ETIME;
		note_failure(cleaning, name);
		return false;
	}
	if (is_mark(name))
		clean(cleaning, name, take_checkout);
	else if (is_named(name, WORKSPACE_PROJECT, 1, "") && is_own_directory(cleaning, name))
		clean(cleaning, name, take_project);
	else if (is_named(name, REMOVED, 2, "") && is_own_directory(cleaning, name))
		remove_renamed(cleaning, name);
	return true;
}

int static_builds_clean(const struct state *state, int64_t limit_ms, int *removed,
			struct error *err)
{
	struct cleaning cleaning = {
		.state = state, .deadline = io_now_ms() + limit_ms, .err = err, .directory = -1};
	*removed = 0;
	if (state->settings.general.static_builds_days == 0)
		return 0;
	if (workspace_open_runner_builds(state, &cleaning.directory, err) != 0)
		return -1;
	if (cleaning.directory < 0)
		return 0;
	DIR *listing = fdopendir(cleaning.directory);
	if (listing == NULL) {
		error_errno(err, ERROR_SYSTEM, "cannot look for old builds in %s/builds/%s",
			    state->base, state->short_token);
		close(cleaning.directory);
		return -1;
	}
	const struct dirent *entry;
	while ((entry = readdir(listing)) != NULL && clean_entry(&cleaning, entry->d_name))
		;
	closedir(listing);
	*removed = cleaning.removed;
	return cleaning.failed ? -1 : 0;
}
