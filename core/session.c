#include "core/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/downscope.h"
#include "core/environment.h"
#include "core/io.h"
#include "core/job.h"
#include "core/search.h"
#include "core/supervise.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3; one number on every architecture */
#endif

/* What the child still needs before its exec, right above the three standard descriptors. */
#define REPORT_FD      3
#define RESPONSE_FD    4
#define FIRST_OTHER_FD 5

/* How long what does not die of SIGKILL is killed again. */
#define SWEEP_MOST_MS 60000

/* Our ends of everything, while the user's side runs. */
struct watch {
	const struct session *session;
	pid_t child;
	int signals;
	int parent;  /* a pidfd of the process that called us; -1: the kernel has none */
	int channel; /* -1 once closed */
	int report;  /* -1 once the child has executed its program */
	char *header;
	size_t header_size;
	size_t header_sent;
	uint64_t script_left;
	int64_t deadline; /* of a cancelled job, on io_now_ms's clock; -1: not cancelled */
	int status;	  /* of the child, once it ended */
};

/*
 * The runner's pipes are the service account's, mode 0600. Scripts that open /dev/stdout or
 * /dev/stderr open them anew, as the user. Who could reach a pipe holds it already.
 */
static void open_log_to_user(const struct session *session)
{
	for (int fd = session->output < 0 ? STDOUT_FILENO : STDERR_FILENO; fd <= STDERR_FILENO;
	     fd++)
		if (search_pipe_of(fd) != 0)
			(void)fchmod(fd, 0622);
}

