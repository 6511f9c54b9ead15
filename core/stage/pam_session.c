#include "core/stage/pam_session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/privilege/downscope.h"
#include "core/privilege/keyring.h"
#include "core/privilege/terminal.h"
#include "core/process/process_tree.h"
#include "core/stage/pam_service.h"

#define KEY "auth.pam_session"

/* How long PAM may take to open a session, and to close it, in seconds. */
#define LIMIT_S 10

/* For the handler of SIGALRM. */
static struct error too_late;
static int failure;

const char *pam_session_of(const struct state *state, const char *stage)
{
	const struct auth_settings *settings = &state->settings.auth;
	/*
	 * Programs of the site and of the user run in these two. cleanup must end a job even if PAM
	 * does not work.
	 */
	bool has = settings->downscope == DOWNSCOPE_SETUID &&
		   (strcmp(stage, "prepare") == 0 || strcmp(stage, "run") == 0);
	return has ? settings->pam_session : NULL;
}

int pam_session_check(const struct auth_settings *settings, uid_t service, struct error *err)
{
	if (settings->pam_session == NULL || settings->downscope != DOWNSCOPE_SETUID)
		return 0;
	if (service != 0)
		return error_set_key(err, KEY, ERROR_SYSTEM,
				     KEY
				     " needs a runner that is root, because only root can open a "
				     "session: remove it; SESSIONS OF PAM in jacamar-deploy(7) "
				     "has what to use instead");
	return pam_service_check_file(KEY, settings->pam_session, err);
}

static _Noreturn void give_up(const struct error *err)
{
	(void)io_write_all(failure, err, sizeof(*err));
	_exit(EXIT_FAILURE);
}

static void report_too_late(int number)
{
	(void)number;
	give_up(&too_late);
}

static void do_nothing(int number)
{
	(void)number;
}

/* Modules wait for a directory service, or for a program that they start. */
static void limit_time(const struct pam_session *session, const char *what)
{
	error_set_key(&too_late, KEY, ERROR_SYSTEM,
		      "PAM %s %s within %d seconds (service %s of " KEY ")", what,
		      session->account->name, LIMIT_S, session->service);
	alarm(LIMIT_S);
}

/*
 * Programs that modules execute start with the default of each signal, and none blocked: handlers
 * do not outlive an exec.
 */
static void set_signals(void)
{
	static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE};
	const struct sigaction ignored = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
	const struct sigaction late = {.sa_handler = report_too_late};
	signals_reset();
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaction(held[i], &ignored, NULL);
	sigaction(SIGALRM, &late, NULL);
}

/*
 * Prepares this process for modules, which may change it. It shows them nothing of the job: not its
 * log, its variables, or the keys of the service account.
 */
static int prepare(int standard[2], struct error *err)
{
	(void)setpgid(0, 0);
	for (int i = 0; i < 2; i++)
		standard[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (standard[0] < 0 || standard[1] < 0 || clearenv() != 0 ||
	    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set up the process of a session");
	if (io_close_standard(err) != 0 || terminal_leave(err) != 0 ||
	    keyring_join_own("root", err) != 0)
		return -1;
	set_signals();
	return privilege_raise(err);
}

static int open_session(const struct pam_session *session, struct pam_service *pam,
			struct error *err)
{
	if (pam_service_check_file(KEY, session->service, err) != 0 ||
	    pam_service_start(pam, KEY, session->service, session->account->name, err) != 0)
		return -1;
	int code = pam->library.setcred(pam->handle, PAM_ESTABLISH_CRED);
	if (code != PAM_SUCCESS)
		return pam_service_fail(pam, code, ERROR_SYSTEM, "could not set the credentials of",
					err);
	code = pam->library.open_session(pam->handle, 0);
	if (code == PAM_SUCCESS)
		return 0;
	(void)pam->library.setcred(pam->handle, PAM_DELETE_CRED);
	return pam_service_fail(pam, code, ERROR_SYSTEM, "could not open a session for", err);
}

static int close_session(struct pam_service *pam, struct error *err)
{
	pam->words[0] = '\0';
	int closed = pam->library.close_session(pam->handle, 0);
	int deleted = pam->library.setcred(pam->handle, PAM_DELETE_CRED);
	if (closed != PAM_SUCCESS)
		return pam_service_fail(pam, closed, ERROR_SYSTEM, "could not close the session of",
					err);
	if (deleted != PAM_SUCCESS)
		return pam_service_fail(pam, deleted, ERROR_SYSTEM,
					"could not delete the credentials of", err);
	return pam_service_end(pam, err);
}

/*
 * True if jacamar-auth has closed the channel, or has ended. Bytes that were sent before may still
 * be in the channel.
 */
static bool is_ended(int channel)
{
	struct pollfd source = {.fd = channel, .events = POLLRDHUP};
	return poll(&source, 1, 0) > 0;
}

/*
 * Waits until the child is dead. A process that traces it can keep it from being reaped, but not
 * from being dead.
 */
static int wait_for(pid_t child, const sigset_t *signals)
{
	static const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	bool killed = false;
	int status = W_EXITCODE(0, SIGKILL);
	while (waitpid(child, &status, WNOHANG) != child &&
	       !(killed && process_tree_is_dead(child))) {
		if (sigtimedwait(signals, NULL, killed ? &pause : NULL) == SIGUSR1)
			killed = kill(child, SIGKILL) == 0;
	}
	return status;
}

/*
 * Ends in the same way as the user's side, so that jacamar-auth sees that. Modules may have made
 * the memory of this process visible: it is hidden again.
 */
static _Noreturn void end_as(int status)
{
	struct error err;
	if (WIFSIGNALED(status) && privilege_hide_memory(&err) == 0) {
		signals_reset();
		(void)raise(WTERMSIG(status));
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/*
 * Returns 0 in the user's side; its pid in this process, or -1. PAM can take long: if jacamar-auth
 * has cancelled the stage meanwhile, the user's side is not forked.
 */
static pid_t fork_user_side(const struct pam_session *session, const int standard[2],
			    struct error *err)
{
	if (is_ended(session->channel))
		return error_cancelled(err);
	pid_t child = cgroup_fork(session->cgroup);
	if (child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	for (int i = 0; i < 2; i++) {
		if (child == 0)
			(void)dup2(standard[i], STDOUT_FILENO + i);
		close(standard[i]);
	}
	return child;
}

void pam_session_fork(const struct pam_session *session)
{
	struct pam_service pam;
	struct error err;
	struct error unclosed;
	sigset_t signals;
	int standard[2];
	int status = W_EXITCODE(EXIT_FAILURE, 0);
	failure = session->failure;
	if (prepare(standard, &err) != 0)
		give_up(&err);
	limit_time(session, "has not opened the session of");
	if (open_session(session, &pam, &err) != 0)
		give_up(&err);
	alarm(0);

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	pid_t child = fork_user_side(session, standard, &err);
	if (child == 0)
		return;
	/*
	 * The user's side closes its own copies: the channel when it ends, the report when it
	 * executes.
	 */
	close(session->channel);
	close(session->report);
	close(session->response);
	if (child > 0)
		status = wait_for(child, &signals);
	/* Modules may have blocked others, such as SIGALRM. */
	sigemptyset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);

	limit_time(session, "has not closed the session of");
	if (close_session(&pam, &unclosed) != 0)
		give_up(&unclosed);
	alarm(0);
	if (child < 0 && err.kind != ERROR_CANCELLED)
		give_up(&err);
	end_as(status);
}
