/* The id token: what is accepted, and how it can be forged, stolen or used too long. */
#include <jansson.h>
#include <jose/b64.h>
#include <stdlib.h>
#include <string.h>

#include "core/identity/jwt.h"
#include "core/lib/text.h"
#include "t/unit/signing.h"
#include "t/unit/suites.h"

#define NOW 1700000000

static struct jose_library jose;
static struct server server;
static struct job job;
static json_t *rsa, *p256, *p384, *p521, *stranger;
static json_t *key_set; /* the public halves of all but the stranger */

static void add_public(const json_t *key)
{
	json_array_append_new(json_object_get(key_set, "keys"), signing_public(key));
}

/* An RSA key of 2040 bits, which our own library would not make. */
static void add_short(void)
{
	char modulus[255];
	memset(modulus, 0xff, sizeof(modulus));
	json_t *key = signing_secret(modulus, sizeof(modulus));
	json_object_set_new(key, "kty", json_string("RSA"));
	json_object_set_new(key, "kid", json_string("rsa-short"));
	json_object_set(key, "n", json_object_get(key, "k"));
	json_object_set_new(key, "e", json_string("AQAB"));
	json_object_del(key, "k");
	json_array_append_new(json_object_get(key_set, "keys"), key);
}

/* Keys take time to make: once for all tests. */
static void make_keys(void)
{
	struct error err;
	ck_assert_int_eq(dynamic_libraries_open_jose(&jose, &err), 0);
	ck_assert_int_eq(url_server("https://gitlab.example.com", &server, &err), 0);
	job = (struct job){.id = 981625,
			   .project_id = 20,
			   .pipeline_id = 574,
			   .user_id = 1,
			   .project_path = "group/project"};
	rsa = signing_key("RSA", 2048, "rsa");
	p256 = signing_key("P-256", 0, "p256");
	p384 = signing_key("P-384", 0, "p384");
	p521 = signing_key("P-521", 0, "p521");
	stranger = signing_key("P-256", 0, "p256");
	key_set = json_pack("{s:[]}", "keys");
	add_public(rsa);
	add_short();
	add_public(p256);
	add_public(p384);
	add_public(p521);
}

static void free_keys(void)
{
	json_decref(rsa);
	json_decref(p256);
	json_decref(p384);
	json_decref(p521);
	json_decref(stranger);
	json_decref(key_set);
}

/* GitLab's claims as JSON, the member `name` being `value` (JSON; NULL: it is left out). */
static char *claims_with(const char *name, const char *value)
{
	json_t *claims =
		json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "iss",
			  "https://gitlab.example.com", "aud", "https://site.example", "iat", NOW,
			  "nbf", NOW, "exp", NOW + 3600, "sub", "project_path:group/project",
			  "user_login", "usr", "user_id", "1", "job_id", "981625", "project_id",
			  "20", "pipeline_id", "574", "project_path", "group/project");
	json_object_set_new(claims, "pipeline_source", json_string("push"));
	if (name != NULL && value == NULL)
		json_object_del(claims, name);
	else if (name != NULL)
		json_object_set_new(claims, name, json_loads(value, JSON_DECODE_ANY, NULL));
	char *text = json_dumps(claims, JSON_COMPACT);
	json_decref(claims);
	ck_assert_ptr_nonnull(text);
	return text;
}

/* All checks of a token: 0, -1, or TOKEN_UNKNOWN_KEY. */
static int judge(const char *text, const char *audience, struct claims *claims, struct error *err)
{
	struct jwt token;
	struct jwt_rules rules = {.issuer = &server, .audience = audience, .job = &job, .now = NOW};
	err->kind = ERROR_NONE;
	err->detail[0] = '\0';
	int result = jwt_parse(&jose, text, &token, err);
	if (result == 0)
		result = jwt_verify(&jose, &token, key_set, err);
	if (result == 0)
		result = jwt_read_claims(&token, &rules, claims, err);
	jwt_free(&token);
	return result;
}

/* The token is denied, for a reason that has `reason` in it. */
static void expect_denied(const char *text, const char *reason)
{
	struct claims claims;
	struct error err;
	ck_assert_msg(judge(text, NULL, &claims, &err) == -1, "accepted: %s", text);
	ck_assert_msg(strstr(err.detail, reason) != NULL, "'%s' is not in '%s'", reason,
		      err.detail);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
}

static const struct {
	const char *header;
	json_t **key;
} ACCEPTED[] = {
	{"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", &rsa},
	{"{\"alg\":\"RS384\",\"kid\":\"rsa\"}", &rsa},
	{"{\"alg\":\"RS512\",\"kid\":\"rsa\"}", &rsa},
	{"{\"alg\":\"PS256\",\"kid\":\"rsa\"}", &rsa},
	{"{\"alg\":\"PS384\",\"kid\":\"rsa\"}", &rsa},
	{"{\"alg\":\"PS512\",\"kid\":\"rsa\"}", &rsa},
	{"{\"alg\":\"ES256\",\"kid\":\"p256\"}", &p256},
	{"{\"alg\":\"ES384\",\"kid\":\"p384\"}", &p384},
	{"{\"alg\":\"ES512\",\"kid\":\"p521\"}", &p521},
	{"{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"p256\",\"x\":[1,{}]}", &p256},
};

