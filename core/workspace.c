#include "core/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"
#include "core/tree.h"

#define HOME_DIRECTORY ".jacamar-ci"

static bool means_home(const char *data_dir)
{
	return strcmp(data_dir, "$HOME") == 0 || strcmp(data_dir, "~") == 0;
}

bool workspace_needs_shell(const char *data_dir)
{
	return data_dir[0] == '$' && !means_home(data_dir);
}

/* True where one of the path's components is "..". */
static bool climbs(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2)
		if ((at == path || at[-1] == '/') && (at[2] == '\0' || at[2] == '/'))
			return true;
	return false;
}

/* For paths that the user or the job's author has chosen. */
static bool is_fit(const char *path)
{
	return path[0] == '/' && text_is_printable(path) && !climbs(path) &&
	       strlen(path) < ACCOUNT_PATH_SIZE;
}

int workspace_check_resolved(const char *data_dir, const char *resolved, struct error *err)
{
	if (is_fit(resolved))
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "general.data_dir %s is '%.200s' in the user's login shell; it must be an "
			 "absolute, printable path without '..'",
			 data_dir, resolved);
}

int workspace_check_names(const struct workspace_names *names, struct error *err)
{
	if (names->short_token == NULL || !text_is_component(names->short_token, 64))
		return error_set(
			err, ERROR_SYSTEM,
			"CI_RUNNER_SHORT_TOKEN is missing or cannot be a directory's name");
	if (names->concurrent == NULL || !text_is_made_of(names->concurrent, TEXT_DIGIT, 6))
		return error_set(
			err, ERROR_SYSTEM,
			"CI_CONCURRENT_PROJECT_ID is missing or not a number of up to 6 digits");
	if (names->static_builds && names->project_id == 0)
		return error_set(
			err, ERROR_SYSTEM,
			"neither the id token nor the job response has the project's id, which "
			"general.static_builds_dir needs");
	const char *custom = names->custom_builds;
	if (custom != NULL && (!is_fit(custom) || custom[strspn(custom, "/")] == '\0'))
		return error_set(
			err, ERROR_SYSTEM,
			"CUSTOM_CI_BUILDS_DIR is '%.200s'; it must be an absolute, printable "
			"path without '..', of less than %d bytes",
			custom, ACCOUNT_PATH_SIZE);
	return 0;
}

/* In new memory, without slashes at its end. */
static char *trim(const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	return strndup(path, length);
}

/* In new memory; NULL without. */
static char *plan_builds(struct workspace *workspace, const struct workspace_names *names,
			 uint64_t concurrent)
{
	if (names->custom_builds == NULL && names->static_builds)
		return text_format("%s/builds/%s/" WORKSPACE_PROJECT "%" PRIu64, workspace->base,
				   names->short_token, names->project_id);
	if (names->custom_builds == NULL)
		return text_format("%s/builds/%s/%03" PRIu64, workspace->base, names->short_token,
				   concurrent);
	workspace->custom_builds = trim(names->custom_builds);
	if (workspace->custom_builds == NULL)
		return NULL;
	return text_format("%s/%s/%03" PRIu64, workspace->custom_builds, names->short_token,
			   concurrent);
}

int workspace_plan(const char *data_dir, const struct account *account,
		   const struct workspace_names *names, struct workspace *workspace,
		   struct error *err)
{
	bool home = means_home(data_dir);
	memset(workspace, 0, sizeof(*workspace));
	if (home && (account->home[0] != '/' || !text_is_printable(account->home)))
		return error_set(err, ERROR_SYSTEM, "account %s has no absolute home directory",
				 account->name);
	struct stat found;
	/* A home that only its owner can reach is for the user's side to find out about. */
	bool missing =
		home && (stat(account->home, &found) != 0 ? errno == ENOENT || errno == ENOTDIR
							  : !S_ISDIR(found.st_mode));
	if (missing)
		return error_set(err, ERROR_SYSTEM,
				 "the home directory %s of %s does not exist: make it, or set "
				 "general.data_dir to another place",
				 account->home, account->name);

