/* The state that config passes on: it comes back unchanged, and a damaged state is refused. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "core/protocol/state.h"
#include "t/unit/suites.h"

/* A file that sets every key that is handed on. */
static const char FILE_TEXT[] =
	"[general]\nexecutor = 'shell'\ndata_dir = '~'\nname = 'login nodes'\n"
	"job_message = \"Gr\xc3\xbc\xc3\x9f Gott\\n\\\"you\\\"\"\nshell_path = '/opt/bash'\n"
	"support = 'mail help@example.org'\n"
	"prepare_hook = '/opt/hook'\n"
	"kill_timeout = '90s'\nretain_logs = true\nstatic_builds_dir = true\n"
	"static_builds_days = 36500\ngroup_permissions = true\nunrestricted_cmd_line = true\n"
	"set_stack_size = true\nuser_bash_env = ['A=b', 'C=d']\n"
	"[auth]\ndownscope = 'setuid'\nrun_stage_allowlist = ['step_script', 'x']\n"
	"downscope_env = ['SITE', 'LICENSE']\nno_new_privs = true\nisolate = true\n"
	"protected_paths = ['~/.ssh']\nmin_uid = 500\npam_session = 'ci'\n"
	"confined_uids = '2000-3000'\n"
	"[auth.logging]\nenabled = true\nlevel = 'error'\nnetwork = 'unixgram'\n"
	"address = '/run/log'\n"
	"[auth.limits]\nnofile = 1024\nfsize = 'unlimited'\nnproc = 1\ncore = 0\ncpu = 2\n"
	"as = 3\nmemlock = 4\nstack = 5\n"
	"[auth.cgroup]\nenabled = true\nmemory_max = '1G'\nmemory_high = 900000000\n"
	"cpu_max = '1000 2000'\ncpu_weight = 3\npids_max = 40\nuser_memory_max = 'max'\n"
	"user_memory_high = '2T'\nuser_cpu_max = 5000\nuser_cpu_weight = '6'\n"
	"user_pids_max = 'max'\n"
	"[batch]\narguments_variable = ['A', 'B']\ndefault_args = ['-N 1']\nflag_options = "
	"['--x']\nenv_vars = ['E=f']\n"
	"command_delay = '3s'\nnfs_timeout = '7s'\nallocation_idle = '9s'\nsubmit_timeout = "
	"'1m'\nmax_pending = "
	"'2m'\nscheduler_bin = "
	"'/opt/slurm/bin'\n"
	"allow_illegal_args = true\nskip_cobalt_log = true\n";

/* No file may have both this table and auth.protected_paths. */
static const char CONTAINER_TEXT[] =
	"[general]\nexecutor = 'slurm'\ndata_dir = '~'\n"
	"[general.container]\nruntime = 'apptainer'\npath = '/opt/bin/apptainer'\n"
	"images = ['docker.io/library/']\npull = 'always'\nbinds = ['/scratch', '/a:/b:ro']\n"
	"[auth]\ndownscope = 'setuid'\n";

static struct settings *parse(const char *text)
{
	char *messages;
	struct settings *settings = settings_parse("f", text, strlen(text), &messages);
	ck_assert_msg(settings != NULL, "%s", messages);
	return settings;
}

