/*
 * The id token of a job: a JSON Web Token (RFC 7519), signed as a compact JWS (RFC 7515) with a
 * key of the server's JWK Set (RFC 7517).
 *
 * This code runs only in a confined child without the network.
 */
#ifndef JACAMAR_CORE_IDENTITY_JWT_H
#define JACAMAR_CORE_IDENTITY_JWT_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "core/identity/claims.h"
#include "core/identity/job.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/error.h"

/* A parsed compact JWS; nothing in it is verified. */
struct jwt {
	json_t *jws;	/* flattened JWS JSON serialization, for libjose */
	json_t *header; /* the protected header */
	json_t *claims;
	const char *algorithm; /* of a family that we accept; lives as long as `header` */
	const char *key_id;    /* likewise */
};

/*
 * Parses the token and refuses what must not be verified at all: the algorithms `none` and HS*,
 * keys inside the header, `crit`, duplicate names. The caller calls jwt_free also after a failure.
 */
int jwt_parse(const struct jose_library *jose, const char *text, struct jwt *token,
	      struct error *err);
void jwt_free(struct jwt *token);

/*
 * Verifies the signature with the keys of `key_set` (a JWK Set) that have the token's key id and
 * fit its algorithm. Returns 0; TOKEN_UNKNOWN_KEY if no key has that id; else -1 with *err.
 */
#define TOKEN_UNKNOWN_KEY 1
int jwt_verify(const struct jose_library *jose, const struct jwt *token, const json_t *key_set,
	       struct error *err);

/* Seconds by which the clocks of the server and of this host may differ. */
#define TOKEN_LEEWAY 60

/* What the claims are compared with. */
struct jwt_rules {
	const struct server *issuer;
	const char *audience; /* NULL: any */
	const struct job *job;
	time_t now;
};

/* Checks the claims of a token whose signature was verified, and copies them. */
int jwt_read_claims(const struct jwt *token, const struct jwt_rules *rules, struct claims *claims,
		    struct error *err);

#endif
