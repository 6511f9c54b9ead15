/*
 * The filters of system calls that the table [auth.seccomp] of the settings asks for. The stage
 * config compiles them, once for each job; each process that becomes the user installs them. Only
 * the stage config needs libseccomp.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_SECCOMP_H
#define JACAMAR_CORE_PRIVILEGE_SECCOMP_H

#include <jansson.h>
#include <stdbool.h>

#include "config/settings.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

/* 0, or -1 with *err: a name that is no system call's, or a list under which no job could run. */
int seccomp_check(const struct seccomp_settings *settings, struct error *err);

/*
 * New JSON of the filters for the processes of `account`, an array of strings, or NULL with *err
 * as from seccomp_check. `no_new_privs` is the setting of that name: without it, where this process
 * has not inherited it either, there is no default filter; installing any other will fail.
 */
json_t *seccomp_compile(const struct seccomp_settings *settings, bool no_new_privs,
			const struct account *account, struct error *err);

/*
 * Installs filters that were compiled, for this process and all that it executes, for good. It must
 * have no_new_privs, unless there are none.
 */
int seccomp_install(const json_t *filters, struct error *err);

#endif
