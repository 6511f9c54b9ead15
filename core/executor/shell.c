#include "core/executor/shell.h"

#include <string.h>
#include <sys/wait.h>

#include "core/io.h"
#include "core/text.h"

/*
 * What the login shell is fed after its profiles. A profile may have left functions in the place
 * of the words that are used here; in POSIX mode, which an assignment turns on, `unset` is not one
 * of them, and `\\` keeps off aliases. The trap lets the shell live where a script ends its whole
 * process group; what is executed has the signal's default again. As parts of a list, the commands
 * do not trip a profile's `set -e`. The script does not get the descriptor of the report, so that
 * nothing that it leaves running can report in its place.
 */
char *shell_compose_lines(const struct script *script, const struct channel_header *header)
{
	bool etc_only = header->profile == PROFILE_ETC_ONLY;
	const char *shell_path = header->state.shell_path;
	cleanup_free char *bash =
		shell_path != NULL ? login_shell_quote(shell_path) : strdup("bash");
	cleanup_free char *path = login_shell_quote(script->path);
	if (bash == NULL || path == NULL)
		return NULL;
	return text_format("%s"
			   "POSIXLY_CORRECT=1\n"
			   "\\unset -f unset trap command builtin echo\n"
			   "\\unset POSIXLY_CORRECT\n"
			   "builtin trap : HUP INT TERM\n"
			   "command %s %s </dev/null " LOGIN_SHELL_REPORT ">&- "
			   "&& builtin echo 0 >&" LOGIN_SHELL_REPORT " "
			   "|| builtin echo \"$?\" >&" LOGIN_SHELL_REPORT "\n",
			   etc_only ? ". /etc/profile\n" : "", bash, path);
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

int shell_explain(int status, struct error *err)
{
	return error_set(
		err, ERROR_SYSTEM,
		"the login shell ended with code %d before the script was done: does a profile "
		"(/etc/profile, ~/.bash_profile, ~/.profile) exit, read its input or execute "
		"another program? JACAMAR_NO_BASH_PROFILE=true leaves profiles out",
		status);
}

int shell_run(const struct script *script, const struct channel_header *header,
	      const struct channel_reader *channel, rlim_t core_limit, int *exit_code,
	      struct login_shell_end *end, struct error *err)
{
	cleanup_free char *lines = shell_compose_lines(script, header);
	if (lines == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	struct login_shell shell = {.header = header, .lines = lines, .core_limit = core_limit};
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
	return shell_explain(WEXITSTATUS(end->status), err);
}
