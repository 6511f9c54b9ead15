/*
 * config, as the user: prints the value that the variable of a data_dir of the form $NAME has in
 * the user's login shell, which jacamar-auth checks; or locks a builds directory for the job, and
 * prints its number.
 */
#include "applets/applet.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/executor/login_shell.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/workspace/builds_lock.h"
#include "core/workspace/workspace.h"

static int resolve(const struct channel_reader *channel, const struct channel_header *header,
		   struct error *err)
{
	const char *name = header->data_dir + 1;
	int length = (int)workspace_variable_length(header->data_dir);
	cleanup_free char *line = text_format("builtin printf '%%s\\n' \"${%.*s-}\" >&%s\n", length,
					      name, LOGIN_SHELL_REPORT);
	struct login_shell shell = {.header = header, .lines = line, .output_to_errors = true};
	struct login_shell_end end;

	if (line == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (login_shell_run(&shell, channel, &end, err) != 0)
		return -1;
	size_t size = strlen(end.report);
	if (size == 0 || end.report[size - 1] != '\n')
		return error_set(err, ERROR_SYSTEM, "the user's login shell did not report %s",
				 header->data_dir);
	/* jacamar-auth refuses a value with a newline in it. */
	printf("%s", end.report);
	return fflush(stdout) == 0 ? 0 : error_errno(err, ERROR_SYSTEM, "standard output");
}

/*
 * True if prepare must begin with root, which makes the base or refuses to. No other job builds in
 * it yet, and prepare locks the directory.
 */
static bool is_for_prepare(const struct state *state)
{
	struct stat found;
	return state->root_creates_base && state->custom_builds == NULL &&
	       (lstat(state->base, &found) != 0 || found.st_uid != geteuid());
}

/* Locks the first builds directory that no other job of this project has. */
static int take_builds(const struct invocation *call, const struct state *planned, uint64_t *number,
		       struct builds_lock *lock, struct error *err)
{
	struct state state = *planned;
	uint64_t first = *number;
	for (; *number < first + BUILDS_LOCK_NUMBERS; (*number)++) {
		cleanup_free char *path = workspace_numbered_builds(planned->builds_dir, *number);
		if (path == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");
		state.builds_dir = path;
		int result = builds_lock_take(&state, false, lock, err);
		if (result < 0)
			return -1;
		if (result > 0)
			builds_lock_close(lock);
		if (result == 0 && *number != first)
			applet_say(call, "other jobs build in %s: this one builds in %s",
				   planned->builds_dir, path);
		if (result == 0)
			return 0;
	}
	return error_set(err, ERROR_SYSTEM,
			 "other jobs have %s and the %d directories after it: wait until they end, "
			 "or remove their .job files, if their jobs have ended",
			 planned->builds_dir, BUILDS_LOCK_NUMBERS - 1);
}

static int choose_builds(const struct invocation *call, const struct state *state,
			 struct error *err)
{
	uint64_t number;
	struct builds_lock lock = {.directory = -1, .fd = -1};
	if (!text_to_u64(state->concurrent, &number))
		return error_set(err, ERROR_SYSTEM, "the job has no concurrent number");
	int result = is_for_prepare(state) ? 0 : take_builds(call, state, &number, &lock, err);
	if (result == 0 &&
	    (printf("%llu\n", (unsigned long long)number) < 0 || fflush(stdout) != 0)) {
		result = error_errno(err, ERROR_SYSTEM, "standard output");
		/* jacamar-auth does not learn that the directory is locked. */
		builds_lock_remove(&lock);
	}
	builds_lock_pause(&lock);
	builds_lock_close(&lock);
	return result;
}

int config_applet(const struct invocation *call, struct channel_reader *channel,
		  const struct channel_header *header, struct error *err)
{
	return header->data_dir != NULL ? resolve(channel, header, err)
					: choose_builds(call, &header->state, err);
}
