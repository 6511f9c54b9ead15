#include "core/executor/shell.h"

#include <string.h>
#include <sys/wait.h>

#include "core/io.h"
#include "core/text.h"

/*
 * What the login shell is fed. `command` and `builtin` pass by functions that a profile may have
 * left; as parts of a list, the commands do not trip its `set -e`. The script does not get the
 * descriptor of the report, so that what it leaves running cannot report in its place.
 */
static char *compose_line(const struct script *script, const struct channel_header *header)
{
	bool etc_only = header->profile == PROFILE_ETC_ONLY;
	const char *shell = header->state.shell_path != NULL ? header->state.shell_path : "bash";
	cleanup_free char *bash = login_shell_quote(shell);
	cleanup_free char *path = login_shell_quote(script->path);
	if (bash == NULL || path == NULL)
		return NULL;
	return text_format("%scommand %s %s </dev/null " LOGIN_SHELL_REPORT ">&- "
			   "&& builtin echo 0 >&" LOGIN_SHELL_REPORT " "
			   "|| builtin echo $? >&" LOGIN_SHELL_REPORT "\n",
			   etc_only ? ". /etc/profile; " : "",
			   header->state.shell_path != NULL ? bash : shell, path);
}

static int read_exit_code(const struct login_shell_end *end, int *exit_code)
{
	char digits[8];
	uint64_t code;
	size_t length = strcspn(end->report, "\n");
	if (end->report[length] != '\n' || length >= sizeof(digits))
		return -1;
	memcpy(digits, end->report, length);
	digits[length] = '\0';
	if (!text_to_u64(digits, &code) || code > 255)
		return -1;
	*exit_code = (int)code;
	return 0;
}

int shell_run(const struct script *script, const struct channel_header *header,
	      const struct channel_reader *channel, rlim_t core_limit, int *exit_code,
	      struct login_shell_end *end, struct error *err)
{
	cleanup_free char *line = compose_line(script, header);
	if (line == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	struct login_shell shell = {.header = header, .line = line, .core_limit = core_limit};
	if (login_shell_run(&shell, channel, end, err) != 0)
		return -1;
	if (end->cancelled)
		return error_set(err, ERROR_SYSTEM, "the job was cancelled");
	if (read_exit_code(end, exit_code) == 0)
		return 0;
	if (WIFSIGNALED(end->status))
		return error_set(
			err, ERROR_SYSTEM,
			"the login shell was ended by signal %d before the script was done",
			WTERMSIG(end->status));
	return error_set(
		err, ERROR_SYSTEM,
		"the login shell ended with code %d before the script was done: does a profile "
		"(/etc/profile, ~/.bash_profile, ~/.profile) exit, read its input or execute "
		"another program? JACAMAR_NO_BASH_PROFILE=true leaves profiles out",
		WEXITSTATUS(end->status));
}
