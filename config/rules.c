#include "config/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "config/schema.h"

enum relation { NEEDS, EXCLUDES, IS_WRONG };

/*
 * Only what is surely a mistake stands here, because it keeps every job from running: a setting
 * without effect that its author relies on, or two that contradict each other.
 */
struct rule {
	const char *table, *key;
	enum relation relation;
	const char *other_table, *other_key; /* NULL where it is wrong by itself */
	/* Where it is not the presence of the keys alone that is wrong. */
	bool (*applies)(const struct settings *settings);
	const char *advice;
};

static bool logs_to_file(const struct settings *settings)
{
	const char *location = settings->auth.logging.location;
	return location != NULL && *location == '/';
}

/* Where the one or the other is wrong itself, that has been said. */
static bool network_needs_host(const struct settings *settings)
{
	const struct logging_settings *log = &settings->auth.logging;
	return (log->network == LOG_NETWORK_UDP || log->network == LOG_NETWORK_TCP) &&
	       log->address != NULL && !check_is_host_port(log->address);
}

static bool network_needs_socket(const struct settings *settings)
{
	const struct logging_settings *log = &settings->auth.logging;
	return log->network == LOG_NETWORK_UNIXGRAM && log->address != NULL &&
	       !check_is_socket_path(log->address);
}

static bool filters_calls(const struct settings *settings)
{
	return !settings->auth.seccomp.disabled;
}

/* Below a home, or what the user's own shell makes of $NAME, root has nothing to make. */
static bool root_follows_user(const struct settings *settings)
{
	const char *data_dir = settings->general.data_dir;
	return data_dir != NULL && *data_dir != '/';
}

/* And where no account is changed, or by sudo, jacamar-auth is not root. */
static bool root_changes_nothing(const struct settings *settings)
{
	return settings->auth.downscope != DOWNSCOPE_SETUID;
}

/* No job would do anything, and each would succeed. */
static bool runs_no_script(const struct settings *settings)
{
	const struct string_list *list = &settings->auth.run_stage_allowlist;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], "build_script") == 0 ||
		    strcmp(list->items[i], "step_script") == 0)
			return false;
	return true;
}

static const char FILTERS[] = "the kernel takes a filter only where no program gains privilege; "
			      "set that to true, or remove this";

static const struct rule RULES[] = {
	{"general", "tls-ca-file", EXCLUDES, "general", "jwks_file", NULL,
	 "keys that a file holds are not fetched; remove one of the two"},
	{"auth", "root_dir_creation", EXCLUDES, "general", "data_dir", root_follows_user,
	 "root makes directories below an absolute path alone; name one there, or remove this"},
	{"auth", "root_dir_creation", EXCLUDES, "auth", "downscope", root_changes_nothing,
	 "root makes directories for accounts that it becomes alone; set that to \"setuid\", or "
	 "remove this"},
	{"auth", "run_stage_allowlist", IS_WRONG, NULL, NULL, runs_no_script,
	 "has neither build_script nor step_script, without which no script of a job is run"},
	{"auth.runas", "user_variable", NEEDS, "auth.runas", "validation_script", NULL,
	 "the script decides who may become whom; set that, too, or remove this"},
	{"auth.runas", "sha256", NEEDS, "auth.runas", "validation_script", NULL,
	 "it is the sum of that script; set that, too, or remove this"},
	{"auth.logging", "network", NEEDS, "auth.logging", "address", NULL,
	 "set the address of the log's server, too, or remove this"},
	{"auth.logging", "network", EXCLUDES, "auth.logging", "location", logs_to_file,
	 "the log goes to one place; remove one of the two"},
	{"auth.logging", "address", NEEDS, "auth.logging", "network", NULL,
	 "without it the log stays on this machine; set that, too, or remove this"},
	{"auth.logging", "address", EXCLUDES, "auth.logging", "network", network_needs_host,
	 "udp and tcp need \"host:port\" or \"[IPv6 address]:port\""},
	{"auth.logging", "address", EXCLUDES, "auth.logging", "network", network_needs_socket,
	 "unixgram needs a socket's absolute path, of at most 107 bytes"},
	{"auth.seccomp", "allow_calls", EXCLUDES, "auth.seccomp", "block_calls", filters_calls,
	 "a filter is a list of what is allowed or of what is not; remove one of the two"},
	{"auth.seccomp", "allow_calls", NEEDS, "auth.seccomp", "block_all", filters_calls,
	 "without it all calls are allowed; set that to true, or remove this"},
	{"auth.seccomp", "block_all", NEEDS, "auth", "no_new_privs", filters_calls, FILTERS},
	{"auth.seccomp", "block_calls", NEEDS, "auth", "no_new_privs", filters_calls, FILTERS},
	{"auth.seccomp", "limit_setuid", NEEDS, "auth", "no_new_privs", filters_calls, FILTERS},
	{"auth.seccomp", "tty_rules", NEEDS, "auth", "no_new_privs", filters_calls, FILTERS},
};

