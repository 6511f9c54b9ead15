#include "core/user_side.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/environment.h"
#include "core/executor/batch.h"
#include "core/io.h"
#include "core/job.h"
#include "core/program.h"
#include "core/script.h"
#include "core/sudo.h"
#include "core/text.h"

/* Of all arguments for the scheduler; far from what the channel's header takes. */
#define ARGUMENTS_MOST_SIZE (256 * 1024)

/* Choices of the job's author, about the author's own profiles. */
static enum profile_choice choose_profile(void)
{
	const char *none = getenv("CUSTOM_ENV_JACAMAR_NO_BASH_PROFILE");
	const char *etc_only = getenv("CUSTOM_ENV_JACAMAR_ETC_PROFILE_ONLY");
	if (none != NULL && strcmp(none, "true") == 0)
		return PROFILE_NONE;
	if (etc_only != NULL && strcmp(etc_only, "true") == 0)
		return PROFILE_ETC_ONLY;
	return PROFILE_LOGIN;
}

static int open_script(const char *path, uint64_t *size, struct error *err)
{
	struct stat found;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open the script %s", path);
	if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
		close(fd);
		return error_set(err, ERROR_SYSTEM, "the script %s is not a file", path);
	}
	*size = (uint64_t)found.st_size;
	return fd;
}

/*
 * Opens the response, which must be of the state's job. The process that becomes the user checks
 * it; sudo is executed by one that is still the service account, so there it is done before.
 * config knows the job already, from a response that it read itself.
 */
static int open_response(const struct user_side *side, int *response, struct error *err)
{
	*response = -1;
	if (side->data_dir != NULL)
		return 0;
	int fd = job_open(getenv("JOB_RESPONSE_FILE"), err);
	if (fd < 0)
		return -1;
	if (side->state->downscope != DOWNSCOPE_SUDO) {
		*response = fd;
		return 0;
	}
	int result = job_check_id_confined(fd, side->state->job_id, err);
	close(fd);
	return result;
}

/* What the job's author wrote for the scheduler, in the order of the variables' names. */
static json_t *collect_arguments(const struct state *state, struct error *err)
{
	json_t *arguments = json_array();
	size_t size = 0;
	size_t index;
	json_t *name;
	json_array_foreach (state->argument_variables, index, name) {
		cleanup_free char *variable = text_format("CUSTOM_ENV_%s", json_string_value(name));
		const char *value = variable != NULL ? getenv(variable) : NULL;
		size += value != NULL ? strlen(value) : 0;
		if (value == NULL || (size <= ARGUMENTS_MOST_SIZE &&
				      json_array_append_new(arguments, json_string(value)) == 0))
			continue;
		error_set(err, ERROR_SYSTEM, "the job's variable %s is not UTF-8, or too long",
			  json_string_value(name));
		json_decref(arguments);
		return NULL;
	}
	return arguments;
}

int user_side_run(const struct user_side *side, struct session_end *end, struct error *err)
{
	struct channel_header header = {
		.profile = choose_profile(), .data_dir = side->data_dir, .state = *side->state};
	cleanup_close int script = -1;
	cleanup_close int response = -1;
	if (open_response(side, &response, err) != 0)
		return -1;
	if (side->script != NULL) {
		script = open_script(side->script, &header.script_size, err);
		if (script < 0)
			return -1;
	}
	json_auto_t *arguments = NULL;
	if (side->substage != NULL && batch_takes(side->state->executor, side->substage)) {
		arguments = collect_arguments(side->state, err);
		if (arguments == NULL)
			return -1;
		header.arguments = arguments;
	}
	json_auto_t *environment =
		environment_of_user(&side->state->account, side->state->environment_names,
				    side->state->user_environment, side->state->cookie);
	if (environment == NULL)
		return error_set(err, ERROR_SYSTEM,
				 "a variable of auth.downscope_env is not UTF-8, or out of memory");
	header.environment = environment;

	cleanup_free char *program =
		program_resolve(side->state->jacamar, program_use_of(side->state->downscope), err);
	if (program == NULL)
		return -1;

	bool by_sudo = side->state->downscope == DOWNSCOPE_SUDO;
	const char *sudo = by_sudo ? sudo_find(err) : NULL;
	if (by_sudo && sudo == NULL)
		return -1;

	struct session session = {
		.program = program,
		.sudo = sudo,
		.jacamar = side->state->jacamar,
		.stage = side->stage,
		.substage = side->substage,
		.header = &header,
		.script = script,
		.response = response,
		.output = side->output,
		.core_limit = side->core_limit,
	};
	return session_run(&session, end, err);
}

int user_side_check(const struct session_end *end, struct error *err)
{
	if (end->left)
		return error_set(
			err, ERROR_SYSTEM,
			"the job was ended, but some of its processes could not be: they are "
			"root's by now, do not react to SIGKILL, or, where sudo is the way to the "
			"user, kill who comes to end them");
	if (end->cancelled)
		return error_set(err, ERROR_CANCELLED,
				 "the job was cancelled; its processes were ended");
	if (end->signal == SESSION_FAILED)
		return error_set(err, ERROR_SYSTEM, "%s", "");
	if (end->signal != 0)
		return error_set(
			err, ERROR_SYSTEM,
			"the job's supervisor on the user's side was killed by signal %d (%s); "
			"its processes were ended",
			end->signal,
			end->signal == SIGKILL ? "by the user, or for want of memory"
					       : strsignal(end->signal));
	return 0;
}
