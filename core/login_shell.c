#include "core/login_shell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/environment.h"
#include "core/io.h"
#include "core/launch.h"
#include "core/resident.h"
#include "core/search.h"
#include "core/supervise.h"

#define REPORT_FD 79

/* How long a process that holds the log open has between SIGTERM and SIGKILL. */
#define HOLDER_GRACE_MS 2000
#define HOLDER_POLL_MS	20
#define HOLDER_LOOKS	25
#define HOLDER_PATIENCE 10

/* How long killing goes on before the service's side is left to it. */
#define KILL_LIMIT_MS 30000

struct pipe_ends {
	int in;
	int out;
};

static int make_pipe(struct pipe_ends *ends, struct error *err)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	ends->in = fds[0];
	ends->out = fds[1];
	return 0;
}

char *login_shell_quote(const char *text)
{
	size_t quotes = 0;
	for (const char *c = text; *c != '\0'; c++)
		quotes += *c == '\'' ? 1 : 0;
	char *quoted = malloc(strlen(text) + 3 * quotes + 3);
	if (quoted == NULL)
		return NULL;
	char *out = quoted;
	*out++ = '\'';
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			out = mempcpy(out, "'\\'", 3);
		*out++ = *text;
	}
	*out++ = '\'';
	*out = '\0';
	return quoted;
}

const char *login_shell_find(const char *setting)
{
	if (setting != NULL)
		return setting;
	return access("/usr/bin/bash", X_OK) == 0 ? "/usr/bin/bash" : "/bin/bash";
}

/*
 * It has a session of its own: `kill 0` in a script ends the script, not who reports on it.
 */
static pid_t execute(const struct login_shell *shell, int feed, int report, struct error *err)
{
	static const char *const options[] = {
		[PROFILE_LOGIN] = "--login",
		[PROFILE_NONE] = "--noprofile",
		[PROFILE_ETC_ONLY] = "--noprofile",
	};
	const struct channel_header *header = shell->header;
	const char *bash = login_shell_find(header->state.shell_path);
	char *const arguments[] = {(char *)bash, (char *)options[header->profile], NULL};
	cleanup_free char **environment = environment_vector(header->environment);
	struct launch launch = {
		.program = bash,
		.arguments = arguments,
		.environment = environment,
		.input = feed,
		.output = shell->output_to_errors ? STDERR_FILENO : STDOUT_FILENO,
		.errors = STDERR_FILENO,
		.other = report,
		.other_as = REPORT_FD,
		.core_limit = shell->core_limit,
	};
	if (environment == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	pid_t child = launch_program(&launch, err);
	if (child < 0 && header->state.shell_path != NULL && access(bash, X_OK) != 0) {
		const struct error why = *err;
		error_set(err, why.kind, "%s; is general.shell_path right?", why.detail);
	}
	return child;
}

/* Starts the shell with all its lines in its pipe; the read end of its report goes to *report. */
static pid_t start(const struct login_shell *shell, int *report, struct error *err)
{
	struct pipe_ends feed = {-1, -1};
	struct pipe_ends answer = {-1, -1};
	pid_t child = -1;
	size_t length = strlen(shell->lines);

	*report = -1;
	/* What a pipe takes at once needs nobody to pump it. */
	if (length > 4096)
		return error_set(err, ERROR_SYSTEM, "a path of the job is too long");
	if (make_pipe(&feed, err) != 0)
		return -1;
	if (make_pipe(&answer, err) == 0) {
		if (io_write_all(feed.out, shell->lines, length) != 0)
			error_errno(err, ERROR_SYSTEM, "cannot feed the login shell");
		else
			child = execute(shell, feed.in, answer.out, err);
		close(answer.out);
		*report = answer.in;
	}
	close(feed.in);
	close(feed.out);
	return child;
}

/* Ends every descendant: SIGTERM, three quarters of the time, then SIGKILL until none is left. */
static int end_descendants(int signals, int64_t kill_timeout_ms, struct error *err)
{
	int64_t deadline = io_now_ms() + kill_timeout_ms / 4 * 3;
	int64_t left = kill_timeout_ms;
	int status;

	supervise_terminate_descendants();
	supervise_reap(-1, &status);
	while (supervise_has_children() && (left = deadline - io_now_ms()) > 0) {
		struct pollfd wait_for = {.fd = signals, .events = POLLIN};
		poll(&wait_for, 1, (int)left);
		supervise_read_signals(signals);
		supervise_reap(-1, &status);
	}
	if (!supervise_kill_descendants(KILL_LIMIT_MS))
		return error_set(err, ERROR_SYSTEM, "some processes of the job cannot be ended");
	return 0;
}

/* Waits for the shell's end, or for word that the job is to end. */
static void watch(pid_t shell, int signals, const struct channel_reader *channel,
		  struct login_shell_end *end)
{
	struct pollfd sources[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = channel->fd, .events = POLLIN},
	};
	end->cancelled = channel_was_ended(channel);
	resident_trim();
	while (!end->cancelled) {
		if (poll(sources, 2, -1) < 0)
			continue;
		struct supervise_signals seen = supervise_read_signals(signals);
		if (seen.child && supervise_reap(shell, &end->status))
			return;
		end->cancelled = seen.end || sources[1].revents != 0;
	}
}

