/*
 * The capabilities that a process gets when it executes a file: capabilities(7), "File
 * capabilities".
 */
#ifndef JACAMAR_CORE_DOCTOR_CAPABILITIES_H
#define JACAMAR_CORE_DOCTOR_CAPABILITIES_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/lib/error.h"

struct file_capabilities {
	uint64_t permitted; /* one bit each, numbered as in linux/capability.h; 0: none */
	uint64_t inheritable;
};

/* A process needs both to change its account. */
#define CAPABILITIES_NEEDED (UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_SETUID)

/* 0, also if the file has none; -1 with *err if they cannot be read. */
int capabilities_of_file(const char *path, struct file_capabilities *found, struct error *err);

/* True if the file is known to give a process a capability. */
bool capabilities_are_given(const char *path);

#endif
