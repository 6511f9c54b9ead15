/*
 * Examines an id token for `jacamar explain`: reports how each check of the token ends, instead of
 * the first failure only. The checks are those of identity.h, in the same kind of confined child.
 * It never asks a server, and it must never decide about a job: it can leave out checks.
 */
#ifndef JACAMAR_CORE_IDENTITY_EXAMINATION_H
#define JACAMAR_CORE_IDENTITY_EXAMINATION_H

#include <time.h>

#include "core/identity/claims.h"
#include "core/identity/job.h"
#include "core/lib/error.h"
#include "core/lib/url.h"

/* What the token is compared with. */
struct examination_terms {
	const char *token;
	int keys; /* a descriptor of the key set; -1: the signature is not checked */
	const struct server *issuer; /* NULL: the issuer is not checked */
	const char *audience;	     /* NULL: any */
	const struct job *job;	     /* NULL: any job's token */
	time_t now;
};

/* Each error is of the kind ERROR_NONE if that check has found no fault. */
struct examination {
	struct error form;	/* if it has a fault, nothing else is checked */
	struct error signature; /* or of the key set */
	struct error times;   /* only these: the rest was checked as if the token were valid now */
	struct error content; /* if it has a fault, there are no claims */
	struct claims claims;
};

/* -1 with *err if the token could not be examined. */
int examination_run(const struct examination_terms *terms, struct examination *found,
		    struct error *err);

#endif
