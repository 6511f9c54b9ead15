#include "t/play/job.h"

#include <stdlib.h>
#include <string.h>

#include "t/play/text.h"

#define DEFAULT_TIMEOUT 3600 /* seconds */

/* The response if JOB.json has none. */
static json_t *default_response(void)
{
	return json_pack(
		"{s:i, s:s, s:b, s:{s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i},"
		" s:{s:s, s:s, s:s, s:s, s:s, s:[], s:i}, s:{s:i}, s:[], s:[]}",
		"id", 981625, "token", "glcbt-64_standin", "allow_git_fetch", 1, "job_info", "name",
		"ci-job", "stage", "test", "project_id", 20, "project_name", "project",
		"project_full_path", "group/project", "pipeline_id", 574, "user_id", 1,
		"namespace_id", 72, "git_info", "repo_url",
		"https://gitlab-ci-token:glcbt-64_standin@gitlab.example.com/group/project.git",
		"ref", "main", "ref_type", "branch", "sha",
		"714a629c0b401fdce83e847fc9589983fc6f46bc", "before_sha",
		"0000000000000000000000000000000000000000", "refspecs", "depth", 20, "runner_info",
		"timeout", DEFAULT_TIMEOUT, "variables", "steps");
}

struct job job_load(const char *path, const struct runner_config *config)
{
	json_error_t error;
	struct job job = {.config = config, .status = "running"};
	json_t *timeout;

	job.file = json_load_file(path, 0, &error);
	if (!json_is_object(job.file))
		die(EXIT_USAGE, "%s:%d: %s", path, error.line,
		    job.file == NULL ? error.text : "an object is expected");
	job.response = json_incref(json_object_get(job.file, "response"));
	if (job.response == NULL)
		job.response = default_response();
	if (config->builds_dir != NULL)
		job.builds_dir = copied(config->builds_dir);
	if (config->cache_dir != NULL)
		job.cache_dir = copied(config->cache_dir);
	job.project_dir = copied("");
	timeout = json_object_get(json_object_get(job.response, "runner_info"), "timeout");
	job.timeout = json_integer_value(timeout) > 0 && json_integer_value(timeout) < 1000000
			      ? (long)json_integer_value(timeout)
			      : DEFAULT_TIMEOUT;
	job.sources_skipped = !job_has_substage(&job, "get_sources");
	return job;
}

void job_free(struct job *job)
{
	json_decref(job->file);
	json_decref(job->response);
	json_decref(job->job_env);
	free(job->builds_dir);
	free(job->cache_dir);
	free(job->hostname);
	free(job->project_dir);
}

json_t *job_script(const struct job *job, const char *substage)
{
	return json_object_get(json_object_get(job->file, "scripts"), substage);
}

/* What every job has, whatever is in it. */
static bool is_in_every_job(const char *substage)
{
	static const char *const NAMES[] = {"prepare_script", "get_sources", "build_script",
					    "cleanup_file_variables"};

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		if (strcmp(NAMES[i], substage) == 0)
			return true;
	return false;
}

/*
 * The runner skips an empty after_script, and the sub-stages for a cache or for artifacts if the
 * job has none of these. Here a job has them if "scripts" names their sub-stage, be it with no
 * command.
 */
bool job_has_substage(const struct job *job, const char *substage)
{
	json_t *chosen = json_object_get(job->file, "substages");
	json_t *script = job_script(job, substage);
	json_t *item;
	size_t i;

	if (chosen == NULL && strcmp(substage, "after_script") == 0)
		return json_array_size(script) > 0;
	if (chosen == NULL)
		return script != NULL || is_in_every_job(substage);
	json_array_foreach (chosen, i, item) {
		if (json_is_string(item) && strcmp(json_string_value(item), substage) == 0)
			return true;
	}
	return false;
}

/* Directories */

/* The path in the repository's URL, without the first slash and without ".git". */
char *job_project_path(const struct job *job)
{
	json_t *git_info = json_object_get(job->response, "git_info");
	json_t *job_info = json_object_get(job->response, "job_info");
	const char *url = json_string_value(json_object_get(git_info, "repo_url"));
	const char *host = url == NULL ? NULL : strstr(url, "://");
	const char *path = host == NULL ? NULL : strchr(host + 3, '/');
	size_t length;

	if (path == NULL || path[1] == '\0' || strstr(path, "..") != NULL)
		return formatted("project-%" JSON_INTEGER_FORMAT,
				 json_integer_value(json_object_get(job_info, "project_id")));
	path++;
	length = strlen(path);
	if (length > 4 && strcmp(path + length - 4, ".git") == 0)
		length -= 4;
	return formatted("%.*s", (int)length, path);
}

