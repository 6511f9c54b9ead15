/*
 * It is written in BPF instructions, because libseccomp can compare an argument with only one
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

/*
 * Builds the filter for two architectures, in the numbering of the kernel and libseccomp; 0: none.
 */
void id_filter_build(const struct seccomp_library *library, const uint32_t architectures[2],
		     const struct account *account, struct id_filter *filter);

#endif
