/*
 * Session keyrings (keyrings(7)): they decide which keys a process can find.
 *
 * A new keyring counts against the quota of the account that makes it, as long as a process or
 * another keyring refers to it. So a job's processes must not get a keyring that is owned by the
 * service account: by keeping 200 of them they would use up its quota.
 *
 * On a kernel without keyrings both functions return 0.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_KEYRING_H
#define JACAMAR_CORE_PRIVILEGE_KEYRING_H

#include "core/lib/error.h"

/*
 * Replaces this process's session keyring, which may have the service account's Kerberos ticket, by
 * a new one that is empty and stays empty: no process may write to it or link it to another
 * keyring. Called before the account changes.
 */
int keyring_leave(struct error *err);

/*
 * Gives this process a new, empty session keyring that its own uid owns, and checks the owner.
 * `account` names that uid in errors.
 */
int keyring_join_own(const char *account, struct error *err);

#endif
