/*
 * prepare, as the user: makes the job's directories and says in its log where it runs.
 */
#include "applets/applet.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/version.h"
#include "core/workspace.h"

static void greet(const struct state *state)
{
	char host[256] = "";
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '?';
	printf("%s %s on %s as %s, executor shell\n", JACAMAR_NAME, JACAMAR_VERSION, host,
	       state->account.name);
	if (state->job_message != NULL)
		printf("%s\n", state->job_message);
	fflush(stdout);
}

int prepare_applet(struct invocation *call)
{
	struct error err;
	struct channel_reader channel;
	struct channel_header header;

	if (applet_open_channel(call, &channel, &header, &err) != 0 ||
	    workspace_make(&header.state, &err) != 0)
		applet_fail(call, &err);
	greet(&header.state);
	channel_free_header(&header);
	return 0;
}
