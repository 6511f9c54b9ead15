#include "applets/applet.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/downscope.h"
#include "core/environment.h"
#include "core/io.h"

void applet_say(const struct invocation *call, const char *format, ...)
{
	char line[2048];
	/* It is the caller's own choice, and may be longer than the line. */
	int used = snprintf(line, sizeof(line), "%.100s: ", call->program);
	va_list args;
	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	va_end(args);
	/* One write: lines of other processes in the same log do not come between. */
	size_t length = strlen(line);
	if (length == sizeof(line) - 1)
		length--;
	line[length] = '\n';
	(void)io_write_all(STDERR_FILENO, line, length + 1);
}

/* A service may be spared by the kernel's search for memory; its jobs are not. */
static void level_out_of_memory_score(void)
{
	char text[16] = "";
	cleanup_close int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && io_read_full(fd, text, sizeof(text) - 1) > 0 && text[0] == '-')
		(void)io_write_all(fd, "0", 1);
}

/*
 * What the way through sudo has left open. Afterwards everything is as if jacamar-auth itself had
 * changed the account, the environment too, of which sudo has made its own.
 */
static int arrive(struct invocation *call, const struct channel_header *header, struct error *err)
{
	const struct state *state = &header->state;
	struct downscope_rules rules = {
		.kind = state->downscope,
		.no_new_privs = state->no_new_privs,
		.raise_stack = state->raise_stack,
		.cleans_up = strcmp(call->stage, "cleanup") == 0,
		.filters = state->filters,
		.core_limit = call->core_limit,
	};
	memcpy(rules.limits, state->limits, sizeof(rules.limits));
	if (downscope_arrive(&state->account, &rules, err) != 0)
		return -1;
	if (environment_adopt(header->environment) != 0)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	umask(0077);
	return privilege_hide_memory(&call->core_limit, err);
}

int applet_open_channel(struct invocation *call, struct channel_reader *channel,
			struct channel_header *header, struct error *err)
{
	memset(header, 0, sizeof(*header));
	*channel = (struct channel_reader){.fd = STDIN_FILENO};
	level_out_of_memory_score();
	if (privilege_hide_memory(&call->core_limit, err) != 0)
		return -1;
	umask(0077);
	/* Where jacamar-auth dies while we are stopped, we shall see that the channel has ended. */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	if (fcntl(STDIN_FILENO, F_SETFD, FD_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "standard input");
	if (channel_read_header(channel, header, err) != 0)
		return -1;
	if (header->state.downscope == DOWNSCOPE_SUDO && arrive(call, header, err) != 0)
		return -1;
	return channel_say(STDIN_FILENO, getpid(), err);
}

int applet_close_channel(int exit_code)
{
	struct error ignored; /* jacamar-auth has ended, then */
	(void)channel_say(STDIN_FILENO, exit_code, &ignored);
	return exit_code;
}

void applet_fail(const struct invocation *call, const struct error *err)
{
	applet_say(call, "%s", err->detail);
	downscope_reset_signals();
	raise(SESSION_FAILED);
	abort();
}