/* Scheme, host and port of the repository's URL. */
char *job_server_origin(const struct job *job)
{
	json_t *git_info = json_object_get(job->response, "git_info");
	const char *url = json_string_value(json_object_get(git_info, "repo_url"));
	const char *host = url == NULL ? NULL : strstr(url, "://");
	const char *user;
	size_t length;

	if (host == NULL)
		return copied("https://gitlab.example.com");
	host += 3;
	length = strcspn(host, "/");
	user = memrchr(host, '@', length);
	if (user != NULL) {
		length -= (size_t)(user + 1 - host);
		return formatted("%.*s%.*s", (int)(strstr(url, "://") + 3 - url), url, (int)length,
				 user + 1);
	}
	return formatted("%.*s", (int)(host + length - url), url);
}

/* Without the prefixes that give the kind of the token (glrt-, t1_, ...). */
char *job_short_token(const struct job *job)
{
	const char *token = job->config->token == NULL ? "short" : job->config->token;

	if (strncmp(token, "glrtr-", 6) == 0)
		token += 6;
	else if (strncmp(token, "glrt-", 5) == 0)
		token += 5;
	if (token[0] == 't' && token[1] >= '1' && token[1] <= '3' && token[2] == '_')
		token += 3;
	return formatted("%.9s", token);
}

static void find_project_dir(struct job *job)
{
	char *path = job_project_path(job);
	char *token = job_short_token(job);

	free(job->project_dir);
	job->project_dir = job->builds_dir_is_shared
				   ? formatted("%s/%s/0/%s", job->builds_dir, token, path)
				   : formatted("%s/%s", job->builds_dir, path);
	free(token);
	free(path);
}

/* config_exec's answer */

static void take_string(json_t *answer, const char *name, char **where)
{
	const char *value = json_string_value(json_object_get(answer, name));

	if (value != NULL) {
		free(*where);
		*where = copied(value);
	}
}

static const char *fault_of_answer(json_t *answer)
{
	static const char *const STRINGS[] = {"builds_dir", "cache_dir", "hostname", "shell"};
	json_t *shared = json_object_get(answer, "builds_dir_is_shared");
	json_t *job_env = json_object_get(answer, "job_env");
	const char *name;
	json_t *value;

	if (!json_is_object(answer))
		return "not an object";
	for (size_t i = 0; i < sizeof(STRINGS) / sizeof(STRINGS[0]); i++) {
		value = json_object_get(answer, STRINGS[i]);
		if (value != NULL && !json_is_null(value) && !json_is_string(value))
			return "a member that should be a string is none";
	}
	if (shared != NULL && !json_is_null(shared) && !json_is_boolean(shared))
		return "builds_dir_is_shared is not a boolean";
	if (job_env != NULL && !json_is_null(job_env) && !json_is_object(job_env))
		return "job_env is not an object";
	json_object_foreach (job_env, name, value) {
		if (!json_is_string(value))
			return "a value in job_env is not a string";
	}
	return NULL;
}

void job_forget_answer(struct job *job)
{
	json_decref(job->job_env);
	job->job_env = NULL;
}

enum configured job_configure(struct job *job, const char *answer, char **reason)
{
	json_error_t error;
	json_t *value = NULL;
	const char *fault = NULL;

	if (answer != NULL && answer[0] != '\0') {
		value = json_loads(answer, 0, &error);
		fault = value == NULL ? error.text : fault_of_answer(value);
	}
	if (fault != NULL) {
		*reason = formatted("error while parsing JSON output: %s", fault);
		json_decref(value);
		return CONFIGURE_NOT_AN_ANSWER;
	}
	take_string(value, "builds_dir", &job->builds_dir);
	take_string(value, "cache_dir", &job->cache_dir);
	take_string(value, "hostname", &job->hostname);
	if (json_object_get(value, "builds_dir_is_shared") != NULL)
		job->builds_dir_is_shared =
			json_is_true(json_object_get(value, "builds_dir_is_shared"));
	job->job_env = json_incref(json_object_get(value, "job_env"));
	json_decref(value);
	if (job->builds_dir == NULL || job->builds_dir[0] == '\0')
		*reason = copied("the builds_dir is not configured");
	else if (job->cache_dir == NULL || job->cache_dir[0] == '\0')
		*reason = copied("the cache_dir is not configured");
	if (*reason != NULL)
		return CONFIGURE_DIRECTORY_MISSING;
	find_project_dir(job);
	return CONFIGURED;
}
