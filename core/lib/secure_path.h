/*
 * Paths that only trusted accounts can change: root and, in most cases, this process's account.
 */
#ifndef JACAMAR_CORE_LIB_SECURE_PATH_H
#define JACAMAR_CORE_LIB_SECURE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/lib/account.h"
#include "core/lib/error.h"

/* True if the group or everyone may write to a file of that mode. */
bool secure_path_others_write(mode_t mode);

/*
 * Resolves the absolute `path` to a path without links, in new memory. Every directory, link and
 * file on it must be owned by root or by this process's account, and not be writable by group or
 * others. `what` names the file or directory in errors.
 */
char *secure_path_resolve(const char *path, const char *what, struct error *err);

/* The first entry of a path that another account can change. */
struct secure_path_fault {
	char entry[PATH_MAX]; /* "": none */
	bool is_link;
	bool is_shared; /* a directory with the sticky bit, like /tmp */
	bool foreign;	/* `owner` can change it; otherwise group or others can write it */
	uid_t owner;
};

/* What secure_path_examine accepts. */
struct secure_path_terms {
	const char *what; /* the file or directory, for errors */
	uid_t owner;	  /* may own entries of the path, as root may */
	bool sticky; /* accept a directory like /tmp: others who can write there replace nothing */
	/*
	 * The user of a job; NULL: the path is not to a job's files. Entries of any other account
	 * are accepted, because the site has handed them over; but not what such an account has
	 * created itself in a directory like /tmp. A directory may be writable by a group that no
	 * other account is in.
	 */
	const struct account *user;
};

/* secure_path_resolve with other terms; also fills in *fault. */
char *secure_path_examine(const char *path, const struct secure_path_terms *terms,
			  struct secure_path_fault *fault, struct error *err);

/*
 * Makes a relative path absolute, in new memory. If the working directory is not known, the path
 * stays as it is. NULL: out of memory.
 */
char *secure_path_make_absolute(const char *path);

/*
 * Checks that nobody else can replace the existing file `path`, which may be relative; `key` names
 * it in errors. A directory like /tmp is accepted.
 */
int secure_path_check(const char *key, const char *path, struct error *err);

/*
 * Opens a file that decides who a job's user is; the setting `key` names it. Only root and this
 * process's account may be able to write or replace it. Returns a descriptor, or -1 with *err.
 */
int secure_path_open(const char *key, const char *path, struct error *err);

#endif
