/*
 * One job as GitLab Runner knows it: the server's response, config_exec's answer, and what follows
 * from both: directories, variables, and the environment of every call of the driver.
 *
 * JOB.json, every member optional:
 *   response      the server's response, for JOB_RESPONSE_FILE
 *   raw_response  text for JOB_RESPONSE_FILE instead of that
 *   scripts       {SUBSTAGE: [command, ...]}; step_* beside build_script run after it, in order
 *   environment   {NAME: value}, the runner's own environment; null unsets
 *   custom_env    {NAME: value}, job variables beyond the response's; null removes
 *   substages     [SUBSTAGE, ...], the only ones to run; unknown names run after build_script.
 *                 Without it: prepare_script, get_sources, build_script, cleanup_file_variables,
 *                 after_script if it has a command, and any other that scripts names.
 */
#ifndef JACAMAR_T_PLAY_JOB_H
#define JACAMAR_T_PLAY_JOB_H

#include <stdbool.h>

#include <jansson.h>

#include "t/play/runner_config.h"

struct job {
	const struct runner_config *config;
	json_t *file;	  /* JOB.json */
	json_t *response; /* the one in it, or a default; a reference of its own */
	json_t *job_env;  /* from config_exec's answer; NULL until that has run */
	char *builds_dir;
	char *cache_dir;
	char *hostname;
	bool builds_dir_is_shared;
	char *project_dir;    /* "" until config_exec ran, as in the runner */
	bool sources_skipped; /* no get_sources makes project_dir */
	const char *status;   /* CI_JOB_STATUS */
	long timeout;	      /* seconds, of the whole job */
};

struct job job_load(const char *path, const struct runner_config *config);
void job_free(struct job *job);

enum configured {
	CONFIGURED,
	CONFIGURE_NOT_AN_ANSWER,     /* the runner would try again */
	CONFIGURE_DIRECTORY_MISSING, /* the runner would not */
};

/* Applies config_exec's answer. If the runner would fail, *reason is set, to be freed. */
enum configured job_configure(struct job *job, const char *answer, char **reason);
void job_forget_answer(struct job *job);

json_t *job_script(const struct job *job, const char *substage); /* borrowed, or NULL */
bool job_has_substage(const struct job *job, const char *substage);

/* New strings, to be freed. */
char *job_project_path(const struct job *job);	/* group/project, of the repository's URL */
char *job_server_origin(const struct job *job); /* its scheme, host and port */
char *job_short_token(const struct job *job);	/* the runner's */

#endif
