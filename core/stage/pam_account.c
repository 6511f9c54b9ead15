#include "core/stage/pam_account.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/lib/worker.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"
#include "core/protocol/environment.h"

#define KEY "auth.pam_account"

/* How long PAM may take, in seconds. */
#define LIMIT_S 10

/* What the modules say to the user. */
#define WORDS_SIZE 512

struct question {
	const char *service;
	const struct account *account;
	const json_t *groups; /* of the account: state.h */
};

int pam_account_check(const struct auth_settings *settings, struct error *err)
{
	static const char *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};
	const char *service = settings->pam_account;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		cleanup_free char *path =
			text_format("%s/%s", directories[i], service != NULL ? service : "");
		if (path == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");
		if (service == NULL || access(path, R_OK) == 0)
			return 0;
		if (errno != ENOENT)
			return error_set_key(err, KEY, ERROR_SYSTEM, "cannot read %s: %s", path,
					     strerror(errno));
	}
	return error_set_key(err, KEY, ERROR_SYSTEM,
			     KEY " names the PAM service %s, but neither /etc/pam.d/%s nor "
				 "/usr/lib/pam.d/%s exists: create the file, or correct the name",
			     service, service, service);
}

/* The child ends in time, also if it is stopped or this process has ended: the kernel kills it. */
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
 * whether an account has expired. That program is set-user-ID: so no_new_privs is not set.
 *
 * The user's other processes must not change the answer. They cannot read, trace or limit the
 * child: its memory is hidden until an exec, it executes nothing itself, and its saved uid is not
 * the user's. (Otherwise prlimit(2) could keep pam_nologin from opening its file, which that module
 * takes for a host that is open.) So they cannot get at the pipe of the answer, either. They can
 * kill or stop the child, or unix_chkpwd: then there is no answer, and no job.
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

/* A conversation of PAM (pam_conv(3)): keeps what is said. Nobody is there to answer a question. */
static int listen_to(int count, const struct pam_message **messages,
		     struct pam_response **responses, void *words)
{
	char *text = words;
	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	*responses = calloc((size_t)count, sizeof(**responses));
	if (*responses == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		size_t used = strlen(text);
		if (messages[i]->msg_style != PAM_ERROR_MSG &&
		    messages[i]->msg_style != PAM_TEXT_INFO) {
			free(*responses);
			*responses = NULL;
			return PAM_CONV_ERR;
		}
		snprintf(text + used, WORDS_SIZE - used, "%s%s", used > 0 ? " " : "",
			 messages[i]->msg != NULL ? messages[i]->msg : "");
	}
	return PAM_SUCCESS;
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
	const char *service = question->service;
	const char *name = question->account->name;
	char words[WORDS_SIZE] = "";
	const struct pam_conv conversation = {.conv = listen_to, .appdata_ptr = words};
	struct pam_library pam;
	pam_handle_t *handle = NULL;
	(void)reply;
	if (dynamic_libraries_open_pam(&pam, err) != 0)
		return -1;
	int code = pam.start(service, name, &conversation, &handle);
	if (code != PAM_SUCCESS)
		return error_set_key(err, KEY, ERROR_SYSTEM,
				     "PAM cannot read the service %s of " KEY " (code %d)", service,
				     code);
	code = pam.acct_mgmt(handle, 0);
	if (code == PAM_SUCCESS)
		return pam.end(handle, code) == PAM_SUCCESS
			       ? 0
			       : error_set_key(err, KEY, ERROR_SYSTEM, "PAM cannot end");
	for (char *at = words; *at != '\0'; at++)
		if (*at == '\n')
			*at = at[1] != '\0' ? ' ' : '\0';
	error_set_key(err, KEY, is_refusal(code) ? ERROR_DENIED : ERROR_SYSTEM,
		      "PAM %s %s, by the service %s of " KEY ": %s%s%s",
		      is_refusal(code) ? "refuses the account" : "could not check the account",
		      name, service, pam.strerror(handle, code), words[0] != '\0' ? ": " : "",
		      words);
	(void)pam.end(handle, code);
	return -1;
}

int pam_account_ask(const struct auth_settings *settings, const struct account *account,
		    const json_t *groups, struct error *err)
{
	struct worker_verdict verdict;
	const struct question question = {settings->pam_account, account, groups};
	if (settings->pam_account == NULL || settings->downscope == DOWNSCOPE_NONE)
		return 0;
	cleanup_close int signals = signals_open(err);
	if (signals < 0 || pam_account_check(settings, err) != 0)
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
				     "PAM has not answered within %d seconds whether %s may have a "
				     "job (service %s of " KEY ")",
				     LIMIT_S, account->name, settings->pam_account);
	return verdict.result == 0 ? 0 : error_accept(err, &verdict.error);
}
