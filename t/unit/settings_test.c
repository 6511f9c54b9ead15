/*
 * The configuration file: each key reaches its field, and every error of a file is reported.
 */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/check.h"
#include "config/schema.h"
#include "config/settings.h"

Suite *settings_suite(void);

#define GENERAL "[general]\nexecutor = \"shell\"\ndata_dir = \"$HOME\"\n"

static struct settings *parse_good(const char *text)
{
	char *messages = NULL;
	struct settings *settings = settings_parse("f", text, strlen(text), &messages);

	ck_assert_msg(settings != NULL, "\n%s\nrefused: %s", text, messages);
	ck_assert_ptr_null(messages);
	return settings;
}

static void expect_messages(const char *text, const char *expected)
{
	char *messages = NULL;
	struct settings *settings = settings_parse("f", text, strlen(text), &messages);

	ck_assert_msg(settings == NULL, "\n%s\nwas accepted", text);
	ck_assert_msg(strcmp(messages, expected) == 0, "\n%s\ngave     %s\nexpected %s", text,
		      messages, expected);
	free(messages);
}

static void expect_list(const struct string_list *list, size_t count, const char *const *items)
{
	ck_assert_uint_eq(list->count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(list->items[i], items[i]);
}

START_TEST(defaults_are_those_of_the_manual)
{
	static const char *const tokens[] = {"SITE_ID_TOKEN", "CI_JOB_JWT_V2", "CI_JOB_JWT"};
	static const char *const arguments[] = {"SCHEDULER_PARAMETERS"};
	struct settings *settings = parse_good(GENERAL);
	const struct general_settings *general = &settings->general;

	ck_assert_int_eq(general->executor, EXECUTOR_SHELL);
	ck_assert_str_eq(general->data_dir, "$HOME");
	ck_assert_ptr_null(general->name);
	ck_assert_ptr_null(general->job_message);
	ck_assert_ptr_null(general->support);
	ck_assert_ptr_null(general->shell_path);
	ck_assert_ptr_null(general->gitlab_server);
	ck_assert_ptr_null(general->tls_ca_file);
	ck_assert_ptr_null(general->jwks_file);
	ck_assert_ptr_null(general->jwt_required_aud);
	expect_list(&general->jwt_env_variable, 3, tokens);
	ck_assert_int_eq(general->kill_timeout_ms, 120000);
	ck_assert_int_eq(general->static_builds_days, 0);
	ck_assert(!general->retain_logs && !general->custom_build_dir);
	ck_assert(!general->group_permissions && !general->static_builds_dir);
	ck_assert(!general->unrestricted_cmd_line);
	ck_assert_int_eq(settings->auth.downscope, DOWNSCOPE_UNSET);
	ck_assert_int_eq(settings->auth.min_uid, 1000);
	ck_assert(!settings->auth.no_new_privs && !settings->auth.root_dir_creation);
	expect_list(&settings->auth.shell_allowlist, 0, NULL);
	expect_list(&settings->auth.downscope_env, 0, NULL);
	ck_assert(!settings->auth.seccomp.disabled && !settings->auth.seccomp.block_all);
	ck_assert(!settings->auth.seccomp.limit_setuid);
	expect_list(&settings->auth.seccomp.block_calls, 0, NULL);
	expect_list(&settings->auth.seccomp.allow_calls, 0, NULL);
	ck_assert_int_eq(settings->auth.logging.level, LOG_LEVEL_INFO);
	ck_assert_int_eq(settings->auth.logging.network, LOG_NETWORK_UNSET);
	ck_assert_str_eq(settings->auth.logging.location, "syslog");
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		ck_assert(!settings->auth.limits[i].set);
	expect_list(&settings->batch.arguments_variable, 1, arguments);
	ck_assert_int_eq(settings->batch.command_delay_ms, 5000);
	ck_assert_int_eq(settings->batch.nfs_timeout_ms, 30000);
	ck_assert_int_eq(settings->batch.submit_timeout_ms, 120000);
	ck_assert_int_eq(settings->batch.allocation_idle_ms, 600000);
	settings_free(settings);
}
END_TEST

START_TEST(every_general_key_reaches_its_field)
{
	struct settings *settings = parse_good(
		GENERAL "name = 'site'\njob_message = \"\"\"\none\n\ttwo\"\"\"\n"
			"support = 'mail help@example.org'\n"
			"shell_path = '/bin/bash'\ngitlab_server = 'https://gitlab.example.com'\n"
			"jwks_file = '/etc/jwks.json'\n"
			"kill_timeout = '1m30s'\nretain_logs = true\ngroup_permissions = true\n"
			"custom_build_dir = true\nstatic_builds_dir = true\n"
			"static_builds_days = 0\nunrestricted_cmd_line = true\n"
			"jwt_env_variable = 'MY_TOKEN'\njwt_required_aud = 'https://site'\n");
	static const char *const tokens[] = {"MY_TOKEN"};
	const struct general_settings *general = &settings->general;

	ck_assert_str_eq(general->name, "site");
	ck_assert_str_eq(general->job_message, "one\n\ttwo");
	ck_assert_str_eq(general->support, "mail help@example.org");
	ck_assert_str_eq(general->shell_path, "/bin/bash");
	ck_assert_str_eq(general->gitlab_server, "https://gitlab.example.com");
	ck_assert_str_eq(general->jwks_file, "/etc/jwks.json");
	ck_assert_int_eq(general->kill_timeout_ms, 90000);
	ck_assert(general->retain_logs && general->group_permissions && general->custom_build_dir);
	ck_assert(general->static_builds_dir);
	ck_assert_int_eq(general->static_builds_days, 0);
	ck_assert(general->unrestricted_cmd_line);
	expect_list(&general->jwt_env_variable, 1, tokens);
	ck_assert_str_eq(general->jwt_required_aud, "https://site");
	settings_free(settings);

	settings = parse_good(GENERAL "tls-ca-file = '/etc/ca.pem'\n");
	ck_assert_str_eq(settings->general.tls_ca_file, "/etc/ca.pem");
	settings_free(settings);
	settings = parse_good(GENERAL "tls_ca_file = '/etc/ca.pem'\n"
				      "jwt_env_variable = [\n'A',\n'B',\n]\n");
	static const char *const two[] = {"A", "B"};
	ck_assert_str_eq(settings->general.tls_ca_file, "/etc/ca.pem");
	expect_list(&settings->general.jwt_env_variable, 2, two);
	settings_free(settings);
}
END_TEST

START_TEST(every_auth_key_reaches_its_field)
{
	static const char *const shells[] = {"/bin/bash", "/bin/zsh"};
	static const char *const names[] = {"LD_X", "_y"};
	static const char *const blocked[] = {"ptrace", "io_uring_setup"};
	static const char *const allowed[] = {"read"};
	static const int64_t limits[LIMIT_COUNT] = {
		[LIMIT_NOFILE] = 128,  [LIMIT_NPROC] = 2,
		[LIMIT_CORE] = 0,      [LIMIT_CPU] = 4,
		[LIMIT_AS] = 5,	       [LIMIT_MEMLOCK] = LIMIT_UNLIMITED,
		[LIMIT_STACK] = 65536, [LIMIT_FSIZE] = INT64_MAX - 1,
	};
	struct settings *settings = parse_good(
		GENERAL "[auth]\n  downscope = \"setuid\"\n  jacamar_path = '/opt/jacamar/bin'\n"
			"shell_allowlist = ['/bin/bash', '/bin/zsh']\n"
			"downscope_env = ['LD_X', '_y']\nno_new_privs = true\n"
			"min_uid = 4_294_967_294\nmax_env_chars = 10000\n"
			"confined_uids = '1000-4294'\n"
			"limits.nofile = 128\nlimits.nproc = 2\nlimits.core = 0\nlimits.cpu = 4\n"
			"limits.as = 5\nlimits.memlock = 'unlimited'\nlimits.stack = 0x10000\n"
			"limits.fsize = 9223372036854775806\n"
			"seccomp.disabled = true\nseccomp.block_all = true\n"
			"seccomp.limit_setuid = true\n"
			"seccomp.block_calls = ['ptrace', 'io_uring_setup']\n"
			"seccomp.allow_calls = ['read']\n");
	const struct auth_settings *auth = &settings->auth;

	ck_assert_int_eq(auth->downscope, DOWNSCOPE_SETUID);
	ck_assert_str_eq(auth->jacamar_path, "/opt/jacamar/bin");
	expect_list(&auth->shell_allowlist, 2, shells);
	expect_list(&auth->downscope_env, 2, names);
	ck_assert(auth->no_new_privs);
	ck_assert_int_eq(auth->min_uid, INT64_C(4294967294));
	ck_assert_int_eq(auth->max_env_chars, 10000);
	ck_assert_str_eq(auth->confined_uids, "1000-4294");
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		ck_assert(auth->limits[i].set);
		ck_assert_int_eq(auth->limits[i].value, limits[i]);
	}
	ck_assert(auth->seccomp.disabled && auth->seccomp.block_all);
	ck_assert(auth->seccomp.limit_setuid);
	expect_list(&auth->seccomp.block_calls, 2, blocked);
	expect_list(&auth->seccomp.allow_calls, 1, allowed);
	settings_free(settings);

	settings = parse_good(GENERAL "[auth]\ndownscope = 'sudo'\n");
	ck_assert_int_eq(settings->auth.downscope, DOWNSCOPE_SUDO);
	settings_free(settings);

	settings = parse_good(GENERAL "[auth]\ndownscope = 'none'\n[auth.limits]\ncpu = 60\n");
	ck_assert_int_eq(settings->auth.downscope, DOWNSCOPE_NONE);
	ck_assert(settings->auth.limits[LIMIT_CPU].set && !settings->auth.limits[LIMIT_AS].set);
	settings_free(settings);
}
END_TEST

