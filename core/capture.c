#include "core/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/downscope.h"
#include "core/io.h"
#include "core/supervise.h"
#include "core/text.h"

/* What the child executes, right above the three standard descriptors. */
#define PROGRAM_FD 3

/* How long what does not die of SIGKILL is killed again. */
#define KILL_LIMIT_MS 5000

/* Our ends, while it runs. */
struct watch {
	pid_t child;
	int signals;
	int output;
	int errors;
	int64_t deadline; /* on io_now_ms's clock */
	bool ended;
};

/* In the forked child. A failure is said on its standard error, which is ours to read. */
static void execute(const struct capture *capture, int output, int errors)
{
	struct error err = {.detail = ""};
	bool checked = capture->descriptor >= 0;
	/* Out of the way of the descriptors that are set next. */
	int program = fcntl(capture->descriptor, F_DUPFD, PROGRAM_FD + 1);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	downscope_reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(0022);
	if (null < 0 || dup2(errors, STDERR_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || chdir("/") != 0 ||
	    (checked && dup2(program, PROGRAM_FD) < 0))
		_exit(127);
	if (downscope_close_from(checked ? PROGRAM_FD + 1 : PROGRAM_FD, &err) != 0 ||
	    (capture->may_gain ? privilege_drop(&err) : privilege_renounce(&err)) != 0) {
		dprintf(STDERR_FILENO, "%s\n", err.detail);
		_exit(127);
	}
	if (checked)
		fexecve(PROGRAM_FD, capture->arguments, capture->environment);
	else
		execve(capture->program, capture->arguments, capture->environment);
	dprintf(STDERR_FILENO, "cannot execute %s: %s\n", capture->program, strerror(errno));
	_exit(127);
}

/* Takes what is there to be read; what does not fit into `text` is dropped. False at the end. */
static bool take(int fd, char *text, size_t room, size_t *size)
{
	char rest[4096];
	bool full = *size == room;
	ssize_t got = full ? read(fd, rest, sizeof(rest)) : read(fd, text + *size, room - *size);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!full)
		*size += (size_t)got;
	return got > 0;
}

/* One wait for whatever comes first. */
static int wait_once(struct watch *watch, struct captured *captured, size_t *errors_size,
		     struct error *err)
{
	struct pollfd sources[] = {
		{.fd = watch->signals, .events = POLLIN},
		{.fd = watch->output, .events = POLLIN},
		{.fd = watch->errors, .events = POLLIN},
	};
	int64_t left = watch->deadline - io_now_ms();
	if (left <= 0)
		return error_set(err, ERROR_DENIED, "it has not ended in time");
	if (poll(sources, 3, (int)left) < 0 && errno != EINTR)
		return error_errno(err, ERROR_SYSTEM, "poll");
	struct supervise_signals seen = supervise_read_signals(watch->signals);
	if (seen.end)
		return error_set(err, ERROR_CANCELLED, "the job was cancelled");
	watch->ended = seen.child && supervise_reap(watch->child, &captured->status);
	/* After the end once more, for what came before it; who else holds the pipe is not heard.
	 */
	if (watch->output >= 0 &&
	    !take(watch->output, captured->output, sizeof(captured->output), &captured->size)) {
		close(watch->output);
		watch->output = -1;
	}
	if (watch->errors >= 0 &&
	    !take(watch->errors, captured->errors, sizeof(captured->errors) - 1, errors_size)) {
		close(watch->errors);
		watch->errors = -1;
	}
	if (captured->size == sizeof(captured->output))
		return error_set(err, ERROR_DENIED, "it prints more than %zu bytes",
				 sizeof(captured->output) - 1);
	return 0;
}

static int watch_program(const struct capture *capture, struct watch *watch, const int *output,
			 const int *errors, struct captured *captured, struct error *err)
{
	size_t errors_size = 0;
	watch->child = fork();
	if (watch->child == 0)
		execute(capture, output[1], errors[1]);
	close(output[1]);
	close(errors[1]);
	watch->output = output[0];
	watch->errors = errors[0];
	fcntl(watch->output, F_SETFL, O_NONBLOCK);
	fcntl(watch->errors, F_SETFL, O_NONBLOCK);
	if (watch->child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	int result = 0;
	while (result == 0 && !watch->ended)
		result = wait_once(watch, captured, &errors_size, err);
	captured->errors[errors_size] = '\0';
	captured->errors[strcspn(captured->errors, "\n")] = '\0';
	text_make_printable(captured->errors);
	captured->output[captured->size < sizeof(captured->output) ? captured->size : 0] = '\0';
	/* Whoever is still there is root's by now, and holds nothing of ours. */
	(void)supervise_kill_descendants(KILL_LIMIT_MS);
	return result;
}

int capture_run(const struct capture *capture, struct captured *captured, struct error *err)
{
	struct watch watch = {.output = -1, .errors = -1};
	int output[2];
	int errors[2];
	memset(captured, 0, sizeof(*captured));
	sigset_t before;
	sigprocmask(SIG_SETMASK, NULL, &before);
	cleanup_close int signals = supervise_open_signals(err);
	if (signals < 0 || supervise_adopt_orphans(err) != 0)
		return -1;
	watch.signals = signals;
	watch.deadline = io_now_ms() + capture->limit_ms;
	if (pipe2(output, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	if (pipe2(errors, O_CLOEXEC) != 0) {
		close(output[0]);
		close(output[1]);
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	}
	int result = watch_program(capture, &watch, output, errors, captured, err);
	if (watch.output >= 0)
		close(watch.output);
	if (watch.errors >= 0)
		close(watch.errors);
	/* Who waits for something else from here on is to be ended by a signal again. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
