/*
 * Checks of single values, whatever their key means.
 *
 * Each returns NULL where `text` is fit, else the rule it breaks in words that go on after the
 * key's name: "must be an absolute path".
 */
#ifndef JACAMAR_CONFIG_CHECK_H
#define JACAMAR_CONFIG_CHECK_H

#include <stdbool.h>
#include <stdint.h>

typedef const char *value_check(const char *text);

value_check check_absolute_path;
value_check check_account;
value_check check_data_dir;
value_check check_environment_setting; /* NAME=value */
value_check check_line;		       /* one line of text, not empty */
value_check check_log_location;
value_check check_login_setting;  /* NAME=value, but of what a job's login is made of */
value_check check_message;	  /* any printable text, in lines */
value_check check_script_setting; /* NAME=value, but of what stands for a claim */
value_check check_server_url;
value_check check_sha256;
value_check check_substage;
value_check check_system_call;
value_check check_variable_name;

/* Forms that a value has by what another key says. */
bool check_is_host_port(const char *text); /* or [IPv6 address]:port */
bool check_is_socket_path(const char *text);

/* The longest duration there is: a week, which fits poll(2)'s milliseconds. */
#define DURATION_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

/*
 * Reads a duration as Go's time.ParseDuration does ("90s", "1m30s", "1.5h", "500ms", "0"), and
 * returns like the checks. Negative ones, longer ones than a week and ones that are no whole
 * number of milliseconds are not fit.
 */
const char *parse_duration(const char *text, int64_t *milliseconds);

#endif
