/*
 * auth: the stages as the runner calls them, with the service account's identity.
 *
 * config finds out who triggered the job, whether they may have one here and where it will live,
 * and hands that on as the job's state. The later stages check the state once more and become the
 * user. `jacamar --no-auth` is the same story without the change of account.
 */
#include "applets/applet.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/outcome.h"
#include "config/schema.h"
#include "core/decision.h"
#include "core/downscope.h"
#include "core/io.h"
#include "core/json.h"
#include "core/program.h"
#include "core/root_directory.h"
#include "core/script.h"
#include "core/sudo.h"
#include "core/supervise.h"
#include "core/trust.h"
#include "core/user_side.h"

/* Whether this process can do what the setting asks for. */
static int check_downscope(const struct invocation *call, enum downscope_kind downscope,
			   struct error *err)
{
	if (downscope == DOWNSCOPE_UNSET)
		return error_set(err, ERROR_SYSTEM,
				 "the configuration lacks auth.downscope: set it to \"setuid\", "
				 "\"sudo\" or \"none\"");
	if (downscope != DOWNSCOPE_NONE && call->no_auth)
		return error_set(
			err, ERROR_SYSTEM,
			"auth.downscope asks for a change of account, which --no-auth leaves "
			"out: call jacamar-auth, or set it to \"none\"");
	if (downscope == DOWNSCOPE_SUDO)
		return sudo_find(err) != NULL ? 0 : -1;
	if (downscope == DOWNSCOPE_SETUID && !privilege_is_reserved())
		return program_explain_privilege(err);
	return 0;
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
		struct account service = {.name = "?"};
		(void)account_of_process(&service, err);
		outcome_say_lines(call, messages);
		error_set(err, ERROR_SYSTEM,
			  "the configuration cannot be used: %s (read as %s; config_args in the "
			  "runner's config.toml name it)",
			  call->configuration, service.name);
		return NULL;
	}
	if (trust_check_way("the configuration", call->configuration, err) != 0) {
		settings_free(settings);
		return NULL;
	}
	if (settings->auth.downscope == DOWNSCOPE_UNSET && call->no_auth)
		settings->auth.downscope = DOWNSCOPE_NONE;
	return settings;
}

/* Who is it, may they, where does it live: the first failure ends it. */
static int decide(const struct invocation *call, struct decision *decision, struct error *err)
{
	decision->settings = load_settings(call, err);
	if (decision->settings == NULL)
		return -1;
	struct error unread;
	int read = decision_read_job(decision, &unread);
	/* Nothing begins whose end could not be recorded; and the record names the job. */
	struct state job = decision_state(decision);
	if (outcome_begin(call, &job, err) != 0 || check_downscope(call, job.downscope, err) != 0)
		return -1;
	if (read != 0)
		return error_set(err, unread.kind, "%s", unread.detail);
	if (decision_find_account(decision, err) != 0)
		return -1;
	return decision_plan(decision, call->core_limit, err);
}

/* The same, where nobody tells this process to end: that is heard in between, and recorded. */
static int decide_unless_told(const struct invocation *call, struct decision *decision,
			      struct error *err)
{
	if (decision_init(decision, err) != 0)
		return -1;
	cleanup_close int signals = supervise_open_signals(err);
	if (signals < 0 || decide(call, decision, err) != 0)
		return -1;
	return supervise_read_signals(signals).end
		       ? error_set(err, ERROR_CANCELLED, "the job was cancelled")
		       : 0;
}

/* A key that the text names is found where it is set. */
static void name_place(const struct invocation *call, const struct settings *settings,
		       struct error *err)
{
	const struct error said = *err;
	const struct schema_row *row = schema_find_in(said.detail, settings->lines);
	size_t line = row != NULL ? settings->lines[row - SCHEMA] : 0;
	if (row == NULL)
		return;
	if (line > 0)
		error_set(err, said.kind, "%s (%s:%zu)", said.detail, call->configuration, line);
	else
		error_set(err, said.kind, "%s (not set in %s)", said.detail, call->configuration);
	error_notify(err, said.notice);
}

