/*
 * The one directory that root makes for a user: the base of their jobs' directories, where the
 * site keeps it in a directory that is root's. All in it is made by the user.
 */
#ifndef JACAMAR_CORE_ROOT_DIRECTORY_H
#define JACAMAR_CORE_ROOT_DIRECTORY_H

#include "core/error.h"
#include "core/state.h"

/*
 * As root, with CAP_CHOWN in reserve, which is gone afterwards: makes the base and gives it to the
 * user. Nobody but root can write to a directory on the way. One that is there already is left
 * alone: it must be a directory of the user, and no link.
 */
int root_directory_make(const struct state *state, struct error *err);

#endif
