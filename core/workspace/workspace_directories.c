#include "core/workspace/workspace_directories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/remove_tree.h"
#include "core/lib/text.h"
#include "core/lib/writers.h"
#include "core/workspace/workspace.h"

/* A path to follow, which must be the user's own from `root` on. */
struct walk {
	const struct state *state;
	const char *link; /* the user's, which has led to the root; else NULL */
	const char *root;
	const char *path; /* below the root, or the same */
	int leave;	  /* how many of its last components are not opened */
	bool custom; /* the root is the author's choice; it and what is above it are made, too */
	bool make;   /* make missing directories */
	mode_t mode; /* of new directories */
};

/* True if a directory of the user's is above the path, so that the user can rename it. */
static bool is_movable(const struct walk *walk, const char *path)
{
	const char *base = strrchr(walk->state->base, '/') + 1;
	bool in_home =
		walk->link == NULL && !walk->custom && strcmp(base, WORKSPACE_HOME_DIRECTORY) == 0;
	return strlen(path) > strlen(walk->root) || (in_home && strcmp(path, walk->root) == 0);
}

/* Adds what to do about a directory that only others can change. */
static int advise(const struct walk *walk, const char *path, struct error *err)
{
	struct error said = *err;
	bool at_top = strchr(path + 1, '/') == NULL && access(path, F_OK) != 0;
	if (walk->link != NULL)
		return error_set(err, said.kind,
				 "%s; %s is a link to it: let it lead to a directory that only you "
				 "can write to",
				 said.detail, walk->link);
	if (walk->custom)
		return error_set(err, said.kind,
				 "%s; set CUSTOM_CI_BUILDS_DIR, which is %.200s, to a directory "
				 "that only you can write to%s",
				 said.detail, walk->state->custom_builds,
				 at_top ? " (GitLab replaces $HOME and other variables of the "
					  "cluster by nothing: for your home directory, write ~)"
					: "");
	return error_set(err, said.kind,
			 "%s; ask the administrators of this site, who set data_dir", said.detail);
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

static int advise_to_move(const struct walk *walk, const char *path, struct error *err)
{
	struct error said = *err;
	cleanup_free char *word = quote(path);
	if (!is_movable(walk, path))
		return advise(walk, path, err);
	return word == NULL ? -1
			    : error_set(err, said.kind, "%s; run: mv %s %s.old", said.detail, word,
					word);
}

/* Explains that other accounts can write to a directory, as writers_check has found. */
static int advise_to_close(const struct walk *walk, const char *path, const struct stat *found,
			   struct error *err)
{
	struct error said = *err;
	cleanup_free char *word = quote(path);
	bool group = (found->st_mode & S_IWGRP) != 0;
	bool others = (found->st_mode & S_IWOTH) != 0;
	if (found->st_uid != geteuid())
		return advise(walk, path, err);
	return word == NULL ? -1
			    : error_set(err, said.kind, "%s; run: chmod %s%s-w %s", said.detail,
					group ? "g" : "", others ? "o" : "", word);
}

static int check_directory(const struct walk *walk, int fd, const char *path, bool made,
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

/* Explains why a directory cannot be created or opened; `what` begins the message. */
static int explain_failure(const struct walk *walk, const char *what, const char *path,
			   struct error *err)
{
	struct stat found;
	int code = errno;
	if (code == ENOTDIR || code == ELOOP) {
		bool is_link = lstat(path, &found) == 0 && S_ISLNK(found.st_mode);
		error_set(err, ERROR_SYSTEM, "%s is a %s, not a directory", path,
			  is_link ? "link" : "file");
		return advise_to_move(walk, path, err);
	}
	error_errno(err, ERROR_SYSTEM, "%s %s", what, path);
	if (code == EDQUOT || code == ENOSPC || is_movable(walk, path))
		return -1;
	return advise(walk, path, err);
}

/* Opens the component that `path` ends with. Closes `at`. */
static int step(const struct walk *walk, int at, const char *path, struct error *err)
{
	cleanup_close int parent = at;
	const char *name = strrchr(path, '/') + 1;
	bool made = walk->make && mkdirat(parent, name, 0700) == 0;
	if (walk->make && !made && errno != EEXIST)
		return explain_failure(walk, "cannot create the directory", path, err);
	int next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return explain_failure(walk, "cannot open the directory", path, err);
	if (check_directory(walk, next, path, made, err) != 0) {
		close(next);
		return -1;
	}
	return next;
}

char *workspace_examine_way(const char *path, const struct account *user,
			    struct secure_path_fault *fault, struct error *err)
{
	const struct secure_path_terms terms = {
		.what = "the job's files", .owner = user->uid, .sticky = true, .user = user};
	return secure_path_examine(path, &terms, fault, err);
}

char *workspace_follow_base(const char *base, const struct account *user,
			    struct secure_path_fault *fault, struct error *err)
{
	struct stat found;
	*fault = (struct secure_path_fault){.entry = ""};
	*err = (struct error){.detail = ""};
	if (lstat(base, &found) != 0 || !S_ISLNK(found.st_mode) || found.st_uid != user->uid)
		return NULL;
	return workspace_examine_way(base, user, fault, err);
}

/* Explains which entry above the root, or of the link's target, another account can change. */
static int explain_fault(const struct walk *walk, const struct secure_path_fault *fault,
			 struct error *err)
{
	struct stat found;
	if (fault->entry[0] == '\0' && walk->link != NULL)
		return error_set(err, err->kind,
				 "%s; it is a link: make the directory to which it leads, or "
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

static int check_above(const struct walk *walk, const char *above, struct error *err)
{
	struct secure_path_fault fault;
	cleanup_free char *found = workspace_examine_way(above, &walk->state->account, &fault, err);
	return found != NULL ? 0 : explain_fault(walk, &fault, err);
}

/*
 * Opens the directory above the root. It is the site's, and its path may have links. If it is
 * missing and may be made, opens the last directory of its path that exists. *length is the length
 * of the opened path.
 */
static int open_above(const struct walk *walk, size_t *length, struct error *err)
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
			return explain_failure(walk, "cannot open the directory", above, err);
	}
}

/* Cuts off the last components. */
static void cut(char *path, int components)
{
	for (char *slash; components > 0 && (slash = strrchr(path, '/')) != NULL; components--)
		*slash = '\0';
}

/* Opens the path. Every component from the root on is checked. */
static int open_path(const struct walk *walk, struct error *err)
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

/* The same; the root may be a link of the user. */
static int open_inside(const struct walk *walk, struct error *err)
{
	struct secure_path_fault fault;
	struct walk followed = *walk;
	size_t root_length = strlen(walk->root);
	if (strncmp(walk->path, walk->root, root_length) != 0 ||
	    (walk->path[root_length] != '\0' && walk->path[root_length] != '/'))
		return error_set(err, ERROR_SYSTEM, "%s is not in %s", walk->path, walk->root);
	cleanup_free char *target =
		workspace_follow_base(walk->root, &walk->state->account, &fault, err);
	if (target == NULL && err->detail[0] == '\0')
		return open_path(walk, err);
	followed.link = walk->root;
	if (target == NULL)
		return explain_fault(&followed, &fault, err);
	/* A component of / would pass for one below the root. */
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

/* The same where the path may be missing: 0, and *fd is -1. */
static int open_if_there(const struct walk *walk, int *fd, struct error *err)
{
	struct stat found;
	cleanup_free char *path = strdup(walk->path);
	*fd = -1;
	if (path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cut(path, walk->leave);
	if (!walk->make && lstat(path, &found) != 0 && errno == ENOENT)
		return 0;
	*fd = open_inside(walk, err);
	return *fd < 0 ? -1 : 0;
}

/* The mode of directories without scripts, in which the job's secrets are. */
static mode_t shared_mode(const struct state *state)
{
	return state->settings.general.group_permissions ? 0750 : 0700;
}

int workspace_make(const struct state *state, struct error *err)
{
	mode_t shared = shared_mode(state);
	bool custom = state->custom_builds != NULL;
	const struct walk walks[] = {
		{.state = state,
		 .root = custom ? state->custom_builds : state->base,
		 .path = state->builds_dir,
		 .custom = custom,
		 .make = true,
		 .mode = shared},
		{.state = state,
		 .root = state->base,
		 .path = state->cache_dir,
		 .make = true,
		 .mode = shared},
		{.state = state,
		 .root = state->base,
		 .path = state->scripts_dir,
		 .make = true,
		 .mode = 0700},
	};
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		cleanup_close int fd = open_inside(&walks[i], err);
		if (fd < 0)
			return -1;
	}
	return 0;
}

int workspace_open_above_builds(const struct state *state, bool make, int *fd, struct error *err)
{
	bool custom = state->custom_builds != NULL;
	const struct walk walk = {.state = state,
				  .root = custom ? state->custom_builds : state->base,
				  .path = state->builds_dir,
				  .leave = 1,
				  .custom = custom,
				  .make = make,
				  .mode = shared_mode(state)};
	return open_if_there(&walk, fd, err);
}

int workspace_open_runner_builds(const struct state *state, int *fd, struct error *err)
{
	cleanup_free char *path = text_format("%s/builds/%s", state->base, state->short_token);
	const struct walk walk = {.state = state, .root = state->base, .path = path};
	*fd = -1;
	return path != NULL ? open_if_there(&walk, fd, err)
			    : error_set(err, ERROR_SYSTEM, "out of memory");
}

int workspace_open_private(const struct state *state, const char *path, bool make, int *fd,
			   struct error *err)
{
	const struct walk walk = {
		.state = state, .root = state->base, .path = path, .make = make, .mode = 0700};
	return open_if_there(&walk, fd, err);
}

int workspace_open_scripts(const struct state *state, struct error *err)
{
	struct walk walk = {.state = state,
			    .root = state->base,
			    .path = state->scripts_dir,
			    .make = true,
			    .mode = 0700};
	int fd = open_inside(&walk, err);
	/* A script has secrets in it; an earlier version may have made the directory. */
	if (fd >= 0 && fchmod(fd, 0700) != 0) {
		error_errno(err, ERROR_SYSTEM, "cannot make %s private", state->scripts_dir);
		close(fd);
		return -1;
	}
	return fd;
}

int workspace_remove_scripts(const struct state *state, struct error *err)
{
	const struct walk walk = {
		.state = state, .root = state->base, .path = state->scripts_dir, .leave = 1};
	cleanup_close int parent = -1;
	if (open_if_there(&walk, &parent, err) != 0)
		return -1;
	const char *name = strrchr(state->scripts_dir, '/') + 1;
	if (parent >= 0 && remove_tree(parent, name, -1) != 0 && errno != ENOENT)
		return error_errno(err, ERROR_SYSTEM, "cannot remove %s", state->scripts_dir);
	return 0;
}
