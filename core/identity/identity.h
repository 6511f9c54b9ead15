/*
 * Finds out who triggered the job, from its id token: verifies the token's signature, and that the
 * token is for this job.
 */
#ifndef JACAMAR_CORE_IDENTITY_IDENTITY_H
#define JACAMAR_CORE_IDENTITY_IDENTITY_H

#include "config/settings.h"
#include "core/identity/job.h"
#include "core/identity/jwt.h"
#include "core/lib/error.h"

struct identity {
	struct claims claims;
	char warning[ERROR_TEXT_SIZE]; /* for the administrator; "": none */
};

/* The GitLab server: general.gitlab_server, else the origin of the job's repository. */
int identity_server(const struct general_settings *settings, const struct job *job,
		    struct server *server, struct error *err);

/*
 * Verifies `token` with the keys of that server, or of general.jwks_file. One confined child
 * fetches the keys, and never has the token. Another one parses the token and the keys, and has no
 * network.
 */
int identity_establish(const struct general_settings *settings, const struct job *job,
		       const char *token, struct identity *identity, struct error *err);

#endif
