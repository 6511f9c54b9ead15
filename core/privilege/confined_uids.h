/*
 * The uids of confined children (confine.h). No account has these uids, so that no process of an
 * account can signal or trace such a child. Two children normally have different uids. Only if the
 * range is smaller than the number of pids can two that start at the same moment have the same one;
 * even then, their filters of system calls keep them from affecting each other.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_CONFINED_UIDS_H
#define JACAMAR_CORE_PRIVILEGE_CONFINED_UIDS_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/lib/error.h"

/* The kernel's overflow uid, which stands for all unmapped uids. No job may have it. */
#define NOBODY_UID 65534

/*
 * Sets the range to the value of auth.confined_uids; NULL: the default. With `asks`, accounts are
 * looked up to check that none has a chosen uid. config does that; later stages, above all cleanup,
 * must not depend on a look-up.
 */
int confined_uids_set(const char *range, bool asks, struct error *err);

/* True if the range has the uid. */
bool confined_uids_have(uid_t uid);

/* The uid for this process and its children: the first of the range plus the pid, modulo its size.
 */
uid_t confined_uids_own(void);

/*
 * The same uid for a child, or the next one that neither a process nor an account has. Accounts are
 * looked up once in the life of this process. -1 with *err if no uid is free, or the look-up is not
 * answered.
 */
int confined_uids_choose(uid_t *uid, struct error *err);

#endif
