/*
 * The public keys of a GitLab server: a JWK Set (RFC 7517, section 5), fetched over HTTPS.
 *
 * A confined child that has the network fetches the bytes, another one without it parses them;
 * jwks_cache.h keeps them between jobs.
 */
#ifndef JACAMAR_CORE_IDENTITY_JWKS_H
#define JACAMAR_CORE_IDENTITY_JWKS_H

#include <jansson.h>
#include <stddef.h>

#include "core/identity/http.h"
#include "core/lib/error.h"
#include "core/lib/url.h"

#define KEYSET_MOST_SIZE HTTP_MOST_SIZE

/* A new reference to the set; NULL with *err if the bytes are not one. */
json_t *jwks_parse(const char *bytes, size_t size, struct error *err);

/* Requests the set as http.h says. */
int jwks_fetch(const struct server *server, int authorities, struct http_answer *answer,
	       struct error *err);

#endif
