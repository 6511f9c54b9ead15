#include "core/privilege/protected_paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/workspace/workspace.h"

/* Missing in <linux/landlock.h> and <sys/syscall.h> of the oldest platform. */
#ifndef SYS_landlock_add_rule
#define SYS_landlock_add_rule 445 /* on every architecture */
#endif
#ifndef SYS_openat2
#define SYS_openat2 437 /* on every architecture */
#endif
#define RESOLVE_NO_SYMLINKS 0x04
#define RULE_PATH_BENEATH   1
#define EXECUTE		    (UINT64_C(1) << 0)
#define WRITE_FILE	    (UINT64_C(1) << 1)
#define READ_FILE	    (UINT64_C(1) << 2)
#define READ_DIR	    (UINT64_C(1) << 3)
#define TRUNCATE	    (UINT64_C(1) << 14)
#define UP_TO_TRUNCATE	    (2 * TRUNCATE - 1)

/*
 * A rule for a directory also applies to everything below it. READ_DIR is not handled, so a job can
 * list each directory.
 */
const uint64_t PROTECTED_PATHS_RIGHTS = UP_TO_TRUNCATE & ~READ_DIR;

/*
 * The rights that the rule for a file can permit. (Landlock refuses the others if it is not a
 * directory.)
 */
#define FILE_RIGHTS (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE)

/* Limits for the number of directories above protected paths, and of entries in these. */
#define BARRIERS_MOST 256
#define RULES_MOST    100000

/* A file or directory that gets no rule. */
struct barrier {
	struct statx id; /* identifies the file */
	int above;	 /* its descriptor, if it is above a protected path; else -1 */
};

/*
 * An entry of a directory above a protected path that could not be opened. It gets no rule under
 * this name, because a job can change what the user can reach at any moment: chmod(2) needs no
 * right of Landlock.
 */
struct unreached {
	struct statx directory;
	char name[NAME_MAX + 1];
};

struct wall { /* the ruleset that is built, and the barriers in it */
	const struct state *state;
	int ruleset;
	size_t rules;
	size_t count;
	size_t unreached_count;
	struct barrier barriers[BARRIERS_MOST];
	struct unreached unreached[BARRIERS_MOST];
};

static int refuse(const char *what, struct error *err)
{
	return error_set_key(err, "auth.protected_paths", ERROR_SYSTEM,
			     "cannot protect the paths of auth.protected_paths: %s: %s", what,
			     strerror(errno));
}

/* AT_STATX_DONT_SYNC: does not ask a file server, because what the kernel knows is enough. */
static int identify(int fd, struct statx *id)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		     STATX_TYPE | STATX_INO, id);
}

static bool is_same(const struct statx *one, const struct statx *two)
{
	return one->stx_ino == two->stx_ino && one->stx_dev_major == two->stx_dev_major &&
	       one->stx_dev_minor == two->stx_dev_minor;
}

static const struct barrier *find_barrier(const struct wall *wall, const struct statx *id)
{
	for (size_t i = 0; i < wall->count; i++)
		if (is_same(&wall->barriers[i].id, id))
			return &wall->barriers[i];
	return NULL;
}

/* Takes over the descriptor `above`. -1 with errno if there are too many barriers. */
static int add_barrier(struct wall *wall, const struct statx *id, int above)
{
	if (wall->count < BARRIERS_MOST) {
		wall->barriers[wall->count++] = (struct barrier){.id = *id, .above = above};
		return 0;
	}
	if (above >= 0)
		close(above);
	errno = E2BIG;
	return -1;
}

static void remove_barriers(struct wall *wall, size_t kept)
{
	while (wall->count > kept)
		if (wall->barriers[--wall->count].above >= 0)
			close(wall->barriers[wall->count].above);
}

static bool is_unreached(const struct wall *wall, const struct statx *directory, const char *name)
{
	for (size_t i = 0; i < wall->unreached_count; i++)
		if (is_same(&wall->unreached[i].directory, directory) &&
		    strcmp(wall->unreached[i].name, name) == 0)
			return true;
	return false;
}

