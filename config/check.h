/*
 * Checks of single values, whatever their key means.
 *
 * Each returns NULL if `text` is fit, else the rule that it breaks, as the end of a sentence that
 * begins with the key: "must be an absolute path".
 */
#ifndef JACAMAR_CONFIG_CHECK_H
#define JACAMAR_CONFIG_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef const char *value_check(const char *text);

value_check check_absolute_path;
value_check check_account;
value_check check_bind;	   /* of general.container.binds */
value_check check_cpu_max; /* of [auth.cgroup], as are the next ones */
value_check check_cpu_weight;
value_check check_memory_size;
value_check check_process_count;
value_check check_data_dir;
value_check check_environment_setting; /* NAME=value */
value_check check_id;		       /* a number of GitLab's, in decimal */
value_check check_image;	       /* of general.container.images */
value_check check_line;		       /* one line of text, not empty */
value_check check_log_location;
value_check check_login_setting;  /* NAME=value, but not HOME, USER, ... */
value_check check_pam_service;	  /* a file name, without a dot */
value_check check_message;	  /* printable text, also of several lines */
value_check check_project_glob;	  /* see project_glob_matches() */
value_check check_protected_path; /* absolute, or "~/..." */
value_check check_support;	  /* one line of at most 200 bytes */
value_check check_provider;	  /* GitLab's name of a provider of identities */
value_check check_rule_name;	  /* of [[auth.rule]] */
value_check check_script_setting; /* NAME=value, but not JWT_... */
value_check check_server_url;
value_check check_sha256;
value_check check_option;
value_check check_substage;
value_check check_system_call;
value_check check_uid_range; /* FIRST-LAST */
value_check check_variable_name;

/* Forms of auth.logging.address: which one it must have depends on another key. */
bool check_is_host_port(const char *text); /* or [IPv6 address]:port */
bool check_is_socket_path(const char *text);

/*
 * True if the glob matches the path of a project. `*` matches any part of one name. `**`, which can
 * only be the last name, matches one name and any others below it. As in GitLab, the case of
 * letters makes no difference.
 */
bool project_glob_matches(const char *glob, const char *path);

/* Reads "FIRST-LAST", two uids, and returns like the checks. */
const char *parse_uid_range(const char *text, uid_t *first, uid_t *last);

/* The longest duration: a week, which poll(2) can wait for. */
#define DURATION_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

/*
 * Reads a duration as Go's time.ParseDuration does ("90s", "1m30s", "1.5h", "500ms", "0"), and
 * returns like the checks. It must not be negative, not be longer than a week, and be a whole
 * number of milliseconds.
 */
const char *parse_duration(const char *text, int64_t *milliseconds);

#endif
