/*
 * The account that a user's identity at a provider names (`extern_uid` in GitLab).
 *
 * Providers that sign users in by a name give that name. LDAP gives the distinguished name of the
 * user's entry (RFC 4514), as in "uid=kim,ou=people,dc=example,dc=com".
 */
#ifndef JACAMAR_CORE_IDENTITY_EXTERNAL_NAME_H
#define JACAMAR_CORE_IDENTITY_EXTERNAL_NAME_H

#include <stdbool.h>

#include "core/lib/account.h"

/*
 * `name` becomes `extern_uid` itself, or the value of uid= or cn= at the beginning of a
 * distinguished name. Everything else is refused: false, with an empty `name`. That is a name which
 * no account can have; a distinguished name that breaks RFC 4514 anywhere; one whose first part has
 * several attributes; and an entry below that of a user (a second uid=), which may be another
 * user's.
 */
bool external_name_to_account(const char *extern_uid, char name[ACCOUNT_NAME_SIZE]);

#endif
