/*
 * libFuzzer: a token and a key set that an attacker has made. The first line is the token. If it
 * starts with a brace, it is the token's header, and the next line has its claims, both in clear,
 * because a fuzzer cannot see through base64. The rest is the key set. The claims are read whether
 * or not the signature was verified: the code must accept any bytes, and keep its promises about
 * the claims that it accepts.
 */
#include <jose/b64.h>
#include <jose/jws.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/identity/jwks.h"
#include "core/identity/jwt.h"
#include "core/lib/text.h"

/* The job of the seeds. */
#define JOB_ID 981625
#define NOW    1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Linked, not opened: so that the fuzzer's own build need not find it at run time. */
static const struct jose_library JOSE = {.b64_dec = jose_b64_dec, .jws_ver = jose_jws_ver};

static void check_claims(const struct jwt *token)
{
	static const struct server SERVER = {.url = "https://gitlab.example.com",
					     .host = "gitlab.example.com"};
	static const struct job JOB = {.id = JOB_ID,
				       .project_id = 20,
				       .pipeline_id = 574,
				       .user_id = 1,
				       .project_path = "group/project"};
	const struct jwt_rules rules = {.issuer = &SERVER, .job = &JOB, .now = NOW};
	struct claims claims;
	struct error err;

	if (jwt_read_claims(token, &rules, &claims, &err) != 0)
		return;
	for (size_t i = 0; i < CLAIMS_MOST_IDENTITIES; i++)
		if (claims.identities[i].account[0] != '\0' &&
		    !account_name_is_valid(claims.identities[i].account))
			abort();
	uint64_t project_id = claims_job_project_id(&claims);
	const char *project_path = claims_job_project_path(&claims);
	if (claims.job_id != JOB.id || !account_login_is_valid(claims.user_login) ||
	    (project_id != 0 && project_id != JOB.project_id) ||
	    (claims.pipeline_id != 0 && claims.pipeline_id != JOB.pipeline_id) ||
	    (claims.user_id != 0 && claims.user_id != JOB.user_id) ||
	    (project_path[0] != '\0' && strcasecmp(project_path, JOB.project_path) != 0))
		abort();
}

/* Returns the next line in new memory; `*rest` becomes the text after it, or NULL. */
static char *take_line(const char **rest, size_t *size)
{
	const char *from = *rest != NULL ? *rest : "";
	const char *newline = *size > 0 ? memchr(from, '\n', *size) : NULL;
	size_t length = newline != NULL ? (size_t)(newline - from) : *size;
	*size -= newline != NULL ? length + 1 : length;
	*rest = newline != NULL ? newline + 1 : NULL;
	return strndup(from, length);
}

static char *encode(char *text)
{
	json_auto_t *encoded = jose_b64_enc(text, strlen(text));
	free(text);
	return strdup(json_string_value(encoded));
}

static char *take_token(const char **rest, size_t *size)
{
	char *line = take_line(rest, size);
	if (line[0] != '{')
		return line;
	char *header = encode(line);
	char *claims = encode(take_line(rest, size));
	char *token = text_format("%s.%s.AA", header, claims);
	free(header);
	free(claims);
	return token;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *)data;
	struct jwt token;
	struct error err;
	char *text = take_token(&rest, &size);
	json_t *keys = rest != NULL ? jwks_parse(rest, size, &err) : NULL;
	if (jwt_parse(&JOSE, text, &token, &err) == 0) {
		if (keys != NULL)
			jwt_verify(&JOSE, &token, keys, &err);
		check_claims(&token);
	}
	jwt_free(&token);
	json_decref(keys);
	free(text);
	return 0;
}
