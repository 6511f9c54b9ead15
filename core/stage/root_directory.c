#include "core/stage/root_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/privilege/downscope.h"
#include "core/stage/pam_session.h"

/* Opens the directory of root in which the bases are. */
static int open_above(const char *above, struct error *err)
{
	cleanup_free char *resolved =
		secure_path_resolve(above, "directories that root makes", err);
	if (resolved == NULL)
		return -1;
	int fd = open(resolved, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fd : error_errno(err, ERROR_SYSTEM, "cannot open %s", resolved);
}

/* The author of the job reads this, and cannot change the directory. */
#define FOR_SITE "ask the administrators of this site, who set data_dir"

/* A base that exists is not changed; the user's side checks it further. */
static int check_existing(const struct state *state, int above, const char *name, struct error *err)
{
	struct stat found;
	if (fstatat(above, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot examine %s", state->base);
	if (!S_ISDIR(found.st_mode))
		return error_set(err, ERROR_SYSTEM,
				 "%s is a link or a file, not a directory; " FOR_SITE, state->base);
	if (found.st_uid != state->account.uid)
		return error_set(err, ERROR_SYSTEM,
				 "%s belongs to another account (uid %u); " FOR_SITE, state->base,
				 (unsigned int)found.st_uid);
	return 0;
}

/* Only root could have replaced the directory since it was made. */
static int give(const struct state *state, int above, const char *name, struct error *err)
{
	struct stat found;
	cleanup_close int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open %s", state->base);
	if (found.st_uid != geteuid())
		return error_set(err, ERROR_SYSTEM, "%s was replaced while root made it",
				 state->base);
	/* In a set-group-ID directory the new directory keeps the inherited group. */
	bool has_group = (found.st_mode & S_ISGID) != 0;
	return privilege_give(fd, state->account.uid, has_group ? (gid_t)-1 : state->account.gid,
			      err);
}

static int make(const struct state *state, struct error *err)
{
	const char *name = strrchr(state->base, '/') + 1;
	char own[ACCOUNT_NAME_SIZE];
	account_directory_name(state->account.name, own);
	if (strcmp(name, own) != 0 || name[0] == '.')
		return error_set(err, ERROR_SYSTEM, "root does not create the directory %s for %s",
				 state->base, state->account.name);
	size_t length = (size_t)(name - state->base);
	while (length > 1 && state->base[length - 1] == '/')
		length--;
	cleanup_free char *path = strndup(state->base, length);
	if (path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cleanup_close int above = open_above(path, err);
	if (above < 0)
		return -1;

	mode_t before = umask(0);
	int made = mkdirat(above, name, state->settings.general.group_permissions ? 0750 : 0700);
	int why = errno;
	umask(before);
	if (made != 0 && why == EEXIST)
		return check_existing(state, above, name, err);
	errno = why;
	if (made != 0)
		return error_errno(err, ERROR_SYSTEM, "root cannot create %s", state->base);
	if (give(state, above, name, err) == 0)
		return 0;
	unlinkat(above, name, AT_REMOVEDIR);
	return -1;
}

int root_directory_make(const struct state *state, struct error *err)
{
	struct error unused;
	int result = make(state, err);
	/* The session's process needs all of root's capabilities. */
	if (pam_session_of(state, "prepare") != NULL)
		return result;
	return privilege_settle(false, result == 0 ? err : &unused) == 0 ? result : -1;
}