/* The runner's users know the variable from other sites. */
static void say_what_is_ignored(const struct invocation *call, const struct settings *settings)
{
	const char *custom = getenv(WORKSPACE_CUSTOM_VARIABLE);
	if (custom != NULL && custom[0] != '\0' && !settings->general.custom_build_dir)
		applet_say(call, "CUSTOM_CI_BUILDS_DIR has no effect: this site does not set "
				 "general.custom_build_dir");
}

static int configure(const struct invocation *call)
{
	struct error err;
	struct error ignored;
	struct decision decision;
	int result = decide_unless_told(call, &decision, &err);
	if (result != 0 && decision.settings != NULL)
		name_place(call, decision.settings, &err);
	struct state job = decision_state(&decision);
	if (outcome_warn(call, &job, decision.identity.warning, result == 0 ? &err : &ignored) != 0)
		result = -1;
	int code = result == 0 ? outcome_allow(call, &job) : outcome_failure(call, &job, &err);
	if (result == 0)
		say_what_is_ignored(call, decision.settings);
	decision_free(&decision);
	return code;
}

/*
 * Whether the site lets this sub-stage run. That of the job's own script it must (config/rules.c),
 * by either of its names: without, jobs would succeed that never ran.
 */
static bool is_run_here(const struct state *job, const char *substage)
{
	return json_array_size(job->substages) == 0 || strcmp(substage, "build_script") == 0 ||
	       strcmp(substage, "step_script") == 0 || json_has_string(job->substages, substage);
}

/* Becomes the user and has the stage run; the result is what the runner is told. */
static int run_stage(const struct invocation *call, const struct state *job)
{
	struct error err;
	struct session_end end;
	struct user_side side = {
		.state = job, .stage = call->stage, .output = -1, .core_limit = call->core_limit};

	bool root_creates = job->root_creates_base && strcmp(call->stage, "prepare") == 0;
	if (!root_creates && privilege_settle(&err) != 0)
		return outcome_failure(call, job, &err);
	/* cleanup does its work also where nobody can be told of it. */
	if (outcome_begin(call, job, &err) != 0 && strcmp(call->stage, "cleanup") != 0)
		return outcome_failure(call, job, &err);
	if (call->operands[0] != NULL) {
		side.script = call->operands[0];
		side.substage = call->operands[1];
		if (!script_is_substage(side.substage)) {
			error_set(&err, ERROR_USAGE,
				  "a sub-stage is 1 to 64 of [A-Za-z0-9_-], not '%.64s'",
				  side.substage);
			return outcome_failure(call, job, &err);
		}
		if (!is_run_here(job, side.substage))
			return outcome_skip(call, job);
	}
	if (check_downscope(call, job->downscope, &err) != 0 || decision_recheck(job, &err) != 0 ||
	    (root_creates && root_directory_make(job, &err) != 0) ||
	    user_side_run(&side, &end, &err) != 0 || user_side_check(&end, &err) != 0)
		return outcome_failure(call, job, &err);
	return outcome_end(call, job, end.exit_code);
}

int auth_applet(struct invocation *call)
{
	struct error err;
	struct state job;
	const struct state unknown = {.job_id = 0};
	const char *text = getenv(STATE_VARIABLE);

	call->started = io_now_ms();
	if (privilege_hide_memory(&call->core_limit, &err) != 0)
		return outcome_failure(call, &unknown, &err);
	if (strcmp(call->stage, "config") == 0)
		return privilege_settle(&err) == 0 ? configure(call)
						   : outcome_failure(call, &unknown, &err);
	if (text != NULL) {
		int code = state_parse(text, &job, &err) == 0
				   ? run_stage(call, &job)
				   : outcome_failure(call, &unknown, &err);
		state_free(&job);
		return code;
	}
	if (strcmp(call->stage, "cleanup") == 0) {
		applet_say(call, "config did not finish: there is nothing to clean up");
		return 0;
	}
	error_set(&err, ERROR_SYSTEM,
		  "%s is not set: is config_exec set in the runner's config.toml, beside "
		  "prepare_exec, run_exec and cleanup_exec?",
		  STATE_VARIABLE);
	return outcome_failure(call, &unknown, &err);
}
