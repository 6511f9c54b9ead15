#include "t/play/variables.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/play/text.h"

static void add_variable(struct variables *variables, const char *key, const char *value, bool file,
			 bool raw)
{
	variables->items =
		resized(variables->items, variables->count + 1, sizeof(*variables->items));
	variables->items[variables->count++] =
		(struct variable){copied(key), copied(value), file, raw};
}

static void remove_variable(struct variables *variables, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < variables->count; i++) {
		struct variable *variable = &variables->items[i];

		if (strcmp(variable->key, key) == 0) {
			free(variable->key);
			free(variable->value);
		} else {
			variables->items[kept++] = *variable;
		}
	}
	variables->count = kept;
}

void variables_free(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		free(variables->items[i].key);
		free(variables->items[i].value);
	}
	free(variables->items);
}

/* A server sends these in the response's variables; those of the author come later and override. */
static void add_predefined(struct variables *variables, const struct job *job)
{
	static const struct {
		const char *key;
		const char *object; /* of the response, NULL: the response itself */
		const char *member;
	} TAKEN[] = {
		{"CI_JOB_ID", NULL, "id"},
		{"CI_JOB_TOKEN", NULL, "token"},
		{"CI_JOB_NAME", "job_info", "name"},
		{"CI_JOB_STAGE", "job_info", "stage"},
		{"CI_PROJECT_ID", "job_info", "project_id"},
		{"CI_PROJECT_NAME", "job_info", "project_name"},
		{"CI_PIPELINE_ID", "job_info", "pipeline_id"},
		{"GITLAB_USER_ID", "job_info", "user_id"},
		{"CI_REPOSITORY_URL", "git_info", "repo_url"},
		{"CI_COMMIT_SHA", "git_info", "sha"},
		{"CI_COMMIT_REF_NAME", "git_info", "ref"},
	};
	char *path = job_project_path(job);
	char *origin = job_server_origin(job);

	add_variable(variables, "CI", "true", false, true);
	add_variable(variables, "GITLAB_CI", "true", false, true);
	add_variable(variables, "CI_SERVER_URL", origin, false, true);
	add_variable(variables, "CI_PROJECT_PATH", path, false, true);
	add_variable(variables, "CI_PIPELINE_SOURCE", "push", false, true);
	add_variable(variables, "GITLAB_USER_LOGIN", "usr", false, true);
	for (size_t i = 0; i < sizeof(TAKEN) / sizeof(TAKEN[0]); i++) {
		json_t *object = TAKEN[i].object == NULL
					 ? job->response
					 : json_object_get(job->response, TAKEN[i].object);
		json_t *value = json_object_get(object, TAKEN[i].member);
		char *text = NULL;

		if (json_is_string(value))
			text = copied(json_string_value(value));
		else if (json_is_integer(value))
			text = formatted("%" JSON_INTEGER_FORMAT, json_integer_value(value));
		if (text != NULL)
			add_variable(variables, TAKEN[i].key, text, false, true);
		free(text);
	}
	free(origin);
	free(path);
}

/* The runner has about fifty of these and passes all. */
static void add_feature_flags(struct variables *variables)
{
	static const char *const FLAGS[] = {
		"FF_NETWORK_PER_BUILD",
		"FF_USE_FASTZIP",
		"FF_ENABLE_JOB_CLEANUP",
		"FF_POSIXLY_CORRECT_ESCAPES",
		"FF_RESOLVE_FULL_TLS_CHAIN",
		"FF_SCRIPT_SECTIONS",
		"FF_ENABLE_BASH_EXIT_CODE_CHECK",
		"FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL",
		"FF_TIMESTAMPS",
		"FF_USE_LEGACY_BASH_EVAL",
	};

	for (size_t i = 0; i < sizeof(FLAGS) / sizeof(FLAGS[0]); i++)
		add_variable(variables, FLAGS[i], "false", false, true);
}