START_TEST(each_accepted_algorithm_verifies)
{
	struct claims claims;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(*ACCEPTED[_i].key, ACCEPTED[_i].header, said);
	ck_assert_msg(judge(text, NULL, &claims, &err) == 0, "%s", err.detail);
	ck_assert_str_eq(claims.user_login, "usr");
	ck_assert_uint_eq(claims.job_id, 981625);
	ck_assert_uint_eq(claims.project_id, 20);
	ck_assert_uint_eq(claims.pipeline_id, 574);
	ck_assert_uint_eq(claims.user_id, 1);
	ck_assert_str_eq(claims.project_path, "group/project");
	ck_assert_str_eq(claims.pipeline_source, "push");
	free(text);
	free(said);
}
END_TEST

#define SIGNED_BY(member) "{\"alg\":\"ES256\",\"kid\":\"p256\"," member "}"

/* Properly signed, but with a header that must not be verified at all. */
static const struct {
	const char *header;
	const char *reason;
} HEADERS[] = {
	{SIGNED_BY("\"jwk\":{\"kty\":\"EC\"}"), "header has 'jwk'"},
	{SIGNED_BY("\"jwk\":null"), "header has 'jwk'"},
	{SIGNED_BY("\"jku\":\"https://evil.example/keys\""), "header has 'jku'"},
	{SIGNED_BY("\"x5u\":\"https://evil.example/cert\""), "header has 'x5u'"},
	{SIGNED_BY("\"x5c\":[\"MII\"]"), "header has 'x5c'"},
	{SIGNED_BY("\"crit\":[\"exp\"]"), "header has 'crit'"},
	{SIGNED_BY("\"crit\":[]"), "header has 'crit'"},
	{SIGNED_BY("\"b64\":true"), "header has 'b64'"},
	{SIGNED_BY("\"zip\":\"DEF\""), "header has 'zip'"},
	{SIGNED_BY("\"kid\":\"p256\""), "a duplicate name"},
	{SIGNED_BY("\"alg\":\"ES256\""), "a duplicate name"},
	{SIGNED_BY("\"k\\u0069d\":\"p384\""), "a duplicate name"},
	{"{\"alg\":\"ES256\"}", "names no key"},
	{"{\"alg\":\"ES256\",\"kid\":7}", "names no key"},
	{"{\"alg\":\"ES256\",\"kid\":null}", "names no key"},
};

START_TEST(a_header_that_asks_for_more_is_refused)
{
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(p256, HEADERS[_i].header, said);
	expect_denied(text, HEADERS[_i].reason);
	free(text);
	free(said);
}
END_TEST

START_TEST(a_claim_that_stands_twice_is_refused)
{
	char *text = signing_token(p256, SIGNED_BY("\"typ\":\"JWT\""),
				   "{\"job_id\":\"1\",\"job_id\":\"981625\"}");
	expect_denied(text, "a duplicate name");
	free(text);
}
END_TEST

static const char *const ALGORITHMS[] = {
	"\"none\"",  "\"None\"",  "\"NONE\"",	 "\"\"",       "\"HS256\"", "\"HS384\"",
	"\"HS512\"", "\"es256\"", "\"ES256K\"",	 "\"EdDSA\"",  "\"RS1\"",   "\"RS256 \"",
	"null",	     "7",	  "[\"ES256\"]", "\"A128KW\"", "\"dir\"",
};

START_TEST(another_algorithm_is_refused_whatever_its_signature)
{
	static const char *const signatures[] = {"AA", "e30", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	char *said = claims_with(NULL, NULL);
	char *claims = signing_encode(said);
	char *header = text_format("{\"alg\":%s,\"kid\":\"p256\"}", ALGORITHMS[_i]);
	char *encoded = signing_encode(header);
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		char *text = text_format("%s.%s.%s", encoded, claims, signatures[i]);
		expect_denied(text, "is not accepted");
		free(text);
	}
	/* The form of RFC 7519, section 6.1. */
	char *unsigned_text = text_format("%s.%s.", encoded, claims);
	expect_denied(unsigned_text, "is not a compact, signed JWS");
	free(unsigned_text);
	free(encoded);
	free(header);
	free(claims);
	free(said);
}
END_TEST

START_TEST(a_public_key_is_no_secret_to_sign_with)
{
	static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
					      "{\"alg\":\"HS384\",\"kid\":\"rsa\"}",
					      "{\"alg\":\"HS512\",\"kid\":\"rsa\"}"};
	json_t *half = signing_public(rsa);
	const char *modulus = json_string_value(json_object_get(half, "n"));
	char *whole = json_dumps(half, JSON_COMPACT);
	char *said = claims_with(NULL, NULL);
	const char *const secrets[] = {modulus, whole};
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 2; k++) {
			json_t *secret = signing_secret(secrets[k], strlen(secrets[k]));
			char *text = signing_token(secret, headers[i], said);
			expect_denied(text, "is not accepted");
			free(text);
			json_decref(secret);
		}
	free(said);
	free(whole);
	json_decref(half);
}
END_TEST

