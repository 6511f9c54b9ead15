/* Decides whether the person whom the token names may run jobs here, and as which account. */
#ifndef JACAMAR_CORE_POLICY_POLICY_H
#define JACAMAR_CORE_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/settings.h"
#include "core/identity/claims.h"
#include "core/lib/account.h"
#include "core/lib/error.h"
#include "core/policy/runas.h"

#define POLICY_TEXT_SIZE 256

/*
 * Where the rules get their facts: NSS, the site's RunAs script, and nologin(5). Tests replace
 * them.
 */
struct policy_sources {
	int (*account)(const char *name, struct account *account, struct error *err);
	int (*groups)(const struct account *account, struct account_groups *groups,
		      struct error *err);
	int (*runas)(const struct runas_settings *settings, const struct runas_question *question,
		     struct runas_answer *answer, struct error *err);
	const char *(*nologin)(char *text, size_t size); /* policy_nologin_file() */
};

extern const struct policy_sources POLICY_SOURCES;

/*
 * The first file of nologin(5) that exists, in pam_nologin(8)'s order; NULL if none does. Such a
 * file closes a host to logins, during maintenance or a shutdown. Its contents go to `text`, as one
 * line of at most `size` bytes.
 */
const char *policy_nologin_file(char *text, size_t size);

/* One job's request to run, and what the rules have found out about it. */
struct applicant {
	/* Input, borrowed. */
	const struct auth_settings *settings;
	const struct policy_sources *sources;
	const struct account *service;
	const struct claims *claims; /* empty if the job has no token and needs none */
	const char *target;	     /* the account that the job asks for; NULL or "": none */
	uint64_t scoped_user_id;     /* of struct job */

	/* Output. After a refusal it is complete only up to the rule that refused. */
	const struct claims_identity
		*identity;	      /* the one that names the account; NULL: the login */
	char name[ACCOUNT_NAME_SIZE]; /* of the person's own account, by the token */
	bool asked;		      /* the RunAs script was run */
	struct runas_answer runas;
	struct account person;		 /* the account that the lists judge */
	struct account_groups groups;	 /* of `person` */
	struct account account;		 /* the job runs as this one */
	char admitted[POLICY_TEXT_SIZE]; /* why the lists admit the person */
	const char *admitted_by; /* the key of the list or rule that admits them; NULL: none */
	const struct auth_rule *auth_rule; /* the rule that decided, or could not; NULL: none */
	const char *rule;		   /* the name of the rule that failed; NULL: none has */
};

/* Names of rules that a replay of the audit log must know. */
#define POLICY_NOLOGIN	  "nologin"
#define POLICY_MACHINE	  "machine account"
#define POLICY_RUNAS	  "RunAs script"
#define POLICY_AUTH_RULES "auth rules"

struct policy_rule {
	const char *name; /* for the audit log and `jacamar explain` */
	const char
		*key; /* the key of the configuration that turns it on; "": see the error's key */
	int (*check)(struct applicant *applicant, struct error *err);
	bool needed; /* the rules after it use its result */
};

/* In the order in which they are checked. */
extern const struct policy_rule POLICY_RULES[];
extern const size_t POLICY_RULE_COUNT;

/*
 * Checks the rules in their order, up to the first failure. Returns 0; -1 with ERROR_DENIED and the
 * reason; or -1 with ERROR_SYSTEM if that could not be found out.
 */
int policy_apply(struct applicant *applicant, struct error *err);

/* Single rules, for doctor, and of other files. */

int policy_check_nologin(struct applicant *applicant, struct error *err);

/*
 * The four lists: user_blocklist refuses, then user_allowlist admits, then groups_blocklist
 * refuses, then groups_allowlist admits; if there is an allowlist, everyone else is refused.
 */
int policy_check_lists(struct applicant *applicant, struct error *err);

int policy_check_shell(struct applicant *applicant, struct error *err);

/*
 * The site's rules on the claims of id tokens, [[auth.rule]]: the first one that matches a job
 * allows or denies it. Called once the name of the person's account is known, and before a RunAs
 * script is asked.
 *
 * Whether a token without a claim would meet a condition is not known. Such a rule does not allow
 * the job; if it denies jobs, and all else matches, the job is refused.
 */
int policy_check_auth_rules(struct applicant *applicant, struct error *err);

/*
 * For the rules: finds `person`, the account that the lists judge, and its groups, unless that was
 * done before.
 */
int policy_find_person(struct applicant *applicant, struct error *err);

/*
 * Sets *found to the first group of `list` that the account is in, or to NULL. `key` has the list.
 * It compares ids: a group may have several names.
 *
 * No account is in a group that does not exist. But a directory that is down looks the same, and
 * may also leave groups out of an account's list. So a group of a list that blocks must exist, and
 * its own list of members is searched too. Other lists admit nobody by that list of members alone.
 */
int policy_find_group(const struct applicant *applicant, const struct string_list *list,
		      const char *key, bool blocks, const char **found, struct error *err);

/* Every stage checks this rule again. */
int policy_check_uid(const struct account *account, const struct account *service,
		     enum downscope_kind downscope, int64_t min_uid, struct error *err);

#endif
