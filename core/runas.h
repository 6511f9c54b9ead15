/*
 * RunAs: a script of the site's says whether a job may run, and as which account.
 *
 *   SCRIPT USERNAME            who triggered the pipeline
 *   SCRIPT TARGET USERNAME     where the job asks for another account, by a variable
 *
 * It runs as the service account, without any privilege, with the token's claims in its
 * environment (claims.h). Exit 0 accepts; what it prints may be a JSON object with "username",
 * "data_dir", "error_message" and "user_message". Anything else, or a message, refuses. The job's
 * author reads user_message; where there is none, error_message.
 */
#ifndef JACAMAR_CORE_RUNAS_H
#define JACAMAR_CORE_RUNAS_H

#include "config/settings.h"
#include "core/account.h"
#include "core/claims.h"
#include "core/error.h"

struct runas_answer {
	char username[ACCOUNT_NAME_SIZE]; /* whose account it is to be, given by the script or the
					     job; "" where it stays that of who triggered it */
	char data_dir[ACCOUNT_PATH_SIZE]; /* "" where it stays the setting's */
};

/*
 * Asks the script of the settings, as `service`. `target` is the account that the job asks for;
 * NULL or "" where it asks for none. What is answered still has to pass all rules.
 */
int runas_ask(const struct runas_settings *settings, const struct account *service,
	      const struct claims *claims, const char *target, struct runas_answer *answer,
	      struct error *err);

/* What the script printed, read in this very process: the tests' and the fuzzer's entry. */
struct runas_reply {
	struct runas_answer answer;
	char error_message[256];
	char user_message[256];
};
int runas_parse(const char *text, size_t size, struct runas_reply *reply, struct error *err);

#endif