START_TEST(every_cgroup_key_reaches_its_field)
{
	static const char *const job[] = {"17179869184", "15G", "max 1000000", "10000", "16"};
	static const char *const user[] = {"max", "16384K", "1000", "1", "max"};
	struct settings *settings =
		parse_good(GENERAL "[auth.cgroup]\nenabled = true\nmemory_max = 17_179_869_184\n"
				   "memory_high = '15G'\ncpu_max = 'max 1000000'\n"
				   "cpu_weight = 10000\npids_max = 16\nuser_memory_max = 'max'\n"
				   "user_memory_high = '16384K'\nuser_cpu_max = 1000\n"
				   "user_cpu_weight = '1'\nuser_pids_max = 'max'\n");
	ck_assert(settings->auth.cgroup.enabled);
	for (size_t i = 0; i < CGROUP_LIMIT_COUNT; i++) {
		ck_assert_str_eq(settings->auth.cgroup.job[i], job[i]);
		ck_assert_str_eq(settings->auth.cgroup.user[i], user[i]);
	}
	settings_free(settings);
}
END_TEST

START_TEST(a_limit_of_a_cgroup_needs_a_cgroup)
{
	expect_messages(GENERAL "[auth.cgroup]\nuser_pids_max = 100\n",
			"f:5: auth.cgroup.user_pids_max needs auth.cgroup.enabled: without it, "
			"jobs have no cgroup that could be limited; set that to true, or remove "
			"this");
}
END_TEST

START_TEST(every_logging_key_reaches_its_field)
{
	struct settings *settings =
		parse_good(GENERAL "[auth.logging]\nenabled = true\nlevel = 'warn'\n"
				   "location = '/var/log/jacamar.log'\n");
	const struct logging_settings *log = &settings->auth.logging;
	ck_assert(log->enabled);
	ck_assert_int_eq(log->level, LOG_LEVEL_WARN);
	ck_assert_str_eq(log->location, "/var/log/jacamar.log");
	settings_free(settings);

	settings = parse_good(GENERAL "[auth.logging]\nlocation = 'syslog'\nnetwork = 'tcp'\n"
				      "address = 'log.example.com:514'\n");
	log = &settings->auth.logging;
	ck_assert(!log->enabled);
	ck_assert_int_eq(log->network, LOG_NETWORK_TCP);
	ck_assert_str_eq(log->address, "log.example.com:514");
	settings_free(settings);
}
END_TEST

START_TEST(the_other_spelling_of_a_file_is_the_same_file)
{
	/* Dotted and quoted keys, CRLF, a mark at the beginning, no newline at the end. */
	struct settings *settings = parse_good("\xef\xbb\xbf"
					       "general.\"executor\" = 'shell'\r\n"
					       "general . data_dir = '~'\r\n"
					       "[ 'auth' ]\r\n"
					       "\tdownscope = \"\\u0073etuid\" # c ; d\r\n"
					       "[batch]");

	ck_assert_str_eq(settings->general.data_dir, "~");
	ck_assert_int_eq(settings->auth.downscope, DOWNSCOPE_SETUID);
	settings_free(settings);
}
END_TEST

/* One assignment in a table, and the rule it breaks. */
struct value_case {
	const char *table;
	const char *assignment;
	const char *message; /* behind `table.key `, or whole where it begins with = */
};

#define ABSOLUTE  "must be an absolute path without control characters"
#define DURATION  "must be a duration such as \"90s\", \"1m30s\" or \"500ms\""
#define IN_QUOTES "must be a duration in quotes, such as \"90s\" or \"1m30s\""
#define FINE	  "must be a whole number of milliseconds, with at most six digits after the point"
#define MEMORY	  "must be \"max\", or a number of bytes, at least 16M, that may end in K, M, G or T"
#define CPU                                                                                     \
	"must be \"QUOTA PERIOD\", microseconds of at least 1000, the period at most 1000000; " \
	"\"200000 100000\" is two CPUs"
#define PIDS	 "must be \"max\", or a number of processes, at least 16"
#define UIDS	 "must be FIRST-LAST, two uids from 1000 to 4294967294"
#define VARIABLE "must be the name of a variable ([A-Za-z_][A-Za-z0-9_]*)"
#define SERVER	 "must be https://host, with :port or /path where needed"
#define LOOPBACK                                                                                 \
	"must begin with https://, because http is for this machine alone (127.0.0.0/8, [::1], " \
	"localhost)"

