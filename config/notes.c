/*
 * What `config --check` says about settings that are not wrong: which have no effect, and what a
 * value means beside others.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "config/rules.h"
#include "config/schema.h"

static bool no_account_changes(const struct settings *settings)
{
	return settings->auth.downscope == DOWNSCOPE_NONE;
}

static bool nobody_is_known(const struct settings *settings)
{
	return !rules_need_token(settings);
}

static bool no_script_is_asked(const struct settings *settings)
{
	return settings->auth.runas.validation_script == NULL;
}

static bool no_call_is_blocked(const struct settings *settings)
{
	return settings->auth.seccomp.block_calls.count == 0;
}

static bool no_container_is_run(const struct settings *settings)
{
	return settings->general.container.runtime == CONTAINER_NONE;
}

static bool log_is_off(const struct settings *settings)
{
	return !settings->auth.logging.enabled;
}

static const char NO_CHANGE[] = "all jobs run as the service account";
static const char LOG_OFF[] = "auth.logging.enabled is false";
static const char BUILDS[] =
	"a runner has one directory for each job that it runs at the same time, and no more";

static const struct {
	const char *key;
	bool (*applies)(const struct settings *settings); /* NULL: always */
	const char *why;
} IDLE[] = {
	{"auth.shell_allowlist", no_account_changes, NO_CHANGE},
	{"auth.min_uid", no_account_changes, NO_CHANGE},
	{"auth.allow_bot_accounts", nobody_is_known,
	 "no rule asks for a token, so a bot need not show one"},
	{"auth.allow_fork_pipelines", nobody_is_known,
	 "no rule asks for a token, which would say whose code it is"},
	{"auth.lists_pre_validation", no_script_is_asked, "no script of auth.runas is asked"},
	{"auth.max_env_chars", NULL, "no data of a job is passed in the environment"},
	{"auth.jwt_exp_delay", NULL, "the token is read once, before the job begins"},
	{"auth.logging.level", log_is_off, LOG_OFF},
	{"auth.logging.location", log_is_off, LOG_OFF},
	{"auth.logging.network", log_is_off, LOG_OFF},
	{"auth.logging.address", log_is_off, LOG_OFF},
	{"auth.enabled", NULL, "jacamar-auth always checks who may run jobs"},
	{"auth.seccomp.tty_rules", NULL, "the default filter has those rules"},
	{"auth.seccomp.disable_no_new_privs", NULL, "filters cannot do without no_new_privs"},
	{"auth.seccomp.error_num_block_actions", no_call_is_blocked, "no block_calls are set"},
	{"auth.runas.validation_env", no_script_is_asked, "no script of auth.runas is asked"},
	{"general.container.pull", no_container_is_run, "general.container.runtime is not set"},
	{"general.variable_data_dir", NULL, "a $NAME in data_dir is always resolved"},
	{"general.limit_build_dir", NULL, BUILDS},
	{"general.max_build_dir", NULL, BUILDS},
	{"general.uncap_build_dir_cleanup", NULL, BUILDS},
	{"general.user_enabled_limit", NULL, BUILDS},
	{"general.file_lock_debug", NULL, BUILDS},
	{"batch.ff_slurm_sacct", NULL, "the script itself reports its exit code"},
	{"batch.lsf_job_cancellation", NULL, "a cancelled job is always removed from the queue"},
	{"batch.disable_name_prefix", NULL, "SCHEDULER_JOB_PREFIX is not read"},
};

const char *rules_idle(const struct settings *settings, const struct schema_row *row)
{
	for (size_t i = 0; i < sizeof(IDLE) / sizeof(IDLE[0]); i++) {
		if (schema_find_key(IDLE[i].key) == row &&
		    (IDLE[i].applies == NULL || IDLE[i].applies(settings)))
			return IDLE[i].why;
	}
	return NULL;
}

/* Why no_new_privs is true although the file does not set it. */
static void note_implied(const struct settings *settings, char *note)
{
	if (schema_line(settings, "auth.no_new_privs") == 0 && settings->auth.no_new_privs)
		snprintf(note, RULES_NOTE_SIZE, "but true because [auth.seccomp] has filters");
}

static void note_days(const struct settings *settings, char *note)
{
	if (settings->general.static_builds_days == 0)
		snprintf(note, RULES_NOTE_SIZE, "old builds are not removed");
	else if (schema_line(settings, "general.static_builds_days") == 0)
		snprintf(note, RULES_NOTE_SIZE, "but %" PRId64 " because static_builds_dir is set",
			 settings->general.static_builds_days);
}

static void note_both_lists(const struct settings *settings, char *note)
{
	const struct auth_settings *auth = &settings->auth;
	for (size_t i = 0; i < auth->user_allowlist.count; i++) {
		const char *name = auth->user_allowlist.items[i];
		if (!string_list_has(&auth->user_blocklist, name))
			continue;
		snprintf(note, RULES_NOTE_SIZE, "%s is in user_blocklist, too, and is refused",
			 report_excerpt(name).text);
		return;
	}
}

static const struct {
	const char *key;
	void (*write)(const struct settings *settings, char *note);
} NOTES[] = {
	{"general.static_builds_days", note_days},
	{"auth.no_new_privs", note_implied},
	{"auth.user_allowlist", note_both_lists},
};

void rules_note(const struct settings *settings, const struct schema_row *row,
		char note[RULES_NOTE_SIZE])
{
	note[0] = '\0';
	for (size_t i = 0; i < sizeof(NOTES) / sizeof(NOTES[0]); i++) {
		if (schema_find_key(NOTES[i].key) == row)
			NOTES[i].write(settings, note);
	}
}
