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

static const char NO_CHANGE[] = "all jobs run as the service account";
static const char NO_SCRIPT[] = "auth.runas.validation_script is not set";
static const char LOG_OFF[] = "auth.logging.enabled is false";
static const char BUILDS[] =
	"a runner has one directory for each job that it runs at the same time, and no more";

/* A key without effect: always, or without another key, or if something is true. */
static const struct {
	const char *key;
	const char *why;
	const char *without; /* the other key; NULL: none */
	bool (*applies)(const struct settings *settings);
} IDLE[] = {
	{"auth.shell_allowlist", NO_CHANGE, .applies = no_account_changes},
	{"auth.min_uid", NO_CHANGE, .applies = no_account_changes},
	{"auth.allow_bot_accounts",
	 "no setting requires an id token, and without one a bot is not recognised",
	 .applies = nobody_is_known},
	{"auth.allow_fork_pipelines",
	 "no setting requires an id token, which would name the project of the code",
	 .applies = nobody_is_known},
	{"auth.lists_pre_validation", NO_SCRIPT, .without = "auth.runas.validation_script"},
	{"auth.max_env_chars", .why = "no data of a job is passed in the environment"},
	{"auth.jwt_exp_delay", .why = "the token is read once, before the job begins"},
	{"auth.logging.level", LOG_OFF, .without = "auth.logging.enabled"},
	{"auth.logging.location", LOG_OFF, .without = "auth.logging.enabled"},
	{"auth.logging.network", LOG_OFF, .without = "auth.logging.enabled"},
	{"auth.logging.address", LOG_OFF, .without = "auth.logging.enabled"},
	{"auth.enabled", .why = "jacamar-auth always checks who may run jobs"},
	{"auth.seccomp.tty_rules", .why = "the filter that is always installed has these rules"},
	{"auth.seccomp.disable_no_new_privs", .why = "filters require no_new_privs"},
	{"auth.seccomp.error_num_block_actions", "no block_calls are set",
	 .without = "auth.seccomp.block_calls"},
	{"auth.runas.validation_env", NO_SCRIPT, .without = "auth.runas.validation_script"},
	{"general.container.pull", "general.container.runtime is not set",
	 .without = "general.container.runtime"},
	{"general.variable_data_dir", .why = "a $NAME in data_dir is always resolved"},
	{"general.limit_build_dir", .why = BUILDS},
	{"general.max_build_dir", .why = BUILDS},
	{"general.uncap_build_dir_cleanup", .why = BUILDS},
	{"general.user_enabled_limit", .why = BUILDS},
	{"general.file_lock_debug", .why = BUILDS},
	{"batch.ff_slurm_sacct", .why = "the script itself reports its exit code"},
	{"batch.lsf_job_cancellation", .why = "a cancelled job is always removed from the queue"},
	{"batch.disable_name_prefix", .why = "SCHEDULER_JOB_PREFIX is not read"},
};

const char *rules_idle(const struct settings *settings, const struct schema_row *row)
{
	for (size_t i = 0; i < sizeof(IDLE) / sizeof(IDLE[0]); i++) {
		if (schema_find_key(IDLE[i].key) == row &&
		    (IDLE[i].applies == NULL || IDLE[i].applies(settings)) &&
		    (IDLE[i].without == NULL || !rules_is_set(settings, IDLE[i].without)))
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