static void add_runner_variables(struct variables *variables, const struct job *job)
{
	char *token = job_short_token(job);
	char *timeout = formatted("%ld", job->timeout);

	add_variable(variables, "CI_RUNNER_SHORT_TOKEN", token, false, false);
	for (char **setting = job->config->environment; *setting != NULL; setting++) {
		char *key = copied(*setting);
		char *equals = strchr(key, '=');

		if (equals != NULL) {
			*equals = '\0';
			add_variable(variables, key, equals + 1, false, false);
		}
		free(key);
	}
	/* config_exec runs before the runner knows its directories, and sees empty ones. */
	add_variable(variables, "CI_BUILDS_DIR", job->project_dir[0] == '\0' ? "" : job->builds_dir,
		     false, false);
	add_variable(variables, "CI_PROJECT_DIR", job->project_dir, false, false);
	add_variable(variables, "CI_CONCURRENT_ID", "0", false, false);
	add_variable(variables, "CI_CONCURRENT_PROJECT_ID", "0", false, false);
	add_variable(variables, "CI_SERVER", "yes", false, false);
	add_variable(variables, "CI_JOB_STATUS", job->status, false, false);
	add_variable(variables, "CI_JOB_TIMEOUT", timeout, false, false);
	free(timeout);
	free(token);
}

static void add_response_variables(struct variables *variables, const struct job *job)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(job->response, "variables"), i, item) {
		const char *key = json_string_value(json_object_get(item, "key"));
		const char *value = json_string_value(json_object_get(item, "value"));

		if (key != NULL && value != NULL)
			add_variable(variables, key, value,
				     json_is_true(json_object_get(item, "file")),
				     json_is_true(json_object_get(item, "raw")));
	}
}

/* What the author cannot override, because it comes last. */
static void add_final_variables(struct variables *variables, const struct job *job)
{
	char *temporary = formatted("%s.tmp", job->project_dir);
	const char *key;
	json_t *value;

	add_variable(variables, "CI_SHARED_ENVIRONMENT", "true", false, false);
	add_variable(variables, "CI_RUNNER_VERSION", "19.4.0", false, false);
	add_variable(variables, "CI_RUNNER_REVISION", "d79f3e7b", false, false);
	add_variable(variables, "CI_RUNNER_EXECUTABLE_ARCH", "linux/amd64", false, false);
	add_variable(variables, "RUNNER_TEMP_PROJECT_DIR", temporary, false, false);
	free(temporary);
	json_object_foreach (json_object_get(job->file, "custom_env"), key, value) {
		if (json_is_null(value))
			remove_variable(variables, key);
		else if (json_is_string(value))
			add_variable(variables, key, json_string_value(value), false, true);
		else
			die(EXIT_USAGE, "custom_env: %s is not a string", key);
	}
}

/* Expansion of $NAME and ${NAME}: one pass, over the values as they were sent. */

static char *reference_value(const struct variables *variables, const char *name, size_t length)
{
	if (length == 1 && name[0] == '$')
		return copied("$");
	for (size_t i = variables->count; i-- > 0;) {
		const struct variable *variable = &variables->items[i];

		if (strlen(variable->key) != length || memcmp(variable->key, name, length) != 0)
			continue;
		if (!variable->file)
			return copied(variable->value);
		for (size_t j = variables->count; j-- > 0;)
			if (strcmp(variables->items[j].key, "RUNNER_TEMP_PROJECT_DIR") == 0)
				return formatted("%s/%s", variables->items[j].value, variable->key);
	}
	return copied("");
}

static bool is_special(char c)
{
	return c != '\0' && strchr("*#$@!?-0123456789", c) != NULL;
}

/*
 * Parses the reference after a '$': sets its name and returns its size in bytes. A size without a
 * name is a malformed reference, which vanishes; a size of 0 is a plain '$'.
 */
static size_t reference_at(const char *text, const char **name, size_t *length)
{
	const char *end;

	*name = text;
	*length = 0;
	if (text[0] == '{') {
		end = strchr(text, '}');
		if (end == NULL)
			return 1;
		*name = text + 1;
		*length = (size_t)(end - text) - 1;
		return *length + 2;
	}
	if (is_special(text[0])) {
		*length = 1;
		return 1;
	}
	while (isalnum((unsigned char)text[*length]) || text[*length] == '_')
		++*length;
	return *length;
}

static char *expanded(const struct variables *variables, const char *text)
{
	struct text result = {NULL, 0, 0};

	text_add(&result, "", 0);
	while (*text != '\0') {
		const char *name;
		size_t length, taken;
		char *value;

		if (text[0] != '$' || text[1] == '\0') {
			text_add(&result, text++, 1);
			continue;
		}
		taken = reference_at(text + 1, &name, &length);
		value = length > 0 ? reference_value(variables, name, length)
				   : copied(taken > 0 ? "" : "$");
		text_string(&result, value);
		free(value);
		text += 1 + taken;
	}
	return result.data;
}

