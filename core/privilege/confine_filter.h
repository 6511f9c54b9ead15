/*
 * The filter of system calls of a confined child. It may allocate memory, read files that its uid
 * can read, and write its answer. It cannot start, execute, signal or trace a process, nor change a
 * file or an id. A child with the network may also start threads, which libcurl's resolver needs.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_CONFINE_FILTER_H
#define JACAMAR_CORE_PRIVILEGE_CONFINE_FILTER_H

#include <stdbool.h>

#include "core/lib/error.h"

/*
 * Installs it for this process, which must have no_new_privs. Without libseccomp, or on a kernel
 * without filters, this fails: the child must not parse the author's bytes unfiltered.
 */
int confine_filter_install(bool network, struct error *err);

#endif
