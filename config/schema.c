#include "config/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIELD(member) .offset = offsetof(struct settings, member)
#define LIMIT(name)   FIELD(auth.limits[name])

static const char *const TABLES[] = {
	"general", "auth", "auth.runas", "auth.logging", "auth.seccomp", "auth.limits", "batch",
};

static const struct schema_choice EXECUTORS[] = {
	{"shell", EXECUTOR_SHELL},  {"slurm", EXECUTOR_SLURM},
	{"sbatch", EXECUTOR_SLURM}, {"flux", EXECUTOR_FLUX},
	{"pbs", EXECUTOR_PBS},	    {"lsf", EXECUTOR_LSF},
	{"bsub", EXECUTOR_LSF},	    {"cobalt", EXECUTOR_COBALT},
	{"qsub", EXECUTOR_COBALT},  {0},
};

static const struct schema_choice DOWNSCOPES[] = {
	{"setuid", DOWNSCOPE_SETUID},
	{"sudo", DOWNSCOPE_SUDO},
	{"none", DOWNSCOPE_NONE},
	{0},
};

static const struct schema_choice LOG_LEVELS[] = {
	{"debug", LOG_LEVEL_DEBUG},
	{"info", LOG_LEVEL_INFO},
	{"warn", LOG_LEVEL_WARN},
	{"error", LOG_LEVEL_ERROR},
	{0},
};

static const struct schema_choice LOG_NETWORKS[] = {
	{"udp", LOG_NETWORK_UDP},
	{"tcp", LOG_NETWORK_TCP},
	{"unixgram", LOG_NETWORK_UNIXGRAM},
	{0},
};

static const char *const TOKEN_VARIABLES[] = {"SITE_ID_TOKEN", "CI_JOB_JWT_V2", "CI_JOB_JWT", NULL};
static const char *const ARGUMENT_VARIABLES[] = {"SCHEDULER_PARAMETERS", NULL};

/* A century: far from where days in seconds overflow. */
#define DAYS_MAX 36500

