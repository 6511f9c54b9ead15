/*
 * Machine accounts of GitLab: bots of projects and groups, which use an access token, and service
 * accounts. An id token does not mark them, but their logins and mail addresses do
 * (docs.gitlab.com, "Service accounts", "Project access tokens").
 */
#ifndef JACAMAR_CORE_IDENTITY_MACHINE_ACCOUNT_H
#define JACAMAR_CORE_IDENTITY_MACHINE_ACCOUNT_H

#include <stdbool.h>

#include "core/identity/claims.h"

#define MACHINE_ACCOUNT_TEXT_SIZE 512

/*
 * True if the claims are those of a machine account, or do not show whether they are. `why` is then
 * a predicate for the login, such as "is a service account".
 *
 * The creator of a service account chooses its login, which may be that of a person, and can
 * change it later. The mail address stays: it is at noreply.HOST of the server unless the creator
 * has proven to own another one. A person's private address for commits, at users.noreply.HOST,
 * receives no mail and so cannot be the primary address, which is the one in the token.
 */
bool machine_account_is(const struct claims *claims, char why[MACHINE_ACCOUNT_TEXT_SIZE]);

#endif
