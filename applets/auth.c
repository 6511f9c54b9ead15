/*
 * auth: the stages as the runner calls them, on the service's side.
 *
 * main() has already put the capabilities into reserve: they have no effect in this process, only
 * in the children that downscope.c makes. Of the job's input this process reads a file's path, the
 * variables CUSTOM_ENV_*, which their readers check, and the name of a sub-stage. Children without
 * privilege parse everything else (confine.h).
 *
 * config decides who triggered the job, whether it may run, as which account and where, and puts
 * the decision into the job's state. Later stages check the state again and become that account.
 * `jacamar --no-auth` does the same without the change of account.
 */
#include "applets/applet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/outcome.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"
#include "core/privilege/trusted_program.h"
#include "core/stage/pam_session.h"
#include "core/stage/plan.h"
#include "core/stage/root_directory.h"
#include "core/stage/stage.h"
#include "core/stage/sudo.h"

/* Whether this process can change the account as auth.downscope says. */
static int check_downscope(const struct invocation *call, enum downscope_kind downscope,
			   struct error *err)
{
	if (downscope == DOWNSCOPE_UNSET)
		return error_set_key(
			err, "auth.downscope", ERROR_SYSTEM,
			"the configuration lacks auth.downscope: set it to \"setuid\", "
			"\"sudo\" or \"none\"");
	/*
	 * Then the state is from config of another program: that of jacamar --no-auth has "none".
	 */
	if (downscope != DOWNSCOPE_NONE && call->no_auth)
		return error_set(err, ERROR_SYSTEM,
				 "config was run by jacamar-auth, but %s by jacamar --no-auth: the "
				 "runner's config.toml must call the same program for all stages",
				 call->stage);
	if (downscope == DOWNSCOPE_SUDO)
		return sudo_find(err) != NULL ? 0 : -1;
	if (downscope == DOWNSCOPE_SETUID && !privilege_is_reserved())
		return trusted_program_explain_privilege(err);
	return 0;
}

/* A file of Jacamar CI may set it: there, too, --no-auth changes no account. */
static void ignore_downscope(const struct invocation *call, struct settings *settings)
{
	char service[ACCOUNT_NAME_SIZE] = "the service account";
	enum downscope_kind *downscope = &settings->auth.downscope;
	if (*downscope != DOWNSCOPE_UNSET && *downscope != DOWNSCOPE_NONE) {
		account_name_of_process(service);
		applet_say(call,
			   "warning: this job runs as %s: jacamar --no-auth ignores auth.downscope",
			   service);
	}
	if (settings->auth.pam_account != NULL)
		applet_say(call, "warning: jacamar --no-auth ignores auth.pam_account: PAM is not "
				 "asked about the account");
	if (settings->auth.pam_session != NULL)
		applet_say(call,
			   "warning: jacamar --no-auth ignores auth.pam_session: no session of "
			   "PAM is opened");
	*downscope = DOWNSCOPE_NONE;
}

static struct settings *load_settings(const struct invocation *call, struct error *err)
{
	cleanup_free char *messages = NULL;
	if (call->configuration == NULL) {
		error_set(err, ERROR_SYSTEM,
			  "config needs --configuration FILE: add it to config_args in the "
			  "runner's config.toml");
		return NULL;
	}
	struct settings *settings = settings_load(call->configuration, geteuid(), &messages);
	if (settings == NULL) {
		char service[ACCOUNT_NAME_SIZE] = "?";
		account_name_of_process(service);
		if (call->unobfuscated)
			outcome_say_lines(call, messages);
		const char *first = messages != NULL ? messages : "out of memory";
		error_set_key(err, "the configuration", ERROR_SYSTEM,
			      "the configuration cannot be used: %s (read as %s; config_args in "
			      "the runner's config.toml name it); the first error: %.*s",
			      call->configuration, service, (int)strcspn(first, "\n"), first);
		return NULL;
	}
	if (secure_path_check("the configuration", call->configuration, err) != 0 ||
	    confined_uids_set(settings->auth.confined_uids, true, err) != 0) {
		settings_free(settings);
		return NULL;
	}
	if (call->no_auth)
		ignore_downscope(call, settings);
	return settings;
}

