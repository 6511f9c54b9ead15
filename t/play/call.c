#include "t/play/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"

#define NOTICE "\033[32;1m$ " /* before a command that the script is about to run */

/* From SIGTERM, or from the end of the process, to the report that a call is late. */
#define LATE_AFTER 10000

static const int WATCHED[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* One of the two pipes of a call. */
struct stream {
	int fd;		  /* -1: at its end */
	struct text line; /* the beginning of a line that has no end yet */
	struct text *keep;
	bool to_log;
	bool to_stderr;
};

/* The state of a call; a time is -1 until it has come. */
struct progress {
	struct stream streams[2];
	int64_t ended;
	int64_t terminated;
	int64_t killed;
	bool late; /* and that was reported */
};

void watch_log(const struct watch *watch, const char *bytes, size_t length)
{
	/* If nobody reads the log any more, the job still continues. */
	(void)io_write_all(STDOUT_FILENO, bytes, length);
	if (watch->log >= 0)
		(void)io_write_all(watch->log, bytes, length);
}

void watch_start(struct watch *watch)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(WATCHED) / sizeof(WATCHED[0]); i++)
		sigaddset(&set, WATCHED[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	watch->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signals < 0)
		die(EXIT_FAILURE, "signalfd: %s", strerror(errno));
}

static void cancel(struct watch *watch, enum phase phase)
{
	watch->cancel_at = -1;
	watch->cancel_text = NULL;
	if (watch->out_of_time)
		watch->deadline = 0;
	else if (watch->stopped == NULL && (watch->abort || phase == PHASE_BEFORE))
		watch->stopped = "canceled";
	else if (phase == PHASE_SCRIPT)
		watch->script_cancelled = true;
}

void watch_look(struct watch *watch, enum phase phase)
{
	struct signalfd_siginfo info;
	int64_t now = io_now_ms();

	while (read(watch->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD && watch->stopped == NULL)
			watch->stopped = "aborted";
	if (watch->cancel_at >= 0 && now >= watch->cancel_at)
		cancel(watch, phase);
	if (watch->deadline >= 0 && now >= watch->deadline && watch->stopped == NULL)
		watch->stopped = "timeout";
}

void watch_sleep(struct watch *watch, int64_t duration)
{
	int64_t end = io_now_ms() + duration;

	for (;;) {
		struct pollfd signals = {watch->signals, POLLIN, 0};
		int64_t left = end - io_now_ms();

		watch_look(watch, PHASE_BEFORE);
		if (watch->stopped != NULL || left <= 0)
			return;
		poll(&signals, 1, left > 100 ? 100 : (int)left);
	}
}

/* In the child. Reports a failure through the pipe, as errno. */
static _Noreturn void become(const struct call *call, const int out[2], const int err[2],
			     int report)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	sigemptyset(&none);
	if (setpgid(0, 0) == 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(out[1], STDOUT_FILENO) >= 0 && dup2(err[1], STDERR_FILENO) >= 0 &&
	    chdir(call->directory) == 0 && signal(SIGPIPE, SIG_DFL) != SIG_ERR &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		execvpe(call->argv[0], call->argv, call->environment);
	(void)io_write_all(report, &(int){errno}, sizeof(int));
	_exit(127);
}

/* Returns false, with call->error, if the driver cannot be started. */
static bool start(struct call *call, struct progress *progress)
{
	int out[2], err[2], report[2];

	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 ||
	    pipe2(report, O_CLOEXEC) != 0)
		die(EXIT_FAILURE, "pipe: %s", strerror(errno));
	call->pid = fork();
	if (call->pid < 0)
		die(EXIT_FAILURE, "fork: %s", strerror(errno));
	if (call->pid == 0)
		become(call, out, err, report[1]);
	setpgid(call->pid, call->pid);
	close(out[1]);
	close(err[1]);
	close(report[1]);
	if (read(report[0], &call->error, sizeof(call->error)) <= 0)
		call->error = 0;
	close(report[0]);
	if (call->error != 0) {
		waitpid(call->pid, &call->status, 0);
		close(out[0]);
		close(err[0]);
		return false;
	}
	progress->streams[0].fd = out[0];
	progress->streams[1].fd = err[0];
	return true;
}

/* True once a line has the text; lines by which a script announces a command do not count. */
static bool has_text(struct stream *stream, const char *bytes, size_t length, const char *wanted)
{
	while (length > 0) {
		const char *newline = memchr(bytes, '\n', length);
		size_t part = newline == NULL ? length : (size_t)(newline - bytes) + 1;

		text_add(&stream->line, bytes, part);
		if (strncmp(stream->line.data, NOTICE, strlen(NOTICE)) != 0 &&
		    memmem(stream->line.data, stream->line.length, wanted, strlen(wanted)) != NULL)
			return true;
		if (newline != NULL)
			stream->line.length = 0;
		bytes += part;
		length -= part;
	}
	return false;
}

