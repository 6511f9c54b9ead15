/*
 * cleanup, as the user: ends what still runs of the job, here and in the scheduler, and removes its
 * scripts and old builds. As the helper of core/sweep.h it kills, and does no more.
 */
#include "applets/applet.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/environment.h"
#include "core/executor/batch.h"
#include "core/io.h"
#include "core/search.h"
#include "core/static_builds.h"
#include "core/supervise.h"
#include "core/text.h"
#include "core/workspace.h"

/* How long a process has between SIGTERM and SIGKILL, and how long killing goes on. */
#define GRACE_MS 2000
#define MOST_MS	 20000
#define PAUSE_MS 20
#define LOOKS	 10

/* How long a job may be kept by the builds of others. */
#define MOST_CLEANING_MS 30000

/* Ends every process of this account that carries the job's cookie; our own has it, too. */
static int end_processes(const struct invocation *call, const struct state *state,
			 struct error *err)
{
	cleanup_free char *cookie = text_format(ENVIRONMENT_COOKIE "=%s", state->cookie);
	struct search_mark mark = {.variable = cookie};
	char names[512] = "";
	int64_t start = io_now_ms();
	if (cookie == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");

	/* Who forks and exits, again and again, passes by some looks, but not by many in a row. */
	for (int looks_in_vain = 0; looks_in_vain < LOOKS;) {
		struct pid_list found = {.count = 0};
		int64_t waited = io_now_ms() - start;
		bool first = names[0] == '\0';
		mark.signal_number = waited > GRACE_MS ? SIGKILL : 0;
		if (search_processes(&mark, &found, first ? names : NULL, sizeof(names)) != 0)
			return error_errno(err, ERROR_SYSTEM, "cannot look for processes in /proc");
		if (first && found.count > 0)
			supervise_terminate(&found);
		else if (waited > GRACE_MS)
			supervise_kill(&found);
		looks_in_vain = found.count == 0 ? looks_in_vain + 1 : 0;
		bool pause = found.count > 0 && waited <= GRACE_MS;
		pid_list_free(&found);
		if (waited > MOST_MS)
			return error_set(err, ERROR_SYSTEM,
					 "processes of the job cannot be ended: %s", names);
		if (pause)
			usleep(PAUSE_MS * 1000);
	}
	if (names[0] != '\0')
		applet_say(call, "ended processes that the job left behind: %s", names);
	return 0;
}

/* The job is over: nothing of this makes it fail. */
static void leave_builds(const struct invocation *call, const struct state *state)
{
	struct error err;
	int removed;
	if (static_builds_leave(state, &err) != 0)
		applet_say(call, "%s", err.detail);
	int result = static_builds_clean(state, MOST_CLEANING_MS, &removed, &err);
	if (removed > 0)
		applet_say(call,
			   "removed builds that no job had used for %lld days, of projects: %d",
			   (long long)state->static_builds_days, removed);
	if (result != 0)
		applet_say(call, "%s", err.detail);
}

/* Kills every process of this account that carries the cookie, and all below it. */
static void kill_by_cookie(const struct state *state)
{
	cleanup_free char *cookie = text_format(ENVIRONMENT_COOKIE "=%s", state->cookie);
	struct search_mark mark = {.variable = cookie, .signal_number = SIGSTOP};
	struct pid_list found = {.count = 0};
	if (cookie != NULL && search_processes(&mark, &found, NULL, 0) == 0)
		supervise_kill(&found);
	pid_list_free(&found);
}

/*
 * What jacamar-auth may not signal, and perhaps not see: the processes that it named, what has
 * become its child since, and what carries the cookie. It starts another one for what is left.
 */
static void sweep(const struct channel_header *header)
{
	pid_t service = (pid_t)json_integer_value(json_array_get(header->sweep, 0));
	struct pid_list named = {.count = 0};
	struct pid_list spared = {.count = 0};
	for (size_t i = 1; i < json_array_size(header->sweep); i++)
		pid_list_add(&named, (pid_t)json_integer_value(json_array_get(header->sweep, i)));
	/* Us, and the sudo that started us, of which one is a child of jacamar-auth. */
	pid_list_add(&spared, getpid());
	pid_list_add(&spared, getppid());
	supervise_kill(&named);
	kill_by_cookie(&header->state);
	(void)supervise_kill_below(service, &spared, MOST_MS);
	pid_list_free(&named);
	pid_list_free(&spared);
}

static void say(const void *call, const char *line)
{
	applet_say(call, "%s", line);
}

/* After the processes: one of them may be on its way to the scheduler. */
static int end_batch_jobs(const struct invocation *call, const struct channel_reader *channel,
			  const struct channel_header *header, struct error *err)
{
	struct batch_call batch = {
		.header = header,
		.channel = channel,
		.core_limit = call->core_limit,
		.voice = {say, call},
	};
	return batch_clean_up(&batch, err);
}

int cleanup_applet(struct invocation *call)
{
	struct error err;
	struct error also;
	struct channel_reader channel;
	struct channel_header header;

	if (applet_open_channel(call, &channel, &header, &err) != 0)
		applet_fail(call, &err);
	if (header.sweep != NULL) {
		sweep(&header);
		channel_free_header(&header);
		return 0;
	}
	/* The scripts hold secrets: they go also where a process would not. */
	int ended = end_processes(call, &header.state, &err);
	struct error batch;
	if (end_batch_jobs(call, &channel, &header, &batch) != 0) {
		if (ended != 0)
			applet_say(call, "%s", err.detail);
		err = batch;
		ended = -1;
	}
	int removed = header.state.retain_logs ? 0 : workspace_remove_scripts(&header.state, &also);
	if (ended == 0)
		leave_builds(call, &header.state);
	if (ended != 0 && removed != 0)
		applet_say(call, "%s", also.detail);
	if (ended != 0 || removed != 0)
		applet_fail(call, ended != 0 ? &err : &also);
	channel_free_header(&header);
	return 0;
}
