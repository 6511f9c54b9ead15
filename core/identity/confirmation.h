/*
 * Asks the GitLab server about the job, with the job's own token (docs.gitlab.com, "Jobs API", "Get
 * job token's job"). An id token is valid for hours; the answer shows that the job runs now, and
 * whether GitLab considers its user a bot, which no id token says.
 */
#ifndef JACAMAR_CORE_IDENTITY_CONFIRMATION_H
#define JACAMAR_CORE_IDENTITY_CONFIRMATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/identity/claims.h"
#include "core/identity/job.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

/* The server's answer. */
struct confirmation {
	char status[32]; /* "running", "canceled", ... */
	uint64_t job_id;
	uint64_t pipeline_id;
	uint64_t project_id;
	uint64_t user_id;
	char username[ACCOUNT_NAME_SIZE];
	bool bot;
};

/*
 * Compares the answer with the job response and with the claims of the verified id token. The job's
 * token is read from the response and overwritten as soon as it was sent. One confined child reads
 * it, a second sends it and fetches the answer, a third parses the answer.
 *
 * The caller must have erased the id token: the second child is a copy of it.
 *
 * Returns 0, or -1 with ERROR_DENIED if the server refuses or contradicts the token, or with
 * ERROR_SYSTEM if it could not be asked.
 */
int confirmation_ask(const struct settings *settings, const struct job *job,
		     const struct claims *claims, struct error *err);

/* Only parses, in this process. A field that is missing or malformed is ERROR_DENIED. */
int confirmation_parse(const char *text, size_t size, struct confirmation *said, struct error *err);

/* Only compares. An id that is missing in the response or the claims is not compared. */
int confirmation_check(const struct confirmation *said, const struct job *job,
		       const struct claims *claims, bool allow_bots, struct error *err);

#endif
