#include "core/identity/confirmation.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/identity/http.h"
#include "core/identity/identity.h"
#include "core/lib/io.h"
#include "core/lib/json.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"

#define HEADER_NAME    "JOB-TOKEN: "
#define PARSE_LIMIT_MS 30000

static const char *const PATHS[] = {"/api/v4/job", NULL};

struct request {
	struct server server;
	char header[sizeof(HEADER_NAME) - 1 + CI_JOB_TOKEN_SIZE]; /* has the job's token */
	int authorities; /* a descriptor of general.tls-ca-file, or -1 */
};

/* Reads an id of 1 or more. */
static bool read_id(const json_t *object, const char *name, uint64_t *id)
{
	return json_id(json_object_get(object, name), id) && *id != 0;
}

/* GitLab always has this member, though the example in its documentation lacks it. */
static bool read_bot(const json_t *user, bool *bot)
{
	const json_t *value = json_object_get(user, "bot");
	*bot = json_is_true(value);
	return json_is_boolean(value);
}

int confirmation_parse(const char *text, size_t size, struct confirmation *said, struct error *err)
{
	json_error_t where;
	json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	const json_t *pipeline = json_object_get(root, "pipeline");
	const json_t *user = json_object_get(root, "user");
	memset(said, 0, sizeof(*said));
	if (!json_is_object(root))
		return error_set_key(
			err, "auth.confirm_job", ERROR_SYSTEM,
			"the server's answer about the job, which auth.confirm_job asks "
			"for, is not a JSON object");
	const struct {
		bool read;
		const char *field;
	} fields[] = {
		{json_copy_string(root, "status", said->status, sizeof(said->status)), "status"},
		{read_id(root, "id", &said->job_id), "id"},
		{read_id(pipeline, "id", &said->pipeline_id), "pipeline.id"},
		{read_id(pipeline, "project_id", &said->project_id), "pipeline.project_id"},
		{read_id(user, "id", &said->user_id), "user.id"},
		{json_copy_string(user, "username", said->username, sizeof(said->username)),
		 "user.username"},
		{read_bot(user, &said->bot), "user.bot"},
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!fields[i].read)
			return error_set_key(err, "auth.confirm_job", ERROR_DENIED,
					     "the server does not report the job's %s, which "
					     "auth.confirm_job needs: it is missing or malformed",
					     fields[i].field);
	return 0;
}

int confirmation_check(const struct confirmation *said, const struct job *job,
		       const struct claims *claims, bool allow_bots, struct error *err)
{
	const struct {
		const char *field;
		uint64_t said;
		uint64_t ours[2]; /* 0: not known */
	} ids[] = {
		{"id", said->job_id, {job->id, claims->job_id}},
		{"pipeline.id", said->pipeline_id, {job->pipeline_id, claims->pipeline_id}},
		{"pipeline.project_id",
		 said->project_id,
		 {job->project_id, claims_job_project_id(claims)}},
		{"user.id", said->user_id, {job->user_id, claims->user_id}},
	};
	if (strcmp(said->status, "running") != 0)
		return error_set_key(err, "auth.confirm_job", ERROR_DENIED,
				     "the server says that the job is not running, but '%s', and "
				     "auth.confirm_job is set",
				     said->status);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		for (size_t j = 0; j < 2; j++)
			if (ids[i].ours[j] != 0 && ids[i].ours[j] != ids[i].said)
				return error_set_key(
					err, "auth.confirm_job", ERROR_DENIED,
					"the server says that the job's %s is %" PRIu64
					", the %s says %" PRIu64 ", and auth.confirm_job is set",
					ids[i].field, ids[i].said,
					j == 0 ? "job response" : "id token", ids[i].ours[j]);
	if (claims->user_id == 0)
		return error_set_key(
			err, "auth.confirm_job", ERROR_DENIED,
			"the id token has no user_id, which auth.confirm_job compares");
	if (strcmp(said->username, claims->user_login) != 0)
		return error_set_key(
			err, "auth.confirm_job", ERROR_DENIED,
			"the server says that the job's user is %s, the id token says %s, "
			"and auth.confirm_job is set",
			said->username, claims->user_login);
	if (said->bot && !allow_bots)
		return error_set_key(
			err, "auth.allow_bot_accounts", ERROR_DENIED,
			"the server says that %s is a bot, and auth.allow_bot_accounts is "
			"not set",
			said->username);
	return 0;
}

/* In a confined child that has the network and the job's token. */
static int fetch(const void *argument, void *out, struct error *err)
{
	const struct request *request = argument;
	const struct http_request get = {.server = request->server.url,
					 .paths = PATHS,
					 .header = request->header,
					 .purpose = "the job"};
	return http_get(&get, request->authorities, out, err);
}

/* In another confined child, which has neither. */
static int parse(const void *argument, void *out, struct error *err)
{
	const struct http_answer *answer = argument;
	return confirmation_parse(answer->bytes, answer->size, out, err);
}

static int parse_confined(const struct http_answer *answer, struct confirmation *said,
			  struct error *err)
{
	const struct confinement how = {.cancellable = true, .limit_ms = PARSE_LIMIT_MS};
	if (confine_run(&how, parse, answer, said, sizeof(*said), err) != 0)
		return -1;
	/* The child may have been taken over: make its texts safe to print. */
	said->status[sizeof(said->status) - 1] = '\0';
	said->username[sizeof(said->username) - 1] = '\0';
	text_make_printable(said->status);
	text_make_printable(said->username);
	return 0;
}

/* "No" and "could not ask" are two answers. */
static int check_status(const char *server, long status, struct error *err)
{
	if (status == 200)
		return 0;
	if (status == 401 || status == 403 || status == 404)
		return error_set_key(
			err, "auth.confirm_job", ERROR_DENIED,
			"%s%s answers with status %ld: the job's token is not valid; it is valid "
			"only while the job runs, and auth.confirm_job is set",
			server, PATHS[0], status);
	return error_set_key(
		err, "auth.confirm_job", ERROR_SYSTEM,
		"%s%s answers with status %ld instead of the job, which auth.confirm_job "
		"asks for%s",
		server, PATHS[0], status, status / 100 == 3 ? "; redirects are not followed" : "");
}

static int read_header(struct request *request, struct error *err)
{
	cleanup_close int response = job_open(getenv("JOB_RESPONSE_FILE"), err);
	memcpy(request->header, HEADER_NAME, sizeof(HEADER_NAME) - 1);
	return response < 0 ? -1
			    : job_read_own_token(response,
						 request->header + sizeof(HEADER_NAME) - 1, err);
}

int confirmation_ask(const struct settings *settings, const struct job *job,
		     const struct claims *claims, struct error *err)
{
	struct confirmation said;
	struct request request;
	cleanup_close int authorities = -1;
	cleanup_free struct http_answer *answer = calloc(1, sizeof(*answer));
	if (answer == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (identity_server(&settings->general, job, &request.server, err) != 0 ||
	    http_open_authorities(&settings->general, &authorities, err) != 0)
		return -1;
	request.authorities = authorities;
	int result = read_header(&request, err);
	if (result == 0)
		result = http_run_confined(fetch, &request, authorities, answer, err);
	/* Before the answer is parsed: the process that does it is a copy of this one. */
	explicit_bzero(request.header, sizeof(request.header));
	if (result != 0 || check_status(request.server.url, answer->status, err) != 0 ||
	    parse_confined(answer, &said, err) != 0)
		return -1;
	return confirmation_check(&said, job, claims, settings->auth.allow_bot_accounts, err);
}
