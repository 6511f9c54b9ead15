/*
 * The context of a job's processes: limits, priorities, umask, working directory, no_new_privs, and
 * filters of system calls. All restrictions of a job belong here. If sudo changes the account, they
 * are applied after it, because some of them would keep sudo from working.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_JOB_CONTEXT_H
#define JACAMAR_CORE_PRIVILEGE_JOB_CONTEXT_H

#include "core/privilege/downscope.h"

/*
 * Called as the user. It reserves a few of the account's processes for cleanup: a job that uses up
 * all others must not keep cleanup from ending it.
 */
int job_context_apply(const struct account *account, const struct downscope_rules *rules,
		      struct error *err);

#endif
