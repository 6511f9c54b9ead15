/*
 * GitLab Runner's config.toml, as far as it is about jacamar: the keys of each [[runners]] that
 * doctor checks. All other keys are ignored, whatever their values are. The file must be valid
 * TOML: otherwise the runner itself rejects all of it.
 */
#ifndef JACAMAR_CORE_DOCTOR_RUNNER_FILE_H
#define JACAMAR_CORE_DOCTOR_RUNNER_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/lib/error.h"

enum runner_stage {
	RUNNER_CONFIG,
	RUNNER_PREPARE,
	RUNNER_RUN,
	RUNNER_CLEANUP,
	RUNNER_STAGES,
};

extern const char *const RUNNER_STAGE_NAMES[RUNNER_STAGES];

/* A value and the line that sets it; if no line does, the line is 0, and the value NULL. */
struct runner_value {
	json_t *value;
	size_t line;
};

/* One [[runners]]. */
struct runner {
	size_t line;
	struct runner_value executor;
	struct runner_value url;
	struct runner_value token;
	struct runner_value exec[RUNNER_STAGES];
	struct runner_value arguments[RUNNER_STAGES];
	struct runner_value graceful_kill_timeout;
	struct runner_value cleanup_exec_timeout;
};

#define RUNNERS_MAX 64

struct runner_file {
	struct runner_value shutdown_timeout;
	struct runner runners[RUNNERS_MAX];
	size_t count;
	/* The first error in its TOML; the line is 0 if there is none. */
	size_t fault_line;
	char fault[256];
};

/* The caller calls runner_file_free also after a failure. */
int runner_file_read(const char *path, struct runner_file *file, struct error *err);
int runner_file_parse(const char *text, size_t size, struct runner_file *file, struct error *err);
void runner_file_free(struct runner_file *file);

/* True if a stage executes a program whose name begins with jacamar. */
bool runner_is_ours(const struct runner *runner);

/* The arguments of a stage; the strings are borrowed from the value. */
struct runner_call {
	bool no_auth;
	const char *stage;
	const char *configuration;
	const char *odd; /* an argument that does not belong there */
};
struct runner_call runner_read_call(const struct runner_value *arguments);

/* The value as a string; NULL if it is of another type. */
const char *runner_string(const struct runner_value *value);

#endif
