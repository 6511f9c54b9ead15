/* Rules about keys that need each other, contradict each other, or make each other ineffective. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "config/rules.h"
#include "config/schema.h"
#include "t/unit/suites.h"

struct key {
	const char *table, *name;
};

#define SCRIPT                                    \
	{                                         \
		"auth.runas", "validation_script" \
	}
#define VARIABLE                              \
	{                                     \
		"auth.runas", "user_variable" \
	}
#define SHA256                         \
	{                              \
		"auth.runas", "sha256" \
	}
#define NETWORK                           \
	{                                 \
		"auth.logging", "network" \
	}
#define ADDRESS                           \
	{                                 \
		"auth.logging", "address" \
	}
#define LOCATION                           \
	{                                  \
		"auth.logging", "location" \
	}
#define ENABLED                           \
	{                                 \
		"auth.logging", "enabled" \
	}
#define CA                               \
	{                                \
		"general", "tls-ca-file" \
	}
#define JWKS                           \
	{                              \
		"general", "jwks_file" \
	}
#define DATA_DIR                      \
	{                             \
		"general", "data_dir" \
	}
#define ROOT                                \
	{                                   \
		"auth", "root_dir_creation" \
	}
#define DOWNSCOPE                   \
	{                           \
		"auth", "downscope" \
	}
#define SESSION                       \
	{                             \
		"auth", "pam_session" \
	}
#define ALLOW                                 \
	{                                     \
		"auth.seccomp", "allow_calls" \
	}
#define BLOCK                                 \
	{                                     \
		"auth.seccomp", "block_calls" \
	}
#define BLOCK_ALL                           \
	{                                   \
		"auth.seccomp", "block_all" \
	}
#define LIMIT                                  \
	{                                      \
		"auth.seccomp", "limit_setuid" \
	}
#define NO_NEW_PRIVS                   \
	{                              \
		"auth", "no_new_privs" \
	}
#define NEEDS_NO_NEW_PRIVS                                                                   \
	" needs auth.no_new_privs: the kernel accepts a filter only if no program can gain " \
	"privileges; set that to true, or remove this"

/* The keys that a file sets, each on a line of its own from 1 on, and the messages. */
static const struct {
	struct key keys[4];
	const char *data_dir;
	bool root_dir_creation;
	bool confirm_job;
	enum downscope_kind downscope;
	const char *location;
	size_t allowed, blocked; /* calls */
	bool block_all, limit_setuid, no_new_privs, disabled;
	const char *messages; /* NULL if nothing is wrong */
} CASES[] = {
	{.keys = {SCRIPT, VARIABLE, SHA256}},
	{.keys = {SCRIPT}},
	{.keys = {VARIABLE},
	 .messages = "f:1: auth.runas.user_variable needs auth.runas.validation_script: the script "
		     "must permit the account that a job asks for; set that, too, or remove this"},
	{.keys = {SHA256, VARIABLE},
	 .messages =
		 "f:1: auth.runas.sha256 needs auth.runas.validation_script: it is the checksum of "
		 "that script; set that, too, or remove this\n"
		 "f:2: auth.runas.user_variable needs auth.runas.validation_script: the script "
		 "must permit the account that a job asks for; set that, too, or remove this"},

	{.keys = {NETWORK, ADDRESS}},
	{.keys = {ENABLED, LOCATION}, .location = "/var/log/ci.log"},
	{.keys = {NETWORK, ADDRESS, LOCATION}, .location = "syslog"},
	{.keys = {NETWORK, ADDRESS, LOCATION},
	 .location = "/var/log/ci.log",
	 .messages = "f:1: auth.logging.network conflicts with auth.logging.location on line 3: "
		     "the log goes to one place; remove one of the two"},
	{.keys = {NETWORK},
	 .messages = "f:1: auth.logging.network needs auth.logging.address: set the address of the "
		     "log's server, too, or remove this"},
	{.keys = {ADDRESS},
	 .messages = "f:1: auth.logging.address needs auth.logging.network: without it the log "
		     "stays on this machine; set that, too, or remove this"},
	{.keys = {LOCATION, NETWORK},
	 .location = "/var/log/ci.log",
	 .messages = "f:2: auth.logging.network needs auth.logging.address: set the address of the "
		     "log's server, too, or remove this\n"
		     "f:2: auth.logging.network conflicts with auth.logging.location on line 1: "
		     "the log goes to one place; remove one of the two"},

	{.keys = {CA}},
	{.keys = {JWKS}},
	{.keys = {JWKS, CA},
	 .messages =
		 "f:2: general.tls-ca-file conflicts with general.jwks_file on line 1: with a "
		 "local file of keys, jobs do not connect to the server; remove one of the two"},
	{.keys = {JWKS, CA}, .confirm_job = true},

	{.keys = {DATA_DIR, ROOT}, .data_dir = "/scratch", .root_dir_creation = true},
	{.keys = {DATA_DIR, ROOT}, .data_dir = "$HOME"},
	{.keys = {DATA_DIR, ROOT}, .root_dir_creation = true}, /* a data_dir that is wrong itself */
	{.keys = {DATA_DIR, ROOT},
	 .data_dir = "$HOME",
	 .root_dir_creation = true,
	 .messages =
		 "f:2: auth.root_dir_creation conflicts with general.data_dir on line 1: root "
		 "makes directories only below an absolute path; set one there, or remove this"},
	{.keys = {ROOT, DATA_DIR},
	 .data_dir = "~",
	 .root_dir_creation = true,
	 .messages =
		 "f:1: auth.root_dir_creation conflicts with general.data_dir on line 2: root "
		 "makes directories only below an absolute path; set one there, or remove this"},
	{.keys = {DATA_DIR, ROOT},
	 .data_dir = "$SCRATCH/ci",
	 .root_dir_creation = true,
	 .messages =
		 "f:2: auth.root_dir_creation conflicts with general.data_dir on line 1: root "
		 "makes directories only below an absolute path; set one there, or remove this"},

	{.keys = {DOWNSCOPE, ROOT}, .downscope = DOWNSCOPE_NONE},
	{.keys = {DOWNSCOPE, ROOT}, .downscope = DOWNSCOPE_SETUID, .root_dir_creation = true},
	{.keys = {DOWNSCOPE, ROOT},
	 .downscope = DOWNSCOPE_NONE,
	 .root_dir_creation = true,
	 .messages = "f:2: auth.root_dir_creation conflicts with auth.downscope on line 1: root "
		     "makes directories only for accounts that it changes to; set that to "
		     "\"setuid\", or remove this"},
	{.keys = {ROOT, DOWNSCOPE},
	 .downscope = DOWNSCOPE_SUDO,
	 .root_dir_creation = true,
	 .messages = "f:1: auth.root_dir_creation conflicts with auth.downscope on line 2: root "
		     "makes directories only for accounts that it changes to; set that to "
		     "\"setuid\", or remove this"},

	{.keys = {DOWNSCOPE, SESSION}, .downscope = DOWNSCOPE_SETUID},
	{.keys = {DOWNSCOPE, SESSION},
	 .downscope = DOWNSCOPE_SUDO,
	 .messages = "f:2: auth.pam_session conflicts with auth.downscope on line 1: sudo itself "
		     "opens a session of PAM, with the service of its option pam_service; set that "
		     "in sudoers, and remove this"},
	{.keys = {SESSION, DOWNSCOPE},
	 .downscope = DOWNSCOPE_NONE,
	 .messages = "f:1: auth.pam_session conflicts with auth.downscope on line 2: a session is "
		     "opened only for an account that jobs change to; set that to \"setuid\", or "
		     "remove this"},

	{.keys = {BLOCK_ALL, ALLOW, BLOCK, NO_NEW_PRIVS},
	 .allowed = 1,
	 .block_all = true,
	 .no_new_privs = true},
	{.keys = {ALLOW, BLOCK, NO_NEW_PRIVS}, .blocked = 1, .no_new_privs = true},
	{.keys = {BLOCK, ALLOW, BLOCK_ALL, NO_NEW_PRIVS},
	 .allowed = 1,
	 .blocked = 2,
	 .block_all = true,
	 .no_new_privs = true,
	 .messages = "f:2: auth.seccomp.allow_calls conflicts with auth.seccomp.block_calls on "
		     "line 1: list the allowed or the blocked calls, not both; remove one "
		     "of the two"},
	{.keys = {BLOCK_ALL, ALLOW, NO_NEW_PRIVS},
	 .allowed = 1,
	 .no_new_privs = true,
	 .messages = "f:2: auth.seccomp.allow_calls needs auth.seccomp.block_all: without it all "
		     "calls are allowed; set that to true, or remove this"},
	{.keys = {BLOCK_ALL, LIMIT, BLOCK, NO_NEW_PRIVS}},
	{.keys = {BLOCK_ALL, LIMIT, BLOCK, NO_NEW_PRIVS},
	 .blocked = 1,
	 .block_all = true,
	 .limit_setuid = true,
	 .messages = "f:1: auth.seccomp.block_all" NEEDS_NO_NEW_PRIVS "\n"
		     "f:2: auth.seccomp.limit_setuid" NEEDS_NO_NEW_PRIVS "\n"
		     "f:3: auth.seccomp.block_calls" NEEDS_NO_NEW_PRIVS},
	{.keys = {BLOCK_ALL, LIMIT, BLOCK},
	 .blocked = 1,
	 .block_all = true,
	 .limit_setuid = true,
	 .no_new_privs = true},
	/* A file that says nothing of no_new_privs gets it. */
	{.keys = {BLOCK_ALL, LIMIT, BLOCK}, .blocked = 1, .block_all = true, .limit_setuid = true},
	{.keys = {BLOCK_ALL, LIMIT, ALLOW}, .allowed = 1, .limit_setuid = true, .disabled = true},
};

