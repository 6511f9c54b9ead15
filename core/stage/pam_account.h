/*
 * auth.pam_account: the account rules of PAM (pam_acct_mgmt(3)), such as an account that has
 * expired, pam_access(8) and pam_time(8). They are asked as the user, without root.
 */
#ifndef JACAMAR_CORE_STAGE_PAM_ACCOUNT_H
#define JACAMAR_CORE_STAGE_PAM_ACCOUNT_H

#include <jansson.h>

#include "config/settings.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

/*
 * Asks PAM about the account, whose groups are encoded as in state.h, for a few seconds at most.
 * ERROR_DENIED if a rule refuses the account, with PAM's messages; ERROR_SYSTEM if PAM could not
 * answer.
 */
int pam_account_ask(const struct auth_settings *settings, const struct account *account,
		    const json_t *groups, struct error *err);

#endif
