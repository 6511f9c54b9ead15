/*
 * Who triggered the job: what its signed id token says, proven and bound to this very job.
 */
#ifndef JACAMAR_CORE_IDENTITY_H
#define JACAMAR_CORE_IDENTITY_H

#include "config/settings.h"
#include "core/error.h"
#include "core/job.h"
#include "core/token.h"

struct identity {
	struct claims claims;
	char warning[ERROR_TEXT_SIZE]; /* for the site's staff; "" where there is none */
};

/*
 * Verifies `token` with the keys of the settings' server, or of the repository's origin where
 * they name none, or of `jwks_file`. Network and parsing happen in a confined child.
 */
int identity_establish(const struct general_settings *settings, const struct job *job,
		       const char *token, struct identity *identity, struct error *err);

#endif
