/*
 * The settings of one jacamar-config.toml, typed: a struct for each table of the file.
 *
 * jacamar-config.toml(5) says what each key means; schema.c binds the key's name to its field. A
 * `struct settings` comes from settings_load() only, and every string in it is owned by it.
 */
#ifndef JACAMAR_CONFIG_SETTINGS_H
#define JACAMAR_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/lib/string_list.h"

enum executor_kind {
	EXECUTOR_SHELL = 1,
	EXECUTOR_SLURM,
	EXECUTOR_FLUX,
	EXECUTOR_PBS,
	EXECUTOR_LSF,
	EXECUTOR_COBALT,
};

enum downscope_kind {
	DOWNSCOPE_UNSET, /* the file does not set it */
	DOWNSCOPE_SETUID,
	DOWNSCOPE_SUDO,
	DOWNSCOPE_NONE,
};

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_network { LOG_NETWORK_UNSET, LOG_NETWORK_UDP, LOG_NETWORK_TCP, LOG_NETWORK_UNIXGRAM };

enum container_runtime { CONTAINER_NONE, CONTAINER_PODMAN, CONTAINER_APPTAINER };
enum pull_policy { PULL_IF_NOT_PRESENT, PULL_ALWAYS, PULL_NEVER };

struct container_settings {
	enum container_runtime runtime; /* CONTAINER_NONE: `image:` of a job has no effect */
	char *path;			/* of the runtime; NULL: the usual one */
	struct string_list images;	/* allowed; empty: all */
	enum pull_policy pull;
	struct string_list binds; /* "/host", "/host:/container" or "/host:/container:ro" */
};

struct general_settings {
	enum executor_kind executor;
	char *data_dir;
	/* NULL if the file does not set them: */
	char *name;
	char *job_message;
	char *support;
	char *shell_path;
	char *prepare_hook;
	char *gitlab_server;
	char *tls_ca_file;
	char *jwks_file;
	char *jwt_required_aud;
	struct string_list jwt_env_variable; /* never empty: the default is filled in */
	int64_t kill_timeout_ms;
	bool retain_logs;
	bool custom_build_dir;
	bool static_builds_dir;
	bool group_permissions;
	bool unrestricted_cmd_line;
	bool set_stack_size;
	int64_t static_builds_days;
	struct string_list user_bash_env;
	struct container_settings container;
	/* Read, but without effect: IDLE in notes.c has the reasons. */
	bool variable_data_dir;
	bool limit_build_dir;
	int64_t max_build_dir;
	bool uncap_build_dir_cleanup;
	bool user_enabled_limit;
	bool file_lock_debug;
};

struct runas_settings {
	char *validation_script;
	char *user_variable;
	char *sha256;
	struct string_list validation_env;
};

struct logging_settings {
	bool enabled;
	enum log_level level;
	char *location; /* "syslog" or an absolute path */
	enum log_network network;
	char *address;
};

struct seccomp_settings {
	bool disabled;
	bool log_allowed_actions;
	bool block_all;
	bool limit_setuid;
	struct string_list block_calls;
	struct string_list allow_calls;
	int64_t error_number; /* the errno(3) of blocked calls */
	/* Read, without effect: */
	bool tty_rules;
	bool disable_no_new_privs;
};

#define LIMIT_UNLIMITED INT64_MAX

/* A key of [auth.limits]. */
struct limit_setting {
	bool set;
	int64_t value; /* setrlimit's own unit, or LIMIT_UNLIMITED */
};

enum limit_name {
	LIMIT_NOFILE,
	LIMIT_NPROC,
	LIMIT_CORE,
	LIMIT_CPU,
	LIMIT_AS,
	LIMIT_MEMLOCK,
	LIMIT_STACK,
	LIMIT_FSIZE,
	LIMIT_COUNT
};

/* A limit of [auth.cgroup], for a job or for all jobs of an account together. */
enum cgroup_limit {
	CGROUP_MEMORY_MAX,
	CGROUP_MEMORY_HIGH,
	CGROUP_CPU_MAX,
	CGROUP_CPU_WEIGHT,
	CGROUP_PIDS_MAX,
	CGROUP_LIMIT_COUNT
};

struct cgroup_settings {
	bool enabled;
	/* As the kernel's files take them; NULL where unset. */
	char *job[CGROUP_LIMIT_COUNT];
	char *user[CGROUP_LIMIT_COUNT];
};