static const char *const FORMS[] = {
	"",
	".",
	"..",
	"e30",
	"e30.e30",
	"e30.e30.",
	".e30.e30",
	"e30..e30",
	"e30.e30.e30.e30",
	"e30.e30.e30.",
	"e30.e30.e30\n",
	" e30.e30.e30",
	"e30=.e30.e30",
	"e3+.e30.e30",
	"e3/.e30.e30",
	"e30,e30,e30",
	"{\"payload\":\"e30\",\"protected\":\"e30\",\"signature\":\"e30\"}",
};

START_TEST(only_the_compact_form_is_taken)
{
	expect_denied(FORMS[_i], "is not a compact, signed JWS");
}
END_TEST

/*
 * Base64url of texts that are not objects: "[]", "7", "null", "{", "{}x", bytes that are not UTF-8,
 * a cut one.
 */
static const char *const PARTS[] = {"W10", "Nw", "bnVsbA", "ew", "e314", "_w", "e", "eyJh"};

START_TEST(header_and_claims_are_json_objects)
{
	char *said = claims_with(NULL, NULL);
	char *claims = signing_encode(said);
	char *header = signing_encode("{\"alg\":\"ES256\",\"kid\":\"p256\"}");
	char *bad_header = text_format("%s.%s.AA", PARTS[_i], claims);
	char *bad_claims = text_format("%s.%s.AA", header, PARTS[_i]);
	expect_denied(bad_header, "are not a JSON object");
	expect_denied(bad_claims, "are not a JSON object");
	free(bad_claims);
	free(bad_header);
	free(header);
	free(claims);
	free(said);
}
END_TEST

START_TEST(more_than_64_kib_are_refused)
{
	char *claims = text_format("{\"x\":\"%065536d\"}", 0);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", claims);
	expect_denied(text, "larger than 64 KiB");
	free(text);
	free(claims);
}
END_TEST

static const struct {
	const char *header;
	json_t **key;
	const char *reason;
} MISFITS[] = {
	/* A key of the set, but not of the kind that the algorithm takes. */
	{"{\"alg\":\"RS256\",\"kid\":\"p256\"}", &rsa, "is not one for RS256"},
	{"{\"alg\":\"ES256\",\"kid\":\"rsa\"}", &p256, "is not one for ES256"},
	{"{\"alg\":\"ES384\",\"kid\":\"p256\"}", &p384, "is not one for ES384"},
	{"{\"alg\":\"ES256\",\"kid\":\"p521\"}", &p256, "is not one for ES256"},
	{"{\"alg\":\"RS256\",\"kid\":\"rsa-short\"}", &rsa, "is not one for RS256"},
	{"{\"alg\":\"PS512\",\"kid\":\"rsa-short\"}", &rsa, "is not one for PS512"},
	/* A key that is not the set's under an id that is. */
	{"{\"alg\":\"ES256\",\"kid\":\"p256\"}", &stranger, "signature is wrong"},
};

START_TEST(a_key_that_does_not_fit_verifies_nothing)
{
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(*MISFITS[_i].key, MISFITS[_i].header, said);
	expect_denied(text, MISFITS[_i].reason);
	free(text);
	free(said);
}
END_TEST

/* Members of a key that limit its use (RFC 7517, section 4). */
static const struct {
	const char *name;
	const char *value;
	bool fits;
} KEY_USES[] = {
	{"use", "sig", true},	{"use", "enc", false},	 {"use", "", false},
	{"alg", "ES256", true}, {"alg", "ES384", false}, {"alg", "RS256", false},
	{"alg", "none", false},
};

/* The operations that a key is for, as JSON. */
static const struct {
	const char *operations;
	bool fits;
} KEY_OPERATIONS[] = {
	{"[\"verify\"]", true},
	{"[\"sign\",\"verify\"]", true},
	{"[\"sign\"]", false},
	{"[\"encrypt\",\"wrapKey\"]", false},
	{"[]", false},
	{"\"verify\"", false},
	{"[\"Verify\"]", false},
	{"[[\"verify\"]]", false},
	{"{\"verify\":1}", false},
	{"null", false},
};

/* Exponents in base64url, of the modulus of a good key. */
static const struct {
	const char *exponent;
	bool fits;
} EXPONENTS[] = {
	{"AQAB", true},		 /* 65537 */
	{"AQ", false},		 /* 1: every signature would be its own message */
	{"Aw", false},		 /* 3 */
	{"AQAA", false},	 /* 65536 */
	{"AP__", false},	 /* 65535, behind a zero byte */
	{"AAEAAQ", false},	 /* 65537, likewise */
	{"AAAAAAAAAAE", false},	 /* 1 in eight bytes */
	{"AQAAAAAAAAAB", false}, /* 2^64 + 1 */
	{"", false},
	{"AQA=", false},
	{"!", false},
};

