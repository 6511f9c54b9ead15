#include "core/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"
#include "core/trust.h"

#define INSTALLED "/opt/jacamar/bin/jacamar"

static int check_program(const char *path, const char *resolved, enum program_use use,
			 struct error *err)
{
	struct stat found;
	mode_t needed = use == PROGRAM_OF_USERS ? 001 : 0111;
	if (stat(resolved, &found) == 0 && S_ISREG(found.st_mode) && (found.st_mode & needed) != 0)
		return 0;
	if (use == PROGRAM_OF_USERS)
		return error_set(err, ERROR_SYSTEM,
				 "%s is not a program that everyone may execute: set "
				 "auth.jacamar_path to one, or run: chmod a+rx %s",
				 path, path);
	return error_set(err, ERROR_SYSTEM,
			 "%s is not a program: set auth.runas.validation_script to one, or run: "
			 "chmod a+rx %s",
			 path, path);
}

/* It would be executed as another account than the one that the job was given. */
static int check_set_id(const char *path, const char *resolved, struct error *err)
{
	struct stat found;
	if (stat(resolved, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look at %s", resolved);
	if ((found.st_mode & 06000) == 0)
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "%s has a set-id bit, which it never needs; run: chmod ug-s %s", path,
			 resolved);
}

static void name_key_where_missing(const char *path, enum program_use use, struct error *err)
{
	const struct error said = *err;
	if (access(path, F_OK) != 0)
		error_set(err, said.kind, "%s; is %s right?", said.detail,
			  use == PROGRAM_OF_SERVICE ? "auth.runas.validation_script"
						    : "auth.jacamar_path");
}

enum program_use program_use_of(enum downscope_kind downscope)
{
	return downscope == DOWNSCOPE_NONE ? PROGRAM_OF_SAME_ACCOUNT : PROGRAM_OF_USERS;
}

char *program_resolve(const char *path, enum program_use use, struct error *err)
{
	if (use == PROGRAM_OF_SAME_ACCOUNT) {
		char *resolved = path[0] == '/' ? realpath(path, NULL) : NULL;
		if (path[0] != '/')
			error_set(err, ERROR_SYSTEM, "the path %s is not absolute", path);
		else if (resolved == NULL)
			error_errno(err, ERROR_SYSTEM, "cannot find %s", path);
		if (resolved == NULL)
			name_key_where_missing(path, use, err);
		if (resolved == NULL || check_set_id(path, resolved, err) == 0)
			return resolved;
		free(resolved);
		return NULL;
	}
	char *resolved = trust_resolve(path, "a program", err);
	if (resolved == NULL) {
		name_key_where_missing(path, use, err);
		return NULL;
	}
	bool is_ours = use == PROGRAM_OF_USERS;
	if (check_program(path, resolved, use, err) != 0 ||
	    (is_ours && check_set_id(path, resolved, err) != 0)) {
		free(resolved);
		return NULL;
	}
	return resolved;
}

static char *in_directory(const char *directory, const char *name, struct error *err)
{
	char *path = text_format("%s/%s", directory, name);
	if (path == NULL)
		error_set(err, ERROR_SYSTEM, "out of memory");
	return path;
}

/* Cuts the last component off. */
static void to_parent(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash != NULL)
		*slash = '\0';
}

/* "" where /proc does not say. */
static void own_path(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	path[length > 0 ? length : 0] = '\0';
}

/* Beside this executable, or, where that is libexec/jacamar-ci itself, in the bin beside libexec.
 */
static char *find_beside(struct error *err)
{
	char directory[PATH_MAX];
	own_path(directory, sizeof(directory));
	if (directory[0] == '\0')
		return strdup(INSTALLED);
	to_parent(directory);
	char *path = in_directory(directory, "jacamar", err);
	if (path == NULL || access(path, F_OK) == 0)
		return path;
	free(path);
	to_parent(directory);
	path = in_directory(directory, "bin/jacamar", err);
	if (path == NULL || access(path, F_OK) == 0)
		return path;
	free(path);
	return strdup(INSTALLED);
}

char *program_find(const char *setting, struct error *err)
{
	struct stat found;
	if (setting == NULL)
		return find_beside(err);
	if (stat(setting, &found) == 0 && S_ISDIR(found.st_mode))
		return in_directory(setting, "jacamar", err);
	return strdup(setting);
}

int program_check_everyone(const struct stat *file, const char *path, struct error *err)
{
	if ((file->st_mode & 001) == 0)
		return 0;
	if (file->st_nlink > 1)
		return error_set(err, ERROR_SYSTEM,
				 "jacamar-auth has capabilities, and everyone may execute it under "
				 "another name: %s is a hard link; make it a file of its own, by: "
				 "make install-caps",
				 path);
	return error_set(err, ERROR_SYSTEM,
			 "jacamar-auth has capabilities, and everyone may execute it; run: "
			 "chmod o-rwx %s",
			 path);
}

int program_check_group(const struct stat *file, const char *path, const struct account *account,
			struct error *err)
{
	size_t count = 0;
	cleanup_free gid_t *groups = account_groups(account, &count, err);
	if (groups == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (groups[i] == file->st_gid && (file->st_mode & 010) != 0)
			return error_set(err, ERROR_DENIED,
					 "%s is in the group (gid %u) that may execute "
					 "jacamar-auth, and could become anybody with it: take %s "
					 "out of that group, or install %s for the group of the "
					 "service account alone",
					 account->name, (unsigned int)file->st_gid, account->name,
					 path);
	return 0;
}

/* Of the running file, whose path goes to `path`. */
static int check_closed(struct stat *own, char *path, size_t size, struct error *err)
{
	if (stat("/proc/self/exe", own) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look at this program's file");
	own_path(path, size);
	return program_check_everyone(own, path, err);
}

int program_check_closed(struct error *err)
{
	struct stat own;
	char path[PATH_MAX];
	return check_closed(&own, path, sizeof(path), err);
}

int program_check_reach(const struct account *account, struct error *err)
{
	struct stat own;
	char path[PATH_MAX];
	return check_closed(&own, path, sizeof(path), err) == 0
		       ? program_check_group(&own, path, account, err)
		       : -1;
}

int program_explain_privilege(struct error *err)
{
	struct statvfs mount;
	char path[PATH_MAX];
	own_path(path, sizeof(path));
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return error_set(err, ERROR_SYSTEM,
				 "jacamar-auth has no privilege to change accounts: who called it "
				 "may gain none. Remove NoNewPrivileges=yes, and what implies it, "
				 "from the unit of the runner's service");
	if (statvfs("/proc/self/exe", &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0)
		return error_set(err, ERROR_SYSTEM,
				 "jacamar-auth has no privilege to change accounts: %s is on a "
				 "nosuid mount. Mount that without nosuid, or install it elsewhere",
				 path);
	return error_set(err, ERROR_SYSTEM,
			 "jacamar-auth has no privilege to change accounts. As root, run: setcap "
			 "cap_setgid,cap_setuid=ep %s",
			 path);
}
