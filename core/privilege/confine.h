/*
 * A forked child with as few rights as possible, for parsing bytes of an attacker and for talking
 * to servers. Only a reply of fixed size comes back.
 *
 * The child has no capability and no way to get one, a uid that no other process has (if this
 * process can change its own), a filter of system calls (confine_filter.h), a session keyring of
 * its own, and only the descriptors that are named here. It cannot start a process. It dies when
 * this process ends, for whatever reason, and when its time is over.
 *
 * A child that has the network has no secrets: before anything else, it overwrites its copy of the
 * secret that confine_keep_secret() names, and all environment variables except those that
 * libraries need for the network.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_CONFINE_H
#define JACAMAR_CORE_PRIVILEGE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/error.h"

struct confinement {
	bool network;
	/*
	 * A signal that tells this process to end also ends the work: ERROR_CANCELLED. Such signals
	 * are blocked from then on (signals.h).
	 */
	bool cancellable;
	int64_t limit_ms;
	const int *file; /* a descriptor that the child keeps; NULL or -1: none */
};

/*
 * Runs work(argument, reply, err) in such a child and returns its result. On success `reply`, a
 * plain value, is copied back. The bytes that the child parsed may have taken it over: its reply is
 * as untrusted as they are, and the caller must check each field. A child that dies, or exceeds the
 * limit, is an error.
 */
int confine_run(const struct confinement *how,
		int (*work)(const void *argument, void *reply, struct error *err),
		const void *argument, void *reply, size_t reply_size, struct error *err);

/* Names the secret that no child with the network gets; NULL: there is none any more. */
void confine_keep_secret(void *bytes, size_t size);

#endif