START_TEST(a_key_is_used_for_what_it_is_meant_for)
{
	struct claims claims;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	json_t *key = json_array_get(json_object_get(key_set, "keys"), 2);
	ck_assert_str_eq(json_string_value(json_object_get(key, "kid")), "p256");
	json_object_set_new(key, KEY_USES[_i].name, json_string(KEY_USES[_i].value));
	int result = judge(text, NULL, &claims, &err);
	ck_assert_int_eq(result, KEY_USES[_i].fits ? 0 : -1);
	if (result != 0)
		ck_assert_ptr_nonnull(strstr(err.detail, "is not one for ES256"));
	json_object_del(key, KEY_USES[_i].name);
	free(text);
	free(said);
}
END_TEST

START_TEST(a_key_that_is_not_for_verifying_verifies_nothing)
{
	struct claims claims;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	json_t *key = json_array_get(json_object_get(key_set, "keys"), 2);
	json_t *operations = json_loads(KEY_OPERATIONS[_i].operations, JSON_DECODE_ANY, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(key, "kid")), "p256");
	json_object_set_new(key, "key_ops", operations);
	int result = judge(text, NULL, &claims, &err);
	ck_assert_int_eq(result, KEY_OPERATIONS[_i].fits ? 0 : -1);
	if (result != 0)
		ck_assert_ptr_nonnull(strstr(err.detail, "is not one for ES256"));
	json_object_del(key, "key_ops");
	free(text);
	free(said);
}
END_TEST

START_TEST(an_rsa_key_has_a_sound_exponent)
{
	struct claims claims;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", said);
	json_t *key = json_array_get(json_object_get(key_set, "keys"), 0);
	json_t *good = json_incref(json_object_get(key, "e"));
	ck_assert_str_eq(json_string_value(json_object_get(key, "kid")), "rsa");
	json_object_set_new(key, "e", json_string(EXPONENTS[_i].exponent));
	int result = judge(text, NULL, &claims, &err);
	ck_assert_int_eq(result, EXPONENTS[_i].fits ? 0 : -1);
	if (result != 0)
		ck_assert_msg(strstr(err.detail, "is not one for RS256") != NULL, "%s", err.detail);
	json_object_set_new(key, "e", good);
	free(text);
	free(said);
}
END_TEST

/* With e = 1 a signature is the padded digest itself, which anybody can write down. */
START_TEST(nobody_signs_for_a_key_whose_exponent_is_one)
{
	unsigned char modulus[256];
	memset(modulus, 0xff, sizeof(modulus));
	json_t *key = signing_secret((const char *)modulus, sizeof(modulus));
	json_object_set_new(key, "kty", json_string("RSA"));
	json_object_set_new(key, "kid", json_string("one"));
	json_object_set(key, "n", json_object_get(key, "k"));
	json_object_del(key, "k");
	json_object_set_new(key, "e", json_string("AQ"));
	json_array_append_new(json_object_get(key_set, "keys"), key);

	char *said = claims_with(NULL, NULL);
	char *header = signing_encode("{\"alg\":\"RS256\",\"kid\":\"one\"}");
	char *payload = signing_encode(said);
	char *input = text_format("%s.%s", header, payload);
	/* EMSA-PKCS1-v1_5 of RFC 8017: 00 01 ff.. 00, the name of SHA-256, the digest. */
	static const unsigned char NAME[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
					     0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
					     0x01, 0x05, 0x00, 0x04, 0x20};
	unsigned char padded[256] = {0x00, 0x01};
	size_t digest_at = sizeof(padded) - 32;
	memset(padded + 2, 0xff, digest_at - sizeof(NAME) - 3);
	memcpy(padded + digest_at - sizeof(NAME), NAME, sizeof(NAME));
	jose.sha256((const unsigned char *)input, strlen(input), padded + digest_at);
	json_t *signature = jose_b64_enc(padded, sizeof(padded));
	char *text = text_format("%s.%s", input, json_string_value(signature));
	expect_denied(text, "is not one for RS256");
	json_decref(signature);
	free(text);
	free(input);
	free(payload);
	free(header);
	free(said);
	json_array_remove(json_object_get(key_set, "keys"),
			  json_array_size(json_object_get(key_set, "keys")) - 1);
}
END_TEST

/* 257 bytes, of which the first is zero and the second small: no more than 2041 bits. */
START_TEST(zeros_do_not_make_a_key_longer)
{
	char modulus[257] = {0, 1};
	memset(modulus + 2, 0xff, sizeof(modulus) - 2);
	json_t *longer = signing_secret(modulus + 1, 256);
	json_t *padded = signing_secret(modulus, 257);
	json_t *key = json_array_get(json_object_get(key_set, "keys"), 1);
	json_t *kept = json_incref(json_object_get(key, "n"));
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa-short\"}", said);
	ck_assert_str_eq(json_string_value(json_object_get(key, "kid")), "rsa-short");
	json_object_set(key, "n", json_object_get(longer, "k"));
	expect_denied(text, "is not one for RS256");
	json_object_set(key, "n", json_object_get(padded, "k"));
	expect_denied(text, "is not one for RS256");
	json_object_set_new(key, "n", kept);
	free(text);
	free(said);
	json_decref(longer);
	json_decref(padded);
}
END_TEST

