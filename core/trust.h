/*
 * Whether nobody but root and this process's account can have had a hand in where a path leads.
 */
#ifndef JACAMAR_CORE_TRUST_H
#define JACAMAR_CORE_TRUST_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/error.h"

/*
 * Follows the absolute `path` to what it leads to, free of links, in new memory. Every directory
 * and every link that is come by must belong to root or to this process's account, and, as what it
 * leads to, not be writable by group or others. `what` is there, for the error's text.
 */
char *trust_resolve(const char *path, const char *what, struct error *err);

/* The first thing on a way that somebody else could change. */
struct trust_fault {
	char entry[PATH_MAX]; /* "" where there is none */
	bool is_link;
	bool is_shared; /* everyone's, like /tmp: not to be taken from them */
	bool foreign;	/* it belongs to `owner`; otherwise others can write it */
	uid_t owner;
};

/* What a way is held against. */
struct trust_terms {
	const char *what; /* it leads to, for the error's text */
	uid_t owner;	  /* who may have a part in it, beside root */
	bool sticky; /* a directory like /tmp is no fault: who may write there exchanges nothing */
	/*
	 * Nor is what belongs to any other account: the site has handed it over. But what such an
	 * account has itself put into a directory like /tmp remains a fault.
	 */
	bool handed;
};

/* The same for who shall be told all about it: *fault is filled in any case. */
char *trust_examine(const char *path, const struct trust_terms *terms, struct trust_fault *fault,
		    struct error *err);

/*
 * A relative path as one that trust_examine takes, in new memory; as it is where nobody knows what
 * it is relative to. NULL without memory.
 */
char *trust_make_absolute(const char *path);

/*
 * Whether nobody else can put another file in the place of the one at `path`, which may be relative
 * and is there; `key` says what it is, for the error's text. A directory like /tmp is no fault.
 */
int trust_check_way(const char *key, const char *path, struct error *err);

/*
 * Opens a file on which the identity of users rests, and which the setting `key` names: root's or
 * this process's account's, and nobody else's to write or to put another in its place. A
 * descriptor, or -1 with *err.
 */
int trust_open(const char *key, const char *path, struct error *err);

#endif