static const struct value_case WRONG[] = {
	{"general", "name = ''",
	 "must be one line of text, not empty, without control characters, not \"\""},
	{"general", "name = \"a\\nb\"",
	 "must be one line of text, not empty, without control characters, not \"a\\x0ab\""},
	{"general", "name = 1", "must be a string, not an integer"},
	{"general", "job_message = \"a\\u001b[1m\"",
	 "must be text without control characters, not \"a\\x1b[1m\""},
	{"general", "job_message = \"a\\u009bm\"",
	 "must be text without control characters, not \"a\\xc2\\x9bm\""},
	{"general", "support = \"mail a\\nand b\"",
	 "must be one line of text, not empty, without control characters, not \"mail a\\x0aand "
	 "b\""},
	{"general", "job_message = ['a']", "must be a string, not an array"},
	{"general", "shell_path = 'bash'", ABSOLUTE ", not \"bash\""},
	{"general", "shell_path = \"/bin/b\\n\"", ABSOLUTE ", not \"/bin/b\\x0a\""},
	{"general", "tls-ca-file = ''", ABSOLUTE ", not \"\""},
	{"general", "tls_ca_file = 'ca'", "=general.tls-ca-file " ABSOLUTE ", not \"ca\""},
	{"general", "jwks_file = './jwks'", ABSOLUTE ", not \"./jwks\""},
	{"general", "jwt_required_aud = ''",
	 "must be one line of text, not empty, without control characters, not \"\""},
	{"general", "retain_logs = 'true'", "must be true or false, not a string"},
	{"general", "retain_logs = 1", "must be true or false, not an integer"},
	{"general", "unrestricted_cmd_line = ''", "must be true or false, not a string"},
	{"general", "kill_timeout = 90", IN_QUOTES ", not an integer"},
	{"general", "kill_timeout = '90'", DURATION ", not \"90\""},
	{"general", "kill_timeout = ''", DURATION ", not \"\""},
	{"general", "kill_timeout = '-1s'", DURATION ", not \"-1s\""},
	{"general", "kill_timeout = '1 s'", DURATION ", not \"1 s\""},
	{"general", "kill_timeout = '1s '", DURATION ", not \"1s \""},
	{"general", "kill_timeout = '1d'", DURATION ", not \"1d\""},
	{"general", "kill_timeout = '.s'", DURATION ", not \".s\""},
	{"general", "kill_timeout = '1s30'", DURATION ", not \"1s30\""},
	{"general", "kill_timeout = '0s'", "must be longer, not \"0s\""},
	{"general", "kill_timeout = '0'", "must be longer, not \"0\""},
	{"general", "kill_timeout = '1us'", FINE ", not \"1us\""},
	{"general", "kill_timeout = '1.5ms'", FINE ", not \"1.5ms\""},
	{"general", "kill_timeout = '1.0000001h'", FINE ", not \"1.0000001h\""},
	{"general", "kill_timeout = '168h1ms'",
	 "must be at most a week (\"168h\"), not \"168h1ms\""},
	{"general", "kill_timeout = '99999999999999999999h'",
	 "must be at most a week (\"168h\"), not \"99999999999999999999h\""},
	{"general", "jwt_env_variable = []", "must hold a string at least, not empty"},
	{"general", "jwt_env_variable = true",
	 "must be a string or an array of strings, not a boolean"},
	{"general", "jwt_env_variable = 'A-B'",
	 "=an item of general.jwt_env_variable " VARIABLE ", not \"A-B\""},
	{"general", "jwt_env_variable = ['A', '1B']",
	 "=an item of general.jwt_env_variable " VARIABLE ", not \"1B\""},

	{"general", "gitlab_server = 'gitlab.example.com'", SERVER ", not \"gitlab.example.com\""},
	{"general", "gitlab_server = 'https://'", SERVER ", not \"https://\""},
	{"general", "gitlab_server = 'HTTPS://a'", SERVER ", not \"HTTPS://a\""},
	{"general", "gitlab_server = 'ftp://a'", SERVER ", not \"ftp://a\""},
	{"general", "gitlab_server = 'https://u@a'", SERVER ", not \"https://u@a\""},
	{"general", "gitlab_server = 'https://u:p@a'", SERVER ", not \"https://u:p@a\""},
	{"general", "gitlab_server = 'https://a?q'", SERVER ", not \"https://a?q\""},
	{"general", "gitlab_server = 'https://a/#f'", SERVER ", not \"https://a/#f\""},
	{"general", "gitlab_server = 'https://a/../b'", SERVER ", not \"https://a/../b\""},
	{"general", "gitlab_server = 'https://a b'", SERVER ", not \"https://a b\""},
	{"general", "gitlab_server = 'https://a..b'", SERVER ", not \"https://a..b\""},
	{"general", "gitlab_server = 'https://a:'", SERVER ", not \"https://a:\""},
	{"general", "gitlab_server = 'https://a:0'", SERVER ", not \"https://a:0\""},
	{"general", "gitlab_server = 'https://a:65536'", SERVER ", not \"https://a:65536\""},
	{"general", "gitlab_server = 'https://a:8x'", SERVER ", not \"https://a:8x\""},
	{"general", "gitlab_server = 'https://[::1'", SERVER ", not \"https://[::1\""},
	{"general", "gitlab_server = 'https://[::x]'", SERVER ", not \"https://[::x]\""},
	{"general", "gitlab_server = 'https://[1.2.3.4]'", SERVER ", not \"https://[1.2.3.4]\""},
	{"general", "gitlab_server = 'http://a'", LOOPBACK ", not \"http://a\""},
	{"general", "gitlab_server = 'http://127.0.0.1.a'",
	 LOOPBACK ", not \"http://127.0.0.1.a\""},
	{"general", "gitlab_server = 'http://127.1'", LOOPBACK ", not \"http://127.1\""},
	{"general", "gitlab_server = 'http://128.0.0.1'", LOOPBACK ", not \"http://128.0.0.1\""},
	{"general", "gitlab_server = 'http://[::2]'", LOOPBACK ", not \"http://[::2]\""},
	{"general", "gitlab_server = 'http://localhost.a'",
	 LOOPBACK ", not \"http://localhost.a\""},
	{"general", "gitlab_server = 'http://localhost@a'", SERVER ", not \"http://localhost@a\""},

	{"auth", "downscope = 'root'", "must be \"setuid\" or \"sudo\" or \"none\", not \"root\""},
	{"auth", "downscope = ''", "must be \"setuid\" or \"sudo\" or \"none\", not \"\""},
	{"auth", "downscope = false", "must be a string, not a boolean"},
	{"auth", "jacamar_path = 'jacamar'", ABSOLUTE ", not \"jacamar\""},
	{"auth", "shell_allowlist = '/bin/sh'", "must be an array of strings, not a string"},
	{"auth", "shell_allowlist = ['sh']",
	 "=an item of auth.shell_allowlist " ABSOLUTE ", not \"sh\""},
	{"auth", "downscope_env = ['A=B']",
	 "=an item of auth.downscope_env " VARIABLE ", not \"A=B\""},
	{"general", "user_bash_env = ['A=b', 'A']",
	 "=an item of general.user_bash_env must be of the form NAME=value without control "
	 "characters, not \"A\""},
	{"general", "user_bash_env = ['HOME=/']",
	 "=an item of general.user_bash_env must not be one of HOME, USER, LOGNAME, SHELL and "
	 "JACAMAR_CI_JOB, not \"HOME=/\""},
	{"general", "user_bash_env = ['JACAMAR_CI_JOB=x']",
	 "=an item of general.user_bash_env must not be one of HOME, USER, LOGNAME, SHELL and "
	 "JACAMAR_CI_JOB, not \"JACAMAR_CI_JOB=x\""},
	{"auth.runas", "validation_env = ['JWT_USER_LOGIN=root']",
	 "=an item of auth.runas.validation_env must not begin with JWT_, as the token's claims "
	 "do, not \"JWT_USER_LOGIN=root\""},
	{"auth", "protected_paths = ['~', '~a/.ssh']",
	 "=an item of auth.protected_paths must be an absolute path, \"~\", or begin with \"~/\", "
	 "not \"~a/.ssh\""},
	{"auth", "protected_paths = ['/']",
	 "=an item of auth.protected_paths must not have an empty component, \".\" or \"..\", not "
	 "\"/\""},
	{"auth", "protected_paths = ['~/a/./b']",
	 "=an item of auth.protected_paths must not have an empty component, \".\" or \"..\", not "
	 "\"~/a/./b\""},
	{"auth", "downscope_env = ['']", "=an item of auth.downscope_env " VARIABLE ", not \"\""},
	{"auth", "no_new_privs = 'no'", "must be true or false, not a string"},
	{"auth", "min_uid = 0", "must be from 1 to 4294967294, not 0"},
	{"auth", "min_uid = 4294967295", "must be from 1 to 4294967294, not 4294967295"},
	{"auth", "min_uid = '1000'", "must be an integer, not a string"},
	{"auth", "confined_uids = '999-2000'", UIDS ", not \"999-2000\""},
	{"auth", "confined_uids = '2000-1999'", UIDS ", not \"2000-1999\""},
	{"auth", "confined_uids = '70000-4294967295'", UIDS ", not \"70000-4294967295\""},
	{"auth", "confined_uids = '2000'", UIDS ", not \"2000\""},
	{"auth", "confined_uids = '2000-'", UIDS ", not \"2000-\""},
	{"auth", "confined_uids = '2000-3000 '", UIDS ", not \"2000-3000 \""},
	{"auth", "confined_uids = '2000-99999999999'", UIDS ", not \"2000-99999999999\""},
	{"auth", "confined_uids = '1000-65534'",
	 "must be a range without 65534 and 65535, not \"1000-65534\""},
	{"auth", "confined_uids = '65535-65535'",
	 "must be a range without 65534 and 65535, not \"65535-65535\""},
	{"auth", "confined_uids = 2000", "must be a string, not an integer"},
	{"auth", "max_env_chars = -1", "must be from 0 to 9223372036854775807, not -1"},
	{"auth.seccomp", "disabled = 1", "must be true or false, not an integer"},
	{"auth.seccomp", "block_all = 'yes'", "must be true or false, not a string"},
	{"auth.seccomp", "limit_setuid = []", "must be true or false, not an array"},
	{"auth.seccomp", "block_calls = 'ptrace'", "must be an array of strings, not a string"},
	{"auth.seccomp", "block_calls = ['']",
	 "=an item of auth.seccomp.block_calls must be the name of a system call, not \"\""},
	{"auth.seccomp", "allow_calls = ['read', 'open()']",
	 "=an item of auth.seccomp.allow_calls must be the name of a system call, not \"open()\""},
	{"auth.limits", "core = -1", "must be from 0 to 9223372036854775806, not -1"},
	{"auth.limits", "core = 9223372036854775807",
	 "must be from 0 to 9223372036854775806, not 9223372036854775807"},
	{"auth.limits", "core = 'many'", "must be an integer or \"unlimited\", not \"many\""},
	{"auth.limits", "core = true", "must be an integer or \"unlimited\", not a boolean"},
	{"auth.cgroup", "enabled = 'yes'", "must be true or false, not a string"},
	{"auth.cgroup", "memory_max = true", "must be a string or an integer, not a boolean"},
	{"auth.cgroup", "memory_max = 16777215", MEMORY ", not 16777215"},
	{"auth.cgroup", "memory_max = -1", MEMORY ", not -1"},
	{"auth.cgroup", "memory_max = '4 G'", MEMORY ", not \"4 G\""},
	{"auth.cgroup", "memory_max = '4GB'", MEMORY ", not \"4GB\""},
	{"auth.cgroup", "memory_max = '4P'", MEMORY ", not \"4P\""},
	{"auth.cgroup", "memory_max = 'G'", MEMORY ", not \"G\""},
	{"auth.cgroup", "memory_max = ''", MEMORY ", not \"\""},
	{"auth.cgroup", "user_memory_high = '8388608T'", MEMORY ", not \"8388608T\""},
	{"auth.cgroup", "user_memory_high = '50%'", MEMORY ", not \"50%\""},
	{"auth.cgroup", "cpu_max = 999", CPU ", not 999"},
	{"auth.cgroup", "cpu_max = '1000 999'", CPU ", not \"1000 999\""},
	{"auth.cgroup", "cpu_max = '1000 1000001'", CPU ", not \"1000 1000001\""},
	{"auth.cgroup", "cpu_max = '1000  2000'", CPU ", not \"1000  2000\""},
	{"auth.cgroup", "cpu_max = '1000 2000 3000'", CPU ", not \"1000 2000 3000\""},
	{"auth.cgroup", "cpu_max = ' 1000'", CPU ", not \" 1000\""},
	{"auth.cgroup", "cpu_max = '2000 max'", CPU ", not \"2000 max\""},
	{"auth.cgroup", "cpu_weight = 0", "must be from 1 to 10000, not 0"},
	{"auth.cgroup", "cpu_weight = 10001", "must be from 1 to 10000, not 10001"},
	{"auth.cgroup", "pids_max = 15", PIDS ", not 15"},
	{"auth.cgroup", "user_pids_max = '1K'", PIDS ", not \"1K\""},
};

