/*
 * Whether the person whom the token names may have a job here, and as which account.
 */
#ifndef JACAMAR_CORE_POLICY_H
#define JACAMAR_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/claims.h"
#include "core/error.h"
#include "core/runas.h"

#define POLICY_TEXT_SIZE 256

/*
 * Whom the rules ask: the directory of accounts, the site's script, and the host whether it is
 * closed. The tests have others.
 */
struct policy_sources {
	int (*account)(const char *name, struct account *account, struct error *err);
	gid_t *(*groups)(const struct account *account, size_t *count, struct error *err);
	int (*runas)(const struct runas_settings *settings, const struct account *service,
		     const struct claims *claims, const char *target, struct runas_answer *answer,
		     struct error *err);
	const char *(*nologin)(char *text, size_t size); /* nologin_file() */
};

extern const struct policy_sources POLICY_SOURCES;

/* Who asks for a job. */
struct applicant {
	/* Borrowed, and known before. */
	const struct auth_settings *settings;
	const struct policy_sources *sources;
	const struct account *service;
	const struct claims *claims; /* empty where the job has no token and needs none */
	const char *target;	     /* the account that the job asks for; NULL or "": none */

	/* Found out on the way, as far as that goes. */
	bool asked; /* the script */
	struct runas_answer runas;
	struct account account;		 /* that the job is to run as */
	char admitted[POLICY_TEXT_SIZE]; /* why the lists let them pass */
};

/*
 * The rules in their order (RULES in policy.c); the first failure ends it. 0, or -1 with
 * ERROR_DENIED and the rule that refused, or with ERROR_SYSTEM where it could not be found out.
 */
int policy_apply(struct applicant *applicant, struct error *err);

/* Single rules, for doctor. */

int policy_check_nologin(const struct auth_settings *settings, const struct policy_sources *sources,
			 struct error *err);

/*
 * The four lists, on the account `name` that is in `count` groups: user_blocklist refuses, then
 * user_allowlist admits, then groups_blocklist refuses, then groups_allowlist admits, and where
 * there is an allowlist, it refuses whom none admitted. Why they let pass goes to `admitted`.
 */
int policy_check_lists(const struct auth_settings *settings, const char *name, const gid_t *groups,
		       size_t count, char admitted[POLICY_TEXT_SIZE], struct error *err);

int policy_check_shell(const struct auth_settings *settings, const struct account *account,
		       struct error *err);

/* And the last one, which every stage checks again. */
int policy_check_uid(const struct account *account, const struct account *service,
		     enum downscope_kind downscope, int64_t min_uid, struct error *err);

#endif
