/*
 * config, as the user: finds out what a data_dir of the form $NAME is in the user's login shell,
 * and prints it.
 */
#include "applets/applet.h"

#include <stdio.h>
#include <string.h>

#include "core/io.h"
#include "core/login_shell.h"
#include "core/text.h"
#include "core/workspace.h"

static int resolve(const struct invocation *call, const struct channel_reader *channel,
		   const struct channel_header *header, struct error *err)
{
	const char *name = header->data_dir + 1;
	size_t length = strspn(name, TEXT_WORD);
	cleanup_free char *rest = login_shell_quote(name + length);
	cleanup_free char *line =
		text_format("builtin printf '%%s\\n' \"${%.*s-}\"%s >&%s\n", (int)length, name,
			    rest != NULL ? rest : "''", LOGIN_SHELL_REPORT);
	struct login_shell shell = {.header = header,
				    .lines = line,
				    .output_to_errors = true,
				    .core_limit = call->core_limit};
	struct login_shell_end end;

	if (rest == NULL || line == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (login_shell_run(&shell, channel, &end, err) != 0)
		return -1;
	char *newline = strchr(end.report, '\n');
	if (newline == NULL)
		return error_set(err, ERROR_SYSTEM, "the user's login shell did not say what %s is",
				 header->data_dir);
	*newline = '\0';
	if (workspace_check_resolved(header->data_dir, end.report, err) != 0)
		return -1;
	printf("%s\n", end.report);
	return fflush(stdout) == 0 ? 0 : error_errno(err, ERROR_SYSTEM, "standard output");
}

int config_applet(struct invocation *call)
{
	struct error err;
	struct channel_reader channel;
	struct channel_header header;

	if (applet_open_channel(call, &channel, &header, &err) != 0)
		applet_fail(call, &err);
	if (header.data_dir == NULL || !workspace_needs_shell(header.data_dir))
		error_set(&err, ERROR_USAGE, "there is nothing to resolve in data_dir");
	else if (resolve(call, &channel, &header, &err) == 0)
		return 0;
	applet_fail(call, &err);
}