struct variables job_variables(const struct job *job)
{
	struct variables variables = {NULL, 0};
	const char *image;
	char **values;

	add_feature_flags(&variables);
	image = json_string_value(json_object_get(json_object_get(job->response, "image"), "name"));
	if (image != NULL && image[0] != '\0')
		add_variable(&variables, "CI_JOB_IMAGE", image, false, false);
	add_runner_variables(&variables, job);
	add_predefined(&variables, job);
	add_response_variables(&variables, job);
	add_final_variables(&variables, job);
	values = resized(NULL, variables.count, sizeof(*values));
	for (size_t i = 0; i < variables.count; i++)
		values[i] = variables.items[i].raw ? copied(variables.items[i].value)
						   : expanded(&variables, variables.items[i].value);
	for (size_t i = 0; i < variables.count; i++) {
		free(variables.items[i].value);
		variables.items[i].value = values[i];
	}
	free(values);
	return variables;
}

void job_expand_image(struct job *job)
{
	json_t *image = json_object_get(job->response, "image");
	const char *name = json_string_value(json_object_get(image, "name"));
	struct variables variables = job_variables(job);

	if (name != NULL) {
		char *value = expanded(&variables, name);
		json_object_set_new(image, "name", json_string(value));
		free(value);
	}
	variables_free(&variables);
}

/* Environment */

struct environment {
	char **settings;
	size_t count;
};

static void unset(struct environment *environment, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < environment->count; i++) {
		char *setting = environment->settings[i];

		if (strncmp(setting, name, length) != 0 || setting[length] != '=')
			continue;
		free(setting);
		environment->count--;
		memmove(&environment->settings[i], &environment->settings[i + 1],
			(environment->count - i) * sizeof(*environment->settings));
		return;
	}
}

/* The last setting of a name replaces the earlier ones. */
static void set(struct environment *environment, const char *prefix, const char *name,
		const char *value)
{
	char *full = formatted("%s%s", prefix, name);

	unset(environment, full);
	environment->settings = resized(environment->settings, environment->count + 2,
					sizeof(*environment->settings));
	environment->settings[environment->count++] = formatted("%s=%s", full, value);
	free(full);
}

static void set_own(struct environment *environment, const struct job *job)
{
	const char *name;
	json_t *value;

	for (char **setting = environ; *setting != NULL; setting++) {
		char *key = copied(*setting);
		char *equals = strchr(key, '=');

		if (equals != NULL) {
			*equals = '\0';
			set(environment, "", key, equals + 1);
		}
		free(key);
	}
	json_object_foreach (json_object_get(job->file, "environment"), name, value) {
		if (json_is_null(value))
			unset(environment, name);
		else if (json_is_string(value))
			set(environment, "", name, json_string_value(value));
		else
			die(EXIT_USAGE, "environment: %s is not a string", name);
	}
}

char **job_environment(const struct job *job, const struct job_files *files)
{
	struct environment environment = {NULL, 0};
	struct variables variables = job_variables(job);
	const char *name;
	json_t *value;
	char *services;

	set_own(&environment, job);
	set(&environment, "", "TMPDIR", files->directory);
	set(&environment, "", "BUILD_FAILURE_EXIT_CODE", "1");
	set(&environment, "", "SYSTEM_FAILURE_EXIT_CODE", "2");
	set(&environment, "", "BUILD_EXIT_CODE_FILE", files->exit_code);
	set(&environment, "", "JOB_RESPONSE_FILE", files->response);
	json_object_foreach (job->job_env, name, value) {
		set(&environment, "", name, json_string_value(value));
	}
	for (size_t i = 0; i < variables.count; i++)
		set(&environment, "CUSTOM_ENV_", variables.items[i].key, variables.items[i].value);
	value = json_object_get(job->response, "services");
	services = json_array_size(value) > 0 ? json_dumps(value, JSON_COMPACT) : NULL;
	set(&environment, "CUSTOM_ENV_", "CI_JOB_SERVICES", services != NULL ? services : "");
	free(services);
	/* A test may override even this one, by custom_env. */
	value = json_object_get(json_object_get(job->file, "custom_env"), "CI_JOB_SERVICES");
	if (json_is_string(value))
		set(&environment, "CUSTOM_ENV_", "CI_JOB_SERVICES", json_string_value(value));
	environment.settings[environment.count] = NULL;
	variables_free(&variables);
	return environment.settings;
}
