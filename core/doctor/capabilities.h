/*
 * The capabilities that a file gives to who executes it: capabilities(7), "File capabilities".
 */
#ifndef JACAMAR_CORE_DOCTOR_CAPABILITIES_H
#define JACAMAR_CORE_DOCTOR_CAPABILITIES_H

#include <linux/capability.h>
#include <stdint.h>

#include "core/error.h"

struct file_capabilities {
	uint64_t permitted; /* a bit each, as linux/capability.h numbers them; 0: none */
	uint64_t inheritable;
};

/* The two that changing an account takes. */
#define CAPABILITIES_NEEDED (UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_SETUID)

/* 0, also for a file without any; -1 where that cannot be found out. */
int capabilities_of_file(const char *path, struct file_capabilities *found, struct error *err);

#endif
