/*
 * Static builds directories: one for each project, whichever number the runner gives its job.
 *
 *   <base>/builds/<short token>/project-<id>        what one project's jobs build in, in turn
 *   <base>/builds/<short token>/project-<id>.job    which of them does: turn.h
 *
 * All of it on the user's side. Where the job does not build in such a directory, the first three
 * have nothing to do, and succeed.
 */
#ifndef JACAMAR_CORE_STATIC_BUILDS_H
#define JACAMAR_CORE_STATIC_BUILDS_H

#include <stdint.h>

#include "core/turn.h"
#include "core/error.h"
#include "core/state.h"

/*
 * For prepare: takes the directory for this job. 1 where it must wait for turn->holder. The caller
 * calls turn_close.
 */
int static_builds_take(const struct state *state, struct turn *turn, struct error *err);

/*
 * For run: keeps the directory while a stage runs, and makes sure that it is still this job's. The
 * caller calls turn_touch and turn_close at the stage's end.
 */
int static_builds_keep(const struct state *state, struct turn *turn, struct error *err);

/* For cleanup: the job is over. */
int static_builds_leave(const struct state *state, struct error *err);

/*
 * For cleanup: removes the directories of this runner's projects that no job has used for
 * static_builds_days; those that are in use stay. It takes no longer than `limit_ms`, and leaves
 * the rest to the next time. *removed gets their number, also after a failure.
 */
int static_builds_clean(const struct state *state, int64_t limit_ms, int *removed,
			struct error *err);

#endif
