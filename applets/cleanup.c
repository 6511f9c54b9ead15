/*
 * cleanup, as the user: ends what still runs of the job, and removes its scripts.
 */
#include "applets/applet.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/environment.h"
#include "core/io.h"
#include "core/supervise.h"
#include "core/text.h"
#include "core/workspace.h"

/* How long a process has between SIGTERM and SIGKILL, and how long killing goes on. */
#define GRACE_MS 2000
#define MOST_MS	 20000
#define PAUSE_MS 20

/* Ends every process of this account that carries the job's cookie; our own has it, too. */
static int end_processes(const struct invocation *call, const struct state *state,
			 struct error *err)
{
	cleanup_free char *cookie = text_format(ENVIRONMENT_COOKIE "=%s", state->cookie);
	struct supervise_mark mark = {.variable = cookie};
	char names[512] = "";
	int64_t start = io_now_ms();
	if (cookie == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");

	for (bool first = true;; first = false) {
		struct pid_list found = {.count = 0};
		supervise_find(&mark, &found, first ? names : NULL, sizeof(names));
		int64_t waited = io_now_ms() - start;
		if (first || waited > GRACE_MS)
			supervise_signal(&found, first ? SIGTERM : SIGKILL);
		if (first)
			supervise_signal(&found, SIGCONT);
		bool any = found.count > 0;
		pid_list_free(&found);
		if (!any)
			break;
		if (waited > MOST_MS)
			return error_set(err, ERROR_SYSTEM,
					 "processes of the job cannot be ended: %s", names);
		usleep(PAUSE_MS * 1000);
	}
	if (names[0] != '\0')
		applet_say(call, "ended processes that the job left behind: %s", names);
	return 0;
}

int cleanup_applet(struct invocation *call)
{
	struct error err;
	struct channel_reader channel;
	struct channel_header header;

	if (applet_open_channel(call, &channel, &header, &err) != 0 ||
	    end_processes(call, &header.state, &err) != 0 ||
	    (!header.state.retain_logs && workspace_remove_scripts(&header.state, &err) != 0))
		applet_fail(call, &err);
	channel_free_header(&header);
	return 0;
}