/* clang-format off */
const struct schema_row SCHEMA[] = {
	{"general", "executor", SCHEMA_CHOICE, FIELD(general.executor),
	 .required = true, .choices = EXECUTORS},
	{"general", "data_dir", SCHEMA_STRING, FIELD(general.data_dir),
	 .required = true, .check = check_data_dir},
	{"general", "name", SCHEMA_STRING, FIELD(general.name), .check = check_line},
	{"general", "job_message", SCHEMA_STRING, FIELD(general.job_message),
	 .check = check_message},
	{"general", "shell_path", SCHEMA_STRING, FIELD(general.shell_path),
	 .check = check_absolute_path},
	{"general", "gitlab_server", SCHEMA_STRING, FIELD(general.gitlab_server),
	 .check = check_server_url},
	{"general", "tls-ca-file", SCHEMA_STRING, FIELD(general.tls_ca_file),
	 .alias = "tls_ca_file", .check = check_absolute_path},
	{"general", "jwks_file", SCHEMA_STRING, FIELD(general.jwks_file),
	 .check = check_absolute_path},
	{"general", "kill_timeout", SCHEMA_DURATION, FIELD(general.kill_timeout_ms),
	 .minimum = 1, .maximum = DURATION_MAX_MS, .number = 120000},
	{"general", "retain_logs", SCHEMA_BOOLEAN, FIELD(general.retain_logs)},
	{"general", "custom_build_dir", SCHEMA_BOOLEAN, FIELD(general.custom_build_dir)},
	{"general", "static_builds_dir", SCHEMA_BOOLEAN, FIELD(general.static_builds_dir)},
	{"general", "static_builds_days", SCHEMA_INTEGER, FIELD(general.static_builds_days),
	 .alias = "static_min_days", .minimum = 0, .maximum = DAYS_MAX, .number = 7},
	{"general", "limit_build_dir", SCHEMA_BOOLEAN, FIELD(general.limit_build_dir)},
	{"general", "max_build_dir", SCHEMA_INTEGER, FIELD(general.max_build_dir),
	 .minimum = 0, .maximum = INT64_MAX},
	{"general", "uncap_build_dir_cleanup", SCHEMA_BOOLEAN,
	 FIELD(general.uncap_build_dir_cleanup)},
	{"general", "user_enabled_limit", SCHEMA_BOOLEAN, FIELD(general.user_enabled_limit)},
	{"general", "file_lock_debug", SCHEMA_BOOLEAN, FIELD(general.file_lock_debug)},
	{"general", "group_permissions", SCHEMA_BOOLEAN, FIELD(general.group_permissions)},
	{"general", "unrestricted_cmd_line", SCHEMA_BOOLEAN,
	 FIELD(general.unrestricted_cmd_line)},
	{"general", "set_stack_size", SCHEMA_BOOLEAN, FIELD(general.set_stack_size)},
	{"general", "user_bash_env", SCHEMA_LIST, FIELD(general.user_bash_env),
	 .check = check_login_setting},
	{"general", "variable_data_dir", SCHEMA_BOOLEAN, FIELD(general.variable_data_dir)},
	{"general", "jwt_env_variable", SCHEMA_STRING_OR_LIST,
	 FIELD(general.jwt_env_variable), .check = check_variable_name, .list = TOKEN_VARIABLES},
	{"general", "jwt_required_aud", SCHEMA_STRING, FIELD(general.jwt_required_aud),
	 .also_in = "auth", .check = check_line},

	{"auth", "downscope", SCHEMA_CHOICE, FIELD(auth.downscope),
	 .choices = DOWNSCOPES, .number = DOWNSCOPE_UNSET},
	{"auth", "jacamar_path", SCHEMA_STRING, FIELD(auth.jacamar_path),
	 .check = check_absolute_path},
	{"auth", "user_allowlist", SCHEMA_LIST, FIELD(auth.user_allowlist),
	 .check = check_account},
	{"auth", "user_blocklist", SCHEMA_LIST, FIELD(auth.user_blocklist),
	 .check = check_account},
	{"auth", "groups_allowlist", SCHEMA_LIST, FIELD(auth.groups_allowlist),
	 .check = check_account},
	{"auth", "groups_blocklist", SCHEMA_LIST, FIELD(auth.groups_blocklist),
	 .check = check_account},
	{"auth", "shell_allowlist", SCHEMA_LIST, FIELD(auth.shell_allowlist),
	 .check = check_absolute_path},
	{"auth", "pipeline_source_allowlist", SCHEMA_LIST,
	 FIELD(auth.pipeline_source_allowlist), .check = check_line},
	{"auth", "run_stage_allowlist", SCHEMA_LIST, FIELD(auth.run_stage_allowlist),
	 .check = check_substage},
	{"auth", "downscope_env", SCHEMA_LIST, FIELD(auth.downscope_env),
	 .check = check_variable_name},
	{"auth", "enforce_nologin", SCHEMA_BOOLEAN, FIELD(auth.enforce_nologin)},
	{"auth", "allow_bot_accounts", SCHEMA_BOOLEAN, FIELD(auth.allow_bot_accounts)},
	{"auth", "lists_pre_validation", SCHEMA_BOOLEAN, FIELD(auth.lists_pre_validation)},
	{"auth", "root_dir_creation", SCHEMA_BOOLEAN, FIELD(auth.root_dir_creation)},
	{"auth", "no_new_privs", SCHEMA_BOOLEAN, FIELD(auth.no_new_privs)},
	/* The largest uid_t is no account's: the identity calls take it for "leave as it is". */
	{"auth", "min_uid", SCHEMA_INTEGER, FIELD(auth.min_uid),
	 .minimum = 1, .maximum = INT64_C(0xfffffffe), .number = 1000},
	{"auth", "max_env_chars", SCHEMA_INTEGER, FIELD(auth.max_env_chars),
	 .minimum = 0, .maximum = INT64_MAX},
	{"auth", "jwt_exp_delay", SCHEMA_DURATION, FIELD(auth.jwt_exp_delay_ms),
	 .minimum = 0, .maximum = DURATION_MAX_MS},

	{"auth.runas", "validation_script", SCHEMA_STRING,
	 FIELD(auth.runas.validation_script), .check = check_absolute_path},
	{"auth.runas", "user_variable", SCHEMA_STRING, FIELD(auth.runas.user_variable),
	 .check = check_variable_name},
	{"auth.runas", "sha256", SCHEMA_STRING, FIELD(auth.runas.sha256),
	 .check = check_sha256},
	{"auth.runas", "validation_env", SCHEMA_LIST, FIELD(auth.runas.validation_env),
	 .check = check_script_setting},

	{"auth.logging", "enabled", SCHEMA_BOOLEAN, FIELD(auth.logging.enabled)},
	{"auth.logging", "level", SCHEMA_CHOICE, FIELD(auth.logging.level),
	 .choices = LOG_LEVELS, .number = LOG_LEVEL_INFO},
	{"auth.logging", "location", SCHEMA_STRING, FIELD(auth.logging.location),
	 .check = check_log_location, .text = "syslog"},
	{"auth.logging", "network", SCHEMA_CHOICE, FIELD(auth.logging.network),
	 .choices = LOG_NETWORKS, .number = LOG_NETWORK_UNSET},
	{"auth.logging", "address", SCHEMA_STRING, FIELD(auth.logging.address),
	 .check = check_line},

	{"auth.seccomp", "disabled", SCHEMA_BOOLEAN, FIELD(auth.seccomp.disabled)},
	{"auth.seccomp", "block_all", SCHEMA_BOOLEAN, FIELD(auth.seccomp.block_all)},
	{"auth.seccomp", "limit_setuid", SCHEMA_BOOLEAN, FIELD(auth.seccomp.limit_setuid)},
	{"auth.seccomp", "block_calls", SCHEMA_LIST, FIELD(auth.seccomp.block_calls),
	 .check = check_system_call},
	{"auth.seccomp", "allow_calls", SCHEMA_LIST, FIELD(auth.seccomp.allow_calls),
	 .check = check_system_call},
	/* 0 would make a call look done that was not; behind the last of errno(3) are the kernel's
	   own, which no program knows. */
	{"auth.seccomp", "error_num_block_actions", SCHEMA_INTEGER,
	 FIELD(auth.seccomp.error_number), .minimum = 1, .maximum = EHWPOISON, .number = EPERM},
	{"auth.seccomp", "tty_rules", SCHEMA_BOOLEAN, FIELD(auth.seccomp.tty_rules)},

	/* The login shell reports on a descriptor below this. */
	{"auth.limits", "nofile", SCHEMA_LIMIT, LIMIT(LIMIT_NOFILE), .minimum = 128},
	{"auth.limits", "nproc", SCHEMA_LIMIT, LIMIT(LIMIT_NPROC)},
	{"auth.limits", "core", SCHEMA_LIMIT, LIMIT(LIMIT_CORE)},
	{"auth.limits", "cpu", SCHEMA_LIMIT, LIMIT(LIMIT_CPU)},
	{"auth.limits", "as", SCHEMA_LIMIT, LIMIT(LIMIT_AS)},
	{"auth.limits", "memlock", SCHEMA_LIMIT, LIMIT(LIMIT_MEMLOCK)},
	{"auth.limits", "stack", SCHEMA_LIMIT, LIMIT(LIMIT_STACK)},
	{"auth.limits", "fsize", SCHEMA_LIMIT, LIMIT(LIMIT_FSIZE)},

	{"batch", "arguments_variable", SCHEMA_LIST, FIELD(batch.arguments_variable),
	 .check = check_variable_name, .list = ARGUMENT_VARIABLES},
	{"batch", "default_args", SCHEMA_LIST, FIELD(batch.default_args), .check = check_line},
	{"batch", "env_vars", SCHEMA_LIST, FIELD(batch.env_vars),
	 .check = check_environment_setting},
	{"batch", "command_delay", SCHEMA_DURATION, FIELD(batch.command_delay_ms),
	 .minimum = 0, .maximum = DURATION_MAX_MS, .number = 5000},
	{"batch", "nfs_timeout", SCHEMA_DURATION, FIELD(batch.nfs_timeout_ms),
	 .minimum = 0, .maximum = DURATION_MAX_MS, .number = 30000},
	{"batch", "scheduler_bin", SCHEMA_STRING, FIELD(batch.scheduler_bin),
	 .check = check_absolute_path},
	{"batch", "allow_illegal_args", SCHEMA_BOOLEAN, FIELD(batch.allow_illegal_args)},
	{"batch", "skip_cobalt_log", SCHEMA_BOOLEAN, FIELD(batch.skip_cobalt_log)},
	{"batch", "ff_slurm_sacct", SCHEMA_BOOLEAN, FIELD(batch.ff_slurm_sacct)},
	{"batch", "lsf_job_cancellation", SCHEMA_BOOLEAN, FIELD(batch.lsf_job_cancellation)},
	{"batch", "disable_name_prefix", SCHEMA_BOOLEAN, FIELD(batch.disable_name_prefix)},
};
/* clang-format on */

