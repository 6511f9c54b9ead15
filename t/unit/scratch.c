#include "t/unit/scratch.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"

static char root_path[SCRATCH_SIZE];

int scratch_open_root(char root[SCRATCH_SIZE])
{
	const char *parent = getenv("TMPDIR");
	if (parent == NULL || parent[0] != '/')
		parent = "/tmp";
	/* Resolved, so that a test may say that no link is on its way. */
	char *resolved = realpath(parent, NULL);
	if (resolved == NULL)
		return -1;
	snprintf(root, SCRATCH_SIZE, "%.900s/jacamar-unit.XXXXXX", resolved);
	free(resolved);
	if (mkdtemp(root) == NULL)
		return -1;
	/* The tests that become another account work in it. */
	memcpy(root_path, root, sizeof(root_path));
	return chmod(root, 0711);
}

/* Rights are given back on the way down, as nftw(3) reads a directory after its visit. */
static int open_up(const char *path, const struct stat *found, int type, struct FTW *where)
{
	(void)found;
	(void)where;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, 0700);
	return 0;
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *where)
{
	(void)found;
	(void)type;
	(void)where;
	return remove(path);
}

void scratch_remove(const char *path)
{
	/* A directory without rights shows its content in the round after it got them. */
	for (int round = 0; round < 16; round++) {
		nftw(path, open_up, 16, FTW_PHYS | FTW_MOUNT);
		if (nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH | FTW_MOUNT) == 0)
			return;
	}
	fprintf(stderr, "unit: cannot remove %s\n", path);
}

struct path path_of(const char *format, ...)
{
	struct path path;
	va_list args;
	va_start(args, format);
	int length = vsnprintf(path.text, sizeof(path.text), format, args);
	va_end(args);
	ck_assert_int_ge(length, 0);
	ck_assert_int_lt(length, SCRATCH_SIZE);
	return path;
}

struct path scratch_make(void)
{
	struct path path = path_of("%s/XXXXXX", root_path);
	ck_assert_ptr_nonnull(mkdtemp(path.text));
	return path;
}

void scratch_write(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(io_write_all(fd, text, strlen(text)), 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

void scratch_directory(const char *path, mode_t mode)
{
	ck_assert_msg(mkdir(path, 0700) == 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(chmod(path, mode), 0);
}

void scratch_link(const char *target, const char *path)
{
	ck_assert_msg(symlink(target, path) == 0, "%s: %s", path, strerror(errno));
}

char *scratch_read(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	char *text = io_read_to_end(fd, SIZE_MAX / 4, size);
	close(fd);
	ck_assert_ptr_nonnull(text);
	return text;
}
