#include "core/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/downscope.h"
#include "core/environment.h"
#include "core/io.h"
#include "core/job.h"
#include "core/resident.h"
#include "core/search.h"
#include "core/sudo.h"
#include "core/supervise.h"
#include "core/sweep.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3; one number on every architecture */
#endif

/* What the child still needs before its exec, right above the three standard descriptors. */
#define REPORT_FD      3
#define RESPONSE_FD    4
#define FIRST_OTHER_FD 5

/* How long a helper of sweep.h may take: more than it takes at most by itself. */
#define SWEEP_MOST_MS 25000

/* jacamar --no-auth STAGE env-script SUBSTAGE, and the NULL behind it. */
#define OWN_ARGUMENTS 6

/* Our ends of everything, while the user's side runs. */
struct watch {
	const struct session *session;
	pid_t child;
	int signals;
	int parent; /* a pidfd of the process that called us; -1: the kernel has none */
	int channel;
	bool channel_ended;	    /* by us: nothing more is sent */
	struct channel_words words; /* what has come back over it */
	size_t words_size;
	int report; /* -1 once the child has executed its program */
	char *header;
	size_t header_size;
	size_t header_sent;
	uint64_t script_left;
	bool cancelled;
	int64_t deadline; /* on io_now_ms's clock; -1: none */
	bool ended;	  /* the child; then: */
	int status;
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
	if (dup2(channel, STDIN_FILENO) < 0 ||
	    (session->output >= 0 && dup2(session->output, STDOUT_FILENO) < 0) ||
	    dup3(high_report, REPORT_FD, O_CLOEXEC) < 0)
		return false;
	if (session->response >= 0)
		return dup3(high_response, RESPONSE_FD, O_CLOEXEC) >= 0;
	/* Whatever of ours has that number is of no more use. */
	close(RESPONSE_FD);
	return true;
}

/* Executes the user's side, by itself or by way of sudo. Returns where that fails. */
static void execute(const struct session *session, struct error *err)
{
	const char *arguments[SUDO_ARGUMENTS + OWN_ARGUMENTS];
	const char *const own[OWN_ARGUMENTS] = {session->jacamar, "--no-auth",	     session->stage,
						"env-script",	  session->substage, NULL};
	size_t before = session->sudo != NULL ? SUDO_ARGUMENTS : 0;
	const char *program = session->sudo != NULL ? session->sudo : session->program;
	memcpy(arguments + before, own, sizeof(own));

	if (session->sudo != NULL) {
		sudo_arguments(&session->header->state, arguments);
		execve(program, (char *const *)arguments, sudo_environment());
	} else {
		char **environment = environment_vector(session->header->environment);
		if (environment != NULL)
			execve(program, (char *const *)arguments, environment);
	}
	error_errno(err, ERROR_SYSTEM, "cannot execute %s", program);
}

/*
 * In the forked child. Whatever fails, nothing of the job has run. The job response is parsed
 * last, when the process is the user's and has nothing to lose but this job.
 */
static void become_user(const struct session *session, int channel, int report)
{
	const struct state *state = &session->header->state;
	struct downscope_rules rules = {
		.kind = state->downscope,
		.no_new_privs = state->no_new_privs,
		.raise_stack = state->raise_stack,
		.cleans_up = strcmp(session->stage, "cleanup") == 0,
		.filters = state->filters,
		.core_limit = session->core_limit,
	};
	struct error err = {.detail = ""};
	memcpy(rules.limits, state->limits, sizeof(rules.limits));
	/*
	 * The runner kills the process group of its call in the end. Where it may kill the user's
	 * side as well, nobody would be left to end the job. And sudo hands on no signal from its
	 * own group.
	 */
	(void)setpgid(0, 0);
	/* Until the account changes, which clears it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);

	if (!arrange_descriptors(session, channel, report))
		error_errno(&err, ERROR_SYSTEM, "cannot set up the user's side");
	else if (downscope_become(&state->account, &rules, FIRST_OTHER_FD, &err) == 0 &&
		 (session->response < 0 || job_check_id(RESPONSE_FD, state->job_id, &err) == 0))
		execute(session, &err);
	(void)io_write_all(REPORT_FD, &err, sizeof(err));
	/* No exit code: each of them is a script's. */
	abort();
}