START_TEST(a_key_of_another_type_fits_nothing_whatever_else_it_has)
{
	static const char *const headers[] = {"{\"alg\":\"RS256\",\"kid\":\"all\"}",
					      "{\"alg\":\"ES256\",\"kid\":\"all\"}"};
	static const char *const types[] = {"oct", "OKP", "rsa", ""};
	json_t *key = signing_public(rsa);
	json_object_update_missing(key, p256);
	json_object_set_new(key, "k", json_string("AAAA"));
	json_object_set_new(key, "kid", json_string("all"));
	json_array_append_new(json_object_get(key_set, "keys"), key);
	char *said = claims_with(NULL, NULL);
	for (size_t i = 0; i < 2; i++) {
		char *text = signing_token(i == 0 ? rsa : p256, headers[i], said);
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
			json_object_set_new(key, "kty", json_string(types[k]));
			expect_denied(text, "is not one for");
		}
		free(text);
	}
	free(said);
	json_array_remove(json_object_get(key_set, "keys"),
			  json_array_size(json_object_get(key_set, "keys")) - 1);
}
END_TEST

START_TEST(an_unknown_key_id_is_told_apart)
{
	struct claims claims;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256x\"}", said);
	ck_assert_int_eq(judge(text, NULL, &claims, &err), TOKEN_UNKNOWN_KEY);
	free(text);
	text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"\"}", said);
	ck_assert_int_eq(judge(text, NULL, &claims, &err), TOKEN_UNKNOWN_KEY);
	free(text);
	free(said);
}
END_TEST

START_TEST(a_set_of_other_things_has_no_key)
{
	struct jwt token;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	static const char *const sets[] = {
		"{\"keys\":[]}",
		"{\"keys\":[1,null,\"p256\",[],{}]}",
		"{\"keys\":{\"kid\":\"p256\"}}",
		"{\"keys\":[{\"kid\":7,\"kty\":\"EC\"}]}",
		"{}",
	};
	ck_assert_int_eq(jwt_parse(&jose, text, &token, &err), 0);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		json_t *set = json_loads(sets[i], 0, NULL);
		ck_assert_int_eq(jwt_verify(&jose, &token, set, &err), TOKEN_UNKNOWN_KEY);
		json_decref(set);
	}
	/* Of the right id and kind, and nothing behind it. */
	json_t *hollow =
		json_loads("{\"keys\":[{\"kid\":\"p256\",\"kty\":\"EC\",\"crv\":\"P-256\"},"
			   "{\"kid\":\"p256\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\","
			   "\"y\":\"AA\"}]}",
			   0, NULL);
	ck_assert_int_eq(jwt_verify(&jose, &token, hollow, &err), -1);
	/* Every key of the id is tried. */
	json_array_append_new(json_object_get(hollow, "keys"), signing_public(p256));
	ck_assert_int_eq(jwt_verify(&jose, &token, hollow, &err), 0);
	json_decref(hollow);
	jwt_free(&token);
	free(text);
	free(said);
}
END_TEST

START_TEST(a_token_that_was_changed_anywhere_is_refused)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct claims claims;
	struct error err;
	char *said = claims_with(NULL, NULL);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	ck_assert_int_eq(judge(text, NULL, &claims, &err), 0);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char kept = text[i];
		if (kept == '.')
			continue;
		/* The highest bit: the lowest ones of a last letter may mean nothing. */
		text[i] = letters[(strchr(letters, kept) - letters) ^ 32];
		ck_assert_msg(judge(text, NULL, &claims, &err) != 0, "letter %zu was changed", i);
		text[i] = kept;
	}
	ck_assert_int_eq(judge(text, NULL, &claims, &err), 0);
	free(text);
	free(said);
}
END_TEST

START_TEST(a_signature_does_not_move_to_other_claims)
{
	char *said = claims_with(NULL, NULL);
	char *other = claims_with("user_login", "\"root2\"");
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	char *changed = signing_encode(other);
	const char *first = strchr(text, '.');
	char *forged =
		text_format("%.*s.%s%s", (int)(first - text), text, changed, strrchr(text, '.'));
	expect_denied(forged, "signature is wrong");
	free(forged);
	free(changed);
	free(text);
	free(other);
	free(said);
}
END_TEST