/* -1 with errno, too, if there are too many. */
static int add_unreached(struct wall *wall, int directory, const char *name)
{
	struct unreached *entry = &wall->unreached[wall->unreached_count];
	errno = E2BIG;
	if (wall->unreached_count == BARRIERS_MOST || strlen(name) >= sizeof(entry->name) ||
	    identify(directory, &entry->directory) != 0)
		return -1;
	memcpy(entry->name, name, strlen(name) + 1);
	wall->unreached_count++;
	return 0;
}

/* Moves the last component of a relative path to `last`. What is left of a single name is ".". */
static void cut_component(char *path, char last[NAME_MAX + 1])
{
	char *slash = strrchr(path, '/');
	snprintf(last, NAME_MAX + 1, "%s", slash != NULL ? slash + 1 : path);
	if (slash != NULL)
		*slash = '\0';
	else
		memcpy(path, ".", sizeof("."));
}

/*
 * Opens `path` or, with `above`, the directory above it. If it does not exist, or the user cannot
 * reach it, opens the deepest directory above it that the user can reach, and sets *exists to
 * false; the next component is an unreached entry then. Symbolic links on the path to the home are
 * followed, because root made that path. After that none is followed: a job could replace it.
 */
static int open_deepest(struct wall *wall, const char *path, bool above, bool *exists,
			struct error *err)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	bool in_home = path[0] == '~';
	cleanup_close int start =
		open(in_home ? wall->state->account.home : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *rest = strdup(strcmp(path, "~") == 0 ? "." : path + (in_home ? 2 : 1));
	char last[NAME_MAX + 1];
	int fd = -1;
	*exists = true;
	if (start < 0 || rest == NULL)
		return refuse(path, err);
	if (above && strcmp(rest, ".") == 0) {
		fd = openat(start, "..", O_PATH | O_CLOEXEC);
	} else {
		if (above)
			cut_component(rest, last);
		/* Every kernel that isolates has this call. */
		while ((fd = (int)syscall(SYS_openat2, start, rest, &how, sizeof(how))) < 0 &&
		       (errno == ENOENT || errno == EACCES) && strcmp(rest, ".") != 0) {
			*exists = false;
			cut_component(rest, last);
		}
	}
	if (fd < 0 && errno == ELOOP)
		return error_set_key(err, "auth.protected_paths", ERROR_SYSTEM,
				     "%s of auth.protected_paths is, or is below, a symbolic link, "
				     "which a job could replace: make it a directory",
				     path);
	if (fd >= 0 && (*exists || add_unreached(wall, fd, last) == 0))
		return fd;
	(void)refuse(path, err);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Adds a barrier for the path itself, if it exists. */
static int protect(struct wall *wall, const char *path, struct error *err)
{
	struct statx id;
	bool exists;
	cleanup_close int fd = open_deepest(wall, path, false, &exists, err);
	if (fd < 0 || !exists)
		return fd < 0 ? -1 : 0;
	return identify(fd, &id) == 0 && add_barrier(wall, &id, -1) == 0 ? 0 : refuse(path, err);
}

/* Adds barriers for all directories above the path, unless one of them is a protected path. */
static int add_above(struct wall *wall, const char *path, struct error *err)
{
	size_t before = wall->count;
	struct statx id;
	struct statx root;
	bool exists;
	int fd = open_deepest(wall, path, true, &exists, err);
	if (fd < 0)
		return -1;
	if (statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_INO, &root) != 0)
		return refuse("/", err);
	while (fd >= 0 && identify(fd, &id) == 0) {
		const struct barrier *known = find_barrier(wall, &id);
		bool is_covered = known != NULL && known->above < 0;
		bool is_last = is_covered || is_same(&id, &root);
		int directory = fd;
		fd = is_last ? -1 : openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (known != NULL)
			close(directory);
		else if (add_barrier(wall, &id, directory) != 0)
			break;
		if (is_covered)
			remove_barriers(wall, before);
		if (is_last)
			return 0;
	}
	if (fd >= 0)
		close(fd);
	return refuse(path, err);
}

