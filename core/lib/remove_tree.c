#include "core/lib/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"

/* Each level needs a descriptor while it is removed; a site may limit a job to few of them. */
#define MOST_DEPTH 32

struct removal {
	dev_t device;
	int64_t deadline;
	int top;	/* the tree's own directory */
	uint64_t names; /* how many names were tried there, for directories that were too deep */
	bool moved;	/* a directory was moved there since the last pass over it */
};

/*
 * Makes the directory readable if its owner has no rights, and opens it. Both go through /proc, so
 * that they apply to the directory that was examined: glibc before 2.32 has no fchmodat() that does
 * not follow links.
 */
static int open_to_remove(const struct removal *removal, int parent, const char *name)
{
	char self[32];
	struct stat found;
	cleanup_close int path =
		openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0 || fstat(path, &found) != 0)
		return -1;
	if (found.st_dev != removal->device) {
		errno = EXDEV;
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
	if (chmod(self, 0700) != 0)
		return -1;
	return open(self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Moves a directory that is too deep to the top of the tree, so that any depth can be removed. A
 * name that is taken there is tried only once; there are at most as many as the job has made.
 */
static int move_up(struct removal *removal, int parent, const char *name)
{
	char new_name[32];
	int result;
	do {
		snprintf(new_name, sizeof(new_name), "deep-%ju", (uintmax_t)removal->names++);
		result = renameat(parent, name, removal->top, new_name);
	} while (result != 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR));
	removal->moved = removal->moved || result == 0;
	return result;
}

static int remove_entry(struct removal *removal, int parent, const char *name, int depth);

/* Removes the directory's entries; 0, or the errno of the last one that could not be removed. */
static int remove_entries(struct removal *removal, DIR *listing, int depth)
{
	int failed = 0;
	const struct dirent *entry;
	while (failed != ETIME && (entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    remove_entry(removal, dirfd(listing), entry->d_name, depth + 1) != 0)
			failed = errno;
	return failed;
}

static int remove_directory(struct removal *removal, int parent, const char *name, int depth)
{
	int fd = open_to_remove(removal, parent, name);
	if (fd >= 0 && depth == MOST_DEPTH) {
		close(fd);
		return move_up(removal, parent, name);
	}
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	if (listing == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (depth == 0)
		removal->top = fd;
	int failed = remove_entries(removal, listing, depth);
	while (depth == 0 && removal->moved && failed != ETIME) {
		removal->moved = false;
		rewinddir(listing);
		failed = remove_entries(removal, listing, depth);
	}
	closedir(listing);
	errno = failed;
	return failed != 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

static int remove_entry(struct removal *removal, int parent, const char *name, int depth)
{
	if (removal->deadline >= 0 && io_now_ms() >= removal->deadline) {
		errno = ETIME;
		return -1;
	}
	if (unlinkat(parent, name, 0) == 0)
		return 0;
	return errno == EISDIR ? remove_directory(removal, parent, name, depth) : -1;
}

int remove_tree(int parent, const char *name, int64_t deadline)
{
	struct stat found;
	if (fstat(parent, &found) != 0)
		return -1;
	struct removal removal = {.device = found.st_dev, .deadline = deadline, .top = -1};
	return remove_entry(&removal, parent, name, 0);
}
