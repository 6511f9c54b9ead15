#include "core/identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/confine.h"
#include "core/io.h"
#include "core/keyset.h"
#include "core/keyset_cache.h"
#include "core/text.h"
#include "core/trust.h"

/* Seconds: how long a kept key set saves the request, and how long it stands in for the server. */
#define FRESH_SECONDS 600
#define STALE_SECONDS (24 * 3600)

/* Above what the network may take, so that its own error is what is heard. */
#define VERIFY_LIMIT_MS 30000

struct request {
	const struct general_settings *settings;
	const struct job *job;
	const char *token;
	struct server server;
	int authorities;  /* a descriptor of tls_ca_file, or -1 */
	int kept_keys;	  /* a descriptor, or -1 */
	int64_t kept_age; /* seconds */
};

struct reply {
	struct identity identity;
	struct keyset_bytes fetched; /* size 0: nothing was */
};

static json_t *load_kept_keys(int fd, struct error *err)
{
	size_t size;
	cleanup_free char *bytes = io_read_to_end(fd, KEYSET_MOST_SIZE, &size);
	if (bytes == NULL) {
		error_errno(err, ERROR_SYSTEM, "cannot read the key set");
		return NULL;
	}
	return keyset_parse(bytes, size, err);
}

/* Says whose keys are meant. */
static int prefix(struct error *err, const char *what, const char *whose)
{
	const struct error why = *err;
	return error_set(err, why.kind, "%s%s: %s", what, whose, why.detail);
}

static int unknown_key(const struct token *token, const struct server *server, struct error *err)
{
	return error_set(err, ERROR_DENIED, "%s has no key '%.100s', which signed the id token",
			 server->url, token->key_id);
}

/* With the local key file, which is never refreshed. */
static int verify_with_file(const struct jose_library *jose, const struct request *request,
			    const struct token *token, struct error *err)
{
	json_auto_t *keys = load_kept_keys(request->kept_keys, err);
	if (keys == NULL)
		return prefix(err, "general.jwks_file ", request->settings->jwks_file);
	int result = token_verify(jose, token, keys, err);
	if (result != TOKEN_UNKNOWN_KEY)
		return result;
	return error_set(err, ERROR_DENIED,
			 "general.jwks_file %s has no key '%.100s', which signed the id token: get "
			 "the server's present keys",
			 request->settings->jwks_file, token->key_id);
}

/* With the server's keys: kept ones while fresh, then the server's, then kept ones with a warning.
 */
static int verify_with_server(const struct jose_library *jose, const struct request *request,
			      const struct token *token, struct reply *reply, struct error *err)
{
	struct error unusable;
	json_auto_t *kept =
		request->kept_keys >= 0 ? load_kept_keys(request->kept_keys, &unusable) : NULL;
	bool fresh = request->kept_age >= 0 && request->kept_age < FRESH_SECONDS;

	if (kept != NULL && fresh) {
		int result = token_verify(jose, token, kept, err);
		if (result != TOKEN_UNKNOWN_KEY)
			return result;
	}
	if (keyset_fetch(&request->server, request->authorities, &reply->fetched, NULL, err) == 0) {
		json_auto_t *keys = keyset_parse(reply->fetched.bytes, reply->fetched.size, err);
		if (keys == NULL)
			return prefix(err, "", request->server.url);
		int result = token_verify(jose, token, keys, err);
		return result == TOKEN_UNKNOWN_KEY ? unknown_key(token, &request->server, err)
						   : result;
	}
	reply->fetched.size = 0;
	bool usable = kept != NULL && !fresh && request->kept_age >= 0 &&
		      request->kept_age < STALE_SECONDS;
	if (!usable)
		return -1;
	snprintf(reply->identity.warning, sizeof(reply->identity.warning),
		 "%.800s; using its keys of %lld minutes ago", err->detail,
		 (long long)request->kept_age / 60);
	int result = token_verify(jose, token, kept, err);
	return result == TOKEN_UNKNOWN_KEY ? unknown_key(token, &request->server, err) : result;
}