static int permit(struct wall *wall, int fd, bool is_directory, struct error *err)
{
	const struct {
		uint64_t allowed;
		int32_t fd;
	} __attribute__((packed)) rule = {is_directory ? PROTECTED_PATHS_RIGHTS : FILE_RIGHTS, fd};
	errno = E2BIG;
	if (wall->rules++ >= RULES_MOST ||
	    syscall(SYS_landlock_add_rule, wall->ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
		return refuse("cannot add a rule", err);
	return 0;
}

/*
 * An entry that cannot be opened or examined gets no rule, so a job cannot use it. A symbolic link
 * needs no rule.
 */
static int permit_entry(struct wall *wall, const struct barrier *directory, const char *name,
			struct error *err)
{
	struct statx id;
	if (is_unreached(wall, &directory->id, name))
		return 0;
	cleanup_close int fd = openat(directory->above, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? refuse(name, err)
									     : 0;
	if (identify(fd, &id) != 0 || S_ISLNK(id.stx_mode) || find_barrier(wall, &id) != NULL)
		return 0;
	return permit(wall, fd, S_ISDIR(id.stx_mode), err);
}

/*
 * If the user can enter a directory but not list it, its entries get no rules, so a job can use
 * none of them, except what the directories further down on the path permit.
 */
static int permit_entries(struct wall *wall, const struct barrier *directory, struct error *err)
{
	cleanup_listing DIR *entries = io_list(directory->above, ".");
	if (entries == NULL)
		return errno == EACCES ? 0 : refuse("cannot list a directory above them", err);
	int result = 0;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(entries);
		if (entry == NULL && errno != 0)
			result = refuse("cannot list a directory above them", err);
		if (entry == NULL || result != 0)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = permit_entry(wall, directory, entry->d_name, err);
	}
	return result;
}

/*
 * Permits the base of the job's directories if it is in the home, because the whole home may be a
 * protected path. No other base is permitted: if data_dir is $NAME, a job can change the value that
 * the next job gets.
 */
static int permit_base(struct wall *wall, const char *path, struct error *err)
{
	struct statx id;
	const char *base = wall->state->base;
	const char *home = wall->state->account.home;
	bool in_home = strncmp(base, home, strlen(home)) == 0 &&
		       strcmp(base + strlen(home), "/" WORKSPACE_HOME_DIRECTORY) == 0;
	cleanup_close int fd = open(base, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	/* In the stage config the base may not exist yet. */
	if (fd < 0 || identify(fd, &id) != 0)
		return 0;
	if (find_barrier(wall, &id) != NULL)
		return error_set_key(err, "auth.protected_paths", ERROR_SYSTEM,
				     "auth.protected_paths has %s, but jobs work in %s", path,
				     base);
	return in_home ? permit(wall, fd, true, err) : 0;
}

static int for_each_path(struct wall *wall,
			 int (*call)(struct wall *wall, const char *path, struct error *err),
			 struct error *err)
{
	const struct string_list *paths = &wall->state->settings.auth.protected_paths;
	for (size_t i = 0; i < paths->count; i++)
		if (call(wall, paths->items[i], err) != 0)
			return -1;
	return 0;
}

static int permit_all_entries(struct wall *wall, struct error *err)
{
	for (size_t i = 0; i < wall->count; i++)
		if (wall->barriers[i].above >= 0 &&
		    permit_entries(wall, &wall->barriers[i], err) != 0)
			return -1;
	return 0;
}

int protected_paths_add_rules(int ruleset, const struct state *state, struct error *err)
{
	cleanup_free struct wall *wall = calloc(1, sizeof(*wall));
	if (wall == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	wall->state = state;
	wall->ruleset = ruleset;
	int result = for_each_path(wall, protect, err) == 0 &&
				     for_each_path(wall, add_above, err) == 0 &&
				     permit_all_entries(wall, err) == 0
			     ? for_each_path(wall, permit_base, err)
			     : -1;
	remove_barriers(wall, 0);
	return result;
}