/* The values of the strings do not matter. */
static void make_settings(struct settings *settings, int number)
{
	static char data_dir[32], location[32];
	memset(settings, 0, sizeof(*settings));
	for (size_t i = 0; i < 4 && CASES[number].keys[i].name != NULL; i++) {
		const struct key *key = &CASES[number].keys[i];
		settings->lines[schema_find(key->table, key->name) - SCHEMA] = i + 1;
	}
	if (CASES[number].data_dir != NULL)
		settings->general.data_dir = strcpy(data_dir, CASES[number].data_dir);
	if (CASES[number].location != NULL)
		settings->auth.logging.location = strcpy(location, CASES[number].location);
	settings->auth.confirm_job = CASES[number].confirm_job;
	settings->auth.root_dir_creation = CASES[number].root_dir_creation;
	settings->auth.downscope = CASES[number].downscope;
	settings->auth.seccomp.allow_calls.count = CASES[number].allowed;
	settings->auth.seccomp.block_calls.count = CASES[number].blocked;
	settings->auth.seccomp.block_all = CASES[number].block_all;
	settings->auth.seccomp.limit_setuid = CASES[number].limit_setuid;
	settings->auth.seccomp.disabled = CASES[number].disabled;
	settings->auth.no_new_privs = CASES[number].no_new_privs;
}

