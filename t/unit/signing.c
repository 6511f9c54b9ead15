#include "t/unit/signing.h"

#include <check.h>
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/text.h"

json_t *signing_key(const char *kind, int bits, const char *key_id)
{
	json_t *key = bits > 0 ? json_pack("{s:s, s:i}", "kty", kind, "bits", bits)
			       : json_pack("{s:s, s:s}", "kty", "EC", "crv", kind);
	ck_assert(jose_jwk_gen(NULL, key));
	json_object_del(key, "key_ops");
	json_object_set_new(key, "kid", json_string(key_id));
	return key;
}

json_t *signing_secret(const char *bytes, size_t size)
{
	return json_pack("{s:s, s:o}", "kty", "oct", "k", jose_b64_enc(bytes, size));
}

json_t *signing_public(const json_t *key)
{
	json_t *half = json_deep_copy(key);
	ck_assert(jose_jwk_pub(NULL, half));
	return half;
}

char *signing_encode(const char *text)
{
	json_t *encoded = jose_b64_enc(text, strlen(text));
	char *copy = strdup(json_string_value(encoded));
	json_decref(encoded);
	ck_assert_ptr_nonnull(copy);
	return copy;
}

char *signing_token(const json_t *key, const char *header, const char *claims)
{
	json_t *jws = json_pack("{s:o}", "payload", jose_b64_enc(claims, strlen(claims)));
	json_t *signature = json_pack("{s:o}", "protected", jose_b64_enc(header, strlen(header)));
	ck_assert_msg(jose_jws_sig(NULL, jws, signature, key), "cannot sign with %s", header);
	char *token = text_format("%s.%s.%s", json_string_value(json_object_get(jws, "protected")),
				  json_string_value(json_object_get(jws, "payload")),
				  json_string_value(json_object_get(jws, "signature")));
	ck_assert_ptr_nonnull(token);
	json_decref(signature);
	json_decref(jws);
	return token;
}
