#include "core/protocol/state.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/store.h"
#include "core/lib/json.h"
#include "core/lib/text.h"

#define STATE_VERSION 6

/* No account has the largest id: setresuid(2) and its like take it for "do not change". */
#define ID_MOST INT64_C(0xfffffffe)

#define AT(member)   .later = true, .offset = offsetof(struct state, member)
#define NUMBER(from) SCHEMA_INTEGER, .minimum = (from), .maximum = INT64_MAX
#define TEXT	     SCHEMA_STRING, .required = true
#define PATH	     SCHEMA_STRING, .check = check_absolute_path

/* The members of struct state that are not settings, in the form of settings. */
static const struct schema_row MEMBERS[] = {
	{"job", "id", NUMBER(1), AT(job_id)},
	{"job", "pipeline", NUMBER(0), AT(pipeline_id)},
	{"job", "project_id", NUMBER(0), AT(project_id)},
	{"job", "project", TEXT, AT(project_path)},
	{"job", "short_token", TEXT, AT(short_token)},
	{"job", "concurrent", TEXT, AT(concurrent)},
	{"job", "login", TEXT, AT(login)},
	{"job", "reference", TEXT, AT(reference)},
	{"job", "cookie", TEXT, AT(cookie)},
	{"job", "jacamar", PATH, .required = true, AT(jacamar)},
	{"job", "image", SCHEMA_STRING, .check = check_line, AT(image)},
	{"job", "entrypoint", SCHEMA_STRING, .check = check_line, AT(entrypoint)},
	{"directories", "base", PATH, .required = true, AT(base)},
	{"directories", "custom", PATH, AT(custom_builds)},
	{"directories", "builds", PATH, .required = true, AT(builds_dir)},
	{"directories", "checkout", SCHEMA_STRING, AT(checkout)},
	{"directories", "cache", PATH, .required = true, AT(cache_dir)},
	{"directories", "scripts", PATH, .required = true, AT(scripts_dir)},
	{"directories", "by_root", SCHEMA_BOOLEAN, AT(root_creates_base)},
};

#define MEMBER_COUNT (sizeof(MEMBERS) / sizeof(MEMBERS[0]))

/* The table of that name, made if it is missing; borrowed. */
static json_t *table_of(json_t *root, const char *name)
{
	json_t *table = json_object_get(root, name);
	if (table == NULL && json_object_set_new(root, name, json_object()) == 0)
		table = json_object_get(root, name);
	return table;
}

/* Adds the fields of the struct at `base` that the rows describe. */
static int encode_rows(json_t *root, const struct schema_row *rows, size_t count, const void *base)
{
	for (size_t i = 0; i < count; i++) {
		const struct schema_row *row = &rows[i];
		if (row->later && json_object_set_new(table_of(root, row->table), row->name,
						      store_encode(base, row)) != 0)
			return -1;
	}
	return 0;
}

json_t *state_encode(const struct state *state)
{
	const struct account *account = &state->account;
	json_auto_t *root = json_pack(
		"{s:i,s:{s:s,s:I,s:I,s:s,s:s,s:o},s:o}", "version", STATE_VERSION, "account",
		"name", account->name, "uid", (json_int_t)account->uid, "gid",
		(json_int_t)account->gid, "home", account->home, "shell", account->shell, "groups",
		json_deep_copy(state->groups), "filters", json_deep_copy(state->filters));
	bool whole = encode_rows(root, MEMBERS, MEMBER_COUNT, state) == 0 &&
		     encode_rows(root, SCHEMA, SCHEMA_ROWS, &state->settings) == 0;
	return whole ? json_incref(root) : NULL;
}

/* In ascending order, as struct account_groups has them. */
static bool are_gids(const json_t *list)
{
	size_t index;
	json_t *entry;
	json_int_t before = -1;
	json_array_foreach (list, index, entry) {
		json_int_t gid = json_integer_value(entry);
		if (!json_is_integer(entry) || gid <= before || gid > ID_MOST)
			return false;
		before = gid;
	}
	return json_is_array(list) && json_array_size(list) <= ACCOUNT_GROUPS_MOST;
}

/*
 * False if the value is not what the row describes, or has another form than state_encode gives it.
 * A setting that is not set is null.
 */
static bool decode_field(const struct schema_row *row, const json_t *value, void *base)
{
	struct report report = {.path = ""};
	if (value == NULL || (json_is_null(value) && row->required))
		return false;
	if (json_is_null(value))
		report.out_of_memory = store_default(base, row) != 0;
	else
		store_value(base, row, value, 0, &report);
	bool fits = report_is_clean(&report);
	report_clear(&report);
	json_auto_t *again = store_encode(base, row);
	return fits && json_equal(value, again);
}

