#include "core/privilege/trusted_program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"

#define INSTALLED "/opt/jacamar/bin/jacamar"

/* Used instead of a key if the installation is at fault, not the configuration. */
#define PROGRAM "jacamar-auth"

/*
 * The key that names the program, the mode bits of which it must have one, and the end of the error
 * otherwise.
 */
static const struct {
	const char *key;
	mode_t needed;
	const char *fault;
} USES[] = {
	[PROGRAM_OF_SAME_ACCOUNT] = {"auth.jacamar_path", 0111, NULL},
	[PROGRAM_OF_SERVICE] = {"auth.runas.validation_script", 0111,
				"is not a program: set auth.runas.validation_script to one"},
	[PROGRAM_OF_USERS] = {"auth.jacamar_path", 001,
			      "is not a program that everyone may execute: set auth.jacamar_path "
			      "to one"},
	[PROGRAM_PREPARE_HOOK] = {"general.prepare_hook", 001,
				  "is not a program that everyone may execute: set "
				  "general.prepare_hook to one"},
};

/* `path` is the value of the key, `resolved` the file that it leads to. */
static int check_file(const char *path, const char *resolved, enum trusted_program_use use,
		      struct error *err)
{
	struct stat found;
	if (stat(resolved, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot stat %s", resolved);
	bool executable = S_ISREG(found.st_mode) && (found.st_mode & USES[use].needed) != 0;
	if (!executable && USES[use].fault != NULL)
		return error_set_key(err, USES[use].key, ERROR_SYSTEM,
				     "%s %s, or run: chmod a+rx %s", path, USES[use].fault, path);
	/* With a set-id bit it would run as another account than the job's. */
	if (use != PROGRAM_OF_SERVICE && (found.st_mode & 06000) != 0)
		return error_set_key(
			err, USES[use].key, ERROR_SYSTEM,
			"%s has a set-id bit, which it never needs; run: chmod ug-s %s", path,
			resolved);
	return 0;
}

static char *resolve_unchecked(const char *path, struct error *err)
{
	char *resolved = path[0] == '/' ? realpath(path, NULL) : NULL;
	if (path[0] != '/')
		error_set(err, ERROR_SYSTEM, "the path %s is not absolute", path);
	else if (resolved == NULL)
		error_errno(err, ERROR_SYSTEM, "cannot find %s", path);
	return resolved;
}

enum trusted_program_use trusted_program_use_of(enum downscope_kind downscope)
{
	return downscope == DOWNSCOPE_NONE ? PROGRAM_OF_SAME_ACCOUNT : PROGRAM_OF_USERS;
}

char *trusted_program_resolve(const char *path, enum trusted_program_use use, struct error *err)
{
	char *resolved = use == PROGRAM_OF_SAME_ACCOUNT
				 ? resolve_unchecked(path, err)
				 : secure_path_resolve(path, "a program", err);
	if (resolved == NULL && access(path, F_OK) != 0) {
		const char *key = USES[use].key;
		error_set_key(err, key, err->kind, "%s; is %s right?", err->detail, key);
	}
	if (resolved != NULL && check_file(path, resolved, use, err) != 0) {
		free(resolved);
		return NULL;
	}
	return resolved;
}

/* "" if /proc is not mounted. */
static void own_path(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	path[length > 0 ? length : 0] = '\0';
}

/* In the directory of this executable; for libexec/jacamar-ci, in the bin beside libexec. */
static char *find_beside(struct error *err)
{
	static const char *const names[] = {"jacamar", "bin/jacamar"};
	char directory[PATH_MAX];
	own_path(directory, sizeof(directory));
	for (size_t i = 0; i < 2 && directory[0] != '\0'; i++) {
		char *slash = strrchr(directory, '/');
		if (slash != NULL)
			*slash = '\0';
		char *path = text_format("%s/%s", directory, names[i]);
		if (path == NULL)
			error_set(err, ERROR_SYSTEM, "out of memory");
		if (path == NULL || access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return strdup(INSTALLED);
}

char *trusted_program_find(const char *setting, struct error *err)
{
	struct stat found;
	if (setting == NULL)
		return find_beside(err);
	bool is_directory = stat(setting, &found) == 0 && S_ISDIR(found.st_mode);
	char *path = text_format("%s%s", setting, is_directory ? "/jacamar" : "");
	if (path == NULL)
		error_set(err, ERROR_SYSTEM, "out of memory");
	return path;
}

int trusted_program_check_everyone(const struct stat *file, const char *path, struct error *err)
{
	if ((file->st_mode & 001) == 0)
		return 0;
	if (file->st_nlink > 1)
		return error_set_key(
			err, PROGRAM, ERROR_SYSTEM,
			"jacamar-auth has capabilities, and everyone may execute it under "
			"another name: %s has hard links; install it as a file without "
			"them: make install-caps",
			path);
	return error_set_key(err, PROGRAM, ERROR_SYSTEM,
			     "jacamar-auth has capabilities, and everyone may execute it; run: "
			     "chmod o-rwx %s",
			     path);
}

static int refuse_group(const struct stat *file, const char *path, const struct account *account,
			struct error *err)
{
	return error_set(err, ERROR_DENIED,
			 "%s is in the group (gid %u) that may execute jacamar-auth, and could "
			 "use it to become any account: remove %s from that group, or install %s "
			 "for a group that only the service account is in",
			 account->name, (unsigned int)file->st_gid, account->name, path);
}

static int check_groups(const struct stat *file, const char *path, const struct account *account,
			const struct account_groups *groups, struct error *err)
{
	bool may_execute = (file->st_mode & 010) != 0 && account_groups_have(groups, file->st_gid);
	return may_execute ? refuse_group(file, path, account, err) : 0;
}

int trusted_program_check_group(const struct stat *file, const char *path,
				const struct account *account, const struct account_groups *groups,
				struct error *err)
{
	struct account_group group;
	if (check_groups(file, path, account, groups, err) != 0)
		return -1;
	if ((file->st_mode & 010) == 0)
		return 0;
	int result = account_group_by_gid(file->st_gid, account->name, &group, err);
	if (result == 0 && group.has_member)
		return refuse_group(file, path, account, err);
	return result < 0 ? -1 : 0;
}

int trusted_program_check_own(const struct account *account, const struct account_groups *groups,
			      bool looks_up, struct error *err)
{
	struct stat own;
	char path[PATH_MAX];
	if (stat("/proc/self/exe", &own) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot stat this program's file");
	own_path(path, sizeof(path));
	if (trusted_program_check_everyone(&own, path, err) != 0)
		return -1;
	if (account == NULL)
		return 0;
	return looks_up ? trusted_program_check_group(&own, path, account, groups, err)
			: check_groups(&own, path, account, groups, err);
}

int trusted_program_explain_privilege(struct error *err)
{
	struct statvfs mount;
	char path[PATH_MAX];
	own_path(path, sizeof(path));
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return error_set_key(err, PROGRAM, ERROR_SYSTEM,
				     "jacamar-auth cannot change accounts: it was started with "
				     "no_new_privs. Remove NoNewPrivileges=yes, and settings that "
				     "imply it, from the unit of the runner's service");
	if (statvfs("/proc/self/exe", &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0)
		return error_set_key(
			err, PROGRAM, ERROR_SYSTEM,
			"jacamar-auth cannot change accounts: %s is on a nosuid mount. "
			"Mount that file system without nosuid, or install jacamar-auth "
			"on another one",
			path);
	return error_set_key(
		err, PROGRAM, ERROR_SYSTEM,
		"jacamar-auth cannot change accounts: its file has no capabilities. As "
		"root, run: setcap cap_setgid,cap_setuid=ep %s",
		path);
}
