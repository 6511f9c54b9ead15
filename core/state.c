#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define STATE_VERSION 1

static json_t *encode_limits(const struct limit_setting *limits)
{
	json_t *list = json_array();
	for (int name = 0; name < LIMIT_COUNT; name++)
		if (limits[name].set)
			json_array_append_new(
				list, json_pack("[iI]", name, (json_int_t)limits[name].value));
	return list;
}

json_t *state_encode(const struct state *state)
{
	return json_pack(
		"{s:i, s:{s:I,s:I,s:s,s:s,s:s,s:s,s:s}, s:{s:s,s:I,s:I,s:s,s:s},"
		" s:{s:s,s:s,s:s,s:s}, s:{s:i,s:I,s:s,s:s*,s:s*,s:I,s:b,s:b,s:o,s:O}}",
		"version", STATE_VERSION, "job", "id", (json_int_t)state->job_id, "pipeline",
		(json_int_t)state->pipeline_id, "project", state->project_path, "short_token",
		state->short_token, "concurrent", state->concurrent, "reference", state->reference,
		"cookie", state->cookie, "account", "name", state->account.name, "uid",
		(json_int_t)state->account.uid, "gid", (json_int_t)state->account.gid, "home",
		state->account.home, "shell", state->account.shell, "directories", "base",
		state->base, "builds", state->builds_dir, "cache", state->cache_dir, "scripts",
		state->scripts_dir, "settings", "downscope", (int)state->downscope, "min_uid",
		(json_int_t)state->min_uid, "jacamar", state->jacamar, "shell_path",
		state->shell_path, "job_message", state->job_message, "kill_timeout_ms",
		(json_int_t)state->kill_timeout_ms, "retain_logs", (int)state->retain_logs,
		"no_new_privs", (int)state->no_new_privs, "limits", encode_limits(state->limits),
		"environment", state->environment_names);
}

static int decode_limits(const json_t *list, struct limit_setting *limits)
{
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		int name = -1;
		json_int_t value = -1;
		if (json_unpack(entry, "[iI!]", &name, &value) != 0 || name < 0 ||
		    name >= LIMIT_COUNT || value < 0)
			return -1;
		limits[name] = (struct limit_setting){.set = true, .value = value};
	}
	return json_is_array(list) ? 0 : -1;
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

/* Numbers come out of JSON wider than the fields that they are for. */
static int decode_numbers(json_int_t id, json_int_t pipeline, json_int_t uid, json_int_t gid,
			  int downscope, struct state *state)
{
	if (id <= 0 || pipeline < 0 || uid < 0 || uid >= UINT32_MAX || gid < 0 ||
	    gid >= UINT32_MAX || downscope <= DOWNSCOPE_UNSET || downscope > DOWNSCOPE_NONE)
		return -1;
	state->job_id = (uint64_t)id;
	state->pipeline_id = (uint64_t)pipeline;
	state->account.uid = (uid_t)uid;
	state->account.gid = (gid_t)gid;
	state->downscope = (enum downscope_kind)downscope;
	return 0;
}

static bool is_absolute(const char *path)
{
	return path[0] == '/' && text_is_printable(path) && strlen(path) < 4096;
}

static bool paths_are_fit(const struct state *state)
{
	return is_absolute(state->base) && is_absolute(state->builds_dir) &&
	       is_absolute(state->cache_dir) && is_absolute(state->scripts_dir) &&
	       is_absolute(state->jacamar) &&
	       (state->shell_path == NULL || is_absolute(state->shell_path));
}

int state_decode(json_t *root, struct state *state, struct error *err)
{
	int version = 0, downscope = 0, retain = 0, no_new_privs = 0;
	json_int_t id = 0, pipeline = 0, uid = -1, gid = -1, min_uid = 0, kill_timeout = -1;
	const char *name = "", *home = "", *shell = "";
	json_t *limits = NULL, *names = NULL;
	json_error_t where;

	memset(state, 0, sizeof(*state));
	state->root = json_incref(root);
	state->decoded_limits = calloc(LIMIT_COUNT, sizeof(struct limit_setting));
	if (state->decoded_limits == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	state->limits = state->decoded_limits;

	if (json_unpack_ex(root, &where, 0,
			   "{s:i, s:{s:I,s:I,s:s,s:s,s:s,s:s,s:s}, s:{s:s,s:I,s:I,s:s,s:s},"
			   " s:{s:s,s:s,s:s,s:s}, s:{s:i,s:I,s:s,s?s,s?s,s:I,s:b,s:b,s:o,s:o}}",
			   "version", &version, "job", "id", &id, "pipeline", &pipeline, "project",
			   &state->project_path, "short_token", &state->short_token, "concurrent",
			   &state->concurrent, "reference", &state->reference, "cookie",
			   &state->cookie, "account", "name", &name, "uid", &uid, "gid", &gid,
			   "home", &home, "shell", &shell, "directories", "base", &state->base,
			   "builds", &state->builds_dir, "cache", &state->cache_dir, "scripts",
			   &state->scripts_dir, "settings", "downscope", &downscope, "min_uid",
			   &min_uid, "jacamar", &state->jacamar, "shell_path", &state->shell_path,
			   "job_message", &state->job_message, "kill_timeout_ms", &kill_timeout,
			   "retain_logs", &retain, "no_new_privs", &no_new_privs, "limits", &limits,
			   "environment", &names) != 0)
		return error_set(err, ERROR_SYSTEM, "the job's state is damaged: %s", where.text);

	state->kill_timeout_ms = kill_timeout;
	state->min_uid = min_uid;
	state->retain_logs = retain != 0;
	state->no_new_privs = no_new_privs != 0;
	state->environment_names = names;
	if (version != STATE_VERSION)
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is of version %d, this program's is %d: was it "
				 "exchanged while the job ran?",
				 version, STATE_VERSION);
	if (decode_numbers(id, pipeline, uid, gid, downscope, state) != 0 || kill_timeout < 0 ||
	    !text_copy(state->account.name, sizeof(state->account.name), name) ||
	    !text_copy(state->account.home, sizeof(state->account.home), home) ||
	    !text_copy(state->account.shell, sizeof(state->account.shell), shell) ||
	    !account_name_is_valid(name) || decode_limits(limits, state->decoded_limits) != 0 ||
	    !are_strings(names) || !paths_are_fit(state))
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is damaged: a value is out of range");
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
	free(state->decoded_limits);
	memset(state, 0, sizeof(*state));
}