/* The first failure ends it. */
static int decide(const struct invocation *call, struct plan *plan, struct error *err)
{
	struct error unread;
	plan->settings = load_settings(call, err);
	if (plan->settings == NULL)
		return -1;
	/*
	 * Read first, because the first audit record names the job. A failure is reported after
	 * that record.
	 */
	int read = plan_read_job(plan, &unread);
	struct state job = plan_state(plan);
	if (outcome_begin(call, &job, err) != 0 ||
	    check_downscope(call, job.settings.auth.downscope, err) != 0)
		return -1;
	if (read != 0) {
		*err = unread;
		return -1;
	}
	if (plan_find_account(plan, err) != 0)
		return -1;
	return plan_stage(plan, err);
}

/* Also fails if the runner has told this process to end: such signals are blocked meanwhile. */
static int decide_unless_cancelled(const struct invocation *call, struct plan *plan,
				   struct error *err)
{
	if (plan_init(plan, err) != 0)
		return -1;
	cleanup_close int signals = signals_open(err);
	if (signals < 0 || decide(call, plan, err) != 0)
		return -1;
	return signals_read(signals).end ? error_cancelled(err) : 0;
}

/* Users may know the variable from other sites. */
static void warn_of_ignored_variable(const struct invocation *call, const struct settings *settings)
{
	const char *custom = getenv(WORKSPACE_CUSTOM_VARIABLE);
	if (custom != NULL && custom[0] != '\0' && !settings->general.custom_build_dir)
		applet_say(call, "CUSTOM_CI_BUILDS_DIR has no effect: this site does not set "
				 "general.custom_build_dir");
}

/*
 * Warns if `image` or `services` of .gitlab-ci.yml have no effect. The runner sets the second
 * variable even without services. The author of the job chooses the name of the image.
 */
static void warn_of_ignored_image(const struct invocation *call, const struct state *job)
{
	const char *image = getenv("CUSTOM_ENV_CI_JOB_IMAGE");
	const char *services = getenv("CUSTOM_ENV_CI_JOB_SERVICES");
	bool has_containers = job->settings.general.container.runtime != CONTAINER_NONE;
	bool has_image = image != NULL && image[0] != '\0' && !has_containers;
	bool has_services = services != NULL && services[0] != '\0' && strcmp(services, "[]") != 0;
	char name[128] = "";
	if (!has_image && !has_services)
		return;
	if (has_image)
		snprintf(name, sizeof(name), "%s", image);
	text_make_printable(name);
	applet_say(call, "%s%s%s%s%s %s no effect: %s", has_image ? "image: '" : "", name,
		   has_image ? "'" : "", has_image && has_services ? " and " : "",
		   has_services ? "services:" : "", has_image && !has_services ? "has" : "have",
		   has_containers ? "this site starts only the container of image:"
				  : "jobs run on the hosts of this site, not in containers");
}

/* After a failed config the runner calls cleanup without a state: so this is done here. */
static void release_builds(const struct invocation *call, const struct state *job)
{
	struct error err;
	struct stage_end end = {.found = ""};
	const struct stage side = {.state = job, .stage = "cleanup", .output = -1};
	if (stage_run(&side, &end, &err) != 0 || stage_check(&end, &err) != 0)
		applet_say(call, "the job's builds directory stays locked for ten minutes: %s",
			   err.detail);
}

static int configure(const struct invocation *call)
{
	struct error err;
	struct error unwritten;
	struct plan plan;
	int result = decide_unless_cancelled(call, &plan, &err);
	if (result != 0 && plan.settings != NULL)
		applet_add_place(call->configuration, plan.settings, &err);
	struct state job = plan_state(&plan);
	/* A warning that cannot be recorded fails the job, unless it has failed already. */
	if (outcome_warn(call, &job, plan.identity.warning, &unwritten) != 0 && result == 0) {
		result = -1;
		err = unwritten;
	}
	int code = result == 0 ? outcome_allow(call, &job) : outcome_failure(call, &job, &err);
	if (code != 0 && plan.has_builds)
		release_builds(call, &job);
	if (code != 0)
		plan_remove_cgroup(&plan);
	if (result == 0)
		warn_of_ignored_variable(call, plan.settings);
	plan_free(&plan);
	return code;
}

/*
 * Whether the site runs this sub-stage. build_script, also called step_script, always runs: a job
 * whose own script is skipped would succeed (config/rules.c).
 */
static bool is_run_here(const struct state *job, const char *substage)
{
	const struct string_list *allowed = &job->settings.auth.run_stage_allowlist;
	return allowed->count == 0 || strcmp(substage, "build_script") == 0 ||
	       strcmp(substage, "step_script") == 0 || string_list_has(allowed, substage);
}

