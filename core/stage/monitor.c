#include "core/stage/monitor.h"

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

#include "core/identity/job.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/privilege/downscope.h"
#include "core/process/process_tree.h"
#include "core/protocol/environment.h"
#include "core/stage/sudo.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3; one number on every architecture */
#endif

/* Descriptors that the child needs until execve(2), right above the three standard ones. */
#define REPORT_FD      3
#define RESPONSE_FD    4
#define FIRST_OTHER_FD 5

/* The limit for a helper of kill_leftovers.h; its own limits end it before. */
#define HELPER_MOST_MS 25000

/* More than sudo has between this process and the user's side. */
#define SUDO_PROCESSES_MOST 4

/* jacamar --no-auth STAGE env-script SUBSTAGE, and the NULL behind it. */
#define OWN_ARGUMENTS 6

/* The state of this process while the user's side runs. */
struct watch {
	const struct monitor *monitor;
	pid_t child;
	int signals;
	int parent; /* a pidfd of the process that called us; -1: the kernel has none */
	int channel;
	bool channel_ended;	      /* by us: nothing more is sent */
	struct channel_answer answer; /* what has come back over it */
	size_t answer_size;
	int report; /* -1 once the child has executed its program */
	char *header;
	size_t header_size;
	size_t header_sent;
	uint64_t script_left;
	bool cancelled;
	int64_t deadline; /* on io_now_ms's clock; -1: none */
	int64_t kill_at;  /* when to kill the processes of the job's cgroup; likewise */
	bool ended;	  /* the child; then: */
	int status;
};

/*
 * Moves the descriptors that the child needs to the lowest numbers, so that all others can be
 * closed. Also after a failure, *report is the descriptor for the reason.
 */