const size_t SCHEMA_ROWS = sizeof(SCHEMA) / sizeof(SCHEMA[0]);
_Static_assert(sizeof(SCHEMA) / sizeof(SCHEMA[0]) <= SCHEMA_ROWS_MAX,
	       "SCHEMA_ROWS_MAX is too small");

/* A choice is stored as unsigned int, which is what an enum without negative values is. */
_Static_assert(sizeof(enum executor_kind) == sizeof(unsigned int), "an enum of another size");

static bool row_has_name(const struct schema_row *row, const char *name)
{
	return strcmp(row->name, name) == 0 ||
	       (row->alias != NULL && strcmp(row->alias, name) == 0);
}

static bool row_is_in(const struct schema_row *row, const char *table)
{
	return strcmp(row->table, table) == 0 ||
	       (row->also_in != NULL && strcmp(row->also_in, table) == 0);
}

const struct schema_row *schema_find(const char *table, const char *name)
{
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		if (row_is_in(&SCHEMA[i], table) && row_has_name(&SCHEMA[i], name))
			return &SCHEMA[i];
	}
	return NULL;
}

const struct schema_row *schema_find_elsewhere(const char *table, const char *name)
{
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		if (!row_is_in(&SCHEMA[i], table) && row_has_name(&SCHEMA[i], name))
			return &SCHEMA[i];
	}
	return NULL;
}