START_TEST(a_wrong_value_is_refused_with_its_rule)
{
	const struct value_case *test = &WRONG[_i];
	bool whole = *test->message == '=';
	char *text = NULL, *expected = NULL;
	int key = (int)strcspn(test->assignment, " ");
	bool general = strcmp(test->table, "general") == 0;

	ck_assert(asprintf(&text, "%s%s%s%s%s", GENERAL, general ? "" : "[",
			   general ? "" : test->table, general ? "" : "]\n", test->assignment) > 0);
	ck_assert(asprintf(&expected, "f:%d: %s%s%.*s%s%s", general ? 4 : 5,
			   whole ? "" : test->table, whole ? "" : ".", whole ? 0 : key,
			   test->assignment, whole ? "" : " ", test->message + whole) > 0);
	expect_messages(text, expected);
	free(text);
	free(expected);
}
END_TEST

#define DATA_DIR "f:3: general.data_dir "

static const struct {
	const char *executor, *data_dir, *message; /* NULL where it is fit */
} BASICS[] = {
	{"shell", "$HOME", NULL},
	{"shell", "~", NULL},
	{"shell", "/", NULL},
	{"shell", "/lustre/ci..x/a", NULL},
	{"shell", "$SCRATCH/ci", NULL},
	{"shell", "$_1", NULL},
	{"shell", "",
	 DATA_DIR "must be \"$HOME\", \"~\", an absolute path, or begin with $NAME, "
		  "not \"\""},
	{"shell", "ci",
	 DATA_DIR "must be \"$HOME\", \"~\", an absolute path, or begin with $NAME, "
		  "not \"ci\""},
	{"shell", "~/ci",
	 DATA_DIR "must be \"$HOME\", \"~\", an absolute path, or begin with "
		  "$NAME, not \"~/ci\""},
	{"shell", "$", DATA_DIR "must have a variable as $NAME before any /, not \"$\""},
	{"shell", "$1", DATA_DIR "must have a variable as $NAME before any /, not \"$1\""},
	{"shell", "${HOME}",
	 DATA_DIR "must have a variable as $NAME before any /, not \"${HOME}\""},
	{"shell", "$(id)", DATA_DIR "must have a variable as $NAME before any /, not \"$(id)\""},
	{"shell", "$HOME;id",
	 DATA_DIR "must have a variable as $NAME before any /, not "
		  "\"$HOME;id\""},
	{"shell", "$A/$B", DATA_DIR "must not have a $ after its beginning, not \"$A/$B\""},
	{"shell", "/a/$B", DATA_DIR "must not have a $ after its beginning, not \"/a/$B\""},
	{"shell", "/a/../b", DATA_DIR "must not have a component \"..\", not \"/a/../b\""},
	{"shell", "$A/..", DATA_DIR "must not have a component \"..\", not \"$A/..\""},
	{"shell", "/a\\\\b", DATA_DIR "must not have a backslash, not \"/a\\\\b\""},
	{"shell", "/a\\u0007",
	 DATA_DIR "must be a path without control characters, not "
		  "\"/a\\x07\""},
	{"bash", "~",
	 "f:2: general.executor must be \"shell\" or \"slurm\" or \"sbatch\" or "
	 "\"flux\" or \"pbs\" or \"lsf\" or \"bsub\" or \"cobalt\" or \"qsub\", not "
	 "\"bash\""},
};

