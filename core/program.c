#include "core/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"

#define INSTALLED "/opt/jacamar/bin/jacamar"

static int check_entry(const char *path, struct error *err)
{
	struct stat found;
	if (lstat(path, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look at %s", path);
	if (found.st_uid != 0 && found.st_uid != geteuid())
		return error_set(err, ERROR_SYSTEM,
				 "%s belongs to uid %u; on the way to what a job's user executes, all "
				 "must belong to root",
				 path, (unsigned int)found.st_uid);
	if (!S_ISLNK(found.st_mode) && (found.st_mode & 022) != 0)
		return error_set(err, ERROR_SYSTEM,
				 "%s can be written by others; run: chmod go-w %s", path, path);
	return 0;
}

/* The path itself and every directory above it, as they are spelled. */
static int check_spelled(const char *path, struct error *err)
{
	cleanup_free char *prefix = strdup(path);
	if (prefix == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	for (;;) {
		if (check_entry(prefix, err) != 0)
			return -1;
		char *slash = strrchr(prefix, '/');
		if (slash == prefix)
			return check_entry("/", err);
		*slash = '\0';
	}
}

int program_check(const char *path, struct error *err)
{
	struct stat found;
	if (path[0] != '/')
		return error_set(err, ERROR_SYSTEM, "the path %s is not absolute", path);
	/* The path comes from the administrator, and what it resolves to is checked as well. */
	cleanup_free char *resolved = realpath(path, NULL);
	if (resolved == NULL)
		return error_errno(err, ERROR_SYSTEM, "cannot find %s", path);
	if (check_spelled(path, err) != 0 || check_spelled(resolved, err) != 0)
		return -1;
	if (stat(resolved, &found) != 0 || !S_ISREG(found.st_mode) || (found.st_mode & 001) == 0)
		return error_set(err, ERROR_SYSTEM, "%s is not a program that everyone may execute", path);
	return 0;
}

static char *in_directory(const char *directory, const char *name, struct error *err)
{
	char *path = text_format("%s/%s", directory, name);
	if (path == NULL)
		error_set(err, ERROR_SYSTEM, "out of memory");
	return path;
}

/* Beside this executable; jacamar-auth without capabilities is a link into ../libexec. */
static char *find_beside(struct error *err)
{
	static const char *const names[] = {"jacamar", "../bin/jacamar"};
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return strdup(INSTALLED);
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = in_directory(self, names[i], err);
		if (path == NULL || access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return strdup(INSTALLED);
}

char *program_find(const char *setting, struct error *err)
{
	struct stat found;
	char *path;
	if (setting == NULL)
		path = find_beside(err);
	else if (stat(setting, &found) == 0 && S_ISDIR(found.st_mode))
		path = in_directory(setting, "jacamar", err);
	else
		path = strdup(setting);
	if (path != NULL && program_check(path, err) == 0)
		return path;
	free(path);
	return NULL;
}
