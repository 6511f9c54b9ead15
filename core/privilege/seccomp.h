/*
 * The filters of system calls that the table [auth.seccomp] configures, or auth.isolate needs. The
 * stage config compiles them, once for each job; each process that becomes the user installs them.
 * Only the stage config needs libseccomp.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_SECCOMP_H
#define JACAMAR_CORE_PRIVILEGE_SECCOMP_H

#include <jansson.h>
#include <stdbool.h>

#include "config/settings.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

/* 0; -1 with *err if a name is not a system call, or if no job could run with these lists. */
int seccomp_check(const struct seccomp_settings *settings, struct error *err);

/*
 * The filters for the processes of `account`, as a new JSON array of strings; NULL with *err, as
 * from seccomp_check. Without filters in [auth.seccomp], auth.isolate still needs one.
 *
 * If auth.no_new_privs is false, and this process has not inherited no_new_privs either, the
 * default filter is left out, and installing any other filter will fail.
 */
json_t *seccomp_compile(const struct auth_settings *auth, const struct account *account,
			struct error *err);

/*
 * Installs compiled filters for this process and everything that it executes. They cannot be
 * removed. The process must have no_new_privs, unless there are no filters.
 */
int seccomp_install(const json_t *filters, struct error *err);

#endif