START_TEST(each_rule_is_told_with_its_line)
{
	struct settings settings;
	struct report report = {.path = "f"};
	make_settings(&settings, _i);
	rules_check(&settings, &report);
	char *text = report_text(&report);
	ck_assert_str_eq(text, CASES[_i].messages != NULL ? CASES[_i].messages : "");
	free(text);
	report_clear(&report);
}
END_TEST

START_TEST(a_line_that_is_wrong_itself_hears_of_no_rule)
{
	struct settings settings;
	struct report report = {.path = "f"};
	make_settings(&settings, 3);
	report_add(&report, 2, "wrong");
	rules_check(&settings, &report);
	char *text = report_text(&report);
	ck_assert_str_eq(text,
			 "f:1: auth.runas.sha256 needs auth.runas.validation_script: it is "
			 "the checksum of that script; set that, too, or remove this\nf:2: wrong");
	free(text);
	report_clear(&report);
}
END_TEST

/* A file that breaks a rule is refused, even if each of its keys is valid. */
START_TEST(a_file_that_breaks_a_rule_is_refused)
{
	static const char good[] = "general.executor = 'shell'\ngeneral.data_dir = '~'\n"
				   "general.jwks_file = '/a'\n#general.tls-ca-file = '/b'\n";
	char *messages = NULL, bad[sizeof(good)];
	struct settings *settings = settings_parse("f", good, sizeof(good) - 1, &messages);
	ck_assert_ptr_nonnull(settings);
	settings_free(settings);

	memcpy(bad, good, sizeof(good));
	*strchr(bad, '#') = ' ';
	ck_assert_ptr_null(settings_parse("f", bad, sizeof(bad) - 1, &messages));
	ck_assert_str_eq(messages, "f:4: general.tls-ca-file conflicts with general.jwks_file on "
				   "line 3: with a local file of keys, jobs do not connect to "
				   "the server; remove one of the two");
	free(messages);

	/* If a file was not read to its end, it is not known which keys it does not set. */
	static const char broken[] = "general.executor = 'shell'\ngeneral.data_dir = '~'\n"
				     "auth.runas.user_variable = 'A'\n= 1\n";
	ck_assert_ptr_null(settings_parse("f", broken, sizeof(broken) - 1, &messages));
	ck_assert_ptr_null(strstr(messages, " needs "));
	free(messages);
}
END_TEST

START_TEST(any_rule_about_people_needs_a_token)
{
	char *name = (char *)"x";
	struct string_list one = {.items = &name, .count = 1};
	struct settings settings = {.auth.downscope = DOWNSCOPE_NONE};
	struct string_list *const lists[] = {
		&settings.auth.user_allowlist,
		&settings.auth.user_blocklist,
		&settings.auth.groups_allowlist,
		&settings.auth.groups_blocklist,
		&settings.auth.pipeline_source_allowlist,
	};

	ck_assert(!rules_need_token(&settings));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		*lists[i] = one;
		ck_assert_msg(rules_need_token(&settings), "list %zu", i);
		*lists[i] = (struct string_list){.count = 0};
	}
	settings.auth.confirm_job = true;
	ck_assert(rules_need_token(&settings));
	settings.auth.confirm_job = false;
	settings.auth.runas.validation_script = name;
	ck_assert(rules_need_token(&settings));
	settings.auth.runas.validation_script = NULL;
	settings.general.jwt_required_aud = name;
	ck_assert(rules_need_token(&settings));
	settings.general.jwt_required_aud = NULL;
	ck_assert(!rules_need_token(&settings));
	settings.auth.downscope = DOWNSCOPE_SETUID;
	ck_assert(rules_need_token(&settings));
	settings.auth.downscope = DOWNSCOPE_SUDO;
	ck_assert(rules_need_token(&settings));
	settings.auth.downscope = DOWNSCOPE_UNSET;
	ck_assert(rules_need_token(&settings));
}
END_TEST