/* The script may report only that a command of it was killed. */
static void say_oom_kills(const struct invocation *call, const struct state *job, int64_t count)
{
	const struct cgroup_settings *limits = &job->settings.auth.cgroup;
	const char *of_job = limits->job[CGROUP_MEMORY_MAX];
	const char *of_user = limits->user[CGROUP_MEMORY_MAX];
	bool has_job = of_job != NULL && strcmp(of_job, "max") != 0;
	bool has_user = of_user != NULL && strcmp(of_user, "max") != 0;
	char text[128];
	if (count <= 0)
		return;
	/* As "a job may use 4G", or "" if there are no limits. */
	snprintf(text, sizeof(text), "%s%s%s%s%s", has_job ? "; a job may use " : "",
		 has_job ? of_job : "", has_user ? (has_job ? ", and all" : "; all") : "",
		 has_user ? " jobs of an account together " : "", has_user ? of_user : "");
	applet_say(call, "the job ran out of memory: the kernel killed %lld of its processes%s",
		   (long long)count, text);
}

/* Runs a stage that comes after config as the user; returns the exit code for the runner. */
static int run_stage(struct invocation *call, const struct state *job)
{
	struct error err;
	struct stage_end end = {.usage = CGROUP_USAGE_UNKNOWN};
	struct stage side = {.state = job, .stage = call->stage, .output = -1};
	bool is_cleanup = strcmp(call->stage, "cleanup") == 0;

	side.script = call->operands[0];
	side.substage = side.script != NULL ? call->operands[1] : NULL;
	/*
	 * Only root_directory_make needs root's CAP_CHOWN, and only a session of PAM the other
	 * capabilities of root: both are given up as soon as they are not needed any more.
	 */
	bool root_creates = job->root_creates_base && strcmp(call->stage, "prepare") == 0;
	bool has_session = pam_session_of(job, call->stage) != NULL;
	/* cleanup kills the job's processes even if that cannot be recorded. */
	if ((!has_session && privilege_settle(root_creates, &err) != 0) ||
	    (outcome_begin(call, job, &err) != 0 && !is_cleanup) ||
	    (side.script != NULL && applet_check_substage(side.substage, &err) != 0))
		return outcome_failure(call, job, &err);
	if (side.script != NULL && !is_run_here(job, side.substage))
		return outcome_skip(call, job);
	/* Everything that must be true before anything runs as the user. */
	bool good = check_downscope(call, job->settings.auth.downscope, &err) == 0 &&
		    plan_recheck(job, root_creates, &err) == 0 &&
		    (!root_creates || root_directory_make(job, &err) == 0);
	good = good && stage_run(&side, &end, &err) == 0 && stage_check(&end, &err) == 0;
	call->usage = end.usage;
	say_oom_kills(call, job, end.oom_kills);
	if (end.found[0] != '\0')
		applet_say(call, "%s processes that the job left behind: %s",
			   end.left ? "found" : "ended", end.found);
	if (!good)
		return outcome_failure(call, job, &err);
	if (strcmp(call->stage, "prepare") == 0)
		warn_of_ignored_image(call, job);
	return outcome_end(call, job, end.run.exit_code);
}

int auth_applet(struct invocation *call)
{
	struct error err;
	struct state job;
	const struct state unknown = {.job_id = 0};
	/* Only the runner can set it; the job's author has nothing but CUSTOM_ENV_*. */
	const char *text = getenv(STATE_VARIABLE);
	bool is_config = strcmp(call->stage, "config") == 0;

	call->started = io_now_ms();
	call->usage = CGROUP_USAGE_UNKNOWN;
	if (signals_hold(&err) != 0 || privilege_hide_memory(&err) != 0 ||
	    (is_config && privilege_settle(false, &err) != 0))
		return outcome_failure(call, &unknown, &err);
	if (is_config)
		return configure(call);
	/* config has failed, and has said why: there is nothing to clean up. */
	if (text == NULL && strcmp(call->stage, "cleanup") == 0)
		return 0;
	if (text == NULL) {
		error_set(&err, ERROR_SYSTEM,
			  "%s is not set: is config_exec set in the runner's config.toml, beside "
			  "prepare_exec, run_exec and cleanup_exec?",
			  STATE_VARIABLE);
		return outcome_failure(call, &unknown, &err);
	}
	int code;
	if (state_parse(text, &job, &err) != 0)
		code = outcome_failure(call, &unknown, &err);
	else if (confined_uids_set(job.settings.auth.confined_uids, false, &err) != 0)
		code = outcome_failure(call, &job, &err);
	else
		code = run_stage(call, &job);
	state_free(&job);
	return code;
}
