/*
 * The id token of a job: a JSON Web Token (RFC 7519), signed as a compact JWS (RFC 7515) with a
 * key of the server's JWK Set (RFC 7517).
 *
 * This code runs in the confined child alone.
 */
#ifndef JACAMAR_CORE_TOKEN_H
#define JACAMAR_CORE_TOKEN_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "core/claims.h"
#include "core/error.h"
#include "core/job.h"
#include "core/libraries.h"

/* A compact JWS taken apart and decoded; nothing of it is to be believed yet. */
struct token {
	json_t *jws;	/* flattened JWS JSON serialization, as libjose takes it */
	json_t *header; /* the protected header */
	json_t *claims;
	const char *algorithm; /* of a family that we accept; lives as long as `header` */
	const char *key_id;    /* likewise */
};

/*
 * Takes the token apart and refuses every form that is not to be verified at all: algorithms
 * `none` and HS*, keys inside the header, `crit`, members that stand twice. The caller calls
 * token_free also after a failure.
 */
int token_parse(const struct jose_library *jose, const char *text, struct token *token,
		struct error *err);
void token_free(struct token *token);

/*
 * Verifies the signature with the keys of `key_set` (a JWK Set) that bear the token's key id and
 * fit its algorithm. Returns 0; -1 with *err where a key was tried, or none fits; and
 * TOKEN_UNKNOWN_KEY where the set has no key of that id.
 */
#define TOKEN_UNKNOWN_KEY 1
int token_verify(const struct jose_library *jose, const struct token *token, const json_t *key_set,
		 struct error *err);

/* Seconds by which the clocks of the server and of this host may differ. */
#define TOKEN_LEEWAY 60

/* What a claim is held against. */
struct token_rules {
	const struct server *issuer;
	const char *audience; /* NULL: any */
	const struct job *job;
	time_t now;
};

/* Checks the claims of a token whose signature was verified, and copies them out. */
int token_read_claims(const struct token *token, const struct token_rules *rules,
		      struct claims *claims, struct error *err);

#endif
