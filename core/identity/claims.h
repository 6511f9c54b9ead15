/*
 * The claims of a verified id token, in bounded fields. The claims are GitLab's (docs.gitlab.com,
 * "OpenID Connect (OIDC) Authentication Using ID Tokens").
 *
 * A confined child reads them from JSON; its parent checks them again.
 */
#ifndef JACAMAR_CORE_IDENTITY_CLAIMS_H
#define JACAMAR_CORE_IDENTITY_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/identity/job.h"
#include "core/lib/account.h"
#include "core/lib/error.h"
#include "core/lib/url.h"

#define CLAIMS_MOST_IDENTITIES 16

/* The user's account at a provider by which GitLab signs users in. */
struct claims_identity {
	char provider[64];
	char extern_uid[512];		 /* "": missing or too long */
	char account[ACCOUNT_NAME_SIZE]; /* that extern_uid names (external_name.h); "": none */
};

struct claims {
	char user_login[ACCOUNT_NAME_SIZE];
	uint64_t job_id;
	/* 0 or "" if the token does not have it: */
	uint64_t user_id;
	uint64_t project_id;
	uint64_t pipeline_id;
	uint64_t namespace_id;
	uint64_t runner_id;
	uint64_t job_project_id; /* use claims_job_project_id() */
	char user_email[321];
	char user_access_level[64]; /* in the project: "developer", ... */
	char project_path[JOB_PATH_SIZE];
	char job_project_path[JOB_PATH_SIZE];
	char namespace_path[JOB_PATH_SIZE];
	char pipeline_source[64];
	char ref[1024];
	char ref_protected[8]; /* "true", "false" */
	char sha[65];	       /* of the commit, in hexadecimal */
	char issuer[URL_SIZE];
	struct claims_identity identities[CLAIMS_MOST_IDENTITIES]; /* up to an empty provider */
};

/* Copies them from the token's JSON. A value that is too long or of another type is refused. */
int claims_read(const json_t *said, struct claims *claims, struct error *err);

/*
 * The project that the job belongs to. Since GitLab 18.4 tokens name it as job_project_*, because
 * in a pipeline of a merge request that runs in the parent project, project_* is the fork with the
 * code. Older tokens have only project_*.
 */
uint64_t claims_job_project_id(const struct claims *claims);
const char *claims_job_project_path(const struct claims *claims);

/* True if the code comes from another project than the job's. */
bool claims_are_of_fork(const struct claims *claims);

/* True if only those who may push to a protected ref of the job's project can change the code. */
bool claims_ref_is_protected(const struct claims *claims);

/* Checks a struct that an attacker may have filled: each text must end and be one line. */
int claims_accept(struct claims *claims, struct error *err);

/*
 * Appends JWT_USER_LOGIN=..., one variable for each claim, and JWT_IDENTITY_<PROVIDER>=... for each
 * identity. The provider is in capital letters, with '_' for every byte but [A-Z0-9]; identities
 * with the same variable are left out.
 */
int claims_to_environment(const struct claims *claims, json_t *list, struct error *err);

#endif
