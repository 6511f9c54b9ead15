#include "core/stage/stage.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/executor/batch.h"
#include "core/identity/job.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/privilege/trusted_program.h"
#include "core/protocol/environment.h"
#include "core/stage/kill_leftovers.h"
#include "core/stage/pam_session.h"
#include "core/stage/sudo.h"
#include "core/workspace/script.h"

/* The limit of all arguments for the scheduler; far below that of the channel's header. */
#define ARGUMENTS_MOST_SIZE (256 * 1024)

/* The job's author may choose: the profiles are the author's own. */
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

/* The allocation that the job's author has chosen, made printable; "" if there is none. */
static void choose_allocation(char *name, size_t size, bool *release)
{
	const char *wanted = getenv("CUSTOM_ENV_JACAMAR_ALLOCATION");
	const char *last = getenv("CUSTOM_ENV_JACAMAR_ALLOCATION_RELEASE");
	snprintf(name, size, "%s", wanted != NULL ? wanted : "");
	text_make_printable(name);
	*release = last != NULL && strcmp(last, "true") == 0;
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
 * Opens the job response, which must be of the state's job. The process that becomes the user
 * checks that; with sudo it stays the service account, so a confined child checks it here. config
 * has read the response itself.
 */
static int open_response(const struct stage *side, int *response, struct error *err)
{
	*response = -1;
	if (strcmp(side->stage, "config") == 0)
		return 0;
	int fd = job_open(getenv("JOB_RESPONSE_FILE"), err);
	if (fd < 0)
		return -1;
	if (side->state->settings.auth.downscope != DOWNSCOPE_SUDO) {
		*response = fd;
		return 0;
	}
	int result = job_check_id_confined(fd, side->state->job_id, err);
	close(fd);
	return result;
}

/* Adds the value of the job's variable `name`, if the job has it. */
static int add_argument(json_t *arguments, const char *name, size_t *size, struct error *err)
{
	cleanup_free char *variable = text_format("CUSTOM_ENV_%s", name);
	const char *value = variable != NULL ? getenv(variable) : NULL;
	*size += value != NULL ? strlen(value) : 0;
	if (value == NULL || (*size <= ARGUMENTS_MOST_SIZE &&
			      json_array_append_new(arguments, json_string(value)) == 0))
		return 0;
	return error_set(err, ERROR_SYSTEM, "the job's variable %s is not UTF-8, or too long",
			 name);
}

/*
 * The arguments of the job's author for the scheduler, in the order of the configuration. The usual
 * variable comes first if the configuration does not name it: schedulers take the last of two equal
 * options.
 */
static json_t *collect_arguments(const struct state *state, struct error *err)
{
	static const char usual[] = "SCHEDULER_PARAMETERS";
	json_t *arguments = json_array();
	const struct string_list *names = &state->settings.batch.arguments_variable;
	size_t size = 0;
	int result = string_list_has(names, usual) ? 0 : add_argument(arguments, usual, &size, err);
	for (size_t i = 0; result == 0 && i < names->count; i++)
		result = add_argument(arguments, names->items[i], &size, err);
	if (result == 0 && arguments == NULL)
		error_set(err, ERROR_SYSTEM, "out of memory");
	if (result == 0)
		return arguments;
	json_decref(arguments);
	return NULL;
}

/*
 * If this process could not become the user, or the service account again (-1), it starts nothing
 * as the user any more.
 */
static int run_and_kill_leftovers(const struct stage_process *process, const struct cgroup *cgroup,
				  struct stage_end *end, struct error *err)
{
	int before = 0;
	int after = 0;
	if (strcmp(process->stage, "cleanup") == 0)
		before = kill_leftovers_before_cleanup(&process->header->state, cgroup, end->found,
						       &end->why_left);
	end->left = before != 0;
	int result = before < 0 ? -1 : monitor_run(process, &end->run, err);
	if (before >= 0 && end->run.interrupted)
		after = kill_leftovers(process, end->run.child, end->run.user_side, &end->why_left);
	end->left = end->left || after != 0;
	if (before >= 0 && after >= 0)
		return result;
	*err = end->why_left;
	return -1;
}

/*
 * Runs a stage in the job's cgroup. The user's side of cleanup is not in it: all that is in it was
 * killed, and limits that the job has used up must not keep cleanup from its work.
 */
static int run_in_cgroup(struct stage_process *process, struct stage_end *end, struct error *err)
{
	static const struct cgroup none = CGROUP_NONE;
	const struct state *state = &process->header->state;
	bool is_cleanup = strcmp(process->stage, "cleanup") == 0;
	struct cgroup cgroup;
	struct error unknown;
	int opened = cgroup_open(&state->settings.auth.cgroup, state->account.uid, state->job_id,
				 is_cleanup ? CGROUP_FIND : CGROUP_REUSE, &cgroup,
				 is_cleanup ? &unknown : err);
	int result = -1;
	if (opened == 0 || is_cleanup) {
		int64_t oom_kills = cgroup_read_usage(&cgroup).oom_kills;
		process->cgroup = is_cleanup ? &none : &cgroup;
		process->header->cgroup = process->cgroup->base >= 0 ? cgroup.path : NULL;
		result = run_and_kill_leftovers(process, &cgroup, end, err);
		end->usage = cgroup_read_usage(&cgroup);
		end->oom_kills = end->usage.oom_kills - oom_kills;
	}
	if (is_cleanup && opened != 0) {
		end->left = true;
		end->why_left = unknown;
	} else if (is_cleanup && !end->left && !cgroup_wait_until_empty(&cgroup, 0)) {
		end->left = true;
		error_set(&end->why_left, ERROR_SYSTEM, "%s", "");
		cgroup_add_names(&cgroup, end->why_left.detail, JOB_PROCESSES_NAMES_SIZE);
	}
	if (is_cleanup)
		cgroup_remove(&cgroup);
	process->cgroup = &none;
	process->header->cgroup = NULL;
	cgroup_close(&cgroup);
	return result;
}

int stage_run(const struct stage *side, struct stage_end *end, struct error *err)
{
	memset(end, 0, sizeof(*end));
	end->usage = CGROUP_USAGE_UNKNOWN;
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
	if (side->substage != NULL &&
	    batch_takes(side->state->settings.general.executor, side->substage)) {
		arguments = collect_arguments(side->state, err);
		if (arguments == NULL)
			return -1;
		header.arguments = arguments;
	}
	/* Room for more than the user's side accepts: a name that is too long is refused there. */
	char allocation[128];
	choose_allocation(allocation, sizeof(allocation), &header.release);
	header.allocation = allocation[0] != '\0' ? allocation : NULL;
	json_auto_t *environment = environment_of_user(
		&side->state->account, &side->state->settings.auth.downscope_env,
		&side->state->settings.general.user_bash_env, side->state->cookie);
	if (environment == NULL)
		return error_set_key(
			err, "auth.downscope_env", ERROR_SYSTEM,
			"a variable of auth.downscope_env is not UTF-8, or out of memory");
	header.environment = environment;

	cleanup_free char *program = trusted_program_resolve(
		side->state->jacamar, trusted_program_use_of(side->state->settings.auth.downscope),
		err);
	if (program == NULL)
		return -1;

	bool by_sudo = side->state->settings.auth.downscope == DOWNSCOPE_SUDO;
	const char *sudo = by_sudo ? sudo_find(err) : NULL;
	if (by_sudo && sudo == NULL)
		return -1;

	struct stage_process process = {
		.program = program,
		.sudo = sudo,
		.jacamar = side->state->jacamar,
		.session = pam_session_of(side->state, side->stage),
		.stage = side->stage,
		.substage = side->substage,
		.header = &header,
		.script = script,
		.response = response,
		.output = side->output,
	};
	return run_in_cgroup(&process, end, err);
}

int stage_check(const struct stage_end *end, struct error *err)
{
	if (end->left)
		return error_set(
			err, ERROR_SYSTEM,
			"the job ended, but some of its processes could not be killed: they run "
			"as root, are stuck in the kernel, or kill the jacamar that sudo starts to "
			"kill them; ask the administrator of this host to kill them (%s)",
			end->why_left.detail);
	if (end->run.cancelled)
		return error_cancelled(err);
	int signal = end->run.signal;
	if (end->run.explained)
		return error_set(err, ERROR_SYSTEM, "%s", "");
	if (signal != 0)
		return error_set(
			err, ERROR_SYSTEM,
			"jacamar, which supervises the job, was killed by signal %d (%s)%s", signal,
			signals_name(signal),
			signal == SIGKILL ? ": by a process of the job or because of a lack of "
					    "memory"
					  : "");
	return 0;
}
