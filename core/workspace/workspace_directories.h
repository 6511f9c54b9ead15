/*
 * A job's directories, as workspace.h plans them, on the user's side: makes, opens and removes
 * them (checked_walk.h). Every component of a path, from the base (or the job's custom builds
 * directory) on, must be a directory of the user, not a link, and not writable by another account
 * (writers.h). Above that, other accounts must not be able to replace a directory.
 *
 * The base itself may be a link of the user, to a directory for which the same holds: people move
 * ~/.jacamar-ci to a larger file system.
 */
#ifndef JACAMAR_CORE_WORKSPACE_WORKSPACE_DIRECTORIES_H
#define JACAMAR_CORE_WORKSPACE_WORKSPACE_DIRECTORIES_H

#include <stdbool.h>

#include "core/lib/error.h"
#include "core/protocol/state.h"

/*
 * Makes the directories, or checks that they are the user's own. New directories are private; with
 * group_permissions the user's group may read those of builds and cache, and those above them.
 */
int workspace_make(const struct state *state, struct error *err);

/*
 * Opens the directory above the job's builds directory; with `make` it is made if it is missing.
 * Otherwise *fd is -1 if it is missing.
 */
int workspace_open_above_builds(const struct state *state, bool make, int *fd, struct error *err);

/* Opens <base>/builds/<short token>. *fd is -1 if it is missing. */
int workspace_open_runner_builds(const struct state *state, int *fd, struct error *err);

/*
 * Opens `path`, a private directory in the base; with `make` it is made if it is missing. Otherwise
 * *fd is -1 if it is missing.
 */
int workspace_open_private(const struct state *state, const char *path, bool make, int *fd,
			   struct error *err);

/* Opens the scripts directory; it is made if it is missing. Returns the descriptor or -1. */
int workspace_open_scripts(const struct state *state, struct error *err);

/* Removes the scripts directory with its contents, if it exists. */
int workspace_remove_scripts(const struct state *state, struct error *err);

#endif
