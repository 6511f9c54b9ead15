/*
 * The state of t/runner while it plays one job, and the call of the driver with everything that the
 * runner records about it. A verdict is how the runner classifies an exit status.
 */
#ifndef JACAMAR_T_PLAY_SESSION_H
#define JACAMAR_T_PLAY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "t/play/call.h"
#include "t/play/job.h"
#include "t/play/runner_config.h"
#include "t/play/variables.h"

enum outcome {
	SUCCESS,
	BUILD_FAILURE,
	SYSTEM_FAILURE,
	UNKNOWN_FAILURE, /* the driver broke the contract */
	STOPPED,	 /* canceled, out of time, or this program was told to end */
	HUNG,
};

struct verdict {
	enum outcome outcome;
	int code; /* of the script, where the outcome is BUILD_FAILURE */
};

/* The names that --result uses, and this program's exit codes. */
extern const struct outcome_row {
	const char *name;
	int exit_code;
} OUTCOMES[];

/* Times in milliseconds. */
struct options {
	const char *config, *job;
	const char *log, *result, *substage;
	char *prepare_only; /* NULL, or an absolute path */
	int64_t timeout, grace, retry_delay;
	bool keep, show_stages, legacy;
};

struct session {
	struct options options;
	struct runner_config config;
	struct job job;
	struct watch watch;
	struct job_files files; /* of this try to prepare; members NULL: none */
	json_t *calls;		/* for --result */
	bool violated, hung;	/* seen in any call, whatever the job's result */
};

void session_say(const struct session *session, const char *line); /* in the job's log */

void session_make_files(struct session *session);
void session_remove_files(struct session *session);
/* The path of a new script file for the sub-stage, to be freed. */
char *session_make_script(struct session *session, const char *substage);
/* An error ends the program. */
void write_new_file(const char *path, const char *bytes, size_t length, mode_t mode);

/* A list that ends in NULL, for strings_free; `script` and `substage` are NULL but for run. */
char **session_arguments(const struct session *session, enum stage stage, const char *script,
			 const char *substage);
/* config's answer is left in *answer, for text_free; `answer` is NULL elsewhere. */
struct verdict session_call(struct session *session, enum stage stage, enum phase phase,
			    const char *script, const char *substage, struct text *answer);

#endif