static int start(struct watch *watch, struct error *err)
{
	int channel[2];
	int report[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pair of sockets");
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

/* The user's side sees the end of file, also where it was sent but a part. */
static void end_channel(struct watch *watch)
{
	if (!watch->channel_ended)
		shutdown(watch->channel, SHUT_WR);
	watch->channel_ended = true;
}

/* One step of what is to be sent; false where the channel is of no more use. */
static bool send_part(struct watch *watch)
{
	char buffer[16 * 1024];
	const char *from = watch->header + watch->header_sent;
	size_t size = watch->header_size - watch->header_sent;
	bool is_script = size == 0;

	if (is_script) {
		/* Read by position: what the socket does not take is read again. */
		off_t at = (off_t)(watch->session->header->script_size - watch->script_left);
		size = watch->script_left < sizeof(buffer) ? (size_t)watch->script_left
							   : sizeof(buffer);
		ssize_t got = pread(watch->session->script, buffer, size, at);
		if (got <= 0)
			return false;
		size = (size_t)got;
		from = buffer;
	}
	ssize_t written = send(watch->channel, from, size, MSG_NOSIGNAL);
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
	return !watch->channel_ended &&
	       (watch->header_sent < watch->header_size || watch->script_left > 0);
}

/*
 * sudo stops itself where what it has executed was stopped, and would stay so when that goes on.
 * It is root's, but SIGCONT is allowed within a session; it hands it on.
 */
static void wake_sudo(const struct watch *watch)
{
	if (watch->session->sudo != NULL && !watch->ended)
		(void)kill(watch->child, SIGCONT);
}

/* True where this session is not a stage of its own, but started by sweep.h. */
static bool is_sweep(const struct session *session)
{
	return session->header->sweep != NULL;
}

/* Asks the user's side to end the job; it has the kill timeout for it. */
static void cancel(struct watch *watch)
{
	if (watch->cancelled || is_sweep(watch->session))
		return;
	watch->cancelled = true;
	watch->deadline = io_now_ms() + watch->session->header->state.kill_timeout_ms;
	/* The end of file says it to the user's side; no line could get past a full socket. */
	end_channel(watch);
	wake_sudo(watch);
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
		{.fd = watch->cancelled ? -1 : watch->parent, .events = POLLIN},
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
	watch->ended = seen.child && supervise_reap(watch->child, &watch->status);
	if (watch->ended)
		return true;
	if (seen.child)
		wake_sudo(watch);
	if (seen.end || sources[1].revents != 0)
		cancel(watch);
	if (sources[2].revents != 0 && has_more_to_send(watch)) {
		if (!send_part(watch))
			end_channel(watch);
		/* From here on all that is left is to wait. */
		if (!has_more_to_send(watch))
			resident_trim();
	}
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

/* Whether the stage came to its own end, and said so. */
static bool has_said_exit_code(const struct watch *watch)
{
	int code = watch->words.exit_code;
	return watch->words_size == sizeof(watch->words) && code >= 0 && code <= 255;
}

/* An exit without that word is not the user's side's own. */
static int explain_silence(const struct watch *watch, struct error *err)
{
	const struct session *session = watch->session;
	int code = WEXITSTATUS(watch->status);
	if (session->sudo != NULL && watch->words_size == 0)
		return sudo_explain(&session->header->state, session->stage, code, err);
	return error_set(err, ERROR_SYSTEM,
			 "%s ended with code %d before the stage did: is it jacamar, of the same "
			 "version?",
			 session->sudo != NULL ? session->sudo : session->program, code);
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
	end_channel(watch);
	watch->words_size = channel_hear(watch->channel, &watch->words, 0);
	bool exited = watch->ended && WIFEXITED(watch->status);
	bool by_itself = !watch->cancelled && exited && has_said_exit_code(watch);
	end->cancelled = watch->cancelled;
	end->left = !by_itself && !is_sweep(watch->session) &&
		    !sweep_processes(watch->session, watch->ended ? -1 : watch->child,
				     watch->words_size >= sizeof(int) ? watch->words.pid : 0);
	if (read_report(watch, err) != 0)
		return -1;
	if (exited && !by_itself && !watch->cancelled)
		return explain_silence(watch, err);
	end->exit_code = watch->words.exit_code;
	end->signal = watch->ended && WIFSIGNALED(watch->status) ? WTERMSIG(watch->status) : 0;
	return 0;
}

int session_run(const struct session *session, struct session_end *end, struct error *err)
{
	struct watch watch = {
		.session = session, .child = -1, .channel = -1, .report = -1, .deadline = -1};
	memset(end, 0, sizeof(*end));
	/* Nobody's end, and no signal, keeps what is left of a job from being killed. */
	cleanup_close int parent = is_sweep(session) ? -1 : open_parent();
	cleanup_close int signals = supervise_open_signals(err);
	cleanup_free char *header = channel_encode_header(session->header);
	if (signals < 0 || supervise_adopt_orphans(err) != 0)
		return -1;
	if (header == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory, or text that is not UTF-8");
	if (is_sweep(session))
		watch.deadline = io_now_ms() + SWEEP_MOST_MS;
	watch.parent = parent;
	watch.signals = signals;
	watch.header = header;
	watch.header_size = strlen(header);
	watch.script_left = session->header->script_size;
	open_log_to_user(session);

	int result = run(&watch, end, err);
	if (watch.channel >= 0)
		close(watch.channel);
	if (watch.report >= 0)
		close(watch.report);
	return result;
}
