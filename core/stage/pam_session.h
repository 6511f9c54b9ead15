/*
 * auth.pam_session: a session of PAM, as a login has one, around the user's side of a stage.
 *
 * Modules change the process that calls them: limits, login uid, control group. So jacamar-auth
 * forks a process, the session's process, which opens the session as root, forks the user's side,
 * and closes the session when that has ended. It then ends in the same way.
 *
 *     jacamar-auth -> the session's process (root) -> the user's side
 *
 * SIGUSR1 has it kill the user's side. Signals that ask a process to end have no effect: the user's
 * side must end first, as it does if jacamar-auth has ended. Only root can signal it.
 */
#ifndef JACAMAR_CORE_STAGE_PAM_SESSION_H
#define JACAMAR_CORE_STAGE_PAM_SESSION_H

#include <stdint.h>
#include <sys/types.h>

#include "core/lib/error.h"
#include "core/process/cgroup.h"
#include "core/protocol/state.h"

/* After SIGUSR1 the session's process ends in this time, unless the kernel or PAM keeps it. */
#define PAM_SESSION_END_MS 25000

/* The PAM service of the stage's session; NULL: the stage has none. */
const char *pam_session_of(const struct state *state, const char *stage);

/* Fails if the settings have a session that a runner of the account `service` cannot open. */
int pam_session_check(const struct auth_settings *settings, uid_t service, struct error *err);

struct pam_session {
	const char *service;
	const struct account *account;
	const struct cgroup *cgroup; /* for the user's side */
	/* Descriptors: */
	int failure; /* gets a struct error if the session cannot be opened or closed */
	int channel; /* of the user's side, to notice that jacamar-auth has cancelled the stage */
	int report;  /* of the user's side */
	int response;
};

/*
 * In a forked child of root, with all of root's capabilities in reserve: opens the session. Returns
 * only in the user's side, which must still change its account: the whole reserve is in effect.
 */
void pam_session_fork(const struct pam_session *session);

#endif
