/*
 * What config decides about a job, in this order: who triggered it, which account that is, what is
 * executed as that account, and in which directories.
 */
#ifndef JACAMAR_CORE_STAGE_PLAN_H
#define JACAMAR_CORE_STAGE_PLAN_H

#include <sys/resource.h>

#include "config/settings.h"
#include "core/identity/identity.h"
#include "core/identity/job.h"
#include "core/lib/account.h"
#include "core/lib/error.h"
#include "core/policy/policy.h"
#include "core/protocol/state.h"
#include "core/workspace/workspace.h"

struct plan {
	struct settings *settings; /* owned */
	struct job job;
	char *token;		  /* owned, until it is verified */
	struct identity identity; /* empty if the job has no token and needs none */
	struct account service;
	struct applicant applicant; /* the input and the result of the rules */
	struct workspace workspace;
	bool has_cgroup; /* there is a cgroup for plan_remove_cgroup to remove */
	bool has_builds; /* the user may have a lock file for the builds directory: builds_lock.h */
	char *jacamar;
	char image[IMAGE_NAME_SIZE]; /* the full name; "": the scripts run on the host */
	json_t *groups;		     /* of the account, for the state */
	json_t *filters;	     /* of system calls: seccomp.h */
	char cookie[STATE_COOKIE_SIZE];
	char reference[STATE_REFERENCE_SIZE];
};

/* Draws the cookie and the reference; all else is empty. */
int plan_init(struct plan *plan, struct error *err);
void plan_free(struct plan *plan);

/* plan_token.c: reads the job response; from then on plan_state names the job. */
int plan_read_job(struct plan *plan, struct error *err);

/* plan_token.c: refuses a job without a token if the settings need one. */
int plan_require_token(const struct plan *plan, struct error *err);

/* plan_token.c: proves by the token who triggered the job. Afterwards the plan has no token. */
int plan_establish_identity(struct plan *plan, struct error *err);

/* plan_token.c: overwrites the token and frees it. */
void plan_free_token(struct plan *plan);

/*
 * Proves by the token who triggered the job, and finds the local account by the rules of the site.
 * A child does this, because a look-up may hang: worker.h.
 */
int plan_find_account(struct plan *plan, struct error *err);

/*
 * Decides what is executed as the user, with which filters, and the job's directories. The user's
 * side is run to resolve a data_dir of the form $NAME in the user's shell, and to take the builds
 * directory.
 */
int plan_stage(struct plan *plan, struct error *err);

/*
 * plan_image.c: decides whether the job may run in the image that it asks for, and sets the image's
 * full name. Without a table [general.container] the job runs on the host.
 */
int plan_choose_image(struct plan *plan, struct error *err);

/* plan_image.c: refuses job directories that cannot be mounted in a container. */
int plan_check_mounts(const struct plan *plan, struct error *err);

/* After a failure of config: kills the job's processes, and removes its cgroup. */
void plan_remove_cgroup(const struct plan *plan);

/*
 * The state for the later stages; it borrows from the plan. If the plan is not complete, the state
 * has what is known so far.
 */
struct state plan_state(const struct plan *plan);

/*
 * Checks a state in a later stage: applies the rules for its uid, without a look-up.
 * stage_process.c checks that the account still has that uid, and that the state is of this job.
 * With `confirm`, this function checks the account's uid, too.
 */
int plan_recheck(const struct state *state, bool confirm, struct error *err);

#endif
