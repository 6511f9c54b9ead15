#include "core/lib/secure_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/lib/writers.h"

/* The limit of links in a path, which is the kernel's. */
#define LINKS_MOST 40

/* A path that is being resolved, one component after the other. */
struct walk {
	const char *path; /* as the caller gave it */
	const struct secure_path_terms *terms;
	char done[PATH_MAX]; /* the part that is resolved, without links; "": the root */
	char rest[PATH_MAX]; /* the part that is not resolved yet */
	int links;	     /* followed so far */
	bool faulty;	     /* another account can change an entry; *err names the last such one */
	struct secure_path_fault *first; /* gets the first such one */
};

bool secure_path_others_write(mode_t mode)
{
	return (mode & (S_IWGRP | S_IWOTH)) != 0;
}

/*
 * True if the entry is owned by an account that may not change the path. On the path to the files
 * of a job, that is an account that could create the entry in a directory of another owner.
 */
static bool is_foreign(const struct walk *walk, const struct stat *entry)
{
	struct stat above;
	bool own = entry->st_uid == 0 || entry->st_uid == walk->terms->owner;
	if (own || walk->terms->user == NULL)
		return !own;
	return lstat(walk->done[0] != '\0' ? walk->done : "/", &above) != 0 ||
	       (secure_path_others_write(above.st_mode) && entry->st_uid != above.st_uid);
}

static void explain(const struct walk *walk, const char *entry, const struct stat *found,
		    bool foreign, struct error *err)
{
	const char *what = walk->terms->what;
	unsigned int owner = (unsigned int)found->st_uid;
	if (foreign)
		error_set(err, ERROR_SYSTEM,
			  "%s is owned by uid %u; root must own everything on the path to %s: use "
			  "a directory of root, or run: chown root %s",
			  entry, owner, what, entry);
	else if ((found->st_mode & S_ISVTX) != 0 && S_ISDIR(found->st_mode))
		error_set(err, ERROR_SYSTEM,
			  "%s is writable by group or others; use a directory that only root can "
			  "write",
			  entry);
	else
		error_set(err, ERROR_SYSTEM,
			  "%s is writable by group or others; run: chmod go-w %s", entry, entry);
}