/* A state with every member set. */
static struct state full_state(void)
{
	/* They live as long as the tests. */
	static json_t *groups;
	static json_t *filters;
	static struct settings *settings;
	static struct settings *of_container;
	if (groups == NULL) {
		groups = json_pack("[i, i, I]", 0, 100, (json_int_t)UINT32_MAX - 1);
		filters = json_pack("[s, s]", "00", "ff");
		settings = parse(FILE_TEXT);
		of_container = parse(CONTAINER_TEXT);
	}
	struct state state = {
		.job_id = 981625,
		.pipeline_id = 574,
		.project_id = 20,
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
		.groups = groups,
		.base = "/home/usr/.jacamar-ci",
		.custom_builds = "/scratch/usr",
		.builds_dir = "/scratch/usr/short/000",
		.checkout = "group/project",
		.cache_dir = "/home/usr/.jacamar-ci/cache",
		.scripts_dir = "/home/usr/.jacamar-ci/scripts/short/000/group/project/981625",
		.jacamar = "/opt/jacamar/bin/jacamar",
		.image = "docker.io/library/python:3.12",
		.entrypoint = "[\"/bin/env\"]",
		.root_creates_base = true,
		.filters = filters,
		.settings = *settings,
	};
	state.settings.general.container = of_container->general.container;
	for (size_t i = 0; i < SCHEMA_ROWS; i++)
		if (strcmp(SCHEMA[i].table, "general.container") == 0)
			state.settings.lines[i] = of_container->lines[i];
	return state;
}

