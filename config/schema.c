#include "config/schema.h"

#include <errno.h>

#include "config/duration.h"

#define FIELD(member) .offset = offsetof(struct settings, member)
#define LIMIT(name)   FIELD(auth.limits[name]), .later = true
#define CGROUP(limit) FIELD(auth.cgroup.limit), .later = true

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

static const struct schema_choice CONTAINER_RUNTIMES[] = {
	{"podman", CONTAINER_PODMAN},
	{"apptainer", CONTAINER_APPTAINER},
	{0},
};

static const struct schema_choice PULL_POLICIES[] = {
	{"if-not-present", PULL_IF_NOT_PRESENT},
	{"always", PULL_ALWAYS},
	{"never", PULL_NEVER},
	{0},
};

static const struct schema_choice RULE_ACTIONS[] = {
	{"allow", RULE_ALLOW},
	{"deny", RULE_DENY},
	{0},
};

/* Numbers of our own: only their order counts. */
const struct schema_choice ACCESS_LEVELS[] = {
	{"guest", 1},
	{"planner", 2},
	{"reporter", 3},
	{"developer", 4},
	{"maintainer", 5},
	{"owner", 6},
	{0},
};

static const char *const TOKEN_VARIABLES[] = {"SITE_ID_TOKEN", "CI_JOB_JWT_V2", "CI_JOB_JWT", NULL};
static const char *const ARGUMENT_VARIABLES[] = {"SCHEDULER_PARAMETERS", NULL};

/* A century; as seconds it does not overflow. */
#define DAYS_MAX 36500

