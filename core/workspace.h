/*
 * Where a job's files live: planned on the service's side, made and removed on the user's side.
 *
 *   <base>/builds/<short token>/<concurrent>                                (the runner goes on)
 *   <base>/cache
 *   <base>/scripts/<short token>/<concurrent>/<group>/<project>/<job id>
 *
 * The site may have one builds directory for each project, whichever number its job has (see
 * static_builds.h), or let a job ask for another place:
 *
 *   <base>/builds/<short token>/project-<id>
 *   <custom>/<short token>/<concurrent>
 */
#ifndef JACAMAR_CORE_WORKSPACE_H
#define JACAMAR_CORE_WORKSPACE_H

#include "core/account.h"
#include "core/error.h"
#include "core/state.h"
#include "core/trust.h"

/* A plan's paths; they live as long as it does. */
struct workspace {
	char *base;
	char *custom_builds; /* NULL: the builds are in the base */
	char *builds_dir;
	char *cache_dir;
	char *scripts_dir;
};

/* Where a job's author may ask for a place of their own. */
#define WORKSPACE_CUSTOM_VARIABLE "CUSTOM_ENV_CUSTOM_CI_BUILDS_DIR"

/* What the places are named after. */
struct workspace_names {
	const char *short_token;   /* of the runner, from the job's environment: hostile */
	const char *concurrent;	   /* likewise */
	const char *custom_builds; /* likewise; NULL: none, or not for this site */
	const char *project_path;
	uint64_t project_id; /* 0: unknown */
	uint64_t job_id;
	bool static_builds;
};

#define WORKSPACE_PROJECT "project-"

/* True where data_dir is for the user's own shell to resolve. */
bool workspace_needs_shell(const char *data_dir);

/* Whether names that come from the job's environment are fit to be directories, or one's path. */
int workspace_check_names(const struct workspace_names *names, struct error *err);

/*
 * Plans the paths; the names have been checked. `data_dir` is $HOME, ~ or an absolute directory.
 * The caller calls workspace_free also after a failure.
 */
int workspace_plan(const char *data_dir, const struct account *account,
		   const struct workspace_names *names, struct workspace *workspace,
		   struct error *err);
void workspace_free(struct workspace *workspace);

/* Checks the directory that the user's shell made out of data_dir: absolute, printable, no "..". */
int workspace_check_resolved(const char *data_dir, const char *resolved, struct error *err);

/*
 * Follows the way to a directory above a job's files, as trust_examine does: who could rename what
 * is in one of the directories on it would have other files in the place of those that were looked
 * at, after each look. `user` is whose files they are to be.
 */
char *workspace_examine_way(const char *path, uid_t user, struct trust_fault *fault,
			    struct error *err);

/*
 * As the user: makes the directories, or checks that they are the user's own. New ones are
 * private; with group_permissions builds and cache, and what leads to them, are for the user's
 * group to read.
 */
int workspace_make(const struct state *state, struct error *err);

/*
 * As the user: opens <base>/builds/<short token>, checked or made like the rest. *fd is -1 where
 * it is not there and not to be made.
 */
int workspace_open_runner_builds(const struct state *state, bool make, int *fd, struct error *err);

/*
 * As the user: opens the scripts directory, made where it is missing. Every component from the
 * base on must be a directory of the user, no link, and not writable by others.
 */
int workspace_open_scripts(const struct state *state, struct error *err);

/* As the user: removes the scripts directory with all in it; none is fine. */
int workspace_remove_scripts(const struct state *state, struct error *err);

#endif
