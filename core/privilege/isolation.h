/*
 * auth.isolate: keeps the processes of a job away from all other processes of the same account, by
 * Landlock (landlock(7)). They cannot signal or trace those, read their memory or environment, or
 * connect to their abstract sockets. Among themselves, all of this works. A filter of system calls
 * (seccomp.c) keeps them from setting the limits of any other process.
 *
 * Each login shell, with all its descendants, is one Landlock domain. jacamar stays outside: it can
 * signal and examine the job's processes, but they cannot signal it.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_ISOLATION_H
#define JACAMAR_CORE_PRIVILEGE_ISOLATION_H

#include "config/settings.h"
#include "core/lib/error.h"
#include "core/protocol/state.h"

/*
 * 0; -1 with *err if auth.isolate is set, but this kernel cannot isolate, or [auth.seccomp] blocks
 * a system call that isolation needs.
 */
int isolation_check(const struct auth_settings *settings, struct error *err);

/*
 * As the user: a new Landlock ruleset for a login shell of the job, as a descriptor; -1 with *err.
 */
int isolation_open(const struct state *state, struct error *err);

/*
 * In a child of jacamar: applies the ruleset to this process and everything that it executes. This
 * cannot be undone. `ruleset` points to the descriptor. subprocess.h calls this before it executes
 * a program.
 */
int isolation_enter(const void *ruleset, struct error *err);

#endif
