#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/rules.h"
#include "core/identity/confirmation.h"
#include "core/lib/io.h"
#include "core/privilege/confine.h"
#include "core/stage/plan.h"

void plan_free_token(struct plan *plan)
{
	if (plan->token == NULL)
		return;
	confine_keep_secret(NULL, 0);
	explicit_bzero(plan->token, JOB_TOKEN_SIZE);
	free(plan->token);
	plan->token = NULL;
}

/* The notice tells the job's author, who alone can fix this, how to. */
static int refuse_without_token(const struct plan *plan, struct error *err)
{
	const struct general_settings *general = &plan->settings->general;
	const char *name = general->jwt_env_variable.items[0];
	const char *origin = plan->job.origin.url;
	const char *audience = general->jwt_required_aud != NULL ? general->jwt_required_aud
			       : origin[0] != '\0'		 ? origin
								 : "https://...";
	char notice[ERROR_NOTICE_SIZE];
	snprintf(notice, sizeof(notice),
		 "it has no id token; in .gitlab-ci.yml, give the job id_tokens: { %.50s: { aud: "
		 "\"%.120s\" } }",
		 name, audience);
	error_set_key(err, "general.jwt_env_variable", ERROR_DENIED,
		      "the job has no id token; it needs id_tokens: %s in .gitlab-ci.yml, as "
		      "general.jwt_env_variable demands",
		      name);
	return error_notify(err, notice);
}

/* The notice tells the job's author what is wrong with the token, if that may be said. */
static int explain_token(const struct plan *plan, struct error *err)
{
	const char *audience = plan->settings->general.jwt_required_aud;
	char notice[ERROR_NOTICE_SIZE];
	if (err->kind != ERROR_DENIED || err->refusal == REFUSED_HERE)
		return -1;
	if (err->refusal == REFUSED_EXPIRED)
		return error_notify(err, "its id token has expired; run the job again");
	if (err->refusal != REFUSED_AUDIENCE || audience == NULL)
		return error_notify(err, "its id token could not be verified");
	snprintf(notice, sizeof(notice),
		 "its id token is for another audience; in .gitlab-ci.yml, set its aud to "
		 "\"%.120s\"",
		 audience);
	return error_notify(err, notice);
}

int plan_read_job(struct plan *plan, struct error *err)
{
	const struct string_list *names = &plan->settings->general.jwt_env_variable;
	plan->token = calloc(1, JOB_TOKEN_SIZE);
	if (plan->token == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	confine_keep_secret(plan->token, JOB_TOKEN_SIZE);
	cleanup_close int response = job_open(getenv("JOB_RESPONSE_FILE"), err);
	if (response < 0)
		return -1;
	int result = job_read(response, names, &plan->job, plan->token, err);
	return result == 0 ? 0 : explain_token(plan, err);
}

int plan_require_token(const struct plan *plan, struct error *err)
{
	bool is_missing = plan->token[0] == '\0' && rules_need_token(plan->settings);
	return is_missing ? refuse_without_token(plan, err) : 0;
}

int plan_establish_identity(struct plan *plan, struct error *err)
{
	const struct settings *settings = plan->settings;
	int result = plan_require_token(plan, err);
	if (plan->token[0] != '\0')
		result = identity_establish(&settings->general, &plan->job, plan->token,
					    &plan->identity, err) == 0
				 ? 0
				 : explain_token(plan, err);
	plan_free_token(plan);
	/* After the token is freed: the process that asks the server is a copy of this one. */
	if (result == 0 && settings->auth.confirm_job)
		result = confirmation_ask(settings, &plan->job, &plan->identity.claims, err);
	return result;
}
