/*
 * How a stage ends towards the outside: the job's log, the audit log, the runner's exit codes.
 */
#ifndef JACAMAR_APPLETS_OUTCOME_H
#define JACAMAR_APPLETS_OUTCOME_H

#include "applets/applet.h"
#include "core/decision.h"

/* Each line of `lines` to the job's log. */
void outcome_say_lines(const struct invocation *call, const char *lines);

/*
 * Says a failure in the job's log: all of it, but for a refusal without -u, which is said
 * neutrally and in full to the audit log. The system failure's exit code.
 */
int outcome_failure(const struct invocation *call, const char *reference, const struct error *err);

/* Writes config's decision to the audit log; `err` is NULL where the job was allowed. */
void outcome_record(const struct invocation *call, const struct decision *decision,
		    const struct error *err);

/* config's answer to the runner: one JSON object, and nothing else, on standard output. */
int outcome_answer(const struct state *state, struct error *err);

/*
 * Turns the exit code of the user's side into the runner's: 0, or a script's own code by way of
 * BUILD_EXIT_CODE_FILE.
 */
int outcome_exit(const struct invocation *call, const char *reference, int exit_code);

#endif
