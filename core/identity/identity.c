#include "core/identity/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/identity/jwks.h"
#include "core/identity/jwks_cache.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"

/* Seconds. A fresh key set saves the request; an older one is used if the server does not answer.
 */
#define FRESH_SECONDS 600
#define STALE_SECONDS (24 * 3600)

#define VERIFY_LIMIT_MS 30000

struct request {
	const struct general_settings *settings;
	const struct job *job;
	const char *token;
	struct server server;
	int authorities;  /* a descriptor of general.tls-ca-file, or -1 */
	int kept_keys;	  /* a descriptor of the key file or of the cache, or -1; it is read once */
	int64_t kept_age; /* seconds */
	const struct http_answer *keys; /* from the server; NULL: use kept_keys */
};

enum verdict {
	VERIFIED,
	UNKNOWN_KEY,   /* the set has no key of the token's id */
	UNUSABLE_KEYS, /* the bytes are not a key set */
};

/* The answer of the child that verifies, if it does not refuse the token. */
struct answer {
	enum verdict verdict;
	struct claims claims;
	char key_id[128];
	struct error unusable;
};

static json_t *parse_keys(const struct request *request, struct error *err)
{
	size_t size;
	if (request->keys != NULL)
		return jwks_parse(request->keys->bytes, request->keys->size, err);
	cleanup_free char *bytes = io_read_to_end(request->kept_keys, KEYSET_MOST_SIZE, &size);
	if (bytes != NULL)
		return jwks_parse(bytes, size, err);
	error_errno(err, ERROR_SYSTEM, "cannot read the key set");
	return NULL;
}

static int verify_parsed(const struct jose_library *jose, const struct request *request,
			 const struct jwt *token, struct answer *answer, struct error *err)
{
	const struct jwt_rules rules = {
		.issuer = &request->server,
		.audience = request->settings->jwt_required_aud,
		.job = request->job,
		.now = time(NULL),
	};
	json_auto_t *keys = parse_keys(request, &answer->unusable);
	if (keys == NULL) {
		answer->verdict = UNUSABLE_KEYS;
		return 0;
	}
	int verified = jwt_verify(jose, token, keys, err);
	if (verified == TOKEN_UNKNOWN_KEY) {
		answer->verdict = UNKNOWN_KEY;
		snprintf(answer->key_id, sizeof(answer->key_id), "%s", token->key_id);
		return 0;
	}
	answer->verdict = VERIFIED;
	return verified == 0 ? jwt_read_claims(token, &rules, &answer->claims, err) : -1;
}

/* In a confined child without the network. */
static int verify(const void *argument, void *out, struct error *err)
{
	const struct request *request = argument;
	struct jose_library jose;
	struct jwt token;
	if (dynamic_libraries_open_jose(&jose, err) != 0)
		return -1;
	int result = jwt_parse(&jose, request->token, &token, err);
	if (result == 0)
		result = verify_parsed(&jose, request, &token, out, err);
	jwt_free(&token);
	return result;
}

/*
 * The child parsed what an attacker wrote, and may have been taken over. An answer of zeros is
 * refused: no job has the id 0.
 */
static int accept_answer(struct answer *answer, const struct job *job, struct error *err)
{
	answer->key_id[sizeof(answer->key_id) - 1] = '\0';
	text_make_printable(answer->key_id);
	if (answer->verdict == UNKNOWN_KEY)
		return 0;
	if (answer->verdict == UNUSABLE_KEYS) {
		const struct error said = answer->unusable;
		error_accept(&answer->unusable, &said);
		return 0;
	}
	if (answer->verdict != VERIFIED || answer->claims.job_id != job->id)
		return error_set(err, ERROR_DENIED, "the id token's claims are malformed");
	return claims_accept(&answer->claims, err);
}

static int verify_confined(const struct request *request, struct answer *answer, struct error *err)
{
	const struct confinement how = {.cancellable = true,
					.limit_ms = VERIFY_LIMIT_MS,
					.file = request->keys == NULL ? &request->kept_keys : NULL};
	memset(answer, 0, sizeof(*answer));
	if (confine_run(&how, verify, request, answer, sizeof(*answer), err) != 0)
		return -1;
	return accept_answer(answer, request->job, err);
}

/* In a confined child that has the network and not the token. */
static int fetch(const void *argument, void *out, struct error *err)
{
	const struct request *request = argument;
	return jwks_fetch(&request->server, request->authorities, out, err);
}

/*
 * Refuses a token that the keys could not verify. `key` is the setting that names them; "": none.
 */
