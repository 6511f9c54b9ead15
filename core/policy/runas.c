#include "core/policy/runas.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "config/check.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/json.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"
#include "core/privilege/run_unprivileged.h"
#include "core/privilege/trusted_program.h"
#include "core/protocol/environment.h"

#define SCRIPT_LIMIT_MS	 60000
#define CONFINE_LIMIT_MS 30000

/* The limit for a script with a digest: it is read as a whole. */
#define SCRIPT_MOST_SIZE (64 * 1024 * 1024)

#define DIGEST_SIZE 32

/* In a confined child: only such a child loads the library that has SHA-256. */
static int digest_file(const void *argument, void *reply, struct error *err)
{
	struct jose_library jose;
	size_t size;
	cleanup_free char *bytes = io_read_to_end(*(const int *)argument, SCRIPT_MOST_SIZE, &size);
	if (bytes == NULL)
		return error_set_key(err, "auth.runas.validation_script", ERROR_SYSTEM,
				     "cannot read auth.runas.validation_script: %s",
				     strerror(errno));
	if (dynamic_libraries_open_jose(&jose, err) != 0)
		return -1;
	jose.sha256((const unsigned char *)bytes, size, reply);
	return 0;
}

/*
 * Opens the script at `path`, which has no links in it, and compares its digest. The descriptor is
 * what is executed: the file at that path may change meanwhile.
 */
static int open_checked(const char *path, const char *sha256, struct error *err)
{
	unsigned char digest[DIGEST_SIZE];
	char text[2 * DIGEST_SIZE + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open %s", path);
	const struct confinement how = {.limit_ms = CONFINE_LIMIT_MS, .file = &fd};
	int result = confine_run(&how, digest_file, &fd, digest, sizeof(digest), err);
	if (result == 0) {
		text_hex(digest, sizeof(digest), text);
		if (strcasecmp(text, sha256) == 0)
			return fd;
		result = error_set_key(
			err, "auth.runas.sha256", ERROR_DENIED,
			"auth.runas.validation_script %s has the sha256 %s, which is not "
			"that of auth.runas.sha256; if you changed the script, change the "
			"setting to that digest",
			path, text);
	}
	close(fd);
	return result;
}

/* The claims come last, so that no setting of the site can replace one. */
static json_t *environment_of_script(const struct string_list *settings,
				     const struct runas_question *question, struct error *err)
{
	json_auto_t *list = environment_of_login(question->service);
	char scoped[64] = "JOB_SCOPED_USER_ID=";
	size_t length = strlen(scoped);
	if (question->scoped_user_id != 0)
		snprintf(scoped + length, sizeof(scoped) - length, "%" PRIu64,
			 question->scoped_user_id);
	bool set = list != NULL;
	for (size_t i = 0; set && i < settings->count; i++)
		set = environment_set(list, settings->items[i]) == 0;
	set = set && environment_set(list, scoped) == 0;
	if (set && claims_to_environment(question->claims, list, err) == 0)
		return json_incref(list);
	if (!set)
		error_set(err, ERROR_SYSTEM, "out of memory");
	return NULL;
}

/*
 * Takes an optional string of the reply. False if it is something else, too long, or empty: an
 * empty username must not mean "any account".
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
		return error_set(err, ERROR_DENIED, "its output is not a JSON object (line %d)",
				 where.line);
	bool fit =
		take_string(root, "username", reply->answer.username,
			    sizeof(reply->answer.username)) &&
		take_string(root, "data_dir", reply->answer.data_dir,
			    sizeof(reply->answer.data_dir)) &&
		take_string(root, "error_message", reply->error_message,
			    sizeof(reply->error_message)) &&
		take_string(root, "user_message", reply->user_message, sizeof(reply->user_message));
	/* An unknown member may have been meant as a restriction. */
	if (!fit || json_object_size(root) > 0)
		return error_set(err, ERROR_DENIED,
				 "its JSON must have no members but username, data_dir, "
				 "error_message and user_message, which must be strings, not "
				 "empty, and not too long");
	return 0;
}

static int parse_captured(const void *argument, void *reply, struct error *err)
{
	const struct unprivileged_output *captured = argument;
	return runas_parse(captured->output, captured->size, reply, err);
}

/*
 * Checks data_dir by the rules of general.data_dir; the only variable that it may have is HOME.
 * "~/rest" becomes "$HOME/rest". Returns NULL, or the rule that it breaks.
 */
static const char *take_data_dir(char data_dir[ACCOUNT_PATH_SIZE])
{
	static const char home[] = "$HOME";
	size_t length = strlen(data_dir);
	if (strncmp(data_dir, "~/", 2) == 0) {
		if (length + sizeof(home) > ACCOUNT_PATH_SIZE)
			return "is too long";
		memmove(data_dir + sizeof(home) - 1, data_dir + 1, length);
		memcpy(data_dir, home, sizeof(home) - 1);
	}
	const char *after = data_dir + sizeof(home) - 1;
	bool is_home =
		strncmp(data_dir, home, sizeof(home) - 1) == 0 && (*after == '/' || *after == '\0');
	if (data_dir[0] == '$' && !is_home)
		return "may have a $ only in $HOME at its beginning";
	return check_data_dir(data_dir);
}