static char *encode(const struct state *state)
{
	json_t *root = state_encode(state);
	char *text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static void expect_same_setting(const struct schema_row *row, const struct settings *a,
				const struct settings *b)
{
	const void *was = (const char *)a + row->offset;
	const void *is = (const char *)b + row->offset;
	const struct string_list *list = was, *other = is;
	const struct limit_setting *limit = was, *other_limit = is;

	switch (row->type) {
	case SCHEMA_STRING:
	case SCHEMA_STRING_OR_INTEGER:
		ck_assert_pstr_eq(*(char *const *)was, *(char *const *)is);
		break;
	case SCHEMA_CHOICE:
		ck_assert_uint_eq(*(const unsigned int *)was, *(const unsigned int *)is);
		break;
	case SCHEMA_BOOLEAN:
		ck_assert_int_eq(*(const bool *)was, *(const bool *)is);
		break;
	case SCHEMA_INTEGER:
	case SCHEMA_DURATION:
		ck_assert_int_eq(*(const int64_t *)was, *(const int64_t *)is);
		break;
	case SCHEMA_LIST:
	case SCHEMA_STRING_OR_LIST:
		ck_assert_uint_eq(list->count, other->count);
		for (size_t i = 0; i < list->count; i++)
			ck_assert_str_eq(list->items[i], other->items[i]);
		break;
	case SCHEMA_LIMIT:
		ck_assert_int_eq(limit->set, other_limit->set);
		ck_assert_int_eq(limit->set ? limit->value : 0,
				 limit->set ? other_limit->value : 0);
		break;
	}
}

static void expect_same(const struct state *a, const struct state *b)
{
	ck_assert_uint_eq(a->job_id, b->job_id);
	ck_assert_uint_eq(a->pipeline_id, b->pipeline_id);
	ck_assert_uint_eq(a->project_id, b->project_id);
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
	ck_assert(json_equal(a->groups, b->groups));
	ck_assert_str_eq(a->base, b->base);
	ck_assert_pstr_eq(a->custom_builds, b->custom_builds);
	ck_assert_str_eq(a->builds_dir, b->builds_dir);
	ck_assert_pstr_eq(a->checkout, b->checkout);
	ck_assert_str_eq(a->cache_dir, b->cache_dir);
	ck_assert_str_eq(a->scripts_dir, b->scripts_dir);
	ck_assert_pstr_eq(a->jacamar, b->jacamar);
	ck_assert_pstr_eq(a->image, b->image);
	ck_assert_pstr_eq(a->entrypoint, b->entrypoint);
	ck_assert_int_eq(a->root_creates_base, b->root_creates_base);
	ck_assert(json_equal(a->filters, b->filters));
	for (size_t i = 0; i < SCHEMA_ROWS; i++)
		if (SCHEMA[i].later)
			expect_same_setting(&SCHEMA[i], &a->settings, &b->settings);
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
	struct state state = full_state();
	expect_round_trip(&state);
	state.settings.auth.downscope = DOWNSCOPE_NONE;
	state.root_creates_base = false;
	state.account.uid = UINT32_MAX - 1;
	expect_round_trip(&state);
	memcpy(state.account.name, "AD\\kim", sizeof("AD\\kim"));
	expect_round_trip(&state);
	memcpy(state.account.name, "kim@ad.example", sizeof("kim@ad.example"));
	expect_round_trip(&state);
}
END_TEST

/* Of a file that sets everything, so that no key that is handed on is left out of these tests. */
START_TEST(the_file_of_these_tests_sets_every_key_that_is_handed_on)
{
	struct state state = full_state();
	for (size_t i = 0; i < SCHEMA_ROWS; i++)
		if (SCHEMA[i].later && strcmp(SCHEMA[i].name, "location") != 0)
			ck_assert_msg(state.settings.lines[i] > 0, "%s.%s", SCHEMA[i].table,
				      SCHEMA[i].name);
}
END_TEST

START_TEST(what_is_unset_stays_unset)
{
	struct settings *settings = parse("[general]\nexecutor = 'shell'\ndata_dir = '~'\n"
					  "[auth]\ndownscope = 'sudo'\n");
	struct state state = full_state();
	state.settings = *settings;
	state.pipeline_id = 0;
	state.custom_builds = NULL;
	state.image = NULL;
	state.entrypoint = NULL;
	expect_round_trip(&state);
	settings_free(settings);
}
END_TEST

START_TEST(a_key_for_config_alone_is_not_handed_on)
{
	struct state state = full_state();
	struct state back;
	struct error err;
	char *text = encode(&state);
	ck_assert_ptr_null(strstr(text, "data_dir"));
	ck_assert_int_eq(state_parse(text, &back, &err), 0);
	ck_assert_ptr_null(back.settings.general.data_dir);
	state_free(&back);
	free(text);
}
END_TEST

START_TEST(a_path_with_letters_outside_of_ascii_is_taken_as_the_configuration_takes_it)
{
	struct state state = full_state();
	state.jacamar = "/opt/f\u00fcr/jacamar";
	state.base = "/scratch/\u0444/usr";
	expect_round_trip(&state);
}
END_TEST

START_TEST(a_state_that_json_cannot_hold_is_none)
{
	struct state state = full_state();
	char *items[] = {"\xff"};
	state.short_token = "\xff";
	ck_assert_ptr_null(state_encode(&state));
	state = full_state();
	state.settings.batch.env_vars = (struct string_list){.items = items, .count = 1};
	ck_assert_ptr_null(state_encode(&state));
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
	{NULL, "version", "\"4\""},
	{NULL, "job", NULL},
	{NULL, "job", "[]"},
	{NULL, "account", NULL},
	{NULL, "account", "\"usr\""},
	{NULL, "directories", NULL},
	{NULL, "general", NULL},
	{NULL, "general", "null"},
	{NULL, "auth.limits", "[]"},
	{"job", "id", NULL},
	{"job", "id", "0"},
	{"job", "id", "-1"},
	{"job", "id", "\"981625\""},
	{"job", "id", "1.5"},
	{"job", "pipeline", NULL},
	{"job", "project_id", NULL},
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
	{"account", "name", "\"AD\\\\-kim\""},
	{"account", "name", "\"kim@../x\""},
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
	{"account", "groups", NULL},
	{"account", "groups", "100"},
	{"account", "groups", "[]"},
	{"account", "groups", "[99, 101]"},
	{"account", "groups", "[100, 99]"},
	{"account", "groups", "[100, 100]"},
	{"account", "groups", "[-1, 100]"},
	{"account", "groups", "[100, 4294967295]"},
	{"account", "groups", "[100, \"101\"]"},
	{"account", "groups", "[99.5, 100]"},
	{"directories", "base", NULL},
	{"directories", "base", "\"\""},
	{"directories", "base", "\"relative\""},
	{"directories", "base", "\"/a\\nb\""},
	{"directories", "base", "\"/a\\u0085b\""},
	{"directories", "custom", "\"\""},
	{"directories", "custom", "\"relative\""},
	{"directories", "custom", "7"},
	{"directories", "builds", NULL},
	{"directories", "checkout", NULL},
	{"directories", "checkout", "7"},
	{"directories", "builds", "\"builds\""},
	{"directories", "cache", NULL},
	{"directories", "cache", "\"~/cache\""},
	{"directories", "scripts", NULL},
	{"directories", "scripts", "\"../scripts\""},
	{"auth", "downscope", "0"},
	{"auth", "downscope", "1"},
	{"auth", "downscope", "null"},
	{"auth", "downscope", "\"\""},
	{"auth", "downscope", "\"Setuid\""},
	{"auth", "min_uid", "\"500\""},
	{"auth", "min_uid", "null"},
	{"auth", "min_uid", "0"},
	{"auth", "min_uid", "4294967295"},
	{"auth", "confined_uids", "2000"},
	{"auth", "confined_uids", "\"2000\""},
	{"job", "jacamar", NULL},
	{"job", "jacamar", "\"bin/jacamar\""},
	{"job", "jacamar", "\"\""},
	{"job", "jacamar", "7"},
	{"general", "name", "7"},
	{"general", "shell_path", "\"bash\""},
	{"general", "job_message", "[]"},
	{"general", "kill_timeout", "null"},
	{"general", "kill_timeout", "90000"},
	{"general", "kill_timeout", "\"-1s\""},
	{"general", "kill_timeout", "\"0s\""},
	{"general", "kill_timeout", "\"90s\""}, /* "1m30s" */
	{"general", "kill_timeout", "\"168h0m0.001s\""},
	{"general", "retain_logs", "1"},
	{"general", "group_permissions", "1"},
	{"directories", "by_root", NULL},
	{"directories", "by_root", "1"},
	{"general", "static_builds_dir", "0"},
	{"general", "static_builds_days", "-1"},
	{"general", "static_builds_days", "9223372036854775807"},
	{"auth", "no_new_privs", "null"},
	{"general", "unrestricted_cmd_line", "\"no\""},
	{"general", "executor", "1"},
	{"general", "executor", "null"},
	{"general", "executor", "\"sbatch\""}, /* "slurm" */
	{"general", "executor", "\"none\""},
	{"batch", "scheduler_bin", "\"bin\""},
	{"batch", "arguments_variable", "[1]"},
	{"batch", "env_vars", "\"A=b\""},
	{"batch", "command_delay", "-1"},
	{"batch", "command_delay", "\"5s \""},
	{"batch", "allocation_idle", "\"999ms\""},
	{"batch", "allow_illegal_args", "1"},
	{"batch", "skip_cobalt_log", "1"},
	{"auth", "downscope_env", "{}"},
	{"auth", "downscope_env", "\"SITE\""},
	{"auth", "downscope_env", "[7]"},
	{"auth", "downscope_env", "[\"SITE\",null]"},
	{"general", "user_bash_env", "[7]"},
	{NULL, "filters", NULL},
	{NULL, "filters", "{}"},
	{NULL, "filters", "\"00\""},
	{NULL, "filters", "[7]"},
	{"auth.logging", "enabled", "1"},
	{"auth.logging", "level", "1"},
	{"auth.logging", "level", "null"},
	{"auth.logging", "level", "\"none\""},
	{"auth.logging", "location", "7"},
	{"auth.logging", "network", "1"},
	{"auth.logging", "network", "\"unix\""},
	{"auth.logging", "location", "null"},
	{"auth.logging", "address", "[]"},
	{"auth.limits", "nofile", "\"many\""},
	{"auth.limits", "nofile", "9223372036854775807"}, /* "unlimited" */
	{"auth.cgroup", "pids_max", "40"},		  /* "40" */
	{"auth.limits", "nofile", "127"},
	{"auth.limits", "fsize", "-1"},
	{"batch", "arguments_variable", "[]"},
	{"batch", "arguments_variable", "[\"1A\"]"},
};

static void expect_refused(json_t *root)
{
	struct state back;
	struct error err;
	char *text = json_dumps(root, 0);
	ck_assert_msg(state_parse(text, &back, &err) != 0, "accepted: %s", text);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	state_free(&back);
	free(text);
}

START_TEST(a_damaged_field_is_refused)
{
	struct state state = full_state();
	json_t *root = state_encode(&state);
	json_t *table = DAMAGES[_i].table != NULL ? json_object_get(root, DAMAGES[_i].table) : root;
	ck_assert_ptr_nonnull(json_object_get(table, DAMAGES[_i].name));
	if (DAMAGES[_i].value == NULL)
		json_object_del(table, DAMAGES[_i].name);
	else
		json_object_set_new(table, DAMAGES[_i].name,
				    json_loads(DAMAGES[_i].value, JSON_DECODE_ANY, NULL));
	expect_refused(root);
	json_decref(root);
}
END_TEST

START_TEST(a_setting_that_is_missing_or_of_another_type_is_refused)
{
	const struct schema_row *row = &SCHEMA[_i];
	struct state state = full_state();
	json_t *root = state_encode(&state);
	json_t *table = json_object_get(root, row->table);
	if (row->later) {
		json_object_set_new(table, row->name, json_object());
		expect_refused(root);
		ck_assert_int_eq(json_object_del(table, row->name), 0);
		expect_refused(root);
	}
	json_decref(root);
}
END_TEST

START_TEST(a_member_that_is_not_known_is_refused)
{
	static const char *const tables[] = {"job",  "account",	     "directories", "general",
					     "auth", "auth.logging", "auth.limits", "batch"};
	struct state state = full_state();
	json_t *root = state_encode(&state);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		json_t *table = json_object_get(root, tables[i]);
		json_object_set_new(table, "more", json_true());
		expect_refused(root);
		json_object_del(table, "more");
	}
	json_object_set_new(root, "more", json_object());
	expect_refused(root);
	json_decref(root);
}
END_TEST

