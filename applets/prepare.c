/*
 * prepare, as the user: waits until the job may have its directories, makes them, and says in
 * its log where it runs.
 */
#include "applets/applet.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/executor/scheduler.h"
#include "core/static_builds.h"
#include "core/version.h"
#include "core/workspace.h"

#define LOOK_AGAIN_MS 1000

/* Waits for the other jobs of this project, where they build in the same directory. */
static int take_builds(const struct invocation *call, const struct channel_reader *channel,
		       const struct state *state, struct turn *turn, struct error *err)
{
	struct pollfd end = {.fd = channel->fd, .events = POLLIN};
	int result;
	for (bool said = false; (result = static_builds_take(state, turn, err)) > 0; said = true) {
		if (!said)
			applet_say(call, "waiting for job %s, which builds in %s", turn->holder,
				   state->builds_dir);
		if (channel_was_ended(channel) || poll(&end, 1, LOOK_AGAIN_MS) != 0)
			return error_set(err, ERROR_SYSTEM, "the job was ended while it waited");
	}
	return result;
}

static void greet(const struct state *state)
{
	char host[256] = "";
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '?';
	printf("%s %s on %s as %s, executor %s\n", JACAMAR_NAME, JACAMAR_VERSION, host,
	       state->account.name, scheduler_name_of(state->executor));
	if (state->job_message != NULL)
		printf("%s\n", state->job_message);
	fflush(stdout);
}

int prepare_applet(struct invocation *call)
{
	struct error err;
	struct channel_reader channel;
	struct channel_header header;
	struct turn turn;

	if (applet_open_channel(call, &channel, &header, &err) != 0 ||
	    take_builds(call, &channel, &header.state, &turn, &err) != 0 ||
	    workspace_make(&header.state, &err) != 0)
		applet_fail(call, &err);
	turn_close(&turn);
	greet(&header.state);
	channel_free_header(&header);
	return 0;
}
