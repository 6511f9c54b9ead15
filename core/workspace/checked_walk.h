/*
 * Opens a directory of a job, component by component. From the root of the walk on, each must be
 * the user's own, and no other account may be able to change it or what is above the root. The
 * errors say what the job's author, or the site, has to do about it.
 */
#ifndef JACAMAR_CORE_WORKSPACE_CHECKED_WALK_H
#define JACAMAR_CORE_WORKSPACE_CHECKED_WALK_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/lib/account.h"
#include "core/lib/error.h"
#include "core/lib/secure_path.h"
#include "core/protocol/state.h"

/* A path to follow, which must be the user's own from `root` on. */
struct checked_walk {
	const struct state *state;
	const char *link; /* the user's link that has led to the root; NULL: none */
	const char *root;
	const char *path; /* below the root, or the same */
	int leave;	  /* how many of its last components are not opened */
	bool custom; /* the root is the author's choice; it and what is above it are made, too */
	bool make;   /* make missing directories */
	mode_t mode; /* of new directories */
};

/* Opens the path; the root may be a link of the user. Returns a descriptor, or -1. */
int checked_walk_open(const struct checked_walk *walk, struct error *err);

/* The same, but a path that does not exist is no error: 0, and *fd is -1. */
int checked_walk_open_existing(const struct checked_walk *walk, int *fd, struct error *err);

/*
 * Examines the path of a directory above a job's files, as secure_path_examine does: an account
 * that can rename entries of one of its directories could replace the job's files after each check.
 * `user` is the account of the job.
 */
char *checked_walk_examine_above(const char *path, const struct account *user,
				 struct secure_path_fault *fault, struct error *err);

/*
 * If the base is a link of the user: the directory to which it leads, as a path without links, in
 * new memory.
 *
 * NULL with an empty *err if the base is no such link. NULL with *fault and *err, as from
 * checked_walk_examine_above, if an account other than the user could replace the directory.
 */
char *checked_walk_follow_base(const char *base, const struct account *user,
			       struct secure_path_fault *fault, struct error *err);

#endif
