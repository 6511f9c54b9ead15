/*
 * How a stage reports its beginning and its end: in the job's log, in the audit log, and to the
 * runner by its exit code. `job` is what is known of the job; its settings say where records go.
 */
#ifndef JACAMAR_APPLETS_OUTCOME_H
#define JACAMAR_APPLETS_OUTCOME_H

#include "applets/applet.h"
#include "core/protocol/state.h"

/* Writes each line of `lines` to the job's log. */
void outcome_say_lines(const struct invocation *call, const char *lines);

/* Records that a stage begins; fails if the audit log does not work, so that its end is recorded.
 */
int outcome_begin(const struct invocation *call, const struct state *job, struct error *err);

/*
 * The ends of a stage. Each returns the exit code for the runner. If the end cannot be recorded,
 * that is the code of a system failure.
 *
 * A failure is reported in the job's log. For a refusal, the line there has a reference, whom to
 * ask, and the error's notice (with -u its detail); the reason is in the audit log. A fault of the
 * site's setup is reported in the same way, without a notice. If config refuses a job, that is a
 * build failure: then the runner does not call config again.
 */
int outcome_failure(const struct invocation *call, const struct state *job,
		    const struct error *err);

/*
 * config lets the job run: writes its answer to the runner, one JSON object, and nothing else, to
 * standard output.
 */
int outcome_allow(const struct invocation *call, const struct state *job);

/* The user's side has ended normally; a script's own code goes to BUILD_EXIT_CODE_FILE. */
int outcome_end(const struct invocation *call, const struct state *job, int exit_code);

/* The site does not run this sub-stage; the job continues. */
int outcome_skip(const struct invocation *call, const struct state *job);

/* A warning for the administrator; the stage continues. "": none. */
int outcome_warn(const struct invocation *call, const struct state *job, const char *warning,
		 struct error *err);

#endif