/* Removes what it has decoded: what is left then is not known. */
static int decode_rows(json_t *root, const struct schema_row *rows, size_t count, void *base,
		       struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct schema_row *row = &rows[i];
		json_t *table = json_object_get(root, row->table);
		if (!row->later)
			continue;
		if (!decode_field(row, json_object_get(table, row->name), base))
			return error_set(err, ERROR_SYSTEM,
					 "the job's state is damaged: %s.%s is missing or invalid",
					 row->table, row->name);
		json_object_del(table, row->name);
		if (json_object_size(table) == 0)
			json_object_del(root, row->table);
	}
	return 0;
}

static bool decode_account(json_t *root, struct state *state)
{
	struct account *account = &state->account;
	const char *name, *home, *shell;
	json_int_t uid, gid;
	json_t *groups;
	if (json_unpack_ex(json_object_get(root, "account"), NULL, JSON_STRICT,
			   "{s:s,s:I,s:I,s:s,s:s,s:o}", "name", &name, "uid", &uid, "gid", &gid,
			   "home", &home, "shell", &shell, "groups", &groups) != 0)
		return false;
	account->uid = (uid_t)uid;
	account->gid = (gid_t)gid;
	state->groups = groups;
	return uid >= 0 && uid <= ID_MOST && gid >= 0 && gid <= ID_MOST && are_gids(groups) &&
	       text_copy(account->name, sizeof(account->name), name) &&
	       text_copy(account->home, sizeof(account->home), home) &&
	       text_copy(account->shell, sizeof(account->shell), shell) &&
	       account_name_is_valid(account->name);
}

json_t *state_encode_groups(const struct account_groups *groups)
{
	json_t *list = json_array();
	for (size_t i = 0; i < groups->count; i++)
		json_array_append_new(list, json_integer(groups->gids[i]));
	return list;
}

void state_decode_groups(const json_t *list, struct account_groups *groups)
{
	groups->count = json_array_size(list);
	for (size_t i = 0; i < groups->count; i++)
		groups->gids[i] = (gid_t)json_integer_value(json_array_get(list, i));
}

/* False if the account changes, but its primary group is not one of its groups. */
static bool has_own_group(const struct state *state)
{
	struct account_groups groups;
	state_decode_groups(state->groups, &groups);
	return state->settings.auth.downscope == DOWNSCOPE_NONE ||
	       account_groups_have(&groups, state->account.gid);
}

int state_decode(json_t *root, struct state *state, struct error *err)
{
	memset(state, 0, sizeof(*state));
	state->root = json_incref(root);

	const json_t *version = json_object_get(root, "version");
	if (!json_is_integer(version))
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: it has no version");
	if (json_integer_value(version) != STATE_VERSION)
		return error_set(err, ERROR_SYSTEM,
				 "the job's state has version %lld, but this program needs version "
				 "%d: was the program replaced while the job ran?",
				 (long long)json_integer_value(version), STATE_VERSION);
	if (decode_rows(root, MEMBERS, MEMBER_COUNT, state, err) != 0 ||
	    decode_rows(root, SCHEMA, SCHEMA_ROWS, &state->settings, err) != 0)
		return -1;
	if (state->settings.auth.downscope == DOWNSCOPE_UNSET)
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: auth.downscope is not set");
	if (!decode_account(root, state))
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: account is missing or invalid");
	if (!has_own_group(state))
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: account.groups lacks account.gid");
	state->filters = json_object_get(root, "filters");
	if (!json_is_string_array(state->filters))
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: filters is missing or invalid");
	/* Only these are left: version, account and filters. */
	if (json_object_size(root) != 3)
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: it has members that this program "
				 "does not know");
	return 0;
}

int state_parse(const char *text, struct state *state, struct error *err)
{
	json_error_t where;
	memset(state, 0, sizeof(*state));
	json_auto_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	if (root == NULL)
		return error_set(err, ERROR_SYSTEM, "the job's state is not JSON: %s", where.text);
	return state_decode(root, state, err);
}

void state_free(struct state *state)
{
	for (size_t i = 0; state->root != NULL && i < SCHEMA_ROWS; i++)
		store_release(&state->settings, &SCHEMA[i]);
	for (size_t i = 0; state->root != NULL && i < MEMBER_COUNT; i++)
		store_release(state, &MEMBERS[i]);
	json_decref(state->root);
	memset(state, 0, sizeof(*state));
}