START_TEST(a_version_of_another_program_says_so)
{
	struct state state = full_state();
	struct state back;
	struct error err;
	json_t *root = state_encode(&state);
	json_object_set_new(root, "version", json_integer(1));
	ck_assert_int_eq(state_decode(root, &back, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "has version 1"));
	state_free(&back);
	json_decref(root);
}
END_TEST

static const char *const NOT_STATES[] = {
	"", "{", "{}", "[]", "null", "7", "\"x\"", "{\"version\":4,\"version\":4}", "\xff",
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
	tcase_add_test(tcase, the_file_of_these_tests_sets_every_key_that_is_handed_on);
	tcase_add_test(tcase, what_is_unset_stays_unset);
	tcase_add_test(tcase, a_key_for_config_alone_is_not_handed_on);
	tcase_add_test(tcase,
		       a_path_with_letters_outside_of_ascii_is_taken_as_the_configuration_takes_it);
	tcase_add_test(tcase, a_state_that_json_cannot_hold_is_none);
	tcase_add_loop_test(tcase, a_damaged_field_is_refused, 0, ROWS(DAMAGES));
	tcase_add_loop_test(tcase, a_setting_that_is_missing_or_of_another_type_is_refused, 0,
			    (int)SCHEMA_ROWS);
	tcase_add_test(tcase, a_member_that_is_not_known_is_refused);
	tcase_add_test(tcase, a_version_of_another_program_says_so);
	tcase_add_loop_test(tcase, what_is_no_state_is_refused, 0, ROWS(NOT_STATES));
	tcase_add_test(tcase, what_is_freed_is_empty);
	suite_add_tcase(suite, tcase);
	return suite;
}
