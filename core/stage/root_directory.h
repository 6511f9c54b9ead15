/*
 * The only directory that root makes for a user: the base of the user's jobs, in a directory that
 * only root can write. The user's side makes everything below it.
 */
#ifndef JACAMAR_CORE_STAGE_ROOT_DIRECTORY_H
#define JACAMAR_CORE_STAGE_ROOT_DIRECTORY_H

#include "core/lib/error.h"
#include "core/protocol/state.h"

/*
 * As root, with CAP_CHOWN in reserve, which is given up: makes the base and gives it to the user.
 * Only root may be able to write to the directories above it. A base that exists is not changed; it
 * must be a directory of the user, and not a link.
 */
int root_directory_make(const struct state *state, struct error *err);

#endif