START_TEST(the_required_keys_are_checked)
{
	char *text = NULL;

	ck_assert(asprintf(&text, "[general]\nexecutor = \"%s\"\ndata_dir = \"%s\"\n",
			   BASICS[_i].executor, BASICS[_i].data_dir) > 0);
	if (BASICS[_i].message != NULL)
		expect_messages(text, BASICS[_i].message);
	else
		settings_free(parse_good(text));
	free(text);
}
END_TEST

START_TEST(required_keys_that_are_missing_are_named)
{
	expect_messages("", "f:1: general.executor is missing; every file must set it\n"
			    "f:1: general.data_dir is missing; every file must set it");
	expect_messages("\n[general]\nexecutor = 'shell'",
			"f:2: general.data_dir is missing; every file must set it");
	/*
	 * A key with a wrong value is not missing; nor is one that may be in text that was not
	 * understood.
	 */
	expect_messages("[general]\nexecutor = shell\ndata_dir",
			"f:2: \"shell\" is not a value that TOML knows; a string needs quotes\n"
			"f:3: a key needs an equals sign and a value");
	expect_messages("[general\nexecutor = 'shell'",
			"f:1: the closing bracket of a table's name is missing");
}
END_TEST

static const struct {
	const char *text;
	int64_t milliseconds;
} DURATIONS[] = {
	{"90s", 90000},		{"1m30s", 90000},
	{"1h", 3600000},	{"500ms", 500},
	{"1.5h", 5400000},	{".5s", 500},
	{"2.s", 2000},		{"168h", DURATION_MAX_MS},
	{"1000us", 1},		{"1000000ns", 1},
	{"1h1m1s1ms", 3661001}, {"1s1s", 2000},
	{"0.000005h", 18},	{"1.500000000s", 1500},
	{"3000\xc2\xb5s", 3},	{"3000\xce\xbcs", 3},
	{"007s", 7000},		{"500us500us", 1},
};

START_TEST(durations_are_read_as_go_does)
{
	int64_t milliseconds = -1;

	ck_assert_ptr_null(parse_duration(DURATIONS[_i].text, &milliseconds));
	ck_assert_int_eq(milliseconds, DURATIONS[_i].milliseconds);
}
END_TEST

static const char *const SERVERS[] = {
	"https://gitlab.example.com",
	"https://gitlab.example.com/",
	"https://gitlab.example.com/git",
	"https://git-1.site.org:8443/a/b_c~d.e",
	"https://10.0.0.1",
	"https://[fe80::1]:443",
	"http://127.0.0.1:8080",
	"http://127.8.9.10/x",
	"http://[::1]:80/",
	"http://localhost",
};

START_TEST(a_server_is_https_or_this_machine)
{
	ck_assert_ptr_null(check_server_url(SERVERS[_i]));
}
END_TEST

/* Addresses of a log's server, and whether each is one; the longest path of a socket is 107 bytes.
 */
#define LONG_PATH                                                                 \
	"/123456789.123456789.123456789.123456789.123456789.123456789.123456789." \
	"123456789.123456789.123456789.123456"

static const struct {
	const char *network, *address;
	bool fit;
} LOG_ADDRESSES[] = {
	{"udp", "log:514", true},	{"udp", "10.0.0.1:1", true},
	{"tcp", "[::1]:65535", true},	{"unixgram", "/run/log.sock", true},
	{"unixgram", LONG_PATH, true},	{"unixgram", LONG_PATH "7", false},
	{"unixgram", "log:514", false}, {"unixgram", "log", false},
	{"udp", "/dev/log", false},	{"udp", "log", false},
	{"udp", "log:", false},		{"udp", ":514", false},
	{"tcp", "log:0", false},	{"tcp", "log:65536", false},
	{"tcp", "log:syslog", false},	{"tcp", "log:514/x", false},
	{"tcp", "::1:514", false},	{"tcp", "[::1]", false},
	{"tcp", "[log]:514", false},
};

START_TEST(the_address_of_a_log_is_one_of_its_network)
{
	const char *network = LOG_ADDRESSES[_i].network;
	char text[512];
	char expected[512];
	snprintf(text, sizeof(text), GENERAL "[auth.logging]\nnetwork = '%s'\naddress = '%s'",
		 network, LOG_ADDRESSES[_i].address);
	snprintf(expected, sizeof(expected),
		 "f:6: auth.logging.address conflicts with auth.logging.network on line 5: %s",
		 strcmp(network, "unixgram") == 0
			 ? "unixgram needs a socket's absolute path, of at most 107 bytes"
			 : "udp and tcp need \"host:port\" or \"[IPv6 address]:port\"");
	if (LOG_ADDRESSES[_i].fit)
		settings_free(parse_good(text));
	else
		expect_messages(text, expected);
}
END_TEST

