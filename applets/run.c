/*
 * run, as the user: receives the script over the channel, runs it, and sends back its exit code.
 */
#include "applets/applet.h"

#include <signal.h>
#include <string.h>

#include "core/executor/batch.h"
#include "core/executor/container.h"
#include "core/executor/shell.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/workspace/builds_lock.h"
#include "core/workspace/script.h"

/* On standard output, like the job: the runner reads that and standard error in no fixed order. */
static void say(const void *context, const char *line)
{
	const struct invocation *call = context;
	cleanup_free char *text = text_format("%s: %s\n", call->program, line);
	if (text != NULL)
		(void)io_write_all(STDOUT_FILENO, text, strlen(text));
}

/* bash gives this exit code if a signal ends it, or the last command of its script. */
static void explain_signal(const struct invocation *call, int exit_code)
{
	int number = exit_code - 128;
	if (number <= 0 || number > SIGSYS)
		return;
	const char *cause = number == SIGKILL	? SHELL_OUT_OF_MEMORY
			    : number == SIGPIPE ? "; the usual cause is that a later command of a "
						  "pipeline, as in yes | head, ended first"
						: "";
	cleanup_free char *line = text_format(
		"exit code %d means that the signal %s ended the script or a command in it%s",
		exit_code, signals_name(number), cause);
	if (line != NULL)
		say(call, line);
}

static int run_here(const struct invocation *call, const struct channel_reader *channel,
		    const struct channel_header *header, const struct script *script,
		    int *exit_code, struct error *err)
{
	struct login_shell_end end;
	const struct pid_list none = {.count = 0};
	int result = shell_run(script, header, channel, exit_code, &end, err);
	if (script->in_image)
		container_end_helpers(&none);
	applet_note_leftovers(call, &end, script->directory);
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
		.reporter = {say, call},
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
	bool queued = batch_takes(header->state.settings.general.executor, call->operands[1]);
	int result =
		(queued ? run_in_queue : run_here)(call, channel, header, &script, exit_code, err);
	if (result == 0)
		explain_signal(call, *exit_code);
	if (!header->state.settings.general.retain_logs &&
	    script_remove(&script, &not_removed) != 0)
		applet_say(call, "%s", not_removed.detail);
	script_free(&script);
	return result;
}

int run_applet(const struct invocation *call, struct channel_reader *channel,
	       const struct channel_header *header, struct error *err)
{
	struct builds_lock lock;
	int exit_code = 0;
	int result = builds_lock_keep(&header->state, BUILDS_LOCK_INTERVAL_S, &lock, err);
	if (result == 0) {
		result = run_script(call, channel, header, &exit_code, err);
		/* If the runner has ended, no other stage follows. */
		if (!applet_is_ended(channel, 0))
			builds_lock_pause(&lock);
	}
	builds_lock_close(&lock);
	if (result != 0 && err->kind == ERROR_CANCELLED && !applet_is_ended(channel, 0))
		return error_set(err, ERROR_SYSTEM, "a signal to jacamar ended this stage");
	return result == 0 ? exit_code : -1;
}
