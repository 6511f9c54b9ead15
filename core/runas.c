#include "core/runas.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "config/check.h"
#include "core/capture.h"
#include "core/confine.h"
#include "core/environment.h"
#include "core/io.h"
#include "core/json.h"
#include "core/libraries.h"
#include "core/program.h"

#define SCRIPT_LIMIT_MS	 60000
#define CONFINE_LIMIT_MS 30000

/* Of the script's file, where its digest is wanted. */
#define SCRIPT_MOST_SIZE (64 * 1024 * 1024)

#define DIGEST_SIZE 32

/* In a confined child: the library that knows SHA-256 need not be in any other process. */
static int digest_file(const void *argument, void *reply, struct error *err)
{
	struct jose_library jose;
	size_t size;
	cleanup_free char *bytes = io_read_to_end(*(const int *)argument, SCRIPT_MOST_SIZE, &size);
	if (bytes == NULL)
		return error_errno(err, ERROR_SYSTEM, "cannot read auth.runas.validation_script");
	if (libraries_open_jose(&jose, err) != 0)
		return -1;
	jose.sha256((const unsigned char *)bytes, size, reply);
	return 0;
}

/*
 * Opens the script that `path`, free of links, leads to, and holds it against its digest. The
 * descriptor is what is executed then, whatever stands under that path by now.
 */
static int open_checked(const char *path, const char *sha256, struct error *err)
{
	unsigned char digest[DIGEST_SIZE];
	char text[2 * DIGEST_SIZE + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open %s", path);
	if (confine_run(digest_file, &fd, digest, sizeof(digest), CONFINE_LIMIT_MS, err) != 0) {
		close(fd);
		return -1;
	}
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	if (strcasecmp(text, sha256) == 0)
		return fd;
	close(fd);
	return error_set(err, ERROR_DENIED,
			 "auth.runas.validation_script %s has the sha256 %s, which is not the one "
			 "of auth.runas.sha256; if you changed the script, change that",
			 path, text);
}

/* The site's settings first: none of them stands for a claim. */
static int fill_environment(const struct string_list *settings, const struct claims *claims,
			    json_t *list, struct error *err)
{
	for (size_t i = 0; i < settings->count; i++)
		if (environment_set(list, settings->items[i]) != 0)
			return error_set(err, ERROR_SYSTEM, "out of memory");
	return claims_to_environment(claims, list, err);
}

static json_t *environment_of_script(const struct account *service,
				     const struct string_list *settings,
				     const struct claims *claims, struct error *err)
{
	json_t *list = environment_of_login(service);
	if (list == NULL) {
		error_set(err, ERROR_SYSTEM, "out of memory");
		return NULL;
	}
	if (fill_environment(settings, claims, list, err) == 0)
		return list;
	json_decref(list);
	return NULL;
}

/*
 * An optional string of the reply. False where it is something else, or too long, or empty: a
 * script that found no name does not mean "anyone".
 */
static bool take_string(json_t *object, const char *name, char *out, size_t size)
{
	bool taken = json_object_get(object, name) == NULL ||
		     (json_copy_string(object, name, out, size) && out[0] != '\0');
	json_object_del(object, name);
	return taken;
}

int runas_parse(const char *text, size_t size, struct runas_reply *reply, struct error *err)
{
	json_error_t where;
	memset(reply, 0, sizeof(*reply));
	if (strspn(text, " \t\r\n") == size)
		return 0;
	json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(root))
		return error_set(err, ERROR_DENIED, "it prints what is no JSON object (line %d)",
				 where.line);
	bool fit =
		take_string(root, "username", reply->answer.username,
			    sizeof(reply->answer.username)) &&
		take_string(root, "data_dir", reply->answer.data_dir,
			    sizeof(reply->answer.data_dir)) &&
		take_string(root, "error_message", reply->error_message,
			    sizeof(reply->error_message)) &&
		take_string(root, "user_message", reply->user_message, sizeof(reply->user_message));
	/* What we do not know may have been meant as a restriction. */
	if (!fit || json_object_size(root) > 0)
		return error_set(err, ERROR_DENIED,
				 "its JSON has more than the strings username, data_dir, "
				 "error_message and user_message, or they are empty or too long");
	return 0;
}

static int parse_captured(const void *argument, void *reply, struct error *err)
{
	const struct captured *captured = argument;
	return runas_parse(captured->output, captured->size, reply, err);
}

