/*
 * The public keys of a GitLab server: a JWK Set (RFC 7517, section 5), fetched over HTTPS.
 *
 * This code runs in the confined child alone; keyset_cache.h keeps the bytes between jobs.
 */
#ifndef JACAMAR_CORE_KEYSET_H
#define JACAMAR_CORE_KEYSET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/url.h"

#define KEYSET_MOST_SIZE (256 * 1024)

struct keyset_bytes {
	size_t size;
	char bytes[KEYSET_MOST_SIZE];
};

/* The set, which the caller decrefs; NULL with *err where the bytes are not one. */
json_t *keyset_parse(const char *bytes, size_t size, struct error *err);

/* What a request has shown besides the keys, also where it failed. */
struct keyset_answer {
	bool untrusted; /* the server's certificate was refused */
	int64_t date;	/* what the server takes the time for, in seconds of time(2); -1: unknown */
};

/*
 * Asks the server, within 10 s for all of it. `authorities` (or -1) is a descriptor of a file of
 * certificates that are trusted beside the system's. No redirect is followed: it could lead to
 * another origin. *answer is filled in any case, unless it is NULL.
 */
int keyset_fetch(const struct server *server, int authorities, struct keyset_bytes *keys,
		 struct keyset_answer *answer, struct error *err);

#endif
