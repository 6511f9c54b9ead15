/*
 * The state that config hands on: what goes in comes out, and nothing damaged comes in.
 */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"
#include "t/unit/suites.h"

/* A state with every field set; `names` is borrowed. */
static struct state full_state(const json_t *names)
{
	return (struct state){
		.job_id = 981625,
		.pipeline_id = 574,
		.project_path = "group/project",
		.short_token = "short",
		.concurrent = "0",
		.login = "usr.login",
		.reference = "0123456789ab",
		.cookie = "0123456789abcdef0123456789abcdef",
		.account = {.name = "usr",
			    .uid = 1000,
			    .gid = 100,
			    .home = "/home/usr",
			    .shell = "/bin/bash"},
		.downscope = DOWNSCOPE_SETUID,
		.min_uid = 500,
		.base = "/home/usr/.jacamar-ci",
		.custom_builds = "/scratch/usr",
		.builds_dir = "/scratch/usr/short/000",
		.cache_dir = "/home/usr/.jacamar-ci/cache",
		.scripts_dir = "/home/usr/.jacamar-ci/scripts/short/000/group/project/981625",
		.jacamar = "/opt/jacamar/bin/jacamar",
		.name = "login nodes",
		.shell_path = "/opt/bash",
		.job_message = "Gr\xc3\xbc\xc3\x9f Gott\n\"you\"",
		.kill_timeout_ms = 90000,
		.retain_logs = true,
		.group_permissions = true,
		.root_creates_base = true,
		.static_builds = true,
		.static_builds_days = 36500,
		.no_new_privs = true,
		.raise_stack = true,
		.unrestricted_cmd_line = true,
		.limits = {[LIMIT_NOFILE] = {.set = true, .value = 1024},
			   [LIMIT_FSIZE] = {.set = true, .value = LIMIT_UNLIMITED}},
		.substages = names,
		.environment_names = names,
		.user_environment = names,
		.filters = names,
		.logging = {.enabled = true,
			    .level = LOG_LEVEL_ERROR,
			    .location = (char *)"syslog",
			    .network = LOG_NETWORK_UNIXGRAM,
			    .address = (char *)"/run/log"},
		.executor = EXECUTOR_SLURM,
		.scheduler_bin = "/opt/slurm/bin",
		.default_arguments = names,
		.argument_variables = names,
		.scheduler_environment = names,
		.command_delay_ms = 5000,
		.nfs_timeout_ms = 30000,
		.allow_illegal_args = true,
		.skip_cobalt_log = true,
	};
}

