/*
 * The place where bytes of an attacker are parsed: a forked child without a capability, without
 * a way to get one, from which only a record of fixed size comes back.
 */
#ifndef JACAMAR_CORE_CONFINE_H
#define JACAMAR_CORE_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/*
 * Runs work(argument, reply, err) in a confined child (downscope.h: privilege_confine) and hands
 * on what it returns. `reply` is copied back as `reply_size` bytes, and means something on success
 * alone; it must be a plain value, and since the child may have been taken over by what it parsed,
 * its bytes are as untrusted as the input: the caller checks each field. A child that dies, or that
 * takes longer than `limit_ms`, is an error.
 */
int confine_run(int (*work)(const void *argument, void *reply, struct error *err),
		const void *argument, void *reply, size_t reply_size, int64_t limit_ms,
		struct error *err);

/*
 * The same for work that may take long: a signal that tells this process to end ends it, which is
 * ERROR_CANCELLED. Such signals are held back from then on (supervise.h).
 */
int confine_run_unless_told(int (*work)(const void *argument, void *reply, struct error *err),
			    const void *argument, void *reply, size_t reply_size, int64_t limit_ms,
			    struct error *err);

#endif
