/*
 * How a stage begins and ends towards the outside: the job's log, the audit log, the runner's exit
 * codes. `job` is what is known of the job, by config or from it; its `logging` says where records
 * go.
 */
#ifndef JACAMAR_APPLETS_OUTCOME_H
#define JACAMAR_APPLETS_OUTCOME_H

#include "applets/applet.h"
#include "core/state.h"

/* Each line of `lines` to the job's log. */
void outcome_say_lines(const struct invocation *call, const char *lines);

/* Records that a stage begins. -1 where its end could not be recorded, as far as one can tell. */
int outcome_begin(const struct invocation *call, const struct state *job, struct error *err);

/*
 * The ends of a stage. Each returns the exit code for the runner: that of a system failure also
 * where the end cannot be recorded.
 *
 * A failure: all of it is said in the job's log, but for a refusal without -u, which is said
 * neutrally there, and in full to the audit log.
 */
int outcome_failure(const struct invocation *call, const struct state *job,
		    const struct error *err);

/*
 * config lets the job run: its answer to the runner is one JSON object, and nothing else, on
 * standard output.
 */
int outcome_allow(const struct invocation *call, const struct state *job);

/* The user's side has ended by itself; a script's own code goes to BUILD_EXIT_CODE_FILE. */
int outcome_end(const struct invocation *call, const struct state *job, int exit_code);

/* A sub-stage that the site does not run; its job goes on. */
int outcome_skip(const struct invocation *call, const struct state *job);

/* What is for the site's staff to know, while the stage goes on; "": nothing. */
int outcome_warn(const struct invocation *call, const struct state *job, const char *warning,
		 struct error *err);

#endif
