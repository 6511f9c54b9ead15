#include "core/identity/job.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/io.h"
#include "core/lib/json.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"

/* Far more than GitLab accepts, although variables can be large. */
#define RESPONSE_MOST_SIZE (64 * 1024 * 1024)
#define PARSE_LIMIT_MS	   30000

/* A later entry overrides an earlier one, as in the runner. */
static const char *variable(const json_t *variables, const char *name)
{
	const char *value = NULL;
	size_t index;
	json_t *entry;
	json_array_foreach (variables, index, entry) {
		const char *key = json_string_value(json_object_get(entry, "key"));
		if (key != NULL && strcmp(key, name) == 0)
			value = json_string_value(json_object_get(entry, "value"));
	}
	return value;
}

/* The first of these variables that the response has; if it has none, that the environment has. */
static int find_token(const json_t *variables, bool in_environment, const struct string_list *names,
		      char token[JOB_TOKEN_SIZE], struct error *err)
{
	token[0] = '\0';
	for (size_t i = 0; i < names->count; i++) {
		cleanup_free char *name = text_format("CUSTOM_ENV_%s", names->items[i]);
		if (name == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");
		const char *value =
			in_environment ? getenv(name) : variable(variables, names->items[i]);
		if (value == NULL || value[0] == '\0')
			continue;
		if (text_copy(token, JOB_TOKEN_SIZE, value))
			return 0;
		error_set(err, ERROR_DENIED, "the id token %s is larger than 64 KiB",
			  names->items[i]);
		return error_refuse(err, REFUSED_TOKEN);
	}
	return 0;
}

/* Each part of a project's path becomes a directory name; GitLab allows a dot at its beginning. */
bool job_is_project_path(const char *path)
{
	char part[256];
	for (;;) {
		size_t length = strcspn(path, "/");
		if (length == 0 || length >= sizeof(part))
			return false;
		memcpy(part, path, length);
		part[length] = '\0';
		if (!text_is_made_of(part, TEXT_WORD ".", sizeof(part) - 1) ||
		    strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
			return false;
		if (path[length] == '\0')
			return true;
		path += length + 1;
	}
}

/* The path of "https://name:secret@host/path.git"; "" if it is not a valid project path. */
static void find_repository_path(const char *repository_url, struct job *job)
{
	const char *host = repository_url != NULL ? strstr(repository_url, "://") : NULL;
	const char *slash = host != NULL ? strchr(host + 3, '/') : NULL;
	if (slash == NULL ||
	    !text_copy(job->repository_path, sizeof(job->repository_path), slash + 1))
		return;
	size_t length = strlen(job->repository_path);
	if (length > 4 && strcmp(job->repository_path + length - 4, ".git") == 0)
		job->repository_path[length - 4] = '\0';
	if (!job_is_project_path(job->repository_path))
		job->repository_path[0] = '\0';
}

static int find_project_path(const json_t *info, struct job *job, struct error *err)
{
	const char *path = json_string_value(json_object_get(info, "project_full_path"));
	if (path == NULL || path[0] == '\0')
		return 0;
	if (!text_copy(job->project_path, sizeof(job->project_path), path) ||
	    !job_is_project_path(job->project_path))
		return error_set(err, ERROR_DENIED, "the job's project path '%.200s' is not valid",
				 path);
	return 0;
}

/* `image:`, in which the runner has replaced variables. Most sites do not use it: no error here. */
static void find_image(const json_t *image, struct job *job)
{
	const char *name = json_string_value(json_object_get(image, "name"));
	const json_t *entrypoint = json_object_get(image, "entrypoint");
	snprintf(job->image, sizeof(job->image), "%s", name != NULL ? name : "");
	if (json_array_size(entrypoint) == 0)
		return;
	cleanup_free char *text = json_dumps(entrypoint, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!json_is_string_array(entrypoint) || text == NULL ||
	    !text_copy(job->entrypoint, sizeof(job->entrypoint), text))
		snprintf(job->entrypoint, sizeof(job->entrypoint), "?");
}

static int parse(const json_t *root, const struct string_list *token_names, struct job *job,
		 char token[JOB_TOKEN_SIZE], struct error *err)
{
	const json_t *info = json_object_get(root, "job_info");
	const json_t *git = json_object_get(root, "git_info");
	const char *url = json_string_value(json_object_get(git, "repo_url"));

	if (!json_id(json_object_get(root, "id"), &job->id) || job->id == 0)
		return error_set(err, ERROR_SYSTEM, "the job response has no id");
	if (!json_optional_id(info, "project_id", &job->project_id) ||
	    !json_optional_id(info, "pipeline_id", &job->pipeline_id) ||
	    !json_optional_id(info, "user_id", &job->user_id) ||
	    !json_optional_id(info, "scoped_user_id", &job->scoped_user_id))
		return error_set(err, ERROR_SYSTEM, "an id in the job response is not a number");

	struct error ignored;
	if (url == NULL || url_origin(url, &job->origin, &ignored) != 0)
		memset(&job->origin, 0, sizeof(job->origin));
	find_repository_path(url, job);
	find_image(json_object_get(root, "image"), job);
	if (find_project_path(info, job, err) != 0)
		return -1;
	if (token_names == NULL || token == NULL)
		return 0;
	return find_token(json_object_get(root, "variables"), false, token_names, token, err);
}

int job_parse(const char *text, size_t size, const struct string_list *token_names, struct job *job,
	      char token[JOB_TOKEN_SIZE], struct error *err)
{
	json_error_t where;
	memset(job, 0, sizeof(*job));
	json_auto_t *root = json_loadb(text, size, 0, &where);
	/* jansson's own message may quote the text, which has secrets. */
	if (!json_is_object(root))
		return error_set(err, ERROR_SYSTEM, "the job response is not JSON, from byte %d on",
				 where.position);
	return parse(root, token_names, job, token, err);
}

/* What a confined child has to do. */
struct request {
	int fd;
	const struct string_list *token_names;
	uint64_t id; /* to compare with */
};

struct reply {
	struct job job;
	char token[JOB_TOKEN_SIZE];
};

static char *read_response(int fd, size_t *size, struct error *err)
{
	char *text = io_read_to_end(fd, RESPONSE_MOST_SIZE, size);
	if (text == NULL)
		error_errno(err, ERROR_SYSTEM, "cannot read the job response");
	return text;
}

static int parse_file(int fd, const struct string_list *token_names, struct job *job,
		      char token[JOB_TOKEN_SIZE], struct error *err)
{
	size_t size;
	cleanup_free char *text = read_response(fd, &size, err);
	return text != NULL ? job_parse(text, size, token_names, job, token, err) : -1;
}

/* In the confined child. */
static int read_confined(const void *argument, void *out, struct error *err)
{
	const struct request *request = argument;
	struct reply *reply = out;
	if (parse_file(request->fd, request->token_names, &reply->job, reply->token, err) != 0)
		return -1;
	if (reply->token[0] != '\0')
		return 0;
	return find_token(NULL, true, request->token_names, reply->token, err);
}

/* Checks the reply of the child, whose parser may have been taken over. */
static int accept_job(struct job *job, struct error *err)
{
	job->project_path[sizeof(job->project_path) - 1] = '\0';
	job->repository_path[sizeof(job->repository_path) - 1] = '\0';
	job->origin.url[sizeof(job->origin.url) - 1] = '\0';
	job->image[sizeof(job->image) - 1] = '\0';
	job->entrypoint[sizeof(job->entrypoint) - 1] = '\0';
	struct server again = {.url = ""};
	if (job->id == 0 || (job->entrypoint[0] != '\0' && !text_is_printable(job->entrypoint)) ||
	    (job->project_path[0] != '\0' && !job_is_project_path(job->project_path)) ||
	    (job->repository_path[0] != '\0' && !job_is_project_path(job->repository_path)) ||
	    (job->origin.url[0] != '\0' && url_server(job->origin.url, &again, err) != 0))
		return error_set(err, ERROR_SYSTEM,
				 "the process that parses the job response gave back a malformed "
				 "job");
	job->origin = again;
	return 0;
}

int job_open(const char *path, struct error *err)
{
	if (path == NULL)
		return error_set(err, ERROR_SYSTEM,
				 "JOB_RESPONSE_FILE is not set: GitLab Runner is too old, or did "
				 "not make this call; to check a configuration by hand, use: "
				 "config --check FILE");
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open the job response %s", path);
	return fd;
}

int job_read(int fd, const struct string_list *token_names, struct job *job,
	     char token[JOB_TOKEN_SIZE], struct error *err)
{
	struct request request = {.fd = fd, .token_names = token_names};
	const struct confinement how = {.limit_ms = PARSE_LIMIT_MS, .file = &fd};
	cleanup_free struct reply *reply = calloc(1, sizeof(*reply));
	if (reply == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	int result = confine_run(&how, read_confined, &request, reply, sizeof(*reply), err);
	if (result == 0) {
		*job = reply->job;
		reply->token[JOB_TOKEN_SIZE - 1] = '\0';
		(void)text_copy(token, JOB_TOKEN_SIZE, reply->token);
		result = accept_job(job, err);
	}
	/* Now only the caller has a copy of the token (confine_keep_secret). */
	explicit_bzero(reply, sizeof(*reply));
	return result;
}

/* In the confined child. */
static int read_own_token(const void *argument, void *out, struct error *err)
{
	const int *fd = argument;
	size_t size;
	json_error_t where;
	cleanup_free char *text = read_response(*fd, &size, err);
	if (text == NULL)
		return -1;
	json_auto_t *root = json_loadb(text, size, 0, &where);
	if (json_copy_string(root, "token", out, CI_JOB_TOKEN_SIZE))
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "the job response has no token of the job, or one of more than 8 KiB");
}

int job_read_own_token(int fd, char token[CI_JOB_TOKEN_SIZE], struct error *err)
{
	const struct confinement how = {
		.cancellable = true, .limit_ms = PARSE_LIMIT_MS, .file = &fd};
	memset(token, 0, CI_JOB_TOKEN_SIZE);
	if (confine_run(&how, read_own_token, &fd, token, CI_JOB_TOKEN_SIZE, err) != 0)
		return -1;
	/* The parser may have been taken over: no newline may get into the header. */
	if (!text_is_made_of(token, TEXT_WORD ".~+/=", CI_JOB_TOKEN_SIZE - 1))
		return error_set(err, ERROR_SYSTEM, "the token of the job response is malformed");
	return 0;
}

int job_check_id(int fd, uint64_t id, struct error *err)
{
	struct job job = {.id = 0};
	if (parse_file(fd, NULL, &job, NULL, err) != 0)
		return -1;
	if (job.id != id)
		return error_set(err, ERROR_DENIED,
				 "the state is of job %" PRIu64 ", this is job %" PRIu64, id,
				 job.id);
	return 0;
}

static int check_id(const void *argument, void *reply, struct error *err)
{
	const struct request *request = argument;
	(void)reply;
	return job_check_id(request->fd, request->id, err);
}

int job_check_id_confined(int fd, uint64_t id, struct error *err)
{
	const struct request request = {.fd = fd, .id = id};
	const struct confinement how = {.limit_ms = PARSE_LIMIT_MS, .file = &fd};
	return confine_run(&how, check_id, &request, NULL, 0, err);
}
