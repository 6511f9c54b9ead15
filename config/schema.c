#include "config/schema.h"

#include <errno.h>

/*
 * The beginnings of rows: table, name, type, and the place of the value. The name of a member
 * cannot be in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
 */
#define FIELD(member) .offset = offsetof(struct settings, member)

/* Of a key whose field in struct settings has the same name. */
#define KEY(table, name, type) #table, #name, type, FIELD(table.name)

/* Its field has the same name and ends in _ms. */
#define DURATION(table, name) #table, #name, SCHEMA_DURATION, FIELD(table.name##_ms)

#define LIMIT(name, limit) \
	"auth.limits", name, SCHEMA_LIMIT, FIELD(auth.limits[limit]), .later = true

#define CGROUP(name, limit) \
	"auth.cgroup", name, SCHEMA_STRING_OR_INTEGER, FIELD(auth.cgroup.limit), .later = true

#define RULE_KEY(name, type) RULE_TABLE, #name, type, .offset = offsetof(struct auth_rule, name)
/* NOLINTEND(bugprone-macro-parentheses) */

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
	{KEY(general, executor, SCHEMA_CHOICE), .later = true, .required = true,
	 .choices = EXECUTORS},
	{KEY(general, data_dir, SCHEMA_STRING), .required = true, .check = check_data_dir},
	{KEY(general, name, SCHEMA_STRING), .later = true, .check = check_line},
	{KEY(general, job_message, SCHEMA_STRING), .later = true, .check = check_message},
	{KEY(general, support, SCHEMA_STRING), .later = true, .check = check_support},
	{KEY(general, prepare_hook, SCHEMA_STRING), .later = true, .check = check_absolute_path},
	{KEY(general, shell_path, SCHEMA_STRING), .later = true, .check = check_absolute_path},
	{KEY(general, gitlab_server, SCHEMA_STRING), .check = check_server_url},
	{"general", "tls-ca-file", SCHEMA_STRING, FIELD(general.tls_ca_file),
	 .alias = "tls_ca_file", .check = check_absolute_path},
	{KEY(general, jwks_file, SCHEMA_STRING), .check = check_absolute_path},
	{DURATION(general, kill_timeout), .later = true, .minimum = 1, .number = 120000},
	{KEY(general, retain_logs, SCHEMA_BOOLEAN), .later = true},
	{KEY(general, custom_build_dir, SCHEMA_BOOLEAN)},
	{KEY(general, static_builds_dir, SCHEMA_BOOLEAN), .later = true},
	{KEY(general, static_builds_days, SCHEMA_INTEGER), .later = true,
	 .alias = "static_min_days", .minimum = 0, .maximum = DAYS_MAX},
	{KEY(general, limit_build_dir, SCHEMA_BOOLEAN)},
	{KEY(general, max_build_dir, SCHEMA_INTEGER), .minimum = 0, .maximum = INT64_MAX},
	{KEY(general, uncap_build_dir_cleanup, SCHEMA_BOOLEAN)},
	{KEY(general, user_enabled_limit, SCHEMA_BOOLEAN)},
	{KEY(general, file_lock_debug, SCHEMA_BOOLEAN)},
	{KEY(general, group_permissions, SCHEMA_BOOLEAN), .later = true},
	{KEY(general, unrestricted_cmd_line, SCHEMA_BOOLEAN), .later = true},
	{KEY(general, set_stack_size, SCHEMA_BOOLEAN), .later = true},
	{KEY(general, user_bash_env, SCHEMA_LIST), .later = true, .check = check_login_setting},
	{KEY(general, variable_data_dir, SCHEMA_BOOLEAN)},
	{KEY(general, jwt_env_variable, SCHEMA_STRING_OR_LIST), .check = check_variable_name,
	 .list = TOKEN_VARIABLES},
	{KEY(general, jwt_required_aud, SCHEMA_STRING), .also_in = "auth", .check = check_line},

	{KEY(general.container, runtime, SCHEMA_CHOICE), .later = true,
	 .choices = CONTAINER_RUNTIMES, .number = CONTAINER_NONE},
	{KEY(general.container, path, SCHEMA_STRING), .later = true, .check = check_absolute_path},
	{KEY(general.container, images, SCHEMA_LIST), .check = check_image},
	{KEY(general.container, pull, SCHEMA_CHOICE), .later = true, .choices = PULL_POLICIES,
	 .number = PULL_IF_NOT_PRESENT},
	{KEY(general.container, binds, SCHEMA_LIST), .later = true, .check = check_bind},

	{KEY(auth, enabled, SCHEMA_BOOLEAN), .number = true},
	{KEY(auth, downscope, SCHEMA_CHOICE), .later = true, .choices = DOWNSCOPES,
	 .number = DOWNSCOPE_UNSET},
	{KEY(auth, jacamar_path, SCHEMA_STRING), .check = check_absolute_path},
	{KEY(auth, user_allowlist, SCHEMA_LIST), .check = check_account},
	{KEY(auth, user_blocklist, SCHEMA_LIST), .check = check_account},
	{KEY(auth, groups_allowlist, SCHEMA_LIST), .check = check_account},
	{KEY(auth, groups_blocklist, SCHEMA_LIST), .check = check_account},
	{KEY(auth, shell_allowlist, SCHEMA_LIST), .check = check_absolute_path},
	{KEY(auth, pipeline_source_allowlist, SCHEMA_LIST), .check = check_line},
	{KEY(auth, run_stage_allowlist, SCHEMA_LIST), .later = true, .check = check_substage},
	{KEY(auth, downscope_env, SCHEMA_LIST), .later = true, .check = check_variable_name},
	{KEY(auth, enforce_nologin, SCHEMA_BOOLEAN)},
	{KEY(auth, pam_account, SCHEMA_STRING), .check = check_pam_service},
	{KEY(auth, pam_session, SCHEMA_STRING), .later = true, .check = check_pam_service},
	{KEY(auth, allow_bot_accounts, SCHEMA_BOOLEAN)},
	{KEY(auth, allow_fork_pipelines, SCHEMA_BOOLEAN)},
	{KEY(auth, confirm_job, SCHEMA_BOOLEAN)},
	{KEY(auth, identity_provider, SCHEMA_STRING), .check = check_provider},
	{KEY(auth, lists_pre_validation, SCHEMA_BOOLEAN)},
	{KEY(auth, root_dir_creation, SCHEMA_BOOLEAN)},
	{KEY(auth, no_new_privs, SCHEMA_BOOLEAN), .later = true},
	{KEY(auth, isolate, SCHEMA_BOOLEAN), .later = true},
	{KEY(auth, protected_paths, SCHEMA_LIST), .later = true, .check = check_protected_path},
	/*
	 * No account has the largest uid_t: setresuid(2) and its like take it for "do not change".
	 */
	{KEY(auth, min_uid, SCHEMA_INTEGER), .later = true, .minimum = 1,
	 .maximum = INT64_C(0xfffffffe), .number = 1000},
	{KEY(auth, confined_uids, SCHEMA_STRING), .later = true, .check = check_uid_range},
	{KEY(auth, max_env_chars, SCHEMA_INTEGER), .minimum = 0, .maximum = INT64_MAX},
	{DURATION(auth, jwt_exp_delay)},

	{KEY(auth.runas, validation_script, SCHEMA_STRING), .check = check_absolute_path},
	{KEY(auth.runas, user_variable, SCHEMA_STRING), .check = check_variable_name},
	{KEY(auth.runas, sha256, SCHEMA_STRING), .check = check_sha256},
	{KEY(auth.runas, validation_env, SCHEMA_LIST), .check = check_script_setting},

	{KEY(auth.logging, enabled, SCHEMA_BOOLEAN), .later = true},
	{KEY(auth.logging, level, SCHEMA_CHOICE), .later = true, .choices = LOG_LEVELS,
	 .number = LOG_LEVEL_INFO},
	{KEY(auth.logging, location, SCHEMA_STRING), .later = true, .check = check_log_location,
	 .text = "syslog"},
	{KEY(auth.logging, network, SCHEMA_CHOICE), .later = true, .choices = LOG_NETWORKS,
	 .number = LOG_NETWORK_UNSET},
	{KEY(auth.logging, address, SCHEMA_STRING), .later = true, .check = check_line},

	{KEY(auth.seccomp, disabled, SCHEMA_BOOLEAN)},
	{KEY(auth.seccomp, block_all, SCHEMA_BOOLEAN)},
	{KEY(auth.seccomp, limit_setuid, SCHEMA_BOOLEAN)},
	{KEY(auth.seccomp, block_calls, SCHEMA_LIST), .check = check_system_call},
	{KEY(auth.seccomp, allow_calls, SCHEMA_LIST), .check = check_system_call},
	/* 0 would mean success. Numbers above the last one of errno(3) are the kernel's own. */
	{"auth.seccomp", "error_num_block_actions", SCHEMA_INTEGER,
	 FIELD(auth.seccomp.error_number), .minimum = 1, .maximum = EHWPOISON, .number = EPERM},
	{KEY(auth.seccomp, tty_rules, SCHEMA_BOOLEAN)},
	{KEY(auth.seccomp, log_allowed_actions, SCHEMA_BOOLEAN)},
	{KEY(auth.seccomp, disable_no_new_privs, SCHEMA_BOOLEAN)},

	/* The login shell uses a descriptor below this for its report. */
	{LIMIT("nofile", LIMIT_NOFILE), .minimum = 128},
	{LIMIT("nproc", LIMIT_NPROC)},
	{LIMIT("core", LIMIT_CORE)},
	{LIMIT("cpu", LIMIT_CPU)},
	{LIMIT("as", LIMIT_AS)},
	{LIMIT("memlock", LIMIT_MEMLOCK)},
	{LIMIT("stack", LIMIT_STACK)},
	{LIMIT("fsize", LIMIT_FSIZE)},

	{KEY(auth.cgroup, enabled, SCHEMA_BOOLEAN), .later = true},
	{CGROUP("memory_max", job[CGROUP_MEMORY_MAX]), .check = check_memory_size},
	{CGROUP("memory_high", job[CGROUP_MEMORY_HIGH]), .check = check_memory_size},
	{CGROUP("cpu_max", job[CGROUP_CPU_MAX]), .check = check_cpu_max},
	{CGROUP("cpu_weight", job[CGROUP_CPU_WEIGHT]), .check = check_cpu_weight},
	{CGROUP("pids_max", job[CGROUP_PIDS_MAX]), .check = check_process_count},
	{CGROUP("user_memory_max", user[CGROUP_MEMORY_MAX]), .check = check_memory_size},
	{CGROUP("user_memory_high", user[CGROUP_MEMORY_HIGH]), .check = check_memory_size},
	{CGROUP("user_cpu_max", user[CGROUP_CPU_MAX]), .check = check_cpu_max},
	{CGROUP("user_cpu_weight", user[CGROUP_CPU_WEIGHT]), .check = check_cpu_weight},
	{CGROUP("user_pids_max", user[CGROUP_PIDS_MAX]), .check = check_process_count},

	{KEY(batch, arguments_variable, SCHEMA_LIST), .later = true, .check = check_variable_name,
	 .list = ARGUMENT_VARIABLES},
	{KEY(batch, default_args, SCHEMA_LIST), .later = true, .check = check_line},
	{KEY(batch, flag_options, SCHEMA_LIST), .later = true, .check = check_option},
	{KEY(batch, env_vars, SCHEMA_LIST), .later = true, .check = check_environment_setting},
	{DURATION(batch, command_delay), .later = true, .number = 5000},
	{DURATION(batch, nfs_timeout), .later = true, .number = 30000},
	{DURATION(batch, submit_timeout), .later = true, .number = 120000},
	{DURATION(batch, max_pending), .later = true},
	{DURATION(batch, allocation_idle), .later = true, .minimum = 1000, .number = 600000},
	{KEY(batch, scheduler_bin, SCHEMA_STRING), .later = true, .check = check_absolute_path},
	{KEY(batch, allow_illegal_args, SCHEMA_BOOLEAN), .later = true},
	{KEY(batch, skip_cobalt_log, SCHEMA_BOOLEAN), .later = true},
	{KEY(batch, ff_slurm_sacct, SCHEMA_BOOLEAN)},
	{KEY(batch, lsf_job_cancellation, SCHEMA_BOOLEAN)},
	{KEY(batch, disable_name_prefix, SCHEMA_BOOLEAN)},
};