/* clang-format off */
const struct schema_row SCHEMA[] = {
	{"general", "executor", SCHEMA_CHOICE, FIELD(general.executor), .later = true,
	 .required = true, .choices = EXECUTORS},
	{"general", "data_dir", SCHEMA_STRING, FIELD(general.data_dir),
	 .required = true, .check = check_data_dir},
	{"general", "name", SCHEMA_STRING, FIELD(general.name), .later = true, .check = check_line},
	{"general", "job_message", SCHEMA_STRING, FIELD(general.job_message), .later = true,
	 .check = check_message},
	{"general", "support", SCHEMA_STRING, FIELD(general.support), .later = true,
	 .check = check_support},
	{"general", "prepare_hook", SCHEMA_STRING, FIELD(general.prepare_hook), .later = true,
	 .check = check_absolute_path},
	{"general", "shell_path", SCHEMA_STRING, FIELD(general.shell_path), .later = true,
	 .check = check_absolute_path},
	{"general", "gitlab_server", SCHEMA_STRING, FIELD(general.gitlab_server),
	 .check = check_server_url},
	{"general", "tls-ca-file", SCHEMA_STRING, FIELD(general.tls_ca_file),
	 .alias = "tls_ca_file", .check = check_absolute_path},
	{"general", "jwks_file", SCHEMA_STRING, FIELD(general.jwks_file),
	 .check = check_absolute_path},
	{"general", "kill_timeout", SCHEMA_DURATION, FIELD(general.kill_timeout_ms), .later = true,
	 .minimum = 1, .maximum = DURATION_MAX_MS, .number = 120000},
	{"general", "retain_logs", SCHEMA_BOOLEAN, FIELD(general.retain_logs), .later = true},
	{"general", "custom_build_dir", SCHEMA_BOOLEAN, FIELD(general.custom_build_dir)},
	{"general", "static_builds_dir", SCHEMA_BOOLEAN, FIELD(general.static_builds_dir),
	 .later = true},
	{"general", "static_builds_days", SCHEMA_INTEGER, FIELD(general.static_builds_days),
	 .later = true, .alias = "static_min_days", .minimum = 0, .maximum = DAYS_MAX},
	{"general", "limit_build_dir", SCHEMA_BOOLEAN, FIELD(general.limit_build_dir)},
	{"general", "max_build_dir", SCHEMA_INTEGER, FIELD(general.max_build_dir),
	 .minimum = 0, .maximum = INT64_MAX},
	{"general", "uncap_build_dir_cleanup", SCHEMA_BOOLEAN,
	 FIELD(general.uncap_build_dir_cleanup)},
	{"general", "user_enabled_limit", SCHEMA_BOOLEAN, FIELD(general.user_enabled_limit)},
	{"general", "file_lock_debug", SCHEMA_BOOLEAN, FIELD(general.file_lock_debug)},
	{"general", "group_permissions", SCHEMA_BOOLEAN, FIELD(general.group_permissions),
	 .later = true},
	{"general", "unrestricted_cmd_line", SCHEMA_BOOLEAN,
	 FIELD(general.unrestricted_cmd_line), .later = true},
	{"general", "set_stack_size", SCHEMA_BOOLEAN, FIELD(general.set_stack_size), .later = true},
	{"general", "user_bash_env", SCHEMA_LIST, FIELD(general.user_bash_env), .later = true,
	 .check = check_login_setting},
	{"general", "variable_data_dir", SCHEMA_BOOLEAN, FIELD(general.variable_data_dir)},
	{"general", "jwt_env_variable", SCHEMA_STRING_OR_LIST,
	 FIELD(general.jwt_env_variable), .check = check_variable_name, .list = TOKEN_VARIABLES},
	{"general", "jwt_required_aud", SCHEMA_STRING, FIELD(general.jwt_required_aud),
	 .also_in = "auth", .check = check_line},

	{"general.container", "runtime", SCHEMA_CHOICE, FIELD(general.container.runtime),
	 .later = true, .choices = CONTAINER_RUNTIMES, .number = CONTAINER_NONE},
	{"general.container", "path", SCHEMA_STRING, FIELD(general.container.path), .later = true,
	 .check = check_absolute_path},
	{"general.container", "images", SCHEMA_LIST, FIELD(general.container.images),
	 .check = check_image},
	{"general.container", "pull", SCHEMA_CHOICE, FIELD(general.container.pull), .later = true,
	 .choices = PULL_POLICIES, .number = PULL_IF_NOT_PRESENT},
	{"general.container", "binds", SCHEMA_LIST, FIELD(general.container.binds), .later = true,
	 .check = check_bind},

	{"auth", "enabled", SCHEMA_BOOLEAN, FIELD(auth.enabled), .number = true},
	{"auth", "downscope", SCHEMA_CHOICE, FIELD(auth.downscope), .later = true,
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
	{"auth", "run_stage_allowlist", SCHEMA_LIST, FIELD(auth.run_stage_allowlist), .later = true,
	 .check = check_substage},
	{"auth", "downscope_env", SCHEMA_LIST, FIELD(auth.downscope_env), .later = true,
	 .check = check_variable_name},
	{"auth", "enforce_nologin", SCHEMA_BOOLEAN, FIELD(auth.enforce_nologin)},
	{"auth", "pam_account", SCHEMA_STRING, FIELD(auth.pam_account),
	 .check = check_pam_service},
	{"auth", "allow_bot_accounts", SCHEMA_BOOLEAN, FIELD(auth.allow_bot_accounts)},
	{"auth", "allow_fork_pipelines", SCHEMA_BOOLEAN, FIELD(auth.allow_fork_pipelines)},
	{"auth", "confirm_job", SCHEMA_BOOLEAN, FIELD(auth.confirm_job)},
	{"auth", "identity_provider", SCHEMA_STRING, FIELD(auth.identity_provider),
	 .check = check_provider},
	{"auth", "lists_pre_validation", SCHEMA_BOOLEAN, FIELD(auth.lists_pre_validation)},
	{"auth", "root_dir_creation", SCHEMA_BOOLEAN, FIELD(auth.root_dir_creation)},
	{"auth", "no_new_privs", SCHEMA_BOOLEAN, FIELD(auth.no_new_privs), .later = true},
	{"auth", "isolate", SCHEMA_BOOLEAN, FIELD(auth.isolate), .later = true},
	{"auth", "protected_paths", SCHEMA_LIST, FIELD(auth.protected_paths), .later = true,
	 .check = check_protected_path},
	/* The largest uid_t is no account's: the identity calls take it for "leave as it is". */
	{"auth", "min_uid", SCHEMA_INTEGER, FIELD(auth.min_uid), .later = true,
	 .minimum = 1, .maximum = INT64_C(0xfffffffe), .number = 1000},
	{"auth", "confined_uids", SCHEMA_STRING, FIELD(auth.confined_uids), .later = true,
	 .check = check_uid_range},
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

	{"auth.logging", "enabled", SCHEMA_BOOLEAN, FIELD(auth.logging.enabled), .later = true},
	{"auth.logging", "level", SCHEMA_CHOICE, FIELD(auth.logging.level), .later = true,
	 .choices = LOG_LEVELS, .number = LOG_LEVEL_INFO},
	{"auth.logging", "location", SCHEMA_STRING, FIELD(auth.logging.location), .later = true,
	 .check = check_log_location, .text = "syslog"},
	{"auth.logging", "network", SCHEMA_CHOICE, FIELD(auth.logging.network), .later = true,
	 .choices = LOG_NETWORKS, .number = LOG_NETWORK_UNSET},
	{"auth.logging", "address", SCHEMA_STRING, FIELD(auth.logging.address), .later = true,
	 .check = check_line},

	{"auth.seccomp", "disabled", SCHEMA_BOOLEAN, FIELD(auth.seccomp.disabled)},
	{"auth.seccomp", "block_all", SCHEMA_BOOLEAN, FIELD(auth.seccomp.block_all)},
	{"auth.seccomp", "limit_setuid", SCHEMA_BOOLEAN, FIELD(auth.seccomp.limit_setuid)},
	{"auth.seccomp", "block_calls", SCHEMA_LIST, FIELD(auth.seccomp.block_calls),
	 .check = check_system_call},
	{"auth.seccomp", "allow_calls", SCHEMA_LIST, FIELD(auth.seccomp.allow_calls),
	 .check = check_system_call},
	/* 0 would mean success. Numbers above the last one of errno(3) are the kernel's own. */
	{"auth.seccomp", "error_num_block_actions", SCHEMA_INTEGER,
	 FIELD(auth.seccomp.error_number), .minimum = 1, .maximum = EHWPOISON, .number = EPERM},
	{"auth.seccomp", "tty_rules", SCHEMA_BOOLEAN, FIELD(auth.seccomp.tty_rules)},
	{"auth.seccomp", "log_allowed_actions", SCHEMA_BOOLEAN,
	 FIELD(auth.seccomp.log_allowed_actions)},
	{"auth.seccomp", "disable_no_new_privs", SCHEMA_BOOLEAN,
	 FIELD(auth.seccomp.disable_no_new_privs)},

	/* The login shell uses a descriptor below this for its report. */
	{"auth.limits", "nofile", SCHEMA_LIMIT, LIMIT(LIMIT_NOFILE), .minimum = 128},
	{"auth.limits", "nproc", SCHEMA_LIMIT, LIMIT(LIMIT_NPROC)},
	{"auth.limits", "core", SCHEMA_LIMIT, LIMIT(LIMIT_CORE)},
	{"auth.limits", "cpu", SCHEMA_LIMIT, LIMIT(LIMIT_CPU)},
	{"auth.limits", "as", SCHEMA_LIMIT, LIMIT(LIMIT_AS)},
	{"auth.limits", "memlock", SCHEMA_LIMIT, LIMIT(LIMIT_MEMLOCK)},
	{"auth.limits", "stack", SCHEMA_LIMIT, LIMIT(LIMIT_STACK)},
	{"auth.limits", "fsize", SCHEMA_LIMIT, LIMIT(LIMIT_FSIZE)},

	{"auth.cgroup", "enabled", SCHEMA_BOOLEAN, FIELD(auth.cgroup.enabled), .later = true},
	{"auth.cgroup", "memory_max", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(job[CGROUP_MEMORY_MAX]), .check = check_memory_size},
	{"auth.cgroup", "memory_high", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(job[CGROUP_MEMORY_HIGH]), .check = check_memory_size},
	{"auth.cgroup", "cpu_max", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(job[CGROUP_CPU_MAX]), .check = check_cpu_max},
	{"auth.cgroup", "cpu_weight", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(job[CGROUP_CPU_WEIGHT]), .check = check_cpu_weight},
	{"auth.cgroup", "pids_max", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(job[CGROUP_PIDS_MAX]), .check = check_process_count},
	{"auth.cgroup", "user_memory_max", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(user[CGROUP_MEMORY_MAX]), .check = check_memory_size},
	{"auth.cgroup", "user_memory_high", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(user[CGROUP_MEMORY_HIGH]), .check = check_memory_size},
	{"auth.cgroup", "user_cpu_max", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(user[CGROUP_CPU_MAX]), .check = check_cpu_max},
	{"auth.cgroup", "user_cpu_weight", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(user[CGROUP_CPU_WEIGHT]), .check = check_cpu_weight},
	{"auth.cgroup", "user_pids_max", SCHEMA_STRING_OR_INTEGER,
	 CGROUP(user[CGROUP_PIDS_MAX]), .check = check_process_count},

	{"batch", "arguments_variable", SCHEMA_LIST, FIELD(batch.arguments_variable), .later = true,
	 .check = check_variable_name, .list = ARGUMENT_VARIABLES},
	{"batch", "default_args", SCHEMA_LIST, FIELD(batch.default_args),
	 .later = true, .check = check_line},
	{"batch", "flag_options", SCHEMA_LIST, FIELD(batch.flag_options), .later = true,
	 .check = check_option},
	{"batch", "env_vars", SCHEMA_LIST, FIELD(batch.env_vars), .later = true,
	 .check = check_environment_setting},
	{"batch", "command_delay", SCHEMA_DURATION, FIELD(batch.command_delay_ms), .later = true,
	 .minimum = 0, .maximum = DURATION_MAX_MS, .number = 5000},
	{"batch", "nfs_timeout", SCHEMA_DURATION, FIELD(batch.nfs_timeout_ms), .later = true,
	 .minimum = 0, .maximum = DURATION_MAX_MS, .number = 30000},
	{"batch", "submit_timeout", SCHEMA_DURATION, FIELD(batch.submit_timeout_ms), .later = true,
	 .minimum = 0, .maximum = DURATION_MAX_MS, .number = 120000},
	{"batch", "max_pending", SCHEMA_DURATION, FIELD(batch.max_pending_ms), .later = true,
	 .minimum = 0, .maximum = DURATION_MAX_MS},
	{"batch", "allocation_idle", SCHEMA_DURATION, FIELD(batch.allocation_idle_ms),
	 .later = true, .minimum = 1000, .maximum = DURATION_MAX_MS, .number = 600000},
	{"batch", "scheduler_bin", SCHEMA_STRING, FIELD(batch.scheduler_bin), .later = true,
	 .check = check_absolute_path},
	{"batch", "allow_illegal_args", SCHEMA_BOOLEAN, FIELD(batch.allow_illegal_args),
	 .later = true},
	{"batch", "skip_cobalt_log", SCHEMA_BOOLEAN, FIELD(batch.skip_cobalt_log), .later = true},
	{"batch", "ff_slurm_sacct", SCHEMA_BOOLEAN, FIELD(batch.ff_slurm_sacct)},
	{"batch", "lsf_job_cancellation", SCHEMA_BOOLEAN, FIELD(batch.lsf_job_cancellation)},
	{"batch", "disable_name_prefix", SCHEMA_BOOLEAN, FIELD(batch.disable_name_prefix)},
};

#undef FIELD
#define FIELD(member) .offset = offsetof(struct auth_rule, member)

/* An empty list would be a condition that no job meets, or none at all: it is refused. */
const struct schema_row RULE_SCHEMA[] = {
	{"auth.rule", "name", SCHEMA_STRING, FIELD(name), .required = true,
	 .check = check_rule_name},
	{"auth.rule", "action", SCHEMA_CHOICE, FIELD(action), .required = true,
	 .choices = RULE_ACTIONS},
	{"auth.rule", "projects", SCHEMA_LIST, FIELD(projects), .minimum = 1,
	 .check = check_project_glob},
	{"auth.rule", "ref_protected", SCHEMA_BOOLEAN, FIELD(ref_protected)},
	{"auth.rule", "min_access_level", SCHEMA_CHOICE, FIELD(min_access_level),
	 .choices = ACCESS_LEVELS},
	{"auth.rule", "runner_ids", SCHEMA_LIST, FIELD(runner_ids), .minimum = 1,
	 .check = check_id},
	{"auth.rule", "pipeline_sources", SCHEMA_LIST, FIELD(pipeline_sources), .minimum = 1,
	 .check = check_line},
	{"auth.rule", "fork", SCHEMA_BOOLEAN, FIELD(fork)},
	{"auth.rule", "identity_providers", SCHEMA_LIST, FIELD(identity_providers), .minimum = 1,
	 .check = check_provider},
	{"auth.rule", "users", SCHEMA_LIST, FIELD(users), .minimum = 1, .check = check_account},
	{"auth.rule", "groups", SCHEMA_LIST, FIELD(groups), .minimum = 1, .check = check_account},
};
/* clang-format on */

const size_t SCHEMA_ROWS = sizeof(SCHEMA) / sizeof(SCHEMA[0]);
const size_t RULE_SCHEMA_ROWS = sizeof(RULE_SCHEMA) / sizeof(RULE_SCHEMA[0]);
_Static_assert(sizeof(SCHEMA) / sizeof(SCHEMA[0]) <= SCHEMA_ROWS_MAX,
	       "SCHEMA_ROWS_MAX is too small");

/* A choice is stored as an unsigned int; that is the type of an enum without negative values. */
_Static_assert(sizeof(enum executor_kind) == sizeof(unsigned int), "an enum of another size");
_Static_assert(sizeof(enum rule_action) == sizeof(unsigned int), "an enum of another size");
