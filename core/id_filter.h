/*
 * The filter of limit_setuid: of all the ids that a process could ask for, it leaves the job's own.
 *
 * It is written out, since libseccomp has one comparison for an argument, and this takes two: with
 * the id itself, and with -1, which says "leave as it is".
 */
#ifndef JACAMAR_CORE_ID_FILTER_H
#define JACAMAR_CORE_ID_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "core/account.h"
#include "core/libraries.h"

#define ID_FILTER_MOST 512 /* instructions */

struct id_filter {
	struct sock_filter code[ID_FILTER_MOST];
	size_t count;
};

/* For each of the architectures, as the kernel and libseccomp number them; 0 is none. */
void id_filter_build(const struct seccomp_library *library, const uint32_t architectures[2],
		     const struct account *account, struct id_filter *filter);

#endif