/* What is without effect beside which downscope, where a script, a list and a rule are there or
 * not. */
static const struct {
	const char *table, *key;
	enum downscope_kind downscope;
	bool script, list;
	bool idle;
} EFFECTS[] = {
	{"auth", "shell_allowlist", DOWNSCOPE_NONE, true, true, true},
	{"auth", "shell_allowlist", DOWNSCOPE_SETUID, false, false, false},
	{"auth", "shell_allowlist", DOWNSCOPE_SUDO, false, false, false},
	{"auth", "shell_allowlist", DOWNSCOPE_UNSET, false, false, false},
	{"auth", "min_uid", DOWNSCOPE_NONE, true, true, true},
	{"auth", "min_uid", DOWNSCOPE_SETUID, false, false, false},
	{"auth", "allow_bot_accounts", DOWNSCOPE_NONE, false, false, true},
	{"auth", "allow_bot_accounts", DOWNSCOPE_NONE, true, false, false},
	{"auth", "allow_bot_accounts", DOWNSCOPE_NONE, false, true, false},
	{"auth", "allow_bot_accounts", DOWNSCOPE_SUDO, false, false, false},
	{"auth", "allow_fork_pipelines", DOWNSCOPE_NONE, false, false, true},
	{"auth", "allow_fork_pipelines", DOWNSCOPE_NONE, false, true, false},
	{"auth", "allow_fork_pipelines", DOWNSCOPE_SETUID, false, false, false},
	{"auth", "lists_pre_validation", DOWNSCOPE_SETUID, false, true, true},
	{"auth", "lists_pre_validation", DOWNSCOPE_SETUID, true, true, false},
	{"auth.runas", "validation_env", DOWNSCOPE_SETUID, false, true, true},
	{"auth.runas", "validation_env", DOWNSCOPE_NONE, true, true, false},
	{"auth", "max_env_chars", DOWNSCOPE_SETUID, true, true, true},
	{"general", "variable_data_dir", DOWNSCOPE_SETUID, true, true, true},
	{"batch", "ff_slurm_sacct", DOWNSCOPE_SETUID, true, true, true},
	{"batch", "lsf_job_cancellation", DOWNSCOPE_SETUID, true, true, true},
	{"auth.seccomp", "error_num_block_actions", DOWNSCOPE_SETUID, true, true, true},
	{"auth", "enforce_nologin", DOWNSCOPE_NONE, false, false, false},
	{"auth", "run_stage_allowlist", DOWNSCOPE_NONE, false, false, false},
	{"auth", "user_allowlist", DOWNSCOPE_NONE, true, true, false},
	{"general", "user_bash_env", DOWNSCOPE_NONE, true, true, false},
};

START_TEST(what_is_without_effect_is_known)
{
	struct settings settings = {.auth.downscope = EFFECTS[_i].downscope};
	if (EFFECTS[_i].script) {
		settings.auth.runas.validation_script = (char *)"/script";
		settings.lines[schema_find_key("auth.runas.validation_script") - SCHEMA] = 1;
	}
	settings.auth.user_blocklist.count = EFFECTS[_i].list;
	const struct schema_row *row = schema_find(EFFECTS[_i].table, EFFECTS[_i].key);
	ck_assert_ptr_nonnull(row);
	ck_assert_int_eq(rules_idle(&settings, row) != NULL, EFFECTS[_i].idle);
}
END_TEST

Suite *rules_suite(void)
{
	Suite *suite = suite_create("rules");
	TCase *rules = tcase_create("rules");
	tcase_add_loop_test(rules, each_rule_is_told_with_its_line, 0, ROWS(CASES));
	tcase_add_test(rules, a_line_that_is_wrong_itself_hears_of_no_rule);
	tcase_add_test(rules, a_file_that_breaks_a_rule_is_refused);
	tcase_add_test(rules, any_rule_about_people_needs_a_token);
	tcase_add_loop_test(rules, what_is_without_effect_is_known, 0, ROWS(EFFECTS));
	suite_add_tcase(suite, rules);
	return suite;
}
