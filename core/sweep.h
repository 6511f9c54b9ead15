/*
 * Killing what is left of a stage's processes, from the service's side. It may not signal another
 * account's processes, and may not even see them, so somebody else does it: this process itself,
 * as the user for a while, or a helper that sudo starts.
 */
#ifndef JACAMAR_CORE_SWEEP_H
#define JACAMAR_CORE_SWEEP_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/session.h"

/*
 * False where some process is left. `child` is the session's, -1 where it has been reaped;
 * `user_side` the pid that came over the channel, 0 where none did. Capabilities are given up.
 *
 * A helper has the user's uid alone: a process of the user that kills all it may, again and again,
 * is not ended by it.
 */
bool sweep_processes(const struct session *session, pid_t child, pid_t user_side);

#endif
