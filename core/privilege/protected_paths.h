/*
 * auth.protected_paths: files and directories that a job of a ref that is not protected cannot
 * use. Landlock can only permit, so every entry of every directory above such a path gets a rule,
 * except the path itself and those directories.
 *
 * Therefore a job can create, remove and rename nothing directly in a directory above a protected
 * path, such as the home. This is needed, too: otherwise a job could rename a protected path, and
 * the next sub-stage would permit it under the new name.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_PROTECTED_PATHS_H
#define JACAMAR_CORE_PRIVILEGE_PROTECTED_PATHS_H

#include <stdint.h>

#include "core/lib/error.h"
#include "core/protocol/state.h"

/* LANDLOCK_ACCESS_FS_...: which rights a ruleset with such rules must handle. */
extern const uint64_t PROTECTED_PATHS_RIGHTS;

/*
 * As the user: adds the rules to a Landlock ruleset. The job's directories in the home are
 * permitted, even if the home is a protected path.
 */
int protected_paths_add_rules(int ruleset, const struct state *state, struct error *err);

#endif
