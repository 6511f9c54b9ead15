/*
 * The site's rules on the claims of id tokens, [[auth.rule]]: the first one that matches a job
 * allows or denies it.
 *
 * Whether a token without a claim would meet a condition is not known. Such a rule does not allow
 * the job; if it denies jobs, and all else matches, the job is refused.
 */
#ifndef JACAMAR_CORE_POLICY_AUTH_RULES_H
#define JACAMAR_CORE_POLICY_AUTH_RULES_H

#include "core/policy/policy.h"

/* Called once the name of the person's account is known, and before a RunAs script is asked. */
int policy_check_auth_rules(struct applicant *applicant, struct error *err);

#endif
