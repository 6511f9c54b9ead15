/*
 * Where a job's files are. The service's side plans the paths; the user's side makes and removes
 * the directories (workspace_directories.h).
 *
 *   <base>/builds/<short token>/<number>      (the runner adds the project's path)
 *   <base>/cache
 *   <base>/scripts/<short token>/<concurrent>/<group>/<project>/<job id>
 *
 * A site can have one builds directory for each project instead (static_builds.h), or let a job
 * choose another place:
 *
 *   <base>/builds/<short token>/project-<id>
 *   <custom>/<short token>/<number>
 *
 * The number is CI_CONCURRENT_PROJECT_ID, or the next one that no other job uses: builds_lock.h.
 */
#ifndef JACAMAR_CORE_WORKSPACE_WORKSPACE_H
#define JACAMAR_CORE_WORKSPACE_WORKSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/account.h"
#include "core/lib/error.h"

/* A plan's paths; they live as long as it does. */
struct workspace {
	char *base;
	char *custom_builds; /* NULL: the builds directory is in the base */
	char *builds_dir;
	char *cache_dir;
	char *scripts_dir;
};

/* The variable by which a job's author may choose another place for the builds. */
#define WORKSPACE_CUSTOM_VARIABLE "CUSTOM_ENV_CUSTOM_CI_BUILDS_DIR"

/* The names in the paths. */
struct workspace_names {
	const char *short_token;   /* of the runner, from the job's environment: hostile */
	const char *concurrent;	   /* likewise */
	const char *custom_builds; /* likewise; NULL: none, or this site does not allow it */
	const char *project_path;
	uint64_t project_id; /* 0: unknown */
	uint64_t job_id;
	bool static_builds;
};

#define WORKSPACE_PROJECT	 "project-"
#define WORKSPACE_HOME_DIRECTORY ".jacamar-ci" /* in the home, where data_dir is $HOME */

/* True if the user's own shell must resolve data_dir. */
bool workspace_needs_shell(const char *data_dir);

/* Checks whether the names from the job's environment can be names or paths of directories. */
int workspace_check_names(const struct workspace_names *names, struct error *err);

/*
 * Plans the paths; the names have been checked. `data_dir` is $HOME, ~ or an absolute directory.
 * The caller calls workspace_free also after a failure.
 */
int workspace_plan(const char *data_dir, const struct account *account,
		   const struct workspace_names *names, struct workspace *workspace,
		   struct error *err);
void workspace_free(struct workspace *workspace);

/* The length of NAME in a data_dir of the form $NAME or $NAME/rest. */
size_t workspace_variable_length(const char *data_dir);

/*
 * Replaces NAME in such a data_dir by `value`, which it has in the login shell of `account`; the
 * result is in new memory. NULL with *err if the value alone is not an absolute, printable path
 * other than / and without "..". `key` names the setting in errors.
 */
char *workspace_resolve(const char *data_dir, const char *key, const struct account *account,
			const char *value, struct error *err);

/* The builds directory with another number, in new memory; NULL if memory is short. */
char *workspace_numbered_builds(const char *builds_dir, uint64_t number);

#endif