static int explain(const struct answer *answer, const char *key, const char *whose,
		   const char *advice, struct error *err)
{
	const char *blank = key[0] != '\0' ? " " : "";
	if (answer->verdict == VERIFIED)
		return 0;
	if (answer->verdict == UNUSABLE_KEYS)
		return error_set_key(err, key, answer->unusable.kind, "%s%s%s: %s", key, blank,
				     whose, answer->unusable.detail);
	return error_set_key(err, key, ERROR_DENIED,
			     "%s%s%s has no key '%.100s', which signed the id token%s", key, blank,
			     whose, answer->key_id, advice);
}

/* The local key file is never refreshed. */
static int verify_by_file(const struct request *request, struct answer *answer, struct error *err)
{
	if (verify_confined(request, answer, err) != 0)
		return -1;
	return explain(answer, "general.jwks_file", request->settings->jwks_file,
		       ": get the server's present keys", err);
}

/* Called if the server has sent no keys, for the reason in *err: uses older kept ones. */
static int verify_by_stale_keys(const struct request *request, struct identity *identity,
				struct answer *answer, struct error *err)
{
	const struct error why = *err;
	bool usable = request->kept_keys >= 0 && request->kept_age >= FRESH_SECONDS &&
		      request->kept_age < STALE_SECONDS;
	if (!usable || why.kind == ERROR_CANCELLED)
		return -1;
	if (verify_confined(request, answer, err) != 0)
		return -1;
	if (answer->verdict == UNUSABLE_KEYS) {
		*err = why;
		return -1;
	}
	if (explain(answer, "", request->server.url, "", err) != 0)
		return -1;
	snprintf(identity->warning, sizeof(identity->warning),
		 "%.800s; using its keys of %lld minutes ago", why.detail,
		 (long long)request->kept_age / 60);
	return 0;
}

/* Uses kept keys while they are fresh, then the server's, then older kept ones with a warning. */
static int verify_by_server(struct request *request, struct identity *identity,
			    struct answer *answer, struct error *err)
{
	bool fresh = request->kept_keys >= 0 && request->kept_age >= 0 &&
		     request->kept_age < FRESH_SECONDS;
	if (fresh && verify_confined(request, answer, err) != 0)
		return -1;
	if (fresh && answer->verdict == VERIFIED)
		return 0;

	cleanup_free struct http_answer *keys = calloc(1, sizeof(*keys));
	if (keys == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (http_run_confined(fetch, request, request->authorities, keys, err) != 0)
		return verify_by_stale_keys(request, identity, answer, err);
	request->keys = keys;
	int result = verify_confined(request, answer, err);
	request->keys = NULL;
	if (result != 0 || explain(answer, "", request->server.url, "", err) != 0)
		return -1;

	/* If they cannot be kept, the next job asks the server again; this one need not fail. */
	struct error not_kept;
	if (jwks_cache_store(&request->server, keys->bytes, keys->size, &not_kept) != 0)
		snprintf(identity->warning, sizeof(identity->warning), "%.900s", not_kept.detail);
	return 0;
}

int identity_server(const struct general_settings *settings, const struct job *job,
		    struct server *server, struct error *err)
{
	if (settings->gitlab_server != NULL)
		return url_server(settings->gitlab_server, server, err);
	if (job->origin.url[0] == '\0')
		return error_set_key(err, "general.gitlab_server", ERROR_SYSTEM,
				     "the job names no GitLab server; set general.gitlab_server");
	*server = job->origin;
	return 0;
}

/* Opens the files that the children cannot open as another account. */
static int open_files(struct request *request, struct error *err)
{
	const char *jwks_file = request->settings->jwks_file;
	if (jwks_file != NULL) {
		request->kept_keys = secure_path_open("general.jwks_file", jwks_file, err);
		return request->kept_keys < 0 ? -1 : 0;
	}
	if (http_open_authorities(request->settings, &request->authorities, err) != 0)
		return -1;
	request->kept_keys = jwks_cache_open(&request->server, &request->kept_age);
	return 0;
}

int identity_establish(const struct general_settings *settings, const struct job *job,
		       const char *token, struct identity *identity, struct error *err)
{
	struct request request = {.settings = settings,
				  .job = job,
				  .token = token,
				  .authorities = -1,
				  .kept_keys = -1};
	struct answer answer;

	if (identity_server(settings, job, &request.server, err) != 0)
		return -1;
	identity->warning[0] = '\0';
	int result = open_files(&request, err);
	if (result == 0)
		result = settings->jwks_file != NULL
				 ? verify_by_file(&request, &answer, err)
				 : verify_by_server(&request, identity, &answer, err);
	cleanup_close_fd(&request.kept_keys);
	cleanup_close_fd(&request.authorities);
	if (result == 0)
		identity->claims = answer.claims;
	/* A refusal without another reason is about the token. */
	else if (err->refusal == REFUSED_HERE)
		err->refusal = REFUSED_TOKEN;
	return result;
}
