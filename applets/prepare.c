/*
 * prepare, as the user: waits until the job can lock its builds directory, makes the job's
 * directories, and writes to the log where the job runs.
 */
#include "applets/applet.h"

#include <stdio.h>
#include <unistd.h>

#include "core/executor/container.h"
#include "core/executor/scheduler.h"
#include "core/executor/shell.h"
#include "core/lib/io.h"
#include "core/lib/version.h"
#include "core/workspace/builds_lock.h"
#include "core/workspace/workspace_directories.h"

#define LOOK_AGAIN_MS 1000

/* Reports for which job this one waits. */
static void say_holder(const struct invocation *call, const struct state *state,
		       const struct builds_holder *holder)
{
	if (holder->job != 0)
		applet_say(call, "waiting for job %llu on %s, which builds in %s",
			   (unsigned long long)holder->job, holder->host, state->builds_dir);
	else
		applet_say(call, "waiting for another job, which builds in %s", state->builds_dir);
}

/*
 * Waits for other jobs of this project, which build in the same directory. If the processes of such
 * a job have died, waits for its kill timeout: its runner may still call another stage.
 */
static int wait_for_builds(const struct invocation *call, const struct channel_reader *channel,
			   const struct state *state, struct builds_lock *lock, struct error *err)
{
	int64_t interrupted = -1; /* when that was first seen */
	bool impatient = false;
	int result;
	for (bool said = false; (result = builds_lock_take(state, impatient, lock, err)) > 0;
	     said = true) {
		const struct builds_holder holder = lock->holder;
		builds_lock_close(lock);
		if (!said)
			say_holder(call, state, &holder);
		if (applet_is_ended(channel, LOOK_AGAIN_MS))
			return error_cancelled(err);
		int64_t now = io_now_ms();
		if (!holder.interrupted || interrupted < 0)
			interrupted = holder.interrupted ? now : -1;
		impatient = holder.interrupted && now - interrupted >= holder.timeout_ms;
	}
	return result;
}

/* If each job has a directory of its own, config has locked it already. */
static int take_builds(const struct invocation *call, const struct channel_reader *channel,
		       const struct state *state, struct builds_lock *lock, struct error *err)
{
	if (state->settings.general.static_builds_dir && state->custom_builds == NULL)
		return wait_for_builds(call, channel, state, lock, err);
	int result = builds_lock_take(state, false, lock, err);
	if (result <= 0)
		return result;
	return error_set(err, ERROR_SYSTEM,
			 "the builds directory %s was taken by another job since config; run this "
			 "one again",
			 state->builds_dir);
}

static void greet(const struct state *state)
{
	char host[256] = "";
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '?';
	printf("%s %s on %s as %s, executor %s\n", JACAMAR_NAME, JACAMAR_VERSION, host,
	       state->account.name, scheduler_name_of(state->settings.general.executor));
	if (state->settings.general.job_message != NULL)
		printf("%s\n", state->settings.general.job_message);
	fflush(stdout);
}

/* Processes that the hook has left running may stay. Those of the container runtime are ended. */
static int pull_image(const struct invocation *call, const struct channel_reader *channel,
		      const struct channel_header *header, int scripts, struct error *err)
{
	struct login_shell_end end;
	struct pid_list of_hook = {.count = 0};
	if (header->state.image == NULL)
		return 0;
	if (process_tree_descendants(&of_hook) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot list the processes of the job");
	int result = shell_pull_image(header, channel, &end, err);
	container_end_helpers(&of_hook);
	pid_list_free(&of_hook);
	applet_note_leftovers(call, &end, scripts);
	return result;
}

/* As run does for a script: while the hook runs, the job keeps its builds directory. */
static int run_commands(const struct invocation *call, const struct channel_reader *channel,
			const struct channel_header *header, struct error *err)
{
	struct builds_lock lock;
	struct login_shell_end end;
	if (header->state.settings.general.prepare_hook == NULL && header->state.image == NULL)
		return 0;
	cleanup_close int scripts = workspace_open_scripts(&header->state, err);
	if (scripts < 0)
		return -1;
	int result = builds_lock_keep(&header->state, BUILDS_LOCK_INTERVAL_S, &lock, err);
	if (result == 0) {
		result = shell_run_prepare_hook(header, channel, &end, err);
		applet_note_leftovers(call, &end, scripts);
		if (result == 0)
			result = pull_image(call, channel, header, scripts, err);
		builds_lock_pause(&lock);
	}
	builds_lock_close(&lock);
	return result;
}

int prepare_applet(const struct invocation *call, struct channel_reader *channel,
		   const struct channel_header *header, struct error *err)
{
	struct builds_lock lock = {.directory = -1, .fd = -1};

	if (take_builds(call, channel, &header->state, &lock, err) != 0 ||
	    workspace_make(&header->state, err) != 0)
		return -1;
	builds_lock_pause(&lock);
	builds_lock_close(&lock);
	greet(&header->state);
	return run_commands(call, channel, header, err);
}
