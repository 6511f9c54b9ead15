#include "core/executor/login_shell.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/executor/job_log.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/privilege/isolation.h"
#include "core/process/process_scan.h"
#include "core/process/process_tree.h"
#include "core/process/subprocess.h"
#include "core/protocol/environment.h"

#define REPORT_FD 79

/* After the script's end: a log that has not grown for this time is complete. */
#define QUIET_MS 2000

/* Profiles that take longer than this are worth a line in the log of a cancelled job. */
#define SLOW_PROFILES_MS 5000

/* How many scans in a row show that a process keeps forking, and the time between two. */
#define FORKING_SCANS	 5
#define FORKING_PAUSE_US 2000

/* How long processes are killed here before that is left to jacamar-auth. */
#define KILL_LIMIT_MS 30000

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

/* The shell has a session of its own: `kill 0` in the script does not reach this process. */
static pid_t execute(const struct login_shell *shell, int feed, const int *log, int report,
		     struct error *err)
{
	static const char *const options[] = {
		[PROFILE_LOGIN] = "--login",
		[PROFILE_NONE] = "--noprofile",
		[PROFILE_ETC_ONLY] = "--noprofile",
	};
	const struct channel_header *header = shell->header;
	const char *bash = login_shell_find(header->state.settings.general.shell_path);
	char *const arguments[] = {(char *)bash, (char *)options[header->profile], NULL};
	cleanup_free char **environment = environment_vector(header->environment);
	cleanup_close int ruleset = -1;
	bool isolated = header->state.settings.auth.isolate;
	if (isolated && (ruleset = isolation_open(&header->state, err)) < 0)
		return -1;
	const struct subprocess_program program = {
		.path = bash,
		.arguments = arguments,
		.environment = environment,
		.input = feed,
		.output = log[0],
		.errors = log[1],
		.other = report,
		.other_as = REPORT_FD,
		.prepare = isolated ? isolation_enter : NULL,
		.context = &ruleset,
	};
	if (environment == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	pid_t child = subprocess_spawn(&program, err);
	if (child < 0 && header->state.settings.general.shell_path != NULL &&
	    access(bash, X_OK) != 0)
		error_set(err, err->kind, "%s; check general.shell_path", err->detail);
	return child;
}

/*
 * Starts the shell with all its lines in a pipe. The read ends of this pipe and of the shell's
 * report go to *lines and *report.
 */
static pid_t start(const struct login_shell *shell, const int log[JOB_LOG_STREAMS], int *lines,
		   int *report, struct error *err)
{
	int feed[] = {-1, -1};
	int answer[] = {-1, -1};
	pid_t child = -1;
	size_t length = strlen(shell->lines);

	/* A pipe takes all of it at once, without a reader. */
	if (length > 4096)
		return error_set(err, ERROR_SYSTEM,
				 "a path of the job, the entrypoint of its image, or the list "
				 "general.container.binds is too long");
	if (pipe2(feed, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0 ||
	    io_write_all(feed[1], shell->lines, length) != 0)
		error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	else
		child = execute(shell, feed[0], log, answer[1], err);
	*lines = feed[0];
	*report = answer[0];
	const int others[] = {feed[1], answer[1]};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] >= 0)
			close(others[i]);
	return child;
}

/* One login shell while it runs. */
struct run {
	pid_t shell;
	int feed; /* what the shell has not read yet of its lines; -1: closed */
	int64_t began;
	int signals;
	int channel;
	int64_t kill_timeout_ms;
	bool in_cgroup; /* that jacamar-auth can kill */
	struct job_log log;
	bool ended; /* the shell has ended */
	struct login_shell_end *end;
};

/* Waits for the first event, or until the limit; -1: no limit. */
static void wait_once(struct run *run, int64_t limit_ms)
{
	struct pollfd sources[2 + JOB_LOG_STREAMS] = {
		{.fd = run->signals, .events = POLLIN},
		/* A channel that has ended stays readable. */
		{.fd = run->end->cancelled ? -1 : run->channel, .events = POLLIN},
	};
	job_log_prepare(&run->log, sources + 2);
	if (poll(sources, 2 + JOB_LOG_STREAMS, (int)limit_ms) <= 0)
		return;
	struct signals seen = signals_read(run->signals);
	if (seen.child && process_tree_reap(run->shell, &run->end->status))
		run->ended = true;
	if (seen.end || sources[1].revents != 0)
		run->end->cancelled = true;
	job_log_move(&run->log, sources + 2);
}

/*
 * After the shell's end: a process that reads the script's output and writes the log, as in
 * `exec > >(tee file)`, needs time. Other processes with a pipe of the log open get no more than
 * that. While the runner does not read the log, the log does not count as quiet.
 */
static void drain(struct run *run)
{
	int64_t deadline = io_now_ms() + run->kill_timeout_ms / 4;
	run->log.last_byte = io_now_ms();
	while (!job_log_is_at_end(&run->log) && !run->end->cancelled) {
		int64_t now = io_now_ms();
		int64_t limit = deadline;
		if (!job_log_is_blocked(&run->log) && run->log.last_byte + QUIET_MS < limit)
			limit = run->log.last_byte + QUIET_MS;
		if (now >= limit)
			break;
		wait_once(run, limit - now);
	}
}