/* Records an entry that another account can change; -1 if the entry does not exist. */
static int check_entry(struct walk *walk, const char *entry, bool *is_link, struct error *err)
{
	struct stat found;
	if (lstat(entry, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot find %s", walk->path);
	*is_link = S_ISLNK(found.st_mode);
	bool foreign = is_foreign(walk, &found);
	bool sticky = S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0;
	bool open = !*is_link && secure_path_others_write(found.st_mode) &&
		    !(sticky && walk->terms->sticky);
	struct error unused;
	if (open && walk->terms->user != NULL)
		open = writers_check(entry, -1, &found, walk->terms->user, &unused) != 0;
	if (!foreign && !open)
		return 0;
	explain(walk, entry, &found, foreign, err);
	if (!walk->faulty) {
		(void)text_copy(walk->first->entry, sizeof(walk->first->entry), entry);
		walk->first->is_link = *is_link;
		walk->first->is_shared = sticky;
		walk->first->foreign = foreign;
		walk->first->owner = found.st_uid;
	}
	walk->faulty = true;
	return 0;
}

/* Puts the link's target before the rest of the path. */
static int follow(struct walk *walk, const char *entry, struct error *err)
{
	char target[PATH_MAX];
	size_t rest = strlen(walk->rest) + 1;
	ssize_t length = readlinkat(AT_FDCWD, entry, target, sizeof(target));
	if (length == 0)
		errno = ENOENT;
	if (length > 0 &&
	    (walk->links++ == LINKS_MOST || (size_t)length + 1 + rest > sizeof(walk->rest))) {
		errno = ELOOP;
		length = -1;
	}
	if (length <= 0)
		return error_errno(err, ERROR_SYSTEM, "cannot find %s", walk->path);
	memmove(walk->rest + length + 1, walk->rest, rest);
	memcpy(walk->rest, target, (size_t)length);
	walk->rest[length] = '/';
	if (target[0] == '/')
		walk->done[0] = '\0';
	return 0;
}

/* Resolves the next component. */
static int step(struct walk *walk, struct error *err)
{
	char entry[PATH_MAX];
	bool is_link = false;
	size_t skip = strspn(walk->rest, "/");
	size_t length = strcspn(walk->rest + skip, "/");
	const char *name = walk->rest + skip;
	int size = snprintf(entry, sizeof(entry), "%s/%.*s", walk->done, (int)length, name);
	bool stay = length == 0 || (length == 1 && name[0] == '.');
	bool back = length == 2 && strncmp(name, "..", 2) == 0;

	if (size >= (int)sizeof(entry)) {
		errno = ENAMETOOLONG;
		return error_errno(err, ERROR_SYSTEM, "cannot find %s", walk->path);
	}
	memmove(walk->rest, name + length, strlen(name + length) + 1);
	if (back && walk->done[0] != '\0')
		*strrchr(walk->done, '/') = '\0';
	if (stay || back)
		return 0;
	if (check_entry(walk, entry, &is_link, err) != 0)
		return -1;
	if (is_link)
		return follow(walk, entry, err);
	memcpy(walk->done, entry, (size_t)size + 1);
	return 0;
}

char *secure_path_examine(const char *path, const struct secure_path_terms *terms,
			  struct secure_path_fault *fault, struct error *err)
{
	struct walk walk = {.path = path, .terms = terms, .first = fault};
	bool is_link;
	*fault = (struct secure_path_fault){.entry = ""};
	if (path[0] != '/' || strlen(path) >= sizeof(walk.rest)) {
		error_set(err, ERROR_SYSTEM, "the path %s is not absolute", path);
		return NULL;
	}
	memcpy(walk.rest, path, strlen(path) + 1);
	if (check_entry(&walk, "/", &is_link, err) != 0)
		return NULL;
	while (walk.rest[0] != '\0')
		if (step(&walk, err) != 0)
			return NULL;
	if (walk.faulty)
		return NULL;
	char *resolved = strdup(walk.done[0] != '\0' ? walk.done : "/");
	if (resolved == NULL)
		error_set(err, ERROR_SYSTEM, "out of memory");
	return resolved;
}

char *secure_path_resolve(const char *path, const char *what, struct error *err)
{
	struct secure_path_fault fault;
	struct error why = {.kind = ERROR_SYSTEM, .detail = ""};
	const struct secure_path_terms terms = {.what = what, .owner = geteuid()};
	char *resolved = secure_path_examine(path, &terms, &fault, &why);
	if (resolved == NULL)
		error_set_key(err, what, why.kind, "%s", why.detail);
	return resolved;
}

char *secure_path_make_absolute(const char *path)
{
	cleanup_free char *here = path[0] != '/' ? get_current_dir_name() : NULL;
	return here != NULL ? text_format("%s/%s", here, path) : strdup(path);
}

int secure_path_check(const char *key, const char *path, struct error *err)
{
	struct secure_path_fault fault;
	struct error why = {.kind = ERROR_SYSTEM, .detail = ""};
	const struct secure_path_terms terms = {.what = key, .owner = geteuid(), .sticky = true};
	cleanup_free char *whole = secure_path_make_absolute(path);
	if (whole == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cleanup_free char *found = secure_path_examine(whole, &terms, &fault, &why);
	return found != NULL
		       ? 0
		       : error_set_key(err, key, why.kind, "%s %s: %s", key, path, why.detail);
}

int secure_path_open(const char *key, const char *path, struct error *err)
{
	struct stat found;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set_key(err, key, ERROR_SYSTEM, "cannot open %s %s: %s", key, path,
				     strerror(errno));
	bool sound = fstat(fd, &found) == 0 && S_ISREG(found.st_mode) &&
		     (found.st_uid == 0 || found.st_uid == geteuid()) &&
		     !secure_path_others_write(found.st_mode);
	if (sound && secure_path_check(key, path, err) == 0)
		return fd;
	close(fd);
	return sound ? -1
		     : error_set_key(err, key, ERROR_SYSTEM,
				     "%s %s must be a regular file that root or the service "
				     "account owns and others cannot write; run: chown root %s; "
				     "chmod go-w,a+r %s",
				     key, path, path, path);
}
