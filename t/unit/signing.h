/*
 * Keys and tokens, good ones and forged ones. Unlike a library that makes tokens, this signs any
 * header and any claims, as the bytes they are.
 */
#ifndef JACAMAR_UNIT_SIGNING_H
#define JACAMAR_UNIT_SIGNING_H

#include <jansson.h>

/*
 * A private key (JWK) that the caller decrefs. `bits` is for RSA, else 0; `kind` is "RSA", or a
 * curve's name. It names no algorithm, so that it signs with any of its kind.
 */
json_t *signing_key(const char *kind, int bits, const char *key_id);

/* A symmetric key of these bytes. */
json_t *signing_secret(const char *bytes, size_t size);

/* The JWK of its public half. */
json_t *signing_public(const json_t *key);

/* The bytes in base64url, in new memory. */
char *signing_encode(const char *text);

/* The token of this header and these claims, both JSON text, in new memory. */
char *signing_token(const json_t *key, const char *header, const char *claims);

#endif