/* One claim is changed; NULL as value takes it away, NULL as reason says that it is accepted. */
static const struct {
	const char *name;
	const char *value;
	const char *reason;
} CLAIMS[] = {
	/* NOW is 1700000000; 60 seconds of leeway. */
	{"exp", "1699999941", NULL},
	{"exp", "1699999940.5", NULL},
	{"exp", "1699999940", "has expired"},
	{"exp", "0", "has expired"},
	{"exp", "9223372036854774784", NULL},
	{"exp", "9223372036854775807", "the id token's exp is malformed"}, /* 2^63 as a double */
	{"exp", "9223372036854775807.5", "the id token's exp is malformed"},
	{"exp", "1e19", "the id token's exp is malformed"},
	{"exp", "1e300", "the id token's exp is malformed"},
	{"exp", "1e308", "the id token's exp is malformed"},
	{"exp", "-1700000000", "the id token's exp is malformed"},
	{"exp", "-1", "the id token's exp is malformed"},
	{"exp", "\"1800000000\"", "the id token's exp is malformed"},
	{"exp", "null", "the id token's exp is malformed"},
	{"exp", "true", "the id token's exp is malformed"},
	{"exp", "[1800000000]", "the id token's exp is malformed"},
	{"exp", NULL, "no time of expiry"},
	{"nbf", "1700000060", NULL},
	{"nbf", "1700000061", "not valid yet"},
	{"nbf", "1699999999.5", NULL},
	{"nbf", "1e300", "the id token's nbf is malformed"},
	{"nbf", "-1e300", "the id token's nbf is malformed"},
	{"nbf", "-1", "the id token's nbf is malformed"},
	{"nbf", "\"1\"", "the id token's nbf is malformed"},
	{"nbf", NULL, NULL},
	{"iat", "1700000060", NULL},
	{"iat", "1700000061", "not valid yet"},
	{"iat", "-0.5", "the id token's iat is malformed"},
	{"iat", "-1e19", "the id token's iat is malformed"},
	{"iat", "\"1\"", "the id token's iat is malformed"},
	{"iat", NULL, NULL},

	{"iss", "\"https://gitlab.example.com/\"", NULL},
	{"iss", "\"https://GitLab.example.com:443\"", NULL},
	{"iss", "\"gitlab.example.com\"", NULL},
	{"iss", NULL, "has no issuer"},
	{"iss", "null", "has no issuer"},
	{"iss", "7", "has no issuer"},
	{"iss", "\"\"", "was issued by"},
	{"iss", "\"example.com\"", "was issued by"},
	{"iss", "\"gitlab.example.com.evil.example\"", "was issued by"},
	{"iss", "\"evil.gitlab.example.com\"", "was issued by"},
	{"iss", "\"http://gitlab.example.com\"", "was issued by"},
	{"iss", "\"https://gitlab.example.com:8443\"", "was issued by"},
	{"iss", "\"https://gitlab.example.com/sub\"", "was issued by"},
	{"iss", "\"https://gitlab.example.com@evil.example\"", "was issued by"},
	{"iss", "\"https://evil.example/https://gitlab.example.com\"", "was issued by"},
	{"iss", "[\"https://gitlab.example.com\"]", "has no issuer"},

	{"user_login", "\"a.b_c-d\"", NULL},
	{"user_login", NULL, "user_login is missing"},
	{"user_login", "null", "user_login is missing"},
	{"user_login", "7", "user_login is missing"},
	{"user_login", "\"\"", "user_login is missing"},
	{"user_login", "\"1000\"", "user_login is missing"},
	{"user_login", "\"-usr\"", "user_login is missing"},
	{"user_login", "\"../usr\"", "user_login is missing"},
	{"user_login", "\"usr\\n\"", "user_login is missing"},
	{"user_login", "\"usr root\"", "user_login is missing"},
	{"user_login", "\"0123456789012345678901234567890123456789012345678901234567890123x\"",
	 "user_login is missing"},

	{"job_id", "981625", NULL},
	{"job_id", "\"981624\"", "is of job 981624, this is job 981625"},
	{"job_id", "981624", "is of job 981624, this is job 981625"},
	{"job_id", "0", "job_id is missing or malformed"},
	{"job_id", NULL, "the id token's job_id is missing or malformed"},
	{"job_id", "null", "the id token's job_id is missing or malformed"},
	{"job_id", "\"\"", "the id token's job_id is missing or malformed"},
	{"job_id", "\"981625x\"", "the id token's job_id is missing or malformed"},
	{"job_id", "981625.0", "the id token's job_id is missing or malformed"},
	{"job_id", "-981625", "the id token's job_id is missing or malformed"},
	{"job_id", "[981625]", "the id token's job_id is missing or malformed"},

	{"project_id", "20", NULL},
	{"project_id", NULL, NULL},
	{"project_id", "null", NULL},
	{"project_id", "21", "project_id is 21, the job's is 20"},
	{"project_id", "\"21\"", "project_id is 21, the job's is 20"},
	{"project_id", "21", "only GitLab 18.4 and later say which project such a job belongs to"},
	{"project_id", "\"x\"", "missing or malformed"},
	{"job_project_id", "20", "has one of job_project_id and job_project_path without"},
	{"job_project_path", "\"group/project\"", "has one of job_project_id and"},
	{"job_project_path", "7", "the id token's job_project_path is missing or malformed"},
	{"job_project_id", "-20", "the id token's job_project_id is missing or malformed"},
	{"pipeline_id", "574", NULL},
	{"pipeline_id", NULL, NULL},
	{"pipeline_id", "\"575\"", "pipeline_id is 575, the job's is 574"},
	{"pipeline_id", "false", "missing or malformed"},
	{"user_id", "1", NULL},
	{"user_id", NULL, NULL},
	{"user_id", "\"2\"", "user_id is 2, the job's is 1"},
	{"user_id", "{}", "missing or malformed"},
	{"project_path", "\"Group/Project\"", NULL},
	{"project_path", NULL, NULL},
	{"project_path", "null", NULL},
	{"project_path", "\"group/other\"", "is of project group/other, the job of group/project"},
	{"project_path", "\"group/project2\"", "is of project group/project2"},
	{"project_path", "7", "the id token's project_path is missing or malformed"},

	{"pipeline_source", NULL, NULL},
	{"pipeline_source", "\"0123456789012345678901234567890123456789012345678901234567890123\"",
	 "the id token's pipeline_source is missing or malformed"},
	{"user_email", "\"usr@example.com\"", NULL},
	{"user_email", "7", "the id token's user_email is missing or malformed"},
	{"user_access_level", "\"developer\"", NULL},
	{"user_access_level", "30", "the id token's user_access_level is missing or malformed"},
	{"ref_protected", "true", NULL},
	{"ref_protected", "\"false\"", NULL},
	{"ref_protected", "1", "the id token's ref_protected is missing or malformed"},
	{"ref_protected", "\"protected\"", "the id token's ref_protected is missing or malformed"},
	{"sha", "\"714a629c0b401fdce83e847fc9589983fc6f46bc\"", NULL},
	{"sha", "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\"",
	 "the id token's sha is missing or malformed"},
	{"runner_id", "1", NULL},
	{"runner_id", "\"1\"", NULL},
	{"runner_id", "\"one\"", "the id token's runner_id is missing or malformed"},
	{"namespace_id", "\"9970\"", NULL},
	{"namespace_id", "[]", "the id token's namespace_id is missing or malformed"},
	{"ref", "\"feature/x\"", NULL},
	{"ref", "true", "the id token's ref is missing or malformed"},
	{"user_identities", "null", NULL},
	{"user_identities", "[]", NULL},
	{"user_identities", "[{\"provider\":\"site\",\"extern_uid\":\"4711\"}]", NULL},
	{"user_identities", "{}", "user_identities are not a list"},
	{"user_identities", "[7]", NULL},
	{"unknown", "{\"a\":[1,2]}", NULL},
};

