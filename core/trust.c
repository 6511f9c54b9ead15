#include "core/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"

/* As many as the kernel follows. */
#define LINKS_MOST 40

/* A path on its way: what it has come to, free of links, and what is still before it. */
struct walk {
	const char *path; /* the whole of it, as it was spelled */
	const struct trust_terms *terms;
	char done[PATH_MAX]; /* "" is the root */
	char rest[PATH_MAX];
	int links;
	bool faulty; /* something on the way is somebody else's; *err names the last of it */
	struct trust_fault *first;
};

static void note_first(struct walk *walk, const char *entry, bool foreign, const struct stat *found)
{
	if (walk->faulty)
		return;
	snprintf(walk->first->entry, sizeof(walk->first->entry), "%s", entry);
	walk->first->is_link = S_ISLNK(found->st_mode);
	walk->first->is_shared = S_ISDIR(found->st_mode) && (found->st_mode & S_ISVTX) != 0;
	walk->first->foreign = foreign;
	walk->first->owner = found->st_uid;
}

static bool others_write(const struct stat *found)
{
	return (found->st_mode & 022) != 0;
}

/*
 * Whether the entry belongs to somebody who has no part in the way. Handed over is what lies where
 * its directory's owner alone can have put it.
 */
static bool is_foreign(const struct walk *walk, const struct stat *entry)
{
	struct stat above;
	bool own = entry->st_uid == 0 || entry->st_uid == walk->terms->owner;
	if (own || !walk->terms->handed)
		return !own;
	return lstat(walk->done[0] != '\0' ? walk->done : "/", &above) != 0 ||
	       (others_write(&above) && entry->st_uid != above.st_uid);
}

/* Notes where others than root and the owner can change the entry; -1 where it is not there. */
static int look_at(struct walk *walk, const char *entry, bool *is_link, struct error *err)
{
	struct stat found;
	if (lstat(entry, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot find %s", walk->path);
	*is_link = S_ISLNK(found.st_mode);
	bool foreign = is_foreign(walk, &found);
	bool sticky = S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0;
	bool open = !*is_link && others_write(&found) && !(sticky && walk->terms->sticky);
	if (foreign && walk->terms->handed)
		error_set(err, ERROR_SYSTEM,
			  "%s belongs to uid %u, and lies where others can make what they like: "
			  "use a place that the site has made",
			  entry, (unsigned int)found.st_uid);
	else if (foreign)
		error_set(err, ERROR_SYSTEM,
			  "%s belongs to uid %u; on the way to %s, all must belong to root: use "
			  "a place of root's, or run: chown root %s",
			  entry, (unsigned int)found.st_uid, walk->terms->what, entry);
	else if (open && sticky)
		error_set(err, ERROR_SYSTEM,
			  "%s can be written by others; use a place in which root alone writes",
			  entry);
	else if (open && walk->terms->handed)
		error_set(err, ERROR_SYSTEM,
			  "%s can be written by others without the sticky bit: they could exchange "
			  "%s; run: chmod +t %s",
			  entry, walk->terms->what, entry);
	else if (open)
		error_set(err, ERROR_SYSTEM, "%s can be written by others; run: chmod go-w %s",
			  entry, entry);
	if (foreign || open)
		note_first(walk, entry, foreign, &found);
	walk->faulty = walk->faulty || foreign || open;
	return 0;
}

/* Puts what the link says in its place; what it says goes on from where it lies. */
static int follow(struct walk *walk, const char *entry, struct error *err)
{
	char target[PATH_MAX];
	char rest[PATH_MAX];
	ssize_t length = readlink(entry, target, sizeof(target) - 1);
	if (length > 0)
		target[length] = '\0';
	else
		errno = length < 0 ? errno : ENOENT;
	memcpy(rest, walk->rest, sizeof(rest));
	if (length > 0 &&
	    (walk->links++ == LINKS_MOST || snprintf(walk->rest, sizeof(walk->rest), "%s/%s",
						     target, rest) >= (int)sizeof(walk->rest))) {
		errno = ELOOP;
		length = -1;
	}
	if (length <= 0)
		return error_errno(err, ERROR_SYSTEM, "cannot find %s", walk->path);
	if (target[0] == '/')
		walk->done[0] = '\0';
	return 0;
}

/* Goes one component on. */
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
	if (look_at(walk, entry, &is_link, err) != 0)
		return -1;
	if (is_link)
		return follow(walk, entry, err);
	memcpy(walk->done, entry, (size_t)size + 1);
	return 0;
}

char *trust_examine(const char *path, const struct trust_terms *terms, struct trust_fault *fault,
		    struct error *err)
{
	struct walk walk = {.path = path, .terms = terms, .first = fault};
	bool is_link;
	*fault = (struct trust_fault){.entry = ""};
	if (path[0] != '/' || strlen(path) >= sizeof(walk.rest)) {
		error_set(err, ERROR_SYSTEM, "the path %s is not absolute", path);
		return NULL;
	}
	memcpy(walk.rest, path, strlen(path) + 1);
	if (look_at(&walk, "/", &is_link, err) != 0)
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

char *trust_resolve(const char *path, const char *what, struct error *err)
{
	struct trust_fault fault;
	const struct trust_terms terms = {.what = what, .owner = geteuid()};
	return trust_examine(path, &terms, &fault, err);
}

char *trust_make_absolute(const char *path)
{
	cleanup_free char *here = path[0] != '/' ? get_current_dir_name() : NULL;
	return here != NULL ? text_format("%s/%s", here, path) : strdup(path);
}

int trust_check_way(const char *key, const char *path, struct error *err)
{
	struct trust_fault fault;
	struct error why = {.kind = ERROR_SYSTEM, .detail = ""};
	const struct trust_terms terms = {.what = key, .owner = geteuid(), .sticky = true};
	cleanup_free char *whole = trust_make_absolute(path);
	if (whole == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cleanup_free char *found = trust_examine(whole, &terms, &fault, &why);
	return found != NULL ? 0 : error_set(err, why.kind, "%s %s: %s", key, path, why.detail);
}

int trust_open(const char *key, const char *path, struct error *err)
{
	struct stat found;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open %s %s", key, path);
	if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) &&
	    (found.st_uid == 0 || found.st_uid == geteuid()) && !others_write(&found)) {
		if (trust_check_way(key, path, err) == 0)
			return fd;
		close(fd);
		return -1;
	}
	close(fd);
	return error_set(err, ERROR_SYSTEM,
			 "%s %s must be a file of root or of the service account that nobody else "
			 "can write; run: chown root %s; chmod go-w,a+r %s",
			 key, path, path, path);
}