/* Where `text` names the row's key last, as a whole and not quoted or in a path; NULL: nowhere. */
static const char *find_name(const char *text, const struct schema_row *row)
{
	static const char word[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'/@";
	const char *last = NULL;
	char name[80];
	size_t length = (size_t)snprintf(name, sizeof(name), "%s.%s", row->table, row->name);

	for (const char *at = text; (at = strstr(at, name)) != NULL; at += length) {
		bool begins = at == text || strchr(word, at[-1]) == NULL;
		if (begins && (at[length] == '\0' || strchr(word, at[length]) == NULL))
			last = at;
	}
	return last;
}

const struct schema_row *schema_find_in(const char *text, const size_t *lines)
{
	const struct schema_row *found = NULL;
	const char *last = NULL;

	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		const char *at = find_name(text, &SCHEMA[i]);
		bool better = found == NULL || (lines[i] > 0) > (lines[found - SCHEMA] > 0) ||
			      ((lines[i] > 0) == (lines[found - SCHEMA] > 0) && at > last);
		if (at == NULL || !better)
			continue;
		found = &SCHEMA[i];
		last = at;
	}
	return found;
}

bool schema_has_table(const char *table)
{
	for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++) {
		if (strcmp(TABLES[i], table) == 0)
			return true;
	}
	return false;
}

/* A search for the name at the least edit distance from `name`. */
struct search {
	const char *name;
	const char *nearest;
	size_t distance; /* of the nearest; a worse one is not taken */
};

#define SEARCH_MAX 64 /* bytes; no known name is nearly as long */

/* The least number of letters to insert, remove or replace that makes `from` to `to`. */
static size_t edit_distance(const char *from, const char *to)
{
	size_t row[SEARCH_MAX + 1];
	size_t columns = strlen(to);

	for (size_t k = 0; k <= columns; k++)
		row[k] = k;
	for (size_t i = 0; from[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t k = 1; k <= columns; k++) {
			size_t replaced = diagonal + (from[i] != to[k - 1]);
			diagonal = row[k];
			size_t moved = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
			row[k] = replaced < moved ? replaced : moved;
		}
	}
	return row[columns];
}

static void search_try(struct search *search, const char *candidate)
{
	if (strlen(search->name) > SEARCH_MAX || strlen(candidate) > SEARCH_MAX)
		return;
	size_t distance = edit_distance(search->name, candidate);
	if (distance < search->distance) {
		search->nearest = candidate;
		search->distance = distance;
	}
}

/* Begins with a limit on the distance: a name in which every second letter differs is no hint. */
static struct search search_begin(const char *name)
{
	return (struct search){.name = name, .distance = strlen(name) / 2 + 1};
}

const char *schema_nearest_name(const char *table, const char *name)
{
	struct search search = search_begin(name);

	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		if (row_is_in(&SCHEMA[i], table))
			search_try(&search, SCHEMA[i].name);
	}
	return search.nearest;
}

const char *schema_nearest_table(const char *table)
{
	struct search search = search_begin(table);

	for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
		search_try(&search, TABLES[i]);
	return search.nearest;
}
