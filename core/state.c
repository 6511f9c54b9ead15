#include "core/state.h"

#include <stddef.h>
#include <string.h>

#include "core/text.h"

#define STATE_VERSION 2

/* No account has the largest id: the identity calls take it for "leave as it is". */
#define ID_MOST INT64_C(0xfffffffe)

#define AT(member)    .offset = offsetof(struct state, member)
#define ARRAY(member) AT(member), .size = sizeof(((struct state *)NULL)->member)

enum field_kind {
	STRING,	 /* const char * */
	PATH,	 /* the same, absolute */
	TEXT,	 /* an array of `size` bytes */
	NUMBER,	 /* 64 bits */
	WORD,	 /* 32 bits */
	BOOLEAN, /* bool */
	NAMES,	 /* const json_t *, an array of strings */
	LIMITS,	 /* an array of LIMIT_COUNT limits */
};

static const struct field {
	const char *table;
	const char *name;
	enum field_kind kind;
	bool optional; /* NULL where it is not there */
	size_t offset;
	size_t size;
	int64_t minimum, maximum; /* of NUMBER and WORD */
} FIELDS[] = {
	{"job", "id", NUMBER, AT(job_id), .minimum = 1, .maximum = INT64_MAX},
	{"job", "pipeline", NUMBER, AT(pipeline_id), .maximum = INT64_MAX},
	{"job", "project", STRING, AT(project_path)},
	{"job", "short_token", STRING, AT(short_token)},
	{"job", "concurrent", STRING, AT(concurrent)},
	{"job", "login", STRING, AT(login)},
	{"job", "reference", STRING, AT(reference)},
	{"job", "cookie", STRING, AT(cookie)},
	{"account", "name", TEXT, ARRAY(account.name)},
	{"account", "uid", WORD, AT(account.uid), .maximum = ID_MOST},
	{"account", "gid", WORD, AT(account.gid), .maximum = ID_MOST},
	{"account", "home", TEXT, ARRAY(account.home)},
	{"account", "shell", TEXT, ARRAY(account.shell)},
	{"directories", "base", PATH, AT(base)},
	{"directories", "custom", PATH, AT(custom_builds), .optional = true},
	{"directories", "builds", PATH, AT(builds_dir)},
	{"directories", "cache", PATH, AT(cache_dir)},
	{"directories", "scripts", PATH, AT(scripts_dir)},
	{"settings", "downscope", WORD, AT(downscope), .minimum = DOWNSCOPE_UNSET + 1,
	 .maximum = DOWNSCOPE_NONE},
	{"settings", "min_uid", NUMBER, AT(min_uid), .maximum = ID_MOST},
	{"settings", "jacamar", PATH, AT(jacamar)},
	{"settings", "name", STRING, AT(name), .optional = true},
	{"settings", "shell_path", PATH, AT(shell_path), .optional = true},
	{"settings", "job_message", STRING, AT(job_message), .optional = true},
	{"settings", "kill_timeout_ms", NUMBER, AT(kill_timeout_ms), .maximum = INT64_MAX},
	{"settings", "retain_logs", BOOLEAN, AT(retain_logs)},
	{"settings", "group_permissions", BOOLEAN, AT(group_permissions)},
	{"settings", "root_creates_base", BOOLEAN, AT(root_creates_base)},
	{"settings", "static_builds", BOOLEAN, AT(static_builds)},
	{"settings", "static_builds_days", NUMBER, AT(static_builds_days), .maximum = INT32_MAX},
	{"settings", "no_new_privs", BOOLEAN, AT(no_new_privs)},
	{"settings", "raise_stack", BOOLEAN, AT(raise_stack)},
	{"settings", "unrestricted_cmd_line", BOOLEAN, AT(unrestricted_cmd_line)},
	{"settings", "limits", LIMITS, AT(limits)},
	{"settings", "substages", NAMES, AT(substages)},
	{"settings", "environment", NAMES, AT(environment_names)},
	{"settings", "user_environment", NAMES, AT(user_environment)},
	{"settings", "filters", NAMES, AT(filters)},
	{"logging", "enabled", BOOLEAN, AT(logging.enabled)},
	{"logging", "level", WORD, AT(logging.level), .maximum = LOG_LEVEL_ERROR},
	{"logging", "location", STRING, AT(logging.location)},
	{"logging", "network", WORD, AT(logging.network), .maximum = LOG_NETWORK_UNIXGRAM},
	{"logging", "address", STRING, AT(logging.address), .optional = true},
	{"batch", "executor", WORD, AT(executor), .minimum = EXECUTOR_SHELL,
	 .maximum = EXECUTOR_COBALT},
	{"batch", "scheduler_bin", PATH, AT(scheduler_bin), .optional = true},
	{"batch", "default_arguments", NAMES, AT(default_arguments)},
	{"batch", "arguments", NAMES, AT(argument_variables)},
	{"batch", "environment", NAMES, AT(scheduler_environment)},
	{"batch", "command_delay_ms", NUMBER, AT(command_delay_ms), .maximum = INT64_MAX},
	{"batch", "nfs_timeout_ms", NUMBER, AT(nfs_timeout_ms), .maximum = INT64_MAX},
	{"batch", "allow_illegal_args", BOOLEAN, AT(allow_illegal_args)},
	{"batch", "skip_cobalt_log", BOOLEAN, AT(skip_cobalt_log)},
};