/* A valid value and an invalid one. */
static const struct {
	const char *table, *key, *fit, *wrong, *rule;
} FIT_AND_UNFIT[] = {
	{"general", "custom_build_dir", "false", "0", "must be true or false, not an integer"},
	{"general", "static_builds_dir", "true", "0", "must be true or false, not an integer"},
	{"general", "static_builds_days", "0", "-1", "must be from 0 to 36500, not -1"},
	{"general", "group_permissions", "true", "0", "must be true or false, not an integer"},
	{"auth", "user_allowlist", "['a']", "'a'", "must be an array of strings, not a string"},
	{"auth", "user_blocklist", "[]", "'a'", "must be an array of strings, not a string"},
	{"auth", "groups_allowlist", "['a']", "1", "must be an array of strings, not an integer"},
	{"auth", "groups_blocklist", "['a']", "1", "must be an array of strings, not an integer"},
	{"auth", "pipeline_source_allowlist", "['push']", "'push'",
	 "must be an array of strings, not a string"},
	{"auth", "allow_bot_accounts", "true", "1", "must be true or false, not an integer"},
	{"auth", "confirm_job", "true", "1", "must be true or false, not an integer"},
	{"auth", "allow_fork_pipelines", "true", "'yes'", "must be true or false, not a string"},
	{"auth", "isolate", "true", "1", "must be true or false, not an integer"},
	{"auth", "pam_account", "'jacamar-ci'", "'../login'",
	 "must be the name of a file in /etc/pam.d ([A-Za-z0-9_-], at most 63), not "
	 "\"../login\""},
	{"auth", "pam_session", "'jacamar-ci'", "'login.d'",
	 "must be the name of a file in /etc/pam.d ([A-Za-z0-9_-], at most 63), not "
	 "\"login.d\""},
	{"auth", "identity_provider", "'ldapmain'", "'ldap main'",
	 "must be a provider's name as GitLab has it ([A-Za-z0-9_.-], at most 63), not \"ldap "
	 "main\""},
	{"auth", "lists_pre_validation", "true", "1", "must be true or false, not an integer"},
	{"auth", "root_dir_creation", "true", "1", "must be true or false, not an integer"},
	{"auth.runas", "validation_script", "'/a'", "'a'", ABSOLUTE ", not \"a\""},
	{"auth.runas", "user_variable", "'A'", "'a b'", VARIABLE ", not \"a b\""},
	{"auth.runas", "sha256",
	 "'0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef'", "'0'",
	 "must be 64 hexadecimal digits, not \"0\""},
	{"auth.logging", "enabled", "true", "1", "must be true or false, not an integer"},
	{"auth.logging", "level", "'warn'", "'loud'",
	 "must be \"debug\" or \"info\" or \"warn\" or \"error\", not \"loud\""},
	{"auth.logging", "location", "'syslog'", "'log'",
	 "must be \"syslog\" or an absolute path without control characters, not \"log\""},
	{"auth.logging", "network", "'tcp'", "'ip'",
	 "must be \"udp\" or \"tcp\" or \"unixgram\", not \"ip\""},
	{"auth.logging", "address", "'host:514'", "1", "must be a string, not an integer"},
	{"batch", "arguments_variable", "['A']", "[]", "must hold a string at least, not empty"},
	{"batch", "env_vars", "['A=b c']", "1", "must be an array of strings, not an integer"},
	{"batch", "command_delay", "'0s'", "5", IN_QUOTES ", not an integer"},
	{"batch", "nfs_timeout", "'1m'", "5", IN_QUOTES ", not an integer"},
	{"batch", "submit_timeout", "'1m'", "5", IN_QUOTES ", not an integer"},
	{"batch", "allocation_idle", "'1s'", "'0s'", "must be longer, not \"0s\""},
	{"batch", "scheduler_bin", "'/a'", "'a'", ABSOLUTE ", not \"a\""},
	{"batch", "allow_illegal_args", "true", "1", "must be true or false, not an integer"},
	{"batch", "skip_cobalt_log", "true", "1", "must be true or false, not an integer"},
	{"batch", "ff_slurm_sacct", "true", "1", "must be true or false, not an integer"},
	{"general", "variable_data_dir", "true", "1", "must be true or false, not an integer"},
	{"general", "user_bash_env", "['LMOD_ADMIN_FILE=none', 'PATH=/opt/bin', 'USERS=a b']",
	 "'A=b'", "must be an array of strings, not a string"},
	{"auth.runas", "validation_env", "['SITE=a', 'JWT=b']", "'A=b'",
	 "must be an array of strings, not a string"},
};

/* What must be set beside some of them; rules_test.c has the rules. */
static const char *mate_of(const char *key)
{
	static const struct {
		const char *key, *mate;
	} mates[] = {
		{"user_variable", "auth.runas.validation_script = '/a'"},
		{"sha256", "auth.runas.validation_script = '/a'"},
		{"isolate", "auth.no_new_privs = true"},
		{"network", "auth.logging.address = 'host:514'"},
		{"address", "auth.logging.network = 'udp'"},
	};

	for (size_t i = 0; i < sizeof(mates) / sizeof(mates[0]); i++) {
		if (strcmp(mates[i].key, key) == 0)
			return mates[i].mate;
	}
	return "";
}

START_TEST(a_key_is_checked)
{
	const char *table = FIT_AND_UNFIT[_i].table, *key = FIT_AND_UNFIT[_i].key;
	char *text = NULL, *expected = NULL;

	ck_assert(asprintf(&text, "%s.%s = %s\n%s\n[x]", table, key, FIT_AND_UNFIT[_i].fit,
			   mate_of(key)) > 0);
	expect_messages(text, "f:1: general.executor is missing; every file must set it\n"
			      "f:1: general.data_dir is missing; every file must set it\n"
			      "f:3: unknown table [x]; jacamar-config.toml(5) lists all");
	free(text);

	ck_assert(asprintf(&text, "%s.%s = %s\ngeneral.executor = 'shell'\ngeneral.data_dir = '~'",
			   table, key, FIT_AND_UNFIT[_i].wrong) > 0);
	ck_assert(asprintf(&expected, "f:1: %s.%s %s", table, key, FIT_AND_UNFIT[_i].rule) > 0);
	expect_messages(text, expected);
	free(text);
	free(expected);
}
END_TEST

