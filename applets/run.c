/*
 * run, as the user: the script comes over the channel, and its exit code goes back.
 */
#include "applets/applet.h"

#include "core/executor/shell.h"
#include "core/script.h"
#include "core/static_builds.h"

static int run_script(const struct invocation *call, struct channel_reader *channel,
		      const struct channel_header *header, int *exit_code, struct error *err)
{
	struct login_shell_end end;
	struct script script;
	struct error not_removed;

	if (script_receive(channel, header, call->operands[1], &script, err) != 0) {
		script_free(&script);
		return -1;
	}
	int result = shell_run(&script, header, channel, call->core_limit, exit_code, &end, err);
	if (end.left_behind[0] != '\0')
		applet_say(call,
			   "ended processes that the script left behind with its log open, or "
			   "closed to a look: %s",
			   end.left_behind);
	if (!header->state.retain_logs && script_remove(&script, &not_removed) != 0)
		applet_say(call, "%s", not_removed.detail);
	script_free(&script);
	return result;
}

static int run(const struct invocation *call, struct channel_reader *channel,
	       const struct channel_header *header, int *exit_code, struct error *err)
{
	struct turn turn;
	int result = static_builds_keep(&header->state, &turn, err);
	if (result == 0) {
		result = run_script(call, channel, header, exit_code, err);
		turn_touch(&turn);
	}
	turn_close(&turn);
	return result;
}

int run_applet(struct invocation *call)
{
	struct error err;
	struct channel_reader channel;
	struct channel_header header;
	int exit_code = 0;

	if (!script_is_substage(call->operands[1])) {
		error_set(&err, ERROR_USAGE, "a sub-stage is 1 to 64 of [A-Za-z0-9_-], not '%.64s'",
			  call->operands[1]);
		applet_fail(call, &err);
	}
	if (applet_open_channel(call, &channel, &header, &err) != 0 ||
	    run(call, &channel, &header, &exit_code, &err) != 0)
		applet_fail(call, &err);
	channel_free_header(&header);
	return exit_code;
}
