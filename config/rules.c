#include "config/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "config/schema.h"

/* When builds of general.static_builds_dir are removed, if the file does not set it. */
#define STATIC_BUILDS_DAYS 7

enum relation { NEEDS, EXCLUDES, IS_WRONG };

/*
 * Only what is surely a mistake, because it keeps every job from running: a setting that has no
 * effect although somebody relies on it, or two settings that contradict each other.
 */
struct rule {
	const char *key;
	enum relation relation;
	const char *other; /* key; NULL for IS_WRONG */
	/* The rule applies only if this is true; NULL: always. */
	bool (*applies)(const struct settings *settings);
	const char *advice;
};

static bool logs_to_file(const struct settings *settings)
{
	const char *location = settings->auth.logging.location;
	return location != NULL && *location == '/';
}

/* An invalid network or address has been reported already. */
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

static bool server_is_not_asked(const struct settings *settings)
{
	return !settings->auth.confirm_job;
}

static bool filters_calls(const struct settings *settings)
{
	return !settings->auth.seccomp.disabled;
}

/* A filter needs no_new_privs, and turns it on, unless the file itself sets that key. */
static bool keeps_privileges(const struct settings *settings)
{
	return filters_calls(settings) && schema_line(settings, "auth.no_new_privs") != 0;
}

static bool is_switched_off(const struct settings *settings)
{
	return !settings->auth.enabled;
}

/* The settings that ask for a filter beside the default one, which needs no_new_privs as well. */
static bool asks_for_filters(const struct settings *settings)
{
	const struct seccomp_settings *seccomp = &settings->auth.seccomp;
	return !seccomp->disabled &&
	       (seccomp->block_all || seccomp->block_calls.count > 0 || seccomp->limit_setuid ||
		seccomp->tty_rules || seccomp->log_allowed_actions);
}

static bool disables_no_new_privs(const struct settings *settings)
{
	return settings->auth.seccomp.disable_no_new_privs &&
	       (settings->auth.no_new_privs || asks_for_filters(settings));
}

/* root makes no directories in a home, or in a $NAME that the user's own shell resolves. */
static bool root_follows_user(const struct settings *settings)
{
	const char *data_dir = settings->general.data_dir;
	return data_dir != NULL && *data_dir != '/';
}

/* With "sudo" or "none" jacamar-auth itself does not change to the user. */
static bool does_not_setuid(const struct settings *settings)
{
	return settings->auth.downscope != DOWNSCOPE_SETUID;
}

static bool uses_sudo(const struct settings *settings)
{
	return settings->auth.downscope == DOWNSCOPE_SUDO;
}

static bool changes_no_account(const struct settings *settings)
{
	return settings->auth.downscope == DOWNSCOPE_NONE;
}

/* Every job would succeed without having run its script. */
static bool runs_no_script(const struct settings *settings)
{
	const struct string_list *list = &settings->auth.run_stage_allowlist;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], "build_script") == 0 ||
		    strcmp(list->items[i], "step_script") == 0)
			return false;
	return list->count > 0;
}

/* newuidmap, a program with privilege, sets up the user namespace. */
static bool podman_cannot_gain(const struct settings *settings)
{
	return settings->general.container.runtime == CONTAINER_PODMAN &&
	       (settings->auth.no_new_privs || asks_for_filters(settings));
}

static bool runs_elsewhere(const struct settings *settings)
{
	return settings->general.executor != EXECUTOR_SHELL;
}

static const char FILTERS[] = "the kernel accepts a filter only if no program can gain privileges; "
			      "set that to true, or remove this";

static const char LIMITS_CGROUP[] =
	"without it, jobs have no cgroup that could be limited; set that to true, or remove this";

static const char CONTAINER[] =
	"without it, image: of a job has no effect; set that, too, or remove this";

