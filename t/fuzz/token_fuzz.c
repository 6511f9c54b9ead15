/*
 * libFuzzer: a line that is a token, then a key set. What is accepted must be bound to the job
 * that it was asked for.
 */
#include <jose/b64.h>
#include <jose/jws.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/keyset.h"
#include "core/token.h"

#define JOB_ID 981625
#define NOW    1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct jose_library jose = {.b64_dec = jose_b64_dec, .jws_ver = jose_jws_ver};

static void try(const char *text, const json_t *keys)
{
	static const struct server issuer = {.url = "https://gitlab.example.com",
					     .host = "gitlab.example.com"};
	static const struct job job = {.id = JOB_ID, .project_path = "group/project"};
	const struct token_rules rules = {.issuer = &issuer, .job = &job, .now = NOW};
	struct token token;
	struct claims claims;
	struct error err;

	if (token_parse(&jose, text, &token, &err) == 0) {
		/* The claims are read also without a good signature: it is hard to come by. */
		(void)token_verify(&jose, &token, keys, &err);
		if (token_read_claims(&token, &rules, &claims, &err) == 0 &&
		    (claims.job_id != JOB_ID || !account_name_is_valid(claims.user_login)))
			abort();
	}
	token_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err;
	const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t length = newline != NULL ? (size_t)(newline - data) : size;
	size_t rest = newline != NULL ? size - length - 1 : 0;
	char *text = strndup((const char *)data, length);
	json_t *keys = keyset_parse(newline != NULL ? (const char *)newline + 1 : "", rest, &err);

	if (text != NULL)
		try(text, keys);
	json_decref(keys);
	free(text);
	return 0;
}
