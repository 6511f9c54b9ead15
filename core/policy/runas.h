/*
 * RunAs: a script of the site decides whether a job may run, and as which account.
 *
 *   SCRIPT USERNAME            the account of who triggered the pipeline
 *   SCRIPT TARGET USERNAME     if the job asks for another account, by a variable
 *
 * It runs as the service account, without any privilege, with the token's claims in its
 * environment (claims.h). Exit 0 accepts. It may print a JSON object with "username", "data_dir",
 * "error_message" and "user_message"; a message, or any other output, refuses. The job's author
 * gets user_message or, without it, error_message.
 */
#ifndef JACAMAR_CORE_POLICY_RUNAS_H
#define JACAMAR_CORE_POLICY_RUNAS_H

#include <stdint.h>

#include "config/settings.h"
#include "core/identity/claims.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

struct runas_answer {
	char username[ACCOUNT_NAME_SIZE]; /* the account that the script or the job chose; "": none
					   */
	char data_dir[ACCOUNT_PATH_SIZE]; /* "": that of the settings */
};

/* The script's input; everything is borrowed. */
struct runas_question {
	const struct account *service; /* the script runs as this account */
	const struct claims *claims;
	const char *name;	 /* the account of who triggered the pipeline */
	const char *target;	 /* the account that the job asks for; NULL or "": none */
	uint64_t scoped_user_id; /* of struct job; 0: none */
};

/* Runs the script. The other rules still apply to the account that it returns. */
int runas_ask(const struct runas_settings *settings, const struct runas_question *question,
	      struct runas_answer *answer, struct error *err);

/* Parses the script's output in this process, for tests and fuzzing. */
struct runas_reply {
	struct runas_answer answer;
	char error_message[256];
	char user_message[256];
};
int runas_parse(const char *text, size_t size, struct runas_reply *reply, struct error *err);

#endif
