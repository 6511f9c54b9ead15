/*
 * What the config stage decided, handed on to the later stages of the same job.
 *
 * It travels as one JSON value: to later stages in the variable JACAMAR_CI_STATE, which only the
 * runner's process can set, and across the wall inside the channel's header. It holds no secret.
 */
#ifndef JACAMAR_CORE_STATE_H
#define JACAMAR_CORE_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/error.h"

#define STATE_VARIABLE	     "JACAMAR_CI_STATE"
#define STATE_MOST_SIZE	     (96 * 1024) /* below what the kernel takes as one variable */
#define STATE_COOKIE_SIZE    33
#define STATE_REFERENCE_SIZE 13

struct applicant; /* policy.h */

/* A new field gets a row in state.c. */
struct state {
	uint64_t job_id;
	uint64_t pipeline_id; /* 0: unknown */
	const char *project_path;
	const char *short_token; /* of the runner */
	const char *concurrent;
	const char *login;     /* of who triggered the job; "" where no token says it */
	const char *reference; /* ties the job's log to the audit log */
	const char *cookie;    /* marks the job's processes, in their environment */

	struct account account;
	enum downscope_kind downscope; /* never UNSET */
	int64_t min_uid;

	/* Absolute; the others lie in base, but for the builds where there is a place for them. */
	const char *base;
	const char *custom_builds; /* that place, or NULL */
	const char *builds_dir;
	const char *cache_dir;
	const char *scripts_dir;

	/* Settings of later stages. */
	const char *jacamar;
	/* NULL where unset: */
	const char *name; /* of this driver, for the audit log */
	const char *shell_path;
	const char *job_message;
	int64_t kill_timeout_ms;
	bool retain_logs;
	bool group_permissions;
	bool root_creates_base; /* root_directory.h */
	bool static_builds;
	int64_t static_builds_days; /* 0: for ever */
	bool no_new_privs;
	bool raise_stack; /* [general] set_stack_size */
	bool unrestricted_cmd_line;
	struct limit_setting limits[LIMIT_COUNT];
	const json_t *substages;	 /* array of strings: [auth] run_stage_allowlist */
	const json_t *environment_names; /* likewise: [auth] downscope_env */
	const json_t *user_environment;	 /* likewise: [general] user_bash_env */
	const json_t *filters;		 /* of system calls: seccomp.h */
	struct logging_settings logging;

	/* Of the scheduler, where `executor` is one; [batch] has the lists' meanings. */
	enum executor_kind executor;
	const char *scheduler_bin; /* NULL where unset */
	const json_t *default_arguments;
	const json_t *argument_variables;
	const json_t *scheduler_environment;
	int64_t command_delay_ms;
	int64_t nfs_timeout_ms;
	bool allow_illegal_args;
	bool skip_cobalt_log;

	/* Of config alone, for its records; it is not handed on. NULL: unknown. */
	const struct applicant *applicant;

	/* Owns what the pointers above borrow, in a state that was decoded; NULL in one being made.
	 */
	json_t *root;
};

/* New JSON of the state, or NULL where there is no memory. */
json_t *state_encode(const struct state *state);

/* The reverse. The caller calls state_free also after a failure. */
int state_decode(json_t *root, struct state *state, struct error *err);
void state_free(struct state *state);

/* The same from text; the fuzzer's entry. */
int state_parse(const char *text, struct state *state, struct error *err);

#endif
