/*
 * The id token: what is accepted, and each way in which one is forged, stolen or stretched.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "core/token.h"
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
	ck_assert_int_eq(libraries_open_jose(&jose, &err), 0);
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

/* The whole way of a token: 0, -1, or TOKEN_UNKNOWN_KEY. */
static int judge(const char *text, const char *audience, struct claims *claims, struct error *err)
{
	struct token token;
	struct token_rules rules = {
		.issuer = &server, .audience = audience, .job = &job, .now = NOW};
	err->kind = ERROR_NONE;
	err->detail[0] = '\0';
	int result = token_parse(&jose, text, &token, err);
	if (result == 0)
		result = token_verify(&jose, &token, key_set, err);
	if (result == 0)
		result = token_read_claims(&token, &rules, claims, err);
	token_free(&token);
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

/* Properly signed, with a header that is not to be verified at all. */
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
	{SIGNED_BY("\"kid\":\"p256\""), "a member stands twice"},
	{SIGNED_BY("\"alg\":\"ES256\""), "a member stands twice"},
	{SIGNED_BY("\"k\\u0069d\":\"p384\""), "a member stands twice"},
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
	expect_denied(text, "a member stands twice");
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

/* Base64url of no object: "[]", "7", "null", "{", "{}x", bytes that are not UTF-8, a cut one. */
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
	struct token token;
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
	ck_assert_int_eq(token_parse(&jose, text, &token, &err), 0);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		json_t *set = json_loads(sets[i], 0, NULL);
		ck_assert_int_eq(token_verify(&jose, &token, set, &err), TOKEN_UNKNOWN_KEY);
		json_decref(set);
	}
	/* Of the right id and kind, and nothing behind it. */
	json_t *hollow =
		json_loads("{\"keys\":[{\"kid\":\"p256\",\"kty\":\"EC\",\"crv\":\"P-256\"},"
			   "{\"kid\":\"p256\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\","
			   "\"y\":\"AA\"}]}",
			   0, NULL);
	ck_assert_int_eq(token_verify(&jose, &token, hollow, &err), -1);
	/* Every key of the id is tried. */
	json_array_append_new(json_object_get(hollow, "keys"), signing_public(p256));
	ck_assert_int_eq(token_verify(&jose, &token, hollow, &err), 0);
	json_decref(hollow);
	token_free(&token);
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
	{"exp", "-1700000000", "has expired"},
	{"exp", "1e300", NULL},
	{"exp", "\"1800000000\"", "no time of expiry"},
	{"exp", "null", "no time of expiry"},
	{"exp", NULL, "no time of expiry"},
	{"nbf", "1700000060", NULL},
	{"nbf", "1700000061", "not valid yet"},
	{"nbf", "1e300", "not valid yet"},
	{"nbf", "\"1\"", "is not a number"},
	{"nbf", NULL, NULL},
	{"iat", "1700000060", NULL},
	{"iat", "1700000061", "not valid yet"},
	{"iat", "\"1\"", "is not a number"},
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
	{"project_id", "\"x\"", "missing or malformed"},
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
	{"namespace_id", "\"9970\"", NULL},
	{"namespace_id", "[]", "the id token's namespace_id is missing or malformed"},
	{"ref", "\"feature/x\"", NULL},
	{"ref", "true", "the id token's ref is missing or malformed"},
	{"user_identities", "null", NULL},
	{"user_identities", "[]", NULL},
	{"user_identities", "[{\"provider\":\"site\",\"extern_uid\":\"4711\"}]", NULL},
	{"user_identities", "{}", "user_identities are no list"},
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
	tcase_add_test(tcase, a_key_of_another_type_fits_nothing_whatever_else_it_has);
	tcase_add_test(tcase, an_unknown_key_id_is_told_apart);
	tcase_add_test(tcase, a_set_of_other_things_has_no_key);
	tcase_add_test(tcase, a_token_that_was_changed_anywhere_is_refused);
	tcase_add_test(tcase, a_signature_does_not_move_to_other_claims);
	return tcase;
}

Suite *token_suite(void)
{
	Suite *suite = suite_create("token");
	TCase *claims = tcase_create("claims");

	suite_add_tcase(suite, signature_tests());
	tcase_add_unchecked_fixture(claims, make_keys, free_keys);
	tcase_add_loop_test(claims, each_claim_is_held_against_the_job, 0, ROWS(CLAIMS));
	tcase_add_test(claims, what_the_job_does_not_say_is_not_compared);
	tcase_add_loop_test(claims, the_audience_is_among_those_of_the_token, 0, ROWS(AUDIENCES));
	tcase_add_loop_test(claims, the_issuer_is_the_whole_server, 0, ROWS(ISSUERS));
	suite_add_tcase(suite, claims);
	return suite;
}