bool rules_need_token(const struct settings *settings)
{
	const struct auth_settings *auth = &settings->auth;

	return auth->downscope != DOWNSCOPE_NONE || auth->user_allowlist.count > 0 ||
	       auth->user_blocklist.count > 0 || auth->groups_allowlist.count > 0 ||
	       auth->groups_blocklist.count > 0 || auth->pipeline_source_allowlist.count > 0 ||
	       auth->runas.validation_script != NULL || settings->general.jwt_required_aud != NULL;
}

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

static const char NO_CHANGE[] = "all jobs run as the service account";
static const char BUILDS[] = "a runner has a directory for each job it runs at once, and no more";

static const struct {
	const char *table, *key;
	bool (*applies)(const struct settings *settings); /* NULL: always */
	const char *why;
} IDLE[] = {
	{"auth", "shell_allowlist", no_account_changes, NO_CHANGE},
	{"auth", "min_uid", no_account_changes, NO_CHANGE},
	{"auth", "allow_bot_accounts", nobody_is_known,
	 "no rule asks for a token, so a bot need not show one"},
	{"auth", "lists_pre_validation", no_script_is_asked, "no script of auth.runas is asked"},
	{"auth", "max_env_chars", NULL, "nothing travels in the environment"},
	{"auth", "jwt_exp_delay", NULL, "the token is read once, before the job begins"},
	{"auth.seccomp", "tty_rules", NULL, "the default filter has those rules"},
	{"auth.seccomp", "error_num_block_actions", no_call_is_blocked, "no block_calls are set"},
	{"auth.runas", "validation_env", no_script_is_asked, "no script of auth.runas is asked"},
	{"general", "variable_data_dir", NULL, "a $NAME in data_dir is always resolved"},
	{"general", "limit_build_dir", NULL, BUILDS},
	{"general", "max_build_dir", NULL, BUILDS},
	{"general", "uncap_build_dir_cleanup", NULL, BUILDS},
	{"general", "user_enabled_limit", NULL, BUILDS},
	{"general", "file_lock_debug", NULL, BUILDS},
	{"batch", "ff_slurm_sacct", NULL, "the script itself tells its exit code"},
	{"batch", "lsf_job_cancellation", NULL, "a job's end always ends what it has queued"},
	{"batch", "disable_name_prefix", NULL, "SCHEDULER_JOB_PREFIX is not read"},
};

const char *rules_idle(const struct settings *settings, const struct schema_row *row)
{
	for (size_t i = 0; i < sizeof(IDLE) / sizeof(IDLE[0]); i++) {
		if (schema_find(IDLE[i].table, IDLE[i].key) == row &&
		    (IDLE[i].applies == NULL || IDLE[i].applies(settings)))
			return IDLE[i].why;
	}
	return NULL;
}

#define RULE_COUNT (sizeof(RULES) / sizeof(RULES[0]))

static size_t line_of(const struct settings *settings, const char *table, const char *key)
{
	return settings->lines[schema_find(table, key) - SCHEMA];
}

/* A boolean that is false, and a list of nothing, are as good as not set. */
static bool is_set(const struct settings *settings, const char *table, const char *key)
{
	const struct schema_row *row = schema_find(table, key);
	const void *field = (const char *)settings + row->offset;

	if (row->type == SCHEMA_BOOLEAN)
		return *(const bool *)field;
	if (row->type == SCHEMA_LIST)
		return ((const struct string_list *)field)->count > 0;
	return line_of(settings, table, key) != 0;
}

static bool is_broken(const struct rule *rule, const struct settings *settings)
{
	bool here = is_set(settings, rule->table, rule->key);
	bool wrong = rule->relation == IS_WRONG ||
		     is_set(settings, rule->other_table, rule->other_key) ==
			     (rule->relation == EXCLUDES);

	return here && wrong && (rule->applies == NULL || rule->applies(settings));
}

static void report_rule(const struct rule *rule, const struct settings *settings,
			struct report *report)
{
	size_t line = line_of(settings, rule->table, rule->key);

	if (rule->relation == IS_WRONG)
		report_add(report, line, "%s.%s %s", rule->table, rule->key, rule->advice);
	else if (rule->relation == NEEDS)
		report_add(report, line, "%s.%s needs %s.%s: %s", rule->table, rule->key,
			   rule->other_table, rule->other_key, rule->advice);
	else
		report_add(report, line, "%s.%s does not go with %s.%s on line %zu: %s",
			   rule->table, rule->key, rule->other_table, rule->other_key,
			   line_of(settings, rule->other_table, rule->other_key), rule->advice);
}

void rules_check(const struct settings *settings, struct report *report)
{
	bool broken[RULE_COUNT];

	/* All are asked before one is told: of one line, two rules may be broken. */
	for (size_t i = 0; i < RULE_COUNT; i++)
		broken[i] =
			is_broken(&RULES[i], settings) &&
			!report_has_line(report, line_of(settings, RULES[i].table, RULES[i].key));
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (broken[i])
			report_rule(&RULES[i], settings, report);
	}
}
