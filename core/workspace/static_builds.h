/*
 * Static builds directories: one for each project, independent of the number of the job.
 *
 *   <base>/builds/<short token>/project-<id>
 *
 * Jobs build in it one at a time: builds_lock.h.
 *
 * This file also removes old builds: static builds directories, and the projects' directories in
 * others:
 *
 *   <base>/builds/<short token>/<number>/<group>/<project>
 *
 * Only a project with a mark (BUILDS_LOCK_USED) is known there, and is removed with the runner's
 * <project>.tmp.
 */
#ifndef JACAMAR_CORE_WORKSPACE_STATIC_BUILDS_H
#define JACAMAR_CORE_WORKSPACE_STATIC_BUILDS_H

#include <stdint.h>

#include "core/lib/error.h"
#include "core/protocol/state.h"

/*
 * For cleanup, as the user: removes the directories of this runner's projects that no job has used
 * for static_builds_days and that are not locked. It stops after `limit_ms`; the next job's cleanup
 * does the rest. *removed is their number, also after a failure. Does nothing if static_builds_days
 * is 0, as it is if the site keeps all builds.
 */
int static_builds_clean(const struct state *state, int64_t limit_ms, int *removed,
			struct error *err);

#endif
