/*
 * What the config stage decides about a job, in the order in which it is decided: who triggered
 * it, which account that is, what is executed there, where the job lives.
 */
#ifndef JACAMAR_CORE_DECISION_H
#define JACAMAR_CORE_DECISION_H

#include <sys/resource.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/job.h"
#include "core/policy.h"
#include "core/state.h"
#include "core/workspace.h"

struct decision {
	struct settings *settings; /* owned */
	struct job job;
	char *token;		  /* owned, until it is verified */
	struct identity identity; /* empty where the job has no token and needs none */
	struct account service;
	struct applicant applicant; /* and what the rules made of them */
	struct workspace workspace;
	char *jacamar;
	/* Lists of the settings, for the state. */
	json_t *substages;
	json_t *environment_names;
	json_t *user_environment;
	json_t *filters; /* of system calls: seccomp.h */
	json_t *default_arguments;
	json_t *argument_variables;
	json_t *scheduler_environment;
	char cookie[STATE_COOKIE_SIZE];
	char reference[STATE_REFERENCE_SIZE];
};

/* Draws the cookie and the reference id; what decision_free frees is empty then. */
int decision_init(struct decision *decision, struct error *err);
void decision_free(struct decision *decision);

/* Reads the job's response, after which decision_state names the job. */
int decision_read_job(struct decision *decision, struct error *err);

/*
 * Who triggered the job, proven by its token, and the local account that follows from it by the
 * rules of the site.
 */
int decision_find_account(struct decision *decision, struct error *err);

/*
 * What is executed as the user, under which filters, and the job's directories. A data_dir of the
 * form $NAME is resolved by the user's own shell, in a session of its own.
 */
int decision_plan(struct decision *decision, rlim_t core_limit, struct error *err);

/*
 * The state to hand on; it borrows from the decision. Of a decision that failed, or is not at its
 * end, what is known of the job so far.
 */
struct state decision_state(const struct decision *decision);

/*
 * Checks a state that was handed on: its account must still be what it was. That the state is of
 * this very job is checked on the way to the user's side: user_side.h.
 */
int decision_recheck(const struct state *state, struct error *err);

#endif