/* An empty list is refused: it could mean a condition that no job meets, or no condition. */
const struct schema_row RULE_SCHEMA[] = {
	{RULE_KEY(name, SCHEMA_STRING), .required = true, .check = check_rule_name},
	{RULE_KEY(action, SCHEMA_CHOICE), .required = true, .choices = RULE_ACTIONS},
	{RULE_KEY(projects, SCHEMA_LIST), .minimum = 1, .check = check_project_glob},
	{RULE_KEY(ref_protected, SCHEMA_BOOLEAN)},
	{RULE_KEY(min_access_level, SCHEMA_CHOICE), .choices = ACCESS_LEVELS},
	{RULE_KEY(runner_ids, SCHEMA_LIST), .minimum = 1, .check = check_id},
	{RULE_KEY(pipeline_sources, SCHEMA_LIST), .minimum = 1, .check = check_line},
	{RULE_KEY(fork, SCHEMA_BOOLEAN)},
	{RULE_KEY(identity_providers, SCHEMA_LIST), .minimum = 1, .check = check_provider},
	{RULE_KEY(users, SCHEMA_LIST), .minimum = 1, .check = check_account},
	{RULE_KEY(groups, SCHEMA_LIST), .minimum = 1, .check = check_account},
};
/* clang-format on */

const size_t SCHEMA_ROWS = sizeof(SCHEMA) / sizeof(SCHEMA[0]);
const size_t RULE_SCHEMA_ROWS = sizeof(RULE_SCHEMA) / sizeof(RULE_SCHEMA[0]);
_Static_assert(sizeof(SCHEMA) / sizeof(SCHEMA[0]) <= SCHEMA_ROWS_MAX,
	       "SCHEMA_ROWS_MAX is too small");

/* A choice is stored as an unsigned int; that is the type of an enum without negative values. */
_Static_assert(sizeof(enum executor_kind) == sizeof(unsigned int), "an enum of another size");
_Static_assert(sizeof(enum rule_action) == sizeof(unsigned int), "an enum of another size");