	uint64_t concurrent = 0;
	(void)text_to_u64(names->concurrent, &concurrent); /* 1 to 6 digits, as checked */
	const char *base = home ? account->home : data_dir;
	workspace->base = text_format("%s/%s", strcmp(base, "/") == 0 ? "" : base,
				      home ? HOME_DIRECTORY : account->name);
	if (workspace->base == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	workspace->builds_dir = plan_builds(workspace, names, concurrent);
	workspace->cache_dir = text_format("%s/cache", workspace->base);
	workspace->scripts_dir =
		text_format("%s/scripts/%s/%03" PRIu64 "/%s/%" PRIu64, workspace->base,
			    names->short_token, concurrent, names->project_path, names->job_id);
	if (workspace->builds_dir == NULL || workspace->cache_dir == NULL ||
	    workspace->scripts_dir == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	return 0;
}

void workspace_free(struct workspace *workspace)
{
	free(workspace->base);
	free(workspace->custom_builds);
	free(workspace->builds_dir);
	free(workspace->cache_dir);
	free(workspace->scripts_dir);
	memset(workspace, 0, sizeof(*workspace));
}

/* One way down, from a directory that must be the user's own. */
struct walk {
	const char *root; /* that directory */
	const char *path; /* in it, or the same */
	bool make_way;	  /* what is missing above the root, too */
	bool make;	  /* what is missing */
	mode_t mode;	  /* of what is made */
};

static int check_directory(const struct walk *walk, int fd, const char *name, bool made,
			   struct error *err)
{
	struct stat found;
	if (fstat(fd, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look at %s of %s", name, walk->path);
	/* Not left to mkdir(2) and the umask; what the parent hands on of its group stays. */
	if (made && fchmod(fd, walk->mode | (found.st_mode & S_ISGID)) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set the mode of %s of %s", name,
				   walk->path);
	if (found.st_uid != geteuid())
		return error_set(err, ERROR_SYSTEM,
				 "'%s' in %s belongs to another account (uid %u); move it away, or "
				 "have root chown it",
				 name, walk->path, (unsigned int)found.st_uid);
	if ((found.st_mode & 022) != 0)
		return error_set(err, ERROR_SYSTEM,
				 "'%s' in %s can be written by others; run: chmod go-w", name,
				 walk->path);
	return 0;
}

/* Where a base cannot be made that is not in the user's home, the site has to do something. */
#define FOR_SITE                                                                             \
	" (general.data_dir: the site must let users make directories there, or make them: " \
	"auth.root_dir_creation)"

static bool is_in_data_dir(const struct walk *walk)
{
	return !walk->make_way && strcmp(strrchr(walk->root, '/') + 1, HOME_DIRECTORY) != 0;
}

static bool is_for_site(const struct walk *walk, const char *name)
{
	return is_in_data_dir(walk) && (errno == EACCES || errno == EPERM || errno == EROFS) &&
	       strcmp(strrchr(walk->root, '/') + 1, name) == 0;
}

/* Goes one component down. Closes `at`. */
static int step(const struct walk *walk, int at, const char *name, struct error *err)
{
	cleanup_close int parent = at;
	bool made = walk->make && mkdirat(parent, name, 0700) == 0;
	if (walk->make && !made && errno != EEXIST)
		return error_errno(err, ERROR_SYSTEM, "cannot make '%s' of %s%s", name, walk->path,
				   is_for_site(walk, name) ? FOR_SITE : "");
	int next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			return error_set(err, ERROR_SYSTEM,
					 "'%s' in %s is a link or a file, not a directory", name,
					 walk->path);
		return error_errno(err, ERROR_SYSTEM, "cannot open '%s' of %s", name, walk->path);
	}
	if (check_directory(walk, next, name, made, err) != 0) {
		close(next);
		return -1;
	}
	return next;
}

char *workspace_examine_way(const char *path, uid_t user, struct trust_fault *fault,
			    struct error *err)
{
	const struct trust_terms terms = {
		.what = "the job's files", .owner = user, .sticky = true, .handed = true};
	return trust_examine(path, &terms, fault, err);
}

static int check_above(const char *above, struct error *err)
{
	struct trust_fault fault;
	cleanup_free char *found = workspace_examine_way(above, geteuid(), &fault, err);
	return found != NULL ? 0 : -1;
}

/*
 * Opens what is above the root: the site's own, which may hold links. Where not all of it is there
 * and may be made, the lowest that is; *length gets how much of the path that is.
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
		if (fd >= 0 && check_above(above, err) == 0)
			return fd;
		if (fd >= 0) {
			close(fd);
			return -1;
		}
		if (errno != ENOENT || !walk->make_way || slash == above)
			return error_errno(err, ERROR_SYSTEM, "cannot open %s%s", above,
					   is_in_data_dir(walk) ? " (general.data_dir: it must be "
								  "there, and let users in)"
								: "");
		slash[0] = '\0';
	}
}

/* Opens the path; everything from the root on is checked. The last `leave` components stay out. */
static int open_inside(const struct walk *walk, int leave, struct error *err)
{
	size_t root_length = strlen(walk->root);
	if (strncmp(walk->path, walk->root, root_length) != 0 ||
	    (walk->path[root_length] != '\0' && walk->path[root_length] != '/'))
		return error_set(err, ERROR_SYSTEM, "%s is not in %s", walk->path, walk->root);

	size_t above_length = 0;
	int at = open_above(walk, &above_length, err);
	if (at < 0)
		return -1;
	cleanup_free char *rest = strdup(walk->path + above_length);
	if (rest == NULL) {
		close(at);
		return error_set(err, ERROR_SYSTEM, "out of memory");
	}
	for (; leave > 0; leave--) {
		char *slash = strrchr(rest, '/');
		if (slash != NULL)
			*slash = '\0';
	}
	char *next = rest;
	for (char *name; at >= 0 && (name = strsep(&next, "/")) != NULL;) {
		if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0) {
			close(at);
			return error_set(err, ERROR_SYSTEM, "%s has a '%s'", walk->path, name);
		}
		if (name[0] != '\0')
			at = step(walk, at, name, err);
	}
	return at;
}

/* Of what holds no scripts: they have the job's secrets. */
static mode_t shared_mode(const struct state *state)
{
	return state->group_permissions ? 0750 : 0700;
}

int workspace_make(const struct state *state, struct error *err)
{
	/* The base is made before the scripts. */
	mode_t shared = shared_mode(state);
	bool custom = state->custom_builds != NULL;
	const struct walk walks[] = {
		{.root = custom ? state->custom_builds : state->base,
		 .path = state->builds_dir,
		 .make_way = custom,
		 .make = true,
		 .mode = shared},
		{.root = state->base, .path = state->cache_dir, .make = true, .mode = shared},
		{.root = state->base, .path = state->scripts_dir, .make = true, .mode = 0700},
	};
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		cleanup_close int fd = open_inside(&walks[i], 0, err);
		if (fd < 0)
			return -1;
	}
	return 0;
}

int workspace_open_runner_builds(const struct state *state, bool make, int *fd, struct error *err)
{
	struct stat found;
	cleanup_free char *path = text_format("%s/builds/%s", state->base, state->short_token);
	*fd = -1;
	if (path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (!make && lstat(path, &found) != 0 && errno == ENOENT)
		return 0;
	struct walk walk = {
		.root = state->base, .path = path, .make = make, .mode = shared_mode(state)};
	*fd = open_inside(&walk, 0, err);
	return *fd < 0 ? -1 : 0;
}

int workspace_open_scripts(const struct state *state, struct error *err)
{
	struct walk walk = {
		.root = state->base, .path = state->scripts_dir, .make = true, .mode = 0700};
	int fd = open_inside(&walk, 0, err);
	/* A script holds the job's secrets; the directory may be older than this program. */
	if (fd >= 0 && fchmod(fd, 0700) != 0) {
		error_errno(err, ERROR_SYSTEM, "cannot make %s private", state->scripts_dir);
		close(fd);
		return -1;
	}
	return fd;
}

int workspace_remove_scripts(const struct state *state, struct error *err)
{
	struct walk walk = {.root = state->base, .path = state->scripts_dir};
	struct stat found;
	/* Where prepare never came to make it, there is nothing to remove. */
	if (lstat(state->scripts_dir, &found) != 0 && errno == ENOENT)
		return 0;
	cleanup_close int parent = open_inside(&walk, 1, err);
	if (parent < 0)
		return -1;
	const char *name = strrchr(state->scripts_dir, '/') + 1;
	if (tree_remove(parent, name, -1) != 0 && errno != ENOENT)
		return error_errno(err, ERROR_SYSTEM, "cannot remove %s", state->scripts_dir);
	return 0;
}
