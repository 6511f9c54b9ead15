/*
 * The suites, one a module; main.c runs them all.
 */
#ifndef JACAMAR_UNIT_SUITES_H
#define JACAMAR_UNIT_SUITES_H

#include <check.h>

Suite *account_suite(void);
Suite *arguments_suite(void);
Suite *audit_suite(void);
Suite *audit_sink_suite(void);
Suite *auth_rule_suite(void);
Suite *batch_suite(void);
Suite *builds_lock_suite(void);
Suite *run_unprivileged_suite(void);
Suite *channel_suite(void);
Suite *claims_suite(void);
Suite *cobalt_suite(void);
Suite *command_line_suite(void);
Suite *confine_suite(void);
Suite *confirmation_suite(void);
Suite *doctor_suite(void);
Suite *downscope_suite(void);
Suite *environment_suite(void);
Suite *flux_suite(void);
Suite *error_suite(void);
Suite *external_name_suite(void);
Suite *identity_suite(void);
Suite *job_status_suite(void);
Suite *image_name_suite(void);
Suite *io_suite(void);
Suite *isolation_suite(void);
Suite *job_processes_suite(void);
Suite *job_suite(void);
Suite *json_suite(void);
Suite *jwks_suite(void);
Suite *jwks_cache_suite(void);
Suite *leftovers_suite(void);
Suite *login_shell_suite(void);
Suite *pbs_suite(void);
Suite *lsf_suite(void);
Suite *policy_suite(void);
Suite *trusted_program_suite(void);
Suite *root_directory_suite(void);
Suite *runas_suite(void);
Suite *rules_suite(void);
Suite *script_suite(void);
Suite *seccomp_suite(void);
Suite *settings_suite(void);
Suite *job_context_suite(void);
Suite *shell_suite(void);
Suite *show_suite(void);
Suite *slurm_suite(void);
Suite *state_suite(void);
Suite *static_builds_suite(void);
Suite *sudo_suite(void);
Suite *process_tree_suite(void);
Suite *text_suite(void);
Suite *jwt_suite(void);
Suite *toml_suite(void);
Suite *remove_tree_suite(void);
Suite *url_suite(void);
Suite *argv_suite(void);
Suite *worker_suite(void);
Suite *workspace_suite(void);
Suite *writers_suite(void);

/* A list of these string literals. */
#define STRING_LIST(...)                                        \
	((struct string_list){.items = (char *[]){__VA_ARGS__}, \
			      .count = sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)})

/* The rows of a table, for tcase_add_loop_test. */
#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

#endif
