#include "core/identity/examination.h"

#include <stdio.h>
#include <string.h>

#include "core/identity/jwks.h"
#include "core/identity/jwt.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/privilege/confine.h"

#define LIMIT_MS 30000

/* Later than any token that a server issues; a number of the token must not exceed time_t. */
#define LAST_SECOND 0x1p62

static void check_signature(const struct jose_library *jose, const struct jwt *token, int keys,
			    struct error *err)
{
	size_t size;
	cleanup_free char *bytes = io_read_to_end(keys, KEYSET_MOST_SIZE, &size);
	if (bytes == NULL) {
		error_errno(err, ERROR_SYSTEM, "cannot read the key set");
		return;
	}
	json_auto_t *set = jwks_parse(bytes, size, err);
	if (set != NULL && jwt_verify(jose, token, set, err) == TOKEN_UNKNOWN_KEY)
		error_set(err, ERROR_DENIED,
			  "the key set has no key '%.100s', which signed the id token",
			  token->key_id);
}

/* The last second before the token expires. If the token is ever valid, it is valid then. */
static time_t last_second(const struct jwt *token)
{
	double expires = json_number_value(json_object_get(token->claims, "exp"));
	return expires >= 1 && expires < LAST_SECOND ? (time_t)expires - 1 : 0;
}

static void check_content(const struct examination_terms *terms, const struct jwt *token,
			  struct examination *found)
{
	struct server issuer = {.url = ""};
	struct job job = {.id = 0};
	struct jwt_rules rules = {
		.issuer = terms->issuer,
		.audience = terms->audience,
		.job = terms->job,
		.now = terms->now,
	};
	struct error ignored;
	const char *said = json_string_value(json_object_get(token->claims, "iss"));
	/* A claim that there is nothing to compare with is compared with itself. */
	if (rules.issuer == NULL) {
		if (said != NULL && url_server(said, &issuer, &ignored) != 0)
			snprintf(issuer.host, sizeof(issuer.host), "%s", said);
		rules.issuer = &issuer;
	}
	if (rules.job == NULL) {
		if (claims_read(token->claims, &found->claims, &ignored) == 0)
			job.id = found->claims.job_id;
		rules.job = &job;
	}
	if (jwt_read_claims(token, &rules, &found->claims, &found->times) == 0)
		return;
	/* A check that fails only now, and not at that time, fails because of the time alone. */
	rules.now = last_second(token);
	if (jwt_read_claims(token, &rules, &found->claims, &found->content) != 0 &&
	    strcmp(found->times.detail, found->content.detail) == 0)
		memset(&found->times, 0, sizeof(found->times));
}

/* In the confined child. */
static int examine(const void *argument, void *out, struct error *err)
{
	const struct examination_terms *terms = argument;
	struct examination *found = out;
	struct jose_library jose;
	struct jwt token;
	if (dynamic_libraries_open_jose(&jose, err) != 0)
		return -1;
	if (jwt_parse(&jose, terms->token, &token, &found->form) == 0) {
		if (terms->keys >= 0)
			check_signature(&jose, &token, terms->keys, &found->signature);
		check_content(terms, &token, found);
	}
	jwt_free(&token);
	return 0;
}

/* The child parsed what an attacker wrote, and may have been taken over. */
static void accept_error(struct error *err)
{
	const struct error said = *err;
	if (said.kind != ERROR_NONE)
		error_accept(err, &said);
}

int examination_run(const struct examination_terms *terms, struct examination *found,
		    struct error *err)
{
	const struct confinement how = {.limit_ms = LIMIT_MS, .file = &terms->keys};
	memset(found, 0, sizeof(*found));
	if (confine_run(&how, examine, terms, found, sizeof(*found), err) != 0)
		return -1;
	accept_error(&found->form);
	accept_error(&found->signature);
	accept_error(&found->times);
	accept_error(&found->content);
	if (found->form.kind == ERROR_NONE && found->content.kind == ERROR_NONE)
		(void)claims_accept(&found->claims, &found->content);
	return 0;
}