START_TEST(each_claim_is_held_against_the_job)
{
	struct claims claims;
	struct error err;
	char *said = claims_with(CLAIMS[_i].name, CLAIMS[_i].value);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	if (CLAIMS[_i].reason != NULL)
		expect_denied(text, CLAIMS[_i].reason);
	else
		ck_assert_msg(judge(text, NULL, &claims, &err) == 0, "%s: %s", said, err.detail);
	free(text);
	free(said);
}
END_TEST

START_TEST(what_the_job_does_not_say_is_not_compared)
{
	struct claims claims;
	struct error err;
	char *said = claims_with("project_path", "\"other/project\"");
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	struct job known = job;
	job = (struct job){.id = known.id};
	ck_assert_int_eq(judge(text, NULL, &claims, &err), 0);
	ck_assert_str_eq(claims.project_path, "other/project");
	/* The job's number is compared whatever else is known. */
	job.id++;
	ck_assert_int_eq(judge(text, NULL, &claims, &err), -1);
	job = known;
	free(text);
	free(said);
}
END_TEST

/* The token's projects, and those of the job. */
static const struct {
	const char *project_id, *project_path, *job_project_id, *job_project_path;
	const char *reason; /* NULL: accepted */
} PROJECTS[] = {
	{"20", "group/project", "20", "group/project", NULL},
	{"99", "usr/project", "20", "group/project", NULL},
	{"99", "usr/project", "20", "Group/Project", NULL},
	{"20", "group/project", "99", "usr/project", "job_project_id is 99, the job's is 20"},
	{"20", "group/project", "20", "usr/project",
	 "is of project usr/project, the job of group/project"},
};

START_TEST(a_token_is_bound_to_the_project_of_the_job_not_to_the_fork)
{
	struct claims claims;
	struct error err;
	char *usual = claims_with("project_id", NULL);
	json_t *said = json_loads(usual, 0, NULL);
	json_object_set_new(said, "project_id", json_string(PROJECTS[_i].project_id));
	json_object_set_new(said, "project_path", json_string(PROJECTS[_i].project_path));
	json_object_set_new(said, "job_project_id", json_string(PROJECTS[_i].job_project_id));
	json_object_set_new(said, "job_project_path", json_string(PROJECTS[_i].job_project_path));
	char *changed = json_dumps(said, JSON_COMPACT);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", changed);
	if (PROJECTS[_i].reason != NULL) {
		expect_denied(text, PROJECTS[_i].reason);
	} else {
		ck_assert_msg(judge(text, NULL, &claims, &err) == 0, "%s", err.detail);
		ck_assert_uint_eq(claims_job_project_id(&claims), 20);
		ck_assert_int_eq(strcasecmp(claims_job_project_path(&claims), "group/project"), 0);
	}
	free(text);
	free(changed);
	json_decref(said);
	free(usual);
}
END_TEST

static const struct {
	const char *aud;    /* JSON; NULL: none */
	const char *wanted; /* NULL: any */
	bool accepted;
} AUDIENCES[] = {
	{"\"a\"", "a", true},
	{"[\"b\",\"a\"]", "a", true},
	{"[\"b\",7,null,[\"a\"]]", "a", false},
	{"\"ab\"", "a", false},
	{"[\"ab\",\"A\",\"\"]", "a", false},
	{"\"A\"", "a", false},
	{"[]", "a", false},
	{"{\"a\":\"a\"}", "a", false},
	{"null", "a", false},
	{NULL, "a", false},
	{NULL, NULL, true},
	{"7", NULL, true},
};

