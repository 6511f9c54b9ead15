#include "core/stage/stage_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/identity/job.h"
#include "core/lib/io.h"
#include "core/privilege/downscope.h"
#include "core/protocol/environment.h"
#include "core/stage/pam_session.h"
#include "core/stage/sudo.h"

/* Descriptors that the child needs until execve(2), right above the three standard ones. */
#define REPORT_FD      3
#define RESPONSE_FD    4
#define FIRST_OTHER_FD 5

/* jacamar --no-auth STAGE env-script SUBSTAGE, and the NULL after it. */
#define OWN_ARGUMENTS 6

/*
 * Moves the descriptors that the child needs to the lowest numbers, so that all others can be
 * closed. Also after a failure, *report is the descriptor for the reason.
 */
static bool arrange_descriptors(const struct stage_process *process, int channel, int *report)
{
	/* First to high numbers: each may have the number that another one gets. */
	int high_report = fcntl(*report, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	if (high_report < 0)
		return false;
	*report = high_report;
	int high_response = fcntl(process->response, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	if (dup2(channel, STDIN_FILENO) < 0 ||
	    (process->output >= 0 && dup2(process->output, STDOUT_FILENO) < 0) ||
	    dup3(high_report, REPORT_FD, O_CLOEXEC) < 0)
		return false;
	*report = REPORT_FD;
	if (process->response >= 0)
		return dup3(high_response, RESPONSE_FD, O_CLOEXEC) >= 0;
	/* Another descriptor may have that number. */
	close(RESPONSE_FD);
	return true;
}

/* Executes the user's side, directly or by sudo. Returns only after a failure. */
static void execute(const struct stage_process *process, struct error *err)
{
	const char *arguments[SUDO_ARGUMENTS + OWN_ARGUMENTS];
	const char *const own[OWN_ARGUMENTS] = {process->jacamar, "--no-auth",	     process->stage,
						"env-script",	  process->substage, NULL};
	size_t before = process->sudo != NULL ? SUDO_ARGUMENTS : 0;
	const char *program = process->sudo != NULL ? process->sudo : process->program;
	memcpy(arguments + before, own, sizeof(own));

	if (process->sudo != NULL) {
		sudo_arguments(&process->header->state, arguments);
		execve(program, (char *const *)arguments, sudo_environment());
	} else {
		char **environment = environment_vector(process->header->environment);
		if (environment != NULL)
			execve(program, (char *const *)arguments, environment);
	}
	error_errno(err, ERROR_SYSTEM, "cannot execute %s", program);
}

/*
 * In the forked child. If anything fails, nothing of the job has run. The account is looked up here
 * because that may hang, and a child can be killed. cleanup trusts the state instead, so that it
 * ends the job even if accounts cannot be looked up. The job response is parsed last, as the user:
 * a flaw of the parser then gives an attacker no more than the user's rights.
 */
static _Noreturn void become_user(const struct stage_process *process, int channel, int report)
{
	const struct state *state = &process->header->state;
	struct downscope_rules rules =
		downscope_rules_of(state, strcmp(process->stage, "cleanup") == 0);
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
	/* The kernel clears this when the account changes. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);

	/* First: arrange_descriptors() may replace the descriptors of the cgroup. */
	bool entered = cgroup_enter(process->cgroup, &err) == 0;
	if (entered && !arrange_descriptors(process, channel, &report))
		error_errno(&err, ERROR_SYSTEM, "cannot set up the process of the user");
	else if (entered && (rules.cleans_up || account_confirm(&state->account, &err) == 0) &&
		 downscope_become(&state->account, &rules, FIRST_OTHER_FD, &err) == 0 &&
		 (process->response < 0 || job_check_id(RESPONSE_FD, state->job_id, &err) == 0))
		execute(process, &err);
	(void)io_write_all(report, &err, sizeof(err));
	/* By a signal: any exit code can be a script's. */
	abort();
}

/* In the forked child. */
static _Noreturn void start_in_session(const struct stage_process *process, int channel, int report,
				       int failure)
{
	const struct pam_session session = {
		.service = process->session,
		.account = &process->header->state.account,
		.cgroup = process->cgroup,
		.failure = failure,
		.channel = channel,
		.report = report,
		.response = process->response,
	};
	struct error err;
	pam_session_fork(&session);
	/* Capabilities are in effect only for the change of account, as without a session. */
	if (privilege_settle(false, &err) == 0)
		become_user(process, channel, report);
	(void)io_write_all(report, &err, sizeof(err));
	abort();
}

static int open_pipes(const struct stage_process *process, int sockets[2], int report[2],
		      int failure[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pair of sockets");
	if (pipe2(report, O_CLOEXEC) != 0 ||
	    (process->session != NULL && pipe2(failure, O_CLOEXEC) != 0))
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	return 0;
}

/* -1: there is none. */
static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

int stage_process_start(const struct stage_process *process, pid_t *child,
			struct stage_process_pipes *pipes, struct error *err)
{
	int sockets[2] = {-1, -1};
	int report[2] = {-1, -1};
	int failure[2] = {-1, -1};
	bool opened = open_pipes(process, sockets, report, failure, err) == 0;
	*pipes = (struct stage_process_pipes){sockets[1], report[0], failure[0]};
	if (opened)
		*child = process->session != NULL ? fork() : cgroup_fork(process->cgroup);
	if (opened && *child == 0) {
		/* With these ends open it would not notice that this process closes its own. */
		close(sockets[1]);
		close(report[0]);
		close_one(failure[0]);
		if (process->session != NULL)
			start_in_session(process, sockets[0], report[1], failure[1]);
		become_user(process, sockets[0], report[1]);
	}
	close_one(sockets[0]);
	close_one(report[1]);
	close_one(failure[1]);
	if (!opened)
		return -1;
	if (*child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	/* A stopped user's side must not block this process. */
	const int ends[] = {pipes->channel, pipes->report, pipes->failure};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		(void)fcntl(ends[i], F_SETFL, O_NONBLOCK);
	return process->session != NULL ? privilege_settle(false, err) : 0;
}

bool stage_process_is_before_exec(const struct stage_process_pipes *pipes)
{
	struct pollfd source = {.fd = pipes->report, .events = POLLIN};
	return poll(&source, 1, 0) == 0;
}

static int read_error(int fd, struct error *err)
{
	struct error reported;
	ssize_t size = io_read_full(fd, &reported, sizeof(reported));
	if (size <= 0)
		return 0;
	if (size != (ssize_t)sizeof(reported))
		return error_set(err, ERROR_SYSTEM, "the change to the user's account has failed");
	return error_accept(err, &reported);
}

int stage_process_read_failure(const struct stage_process_pipes *pipes, struct error *err)
{
	return read_error(pipes->failure, err) != 0 ? -1 : read_error(pipes->report, err);
}