/* Who belongs to the job by its mark, where being of the same account does not say it already. */
static struct search_mark mark_of_holders(const struct login_shell *shell)
{
	struct search_mark mark = {
		.pipes = {search_pipe_of(STDOUT_FILENO), search_pipe_of(STDERR_FILENO)}};
	size_t index;
	json_t *entry;
	if (shell->header->state.downscope != DOWNSCOPE_NONE)
		return mark;
	json_array_foreach (shell->header->environment, index, entry) {
		const char *variable = json_string_value(entry);
		if (strncmp(variable, ENVIRONMENT_COOKIE "=", sizeof(ENVIRONMENT_COOKIE)) == 0)
			mark.variable = variable;
	}
	return mark;
}

static int find_holders(const struct search_mark *mark, char *names, size_t names_size,
			struct pid_list *holders, struct error *err)
{
	int status;
	supervise_reap(-1, &status);
	if (search_processes(mark, holders, names, names_size) != 0 ||
	    search_opaque(holders, names, names_size) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot look for processes in /proc");
	return 0;
}

/* Waits a little; true where the job is to end meanwhile. */
static bool pause_for_end(int signals, int channel)
{
	struct pollfd sources[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = channel, .events = POLLIN},
	};
	poll(sources, 2, HOLDER_POLL_MS);
	return supervise_read_signals(signals).end || sources[1].revents != 0;
}

/*
 * The runner reads its pipes to their end: a process left behind with one of them open would hang
 * the job. Others may live on for the next sub-stage; one that is only about to let go of the log
 * gets a moment for it. One that is another process each moment can pass by a look, but then our
 * descendants are not the same from one look to the next; in the end all of them go with it.
 * Root's, by now, are left: nobody here could end them.
 */
struct hunt {
	struct search_mark mark;
	struct pid_list before; /* our descendants at the last look */
	int64_t start;
	int64_t moved; /* when these were last seen to be others than before */
	int sightings;
	int in_vain; /* looks in a row */
};

/* One look, and what follows from it; 1 where the hunt is over, -1 on failure. */
static int hunt_once(struct hunt *hunt, struct login_shell_end *end, struct error *err)
{
	struct pid_list holders = {.count = 0};
	struct pid_list ours = {.count = 0};
	struct pid_list after = {.count = 0};
	int64_t now = io_now_ms();
	int64_t waited = now - hunt->start;
	bool late = waited > 2 * HOLDER_GRACE_MS;
	bool told = end->left_behind[0] != '\0';
	bool tell = !told && (hunt->sightings >= HOLDER_PATIENCE || waited > HOLDER_GRACE_MS);
	(void)supervise_descendants(&ours);
	hunt->mark.or_one_of = &ours;
	int result = find_holders(&hunt->mark, tell ? end->left_behind : NULL,
				  sizeof(end->left_behind), &holders, err);
	bool found = holders.count > 0;

	hunt->sightings += found ? 1 : 0;
	hunt->in_vain = found ? 0 : hunt->in_vain + 1;
	if (tell)
		supervise_terminate(&holders);
	else if (waited > HOLDER_GRACE_MS)
		supervise_kill(&holders);
	if (late && hunt->sightings > 0 && (!found || supervise_any_in_reach(&holders)))
		supervise_kill_descendants(KILL_LIMIT_MS);
	pid_list_free(&holders);

	/*
	 * Only the sight of nothing moving, before the search and while it went on, tells that
	 * there is none. Two looks may come so fast upon each other that nothing can have moved.
	 */
	(void)supervise_descendants(&after);
	if (!pid_list_same(&hunt->before, &ours) || !pid_list_same(&ours, &after))
		hunt->moved = io_now_ms();
	bool still = after.count == 0 || now - hunt->moved >= HOLDER_POLL_MS;
	pid_list_free(&hunt->before);
	pid_list_free(&ours);
	hunt->before = after;
	bool over = late || (!found && still) ||
		    (hunt->sightings == 0 && hunt->in_vain == HOLDER_LOOKS);
	return result != 0 ? -1 : over;
}

static int end_holders(const struct login_shell *shell, int signals, int channel,
		       struct login_shell_end *end, struct error *err)
{
	struct hunt hunt = {.mark = mark_of_holders(shell), .start = io_now_ms()};
	int over = hunt.mark.pipes[0] == 0 && hunt.mark.pipes[1] == 0;
	while (over == 0 && !end->cancelled) {
		over = hunt_once(&hunt, end, err);
		if (over == 0)
			end->cancelled = pause_for_end(signals, channel);
	}
	pid_list_free(&hunt.before);
	return over < 0 ? -1 : 0;
}

/* What the shell wrote before it ended; nobody is waited for who still holds the other end. */
static void read_report(int fd, char report[LOGIN_SHELL_REPORT_SIZE])
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ssize_t size = read(fd, report, LOGIN_SHELL_REPORT_SIZE - 1);
	report[size > 0 ? size : 0] = '\0';
}

int login_shell_run(const struct login_shell *shell, const struct channel_reader *channel,
		    struct login_shell_end *end, struct error *err)
{
	memset(end, 0, sizeof(*end));
	cleanup_close int signals = supervise_open_signals(err);
	if (signals < 0 || supervise_adopt_orphans(err) != 0)
		return -1;
	cleanup_close int report = -1;
	pid_t child = start(shell, &report, err);
	if (child < 0)
		return -1;

	watch(child, signals, channel, end);
	if (!end->cancelled) {
		read_report(report, end->report);
		if (end_holders(shell, signals, channel->fd, end, err) != 0)
			return -1;
	}
	if (end->cancelled)
		return end_descendants(signals, shell->header->state.kill_timeout_ms, err);
	return 0;
}
