#include "core/stage/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/process/process_tree.h"
#include "core/stage/pam_session.h"
#include "core/stage/sudo.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3; one number on every architecture */
#endif

/* The limit for a helper of kill_leftovers.h, which normally ends earlier, by its own limits. */
#define HELPER_MOST_MS 25000

/*
 * More than sudo has between this process and the user's side. A session's process has one child,
 * and adopts none: what else is below it may be any process of the job.
 */
#define SUDO_PROCESSES_MOST 4
#define SESSION_PROCESSES   1

/* The state of this process while the user's side runs. */
struct watch {
	const struct stage_process *process;
	pid_t child;
	int signals;
	int parent; /* a pidfd of the process that called us; -1: the kernel has none */
	struct stage_process_pipes pipes;
	bool channel_ended;	      /* this process sends nothing more */
	struct channel_answer answer; /* from the user's side, over the channel */
	size_t answer_size;
	char *header;
	size_t header_size;
	size_t header_sent;
	uint64_t script_left;
	bool cancelled;
	int64_t deadline; /* on io_now_ms's clock; -1: none */
	int64_t kill_at;  /* when to kill the processes of the job's cgroup; likewise */
	bool ended;	  /* the child has ended, and its status is: */
	int status;
};

/* Sends the end of file to the user's side, perhaps after a part of the job. */
static void end_channel(struct watch *watch)
{
	if (!watch->channel_ended)
		shutdown(watch->pipes.channel, SHUT_WR);
	watch->channel_ended = true;
}

