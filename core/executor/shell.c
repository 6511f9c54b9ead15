#include "core/executor/shell.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/executor/container.h"
#include "core/executor/nested_jobs.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"

/* The script's standard error, in the login shell. Its number is chosen as LOGIN_SHELL_REPORT's is.
 */
#define SCRIPT_ERRORS "78"

/*
 * What the login shell reads after its profiles. A profile may have replaced commands that are used
 * here by functions: in POSIX mode, which an assignment turns on, `unset` is always the builtin,
 * and `\\` avoids aliases. With the trap, the shell survives signals to its whole process group,
 * which the script or a scheduler may send; programs get the default of these signals again. In a
 * list, commands do not trigger a profile's `set -e`. The script does not get the descriptor of the
 * report: processes that it leaves running cannot report in its place. If a signal ends the script,
 * bash writes this command to its standard error, which is redirected meanwhile; the script gets
 * the true one.
 */
static char *compose(bool etc_only, const char *after_profiles, const char *command)
{
	return text_format("%s"
			   "POSIXLY_CORRECT=1\n"
			   "\\unset -f unset trap command builtin echo\n"
			   "\\unset POSIXLY_CORRECT\n"
			   "builtin trap : HUP INT TERM USR1 USR2 XCPU\n"
			   "%s"
			   "{ command %s </dev/null 2>&" SCRIPT_ERRORS " " SCRIPT_ERRORS
			   ">&- " LOGIN_SHELL_REPORT ">&-; } " SCRIPT_ERRORS ">&2 2>/dev/null "
			   "&& builtin echo 0 >&" LOGIN_SHELL_REPORT " "
			   "|| builtin echo \"$?\" >&" LOGIN_SHELL_REPORT "\n",
			   etc_only ? ". /etc/profile\n" : "", after_profiles, command);
}

static char *bash_command(const struct script *script, const struct channel_header *header)
{
	const char *shell_path = header->state.settings.general.shell_path;
	cleanup_free char *bash =
		shell_path != NULL ? login_shell_quote(shell_path) : strdup("bash");
	cleanup_free char *path = login_shell_quote(script->path);
	return bash != NULL && path != NULL ? text_format("%s %s", bash, path) : NULL;
}

char *shell_compose_lines(const struct script *script, const struct channel_header *header)
{
	cleanup_free char *command = script->in_image
					     ? container_command(&header->state, script->path)
					     : bash_command(script, header);
	cleanup_free char *mark = nested_jobs_mark(&header->state);
	if (command == NULL || mark == NULL)
		return NULL;
	return compose(header->profile == PROFILE_ETC_ONLY, mark, command);
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
		"(/etc/profile, ~/.bash_profile, ~/.profile, or ~/.bashrc, which these often "
		"read) exit, read its input or execute another program? With the CI/CD variable "
		"JACAMAR_NO_BASH_PROFILE set to true, no profile is read",
		status);
}

static int run_lines(const char *lines, const struct channel_header *header,
		     const struct channel_reader *channel, int *exit_code,
		     struct login_shell_end *end, struct error *err)
{
	if (lines == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	struct login_shell shell = {.header = header, .lines = lines};
	if (login_shell_run(&shell, channel, end, err) != 0)
		return -1;
	if (end->cancelled)
		return error_cancelled(err);
	if (read_exit_code(end, exit_code) == 0)
		return 0;
	if (WIFSIGNALED(end->status))
		return error_set(
			err, ERROR_SYSTEM,
			"the login shell was killed by signal %d (%s) before the script was done%s",
			WTERMSIG(end->status), signals_name(WTERMSIG(end->status)),
			WTERMSIG(end->status) == SIGKILL ? SHELL_OUT_OF_MEMORY : "");
	return shell_explain(WEXITSTATUS(end->status), err);
}

int shell_run(const struct script *script, const struct channel_header *header,
	      const struct channel_reader *channel, int *exit_code, struct login_shell_end *end,
	      struct error *err)
{
	cleanup_free char *lines = shell_compose_lines(script, header);
	return run_lines(lines, header, channel, exit_code, end, err);
}

int shell_run_prepare_hook(const struct channel_header *header,
			   const struct channel_reader *channel, struct login_shell_end *end,
			   struct error *err)
{
	const char *hook = header->state.settings.general.prepare_hook;
	struct channel_header own = *header;
	int exit_code = 0;
	memset(end, 0, sizeof(*end));
	if (hook == NULL)
		return 0;
	/* A profile of the user's that exits would keep every job from running. */
	own.profile = PROFILE_ETC_ONLY;
	cleanup_free char *path = login_shell_quote(hook);
	cleanup_free char *lines = path != NULL ? compose(true, "", path) : NULL;
	if (run_lines(lines, &own, channel, &exit_code, end, err) != 0)
		return -1;
	if (exit_code == 0)
		return 0;
	return error_set(
		err, ERROR_SYSTEM,
		"the site's preparation of the job failed: %s ended with exit code %d "
		"(general.prepare_hook); its output is above; ask the support of your site",
		hook, exit_code);
}

int shell_pull_image(const struct channel_header *header, const struct channel_reader *channel,
		     struct login_shell_end *end, struct error *err)
{
	const struct state *state = &header->state;
	int exit_code = 0;
	memset(end, 0, sizeof(*end));
	cleanup_free char *command = container_pull_command(state);
	if (command != NULL && command[0] == '\0')
		return 0;
	cleanup_free char *lines =
		command != NULL ? compose(header->profile == PROFILE_ETC_ONLY, "", command) : NULL;
	if (run_lines(lines, header, channel, &exit_code, end, err) != 0)
		return -1;
	if (exit_code == 0)
		return 0;
	/* A shell's exit code for a program that it cannot find. */
	return error_set(
		err, ERROR_SYSTEM,
		"the job's image %s could not be pulled: %s ended with exit code %d; its "
		"output is above%s",
		state->image, container_program(&state->settings.general.container), exit_code,
		exit_code == 127 ? "; ask the administrators of this site to install it" : "");
}