static const struct {
	const char *text, *messages;
} UNKNOWN[] = {
	{"[auth]\ndowscope = 'none'",
	 "f:5: unknown key \"dowscope\" in [auth]; did you mean \"downscope\"?"},
	{"[auth.runas]\nsha_256 = ''",
	 "f:5: unknown key \"sha_256\" in [auth.runas]; did you mean \"sha256\"?"},
	{"[auth]\nDownscope = 'none'",
	 "f:5: unknown key \"Downscope\" in [auth]; did you mean \"downscope\"?"},
	{"tls_cafile = '/a'",
	 "f:4: unknown key \"tls_cafile\" in [general]; did you mean \"tls-ca-file\"?"},
	{"downscope = 'none'",
	 "f:4: unknown key \"downscope\" in [general]; did you mean \"downscope\" in [auth]?"},
	{"zzz = 1", "f:4: unknown key \"zzz\" in [general]; jacamar-config.toml(5) lists all"},
	{"\"data_dir \" = ''",
	 "f:4: unknown key \"data_dir \" in [general]; did you mean \"data_dir\"?"},
	{"\"\\u001b\" = ''",
	 "f:4: unknown key \"\\x1b\" in [general]; jacamar-config.toml(5) lists all"},
	{"[atuh]\ndownscope = 'none'\nx = 1", "f:4: unknown table [atuh]; did you mean [auth]?"},
	{"[auth.run_as]\nx = 1", "f:4: unknown table [auth.run_as]; did you mean [auth.runas]?"},
	{"[\"auth.runas\"]", "f:4: unknown table [\"auth.runas\"]; did you mean [auth.runas]?"},
	{"[auth]\nloggings.level = 'info'",
	 "f:5: unknown table [auth.loggings]; did you mean [auth.logging]?"},
	{"[auth]\nrunas = '/a'", "f:5: auth.runas is a table, not a key; write [auth.runas]"},
	{"[general.executor]\nx = 1",
	 "f:4: the key general.executor is defined already, on line 2\n"
	 "f:4: unknown table [general.executor]; jacamar-config.toml(5) lists all"},
	{"[auth.oidc]\nx = 1", "f:4: unknown table [auth.oidc]; jacamar-config.toml(5) lists all"},
	{"[auth]\ntoken_scope_enforced = true",
	 "f:5: unknown key \"token_scope_enforced\" in [auth]; jacamar-config.toml(5) lists all"},
	{"tls-ca-file = '/a'\ntls_ca_file = '/a'",
	 "f:5: general.tls-ca-file is set already, on line 4"},
	{"name = 'a'\nname = 'b'", "f:5: the key general.name is defined already, on line 4"},
};

START_TEST(an_unknown_name_is_refused_with_the_nearest)
{
	char *text = NULL;

	ck_assert(asprintf(&text, "%s%s", GENERAL, UNKNOWN[_i].text) > 0);
	expect_messages(text, UNKNOWN[_i].messages);
	free(text);
}
END_TEST

START_TEST(a_long_unknown_name_is_cut_in_the_message_alone)
{
	char text[4096], message[4096], name[256];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), GENERAL "%s = 1", name);
	snprintf(message, sizeof(message),
		 "f:4: unknown key \"%.120s\" in [general]; jacamar-config.toml(5) lists all",
		 name);
	expect_messages(text, message);
	snprintf(text, sizeof(text), GENERAL "[%s]\n%s = 1", name, name);
	snprintf(message, sizeof(message),
		 "f:4: unknown table [%.120s]; jacamar-config.toml(5) lists all", name);
	expect_messages(text, message);
}
END_TEST

START_TEST(all_errors_are_reported_in_the_order_of_the_lines)
{
	expect_messages("executor = 'shell'\n"
			"[general]\n"
			"  executor = 'bash'\n"
			"  data_dir = 1\n"
			"  kill_timeout = 1.5\n"
			"[auht]\n"
			"  x = 1\n"
			"[auth]\n"
			"  downscope_env = ['a b', 'C', 'd e']\n"
			"  min_uid = 0 1\n"
			"  \x01 = 1\n"
			"[batch]\n"
			"  nope = true",
			"f:1: unknown key \"executor\" outside of any table; did you mean "
			"\"executor\" in [general]?\n"
			"f:3: general.executor must be \"shell\" or \"slurm\" or \"sbatch\" or "
			"\"flux\" or \"pbs\" or \"lsf\" or \"bsub\" or \"cobalt\" or "
			"\"qsub\", not \"bash\"\n"
			"f:4: general.data_dir must be a string, not an integer\n"
			"f:5: \"1.5\" is a float, which no key takes\n"
			"f:6: unknown table [auht]; did you mean [auth]?\n"
			"f:9: an item of auth.downscope_env " VARIABLE ", not \"a b\"\n"
			"f:9: an item of auth.downscope_env " VARIABLE ", not \"d e\"\n"
			"f:10: unexpected text \"1\" after the end of a statement\n"
			"f:10: auth.min_uid must be from 1 to 4294967294, not 0\n"
			"f:11: a control character (byte 0x01), which TOML forbids\n"
			"f:13: unknown key \"nope\" in [batch]; jacamar-config.toml(5) lists all");
}
END_TEST

START_TEST(a_value_of_4000_bytes_is_read_whole)
{
	char value[4001], text[5000];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	memcpy(value + 190, " ; # ", 5);
	snprintf(text, sizeof(text), GENERAL "   job_message = \"%s\" # c", value);
	struct settings *settings = parse_good(text);
	ck_assert_str_eq(settings->general.job_message, value);
	settings_free(settings);
}
END_TEST

/* A directory with one file in it. */
struct sandbox {
	char directory[64];
	char path[96];
};

static struct sandbox sandbox_make(const char *text)
{
	struct sandbox sandbox = {.directory = "/tmp/settings_test.XXXXXX"};

	ck_assert_ptr_nonnull(mkdtemp(sandbox.directory));
	snprintf(sandbox.path, sizeof(sandbox.path), "%s/f.toml", sandbox.directory);
	FILE *file = fopen(sandbox.path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(sandbox.path, 0640), 0);
	return sandbox;
}

static void sandbox_remove(const struct sandbox *sandbox)
{
	unlink(sandbox->path);
	ck_assert_int_eq(rmdir(sandbox->directory), 0);
}

/* Loads the file, which must fail with `reason` behind the path, or succeed where that is NULL. */
static void expect_load(const char *path, uid_t owner, const char *reason)
{
	char *messages = NULL, *expected = NULL;
	struct settings *settings = settings_load(path, owner, &messages);

	if (reason == NULL) {
		ck_assert_msg(settings != NULL, "%s", messages);
		ck_assert_ptr_null(messages);
		settings_free(settings);
		return;
	}
	ck_assert_ptr_null(settings);
	ck_assert(asprintf(&expected, "%s:%s", path, reason) > 0);
	ck_assert_str_eq(messages, expected);
	free(expected);
	free(messages);
}

START_TEST(the_errors_of_a_file_begin_with_its_path)
{
	struct sandbox sandbox = sandbox_make(GENERAL "nam = 1");

	expect_load(sandbox.path, geteuid(),
		    "4: unknown key \"nam\" in [general]; did you mean \"name\"?");
	sandbox_remove(&sandbox);
}
END_TEST

