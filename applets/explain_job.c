/*
 * explain --token and --response: how each check of a job ends, and what that decides.
 */
#include "applets/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/schema.h"
#include "core/identity/examination.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"
#include "core/policy/policy.h"
#include "core/privilege/trusted_program.h"
#include "core/stage/plan.h"

enum outcome { PASS, REFUSE, ERROR, EXPIRED, NOT_CHECKED, NOT_REACHED, OUTCOMES };

static const char *const OUTCOME_NAMES[OUTCOMES] = {"pass",    "refuse",      "error",
						    "expired", "not checked", "not reached"};

/* One job, and the first failure of its checks, which decides. */
struct explanation {
	const struct explain *explain;
	struct plan plan; /* without cookie and reference; does not own the settings */
	char *target;	  /* the account that the job asks for, or NULL */
	bool knows_target;
	bool had[OUTCOMES];	/* some check has ended so */
	const char *decided_by; /* NULL: no check has failed */
	struct error decision;
};

/* Prints how a check has ended, and the place of `key`, unless that is "". */
__attribute__((format(printf, 5, 6))) static void report(struct explanation *job,
							 enum outcome outcome, const char *check,
							 const char *key, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	char place[ERROR_TEXT_SIZE] = "";
	size_t line = schema_line(job->explain->settings, key);
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	bool has_text = text[0] != '\0';
	if (line > 0)
		snprintf(place, sizeof(place), "%s (%s:%zu)", has_text ? "" : key,
			 job->explain->configuration, line);
	else if (key[0] != '\0')
		snprintf(place, sizeof(place), has_text ? " (%s is not set)" : "%s is not set",
			 key);
	text_make_printable(text);
	text_make_printable(place);
	job->had[outcome] = true;
	if (has_text || place[0] != '\0')
		printf("%-12s %-18s %s%s\n", OUTCOME_NAMES[outcome], check, text, place);
	else
		printf("%-12s %s\n", OUTCOME_NAMES[outcome], check);
}

static void report_failure(struct explanation *job, const char *check, const struct error *err)
{
	struct error line = *err;
	applet_add_place(job->explain->configuration, job->explain->settings, &line);
	report(job, line.kind == ERROR_DENIED ? REFUSE : ERROR, check, "", "%s%s", line.detail,
	       line.place);
	if (job->decided_by != NULL)
		return;
	job->decided_by = check;
	job->decision = line;
}

static int read_token(struct explanation *job, struct error *err)
{
	size_t size;
	cleanup_free char *bytes = io_read_to_end(job->explain->input, JOB_TOKEN_SIZE, &size);
	if (bytes == NULL)
		return error_errno(err, ERROR_USAGE, "cannot read the id token from %s",
				   job->explain->name);
	bytes[strcspn(bytes, " \t\r\n")] = '\0';
	bool fits = text_copy(job->plan.token, JOB_TOKEN_SIZE, bytes);
	explicit_bzero(bytes, size);
	if (!fits)
		return error_set(err, ERROR_DENIED, "the id token is larger than 64 KiB");
	return job->plan.token[0] != '\0'
		       ? 0
		       : error_set(err, ERROR_USAGE, "%s has no id token", job->explain->name);
}