/* Sends the next part of the header or the script; false if no more can be sent. */
static bool send_part(struct watch *watch)
{
	char buffer[4 * 1024];
	const char *from = watch->header + watch->header_sent;
	size_t size = watch->header_size - watch->header_sent;
	bool is_script = size == 0;

	if (is_script) {
		/* By position: bytes that the socket does not take are read again. */
		off_t at = (off_t)(watch->process->header->script_size - watch->script_left);
		size = watch->script_left < sizeof(buffer) ? (size_t)watch->script_left
							   : sizeof(buffer);
		ssize_t got = pread(watch->process->script, buffer, size, at);
		if (got <= 0)
			return false;
		size = (size_t)got;
		from = buffer;
	}
	ssize_t written = send(watch->pipes.channel, from, size, MSG_NOSIGNAL);
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
 * If the user's side is stopped, sudo stops itself as well, and does not continue on its own.
 * SIGCONT may be sent to it within a session, although it runs as root, and sudo passes it on.
 */
static void wake_sudo(const struct watch *watch)
{
	if (watch->process->sudo != NULL && !watch->ended)
		(void)kill(watch->child, SIGCONT);
}

/* True for a helper of kill_leftovers.h, which is no stage of the job. */
static bool is_helper(const struct stage_process *process)
{
	return process->header->kill_list != NULL;
}

/* The session's process must not be killed: it closes the session. */
static void kill_user_side(const struct watch *watch)
{
	(void)kill(watch->child, watch->process->session != NULL ? SIGUSR1 : SIGKILL);
}

/* Asks the user's side to end the job within the kill timeout. */
static void cancel(struct watch *watch)
{
	if (watch->cancelled || is_helper(watch->process))
		return;
	const struct channel_header *header = watch->process->header;
	int64_t timeout_ms = header->state.settings.general.kill_timeout_ms;
	watch->cancelled = true;
	watch->deadline = io_now_ms() + timeout_ms;
	/* Not for a batch job: the user's side runs commands in the cgroup to cancel it. */
	if (header->arguments == NULL && cgroup_can_kill(watch->process->cgroup))
		watch->kill_at = watch->deadline - timeout_ms / 4;
	/* The end of file tells the user's side; a line could not be sent through a full socket. */
	end_channel(watch);
	wake_sudo(watch);
	/* The look-up of the account may hang. Nothing of the job has run yet. */
	if (stage_process_is_before_exec(&watch->pipes))
		kill_user_side(watch);
}

/* Receives what the user's side has sent; does not wait. */
static void receive_answer(struct watch *watch)
{
	watch->answer_size =
		channel_receive_answer(watch->pipes.channel, &watch->answer, watch->answer_size);
}

/*
 * Moves the user's side out of the job's cgroup, because it still has to write the rest of the log.
 * It is our child or, with sudo or a session, a descendant of our child. Then its pid comes over
 * the channel, and is used only if it is a descendant of our child. The session's process is not in
 * the cgroup.
 */
static void take_out_user_side(struct watch *watch)
{
	pid_t pids[SUDO_PROCESSES_MOST];
	size_t count = 0;
	pid_t pid = 0;
	bool has_session = watch->process->session != NULL;
	size_t most = has_session ? SESSION_PROCESSES : SUDO_PROCESSES_MOST;
	receive_answer(watch);
	if ((watch->process->sudo != NULL || has_session) && watch->answer_size >= sizeof(int))
		pid = watch->answer.pid;
	while (pid > 1 && pid != watch->child && count < most) {
		pids[count++] = pid;
		pid = process_tree_stat(pid).parent;
	}
	for (size_t i = 0; pid == watch->child && i < count; i++)
		cgroup_take_out(watch->process->cgroup, pids[i]);
	if (!has_session)
		cgroup_take_out(watch->process->cgroup, watch->child);
}

/* Milliseconds until the next deadline; -1: there is none. Kills the cgroup when that is due. */
static int time_left(struct watch *watch)
{
	int64_t now = io_now_ms();
	if (watch->kill_at >= 0 && now >= watch->kill_at) {
		take_out_user_side(watch);
		cgroup_kill(watch->process->cgroup);
		watch->kill_at = -1;
	}
	if (watch->deadline < 0)
		return -1;
	int64_t left = (watch->kill_at >= 0 ? watch->kill_at : watch->deadline) - now;
	return left > 0 ? (int)left : 0;
}

/* Waits for one event; true if the user's side has ended, or is out of time. */
static bool wait_once(struct watch *watch)
{
	struct pollfd sources[] = {
		{.fd = watch->signals, .events = POLLIN},
		/* The end of the parent stays readable, and is handled once. */
		{.fd = watch->cancelled ? -1 : watch->parent, .events = POLLIN},
		/* Only while there is something to send: an error would wake this loop for ever. */
		{.fd = has_more_to_send(watch) ? watch->pipes.channel : -1, .events = POLLOUT},
	};
	int left = time_left(watch);
	if (left == 0)
		return true;
	if (poll(sources, 3, left) < 0)
		return false;
	struct signals seen = signals_read(watch->signals);
	watch->ended = seen.child && process_tree_reap(watch->child, &watch->status);
	if (watch->ended)
		return true;
	if (seen.child)
		wake_sudo(watch);
	if (seen.end || sources[1].revents != 0)
		cancel(watch);
	if (sources[2].revents != 0 && has_more_to_send(watch) && !send_part(watch))
		end_channel(watch);
	return false;
}

/* If the caller ends, the job must end: a new runner would use the same directories. */
static int open_parent(void)
{
	pid_t parent = getppid();
	int fd = (int)syscall(SYS_pidfd_open, parent, 0);
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* The user's side has failed and has written the reason to the job's log. */
static bool is_explained(const struct watch *watch)
{
	const struct channel_answer *answer = &watch->answer;
	return (watch->answer_size >= sizeof(int) && answer->pid == CHANNEL_FAILED) ||
	       (watch->answer_size == sizeof(*answer) && answer->exit_code == CHANNEL_FAILED);
}

/* The stage has come to its own end, and has reported its exit code. */
static bool has_exit_code(const struct watch *watch)
{
	int code = watch->answer.exit_code;
	return watch->answer_size == sizeof(watch->answer) && code >= 0 && code <= 255;
}

/* The process has exited, but the user's side has reported neither an exit code nor a failure. */
static int explain_exit(const struct watch *watch, struct error *err)
{
	const struct stage_process *process = watch->process;
	int code = WEXITSTATUS(watch->status);
	if (process->sudo != NULL && watch->answer_size == 0)
		return sudo_explain(&process->header->state, process->stage, code, err);
	return error_set(err, ERROR_SYSTEM,
			 "%s ended with code %d before the stage did: is it the jacamar of the "
			 "same version?",
			 process->sudo != NULL ? process->sudo : process->program, code);
}

static int run(struct watch *watch, struct monitor_end *end, struct error *err)
{
	if (stage_process_start(watch->process, &watch->child, &watch->pipes, err) != 0)
		return -1;
	/* The parent may have ended before its descriptor was open. */
	if (watch->parent >= 0 &&
	    poll(&(struct pollfd){.fd = watch->parent, .events = POLLIN}, 1, 0) > 0)
		cancel(watch);
	while (!wait_once(watch))
		;
	if (!watch->ended && watch->process->session != NULL) {
		kill_user_side(watch);
		watch->deadline = io_now_ms() + PAM_SESSION_END_MS;
		while (!wait_once(watch))
			;
	}
	end_channel(watch);
	receive_answer(watch);
	bool exited = watch->ended && WIFEXITED(watch->status);
	bool completed = !watch->cancelled && exited && has_exit_code(watch);
	end->cancelled = watch->cancelled;
	end->explained = is_explained(watch);
	end->interrupted = !completed;
	end->child = watch->ended ? -1 : watch->child;
	end->user_side =
		watch->answer_size >= sizeof(int) && watch->answer.pid > 0 ? watch->answer.pid : 0;
	if (stage_process_read_failure(&watch->pipes, err) != 0)
		return -1;
	if (exited && !completed && !watch->cancelled && !end->explained)
		return explain_exit(watch, err);
	end->exit_code = watch->answer.exit_code;
	end->signal = watch->ended && WIFSIGNALED(watch->status) ? WTERMSIG(watch->status) : 0;
	return 0;
}

int monitor_run(const struct stage_process *process, struct monitor_end *end, struct error *err)
{
	struct watch watch = {.process = process,
			      .child = -1,
			      .pipes = {-1, -1, -1},
			      .deadline = -1,
			      .kill_at = -1};
	memset(end, 0, sizeof(*end));
	/* A helper continues if the parent ends. */
	cleanup_close int parent = is_helper(process) ? -1 : open_parent();
	cleanup_close int signals = signals_open(err);
	cleanup_free char *header = channel_encode_header(process->header);
	if (signals < 0 || process_tree_adopt_orphans(err) != 0)
		return -1;
	if (header == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory, or text that is not UTF-8");
	if (is_helper(process))
		watch.deadline = io_now_ms() + HELPER_MOST_MS;
	watch.parent = parent;
	watch.signals = signals;
	watch.header = header;
	watch.header_size = strlen(header);
	watch.script_left = process->header->script_size;

	int result = run(&watch, end, err);
	const int ends[] = {watch.pipes.channel, watch.pipes.report, watch.pipes.failure};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return result;
}
