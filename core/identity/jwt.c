#include "core/identity/jwt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/lib/io.h"
#include "core/lib/json.h"
#include "core/lib/text.h"

/* OpenSSL accepts no larger modulus. */
#define RSA_LEAST_BITS 2048
#define RSA_MOST_BYTES 2048

/* A smaller exponent only helps forgers (FIPS 186-5); with 1 any signature would verify. */
#define EXPONENT_LEAST	    65537
#define EXPONENT_MOST_BYTES 8

/* The algorithms of RFC 7518 that we accept, each with the only kind of key that it may use. */
static const struct algorithm {
	const char *name;
	const char *key_type;
	const char *curve; /* NULL: none */
} algorithms[] = {
	{"RS256", "RSA", NULL},	  {"RS384", "RSA", NULL},   {"RS512", "RSA", NULL},
	{"PS256", "RSA", NULL},	  {"PS384", "RSA", NULL},   {"PS512", "RSA", NULL},
	{"ES256", "EC", "P-256"}, {"ES384", "EC", "P-384"}, {"ES512", "EC", "P-521"},
};

/* Header members by which a token would bring its own key, or rules that this code does not know.
 */
static const char *const refused_members[] = {"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"};

static const struct algorithm *find_algorithm(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

/* Decodes one base64url part as a JSON object without duplicate members. */
static json_t *decode_object(const struct jose_library *jose, const json_t *part)
{
	size_t most = json_string_length(part);
	cleanup_free char *bytes = malloc(most + 1);
	if (bytes == NULL)
		return NULL;
	size_t size = jose->b64_dec(part, bytes, most);
	if (size == SIZE_MAX || size > most)
		return NULL;
	json_auto_t *object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(object) ? json_incref(object) : NULL;
}

/* Splits "header.payload.signature" into a flattened JWS. */
static json_t *split(const char *text)
{
	static const char *const names[] = {"protected", "payload", "signature"};
	json_auto_t *jws = json_object();

	for (size_t i = 0; i < 3; i++) {
		size_t length = strspn(text, TEXT_WORD);
		bool ended = i == 2 ? text[length] == '\0' : text[length] == '.';
		if (length == 0 || !ended ||
		    json_object_set_new(jws, names[i], json_stringn(text, length)) != 0)
			return NULL;
		text += length + 1;
	}
	return json_incref(jws);
}

int jwt_parse(const struct jose_library *jose, const char *text, struct jwt *token,
	      struct error *err)
{
	memset(token, 0, sizeof(*token));
	if (strnlen(text, JOB_TOKEN_SIZE) >= JOB_TOKEN_SIZE)
		return error_set(err, ERROR_DENIED, "the id token is larger than 64 KiB");
	token->jws = split(text);
	if (token->jws == NULL)
		return error_set(err, ERROR_DENIED, "the id token is not a compact, signed JWS");
	token->header = decode_object(jose, json_object_get(token->jws, "protected"));
	token->claims = decode_object(jose, json_object_get(token->jws, "payload"));
	if (token->header == NULL || token->claims == NULL)
		return error_set(err, ERROR_DENIED,
				 "the id token's header or claims are not a JSON object, or have "
				 "a duplicate name");

	for (size_t i = 0; i < sizeof(refused_members) / sizeof(refused_members[0]); i++)
		if (json_object_get(token->header, refused_members[i]) != NULL)
			return error_set(err, ERROR_DENIED, "the id token's header has '%s'",
					 refused_members[i]);
	token->algorithm = json_string_value(json_object_get(token->header, "alg"));
	token->key_id = json_string_value(json_object_get(token->header, "kid"));
	if (find_algorithm(token->algorithm) == NULL)
		return error_set(err, ERROR_DENIED,
				 "the id token's algorithm '%.20s' is not accepted",
				 token->algorithm != NULL ? token->algorithm : "");
	if (token->key_id == NULL)
		return error_set(err, ERROR_DENIED, "the id token names no key (kid)");
	return 0;
}

void jwt_free(struct jwt *token)
{
	json_decref(token->jws);
	json_decref(token->header);
	json_decref(token->claims);
}

static bool member_is(const json_t *object, const char *name, const char *value)
{
	const char *found = json_string_value(json_object_get(object, name));
	return found != NULL && strcmp(found, value) == 0;
}

/* Absent, or exactly this. */
static bool member_allows(const json_t *object, const char *name, const char *value)
{
	return json_object_get(object, name) == NULL || member_is(object, name, value);
}

/* Absent, or an array that has this string. */
static bool list_allows(const json_t *object, const char *name, const char *value)
{
	const json_t *list = json_object_get(object, name);
	return list == NULL || json_has_string(list, value);
}

/*
 * Decodes a big-endian number in base64url. Returns its size in bytes; 0 if it is not a number,
 * begins with a zero byte, or does not fit.
 */
static size_t read_number(const struct jose_library *jose, const json_t *key, const char *name,
			  unsigned char *out, size_t room)
{
	const json_t *number = json_object_get(key, name);
	size_t size = jose->b64_dec(number, NULL, 0);
	if (size == SIZE_MAX || size == 0 || size > room ||
	    jose->b64_dec(number, out, room) != size || out[0] == 0)
		return 0;
	return size;
}

static bool modulus_fits(const struct jose_library *jose, const json_t *key)
{
	unsigned char modulus[RSA_MOST_BYTES];
	size_t size = read_number(jose, key, "n", modulus, sizeof(modulus));
	size_t bits = size * 8;
	for (unsigned int bit = 0x80; size > 0 && (modulus[0] & bit) == 0; bit >>= 1)
		bits--;
	return bits >= RSA_LEAST_BITS;
}

static bool exponent_fits(const struct jose_library *jose, const json_t *key)
{
	unsigned char bytes[EXPONENT_MOST_BYTES];
	uint64_t exponent = 0;
	size_t size = read_number(jose, key, "e", bytes, sizeof(bytes));
	for (size_t i = 0; i < size; i++)
		exponent = exponent << 8 | bytes[i];
	return exponent >= EXPONENT_LEAST && exponent % 2 == 1;
}

static bool key_fits(const struct jose_library *jose, const json_t *key,
		     const struct algorithm *algorithm)
{
	if (!member_is(key, "kty", algorithm->key_type) || !member_allows(key, "use", "sig") ||
	    !member_allows(key, "alg", algorithm->name) || !list_allows(key, "key_ops", "verify"))
		return false;
	if (algorithm->curve != NULL)
		return member_is(key, "crv", algorithm->curve);
	return modulus_fits(jose, key) && exponent_fits(jose, key);
}

int jwt_verify(const struct jose_library *jose, const struct jwt *token, const json_t *key_set,
	       struct error *err)
{
	const struct algorithm *algorithm = find_algorithm(token->algorithm);
	const json_t *keys = json_object_get(key_set, "keys");
	bool known = false;
	bool fits = false;
	size_t index;
	json_t *key;

	json_array_foreach (keys, index, key) {
		if (!member_is(key, "kid", token->key_id))
			continue;
		known = true;
		if (!key_fits(jose, key, algorithm))
			continue;
		fits = true;
		if (jose->jws_ver(NULL, token->jws, NULL, key, true))
			return 0;
	}
	if (!known)
		return TOKEN_UNKNOWN_KEY;
	if (!fits)
		return error_set(err, ERROR_DENIED, "the server's key '%.100s' is not one for %s",
				 token->key_id, token->algorithm);
	return error_set(err, ERROR_DENIED, "the id token's signature is wrong");
}

/*
 * Reads a time in seconds, which may have a fraction (RFC 7519, NumericDate); 0 if it is absent. It
 * must fit a 64-bit clock.
 */
static int read_time(const json_t *claims, const char *name, double *seconds, struct error *err)
{
	const json_t *value = json_object_get(claims, name);
	*seconds = json_number_value(value);
	if (value == NULL || (json_is_number(value) && *seconds >= 0 && *seconds < 0x1p63))
		return 0;
	return error_set(
		err, ERROR_DENIED,
		"the id token's %s is malformed: it must be a number of seconds since 1970", name);
}

static int check_times(const json_t *claims, time_t now, struct error *err)
{
	double expires, not_before, issued;

	if (json_object_get(claims, "exp") == NULL)
		return error_set(err, ERROR_DENIED, "the id token has no time of expiry (exp)");
	if (read_time(claims, "exp", &expires, err) != 0 ||
	    read_time(claims, "nbf", &not_before, err) != 0 ||
	    read_time(claims, "iat", &issued, err) != 0)
		return -1;
	if (!(expires + TOKEN_LEEWAY > (double)now)) {
		error_set(err, ERROR_DENIED,
			  "the id token has expired, %.0f seconds ago: the job waited too "
			  "long, or this host's clock is wrong",
			  (double)now - expires);
		return error_refuse(err, REFUSED_EXPIRED);
	}
	if (!(not_before - TOKEN_LEEWAY < (double)now + 1) ||
	    !(issued - TOKEN_LEEWAY < (double)now + 1))
		return error_set(err, ERROR_DENIED,
				 "the id token is not valid yet; is this host's "
				 "clock right?");
	return 0;
}

/* `iss` is the server's URL or, in tokens of old servers, its host alone. */
static int check_issuer(const json_t *claims, const struct server *server, struct error *err)
{
	const char *issuer = json_string_value(json_object_get(claims, "iss"));
	struct server named;
	struct error ignored;

	if (issuer == NULL)
		return error_set(err, ERROR_DENIED, "the id token has no issuer (iss)");
	if (strcmp(issuer, server->host) == 0)
		return 0;
	if (url_server(issuer, &named, &ignored) != 0 || strcmp(named.url, server->url) != 0)
		return error_set_key(err, "general.gitlab_server", ERROR_DENIED,
				     "the id token was issued by %.200s, not by %s; is "
				     "general.gitlab_server right?",
				     issuer, server->url);
	return 0;
}

static int check_audience(const json_t *claims, const char *wanted, struct error *err)
{
	if (wanted == NULL || member_is(claims, "aud", wanted) ||
	    json_has_string(json_object_get(claims, "aud"), wanted))
		return 0;
	error_set_key(err, "general.jwt_required_aud", ERROR_DENIED,
		      "the id token is not for the audience '%s' of general.jwt_required_aud; "
		      "set aud to it in .gitlab-ci.yml",
		      wanted);
	return error_refuse(err, REFUSED_AUDIENCE);
}

/* In GitLab 18.2 and 18.3 project_* is the fork, and no claim names the job's own project. */
static const char OLD_FORK[] = "; if this is the pipeline of a merge request from a fork: only "
			       "GitLab 18.4 and later say which project such a job belongs to";

/* A valid token of another job must not work for this one. */
static int check_binding(const struct claims *claims, const struct job *job, struct error *err)
{
	bool named = claims->job_project_id != 0;
	const char *path = claims_job_project_path(claims);
	const struct {
		const char *name;
		uint64_t in_token;
		uint64_t in_job;
		const char *hint;
	} ids[] = {
		{named ? "job_project_id" : "project_id", claims_job_project_id(claims),
		 job->project_id, named ? "" : OLD_FORK},
		{"pipeline_id", claims->pipeline_id, job->pipeline_id, ""},
		{"user_id", claims->user_id, job->user_id, ""},
	};

	if (claims->job_id != job->id)
		return error_set(err, ERROR_DENIED,
				 "the id token is of job %" PRIu64 ", this is job %" PRIu64,
				 claims->job_id, job->id);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i].in_token != 0 && ids[i].in_job != 0 && ids[i].in_token != ids[i].in_job)
			return error_set(err, ERROR_DENIED,
					 "the id token's %s is %" PRIu64 ", the job's is %" PRIu64
					 "%s",
					 ids[i].name, ids[i].in_token, ids[i].in_job, ids[i].hint);
	if (path[0] != '\0' && job->project_path[0] != '\0' &&
	    strcasecmp(path, job->project_path) != 0)
		return error_set(err, ERROR_DENIED,
				 "the id token is of project %.200s, the job of %.200s%s", path,
				 job->project_path, named ? "" : OLD_FORK);
	return 0;
}

int jwt_read_claims(const struct jwt *token, const struct jwt_rules *rules, struct claims *claims,
		    struct error *err)
{
	if (check_times(token->claims, rules->now, err) != 0 ||
	    check_issuer(token->claims, rules->issuer, err) != 0 ||
	    check_audience(token->claims, rules->audience, err) != 0 ||
	    claims_read(token->claims, claims, err) != 0)
		return -1;
	return check_binding(claims, rules->job, err);
}
