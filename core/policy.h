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
#include "core/error.h"

/* True where a rule of the settings can only be applied to a proven identity. */
bool policy_needs_token(const struct settings *settings);

/*
 * The rules in their order; each returns 0, or -1 with ERROR_DENIED and the rule that refused, or
 * with ERROR_SYSTEM where it could not be found out.
 */

/* What started the pipeline ("push", "web", "schedule", ...); "" where the token does not say. */
int policy_check_source(const struct auth_settings *settings, const char *source,
			struct error *err);

/* The bots of projects and groups: GitLab makes them, nobody answers for them. */
int policy_check_login(const struct auth_settings *settings, const char *login, struct error *err);

/*
 * The four lists, on the account `name` that is in `count` groups: user_blocklist refuses, then
 * user_allowlist admits, then groups_blocklist refuses, then groups_allowlist admits, and where
 * there is an allowlist, it refuses whom none admitted.
 */
int policy_check_lists(const struct auth_settings *settings, const char *name, const gid_t *groups,
		       size_t count, struct error *err);

/*
 * True where the lists judge an account of this host, and not the mere name of a login: a name
 * that no account has exactly so is blocked by no list.
 */
bool policy_needs_account(const struct auth_settings *settings);

/* Whether a job may run as this account at all. */
int policy_check_account(const struct auth_settings *settings, const struct account *account,
			 const struct account *service, struct error *err);

/* The part of it that every stage checks again. */
int policy_check_uid(const struct account *account, const struct account *service,
		     enum downscope_kind downscope, int64_t min_uid, struct error *err);

#endif