/* What comes out of the confined child is checked again. */
static int accept_reply(struct runas_reply *reply, struct error *err)
{
	struct runas_answer *answer = &reply->answer;
	answer->username[sizeof(answer->username) - 1] = '\0';
	answer->data_dir[sizeof(answer->data_dir) - 1] = '\0';
	reply->error_message[sizeof(reply->error_message) - 1] = '\0';
	reply->user_message[sizeof(reply->user_message) - 1] = '\0';
	if (answer->username[0] != '\0' && !account_name_is_valid(answer->username))
		return error_set(err, ERROR_DENIED, "its username '%s' cannot be an account's",
				 answer->username);
	const char *rule = answer->data_dir[0] != '\0' ? check_data_dir(answer->data_dir) : NULL;
	if (rule != NULL)
		return error_set(err, ERROR_DENIED, "its data_dir '%s' %s", answer->data_dir, rule);
	return 0;
}

/* Whether the script accepts; it may refuse by its exit code or by a message. */
static int judge(const struct captured *captured, const struct runas_reply *reply,
		 struct error *err)
{
	int code = WIFEXITED(captured->status) ? WEXITSTATUS(captured->status) : -1;
	bool told = reply->user_message[0] != '\0';
	if (code == 0 && reply->error_message[0] == '\0' && !told)
		return 0;
	if (code < 0)
		error_set(err, ERROR_DENIED, "it was ended by signal %d",
			  WTERMSIG(captured->status));
	else
		error_set(err, ERROR_DENIED, "it refused with exit code %d: %s%s%s%s%s", code,
			  reply->error_message, told ? "; it tells the user: " : "",
			  reply->user_message, captured->errors[0] != '\0' ? "; it said: " : "",
			  captured->errors);
	return error_notify(err, told ? reply->user_message : reply->error_message);
}

static int run_script(const struct runas_settings *settings, int descriptor, const char *program,
		      json_t *environment, const char *target, const char *login,
		      struct runas_answer *answer, struct error *err)
{
	bool asked = target != NULL && target[0] != '\0';
	cleanup_free char **variables = environment_vector(environment);
	cleanup_free struct captured *captured = malloc(sizeof(*captured));
	const char *arguments[] = {settings->validation_script, asked ? target : login,
				   asked ? login : NULL, NULL};
	struct capture capture = {
		.program = program,
		.descriptor = descriptor,
		.arguments = (char *const *)arguments,
		.environment = variables,
		.limit_ms = SCRIPT_LIMIT_MS,
	};
	struct runas_reply reply;
	if (variables == NULL || captured == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (capture_run(&capture, captured, err) != 0)
		return -1;
	int parsed =
		confine_run(parse_captured, captured, &reply, sizeof(reply), CONFINE_LIMIT_MS, err);
	if (parsed == 0)
		parsed = accept_reply(&reply, err);
	/* Who refuses need not do it in JSON. */
	if (parsed != 0)
		memset(&reply, 0, sizeof(reply));
	if (judge(captured, &reply, err) != 0 || parsed != 0)
		return -1;
	*answer = reply.answer;
	if (asked && answer->username[0] == '\0')
		snprintf(answer->username, sizeof(answer->username), "%s", target);
	return 0;
}

static int ask(const struct runas_settings *settings, const struct account *service,
	       const struct claims *claims, const char *target, struct runas_answer *answer,
	       struct error *err)
{
	if (target != NULL && target[0] != '\0' && !account_name_is_valid(target))
		return error_set(err, ERROR_DENIED,
				 "the job asks for '%s', which is no account's name", target);
	cleanup_free char *program =
		program_resolve(settings->validation_script, PROGRAM_OF_SERVICE, err);
	if (program == NULL)
		return -1;
	cleanup_close int descriptor = -1;
	if (settings->sha256 != NULL) {
		descriptor = open_checked(program, settings->sha256, err);
		if (descriptor < 0)
			return -1;
	}
	json_auto_t *environment =
		environment_of_script(service, &settings->validation_env, claims, err);
	if (environment == NULL)
		return -1;
	return run_script(settings, descriptor, program, environment, target, claims->user_login,
			  answer, err);
}

int runas_ask(const struct runas_settings *settings, const struct account *service,
	      const struct claims *claims, const char *target, struct runas_answer *answer,
	      struct error *err)
{
	memset(answer, 0, sizeof(*answer));
	if (ask(settings, service, claims, target, answer, err) == 0)
		return 0;
	struct error said = *err;
	bool asked = target != NULL && target[0] != '\0';
	error_set(err, said.kind, "auth.runas%s%.*s: %s", asked ? " for " : "", ACCOUNT_NAME_SIZE,
		  asked ? target : "", said.detail);
	return error_notify(err, said.notice);
}
