/*
 * Whether the person whom the token names may have a job here, and as which account.
 */
#ifndef JACAMAR_CORE_POLICY_H
#define JACAMAR_CORE_POLICY_H

#include <stdbool.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/error.h"

/* True where a rule of the settings can only be applied to a proven identity. */
bool policy_needs_token(const struct settings *settings);

/* Refuses the bots of projects and groups: GitLab makes them, nobody answers for them. */
int policy_check_login(const char *login, struct error *err);

/* Whether a job may run as this account at all. ERROR_DENIED where it may not. */
int policy_check_account(const struct auth_settings *settings, const struct account *account,
			 const struct account *service, struct error *err);

/* The part of it that every stage checks again. */
int policy_check_uid(const struct account *account, const struct account *service,
		     enum downscope_kind downscope, int64_t min_uid, struct error *err);

#endif
