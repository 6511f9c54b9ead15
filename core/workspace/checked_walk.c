#include "core/workspace/checked_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/lib/writers.h"
#include "core/workspace/workspace.h"

/* True if a directory of the user's is above the path, so that the user can rename it. */
static bool is_movable(const struct checked_walk *walk, const char *path)
{
	const char *base = strrchr(walk->state->base, '/') + 1;
	bool in_home =
		walk->link == NULL && !walk->custom && strcmp(base, WORKSPACE_HOME_DIRECTORY) == 0;
	return strlen(path) > strlen(walk->root) || (in_home && strcmp(path, walk->root) == 0);
}

/* Adds what to do about a directory that only others can change. */
static int advise(const struct checked_walk *walk, const char *path, struct error *err)
{
	bool at_top = strchr(path + 1, '/') == NULL && access(path, F_OK) != 0;
	if (walk->link != NULL)
		return error_set(err, err->kind,
				 "%s; %s is a link to it: make the link point to a directory that "
				 "only you can write to",
				 err->detail, walk->link);
	if (walk->custom)
		return error_set(err, err->kind,
				 "%s; set CUSTOM_CI_BUILDS_DIR, which is %.200s, to a directory "
				 "that only you can write to%s",
				 err->detail, walk->state->custom_builds,
				 at_top || strstr(walk->state->custom_builds, "//") != NULL
					 ? " (GitLab replaces $HOME and other variables of the "
					   "cluster by nothing: for your home directory, write ~)"
					 : "");
	return error_set(err, err->kind,
			 "%s; ask the administrators of this site, who set data_dir", err->detail);
}

/*
 * The path as one word of a shell, in new memory; NULL if it has a quote in it. The author of the
 * job may have chosen the path, and the user may copy it from the log.
 */
static char *quote(const char *path)
{
	if (strspn(path, TEXT_WORD "./") == strlen(path))
		return strdup(path);
	return strchr(path, '\'') == NULL ? text_format("'%s'", path) : NULL;
}

static int advise_to_move(const struct checked_walk *walk, const char *path, struct error *err)
{
	cleanup_free char *word = quote(path);
	if (!is_movable(walk, path))
		return advise(walk, path, err);
	return word == NULL ? -1
			    : error_set(err, err->kind, "%s; run: mv %s %s.old", err->detail, word,
					word);
}

/* Explains that other accounts can write to a directory, as writers_check has found. */
static int advise_to_close(const struct checked_walk *walk, const char *path,
			   const struct stat *found, struct error *err)
{
	cleanup_free char *word = quote(path);
	bool group = (found->st_mode & S_IWGRP) != 0;
	bool others = (found->st_mode & S_IWOTH) != 0;
	if (found->st_uid != geteuid())
		return advise(walk, path, err);
	return word == NULL ? -1
			    : error_set(err, err->kind, "%s; run: chmod %s%s-w %s", err->detail,
					group ? "g" : "", others ? "o" : "", word);
}

