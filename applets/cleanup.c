/*
 * cleanup, as the user: kills what still runs of the job, here and in the scheduler, and removes
 * its scripts and old builds. As the helper of core/stage/kill_leftovers.h it only kills.
 */
#include "applets/applet.h"

#include <unistd.h>

#include "core/executor/batch.h"
#include "core/executor/container.h"
#include "core/process/job_processes.h"
#include "core/process/process_tree.h"
#include "core/workspace/builds_lock.h"
#include "core/workspace/static_builds.h"
#include "core/workspace/workspace_directories.h"

/* How long the helper of core/stage/kill_leftovers.h searches. */
#define HELPER_MS 4000

/* The limit for removing old builds. */
#define MOST_CLEANING_MS 30000

/*
 * If jacamar-auth changes accounts, it has searched for the cookie before
 * (core/stage/kill_leftovers.h), but cannot read the user's list of other processes that the
 * sub-stages left running.
 */
static int end_processes(const struct invocation *call, const struct state *state,
			 struct error *err)
{
	char names[JOB_PROCESSES_NAMES_SIZE];
	bool searched = state->settings.auth.downscope == DOWNSCOPE_SETUID;
	int result = job_processes_end(searched ? NULL : state->cookie, state->scripts_dir,
				       JOB_PROCESSES_GRACE_MS, JOB_PROCESSES_LIMIT_MS, names, err);
	if (result == 0 && names[0] != '\0')
		applet_say(call, "ended processes that the job left behind: %s", names);
	return result;
}

/* The job is over: failures are only reported. */
static void leave_builds(const struct invocation *call, const struct state *state)
{
	struct error err;
	int removed;
	if (builds_lock_leave(state, &err) != 0)
		applet_say(call, "%s", err.detail);
	int result = static_builds_clean(state, MOST_CLEANING_MS, &removed, &err);
	if (removed > 0)
		applet_say(call,
			   "removed builds that no job had used for %lld days, of projects: %d",
			   (long long)state->settings.general.static_builds_days, removed);
	if (result != 0)
		applet_say(call, "%s", err.detail);
}

/*
 * Kills the processes that jacamar-auth may not signal, and perhaps not see: those of its list, its
 * children by now, and those with the job's cookie. Returns the exit code: 0 if no process with the
 * cookie is left. Otherwise jacamar-auth starts another helper.
 */
static int kill_for_service(const struct channel_header *header)
{
	struct error ignored;
	char names[JOB_PROCESSES_NAMES_SIZE];
	pid_t service = (pid_t)json_integer_value(json_array_get(header->kill_list, 0));
	struct pid_list named = {.count = 0};
	struct pid_list spared = {.count = 0};
	for (size_t i = 1; i < json_array_size(header->kill_list); i++)
		pid_list_add(&named,
			     (pid_t)json_integer_value(json_array_get(header->kill_list, i)));
	/* This process and the sudo that started it, one of which is a child of jacamar-auth. */
	pid_list_add(&spared, getpid());
	pid_list_add(&spared, getppid());
	process_tree_kill(&named);
	(void)process_tree_kill_below(service, &spared, JOB_PROCESSES_LIMIT_MS);
	int result = job_processes_end(header->state.cookie, NULL, 0, HELPER_MS, names, &ignored);
	pid_list_free(&named);
	pid_list_free(&spared);
	return result == 0 ? 0 : 1;
}

static void say(const void *call, const char *line)
{
	applet_say(call, "%s", line);
}

int cleanup_applet(const struct invocation *call, struct channel_reader *channel,
		   const struct channel_header *header, struct error *err)
{
	struct error also;
	struct batch_call batch = {
		.header = header,
		.channel = channel,
		.reporter = {say, call},
	};

	if (header->kill_list != NULL)
		return kill_for_service(header);
	/* The scripts have secrets in them: they are removed also if a process is left. */
	int ended = end_processes(call, &header->state, err);
	/* After the processes, because one of them may still submit a job. */
	if (batch_clean_up(&batch, &also) != 0) {
		if (ended != 0)
			applet_say(call, "%s", err->detail);
		*err = also;
		ended = -1;
	}
	if (container_remove(&header->state, &also) != 0)
		applet_say(call, "%s", also.detail);
	int removed = header->state.settings.general.retain_logs
			      ? 0
			      : workspace_remove_scripts(&header->state, &also);
	if (ended == 0)
		leave_builds(call, &header->state);
	if (ended != 0 && removed != 0)
		applet_say(call, "%s", also.detail);
	else if (removed != 0)
		*err = also;
	return ended != 0 || removed != 0 ? -1 : 0;
}