START_TEST(only_a_regular_file_is_read)
{
	struct sandbox sandbox = sandbox_make(GENERAL);
	uid_t self = geteuid();

	expect_load(sandbox.path, self, NULL);
	expect_load(sandbox.directory, self, " not a regular file");
	expect_load("/dev/null", self, " not a regular file");
	unlink(sandbox.path);
	expect_load(sandbox.path, self, " cannot be opened: No such file or directory");
	ck_assert_int_eq(symlink("/dev/zero", sandbox.path), 0);
	expect_load(sandbox.path, self, " not a regular file");
	unlink(sandbox.path);
	/* One that nobody writes to: the test hangs where it is waited for. */
	ck_assert_int_eq(mkfifo(sandbox.path, 0600), 0);
	expect_load(sandbox.path, self, " not a regular file");
	sandbox_remove(&sandbox);
}
END_TEST

START_TEST(a_link_to_a_fit_file_is_followed)
{
	struct sandbox sandbox = sandbox_make(GENERAL);
	char link[128];

	snprintf(link, sizeof(link), "%s/link", sandbox.directory);
	ck_assert_int_eq(symlink("f.toml", link), 0);
	expect_load(link, geteuid(), NULL);
	unlink(link);
	sandbox_remove(&sandbox);
}
END_TEST

START_TEST(a_file_that_others_may_write_is_refused)
{
	static const mode_t modes[] = {0660, 0646, 0620, 0602, 0666};
	struct sandbox sandbox = sandbox_make(GENERAL);

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_assert_int_eq(chmod(sandbox.path, modes[i]), 0);
		expect_load(sandbox.path, geteuid(),
			    " writable by its group or by others; chmod go-w it");
	}
	ck_assert_int_eq(chmod(sandbox.path, 0644), 0);
	expect_load(sandbox.path, geteuid(), NULL);
	sandbox_remove(&sandbox);
}
END_TEST

START_TEST(a_file_of_another_account_is_refused)
{
	static const char reason[] = " owned by another account; its owner must be root or the "
				     "account that runs this program; chown it";
	struct sandbox sandbox = sandbox_make(GENERAL);
	uid_t owner = geteuid();

	/* root's file is anybody's configuration, so that root must give it away first. */
	if (owner == 0) {
		expect_load(sandbox.path, 4711, NULL);
		owner = 4710;
		ck_assert_int_eq(chown(sandbox.path, owner, (gid_t)-1), 0);
	}
	expect_load(sandbox.path, owner, NULL);
	expect_load(sandbox.path, owner + 1, reason);
	sandbox_remove(&sandbox);
}
END_TEST

START_TEST(a_file_of_more_than_a_mebibyte_is_refused)
{
	struct sandbox sandbox = sandbox_make(GENERAL "#");
	FILE *file = fopen(sandbox.path, "a");

	fprintf(file, "%*s", (int)((1 << 20) - strlen(GENERAL "#")), "");
	fclose(file);
	expect_load(sandbox.path, geteuid(), NULL);
	file = fopen(sandbox.path, "a");
	fputc(' ', file);
	fclose(file);
	expect_load(sandbox.path, geteuid(), " larger than 1 MiB, the limit for this file");
	sandbox_remove(&sandbox);
}
END_TEST

START_TEST(a_key_is_found_by_its_whole_name)
{
	static const char *const unknown[] = {"",
					      "auth",
					      "auth.",
					      "min_uid",
					      "auth.min_uidx",
					      "xauth.min_uid",
					      "auth.runas",
					      "the configuration",
					      "general.tls_ca_file"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ck_assert_ptr_null(schema_find_key(unknown[i]));
	ck_assert_ptr_eq(schema_find_key("auth.min_uid"), schema_find("auth", "min_uid"));
	ck_assert_ptr_eq(schema_find_key("auth.runas.sha256"), schema_find("auth.runas", "sha256"));
	ck_assert_ptr_eq(schema_find_key("general.tls-ca-file"),
			 schema_find("general", "tls-ca-file"));
}
END_TEST

START_TEST(nothing_is_freed_without_harm)
{
	settings_free(NULL);
}
END_TEST

/* A name that fills its array has no end, and not every compiler warns about that. */
static void expect_ends(const struct schema_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert_msg(memchr(rows[i].table, '\0', sizeof(rows[i].table)) != NULL, "%.20s",
			      rows[i].table);
		ck_assert_msg(memchr(rows[i].name, '\0', sizeof(rows[i].name)) != NULL, "%.28s",
			      rows[i].name);
	}
}

START_TEST(the_names_of_keys_fit_their_rows)
{
	expect_ends(SCHEMA, SCHEMA_ROWS);
	expect_ends(RULE_SCHEMA, RULE_SCHEMA_ROWS);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *settings_suite(void)
{
	Suite *suite = suite_create("settings");
	TCase *keys = tcase_create("keys"), *files = tcase_create("files");

	tcase_add_test(keys, defaults_are_those_of_the_manual);
	tcase_add_test(keys, every_general_key_reaches_its_field);
	tcase_add_test(keys, every_auth_key_reaches_its_field);
	tcase_add_test(keys, every_logging_key_reaches_its_field);
	tcase_add_test(keys, every_cgroup_key_reaches_its_field);
	tcase_add_test(keys, a_limit_of_a_cgroup_needs_a_cgroup);
	tcase_add_test(keys, the_other_spelling_of_a_file_is_the_same_file);
	tcase_add_loop_test(keys, a_wrong_value_is_refused_with_its_rule, 0, COUNT(WRONG));
	tcase_add_loop_test(keys, the_required_keys_are_checked, 0, COUNT(BASICS));
	tcase_add_test(keys, required_keys_that_are_missing_are_named);
	tcase_add_loop_test(keys, durations_are_read_as_go_does, 0, COUNT(DURATIONS));
	tcase_add_loop_test(keys, a_server_is_https_or_this_machine, 0, COUNT(SERVERS));
	tcase_add_loop_test(keys, the_address_of_a_log_is_one_of_its_network, 0,
			    COUNT(LOG_ADDRESSES));
	tcase_add_loop_test(keys, a_key_is_checked, 0, COUNT(FIT_AND_UNFIT));
	tcase_add_loop_test(keys, an_unknown_name_is_refused_with_the_nearest, 0, COUNT(UNKNOWN));
	tcase_add_test(keys, a_long_unknown_name_is_cut_in_the_message_alone);
	tcase_add_test(keys, all_errors_are_reported_in_the_order_of_the_lines);
	tcase_add_test(keys, a_value_of_4000_bytes_is_read_whole);
	tcase_add_test(keys, a_key_is_found_by_its_whole_name);
	tcase_add_test(keys, the_names_of_keys_fit_their_rows);
	tcase_add_test(keys, nothing_is_freed_without_harm);
	suite_add_tcase(suite, keys);

	tcase_add_test(files, the_errors_of_a_file_begin_with_its_path);
	tcase_add_test(files, only_a_regular_file_is_read);
	tcase_add_test(files, a_link_to_a_fit_file_is_followed);
	tcase_add_test(files, a_file_that_others_may_write_is_refused);
	tcase_add_test(files, a_file_of_another_account_is_refused);
	tcase_add_test(files, a_file_of_more_than_a_mebibyte_is_refused);
	suite_add_tcase(suite, files);
	return suite;
}