static char *encode(const struct state *state)
{
	json_t *root = state_encode(state);
	char *text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static void expect_same(const struct state *a, const struct state *b)
{
	ck_assert_uint_eq(a->job_id, b->job_id);
	ck_assert_uint_eq(a->pipeline_id, b->pipeline_id);
	ck_assert_str_eq(a->project_path, b->project_path);
	ck_assert_str_eq(a->short_token, b->short_token);
	ck_assert_str_eq(a->concurrent, b->concurrent);
	ck_assert_str_eq(a->login, b->login);
	ck_assert_str_eq(a->reference, b->reference);
	ck_assert_str_eq(a->cookie, b->cookie);
	ck_assert_str_eq(a->account.name, b->account.name);
	ck_assert_uint_eq(a->account.uid, b->account.uid);
	ck_assert_uint_eq(a->account.gid, b->account.gid);
	ck_assert_str_eq(a->account.home, b->account.home);
	ck_assert_str_eq(a->account.shell, b->account.shell);
	ck_assert_int_eq(a->downscope, b->downscope);
	ck_assert_int_eq(a->min_uid, b->min_uid);
	ck_assert_str_eq(a->base, b->base);
	ck_assert_pstr_eq(a->custom_builds, b->custom_builds);
	ck_assert_str_eq(a->builds_dir, b->builds_dir);
	ck_assert_str_eq(a->cache_dir, b->cache_dir);
	ck_assert_str_eq(a->scripts_dir, b->scripts_dir);
	ck_assert_pstr_eq(a->jacamar, b->jacamar);
	ck_assert_pstr_eq(a->name, b->name);
	ck_assert_pstr_eq(a->shell_path, b->shell_path);
	ck_assert_pstr_eq(a->job_message, b->job_message);
	ck_assert_int_eq(a->kill_timeout_ms, b->kill_timeout_ms);
	ck_assert_int_eq(a->retain_logs, b->retain_logs);
	ck_assert_int_eq(a->group_permissions, b->group_permissions);
	ck_assert_int_eq(a->root_creates_base, b->root_creates_base);
	ck_assert_int_eq(a->static_builds, b->static_builds);
	ck_assert_int_eq(a->static_builds_days, b->static_builds_days);
	ck_assert_int_eq(a->no_new_privs, b->no_new_privs);
	ck_assert_int_eq(a->raise_stack, b->raise_stack);
	ck_assert_int_eq(a->unrestricted_cmd_line, b->unrestricted_cmd_line);
	for (int i = 0; i < LIMIT_COUNT; i++) {
		ck_assert_int_eq(a->limits[i].set, b->limits[i].set);
		ck_assert_int_eq(a->limits[i].value, b->limits[i].value);
	}
	ck_assert(json_equal(a->substages, b->substages));
	ck_assert(json_equal(a->environment_names, b->environment_names));
	ck_assert(json_equal(a->user_environment, b->user_environment));
	ck_assert(json_equal(a->filters, b->filters));
	ck_assert_int_eq(a->logging.enabled, b->logging.enabled);
	ck_assert_int_eq(a->logging.level, b->logging.level);
	ck_assert_str_eq(a->logging.location, b->logging.location);
	ck_assert_int_eq(a->logging.network, b->logging.network);
	ck_assert_pstr_eq(a->logging.address, b->logging.address);
	ck_assert_int_eq(a->executor, b->executor);
	ck_assert_pstr_eq(a->scheduler_bin, b->scheduler_bin);
	ck_assert(json_equal(a->argument_variables, b->argument_variables));
	ck_assert(json_equal(a->scheduler_environment, b->scheduler_environment));
	ck_assert_int_eq(a->command_delay_ms, b->command_delay_ms);
	ck_assert_int_eq(a->nfs_timeout_ms, b->nfs_timeout_ms);
	ck_assert_int_eq(a->allow_illegal_args, b->allow_illegal_args);
	ck_assert_int_eq(a->skip_cobalt_log, b->skip_cobalt_log);
}

static void expect_round_trip(const struct state *state)
{
	struct state back;
	struct error err = {.detail = ""};
	char *text = encode(state);
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(state_parse(text, &back, &err) == 0, "%s: %s", err.detail, text);
	free(text); /* nothing in the state is borrowed from it */
	expect_same(state, &back);
	state_free(&back);
}

START_TEST(what_goes_in_comes_out)
{
	json_t *names = json_pack("[s, s]", "SITE", "LICENSE");
	struct state state = full_state(names);
	expect_round_trip(&state);
	state.downscope = DOWNSCOPE_NONE;
	state.retain_logs = false;
	state.group_permissions = false;
	state.root_creates_base = false;
	state.static_builds = false;
	state.static_builds_days = 0;
	state.no_new_privs = false;
	state.unrestricted_cmd_line = false;
	state.kill_timeout_ms = 0;
	state.account.uid = UINT32_MAX - 1;
	expect_round_trip(&state);
	json_decref(names);
}
END_TEST

START_TEST(what_is_unset_stays_unset)
{
	json_t *names = json_array();
	struct state state = full_state(names);
	memset(state.limits, 0, sizeof(state.limits));
	state.pipeline_id = 0;
	state.custom_builds = NULL;
	state.name = NULL;
	state.shell_path = NULL;
	state.job_message = NULL;
	state.logging = (struct logging_settings){.location = (char *)"/var/log/a"};
	state.scheduler_bin = NULL;
	expect_round_trip(&state);
	json_decref(names);
}
END_TEST

START_TEST(a_state_that_json_cannot_hold_is_none)
{
	json_t *names = json_array();
	struct state state = full_state(names);
	state.short_token = "\xff";
	ck_assert_ptr_null(state_encode(&state));
	json_decref(names);
}
END_TEST

/* One value is put in the place of a good one; NULL: it is taken out. */
static const struct {
	const char *table; /* NULL: of the whole */
	const char *name;
	const char *value;
} DAMAGES[] = {
	{NULL, "version", NULL},
	{NULL, "version", "0"},
	{NULL, "version", "1000"},
	{NULL, "version", "\"2\""},
	{NULL, "job", NULL},
	{NULL, "job", "[]"},
	{NULL, "account", NULL},
	{NULL, "account", "\"usr\""},
	{NULL, "directories", NULL},
	{NULL, "settings", NULL},
	{NULL, "settings", "null"},
	{"job", "id", NULL},
	{"job", "id", "0"},
	{"job", "id", "-1"},
	{"job", "id", "\"981625\""},
	{"job", "id", "1.5"},
	{"job", "pipeline", NULL},
	{"job", "pipeline", "-1"},
	{"job", "project", NULL},
	{"job", "project", "null"},
	{"job", "short_token", NULL},
	{"job", "short_token", "7"},
	{"job", "concurrent", NULL},
	{"job", "concurrent", "0"},
	{"job", "login", NULL},
	{"job", "login", "null"},
	{"job", "reference", NULL},
	{"job", "cookie", NULL},
	{"job", "cookie", "[]"},
	{"account", "name", NULL},
	{"account", "name", "7"},
	{"account", "name", "\"\""},
	{"account", "name", "\"1000\""},
	{"account", "name", "\"-usr\""},
	{"account", "name", "\"us r\""},
	{"account", "name",
	 "\"01234567890123456789012345678901234567890123456789012345678901234\""},
	{"account", "uid", NULL},
	{"account", "uid", "-1"},
	{"account", "uid", "4294967295"},
	{"account", "uid", "4294967296"},
	{"account", "uid", "\"1000\""},
	{"account", "gid", NULL},
	{"account", "gid", "-1"},
	{"account", "gid", "4294967295"},
	{"account", "home", NULL},
	{"account", "home", "false"},
	{"account", "shell", NULL},
	{"directories", "base", NULL},
	{"directories", "base", "\"\""},
	{"directories", "base", "\"relative\""},
	{"directories", "base", "\"/a\\nb\""},
	{"directories", "base", "\"/\xc3\xa9\""},
	{"directories", "custom", "\"\""},
	{"directories", "custom", "\"relative\""},
	{"directories", "custom", "7"},
	{"directories", "builds", NULL},
	{"directories", "builds", "\"builds\""},
	{"directories", "cache", NULL},
	{"directories", "cache", "\"~/cache\""},
	{"directories", "scripts", NULL},
	{"directories", "scripts", "\"../scripts\""},
	{"settings", "downscope", NULL},
	{"settings", "downscope", "0"},
	{"settings", "downscope", "4"},
	{"settings", "downscope", "-1"},
	{"settings", "downscope", "\"none\""},
	{"settings", "min_uid", NULL},
	{"settings", "min_uid", "\"500\""},
	{"settings", "min_uid", "null"},
	{"settings", "jacamar", NULL},
	{"settings", "jacamar", "\"bin/jacamar\""},
	{"settings", "jacamar", "\"\""},
	{"settings", "jacamar", "7"},
	{"settings", "name", "7"},
	{"settings", "shell_path", "\"bash\""},
	{"settings", "job_message", "[]"},
	{"settings", "kill_timeout_ms", NULL},
	{"settings", "kill_timeout_ms", "-1"},
	{"settings", "kill_timeout_ms", "\"90s\""},
	{"settings", "retain_logs", NULL},
	{"settings", "retain_logs", "1"},
	{"settings", "group_permissions", NULL},
	{"settings", "group_permissions", "1"},
	{"settings", "root_creates_base", NULL},
	{"settings", "root_creates_base", "1"},
	{"settings", "static_builds", NULL},
	{"settings", "static_builds", "0"},
	{"settings", "static_builds_days", NULL},
	{"settings", "static_builds_days", "-1"},
	{"settings", "static_builds_days", "9223372036854775807"},
	{"settings", "no_new_privs", NULL},
	{"settings", "no_new_privs", "null"},
	{"settings", "unrestricted_cmd_line", NULL},
	{"settings", "unrestricted_cmd_line", "\"no\""},
	{"batch", "executor", NULL},
	{"batch", "executor", "0"},
	{"batch", "executor", "7"},
	{"batch", "executor", "\"slurm\""},
	{"batch", "scheduler_bin", "\"bin\""},
	{"batch", "arguments", NULL},
	{"batch", "arguments", "[1]"},
	{"batch", "environment", NULL},
	{"batch", "environment", "\"A=b\""},
	{"batch", "command_delay_ms", NULL},
	{"batch", "command_delay_ms", "-1"},
	{"batch", "nfs_timeout_ms", NULL},
	{"batch", "allow_illegal_args", NULL},
	{"batch", "allow_illegal_args", "1"},
	{"batch", "skip_cobalt_log", NULL},
	{"batch", "skip_cobalt_log", "1"},
	{"settings", "limits", NULL},
	{"settings", "limits", "{}"},
	{"settings", "limits", "[1]"},
	{"settings", "limits", "[[0]]"},
	{"settings", "limits", "[[0,1,2]]"},
	{"settings", "limits", "[[-1,1]]"},
	{"settings", "limits", "[[8,1]]"},
	{"settings", "limits", "[[0,-1]]"},
	{"settings", "limits", "[[\"0\",1]]"},
	{"settings", "environment", NULL},
	{"settings", "environment", "{}"},
	{"settings", "environment", "\"SITE\""},
	{"settings", "environment", "[7]"},
	{"settings", "environment", "[\"SITE\",null]"},
	{"settings", "user_environment", NULL},
	{"settings", "user_environment", "[7]"},
	{"settings", "filters", NULL},
	{"settings", "filters", "{}"},
	{"settings", "filters", "\"00\""},
	{"settings", "filters", "[7]"},
	{"logging", "enabled", NULL},
	{"logging", "enabled", "1"},
	{"logging", "level", NULL},
	{"logging", "level", "-1"},
	{"logging", "level", "4"},
	{"logging", "location", NULL},
	{"logging", "location", "7"},
	{"logging", "network", NULL},
	{"logging", "network", "4"},
	{"logging", "address", "[]"},
};

START_TEST(a_damaged_field_is_refused)
{
	json_t *names = json_pack("[s]", "SITE");
	struct state state = full_state(names);
	json_t *root = state_encode(&state);
	json_t *table = DAMAGES[_i].table != NULL ? json_object_get(root, DAMAGES[_i].table) : root;
	ck_assert_ptr_nonnull(json_object_get(table, DAMAGES[_i].name));
	if (DAMAGES[_i].value == NULL)
		json_object_del(table, DAMAGES[_i].name);
	else
		json_object_set_new(table, DAMAGES[_i].name,
				    json_loads(DAMAGES[_i].value, JSON_DECODE_ANY, NULL));
	char *text = json_dumps(root, 0);

	struct state back;
	struct error err;
	ck_assert_msg(state_parse(text, &back, &err) != 0, "accepted: %s", text);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	state_free(&back);
	free(text);
	json_decref(root);
	json_decref(names);
}
END_TEST

START_TEST(a_version_of_another_program_says_so)
{
	json_t *names = json_array();
	struct state state = full_state(names);
	struct state back;
	struct error err;
	json_t *root = state_encode(&state);
	json_object_set_new(root, "version", json_integer(1));
	ck_assert_int_eq(state_decode(root, &back, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is of version 1"));
	state_free(&back);
	json_decref(root);
	json_decref(names);
}
END_TEST

static const char *const NOT_STATES[] = {
	"", "{", "{}", "[]", "null", "7", "\"x\"", "{\"version\":2,\"version\":2}", "\xff",
};

START_TEST(what_is_no_state_is_refused)
{
	struct state back;
	struct error err;
	ck_assert_int_eq(state_parse(NOT_STATES[_i], &back, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	state_free(&back);
}
END_TEST

START_TEST(what_is_freed_is_empty)
{
	struct state state = {.root = NULL};
	state_free(&state);
	state_free(&state);
	ck_assert_ptr_null(state.root);
}
END_TEST

Suite *state_suite(void)
{
	Suite *suite = suite_create("state");
	TCase *tcase = tcase_create("state");

	tcase_add_test(tcase, what_goes_in_comes_out);
	tcase_add_test(tcase, what_is_unset_stays_unset);
	tcase_add_test(tcase, a_state_that_json_cannot_hold_is_none);
	tcase_add_loop_test(tcase, a_damaged_field_is_refused, 0, ROWS(DAMAGES));
	tcase_add_test(tcase, a_version_of_another_program_says_so);
	tcase_add_loop_test(tcase, what_is_no_state_is_refused, 0, ROWS(NOT_STATES));
	tcase_add_test(tcase, what_is_freed_is_empty);
	suite_add_tcase(suite, tcase);
	return suite;
}
