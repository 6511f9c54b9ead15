/*
 * What a process of the user has and a login would not have otherwise: limits, priorities, umask,
 * working directory, no_new_privs, filters of system calls.
 *
 * The one place for whatever the job's processes shall be bound by: where sudo changes the account
 * it comes behind sudo, which some of this would keep from working.
 */
#ifndef JACAMAR_CORE_SETTLE_H
#define JACAMAR_CORE_SETTLE_H

#include "core/downscope.h"

/*
 * As the user, who has no right that this could need. A few of the processes that an account may
 * have are left to whoever cleans up: a job that takes all there are would otherwise leave none for
 * its end.
 */
int settle_as_login(const struct account *account, const struct downscope_rules *rules,
		    struct error *err);

#endif