/* Puts what the child needs on the lowest descriptors, so that all others can be closed. */
static bool arrange_descriptors(const struct session *session, int channel, int report)
{
	/* Out of the way first: any of them may be where another one goes. */
	int high_report = fcntl(report, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	int high_response = fcntl(session->response, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	return dup2(channel, STDIN_FILENO) >= 0 &&
	       (session->output < 0 || dup2(session->output, STDOUT_FILENO) >= 0) &&
	       dup3(high_report, REPORT_FD, O_CLOEXEC) >= 0 &&
	       (session->response < 0 || dup3(high_response, RESPONSE_FD, O_CLOEXEC) >= 0);
}

/*
 * In the forked child. Whatever fails, nothing of the job has run. The job response is parsed
 * last, when the process is the user's and has nothing to lose but this job.
 */
static void become_user(const struct session *session, int channel, int report)
{
	const struct state *state = &session->header->state;
	const char *arguments[] = {session->jacamar, "--no-auth",	session->stage,
				   "env-script",     session->substage, NULL};
	struct downscope_rules rules = {
		.change_identity = state->downscope == DOWNSCOPE_SETUID,
		.no_new_privs = state->no_new_privs,
		.filters = state->filters,
		.core_limit = session->core_limit,
	};
	struct error err = {.detail = ""};
	memcpy(rules.limits, state->limits, sizeof(rules.limits));
	char **environment = environment_vector(session->header->environment);
	/*
	 * The runner kills the process group of its call in the end. Where it may kill the user's
	 * side as well, nobody would be left to end the job.
	 */
	(void)setpgid(0, 0);

	if (environment == NULL || !arrange_descriptors(session, channel, report)) {
		error_errno(&err, ERROR_SYSTEM, "cannot set up the user's side");
	} else if (downscope_become(&state->account, &rules, FIRST_OTHER_FD, &err) == 0 &&
		   (session->response < 0 || job_check_id(RESPONSE_FD, state->job_id, &err) == 0)) {
		execve(session->program, (char *const *)arguments, environment);
		error_errno(&err, ERROR_SYSTEM, "cannot execute %s", session->program);
	}
	(void)io_write_all(REPORT_FD, &err, sizeof(err));
	/* No exit code: each of them is a script's. */
	abort();
}

static int start(struct watch *watch, struct error *err)
{
	int channel[2];
	int report[2];
	if (pipe2(channel, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	if (pipe2(report, O_CLOEXEC) != 0) {
		close(channel[0]);
		close(channel[1]);
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	}
	watch->child = fork();
	if (watch->child == 0)
		become_user(watch->session, channel[0], report[1]);
	close(channel[0]);
	close(report[1]);
	watch->channel = channel[1];
	watch->report = report[0];
	if (watch->child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	/* A user's side that is stopped must not stop us. */
	fcntl(watch->channel, F_SETFL, O_NONBLOCK);
	fcntl(watch->report, F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_channel(struct watch *watch)
{
	if (watch->channel >= 0)
		close(watch->channel);
	watch->channel = -1;
}

/* One step of what is to be sent; false where the channel is of no more use. */
static bool send_part(struct watch *watch)
{
	char buffer[16 * 1024];
	const char *from = watch->header + watch->header_sent;
	size_t size = watch->header_size - watch->header_sent;
	bool is_script = size == 0;

	if (is_script) {
		/* Read by position: what the pipe does not take is read again. */
		off_t at = (off_t)(watch->session->header->script_size - watch->script_left);
		size = watch->script_left < sizeof(buffer) ? (size_t)watch->script_left
							   : sizeof(buffer);
		ssize_t got = pread(watch->session->script, buffer, size, at);
		if (got <= 0)
			return false;
		size = (size_t)got;
		from = buffer;
	}
	ssize_t written = write(watch->channel, from, size);
	if (written < 0)
		return errno == EAGAIN || errno == EINTR;
	if (is_script)
		watch->script_left -= (uint64_t)written;
	else
		watch->header_sent += (size_t)written;
	return true;
}

static bool has_more_to_send(const struct watch *watch)
{
	return watch->header_sent < watch->header_size || watch->script_left > 0;
}

/* Asks the user's side to end the job; it has the kill timeout for it. */
static void cancel(struct watch *watch)
{
	if (watch->deadline >= 0)
		return;
	watch->deadline = io_now_ms() + watch->session->header->state.kill_timeout_ms;
	/* The end of file says it to the user's side; no line could get past a full pipe. */
	close_channel(watch);
}

/* What the child said of its failure; nothing where it has executed its program. */
static int read_report(const struct watch *watch, struct error *err)
{
	struct error said;
	ssize_t size = io_read_full(watch->report, &said, sizeof(said));
	if (size <= 0)
		return 0;
	if (size != (ssize_t)sizeof(said))
		return error_set(err, ERROR_SYSTEM, "the change to the user's account has failed");
	return error_accept(err, &said);
}

/*
 * Kills what is left of the job. We may not signal another account's processes, and may not even
 * see them, so this process acts as the user for a while. It has no more use for its capabilities.
 * False where some process is left.
 */
static bool sweep(const struct watch *watch)
{
	const struct state *state = &watch->session->header->state;
	struct error ignored;
	struct downscope_return back;
	if (state->downscope == DOWNSCOPE_NONE)
		return supervise_kill_descendants(SWEEP_MOST_MS);
	if (downscope_act_as(state->account.uid, &back, &ignored) != 0)
		return false;
	bool gone = supervise_kill_descendants(SWEEP_MOST_MS);
	downscope_return(&back);
	return gone;
}

/* Milliseconds until the kill timeout; -1: no end. */
static int time_left(const struct watch *watch)
{
	if (watch->deadline < 0)
		return -1;
	int64_t left = watch->deadline - io_now_ms();
	return left > 0 ? (int)left : 0;
}

/* One wait for whatever comes first; true once the user's side has ended, or is out of time. */
static bool wait_once(struct watch *watch)
{
	struct pollfd sources[] = {
		{.fd = watch->signals, .events = POLLIN},
		/* A parent that has ended stays so, and has told us once. */
		{.fd = watch->deadline < 0 ? watch->parent : -1, .events = POLLIN},
		/* Without something to send, to learn nothing: its error would come again and
		   again. */
		{.fd = has_more_to_send(watch) ? watch->channel : -1, .events = POLLOUT},
	};
	int left = time_left(watch);
	if (left == 0)
		return true;
	if (poll(sources, 3, left) < 0)
		return false;
	struct supervise_signals seen = supervise_read_signals(watch->signals);
	if (seen.child && supervise_reap(watch->child, &watch->status))
		return true;
	if (seen.end || sources[1].revents != 0)
		cancel(watch);
	if (watch->channel >= 0 && sources[2].revents != 0 && !send_part(watch))
		close_channel(watch);
	return false;
}

/* Our caller's end is the job's end: a new runner would use the same directories. */
static int open_parent(void)
{
	pid_t parent = getppid();
	int fd = (int)syscall(SYS_pidfd_open, parent, 0);
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static int run(struct watch *watch, struct session_end *end, struct error *err)
{
	if (start(watch, err) != 0)
		return -1;
	/* The parent may have ended before we had a descriptor of it. */
	if (watch->parent >= 0 &&
	    poll(&(struct pollfd){.fd = watch->parent, .events = POLLIN}, 1, 0) > 0)
		cancel(watch);
	while (!wait_once(watch))
		;
	end->cancelled = watch->deadline >= 0;
	close_channel(watch);
	bool by_itself = !end->cancelled && WIFEXITED(watch->status);
	end->left = !by_itself && !sweep(watch);
	if (read_report(watch, err) != 0)
		return -1;
	end->exit_code = WIFEXITED(watch->status) ? WEXITSTATUS(watch->status) : 0;
	end->signal = WIFSIGNALED(watch->status) ? WTERMSIG(watch->status) : 0;
	return 0;
}

int session_run(const struct session *session, struct session_end *end, struct error *err)
{
	struct watch watch = {
		.session = session, .child = -1, .channel = -1, .report = -1, .deadline = -1};
	memset(end, 0, sizeof(*end));
	cleanup_close int parent = open_parent();
	cleanup_close int signals = supervise_open_signals(err);
	cleanup_free char *header = channel_encode_header(session->header);
	if (signals < 0 || supervise_adopt_orphans(err) != 0)
		return -1;
	if (header == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory, or text that is not UTF-8");
	watch.parent = parent;
	watch.signals = signals;
	watch.header = header;
	watch.header_size = strlen(header);
	watch.script_left = session->header->script_size;
	open_log_to_user(session);

	int result = run(&watch, end, err);
	close_channel(&watch);
	if (watch.report >= 0)
		close(watch.report);
	return result;
}