/* The variable by which a job asks for an account is found in the same way as the token. */
static int read_target(struct explanation *job, struct error *err)
{
	char *variable = job->explain->settings->auth.runas.user_variable;
	const struct string_list names = {.items = &variable, .count = 1};
	struct job again;
	if (variable == NULL)
		return 0;
	job->target = calloc(1, JOB_TOKEN_SIZE);
	if (job->target == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	/* A pipe cannot be read again. */
	job->knows_target = lseek(job->explain->input, 0, SEEK_SET) == 0;
	return job->knows_target ? job_read(job->explain->input, &names, &again, job->target, err)
				 : 0;
}

static int read_job(struct explanation *job, struct error *err)
{
	const struct string_list *names = &job->explain->settings->general.jwt_env_variable;
	job->plan.token = calloc(1, JOB_TOKEN_SIZE);
	if (job->plan.token == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (job->explain->kind != EXPLAIN_RESPONSE)
		return read_token(job, err);
	return job_read(job->explain->input, names, &job->plan.job, job->plan.token, err) == 0
		       ? read_target(job, err)
		       : -1;
}

/*
 * The key set of --jwks, else that of general.jwks_file; -1 without *err if there is neither. Only
 * the service account can check who else may change that file.
 */
static int open_keys(const struct explain *explain, struct error *err)
{
	static const char key[] = "general.jwks_file";
	const char *option = explain->keys;
	const char *path = option != NULL ? option : explain->settings->general.jwks_file;
	err->kind = ERROR_NONE;
	if (path == NULL)
		return -1;
	if (option == NULL && explain->service.uid == geteuid())
		return secure_path_open(key, path, err);
	int keys = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return keys >= 0 ? keys
			 : error_set_key(err, option != NULL ? "" : key, ERROR_SYSTEM,
					 "cannot open %s: %s", path, strerror(errno));
}

static void report_signature(struct explanation *job, const struct error *fault)
{
	const char *option = job->explain->keys;
	const char *configured = job->explain->settings->general.jwks_file;
	if (fault->kind != ERROR_NONE)
		report_failure(job, "signature", fault);
	else if (option == NULL && configured == NULL)
		report(job, NOT_CHECKED, "signature", "general.jwks_file",
		       "the server's keys are not fetched; name them with --jwks FILE");
	else if (option != NULL)
		report(job, PASS, "signature", "", "by a key of %s", option);
	else
		report(job, PASS, "signature", "general.jwks_file", "%s", "");
}

static void report_content(struct explanation *job, const struct examination *found,
			   bool knows_server)
{
	const struct general_settings *general = &job->explain->settings->general;
	if (found->times.kind != ERROR_NONE)
		report(job, EXPIRED, "validity", "", "%s", found->times.detail);
	else if (found->content.kind == ERROR_NONE)
		report(job, PASS, "validity", "", "the id token is valid now");
	if (found->content.kind != ERROR_NONE)
		report_failure(job, "claims", &found->content);
	else
		report(job, PASS, "claims", "general.jwt_required_aud", "%s",
		       general->jwt_required_aud == NULL ? "any audience" : "");
	if (!knows_server)
		report(job, NOT_CHECKED, "issuer", "general.gitlab_server",
		       "no setting and no job response names the GitLab server");
	if (job->explain->kind != EXPLAIN_RESPONSE)
		report(job, NOT_CHECKED, "job", "",
		       "whether the id token is of the job that uses it: that needs --response");
}

/* True if there are claims for the rules. */
static bool explain_token(struct explanation *job)
{
	struct error err;
	struct error unopened;
	struct server server;
	struct plan *plan = &job->plan;
	const struct general_settings *general = &job->explain->settings->general;
	cleanup_free struct examination *found = calloc(1, sizeof(*found));
	if (plan->token[0] == '\0') {
		bool is_needed = plan_require_token(plan, &err) != 0;
		if (is_needed)
			report_failure(job, "token", &err);
		else
			report(job, PASS, "token", "",
			       "the job has none, and no setting needs one");
		return !is_needed;
	}
	bool knows_server = identity_server(general, &plan->job, &server, &err) == 0;
	cleanup_close int keys = open_keys(job->explain, &unopened);
	const struct examination_terms terms = {
		.token = plan->token,
		.keys = keys,
		.issuer = knows_server ? &server : NULL,
		.audience = general->jwt_required_aud,
		.job = job->explain->kind == EXPLAIN_RESPONSE ? &plan->job : NULL,
		.now = time(NULL),
	};
	bool is_examined = found != NULL && examination_run(&terms, found, &err) == 0;
	if (found == NULL)
		error_set(&err, ERROR_SYSTEM, "out of memory");
	else if (is_examined)
		err = found->form;
	if (!is_examined || err.kind != ERROR_NONE) {
		report_failure(job, "token", &err);
		return false;
	}
	report(job, PASS, "token", "", "a signed JSON Web Token");
	report_signature(job, unopened.kind != ERROR_NONE ? &unopened : &found->signature);
	report_content(job, found, knows_server);
	plan->identity.claims = found->claims;
	return found->content.kind == ERROR_NONE;
}

/* Called instead of the script, which could refuse the job or return another account. */
static int assume_accepted(const struct runas_settings *settings,
			   const struct runas_question *question, struct runas_answer *answer,
			   struct error *err)
{
	(void)settings;
	(void)err;
	memset(answer, 0, sizeof(*answer));
	if (question->target != NULL)
		snprintf(answer->username, sizeof(answer->username), "%s", question->target);
	return 0;
}

static void report_unasked(struct explanation *job)
{
	const char *target = job->target != NULL ? job->target : "";
	const char *variable = job->explain->settings->auth.runas.user_variable;
	bool is_unknown = variable != NULL && !job->knows_target;
	report(job, NOT_CHECKED, POLICY_RUNAS, "auth.runas.validation_script",
	       "the script is not run; the checks below assume that it accepts the job%s%.*s%s%s",
	       target[0] != '\0' ? " as " : " and names no account", ACCOUNT_NAME_SIZE, target,
	       is_unknown ? ", and that the job does not set " : "", is_unknown ? variable : "");
}

static const char *account_so_far(const struct applicant *applicant)
{
	return applicant->account.name[0] != '\0'     ? applicant->account.name
	       : applicant->runas.username[0] != '\0' ? applicant->runas.username
						      : applicant->name;
}

/* True if the account is known. */
static bool explain_rules(struct explanation *job, bool reached)
{
	struct applicant *applicant = &job->plan.applicant;
	for (size_t i = 0; i < POLICY_RULE_COUNT; i++) {
		const struct policy_rule *rule = &POLICY_RULES[i];
		struct error err = {.detail = ""};
		bool asked = applicant->asked;
		applicant->admitted[0] = '\0';
		applicant->admitted_by = NULL;
		if (!reached) {
			report(job, NOT_REACHED, rule->name, "", "%s", rule->key);
		} else if (rule->check(applicant, &err) != 0) {
			report_failure(job, rule->name, &err);
			reached = !rule->needed;
		} else if (applicant->asked && !asked && !job->explain->runs_script) {
			report_unasked(job);
		} else {
			const char *by = applicant->admitted_by;
			report(job, PASS, rule->name, by != NULL ? by : rule->key, "%s",
			       rule->needed ? account_so_far(applicant) : applicant->admitted);
		}
	}
	return reached && applicant->account.name[0] != '\0';
}

/* With file capabilities, jacamar-auth refuses accounts that may execute it. */
static void explain_program(struct explanation *job, bool reached)
{
	static const char check[] = "jacamar-auth";
	const struct explain *explain = job->explain;
	const struct applicant *applicant = &job->plan.applicant;
	struct error err;
	struct stat file;
	if (applicant->settings->downscope != DOWNSCOPE_SETUID || explain->service.uid == 0)
		return;
	if (!reached)
		report(job, NOT_REACHED, check, "", "%s", explain->program);
	else if (stat(explain->program, &file) != 0)
		report(job, NOT_CHECKED, check, "", "this program's own jacamar-auth is not found");
	else if (trusted_program_check_everyone(&file, explain->program, &err) != 0 ||
		 trusted_program_check_group(&file, explain->program, &applicant->account,
					     &applicant->groups, &err) != 0)
		report_failure(job, check, &err);
	else
		report(job, PASS, check, "", "%s cannot execute %s", applicant->account.name,
		       explain->program);
}

static int conclude(const struct explanation *job)
{
	const struct invocation *call = job->explain->call;
	const struct account *account = &job->plan.applicant.account;
	bool is_refused = job->decision.kind == ERROR_DENIED;
	if (job->decided_by != NULL)
		printf("\nThe job %s (%s): %s%s\n", is_refused ? "is refused" : "fails",
		       job->decided_by, job->decision.detail, job->decision.place);
	else
		printf("\nNo check refuses the job: it runs as %s (uid %u).\n%s%s", account->name,
		       (unsigned int)account->uid,
		       job->had[EXPIRED]
			       ? "The token has expired: this is the result while it was valid.\n"
			       : "",
		       job->had[NOT_CHECKED] ? "A check that was not made may still refuse it.\n"
					     : "");
	int printed = applet_printed(call);
	if (printed != 0 || job->decided_by == NULL)
		return printed;
	return is_refused ? 1 : call->system_failure;
}

int explain_job(const struct explain *explain, struct error *err)
{
	cleanup_free struct explanation *job = calloc(1, sizeof(*job));
	struct policy_sources sources = POLICY_SOURCES;
	if (job == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	job->explain = explain;
	job->plan.settings = explain->settings;
	if (!explain->runs_script)
		sources.runas = assume_accepted;
	bool reached = read_job(job, err) == 0;
	if (reached)
		reached = explain_token(job);
	else
		report_failure(job, "job", err);
	if (explain->settings->auth.confirm_job)
		report(job, NOT_CHECKED, "confirmation", "auth.confirm_job",
		       "the server is not asked about the job");
	job->plan.applicant = (struct applicant){
		.settings = &explain->settings->auth,
		.sources = &sources,
		.service = &explain->service,
		.claims = &job->plan.identity.claims,
		.target = job->target,
		.scoped_user_id = job->plan.job.scoped_user_id,
	};
	reached = explain_rules(job, reached);
	explain_program(job, reached);
	if (explain->settings->auth.pam_account != NULL &&
	    explain->settings->auth.downscope == DOWNSCOPE_SETUID)
		report(job, NOT_CHECKED, "PAM account", "auth.pam_account",
		       "PAM is asked only as the user");
	int code = conclude(job);
	plan_free_token(&job->plan);
	free(job->target);
	return code;
}