static void read_stream(struct stream *stream, const struct call *call, struct watch *watch)
{
	static char bytes[65536];
	ssize_t got = read(stream->fd, bytes, sizeof(bytes));

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		close(stream->fd);
		stream->fd = -1;
		return;
	}
	if (stream->keep != NULL)
		text_add(stream->keep, bytes, (size_t)got);
	if (stream->to_stderr)
		(void)io_write_all(STDERR_FILENO, bytes, (size_t)got);
	if (!stream->to_log)
		return;
	watch_log(watch, bytes, (size_t)got);
	if (watch->cancel_text != NULL && has_text(stream, bytes, (size_t)got, watch->cancel_text))
		cancel(watch, call->phase);
}

static bool is_to_end(const struct call *call, const struct watch *watch, int64_t started)
{
	if (call->timeout >= 0 && io_now_ms() >= started + call->timeout)
		return true;
	if (call->phase == PHASE_CLEANUP)
		return false;
	return watch->stopped != NULL || (call->phase == PHASE_SCRIPT && watch->script_cancelled);
}

static int send_to_group(struct call *call, int number)
{
	call->signalled = number;
	return kill(-call->pid, number);
}

static unsigned long long inode_of(const struct stream *stream)
{
	struct stat found;

	return stream->fd >= 0 && fstat(stream->fd, &found) == 0 ? found.st_ino : 0;
}

/*
 * The reader of the FIFO, if there is one, finds out who holds the pipes: this process cannot see
 * the descriptors of other accounts.
 */
static void report_late(const struct call *call, const struct watch *watch,
			const struct progress *progress)
{
	int fd = open(watch->late_fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "%d %llu %llu\n", (int)call->pid, inode_of(&progress->streams[0]),
		inode_of(&progress->streams[1]));
	close(fd);
}

static bool is_late(const struct progress *progress, int64_t now)
{
	return (progress->terminated >= 0 && now >= progress->terminated + LATE_AFTER) ||
	       (progress->ended >= 0 && now >= progress->ended + LATE_AFTER);
}

/* Returns true if there is nothing more to wait for. */
static bool advance(struct call *call, const struct watch *watch, struct progress *progress,
		    int64_t started)
{
	int64_t now = io_now_ms();

	if (progress->terminated < 0 && is_to_end(call, watch, started)) {
		progress->terminated = now;
		if (send_to_group(call, SIGTERM) != 0)
			send_to_group(call, SIGKILL);
	}
	if (progress->terminated >= 0 && progress->killed < 0 &&
	    now >= progress->terminated + watch->grace) {
		progress->killed = now;
		send_to_group(call, SIGKILL);
	}
	if (progress->killed >= 0 && now >= progress->killed + watch->force)
		call->given_up = true;
	if (progress->ended >= 0 && watch->eof_timeout >= 0 &&
	    now >= progress->ended + watch->eof_timeout)
		call->hung = true;
	if (watch->late_fifo != NULL && !progress->late && is_late(progress, now)) {
		progress->late = true;
		report_late(call, watch, progress);
	}
	return call->given_up || call->hung;
}

static void look_for_end(struct call *call, struct progress *progress)
{
	if (progress->ended < 0 && waitpid(call->pid, &call->status, WNOHANG) == call->pid)
		progress->ended = io_now_ms();
}

/* The runner would leave them behind; this program does not. */
static void leave_nothing(struct call *call, struct progress *progress)
{
	kill(-call->pid, SIGKILL);
	for (int i = 0; i < 100 && progress->ended < 0; i++) {
		look_for_end(call, progress);
		poll(NULL, 0, 10);
	}
	for (int i = 0; i < 2; i++)
		if (progress->streams[i].fd >= 0)
			close(progress->streams[i].fd);
}

void call_run(struct call *call, struct watch *watch)
{
	struct progress progress = {
		.streams = {{.fd = -1,
			     .to_log = !call->keep_stdout,
			     .keep = call->keep_stdout ? &call->output : NULL},
			    {.fd = -1,
			     .to_log = !call->keep_stderr,
			     .to_stderr = call->keep_stderr,
			     .keep = call->keep_stderr ? &call->errors : NULL}},
		.ended = -1,
		.terminated = -1,
		.killed = -1,
	};
	int64_t started = io_now_ms();

	if (!start(call, &progress))
		return;
	for (;;) {
		struct pollfd polled[3] = {{watch->signals, POLLIN, 0},
					   {progress.streams[0].fd, POLLIN, 0},
					   {progress.streams[1].fd, POLLIN, 0}};

		watch_look(watch, call->phase);
		look_for_end(call, &progress);
		if (progress.ended >= 0 && progress.streams[0].fd < 0 && progress.streams[1].fd < 0)
			break;
		if (advance(call, watch, &progress, started))
			break;
		poll(polled, 3, 100);
		for (int i = 0; i < 2; i++)
			if (polled[i + 1].revents != 0)
				read_stream(&progress.streams[i], call, watch);
	}
	if (call->hung || call->given_up)
		leave_nothing(call, &progress);
	call->duration = io_now_ms() - started;
	text_free(&progress.streams[0].line);
	text_free(&progress.streams[1].line);
}
