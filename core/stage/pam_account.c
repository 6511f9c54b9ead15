#include "core/stage/pam_account.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/worker.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"
#include "core/protocol/environment.h"
#include "core/stage/pam_service.h"

#define KEY "auth.pam_account"

/* How long PAM may take, in seconds. */
#define LIMIT_S 10

struct question {
	const char *service;
	const struct account *account;
	const json_t *groups; /* of the account: state.h */
};

/*
 * The kernel kills the child when its time is over, even if it is stopped or this process has
 * ended.
 */
static int limit_time(struct error *err)
{
	struct sigevent expiry = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	/* System calls, because before glibc 2.34 timer_create(3) is in another library. */
	const long limit[] = {0, 0, LIMIT_S + 1, 0};
	int timer;
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &expiry, &timer) != 0 ||
	    syscall(SYS_timer_settime, timer, 0, limit, NULL) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot limit the time of PAM");
	return 0;
}

/*
 * The child becomes the user, because unix_chkpwd(8) tells only root and the user themselves
 * whether an account has expired. That program is set-user-ID, so no_new_privs is not set.
 *
 * The user's other processes must not change the answer. They cannot read, trace or limit the
 * child, or open the pipe of its answer: its memory is hidden until an exec, it executes nothing
 * itself, and its saved uid is not the user's. (Otherwise they could keep pam_nologin from opening
 * its file, by prlimit(2); that module then takes the host for open.) They can kill or stop the
 * child, or unix_chkpwd: then there is no answer, and no job.
 */
static int become_user(const void *context, int answer, struct error *err)
{
	const struct question *question = context;
	const struct downscope_rules rules = {
		.kind = DOWNSCOPE_SETUID,
		.groups = question->groups,
		.saved_uid = confined_uids_own(),
	};
	/* Modules must not write into the job's log, or into config's answer. */
	if (io_close_standard(err) != 0)
		return -1;
	for (int fd = STDERR_FILENO + 1; fd < answer; fd++)
		close(fd);
	if (limit_time(err) != 0 ||
	    downscope_become(question->account, &rules, answer + 1, err) != 0)
		return -1;
	json_auto_t *environment = environment_of_login(question->account);
	return environment != NULL && environment_adopt(environment) == 0
		       ? 0
		       : error_set(err, ERROR_SYSTEM, "out of memory");
}

/* Any other failure means that PAM could not answer. */
static bool is_refusal(int code)
{
	static const int refusals[] = {PAM_PERM_DENIED,	 PAM_AUTH_ERR,	     PAM_USER_UNKNOWN,
				       PAM_ACCT_EXPIRED, PAM_CRED_EXPIRED,   PAM_NEW_AUTHTOK_REQD,
				       PAM_MAXTRIES,	 PAM_AUTHTOK_EXPIRED};
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (code == refusals[i])
			return true;
	return false;
}

/* In the child. */
static int ask(const void *argument, void *reply, struct error *err)
{
	const struct question *question = argument;
	struct pam_service pam;
	(void)reply;
	if (pam_service_start(&pam, KEY, question->service, question->account->name, err) != 0)
		return -1;
	int code = pam.library.acct_mgmt(pam.handle, 0);
	if (code == PAM_SUCCESS)
		return pam_service_end(&pam, err);
	return is_refusal(code)
		       ? pam_service_fail(&pam, code, ERROR_DENIED, "refuses the account", err)
		       : pam_service_fail(&pam, code, ERROR_SYSTEM, "could not check the account",
					  err);
}

int pam_account_ask(const struct auth_settings *settings, const struct account *account,
		    const json_t *groups, struct error *err)
{
	struct worker_verdict verdict;
	const struct question question = {settings->pam_account, account, groups};
	if (settings->pam_account == NULL || settings->downscope == DOWNSCOPE_NONE)
		return 0;
	cleanup_close int signals = signals_open(err);
	if (signals < 0 || pam_service_check_file(KEY, settings->pam_account, err) != 0)
		return -1;
	struct worker worker = {
		.work = ask,
		.argument = &question,
		.prepare = become_user,
		.context = &question,
		.signals = signals,
		.deadline = io_now_ms() + LIMIT_S * 1000,
	};
	if (worker_start(&worker, err) != 0)
		return -1;
	int received = worker_receive(&worker, &verdict);
	int why = errno;
	/* Without an answer, the child has ended, or its own timer ends it. */
	if (received == 0 || why == EPIPE)
		worker_close(&worker, false);
	else
		close(worker.answer);
	if (worker.told)
		return error_cancelled(err);
	if (received != 0 && why == EPIPE)
		return error_set_key(err, KEY, ERROR_SYSTEM,
				     "the process that asked PAM about %s was killed",
				     account->name);
	if (received != 0)
		return error_set_key(err, KEY, ERROR_SYSTEM,
				     "PAM has not answered within %d seconds whether %s may run "
				     "jobs (service %s of " KEY ")",
				     LIMIT_S, account->name, settings->pam_account);
	return verdict.result == 0 ? 0 : error_accept(err, &verdict.error);
}
