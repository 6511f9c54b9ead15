/*
 * The key sets of servers, kept between jobs as the server sent them: a file for each server in
 * ~/.cache/jacamar-ci of the service account, 0600 in a 0700 directory. The file's modification
 * time is when the set was fetched.
 */
#ifndef JACAMAR_CORE_IDENTITY_JWKS_CACHE_H
#define JACAMAR_CORE_IDENTITY_JWKS_CACHE_H

#include <stdint.h>

#include "core/identity/jwks.h"
#include "core/lib/error.h"
#include "core/lib/url.h"

/*
 * Returns a descriptor of the kept set, which the caller closes, and the set's age in seconds; -1
 * if there is none, or if another account could have written it.
 */
int jwks_cache_open(const struct server *server, int64_t *age);

/* Replaces the kept set by rename(2). */
int jwks_cache_store(const struct server *server, const char *bytes, size_t size,
		     struct error *err);

#endif
