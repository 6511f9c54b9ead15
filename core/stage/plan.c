#include "core/stage/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "config/rules.h"
#include "core/executor/arguments.h"
#include "core/executor/login_shell.h"
#include "core/identity/confirmation.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/lib/worker.h"
#include "core/privilege/confine.h"
#include "core/privilege/isolation.h"
#include "core/privilege/seccomp.h"
#include "core/privilege/trusted_program.h"
#include "core/process/cgroup.h"
#include "core/stage/ask_user.h"
#include "core/stage/pam_account.h"
#include "core/stage/pam_session.h"
#include "core/workspace/builds_lock.h"

/* How long a cgroup that was killed may take to be empty. */
#define CGROUP_MOST_MS 2000

/* The size of a variable of the user's shell, with a newline after it. */
#define VALUE_SIZE LOGIN_SHELL_REPORT_SIZE

/* Fills with random hexadecimal digits. */
static int draw(char *out, size_t size, struct error *err)
{
	unsigned char bytes[STATE_COOKIE_SIZE / 2];
	size_t wanted = (size - 1) / 2;
	if (getrandom(bytes, wanted, 0) != (ssize_t)wanted)
		return error_errno(err, ERROR_SYSTEM, "cannot draw a random number");
	text_hex(bytes, wanted, out);
	return 0;
}

int plan_init(struct plan *plan, struct error *err)
{
	memset(plan, 0, sizeof(*plan));
	if (draw(plan->cookie, sizeof(plan->cookie), err) != 0)
		return -1;
	return draw(plan->reference, sizeof(plan->reference), err);
}

void plan_free(struct plan *plan)
{
	settings_free(plan->settings);
	plan_free_token(plan);
	workspace_free(&plan->workspace);
	free(plan->jacamar);
	json_decref(plan->groups);
	json_decref(plan->filters);
}

/* Root has its capabilities from its caller, not from the file of jacamar-auth. */
static bool uses_file_capabilities(enum downscope_kind downscope, const struct account *service)
{
	return downscope == DOWNSCOPE_SETUID && service->uid != 0;
}

static int find_account(struct plan *plan, struct error *err)
{
	struct applicant *applicant = &plan->applicant;
	if (plan_establish_identity(plan, err) != 0 ||
	    account_of_process(&plan->service, err) != 0 || policy_apply(applicant, err) != 0)
		return -1;
	return uses_file_capabilities(applicant->settings->downscope, &plan->service)
		       ? trusted_program_check_own(&applicant->account, &applicant->groups, true,
						   err)
		       : 0;
}

/*
 * What the child finds out. It is copied as bytes: its pointers are from before the fork, so they
 * are valid in both processes.
 */
struct findings {
	struct identity identity;
	struct account service;
	struct applicant applicant;
};

static void store_findings(const struct plan *plan, struct findings *findings)
{
	findings->identity = plan->identity;
	findings->service = plan->service;
	findings->applicant = plan->applicant;
}

/* In a child, on its copy of the plan. */
static int find_in_child(const void *argument, void *reply, struct error *err)
{
	struct plan *plan = *(struct plan *const *)argument;
	int result = find_account(plan, err);
	store_findings(plan, reply);
	return result;
}