/* Checks what the confined child has returned: its parser may have been taken over. */
static int accept_reply(struct runas_reply *reply, struct error *err)
{
	struct runas_answer *answer = &reply->answer;
	answer->username[sizeof(answer->username) - 1] = '\0';
	answer->data_dir[sizeof(answer->data_dir) - 1] = '\0';
	reply->error_message[sizeof(reply->error_message) - 1] = '\0';
	reply->user_message[sizeof(reply->user_message) - 1] = '\0';
	if (answer->username[0] != '\0' && !account_name_is_valid(answer->username))
		return error_set(err, ERROR_DENIED, "its username '%s' is not a valid account name",
				 answer->username);
	const char *rule = answer->data_dir[0] != '\0' ? take_data_dir(answer->data_dir) : NULL;
	if (rule != NULL)
		return error_set(err, ERROR_DENIED, "its data_dir '%s' %s", answer->data_dir, rule);
	return 0;
}

/* The script may refuse by its exit code or by a message. */
static int judge(const struct unprivileged_output *captured, const struct runas_reply *reply,
		 struct error *err)
{
	int code = WIFEXITED(captured->status) ? WEXITSTATUS(captured->status) : -1;
	bool told = reply->user_message[0] != '\0';
	if (code == 0 && reply->error_message[0] == '\0' && !told)
		return 0;
	if (code < 0)
		error_set(err, ERROR_DENIED, "it was killed by signal %d",
			  WTERMSIG(captured->status));
	else
		error_set(err, ERROR_DENIED, "it refused with exit code %d: %s%s%s%s%s", code,
			  reply->error_message, told ? "; user_message: " : "", reply->user_message,
			  captured->errors[0] != '\0' ? "; standard error: " : "",
			  captured->errors);
	return error_notify(err, told ? reply->user_message : reply->error_message);
}

static int run_script(const struct runas_settings *settings, int descriptor, const char *program,
		      json_t *environment, const char *target, const char *name,
		      struct runas_answer *answer, struct error *err)
{
	bool asked = target != NULL && target[0] != '\0';
	cleanup_free char **variables = environment_vector(environment);
	cleanup_free struct unprivileged_output *captured = malloc(sizeof(*captured));
	const char *arguments[] = {settings->validation_script, asked ? target : name,
				   asked ? name : NULL, NULL};
	struct unprivileged_run capture = {
		.program = program,
		.descriptor = descriptor,
		.arguments = (char *const *)arguments,
		.environment = variables,
		.limit_ms = SCRIPT_LIMIT_MS,
	};
	struct runas_reply reply;
	if (variables == NULL || captured == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (run_unprivileged(&capture, captured, err) != 0)
		return -1;
	const struct confinement how = {.limit_ms = CONFINE_LIMIT_MS};
	int parsed = confine_run(&how, parse_captured, captured, &reply, sizeof(reply), err);
	if (parsed == 0)
		parsed = accept_reply(&reply, err);
	/* A script that refuses need not print JSON. */
	if (parsed != 0)
		memset(&reply, 0, sizeof(reply));
	if (judge(captured, &reply, err) != 0 || parsed != 0)
		return -1;
	*answer = reply.answer;
	if (asked && answer->username[0] == '\0')
		snprintf(answer->username, sizeof(answer->username), "%s", target);
	return 0;
}

static int ask(const struct runas_settings *settings, const struct runas_question *question,
	       struct runas_answer *answer, struct error *err)
{
	const char *target = question->target;
	/*
	 * The job's author chose the target. It must be a plain login; the script can map it to any
	 * account.
	 */
	if (target != NULL && target[0] != '\0' && !account_login_is_valid(target))
		return error_set(err, ERROR_DENIED,
				 "the job asks for the account '%s', which is not a valid name",
				 target);
	cleanup_free char *program =
		trusted_program_resolve(settings->validation_script, PROGRAM_OF_SERVICE, err);
	if (program == NULL)
		return -1;
	cleanup_close int descriptor = -1;
	if (settings->sha256 != NULL) {
		descriptor = open_checked(program, settings->sha256, err);
		if (descriptor < 0)
			return -1;
	}
	json_auto_t *environment = environment_of_script(&settings->validation_env, question, err);
	if (environment == NULL)
		return -1;
	return run_script(settings, descriptor, program, environment, target, question->name,
			  answer, err);
}

int runas_ask(const struct runas_settings *settings, const struct runas_question *question,
	      struct runas_answer *answer, struct error *err)
{
	const char *target = question->target;
	memset(answer, 0, sizeof(*answer));
	if (ask(settings, question, answer, err) == 0)
		return 0;
	struct error said = *err;
	bool asked = target != NULL && target[0] != '\0';
	error_set_key(err, said.key, said.kind, "auth.runas%s%.*s: %s", asked ? " for " : "",
		      ACCOUNT_NAME_SIZE, asked ? target : "", said.detail);
	return error_notify(err, said.notice);
}
