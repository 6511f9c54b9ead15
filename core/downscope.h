/*
 * Privilege: given up, kept in reserve, and spent on becoming the user. Nothing else in the
 * program changes an identity or a capability.
 *
 * The life of the two capabilities: main() calls privilege_drop() unless the program is
 * jacamar-auth, which calls privilege_reserve() instead. They are raised for identity calls alone:
 * by forked children on their way to another account, and by downscope_act_as(), which has them no
 * more when it returns. Where sudo changes the account, nobody needs them.
 *
 * Root may have a third one for a moment: to give one directory to one user. privilege_settle()
 * ends that where it is not asked for, and privilege_give() where it is.
 */
#ifndef JACAMAR_CORE_DOWNSCOPE_H
#define JACAMAR_CORE_DOWNSCOPE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/error.h"

/* The kernel's own overflow uid, which sites name nobody: it confines parsers, and is no job's. */
#define NOBODY_UID 65534

/* Empties every capability set for good. */
int privilege_drop(struct error *err);

/*
 * Keeps CAP_SETUID and CAP_SETGID, where this process has them, in the permitted set alone, so
 * that they are of no use until a child raises them; for root CAP_CHOWN, too. Everything else is
 * given up.
 */
int privilege_reserve(struct error *err);

/* Gives up CAP_CHOWN for good. */
int privilege_settle(struct error *err);

/*
 * Gives the open directory `fd` to another account: CAP_CHOWN is raised for this one call, and
 * given up for good. A gid of -1 leaves the group.
 */
int privilege_give(int fd, uid_t uid, gid_t gid, struct error *err);

/* True where CAP_SETUID and CAP_SETGID are in reserve. */
bool privilege_is_reserved(void);

/* Empties them, and sees to it that no exec gives any back. For a forked child. */
int privilege_renounce(struct error *err);

/*
 * Makes the process fit to read bytes of an attacker: no capability, no way to get one back by
 * an exec, no core dump; where it can, it becomes nobody. For a forked child.
 */
int privilege_confine(struct error *err);

/* Kills such a child, for which its own parent may have no right. */
void downscope_kill_confined(pid_t child);

/*
 * Neither a core dump nor another process of the same account can read this one's memory.
 * *core_limit, where not NULL, gets the soft limit from before, for what is executed later.
 */
int privilege_hide_memory(rlim_t *core_limit, struct error *err);
int downscope_restore_core_limit(rlim_t core_limit, struct error *err);

struct downscope_rules {
	enum downscope_kind kind;
	bool no_new_privs;
	bool raise_stack;      /* its limit, as far as it goes */
	const json_t *filters; /* of system calls: seccomp.h */
	rlim_t core_limit;     /* what privilege_hide_memory() found */
	bool cleans_up;	       /* may have the processes that jobs may not: settle.h */
	struct limit_setting limits[LIMIT_COUNT];
};

/*
 * In a forked child: becomes `account` for good and proves it, and leaves nothing of this
 * process behind: groups, capabilities, keyring, descriptors from `first_closed_fd` on, signal
 * mask and dispositions, limits, priorities, working directory. Its system calls are filtered from
 * then on. The caller executes the user's program next, and exits where this fails: the process may
 * have changed in part.
 *
 * Where sudo is what gets executed, to change the account, it stays the service account, without
 * a capability: what would keep sudo from working is left to downscope_arrive().
 */
int downscope_become(const struct account *account, const struct downscope_rules *rules,
		     int first_closed_fd, struct error *err);

/*
 * On the other side of sudo: proves that sudo has made this process `account`, wholly, with its
 * groups and no other, and does the rest of what downscope_become() does.
 */
int downscope_arrive(const struct account *account, const struct downscope_rules *rules,
		     struct error *err);

/*
 * Acts as the account `uid` for a while, to see and signal its processes, and gives up all
 * capabilities. The effective uid alone is that account's. The saved one stays the service
 * account's: the way back, and what keeps the account's processes from signalling or tracing this
 * one. The real one becomes nobody's: otherwise a signal to a pid that was given anew could reach
 * the service account's own processes. Nothing may be executed meanwhile.
 */
struct downscope_return {
	uid_t service;
};
int downscope_act_as(uid_t uid, struct downscope_return *back, struct error *err);
void downscope_return(const struct downscope_return *back);

/* Closes every descriptor from `first` on. */
int downscope_close_from(int first, struct error *err);

/* Default disposition for every signal and an empty mask, as a login would have them. */
void downscope_reset_signals(void);

#endif
