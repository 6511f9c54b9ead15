#include "core/privilege/run_unprivileged.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/privilege/downscope.h"
#include "core/privilege/terminal.h"
#include "core/process/process_tree.h"
#include "core/process/subprocess.h"

/* The child's descriptors after the three standard ones: the program, and the report. */
#define PROGRAM_FD 3
#define REPORT_FD  4

/* How long SIGKILL is sent again to processes that it does not end. */
#define KILL_LIMIT_MS 5000

/* What the child is given. */
struct launch {
	const struct unprivileged_run *run;
	pid_t parent;
	int report; /* a descriptor to write the reason to if the program cannot be executed */
};

/*
 * In the forked child: does everything that must be done before the program is executed. Even after
 * a failure, *report is the descriptor to which the reason can be written.
 */
static int prepare_child(const struct launch *launch, int output, int errors, int *report,
			 struct error *err)
{
	const struct unprivileged_run *run = launch->run;
	bool is_open = run->descriptor >= 0;
	/* Copies above the descriptors that are set next. */
	int program = fcntl(run->descriptor, F_DUPFD, REPORT_FD + 1);
	int moved = fcntl(launch->report, F_DUPFD_CLOEXEC, REPORT_FD + 1);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open /dev/null");
	int input = run->input != NULL ? fcntl(*run->input, F_DUPFD, REPORT_FD + 1) : null;
	signals_reset();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have ended before that. */
	if (getppid() != launch->parent)
		_exit(127);
	umask(0022);
	if (moved >= 0)
		*report = moved;
	if (moved < 0 || dup2(errors, STDERR_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(input, STDIN_FILENO) < 0 || (is_open && dup2(program, PROGRAM_FD) < 0) ||
	    dup3(moved, REPORT_FD, O_CLOEXEC) < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set up its open files");
	*report = REPORT_FD;
	if (!is_open)
		close(PROGRAM_FD);
	if (chdir("/") != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot enter /");
	if (terminal_leave(err) != 0 || io_close_from(REPORT_FD + 1, err) != 0)
		return -1;
	return run->may_gain ? privilege_drop(err) : privilege_renounce(err);
}

/* Forks the child that executes the program; this closes the report. */
static pid_t start(const void *argument, int output, int errors, struct error *err)
{
	const struct launch *launch = argument;
	const struct unprivileged_run *run = launch->run;
	int report = launch->report;
	pid_t child = fork();
	if (child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	if (child > 0)
		return child;
	struct error failure = {.detail = ""};
	if (prepare_child(launch, output, errors, &report, &failure) == 0) {
		if (run->descriptor >= 0)
			fexecve(PROGRAM_FD, run->arguments, run->environment);
		else
			execve(run->program, run->arguments, run->environment);
		error_errno(&failure, ERROR_SYSTEM, "cannot execute %s", run->program);
	}
	(void)io_write_all(report, &failure, sizeof(failure));
	_exit(127);
}

/* 0 if the program was started; otherwise -1 with the child's reason. */
static int check_started(int report, struct error *err)
{
	struct error reported;
	ssize_t size = io_read_full(report, &reported, sizeof(reported));
	if (size == 0)
		return 0;
	if (size != (ssize_t)sizeof(reported))
		return error_set(err, ERROR_SYSTEM, "it cannot be started");
	return error_accept(err, &reported);
}

/* Reads what the program prints until it ends; processes that it leaves running do not count. */
static int watch(struct subprocess *process, int signals, struct error *err)
{
	struct pollfd sources[3] = {{.fd = signals, .events = POLLIN}};
	while (!subprocess_step(process)) {
		int64_t left = process->deadline - io_now_ms();
		if (!process->in_time)
			return error_set(err, ERROR_DENIED, "it has not ended in time");
		if (process->output.was_cut)
			break;
		subprocess_poll(process, sources + 1);
		(void)poll(sources, 3, left > 0 ? (int)left : 0);
		if (signals_read(signals).end)
			return error_cancelled(err);
	}
	return process->output.was_cut
		       ? error_set(err, ERROR_DENIED, "it prints more than %zu bytes",
				   process->output.room)
		       : 0;
}

static int run_and_watch(const struct unprivileged_run *run, struct unprivileged_output *captured,
			 int signals, struct error *err)
{
	struct subprocess process = {
		.output = {.text = captured->output, .room = sizeof(captured->output) - 1},
		.errors = {.text = captured->errors, .room = sizeof(captured->errors) - 1},
	};
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	const struct launch launch = {.run = run, .parent = getpid(), .report = ends[1]};
	cleanup_close int report = ends[0];
	int result = subprocess_start(&process, run->limit_ms, start, &launch, err);
	close(ends[1]);
	if (result != 0)
		return -1;
	result = watch(&process, signals, err);
	captured->status = process.status;
	captured->size = process.output.size;
	captured->errors[strcspn(captured->errors, "\n")] = '\0';
	text_make_printable(captured->errors);
	subprocess_abort(&process);
	/* Processes that cannot be killed run as root, and have none of our descriptors. */
	(void)process_tree_kill_descendants(KILL_LIMIT_MS);
	return result == 0 ? check_started(report, err) : result;
}

int run_unprivileged(const struct unprivileged_run *run, struct unprivileged_output *captured,
		     struct error *err)
{
	sigset_t before;
	memset(captured, 0, sizeof(*captured));
	sigprocmask(SIG_SETMASK, NULL, &before);
	cleanup_close int signals = signals_open(err);
	if (signals < 0 || process_tree_adopt_orphans(err) != 0)
		return -1;
	int result = run_and_watch(run, captured, signals, err);
	/* From here on, signals may end this process again. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
