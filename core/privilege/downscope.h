/*
 * Privilege: dropping it, keeping it in reserve, and using it to become the user. No other file of
 * the program changes an identity or a capability.
 *
 * The two capabilities are CAP_SETUID and CAP_SETGID. main() calls privilege_lower(); then
 * jacamar-auth calls privilege_reserve(), which keeps both in reserve (permitted, but not in
 * effect), and every other name of the program calls privilege_drop(). They are in effect only
 * during system calls that change the identity: in forked children that become another account, and
 * in downscope_act_as(), which puts them back into reserve before it returns. If sudo changes the
 * account, they are not needed.
 *
 * Root keeps more in reserve until privilege_settle() gives it up: CAP_CHOWN, to give one directory
 * to one user by privilege_give(), and all its other capabilities until it has started the process
 * of a PAM session, which calls privilege_raise().
 */
#ifndef JACAMAR_CORE_PRIVILEGE_DOWNSCOPE_H
#define JACAMAR_CORE_PRIVILEGE_DOWNSCOPE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "config/settings.h"
#include "core/lib/account.h"
#include "core/lib/error.h"
#include "core/protocol/state.h"

/* Empties the effective set; main() calls this first. The permitted set stays. */
int privilege_lower(struct error *err);

/* Empties every capability set for good. */
int privilege_drop(struct error *err);

/*
 * Keeps CAP_SETUID and CAP_SETGID, if this process has both, in the permitted set, and gives up all
 * others; root keeps all others as well, until privilege_settle. None is in effect.
 */
int privilege_reserve(struct error *err);

/* Gives up all but CAP_SETUID and CAP_SETGID; if `gives`, root also keeps CAP_CHOWN. */
int privilege_settle(bool gives, struct error *err);

/*
 * Puts the whole reserve into effect, for good: in the process of a PAM session, which is root's
 * (pam_session.h).
 */
int privilege_raise(struct error *err);

/*
 * Gives the open directory `fd` to another account: CAP_CHOWN is in effect for this call. With a
 * gid of -1 the directory keeps its group.
 */
int privilege_give(int fd, uid_t uid, gid_t gid, struct error *err);

/* True if CAP_SETUID and CAP_SETGID are in reserve, or if that cannot be found out. */
bool privilege_is_reserved(void);

/* Drops all capabilities, and sets no_new_privs so that no execve(2) restores one. */
int privilege_renounce(struct error *err);

/*
 * Prepares a forked child for parsing bytes of an attacker: no capability, no way to get one by
 * execve(2), no core dump, a session keyring of its own. With privilege in reserve it also becomes
 * `uid` (confined_uids.h), with the gid of the same number and no other group.
 */
int privilege_confine(uid_t uid, struct error *err);

/*
 * Keeps other processes of the same account from reading this process's memory, and prevents a
 * core dump. A change of uid (see fs.suid_dumpable) and execve(2) undo this.
 */
int privilege_hide_memory(struct error *err);

struct downscope_rules {
	enum downscope_kind kind;
	const json_t *groups; /* all gids of the account: state.h; nobody looks them up again */
	uid_t saved_uid; /* a saved uid that is not the account's, until execve(2); 0: the account's
			  */
	bool no_new_privs;
	bool raise_stack;      /* the soft limit of the stack to the hard one */
	const json_t *filters; /* of system calls: seccomp.h */
	bool cleans_up;	       /* for cleanup: it may use the reserved processes: job_context.h */
	struct limit_setting limits[LIMIT_COUNT];
};

/* The rules that a job's state has; `cleans_up` for the stage cleanup. They borrow from `state`. */
struct downscope_rules downscope_rules_of(const struct state *state, bool cleans_up);

/*
 * In a forked child: becomes `account` and proves that there is no way back. It also changes
 * whatever else the child has inherited: controlling terminal, groups, capabilities, keyring,
 * descriptors from `first_closed_fd` on, signal mask and dispositions, limits, priorities and
 * working directory. Then it installs the filters of system calls. The caller executes the user's
 * program next. If this fails, some of it may have been changed, and the process must exit.
 *
 * With sudo, which the caller executes next to change the account, the process stays the service
 * account, without capabilities. downscope_arrive() does the rest after sudo: some of it would keep
 * sudo from working.
 */
int downscope_become(const struct account *account, const struct downscope_rules *rules,
		     int first_closed_fd, struct error *err);

/*
 * After sudo: proves that all ids of this process are those of `account`, and that it has that
 * account's groups and no others. Then it does the rest of downscope_become().
 */
int downscope_arrive(const struct account *account, const struct downscope_rules *rules,
		     struct error *err);

/*
 * Acts as the account `uid` for a while, to see and signal its processes. The process must not
 * execute a program meanwhile.
 *
 * Only the effective uid is the account's. The saved uid stays the service account's: it allows the
 * return, and prevents the account's processes from signalling or tracing this one. The real uid
 * becomes one of confined_uids.h, which no other process has. With the service account's real uid,
 * a signal to a pid that was reused could reach a process of the service; with any other account's,
 * that account's processes could signal this one.
 *
 * The effective gid becomes `gid`: the kernel shows the environment of a process, and with hidepid
 * the process itself, only to processes with the same uid and gid.
 *
 * Meanwhile the account's processes can change the priority and the CPU affinity of this one: the
 * kernel allows that to processes of the same effective uid.
 */
struct downscope_return {
	uid_t service;
	gid_t service_group;
};
int downscope_act_as(uid_t uid, gid_t gid, struct downscope_return *back, struct error *err);

/* If this fails, the process may still have ids of the account: it must end, and start nothing. */
int downscope_return(const struct downscope_return *back, struct error *err);

#endif
