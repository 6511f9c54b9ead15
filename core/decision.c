#include "core/decision.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "config/rules.h"
#include "core/executor/arguments.h"
#include "core/io.h"
#include "core/json.h"
#include "core/program.h"
#include "core/seccomp.h"
#include "core/text.h"
#include "core/user_side.h"

/* Fills with random hexadecimal digits. */
static int draw(char *out, size_t size, struct error *err)
{
	unsigned char bytes[STATE_COOKIE_SIZE / 2];
	size_t wanted = (size - 1) / 2;
	if (getrandom(bytes, wanted, 0) != (ssize_t)wanted)
		return error_errno(err, ERROR_SYSTEM, "cannot draw a random number");
	for (size_t i = 0; i < wanted; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int decision_init(struct decision *decision, struct error *err)
{
	memset(decision, 0, sizeof(*decision));
	if (draw(decision->cookie, sizeof(decision->cookie), err) != 0)
		return -1;
	return draw(decision->reference, sizeof(decision->reference), err);
}

void decision_free(struct decision *decision)
{
	settings_free(decision->settings);
	free(decision->token);
	workspace_free(&decision->workspace);
	free(decision->jacamar);
	json_decref(decision->environment_names);
	json_decref(decision->user_environment);
	json_decref(decision->filters);
	json_decref(decision->substages);
	json_decref(decision->default_arguments);
	json_decref(decision->argument_variables);
	json_decref(decision->scheduler_environment);
}

/* Only the job's author can mend that, and is told how. */
static int refuse_without_token(const struct decision *decision, struct error *err)
{
	const struct general_settings *general = &decision->settings->general;
	const char *name = general->jwt_env_variable.items[0];
	const char *origin = decision->job.origin.url;
	/* The notice is short: what is longer than usual is cut. */
	const char *audience = general->jwt_required_aud != NULL ? general->jwt_required_aud
			       : origin[0] != '\0'		 ? origin
								 : "https://...";
	char notice[ERROR_NOTICE_SIZE];
	snprintf(notice, sizeof(notice),
		 "it has no id token; in .gitlab-ci.yml, give the job id_tokens: { %.50s: { aud: "
		 "\"%.120s\" } }",
		 name, audience);
	error_set(err, ERROR_DENIED,
		  "the job has no id token; it needs id_tokens: %s, as general.jwt_env_variable "
		  "says",
		  name);
	return error_notify(err, notice);
}

int decision_read_job(struct decision *decision, struct error *err)
{
	const struct string_list *names = &decision->settings->general.jwt_env_variable;
	decision->token = calloc(1, JOB_TOKEN_SIZE);
	if (decision->token == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	cleanup_close int response = job_open(getenv("JOB_RESPONSE_FILE"), err);
	return response < 0 ? -1 : job_read(response, names, &decision->job, decision->token, err);
}

static int establish_identity(struct decision *decision, struct error *err)
{
	const struct settings *settings = decision->settings;
	cleanup_free char *token = decision->token;
	decision->token = NULL;
	if (token[0] != '\0')
		return identity_establish(&settings->general, &decision->job, token,
					  &decision->identity, err);
	return rules_need_token(settings) ? refuse_without_token(decision, err) : 0;
}

/* Root's privilege comes from the caller, not from the file. */
static bool is_by_file(enum downscope_kind downscope, const struct account *service)
{
	return downscope == DOWNSCOPE_SETUID && service->uid != 0;
}

int decision_find_account(struct decision *decision, struct error *err)
{
	const struct auth_settings *auth = &decision->settings->auth;
	const struct account *service = &decision->service;
	const char *wanted = auth->runas.user_variable;

	if (establish_identity(decision, err) != 0 ||
	    account_of_process(&decision->service, err) != 0)
		return -1;
	/* The job's author sets it, and the script judges. */
	cleanup_free char *variable = text_format("CUSTOM_ENV_%s", wanted != NULL ? wanted : "");
	if (variable == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	decision->applicant = (struct applicant){
		.settings = auth,
		.sources = &POLICY_SOURCES,
		.service = service,
		.claims = &decision->identity.claims,
		.target = wanted != NULL ? getenv(variable) : NULL,
	};
	if (policy_apply(&decision->applicant, err) != 0)
		return -1;
	return is_by_file(auth->downscope, service)
		       ? program_check_reach(&decision->applicant.account, err)
		       : 0;
}

/* As the token says it, else as the response does; NULL where neither does. */
static const char *project_path(const struct decision *decision)
{
	const char *const said[] = {
		decision->identity.claims.project_path,
		decision->job.project_path,
		decision->job.repository_path,
	};
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (said[i][0] != '\0')
			return said[i];
	return NULL;
}

/* Of the job's author; NULL where there is none, or the site does not have it. */
static const char *custom_builds(const struct decision *decision)
{
	const char *custom = getenv(WORKSPACE_CUSTOM_VARIABLE);
	bool wanted = custom != NULL && custom[0] != '\0';
	return wanted && decision->settings->general.custom_build_dir ? custom : NULL;
}

static struct workspace_names workspace_names(const struct decision *decision)
{
	uint64_t project = decision->identity.claims.project_id;
	return (struct workspace_names){
		.short_token = getenv("CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN"),
		.concurrent = getenv("CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID"),
		.custom_builds = custom_builds(decision),
		.project_path = project_path(decision),
		.project_id = project != 0 ? project : decision->job.project_id,
		.job_id = decision->job.id,
		.static_builds = decision->settings->general.static_builds_dir,
	};
}

static const char *choose_data_dir(const struct decision *decision)
{
	return decision->applicant.runas.data_dir[0] != '\0' ? decision->applicant.runas.data_dir
							     : decision->settings->general.data_dir;
}

/* Never where the user's home or the user's own shell says where that is. */
static bool root_creates_base(const struct decision *decision)
{
	return decision->settings->auth.root_dir_creation && choose_data_dir(decision)[0] == '/';
}

struct state decision_state(const struct decision *decision)
{
	/* Nothing else is found out before the settings are read. */
	if (decision->settings == NULL)
		return (struct state){.reference = decision->reference};
	const struct general_settings *general = &decision->settings->general;
	const struct auth_settings *auth = &decision->settings->auth;
	const struct batch_settings *batch = &decision->settings->batch;
	struct workspace_names names = workspace_names(decision);
	uint64_t pipeline = decision->identity.claims.pipeline_id;
	struct state state = {
		.job_id = decision->job.id,
		.pipeline_id = pipeline != 0 ? pipeline : decision->job.pipeline_id,
		.project_path = names.project_path,
		.short_token = names.short_token,
		.concurrent = names.concurrent,
		.login = decision->identity.claims.user_login,
		.reference = decision->reference,
		.cookie = decision->cookie,
		.account = decision->applicant.account,
		.applicant = decision->applicant.claims != NULL ? &decision->applicant : NULL,
		.downscope = auth->downscope,
		.min_uid = auth->min_uid,
		.base = decision->workspace.base,
		.custom_builds = decision->workspace.custom_builds,
		.builds_dir = decision->workspace.builds_dir,
		.cache_dir = decision->workspace.cache_dir,
		.scripts_dir = decision->workspace.scripts_dir,
		.jacamar = decision->jacamar,
		.name = general->name,
		.shell_path = general->shell_path,
		.job_message = general->job_message,
		.kill_timeout_ms = general->kill_timeout_ms,
		.retain_logs = general->retain_logs,
		.group_permissions = general->group_permissions,
		.root_creates_base = root_creates_base(decision),
		.static_builds = general->static_builds_dir,
		.static_builds_days = general->static_builds_days,
		.no_new_privs = auth->no_new_privs,
		.raise_stack = general->set_stack_size,
		.unrestricted_cmd_line = general->unrestricted_cmd_line,
		.substages = decision->substages,
		.environment_names = decision->environment_names,
		.user_environment = decision->user_environment,
		.filters = decision->filters,
		.logging = auth->logging,
		.executor = general->executor,
		.scheduler_bin = batch->scheduler_bin,
		.default_arguments = decision->default_arguments,
		.argument_variables = decision->argument_variables,
		.scheduler_environment = decision->scheduler_environment,
		.command_delay_ms = batch->command_delay_ms,
		.nfs_timeout_ms = batch->nfs_timeout_ms,
		.allow_illegal_args = batch->allow_illegal_args,
		.skip_cobalt_log = batch->skip_cobalt_log,
	};
	memcpy(state.limits, auth->limits, sizeof(state.limits));
	return state;
}

/* Runs the user's shell to find out what data_dir is; its answer, unchecked, goes to `text`. */
static int ask_user(const struct decision *decision, const struct state *state, rlim_t core_limit,
		    char *text, size_t size, struct error *err)
{
	int answer[2];
	struct session_end end;
	if (pipe2(answer, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	cleanup_close int in = answer[0];
	struct user_side side = {.state = state,
				 .stage = "config",
				 .data_dir = choose_data_dir(decision),
				 .output = answer[1],
				 .core_limit = core_limit};
	int result = user_side_run(&side, &end, err);
	close(answer[1]);
	if (result != 0 || user_side_check(&end, err) != 0)
		return -1;
	/* Who still holds the other end has nothing to add to the answer. */
	fcntl(in, F_SETFL, O_NONBLOCK);
	ssize_t got = read(in, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static int resolve_data_dir(const struct decision *decision, rlim_t core_limit, char *resolved,
			    size_t size, struct error *err)
{
	const char *data_dir = choose_data_dir(decision);
	struct state state = decision_state(decision);
	/* Where the job lives is what is being found out; until then it is nowhere. */
	state.base = state.builds_dir = state.cache_dir = state.scripts_dir = "/nonexistent";
	if (ask_user(decision, &state, core_limit, resolved, size, err) != 0)
		return -1;
	return workspace_check_resolved(data_dir, resolved, err);
}

int decision_plan(struct decision *decision, rlim_t core_limit, struct error *err)
{
	const struct settings *settings = decision->settings;
	struct workspace_names names = workspace_names(decision);
	const char *data_dir = choose_data_dir(decision);
	char resolved[ACCOUNT_PATH_SIZE];
	decision->jacamar = program_find(settings->auth.jacamar_path, err);
	if (decision->jacamar == NULL)
		return -1;
	/* Later stages check it again; here, so that a faulty installation runs nothing at all. */
	cleanup_free char *program =
		program_resolve(decision->jacamar, program_use_of(settings->auth.downscope), err);
	if (program == NULL)
		return -1;
	decision->substages = json_from_list(&settings->auth.run_stage_allowlist);
	decision->environment_names = json_from_list(&settings->auth.downscope_env);
	decision->user_environment = json_from_list(&settings->general.user_bash_env);
	decision->filters = seccomp_compile(&settings->auth.seccomp, settings->auth.no_new_privs,
					    &decision->applicant.account, err);
	if (decision->filters == NULL)
		return -1;
	if (arguments_check(settings->general.executor, &settings->batch, err) != 0)
		return -1;
	decision->default_arguments = json_from_list(&settings->batch.default_args);
	decision->argument_variables = json_from_list(&settings->batch.arguments_variable);
	decision->scheduler_environment = json_from_list(&settings->batch.env_vars);
	if (names.project_path == NULL)
		return error_set(err, ERROR_SYSTEM,
				 "neither the id token nor the job response name the project");
	if (workspace_check_names(&names, err) != 0)
		return -1;
	if (root_creates_base(decision) &&
	    (geteuid() != 0 || settings->auth.downscope != DOWNSCOPE_SETUID))
		return error_set(err, ERROR_SYSTEM,
				 "auth.root_dir_creation needs a jacamar-auth that is root, with "
				 "auth.downscope = \"setuid\": without, make the directories of "
				 "%s yourself, or let users make them",
				 data_dir);
	if (workspace_needs_shell(data_dir)) {
		if (resolve_data_dir(decision, core_limit, resolved, sizeof(resolved), err) != 0)
			return -1;
		data_dir = resolved;
	}
	return workspace_plan(data_dir, &decision->applicant.account, &names, &decision->workspace,
			      err);
}

int decision_recheck(const struct state *state, struct error *err)
{
	struct account now;
	struct account service;
	bool own = state->downscope == DOWNSCOPE_NONE;

	if (account_of_process(&service, err) != 0 ||
	    (is_by_file(state->downscope, &service) && program_check_closed(err) != 0) ||
	    (own ? account_of_process(&now, err)
		 : account_by_name(state->account.name, &now, err)) != 0)
		return -1;
	if (now.uid != state->account.uid || now.gid != state->account.gid)
		return error_set(err, ERROR_DENIED,
				 "account %s has another uid or gid than when the job began",
				 state->account.name);
	return policy_check_uid(&now, &service, state->downscope, state->min_uid, err);
}