enum rule_action { RULE_UNSET, RULE_ALLOW, RULE_DENY };

#define RULE_NAME_MAX 32

/* A table [[auth.rule]]; auth_rule_has() says which of its conditions are set. */
struct auth_rule {
	char *name;
	enum rule_action action;
	struct string_list projects;
	bool ref_protected;
	unsigned int min_access_level; /* a value of ACCESS_LEVELS (schema.h) */
	struct string_list runner_ids;
	struct string_list pipeline_sources;
	bool fork;
	struct string_list identity_providers;
	struct string_list users;
	struct string_list groups;

	char key[sizeof("auth.rule.") + RULE_NAME_MAX]; /* "auth.rule.NAME", of its errors */
	size_t line;					/* of its header */
	unsigned int set;				/* a bit for each row of RULE_SCHEMA */
};

#define RULES_MAX 100

struct auth_settings {
	enum downscope_kind downscope;
	char *jacamar_path;	 /* NULL where unset */
	char *identity_provider; /* likewise */
	struct string_list user_allowlist;
	struct string_list user_blocklist;
	struct string_list groups_allowlist;
	struct string_list groups_blocklist;
	struct string_list shell_allowlist;
	struct string_list pipeline_source_allowlist;
	struct string_list run_stage_allowlist;
	struct string_list downscope_env;
	struct string_list protected_paths;
	char *pam_account; /* a service of PAM; NULL: none */
	char *pam_session; /* likewise */
	bool enforce_nologin;
	bool allow_bot_accounts;
	bool allow_fork_pipelines;
	bool confirm_job;
	bool lists_pre_validation;
	bool root_dir_creation;
	bool no_new_privs; /* also true if [auth.seccomp] has filters */
	bool isolate;
	int64_t min_uid;
	char *confined_uids; /* "FIRST-LAST"; NULL where unset */
	/* Read, without effect: */
	bool enabled;
	int64_t max_env_chars;
	int64_t jwt_exp_delay_ms;
	struct runas_settings runas;
	struct logging_settings logging;
	struct seccomp_settings seccomp;
	struct limit_setting limits[LIMIT_COUNT];
	struct cgroup_settings cgroup;
	struct auth_rule *rules; /* in their order; NULL: none */
	size_t rule_count;
};

struct batch_settings {
	struct string_list arguments_variable; /* never empty: the default is filled in */
	struct string_list default_args;
	struct string_list flag_options;
	struct string_list env_vars;
	int64_t command_delay_ms;
	int64_t nfs_timeout_ms;
	int64_t submit_timeout_ms;
	int64_t max_pending_ms;	    /* 0: no limit */
	int64_t allocation_idle_ms; /* at least a second */
	char *scheduler_bin;
	bool allow_illegal_args;
	bool skip_cobalt_log;
	/* Read, without effect: */
	bool ff_slurm_sacct;
	bool lsf_job_cancellation;
	bool disable_name_prefix;
};

/* schema.c has fewer rows. */
#define SCHEMA_ROWS_MAX 128

struct settings {
	struct general_settings general;
	struct auth_settings auth;
	struct batch_settings batch;
	/* For each row of SCHEMA the line that sets its key; 0 for a default. */
	size_t lines[SCHEMA_ROWS_MAX];
};

/*
 * Reads and checks the file at `path`, which must be a regular file owned by root or by `owner`,
 * not writable by group or others, and at most 1 MiB.
 *
 * Returns the settings (the caller frees them with settings_free), or NULL with *messages set to
 * every error found, one a line, each `path:line: what is wrong, and what to do`, without a newline
 * after the last (the caller frees it with free). An error about the whole file has no line: `path:
 * what is wrong`. If memory is short, *messages is NULL too.
 */
struct settings *settings_load(const char *path, uid_t owner, char **messages);

/*
 * The same for `text`, `size` bytes of it, without the checks of the file; `path` is for the
 * messages only. It is what the tests and the fuzzer call.
 */
struct settings *settings_parse(const char *path, const char *text, size_t size, char **messages);

/* Frees all that settings_load returned; NULL is allowed. */
void settings_free(struct settings *settings);

/*
 * All settings, in the order of the schema, as a file that gives the same settings when it is read.
 * A comment after each names the line that sets it, or says that it is the default; keys without a
 * value are comments. The text is ASCII; other characters are escaped. The caller frees it; NULL
 * if memory is short.
 */
char *show_settings(const struct settings *settings);

#endif