static int check_directory(const struct checked_walk *walk, int fd, const char *path, bool made,
			   struct error *err)
{
	struct stat found;
	if (fstat(fd, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot examine %s", path);
	/* Independent of the umask. A set-group-ID bit that mkdir(2) has inherited stays. */
	if (made && fchmod(fd, walk->mode | (found.st_mode & S_ISGID)) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set the mode of %s", path);
	if (found.st_uid != geteuid()) {
		error_set(err, ERROR_SYSTEM, "%s belongs to another account (uid %u)", path,
			  (unsigned int)found.st_uid);
		return advise_to_move(walk, path, err);
	}
	if (!made && writers_check(path, fd, &found, &walk->state->account, err) != 0)
		return advise_to_close(walk, path, &found, err);
	return 0;
}

/* Explains that the user may not use `place`, a directory of the user's or the home's. */
static int advise_to_open(const char *place, struct error *err)
{
	struct stat found;
	cleanup_free char *word = quote(place);
	if (stat(place, &found) != 0 || word == NULL)
		return -1;
	if (found.st_uid == geteuid())
		return error_set(err, err->kind, "%s; run: chmod u+rwx %s", err->detail, word);
	return error_set(err, err->kind,
			 "%s; %s belongs to another account (uid %u): ask the administrators of "
			 "this site",
			 err->detail, place, (unsigned int)found.st_uid);
}

/* Explains why a directory cannot be created or opened. */
static int explain_failure(const struct checked_walk *walk, bool creates, const char *path,
			   struct error *err)
{
	size_t above = (size_t)(strrchr(path, '/') - path);
	struct stat found;
	int code = errno;
	if (code == ENOTDIR || code == ELOOP) {
		bool is_link = lstat(path, &found) == 0 && S_ISLNK(found.st_mode);
		error_set(err, ERROR_SYSTEM, "%s is a %s, not a directory", path,
			  is_link ? "link" : "file");
		return advise_to_move(walk, path, err);
	}
	error_errno(err, ERROR_SYSTEM, "%s %s",
		    creates ? "cannot create the directory" : "cannot open the directory", path);
	if (code == EDQUOT || code == ENOSPC)
		return -1;
	if (!is_movable(walk, path))
		return advise(walk, path, err);
	cleanup_free char *place = creates ? strndup(path, above) : strdup(path);
	return code == EACCES && place != NULL ? advise_to_open(place, err) : -1;
}

/* Opens the component that `path` ends with. Closes `at`. */
static int step(const struct checked_walk *walk, int at, const char *path, struct error *err)
{
	cleanup_close int parent = at;
	const char *name = strrchr(path, '/') + 1;
	bool made = walk->make && mkdirat(parent, name, 0700) == 0;
	if (walk->make && !made && errno != EEXIST)
		return explain_failure(walk, true, path, err);
	int next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return explain_failure(walk, false, path, err);
	if (check_directory(walk, next, path, made, err) != 0) {
		close(next);
		return -1;
	}
	return next;
}

char *checked_walk_examine_above(const char *path, const struct account *user,
				 struct secure_path_fault *fault, struct error *err)
{
	const struct secure_path_terms terms = {
		.what = "the job's files", .owner = user->uid, .sticky = true, .user = user};
	return secure_path_examine(path, &terms, fault, err);
}

char *checked_walk_follow_base(const char *base, const struct account *user,
			       struct secure_path_fault *fault, struct error *err)
{
	struct stat found;
	*fault = (struct secure_path_fault){.entry = ""};
	*err = (struct error){.detail = ""};
	if (lstat(base, &found) != 0 || !S_ISLNK(found.st_mode) || found.st_uid != user->uid)
		return NULL;
	return checked_walk_examine_above(base, user, fault, err);
}

/* Explains which entry above the root, or of the link's target, another account can change. */
static int explain_fault(const struct checked_walk *walk, const struct secure_path_fault *fault,
			 struct error *err)
{
	struct stat found;
	if (fault->entry[0] == '\0' && walk->link != NULL)
		return error_set(err, err->kind,
				 "%s; it is a link: create the directory that it points to, or "
				 "remove the link",
				 err->detail);
	if (fault->entry[0] == '\0')
		return -1;
	if (fault->foreign) {
		error_set(err, ERROR_SYSTEM,
			  "%s belongs to another account (uid %u), in a directory that others can "
			  "write to",
			  fault->entry, (unsigned int)fault->owner);
		return advise(walk, fault->entry, err);
	}
	if (lstat(fault->entry, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot examine %s", fault->entry);
	if (writers_check(fault->entry, -1, &found, &walk->state->account, err) == 0)
		return error_set(err, ERROR_SYSTEM, "the mode of %s has just changed",
				 fault->entry);
	error_set(err, err->kind, "%s, who could replace the job's files", err->detail);
	return advise_to_close(walk, fault->entry, &found, err);
}

static int check_above(const struct checked_walk *walk, const char *above, struct error *err)
{
	struct secure_path_fault fault;
	cleanup_free char *found =
		checked_walk_examine_above(above, &walk->state->account, &fault, err);
	return found != NULL ? 0 : explain_fault(walk, &fault, err);
}

/*
 * Opens the directory above the root. It is the site's, and its path may have links. If it is
 * missing and may be made, opens the last directory of its path that exists. *length is the length
 * of the opened path.
 */
static int open_above(const struct checked_walk *walk, size_t *length, struct error *err)
{
	cleanup_free char *above = strdup(walk->root);
	if (above == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	for (;;) {
		char *slash = strrchr(above, '/');
		slash[1] = '\0';
		int fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
		*length = (size_t)(slash - above) + 1;
		if (fd >= 0 && check_above(walk, above, err) == 0)
			return fd;
		if (fd >= 0) {
			close(fd);
			return -1;
		}
		bool missing = errno == ENOENT && walk->custom && walk->make && slash != above;
		slash[slash == above ? 1 : 0] = '\0';
		if (!missing)
			return explain_failure(walk, false, above, err);
	}
}

/* Cuts off the last components. */
static void cut(char *path, int components)
{
	for (char *slash; components > 0 && (slash = strrchr(path, '/')) != NULL; components--)
		*slash = '\0';
}

/* Opens the path. Every component from the root on is checked. */
static int open_path(const struct checked_walk *walk, struct error *err)
{
	size_t length = 0;
	int at = open_above(walk, &length, err);
	cleanup_free char *path = strdup(walk->path);
	if (at >= 0 && path == NULL) {
		close(at);
		return error_set(err, ERROR_SYSTEM, "out of memory");
	}
	if (at < 0)
		return -1;
	cut(path, walk->leave);
	while (at >= 0 && path[length] != '\0') {
		size_t end = length + strcspn(path + length, "/");
		char after = path[end];
		const char *name = path + length;
		path[end] = '\0';
		if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0) {
			close(at);
			return error_set(err, ERROR_SYSTEM, "%s has a '%s'", walk->path, name);
		}
		if (name[0] != '\0')
			at = step(walk, at, path, err);
		path[end] = after;
		length = end + (after != '\0' ? 1 : 0);
	}
	return at;
}

int checked_walk_open(const struct checked_walk *walk, struct error *err)
{
	struct secure_path_fault fault;
	struct checked_walk followed = *walk;
	size_t root_length = strlen(walk->root);
	if (strncmp(walk->path, walk->root, root_length) != 0 ||
	    (walk->path[root_length] != '\0' && walk->path[root_length] != '/'))
		return error_set(err, ERROR_SYSTEM, "%s is not in %s", walk->path, walk->root);
	cleanup_free char *target =
		checked_walk_follow_base(walk->root, &walk->state->account, &fault, err);
	if (target == NULL && err->detail[0] == '\0')
		return open_path(walk, err);
	followed.link = walk->root;
	if (target == NULL)
		return explain_fault(&followed, &fault, err);
	/* With the root "/", every directory would count as one below the root. */
	if (strcmp(target, "/") == 0)
		return error_set(err, ERROR_SYSTEM, "%s is a link to /; run: rm %s", walk->root,
				 walk->root);
	cleanup_free char *path = text_format("%s%s", target, walk->path + root_length);
	if (path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	followed.root = target;
	followed.path = path;
	return open_path(&followed, err);
}

int checked_walk_open_existing(const struct checked_walk *walk, int *fd, struct error *err)
{
	struct stat found;
	cleanup_free char *path = strdup(walk->path);
	*fd = -1;
	if (path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cut(path, walk->leave);
	if (!walk->make && lstat(path, &found) != 0 && errno == ENOENT)
		return 0;
	*fd = checked_walk_open(walk, err);
	return *fd < 0 ? -1 : 0;
}