/*
 * A process that keeps forking and exiting has another pid in each scan: it cannot be named, and
 * cleanup might miss it. Here it is still a descendant of this process.
 */
static bool keeps_forking(void)
{
	bool moves = true;
	for (int scan = 0; scan < FORKING_SCANS && moves; scan++) {
		struct pid_list before = {.count = 0};
		struct pid_list after = {.count = 0};
		(void)process_tree_descendants(&before);
		usleep(FORKING_PAUSE_US);
		(void)process_tree_descendants(&after);
		moves = !pid_list_same(&before, &after);
		pid_list_free(&before);
		pid_list_free(&after);
	}
	return moves;
}

/* Names the processes that still have a pipe of the log open; kills those that keep forking. */
static void handle_holders(struct run *run)
{
	struct process_scan_mark mark = {.pipes = {run->log.pipes[0], run->log.pipes[1]}};
	struct pid_list holders = {.count = 0};
	if (keeps_forking()) {
		run->end->ended_forking = true;
		(void)process_tree_kill_descendants(KILL_LIMIT_MS);
	}
	if (!job_log_has_writers(&run->log))
		return;
	run->end->log_is_held = true;
	(void)process_scan(&mark, &holders, run->end->holders, sizeof(run->end->holders));
	run->end->holder_count = holders.count;
	pid_list_free(&holders);
}

/* Moves all that was written until now, however long the runner takes to read it. */
static void finish_log(struct run *run)
{
	bool was_cancelled = run->end->cancelled;
	job_log_finish(&run->log);
	while (!job_log_is_at_end(&run->log) && run->end->cancelled == was_cancelled)
		wait_once(run, -1);
}

/*
 * Ends every descendant: sends SIGTERM, waits for three quarters of the kill timeout, and then
 * sends SIGKILL until none is left. If the job has a cgroup, jacamar-auth kills it at that time; in
 * case jacamar-auth has ended, this process sends SIGKILL a little later.
 */
static int end_descendants(struct run *run, struct error *err)
{
	int64_t deadline = io_now_ms() + run->kill_timeout_ms / 8 * (run->in_cgroup ? 7 : 6);
	int64_t left;
	int status;

	process_tree_terminate_descendants();
	process_tree_reap(-1, &status);
	while (process_tree_has_children() && (left = deadline - io_now_ms()) > 0) {
		wait_once(run, left);
		process_tree_reap(-1, &status);
	}
	if (!process_tree_kill_descendants(KILL_LIMIT_MS))
		return error_set(err, ERROR_SYSTEM, "some processes of the job cannot be killed");
	finish_log(run);
	return 0;
}

/* Reads what the shell wrote; does not wait for processes that still have the pipe open. */
static void read_report(int fd, char report[LOGIN_SHELL_REPORT_SIZE])
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ssize_t size = read(fd, report, LOGIN_SHELL_REPORT_SIZE - 1);
	report[size > 0 ? size : 0] = '\0';
}

static int start_with_log(struct run *run, const struct login_shell *shell, int *report,
			  struct error *err)
{
	int output = shell->output_to_errors ? STDERR_FILENO : STDOUT_FILENO;
	int writers[JOB_LOG_STREAMS];
	if (job_log_open(&run->log, output, writers, err) == 0)
		run->shell = start(shell, writers, &run->feed, report, err);
	for (int i = 0; i < JOB_LOG_STREAMS; i++)
		if (writers[i] >= 0)
			close(writers[i]);
	return run->shell < 0 ? -1 : 0;
}

/* bash reads its lines after the profiles. */
static bool is_in_profiles(const struct run *run, const struct login_shell *shell)
{
	int unread;
	return !run->ended && shell->header->profile == PROFILE_LOGIN &&
	       io_now_ms() - run->began >= SLOW_PROFILES_MS &&
	       ioctl(run->feed, FIONREAD, &unread) == 0 && (size_t)unread == strlen(shell->lines);
}

static int run_shell(struct run *run, const struct login_shell *shell, struct error *err)
{
	cleanup_close int report = -1;
	if (start_with_log(run, shell, &report, err) != 0)
		return -1;
	while (!run->ended && !run->end->cancelled)
		wait_once(run, -1);
	run->end->in_profiles = is_in_profiles(run, shell);
	if (run->ended) {
		read_report(report, run->end->report);
		drain(run);
	}
	if (run->end->cancelled)
		return end_descendants(run, err);
	if (job_log_has_writers(&run->log))
		handle_holders(run);
	finish_log(run);
	return job_log_check(run->log.error, err);
}

int login_shell_run(const struct login_shell *shell, const struct channel_reader *channel,
		    struct login_shell_end *end, struct error *err)
{
	memset(end, 0, sizeof(*end));
	cleanup_close int signals = signals_open(err);
	if (signals < 0 || process_tree_adopt_orphans(err) != 0)
		return -1;
	struct run run = {
		.shell = -1,
		.feed = -1,
		.began = io_now_ms(),
		.signals = signals,
		.channel = channel->fd,
		.kill_timeout_ms = shell->header->state.settings.general.kill_timeout_ms,
		.in_cgroup = shell->header->cgroup != NULL,
		.end = end,
	};
	end->cancelled = channel_was_ended(channel);
	int result = run_shell(&run, shell, err);
	job_log_close(&run.log);
	if (run.feed >= 0)
		close(run.feed);
	return result;
}