static const struct rule RULES[] = {
	{"general.tls-ca-file", EXCLUDES, "general.jwks_file", server_is_not_asked,
	 "with a local file of keys, jobs do not connect to the server; remove one of the two"},
	{"auth.root_dir_creation", EXCLUDES, "general.data_dir", root_follows_user,
	 "root makes directories only below an absolute path; set one there, or remove this"},
	{"auth.root_dir_creation", EXCLUDES, "auth.downscope", does_not_setuid,
	 "root makes directories only for accounts that it changes to; set that to \"setuid\", or "
	 "remove this"},
	{"auth.pam_account", EXCLUDES, "auth.downscope", does_not_setuid,
	 "jacamar-auth can ask PAM only as an account that it changes to; set that to \"setuid\", "
	 "or remove this"},
	{"auth.pam_session", EXCLUDES, "auth.downscope", uses_sudo,
	 "sudo itself opens a session of PAM, with the service of its option pam_service; set that "
	 "in sudoers, and remove this"},
	{"auth.pam_session", EXCLUDES, "auth.downscope", changes_no_account,
	 "a session is opened only for an account that jobs change to; set that to \"setuid\", or "
	 "remove this"},
	{"auth.run_stage_allowlist", IS_WRONG, NULL, runs_no_script,
	 "has neither build_script nor step_script, without which no script of a job is run"},
	{"general.container.path", NEEDS, "general.container.runtime", NULL, CONTAINER},
	{"general.container.images", NEEDS, "general.container.runtime", NULL, CONTAINER},
	{"general.container.binds", NEEDS, "general.container.runtime", NULL, CONTAINER},
	{"general.container.runtime", IS_WRONG, NULL, podman_cannot_gain,
	 "cannot be \"podman\" with auth.no_new_privs, which the filters of [auth.seccomp] set, "
	 "too: newuidmap, which podman needs, could not gain its privilege; use \"apptainer\", or "
	 "remove auth.no_new_privs and the filters"},
	{"general.container.runtime", EXCLUDES, "auth.protected_paths", NULL,
	 "the kernel lets no process mount an image that has protected paths; remove one of the "
	 "two"},
	{"auth.isolate", NEEDS, "auth.no_new_privs", NULL,
	 "the kernel isolates a process only if no program can gain privileges; set that to true, "
	 "or remove this"},
	{"auth.isolate", EXCLUDES, "general.executor", runs_elsewhere,
	 "the scheduler, not jacamar, starts the script of a job, which would not be isolated; set "
	 "that to \"shell\", or remove this"},
	{"auth.protected_paths", NEEDS, "auth.isolate", NULL,
	 "a job could use the user's other processes to read the paths; set that to true, or "
	 "remove this"},
	{"auth.runas.user_variable", NEEDS, "auth.runas.validation_script", NULL,
	 "the script must permit the account that a job asks for; set that, too, or remove this"},
	{"auth.runas.sha256", NEEDS, "auth.runas.validation_script", NULL,
	 "it is the checksum of that script; set that, too, or remove this"},
	{"auth.logging.network", NEEDS, "auth.logging.address", NULL,
	 "set the address of the log's server, too, or remove this"},
	{"auth.logging.network", EXCLUDES, "auth.logging.location", logs_to_file,
	 "the log goes to one place; remove one of the two"},
	{"auth.logging.address", NEEDS, "auth.logging.network", NULL,
	 "without it the log stays on this machine; set that, too, or remove this"},
	{"auth.logging.address", EXCLUDES, "auth.logging.network", network_needs_host,
	 "udp and tcp need \"host:port\" or \"[IPv6 address]:port\""},
	{"auth.logging.address", EXCLUDES, "auth.logging.network", network_needs_socket,
	 "unixgram needs a socket's absolute path, of at most 107 bytes"},
	{"auth.seccomp.allow_calls", EXCLUDES, "auth.seccomp.block_calls", filters_calls,
	 "list the allowed or the blocked calls, not both; remove one of the two"},
	{"auth.seccomp.allow_calls", NEEDS, "auth.seccomp.block_all", filters_calls,
	 "without it all calls are allowed; set that to true, or remove this"},
	{"auth.seccomp.block_all", NEEDS, "auth.no_new_privs", keeps_privileges, FILTERS},
	{"auth.seccomp.block_calls", NEEDS, "auth.no_new_privs", keeps_privileges, FILTERS},
	{"auth.seccomp.limit_setuid", NEEDS, "auth.no_new_privs", keeps_privileges, FILTERS},
	{"auth.seccomp.tty_rules", NEEDS, "auth.no_new_privs", keeps_privileges, FILTERS},
	{"auth.seccomp.log_allowed_actions", NEEDS, "auth.no_new_privs", keeps_privileges, FILTERS},
	{"auth.seccomp.disable_no_new_privs", IS_WRONG, NULL, disables_no_new_privs,
	 "contradicts the filters, or auth.no_new_privs: the kernel accepts a filter only if no "
	 "program can gain privileges; set this to false, or remove the filters"},
	{"auth.enabled", IS_WRONG, NULL, is_switched_off,
	 "cannot be false: to run all jobs as the service account, call jacamar --no-auth, or set "
	 "auth.downscope to \"none\""},
	{"auth.cgroup.memory_max", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.memory_high", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.cpu_max", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.cpu_weight", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.pids_max", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.user_memory_max", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.user_memory_high", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.user_cpu_max", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.user_cpu_weight", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
	{"auth.cgroup.user_pids_max", NEEDS, "auth.cgroup.enabled", NULL, LIMITS_CGROUP},
};

bool rules_need_token(const struct settings *settings)
{
	const struct auth_settings *auth = &settings->auth;

	return auth->downscope != DOWNSCOPE_NONE || auth->user_allowlist.count > 0 ||
	       auth->user_blocklist.count > 0 || auth->groups_allowlist.count > 0 ||
	       auth->groups_blocklist.count > 0 || auth->pipeline_source_allowlist.count > 0 ||
	       auth->rule_count > 0 || auth->identity_provider != NULL || auth->confirm_job ||
	       auth->runas.validation_script != NULL || settings->general.jwt_required_aud != NULL;
}

void rules_complete(struct settings *settings)
{
	if (asks_for_filters(settings))
		settings->auth.no_new_privs = true;
	if (settings->general.static_builds_dir &&
	    schema_line(settings, "general.static_builds_days") == 0)
		settings->general.static_builds_days = STATIC_BUILDS_DAYS;
}

#define RULE_COUNT (sizeof(RULES) / sizeof(RULES[0]))

bool rules_is_set(const struct settings *settings, const char *key)
{
	const struct schema_row *row = schema_find_key(key);
	const void *field = (const char *)settings + row->offset;

	if (row->type == SCHEMA_BOOLEAN)
		return *(const bool *)field;
	if (row->type == SCHEMA_LIST)
		return ((const struct string_list *)field)->count > 0;
	return schema_line(settings, key) != 0;
}

static bool is_broken(const struct rule *rule, const struct settings *settings)
{
	if (rule->relation == IS_WRONG)
		return schema_line(settings, rule->key) != 0 && rule->applies(settings);
	return rules_is_set(settings, rule->key) &&
	       rules_is_set(settings, rule->other) == (rule->relation == EXCLUDES) &&
	       (rule->applies == NULL || rule->applies(settings));
}

static void report_rule(const struct rule *rule, const struct settings *settings,
			struct report *report)
{
	size_t line = schema_line(settings, rule->key);

	if (rule->relation == IS_WRONG)
		report_add(report, line, "%s %s", rule->key, rule->advice);
	else if (rule->relation == NEEDS)
		report_add(report, line, "%s needs %s: %s", rule->key, rule->other, rule->advice);
	else
		report_add(report, line, "%s conflicts with %s on line %zu: %s", rule->key,
			   rule->other, schema_line(settings, rule->other), rule->advice);
}

void rules_check(const struct settings *settings, struct report *report)
{
	bool broken[RULE_COUNT];

	/* All are checked before one is reported: one line may break two rules. */
	for (size_t i = 0; i < RULE_COUNT; i++)
		broken[i] = is_broken(&RULES[i], settings) &&
			    !report_has_line(report, schema_line(settings, RULES[i].key));
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (broken[i])
			report_rule(&RULES[i], settings, report);
	}
}