static int verify_parsed(const struct jose_library *jose, const struct request *request,
			 const struct token *token, struct reply *reply, struct error *err)
{
	struct token_rules rules = {
		.issuer = &request->server,
		.audience = request->settings->jwt_required_aud,
		.job = request->job,
		.now = time(NULL),
	};
	int verified = request->settings->jwks_file != NULL
			       ? verify_with_file(jose, request, token, err)
			       : verify_with_server(jose, request, token, reply, err);
	if (verified != 0)
		return -1;
	return token_read_claims(token, &rules, &reply->identity.claims, err);
}

/* In the confined child. */
static int verify(const void *argument, void *out, struct error *err)
{
	const struct request *request = argument;
	struct jose_library jose;
	struct token token;

	if (libraries_open_jose(&jose, err) != 0)
		return -1;
	int result = token_parse(&jose, request->token, &token, err);
	if (result == 0)
		result = verify_parsed(&jose, request, &token, out, err);
	token_free(&token);
	return result;
}

static int choose_server(struct request *request, struct error *err)
{
	if (request->settings->gitlab_server != NULL)
		return url_server(request->settings->gitlab_server, &request->server, err);
	if (request->job->origin.url[0] == '\0')
		return error_set(err, ERROR_SYSTEM,
				 "the job names no GitLab server; set general.gitlab_server");
	request->server = request->job->origin;
	return 0;
}

/* Opens the files that the child needs and, as another account, could not open itself. */
static int open_files(struct request *request, struct error *err)
{
	const struct general_settings *settings = request->settings;
	if (settings->jwks_file != NULL) {
		request->kept_keys = trust_open("general.jwks_file", settings->jwks_file, err);
		return request->kept_keys < 0 ? -1 : 0;
	}
	if (settings->tls_ca_file != NULL) {
		request->authorities =
			trust_open("general.tls-ca-file", settings->tls_ca_file, err);
		if (request->authorities < 0)
			return -1;
	}
	request->kept_keys = keyset_cache_open(&request->server, &request->kept_age);
	return 0;
}

static void close_files(const struct request *request)
{
	if (request->kept_keys >= 0)
		close(request->kept_keys);
	if (request->authorities >= 0)
		close(request->authorities);
}

/* What the child says is checked as if an attacker had said it. */
static int accept_reply(struct reply *reply, const struct job *job, struct error *err)
{
	struct claims *claims = &reply->identity.claims;
	reply->identity.warning[sizeof(reply->identity.warning) - 1] = '\0';
	text_make_printable(reply->identity.warning);
	if (claims->job_id != job->id || reply->fetched.size > sizeof(reply->fetched.bytes))
		return error_set(err, ERROR_DENIED, "the id token's claims are malformed");
	return claims_accept(claims, err);
}

int identity_establish(const struct general_settings *settings, const struct job *job,
		       const char *token, struct identity *identity, struct error *err)
{
	struct request request = {.settings = settings,
				  .job = job,
				  .token = token,
				  .authorities = -1,
				  .kept_keys = -1};
	cleanup_free struct reply *reply = calloc(1, sizeof(*reply));

	if (reply == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (choose_server(&request, err) != 0)
		return -1;
	int result = open_files(&request, err);
	if (result == 0)
		result = confine_run_unless_told(verify, &request, reply, sizeof(*reply),
						 VERIFY_LIMIT_MS, err);
	close_files(&request);
	if (result != 0 || accept_reply(reply, job, err) != 0)
		return -1;

	/* Without a cache the next job asks again; that is no reason to fail this one. */
	struct error not_kept;
	if (reply->fetched.size > 0 &&
	    keyset_cache_store(&request.server, &reply->fetched, &not_kept) != 0)
		snprintf(reply->identity.warning, sizeof(reply->identity.warning), "%.900s",
			 not_kept.detail);
	*identity = reply->identity;
	return 0;
}