#define FIELD_COUNT (sizeof(FIELDS) / sizeof(FIELDS[0]))

/* A number goes into a field of its own width. */
_Static_assert(sizeof(uid_t) == 4 && sizeof(gid_t) == 4 && sizeof(enum downscope_kind) == 4 &&
		       sizeof(enum log_level) == 4 && sizeof(enum log_network) == 4 &&
		       sizeof(enum executor_kind) == 4,
	       "a WORD of another width");

static json_t *encode_limits(const struct limit_setting *limits)
{
	json_t *list = json_array();
	for (int name = 0; name < LIMIT_COUNT; name++)
		if (limits[name].set)
			json_array_append_new(
				list, json_pack("[iI]", name, (json_int_t)limits[name].value));
	return list;
}

/* New JSON of one field that is there. */
static json_t *encode_field(const struct field *field, const void *at)
{
	switch (field->kind) {
	case STRING:
	case PATH:
		return json_string(*(const char *const *)at);
	case TEXT:
		return json_string(at);
	case NUMBER:
		return json_integer(*(const int64_t *)at);
	case WORD:
		return json_integer(*(const uint32_t *)at);
	case BOOLEAN:
		return json_boolean(*(const bool *)at);
	case NAMES:
		return json_deep_copy(*(const json_t *const *)at);
	case LIMITS:
		return encode_limits(at);
	}
	return NULL;
}

/* The table of that name, made where it is missing; borrowed. */
static json_t *table_of(json_t *root, const char *name)
{
	json_t *table = json_object_get(root, name);
	if (table == NULL && json_object_set_new(root, name, json_object()) == 0)
		table = json_object_get(root, name);
	return table;
}

json_t *state_encode(const struct state *state)
{
	json_t *root = json_pack("{s:i}", "version", STATE_VERSION);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = &FIELDS[i];
		const void *at = (const char *)state + field->offset;
		if (field->optional && *(const void *const *)at == NULL)
			continue;
		if (json_object_set_new(table_of(root, field->table), field->name,
					encode_field(field, at)) != 0) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

static bool decode_limits(const json_t *list, struct limit_setting *limits)
{
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		int name = -1;
		json_int_t value = -1;
		if (json_unpack(entry, "[iI!]", &name, &value) != 0 || name < 0 ||
		    name >= LIMIT_COUNT || value < 0)
			return false;
		limits[name] = (struct limit_setting){.set = true, .value = value};
	}
	return json_is_array(list);
}

static bool are_strings(const json_t *list)
{
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		if (!json_is_string(entry))
			return false;
	}
	return json_is_array(list);
}

static bool is_absolute(const char *path)
{
	return path[0] == '/' && text_is_printable(path) && strlen(path) < 4096;
}

/* Borrows from `value`. False where it is not what the field takes. */
static bool decode_field(const struct field *field, json_t *value, void *at)
{
	const char *string = json_string_value(value);
	json_int_t number = json_integer_value(value);
	bool fits = json_is_integer(value) && number >= field->minimum && number <= field->maximum;

	switch (field->kind) {
	case STRING:
	case PATH:
		*(const char **)at = string;
		return string != NULL && (field->kind != PATH || is_absolute(string));
	case TEXT:
		return string != NULL && text_copy(at, field->size, string);
	case NUMBER:
		*(int64_t *)at = number;
		return fits;
	case WORD:
		*(uint32_t *)at = (uint32_t)number;
		return fits;
	case BOOLEAN:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value);
	case NAMES:
		*(json_t **)at = value;
		return are_strings(value);
	case LIMITS:
		return decode_limits(value, at);
	}
	return false;
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
				 "the job's state is of version %lld, this program's is %d: was it "
				 "exchanged while the job ran?",
				 (long long)json_integer_value(version), STATE_VERSION);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = &FIELDS[i];
		json_t *value = json_object_get(json_object_get(root, field->table), field->name);
		if (value == NULL && field->optional)
			continue;
		if (value == NULL || !decode_field(field, value, (char *)state + field->offset))
			return error_set(err, ERROR_SYSTEM,
					 "the job's state is damaged: %s.%s is missing or not fit",
					 field->table, field->name);
	}
	if (!account_name_is_valid(state->account.name))
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: account.name is no account's");
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
	json_decref(state->root);
	memset(state, 0, sizeof(*state));
}
