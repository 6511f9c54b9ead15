#include "core/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"

/* Each level holds a descriptor while it is removed. */
#define MOST_DEPTH 128

struct removal {
	dev_t device;
	int64_t deadline;
};

/*
 * A directory without rights for its own owner is no reason to leave it behind. By way of /proc,
 * so that what was looked at is what is changed and opened: glibc before 2.32 has no fchmodat()
 * that does not follow links.
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

static int remove_entry(const struct removal *removal, int parent, const char *name, int depth)
{
	if (removal->deadline >= 0 && io_now_ms() >= removal->deadline) {
		errno = ETIME;
		return -1;
	}
	if (unlinkat(parent, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (depth >= MOST_DEPTH) {
		errno = ELOOP;
		return -1;
	}
	int fd = open_to_remove(removal, parent, name);
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	if (listing == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	int failed = 0;
	const struct dirent *entry;
	while (failed != ETIME && (entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    remove_entry(removal, fd, entry->d_name, depth + 1) != 0)
			failed = errno;
	closedir(listing);
	errno = failed;
	return failed != 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

int tree_remove(int parent, const char *name, int64_t deadline)
{
	struct stat found;
	if (fstat(parent, &found) != 0)
		return -1;
	struct removal removal = {.device = found.st_dev, .deadline = deadline};
	return remove_entry(&removal, parent, name, 0);
}
