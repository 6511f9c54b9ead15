/*
 * What a verified id token says, in bounded fields. The claims are GitLab's (docs.gitlab.com,
 * "OpenID Connect (OIDC) Authentication Using ID Tokens").
 *
 * They are read from JSON in the confined child, and checked again where they come out of it.
 */
#ifndef JACAMAR_CORE_CLAIMS_H
#define JACAMAR_CORE_CLAIMS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/account.h"
#include "core/error.h"
#include "core/job.h"
#include "core/url.h"

#define CLAIMS_MOST_IDENTITIES 16

/* The account of the same person with a provider that GitLab signs users in by. */
struct claims_identity {
	char provider[64];
	char extern_uid[512];
};

struct claims {
	char user_login[ACCOUNT_NAME_SIZE];
	uint64_t job_id;
	/* 0 or "" where the token does not say: */
	uint64_t user_id;
	uint64_t project_id;
	uint64_t pipeline_id;
	uint64_t namespace_id;
	char user_email[321];
	char project_path[JOB_PATH_SIZE];
	char namespace_path[JOB_PATH_SIZE];
	char pipeline_source[64];
	char ref[1024];
	char issuer[URL_SIZE];
	struct claims_identity identities[CLAIMS_MOST_IDENTITIES]; /* up to an empty provider */
};

/* Copies them out of the token's JSON. What is too long, or of another type, is refused. */
int claims_read(const json_t *said, struct claims *claims, struct error *err);

/* Checks claims that an attacker may have put into the struct: its texts end, in one line. */
int claims_accept(struct claims *claims, struct error *err);

/*
 * Appends JWT_USER_LOGIN=..., one variable for each claim, and JWT_IDENTITY_<PROVIDER>=... for
 * each identity, the provider in capital letters, and every other byte than [A-Z0-9] as '_';
 * identities that would have the same name are left out.
 */
int claims_to_environment(const struct claims *claims, json_t *list, struct error *err);

#endif
