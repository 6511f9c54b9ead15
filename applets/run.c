/*
 * run, as the user: the script comes over the channel, and its exit code goes back.
 */
#include "applets/applet.h"

#include <string.h>

#include "core/executor/batch.h"
#include "core/executor/shell.h"
#include "core/io.h"
#include "core/script.h"
#include "core/static_builds.h"
#include "core/text.h"

/* Where the job's own output goes: the runner reads that and standard error in no order. */
static void say(const void *context, const char *line)
{
	const struct invocation *call = context;
	cleanup_free char *text = text_format("%s: %s\n", call->program, line);
	if (text != NULL)
		(void)io_write_all(STDOUT_FILENO, text, strlen(text));
}

static int run_here(const struct invocation *call, const struct channel_reader *channel,
		    const struct channel_header *header, const struct script *script,
		    int *exit_code, struct error *err)
{
	struct login_shell_end end;
	int result = shell_run(script, header, channel, call->core_limit, exit_code, &end, err);
	if (end.left_behind[0] != '\0')
		applet_say(call,
			   "ended processes that the script left behind with its log open, or "
			   "closed to a look: %s",
			   end.left_behind);
	return result;
}

static int run_in_queue(const struct invocation *call, const struct channel_reader *channel,
			const struct channel_header *header, const struct script *script,
			int *exit_code, struct error *err)
{
	struct batch_call batch = {
		.substage = call->operands[1],
		.script = script,
		.header = header,
		.channel = channel,
		.core_limit = call->core_limit,
		.voice = {say, call},
	};
	return batch_run(&batch, exit_code, err);
}

static int run_script(const struct invocation *call, struct channel_reader *channel,
		      const struct channel_header *header, int *exit_code, struct error *err)
{
	struct script script;
	struct error not_removed;

	if (script_receive(channel, header, call->operands[1], &script, err) != 0) {
		script_free(&script);
		return -1;
	}
	bool queued = batch_takes(header->state.executor, call->operands[1]);
	int result =
		(queued ? run_in_queue : run_here)(call, channel, header, &script, exit_code, err);
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