START_TEST(the_audience_is_among_those_of_the_token)
{
	struct claims claims;
	struct error err;
	char *said = claims_with("aud", AUDIENCES[_i].aud);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	int result = judge(text, AUDIENCES[_i].wanted, &claims, &err);
	ck_assert_int_eq(result, AUDIENCES[_i].accepted ? 0 : -1);
	if (result != 0)
		ck_assert_str_eq(err.detail,
				 "the id token is not for the audience 'a' of "
				 "general.jwt_required_aud; set aud to it in .gitlab-ci.yml");
	free(text);
	free(said);
}
END_TEST

static const struct {
	const char *server;
	const char *issuer;
	bool accepted;
} ISSUERS[] = {
	{"https://h.example/gitlab", "https://h.example/gitlab", true},
	{"https://h.example/gitlab", "https://h.example/gitlab/", true},
	{"https://h.example/gitlab", "https://h.example", false},
	{"https://h.example:8443", "https://h.example:8443", true},
	{"https://h.example:8443", "h.example:8443", true},
	{"https://h.example:8443", "https://h.example", false},
	{"http://127.0.0.1:8080", "http://127.0.0.1:8080", true},
	{"http://127.0.0.1:8080", "https://127.0.0.1:8080", false},
};

START_TEST(the_issuer_is_the_whole_server)
{
	struct claims claims;
	struct error err;
	struct server known = server;
	char *issuer = text_format("\"%s\"", ISSUERS[_i].issuer);
	char *said = claims_with("iss", issuer);
	char *text = signing_token(p256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", said);
	ck_assert_int_eq(url_server(ISSUERS[_i].server, &server, &err), 0);
	ck_assert_int_eq(judge(text, NULL, &claims, &err), ISSUERS[_i].accepted ? 0 : -1);
	server = known;
	free(text);
	free(said);
	free(issuer);
}
END_TEST

static TCase *signature_tests(void)
{
	TCase *tcase = tcase_create("signature");

	tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
	tcase_add_loop_test(tcase, each_accepted_algorithm_verifies, 0, ROWS(ACCEPTED));
	tcase_add_loop_test(tcase, a_header_that_asks_for_more_is_refused, 0, ROWS(HEADERS));
	tcase_add_test(tcase, a_claim_that_stands_twice_is_refused);
	tcase_add_loop_test(tcase, another_algorithm_is_refused_whatever_its_signature, 0,
			    ROWS(ALGORITHMS));
	tcase_add_test(tcase, a_public_key_is_no_secret_to_sign_with);
	tcase_add_loop_test(tcase, only_the_compact_form_is_taken, 0, ROWS(FORMS));
	tcase_add_loop_test(tcase, header_and_claims_are_json_objects, 0, ROWS(PARTS));
	tcase_add_test(tcase, more_than_64_kib_are_refused);
	tcase_add_loop_test(tcase, a_key_that_does_not_fit_verifies_nothing, 0, ROWS(MISFITS));
	tcase_add_loop_test(tcase, a_key_is_used_for_what_it_is_meant_for, 0, ROWS(KEY_USES));
	tcase_add_loop_test(tcase, a_key_that_is_not_for_verifying_verifies_nothing, 0,
			    ROWS(KEY_OPERATIONS));
	tcase_add_loop_test(tcase, an_rsa_key_has_a_sound_exponent, 0, ROWS(EXPONENTS));
	tcase_add_test(tcase, nobody_signs_for_a_key_whose_exponent_is_one);
	tcase_add_test(tcase, zeros_do_not_make_a_key_longer);
	tcase_add_test(tcase, a_key_of_another_type_fits_nothing_whatever_else_it_has);
	tcase_add_test(tcase, an_unknown_key_id_is_told_apart);
	tcase_add_test(tcase, a_set_of_other_things_has_no_key);
	tcase_add_test(tcase, a_token_that_was_changed_anywhere_is_refused);
	tcase_add_test(tcase, a_signature_does_not_move_to_other_claims);
	return tcase;
}

Suite *jwt_suite(void)
{
	Suite *suite = suite_create("jwt");
	TCase *claims = tcase_create("claims");

	suite_add_tcase(suite, signature_tests());
	tcase_add_unchecked_fixture(claims, make_keys, free_keys);
	tcase_add_loop_test(claims, each_claim_is_held_against_the_job, 0, ROWS(CLAIMS));
	tcase_add_test(claims, what_the_job_does_not_say_is_not_compared);
	tcase_add_loop_test(claims, a_token_is_bound_to_the_project_of_the_job_not_to_the_fork, 0,
			    ROWS(PROJECTS));
	tcase_add_loop_test(claims, the_audience_is_among_those_of_the_token, 0, ROWS(AUDIENCES));
	tcase_add_loop_test(claims, the_issuer_is_the_whole_server, 0, ROWS(ISSUERS));
	suite_add_tcase(suite, claims);
	return suite;
}