static bool arrange_descriptors(const struct monitor *monitor, int channel, int *report)
{
	/* First to high numbers: each may have the number that another one gets. */
	int high_report = fcntl(*report, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	if (high_report < 0)
		return false;
	*report = high_report;
	int high_response = fcntl(monitor->response, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	if (dup2(channel, STDIN_FILENO) < 0 ||
	    (monitor->output >= 0 && dup2(monitor->output, STDOUT_FILENO) < 0) ||
	    dup3(high_report, REPORT_FD, O_CLOEXEC) < 0)
		return false;
	*report = REPORT_FD;
	if (monitor->response >= 0)
		return dup3(high_response, RESPONSE_FD, O_CLOEXEC) >= 0;
	/* Another descriptor may have that number. */
	close(RESPONSE_FD);
	return true;
}

/* Executes the user's side, directly or by sudo. Returns only after a failure. */
static void execute(const struct monitor *monitor, struct error *err)
{
	const char *arguments[SUDO_ARGUMENTS + OWN_ARGUMENTS];
	const char *const own[OWN_ARGUMENTS] = {monitor->jacamar, "--no-auth",	     monitor->stage,
						"env-script",	  monitor->substage, NULL};
	size_t before = monitor->sudo != NULL ? SUDO_ARGUMENTS : 0;
	const char *program = monitor->sudo != NULL ? monitor->sudo : monitor->program;
	memcpy(arguments + before, own, sizeof(own));

	if (monitor->sudo != NULL) {
		sudo_arguments(&monitor->header->state, arguments);
		execve(program, (char *const *)arguments, sudo_environment());
	} else {
		char **environment = environment_vector(monitor->header->environment);
		if (environment != NULL)
			execve(program, (char *const *)arguments, environment);
	}
	error_errno(err, ERROR_SYSTEM, "cannot execute %s", program);
}

/*
 * In the forked child. If anything fails, nothing of the job has run. The account is looked up here
 * because that may hang, and a child can be killed; cleanup trusts the state, so that it ends the
 * job also if accounts cannot be looked up. The job response is parsed last, when the process is
 * the user's: a flaw of the parser gives its attacker nothing then.
 */
static void become_user(const struct monitor *monitor, int channel, int report)
{
	const struct state *state = &monitor->header->state;
	struct downscope_rules rules =
		downscope_rules_of(state, strcmp(monitor->stage, "cleanup") == 0);
	struct error err = {.detail = ""};
	/*
	 * A process group of its own: the runner finally kills the group of its call, and the
	 * user's side must survive that to end the job. Besides, sudo does not pass on signals that
	 * come from its own group. The session stays the runner's: if a script has stopped the
	 * user's side and jacamar-auth is killed, this group becomes orphaned, and the kernel sends
	 * it SIGHUP and SIGCONT. After setsid(2) it would be orphaned from the beginning, and stay
	 * stopped. downscope_become() gives up the terminal of that session.
	 */
	(void)setpgid(0, 0);
	/* The change of account clears this. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);

	/* First: arrange_descriptors() may replace the descriptors of the cgroup. */
	bool entered = cgroup_enter(monitor->cgroup, &err) == 0;
	if (entered && !arrange_descriptors(monitor, channel, &report))
		error_errno(&err, ERROR_SYSTEM, "cannot set up the process of the user");
	else if (entered && (rules.cleans_up || account_confirm(&state->account, &err) == 0) &&
		 downscope_become(&state->account, &rules, FIRST_OTHER_FD, &err) == 0 &&
		 (monitor->response < 0 || job_check_id(RESPONSE_FD, state->job_id, &err) == 0))
		execute(monitor, &err);
	(void)io_write_all(report, &err, sizeof(err));
	/* By a signal: any exit code can be a script's. */
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
	watch->child = cgroup_fork(watch->monitor->cgroup);
	if (watch->child == 0) {
		/* With these ends open it would not notice that this process closes its own. */
		close(channel[1]);
		close(report[0]);
		become_user(watch->monitor, channel[0], report[1]);
	}
	close(channel[0]);
	close(report[1]);
	watch->channel = channel[1];
	watch->report = report[0];
	if (watch->child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	/* A stopped user's side must not block this process. */
	fcntl(watch->channel, F_SETFL, O_NONBLOCK);
	fcntl(watch->report, F_SETFL, O_NONBLOCK);
	return 0;
}

/* The user's side gets the end of file, perhaps after a part of the job. */
static void end_channel(struct watch *watch)
{
	if (!watch->channel_ended)
		shutdown(watch->channel, SHUT_WR);
	watch->channel_ended = true;
}

/* Sends the next part of the header or the script; false if no more can be sent. */
static bool send_part(struct watch *watch)
{
	char buffer[16 * 1024];
	const char *from = watch->header + watch->header_sent;
	size_t size = watch->header_size - watch->header_sent;
	bool is_script = size == 0;

	if (is_script) {
		/* By position: bytes that the socket does not take are read again. */
		off_t at = (off_t)(watch->monitor->header->script_size - watch->script_left);
		size = watch->script_left < sizeof(buffer) ? (size_t)watch->script_left
							   : sizeof(buffer);
		ssize_t got = pread(watch->monitor->script, buffer, size, at);
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
 * If the user's side is stopped, sudo stops itself as well, and does not continue by itself. It
 * runs as root, but SIGCONT is allowed within a session, and sudo passes it on.
 */
static void wake_sudo(const struct watch *watch)
{
	if (watch->monitor->sudo != NULL && !watch->ended)
		(void)kill(watch->child, SIGCONT);
}

/* True for a helper of kill_leftovers.h, which is no stage of the job. */
static bool is_helper(const struct monitor *monitor)
{
	return monitor->header->kill_list != NULL;
}

/* True until the child executes the user's side, which closes the report. */
static bool is_before_exec(const struct watch *watch)
{
	struct pollfd report = {.fd = watch->report, .events = POLLIN};
	return poll(&report, 1, 0) == 0;
}

/* Asks the user's side to end the job; it has the kill timeout for it. */
static void cancel(struct watch *watch)
{
	if (watch->cancelled || is_helper(watch->monitor))
		return;
	const struct channel_header *header = watch->monitor->header;
	int64_t timeout_ms = header->state.settings.general.kill_timeout_ms;
	watch->cancelled = true;
	watch->deadline = io_now_ms() + timeout_ms;
	/* Not the commands with which the user's side cancels a batch job. */
	if (header->arguments == NULL && cgroup_can_kill(watch->monitor->cgroup))
		watch->kill_at = watch->deadline - timeout_ms / 4;
	/* The end of file tells the user's side; a line could not be sent through a full socket. */
	end_channel(watch);
	wake_sudo(watch);
	/* The look-up of the account may hang. Nothing of the job has run yet. */
	if (is_before_exec(watch))
		(void)kill(watch->child, SIGKILL);
}

/* The child's reason for its failure; none where it has executed its program. */
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

/* Receives what the user's side has sent; does not wait. */
static void receive_answer(struct watch *watch)
{
	watch->answer_size =
		channel_receive_answer(watch->channel, &watch->answer, watch->answer_size);
}

/*
 * Takes the user's side out of the job's cgroup: it still has to write the rest of the log. It is
 * our child, or, with sudo, below it. Then its pid comes over the channel, and counts only if it is
 * below our child.
 */
static void take_out_user_side(struct watch *watch)
{
	pid_t pids[SUDO_PROCESSES_MOST];
	size_t count = 0;
	pid_t pid = 0;
	receive_answer(watch);
	if (watch->monitor->header->state.settings.auth.downscope == DOWNSCOPE_SUDO &&
	    watch->answer_size >= sizeof(int))
		pid = watch->answer.pid;
	while (pid > 1 && pid != watch->child && count < SUDO_PROCESSES_MOST) {
		pids[count++] = pid;
		pid = process_tree_parent_of(pid);
	}
	for (size_t i = 0; pid == watch->child && i < count; i++)
		cgroup_take_out(watch->monitor->cgroup, pids[i]);
	cgroup_take_out(watch->monitor->cgroup, watch->child);
}

/* Milliseconds until the next deadline; -1: there is none. Kills when it is time to. */
static int time_left(struct watch *watch)
{
	int64_t now = io_now_ms();
	if (watch->kill_at >= 0 && now >= watch->kill_at) {
		take_out_user_side(watch);
		cgroup_kill(watch->monitor->cgroup);
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
		{.fd = has_more_to_send(watch) ? watch->channel : -1, .events = POLLOUT},
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
	const struct monitor *monitor = watch->monitor;
	int code = WEXITSTATUS(watch->status);
	if (monitor->sudo != NULL && watch->answer_size == 0)
		return sudo_explain(&monitor->header->state, monitor->stage, code, err);
	return error_set(err, ERROR_SYSTEM,
			 "%s ended with code %d before the stage did: is it the jacamar of the "
			 "same version?",
			 monitor->sudo != NULL ? monitor->sudo : monitor->program, code);
}

static int run(struct watch *watch, struct monitor_end *end, struct error *err)
{
	if (start(watch, err) != 0)
		return -1;
	/* The parent may have ended before its descriptor was open. */
	if (watch->parent >= 0 &&
	    poll(&(struct pollfd){.fd = watch->parent, .events = POLLIN}, 1, 0) > 0)
		cancel(watch);
	while (!wait_once(watch))
		;
	end_channel(watch);
	receive_answer(watch);
	bool exited = watch->ended && WIFEXITED(watch->status);
	bool by_itself = !watch->cancelled && exited && has_exit_code(watch);
	end->cancelled = watch->cancelled;
	end->explained = is_explained(watch);
	end->interrupted = !by_itself;
	end->child = watch->ended ? -1 : watch->child;
	end->user_side =
		watch->answer_size >= sizeof(int) && watch->answer.pid > 0 ? watch->answer.pid : 0;
	if (read_report(watch, err) != 0)
		return -1;
	if (exited && !by_itself && !watch->cancelled && !end->explained)
		return explain_exit(watch, err);
	end->exit_code = watch->answer.exit_code;
	end->signal = watch->ended && WIFSIGNALED(watch->status) ? WTERMSIG(watch->status) : 0;
	return 0;
}

int monitor_run(const struct monitor *monitor, struct monitor_end *end, struct error *err)
{
	struct watch watch = {.monitor = monitor,
			      .child = -1,
			      .channel = -1,
			      .report = -1,
			      .deadline = -1,
			      .kill_at = -1};
	memset(end, 0, sizeof(*end));
	/* A helper goes on if the parent ends. */
	cleanup_close int parent = is_helper(monitor) ? -1 : open_parent();
	cleanup_close int signals = signals_open(err);
	cleanup_free char *header = channel_encode_header(monitor->header);
	if (signals < 0 || process_tree_adopt_orphans(err) != 0)
		return -1;
	if (header == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory, or text that is not UTF-8");
	if (is_helper(monitor))
		watch.deadline = io_now_ms() + HELPER_MOST_MS;
	watch.parent = parent;
	watch.signals = signals;
	watch.header = header;
	watch.header_size = strlen(header);
	watch.script_left = monitor->header->script_size;

	int result = run(&watch, end, err);
	if (watch.channel >= 0)
		close(watch.channel);
	if (watch.report >= 0)
		close(watch.report);
	return result;
}
