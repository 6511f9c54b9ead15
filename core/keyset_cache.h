/*
 * The key sets of servers, kept between jobs as the bytes that the server sent: one file a server
 * in ~/.cache/jacamar-ci of the service account, 0600 in a 0700 directory, its time of
 * modification being when it was fetched.
 */
#ifndef JACAMAR_CORE_KEYSET_CACHE_H
#define JACAMAR_CORE_KEYSET_CACHE_H

#include <stdint.h>

#include "core/error.h"
#include "core/keyset.h"
#include "core/url.h"

/*
 * A descriptor to read the kept set from, which the caller closes, with its age in seconds; -1
 * where there is none, or none that only this account could have written.
 */
int keyset_cache_open(const struct server *server, int64_t *age);

/* Replaces the kept set in one step. */
int keyset_cache_store(const struct server *server, const struct keyset_bytes *keys,
		       struct error *err);

#endif