int plan_find_account(struct plan *plan, struct error *err)
{
	const struct auth_settings *auth = &plan->settings->auth;
	const char *wanted = auth->runas.user_variable;
	cleanup_free struct findings *findings = calloc(1, sizeof(*findings));
	/* The job's author sets it, and the RunAs script checks it. */
	cleanup_free char *variable = text_format("CUSTOM_ENV_%s", wanted != NULL ? wanted : "");
	if (findings == NULL || variable == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	plan->applicant = (struct applicant){
		.settings = auth,
		.sources = &POLICY_SOURCES,
		.service = &plan->service,
		.claims = &plan->identity.claims,
		.target = wanted != NULL ? getenv(variable) : NULL,
		.scoped_user_id = plan->job.scoped_user_id,
	};
	store_findings(plan, findings);
	int result = worker_run(find_in_child, &plan, findings, sizeof(*findings), err);
	plan->identity = findings->identity;
	plan->service = findings->service;
	plan->applicant = findings->applicant;
	/* The child has freed its own copy. */
	plan_free_token(plan);
	plan->groups = auth->downscope == DOWNSCOPE_NONE
			       ? json_array()
			       : state_encode_groups(&plan->applicant.groups);
	return result;
}

/* From the token, else from the job response; NULL if neither has it. */
static const char *project_path(const struct plan *plan)
{
	const char *const paths[] = {
		claims_job_project_path(&plan->identity.claims),
		plan->job.project_path,
		plan->job.repository_path,
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (paths[i][0] != '\0')
			return paths[i];
	return NULL;
}

/* The choice of the job's author; NULL if there is none, or the site does not allow it. */
static const char *custom_builds(const struct plan *plan)
{
	const char *custom = getenv(WORKSPACE_CUSTOM_VARIABLE);
	bool wanted = custom != NULL && custom[0] != '\0';
	return wanted && plan->settings->general.custom_build_dir ? custom : NULL;
}

static struct workspace_names workspace_names(const struct plan *plan)
{
	uint64_t project = claims_job_project_id(&plan->identity.claims);
	return (struct workspace_names){
		.short_token = getenv("CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN"),
		.concurrent = getenv("CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID"),
		.custom_builds = custom_builds(plan),
		.project_path = project_path(plan),
		.project_id = project != 0 ? project : plan->job.project_id,
		.job_id = plan->job.id,
		.static_builds = plan->settings->general.static_builds_dir,
	};
}

static const char *choose_data_dir(const struct plan *plan)
{
	return plan->applicant.runas.data_dir[0] != '\0' ? plan->applicant.runas.data_dir
							 : plan->settings->general.data_dir;
}

/* Never if the base depends on the user's home or the user's shell. */
static bool root_creates_base(const struct plan *plan)
{
	return plan->settings->auth.root_dir_creation && choose_data_dir(plan)[0] == '/';
}

struct state plan_state(const struct plan *plan)
{
	/* Without settings, nothing else is known. */
	if (plan->settings == NULL)
		return (struct state){.reference = plan->reference};
	struct workspace_names names = workspace_names(plan);
	uint64_t pipeline = plan->identity.claims.pipeline_id;
	const char *repository = plan->job.repository_path;
	struct state state = {
		.job_id = plan->job.id,
		.pipeline_id = pipeline != 0 ? pipeline : plan->job.pipeline_id,
		.project_id = names.project_id,
		.project_path = names.project_path,
		.short_token = names.short_token,
		.concurrent = names.concurrent,
		.login = plan->identity.claims.user_login,
		.reference = plan->reference,
		.cookie = plan->cookie,
		.account = plan->applicant.account,
		.groups = plan->groups,
		.applicant = plan->applicant.claims != NULL ? &plan->applicant : NULL,
		.base = plan->workspace.base,
		.custom_builds = plan->workspace.custom_builds,
		.builds_dir = plan->workspace.builds_dir,
		.checkout = repository[0] != '\0' ? repository : NULL,
		.cache_dir = plan->workspace.cache_dir,
		.scripts_dir = plan->workspace.scripts_dir,
		.jacamar = plan->jacamar,
		.image = plan->image[0] != '\0' ? plan->image : NULL,
		.entrypoint = plan->image[0] != '\0' && plan->job.entrypoint[0] != '\0'
				      ? plan->job.entrypoint
				      : NULL,
		.root_creates_base = root_creates_base(plan),
		.filters = plan->filters,
		.settings = *plan->settings,
	};
	if (claims_ref_is_protected(&plan->identity.claims))
		state.settings.auth.protected_paths.count = 0;
	return state;
}

/* In new memory. */
static char *resolve_data_dir(const struct plan *plan, struct error *err)
{
	char value[VALUE_SIZE];
	bool given = plan->applicant.runas.data_dir[0] != '\0';
	struct state state = plan_state(plan);
	/* The job's directories are not known yet. */
	state.base = state.builds_dir = state.cache_dir = state.scripts_dir = "/nonexistent";
	const char *data_dir = choose_data_dir(plan);
	if (ask_user(&state, data_dir, value, sizeof(value), err) != 0)
		return NULL;
	return workspace_resolve(data_dir,
				 given ? "the RunAs script's data_dir" : "general.data_dir",
				 &plan->applicant.account, value, err);
}

/*
 * The user's side locks the first builds directory that no other job has locked; only the user can
 * see the locks. Its answer is not trusted, but every directory that it can name is the same
 * user's. Even if the user's side fails, it may have locked one: then auth.c releases it.
 */
static int choose_builds(struct plan *plan, struct error *err)
{
	struct state state = plan_state(plan);
	char answer[32];
	uint64_t first = 0;
	uint64_t number = 0;
	/* All jobs of a project build in one directory; prepare waits until it is free. */
	if (state.settings.general.static_builds_dir && state.custom_builds == NULL)
		return 0;
	int result = ask_user(&state, NULL, answer, sizeof(answer), err);
	(void)text_to_u64(state.concurrent, &first); /* 1 to 6 digits, as checked */
	if (!text_is_made_of(answer, TEXT_DIGIT, 7) || !text_to_u64(answer, &number) ||
	    number < first || number - first >= BUILDS_LOCK_NUMBERS)
		return result != 0 ? -1
				   : error_set(err, ERROR_SYSTEM,
					       "jacamar as the user did not name a builds "
					       "directory, but '%s'",
					       answer);
	char *builds_dir = workspace_numbered_builds(state.builds_dir, number);
	if (builds_dir == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	free(plan->workspace.builds_dir);
	plan->workspace.builds_dir = builds_dir;
	plan->has_builds = true;
	return result;
}

/*
 * prepare executes the hook as the user, who cannot check it: only trusted accounts may change it.
 */
static int check_prepare_hook(const struct settings *settings, struct error *err)
{
	const char *hook = settings->general.prepare_hook;
	cleanup_free char *program =
		hook != NULL ? trusted_program_resolve(hook, PROGRAM_PREPARE_HOOK, err) : NULL;
	return hook == NULL || program != NULL ? 0 : -1;
}

/*
 * The cgroup is made before anything runs in it: a limit that cannot be set is an error before the
 * job begins.
 */
static int create_cgroup(struct plan *plan, struct error *err)
{
	struct cgroup cgroup;
	int result = cgroup_open(&plan->settings->auth.cgroup, plan->applicant.account.uid,
				 plan->job.id, CGROUP_CREATE, &cgroup, err);
	/* After a failure the cgroup does not exist, or is another job's. */
	plan->has_cgroup = result == 0 && cgroup.base >= 0;
	cgroup_close(&cgroup);
	return result;
}

void plan_remove_cgroup(const struct plan *plan)
{
	struct error ignored;
	struct cgroup cgroup = CGROUP_NONE;
	if (plan->has_cgroup)
		(void)cgroup_open(&plan->settings->auth.cgroup, plan->applicant.account.uid,
				  plan->job.id, CGROUP_FIND, &cgroup, &ignored);
	cgroup_kill(&cgroup);
	(void)cgroup_wait_until_empty(&cgroup, CGROUP_MOST_MS);
	cgroup_remove(&cgroup);
	cgroup_close(&cgroup);
}

int plan_stage(struct plan *plan, struct error *err)
{
	const struct settings *settings = plan->settings;
	struct workspace_names names = workspace_names(plan);
	const char *data_dir = choose_data_dir(plan);
	cleanup_free char *resolved = NULL;
	if (pam_account_ask(&settings->auth, &plan->applicant.account, plan->groups, err) != 0 ||
	    pam_session_check(&settings->auth, geteuid(), err) != 0)
		return -1;
	plan->jacamar = trusted_program_find(settings->auth.jacamar_path, err);
	if (plan->jacamar == NULL)
		return -1;
	/* Later stages check it again; with a faulty installation no stage must begin. */
	cleanup_free char *program = trusted_program_resolve(
		plan->jacamar, trusted_program_use_of(settings->auth.downscope), err);
	if (program == NULL)
		return -1;
	if (check_prepare_hook(settings, err) != 0 || plan_choose_image(plan, err) != 0)
		return -1;
	plan->filters = seccomp_compile(&settings->auth, &plan->applicant.account, err);
	if (plan->filters == NULL)
		return -1;
	if (isolation_check(&settings->auth, err) != 0 || create_cgroup(plan, err) != 0)
		return -1;
	if (arguments_check(settings->general.executor, &settings->batch, err) != 0)
		return -1;
	if (names.project_path == NULL)
		return error_set(err, ERROR_SYSTEM,
				 "neither the id token nor the job response names the project");
	if (workspace_check_names(&names, err) != 0)
		return -1;
	if (root_creates_base(plan) &&
	    (geteuid() != 0 || settings->auth.downscope != DOWNSCOPE_SETUID))
		return error_set_key(
			err, "auth.root_dir_creation", ERROR_SYSTEM,
			"auth.root_dir_creation needs a jacamar-auth that runs as root, with "
			"auth.downscope = \"setuid\"; otherwise, create the directories of "
			"users in %s yourself, or let users create them",
			data_dir);
	if (workspace_needs_shell(data_dir)) {
		resolved = resolve_data_dir(plan, err);
		if (resolved == NULL)
			return -1;
		data_dir = resolved;
	}
	if (workspace_plan(data_dir, &plan->applicant.account, &names, &plan->workspace, err) !=
		    0 ||
	    plan_check_mounts(plan, err) != 0)
		return -1;
	return choose_builds(plan, err);
}

static int confirm_account(const void *argument, void *reply, struct error *err)
{
	(void)reply;
	return account_confirm(argument, err);
}

int plan_recheck(const struct state *state, bool confirm, struct error *err)
{
	const struct account service = {.uid = geteuid()};
	if (uses_file_capabilities(state->settings.auth.downscope, &service) &&
	    trusted_program_check_own(NULL, NULL, false, err) != 0)
		return -1;
	if (policy_check_uid(&state->account, &service, state->settings.auth.downscope,
			     state->settings.auth.min_uid, err) != 0)
		return -1;
	if (state->settings.auth.downscope == DOWNSCOPE_NONE && state->account.uid != service.uid)
		return account_refuse_changed(&state->account, err);
	return confirm ? worker_run(confirm_account, &state->account, NULL, 0, err) : 0;
}
