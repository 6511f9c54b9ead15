/*
 * The filter of system calls for the key auth.seccomp.limit_setuid: a process can change its ids
 * only to those of the job's account.
 *
 * It is made of single instructions, because libseccomp can compare an argument with only one
 * value, and this needs two: the id, and -1, which means "do not change this id".
 */
#ifndef JACAMAR_CORE_PRIVILEGE_ID_FILTER_H
#define JACAMAR_CORE_PRIVILEGE_ID_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/account.h"
#include "core/lib/dynamic_libraries.h"

#define ID_FILTER_MOST 512 /* instructions */

struct id_filter {
	struct sock_filter code[ID_FILTER_MOST];
	size_t count;
};

/* For each of the architectures, as the kernel and libseccomp number them; 0 is none. */
void id_filter_build(const struct seccomp_library *library, const uint32_t architectures[2],
		     const struct account *account, struct id_filter *filter);

#endif
