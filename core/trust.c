#include "core/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"

static int check_entry(const char *path, const char *what, struct error *err)
{
	struct stat found;
	if (lstat(path, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look at %s", path);
	if (found.st_uid != 0 && found.st_uid != geteuid())
		return error_set(err, ERROR_SYSTEM,
				 "%s belongs to uid %u; on the way to %s, all must belong to root",
				 path, (unsigned int)found.st_uid, what);
	if (!S_ISLNK(found.st_mode) && (found.st_mode & 022) != 0)
		return error_set(err, ERROR_SYSTEM,
				 "%s can be written by others; run: chmod go-w %s", path, path);
	return 0;
}

/* The path itself and every directory above it, as they are spelled. */
static int check_spelled(const char *path, const char *what, struct error *err)
{
	cleanup_free char *prefix = strdup(path);
	if (prefix == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	for (;;) {
		if (check_entry(prefix, what, err) != 0)
			return -1;
		char *slash = strrchr(prefix, '/');
		if (slash == prefix)
			return check_entry("/", what, err);
		*slash = '\0';
	}
}

int trust_check(const char *path, const char *resolved, const char *what, struct error *err)
{
	return check_spelled(path, what, err) == 0 ? check_spelled(resolved, what, err) : -1;
}
