#include "core/privilege/downscope.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/job_context.h"
#include "core/privilege/keyring.h"
#include "core/privilege/terminal.h"
#include "core/privilege/trusted_program.h"

/* What capabilities are used for. */
enum {
	NOTHING = 0,
	CHANGE = 1, /* CAP_SETUID, CAP_SETGID: to become another account */
	GIVE = 2,   /* CAP_CHOWN: to give a directory to another account */
};

static void add_capabilities(capng_type_t set, unsigned int use)
{
	if ((use & CHANGE) != 0)
		capng_updatev(CAPNG_ADD, set, CAP_SETUID, CAP_SETGID, -1);
	if ((use & GIVE) != 0)
		capng_update(CAPNG_ADD, set, CAP_CHOWN);
}

/* Sets all capability sets: `reserve` is permitted, `raised` is also in effect. */
static int set_capabilities(unsigned int reserve, unsigned int raised, struct error *err)
{
	/* libcap-ng caches the pid, which is the parent's after a fork. */
	capng_setpid(getpid());
	capng_clear(CAPNG_SELECT_CAPS);
	add_capabilities(CAPNG_PERMITTED, reserve);
	add_capabilities(CAPNG_EFFECTIVE, raised);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set the capabilities");
	/* Kernels before 4.3 have no ambient set. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		return error_errno(err, ERROR_SYSTEM, "cannot clear the ambient capabilities");
	return 0;
}

/* The kernel is asked directly: libcap-ng makes other system calls before, and reads /proc. */
struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int read_sets(struct sets *sets)
{
	*sets = (struct sets){.header.version = _LINUX_CAPABILITY_VERSION_3};
	return (int)syscall(SYS_capget, &sets->header, sets->data);
}

/* The ambient set has no capability that the permitted and the inheritable set lack. */
static bool has_no_capability(void)
{
	struct sets sets;
	uint32_t any = read_sets(&sets) == 0 ? 0 : 1;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		any |= sets.data[i].permitted | sets.data[i].effective | sets.data[i].inheritable;
	return any == 0;
}

/*
 * Puts those of these capabilities into effect that are permitted. None can be inherited. `low` has
 * the bits of the capabilities 0 to 31, `high` those of the others.
 */
static int set_effective(uint32_t low, uint32_t high, struct error *err)
{
	const uint32_t raised[_LINUX_CAPABILITY_U32S_3] = {low, high};
	struct sets sets;
	if (read_sets(&sets) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the capabilities");
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets.data[i].effective = sets.data[i].permitted & raised[i];
		sets.data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &sets.header, sets.data) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot change the capabilities in effect");
	return 0;
}

int privilege_lower(struct error *err)
{
	return set_effective(0, 0, err);
}

int privilege_raise(struct error *err)
{
	return set_effective(UINT32_MAX, UINT32_MAX, err);
}

int privilege_drop(struct error *err)
{
	if (set_capabilities(NOTHING, NOTHING, err) != 0)
		return -1;
	if (!has_no_capability())
		return error_set(err, ERROR_SYSTEM, "capabilities are left after dropping them");
	return 0;
}

/*
 * What the permitted capabilities suffice for. One of CAP_SETUID and CAP_SETGID is not enough. If
 * they cannot be read, all may be there: the system call that needs one decides. Without that, a
 * confined child would keep the uid of the service account.
 */
static unsigned int read_uses(void)
{
	const uint32_t change = 1U << CAP_SETUID | 1U << CAP_SETGID;
	const uint32_t give = 1U << CAP_CHOWN;
	struct sets sets;
	if (read_sets(&sets) != 0)
		return CHANGE | GIVE;
	return ((sets.data[0].permitted & change) == change ? CHANGE : NOTHING) |
	       ((sets.data[0].permitted & give) == give ? GIVE : NOTHING);
}

bool privilege_is_reserved(void)
{
	return (read_uses() & CHANGE) != 0;
}

int privilege_reserve(struct error *err)
{
	unsigned int uses = read_uses() & CHANGE;
	/* Only root has a use for others, whatever capabilities the file has. */
	if (geteuid() == 0 && uses == CHANGE)
		return privilege_lower(err);
	return set_capabilities(uses, NOTHING, err);
}

int privilege_settle(bool gives, struct error *err)
{
	return set_capabilities(read_uses() & (gives ? CHANGE | GIVE : CHANGE), NOTHING, err);
}

int privilege_give(int fd, uid_t uid, gid_t gid, struct error *err)
{
	if (set_effective(1U << CAP_CHOWN, 0, err) != 0)
		return -1;
	bool given = fchown(fd, uid, gid) == 0;
	int why = errno;
	if (privilege_lower(err) != 0)
		return -1;
	errno = why;
	return given ? 0 : error_errno(err, ERROR_SYSTEM, "cannot give it to uid %u", uid);
}

int privilege_hide_memory(struct error *err)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot hide this process's memory");
	return 0;
}

int privilege_renounce(struct error *err)
{
	if (privilege_drop(err) != 0)
		return -1;
	/* Otherwise an execve(2) by root, or of jacamar-auth, would give capabilities back. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set no_new_privs");
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : error_faked(err, "no_new_privs");
}

/* Only a confined uid, which has no groups, may be missing in a container. */
#define NO_SUCH_UID \
	" (a container may have no such uid: set auth.confined_uids to a range that it has)"

/* Changes all ids and the groups, and gives up the capabilities. `name` is for the error's text. */
static int set_identity(uid_t uid, uid_t saved, gid_t gid, size_t count, const gid_t *groups,
			const char *name, struct error *err)
{
	if (set_capabilities(CHANGE, CHANGE, err) != 0)
		return -1;
	if (setgroups(count, groups) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set the %zu groups of %s", count,
				   name);
	if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, saved) != 0) {
		bool missing = count == 0 && errno == EINVAL;
		return error_set_key(err, missing ? "auth.confined_uids" : "", ERROR_SYSTEM,
				     "cannot become %s%s: %s", name, missing ? NO_SUCH_UID : "",
				     strerror(errno));
	}
	/*
	 * A change from one uid that is not 0 to another keeps the capabilities. With
	 * fs.suid_dumpable 1, only these prevent processes of the new uid from tracing this one. So
	 * its memory is hidden before it gives them up.
	 */
	return privilege_hide_memory(err) == 0 ? set_capabilities(NOTHING, NOTHING, err) : -1;
}

static bool has_ids(uid_t uid, uid_t saved, gid_t gid)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;
	return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 &&
	       ruid == uid && euid == uid && suid == saved && rgid == gid && egid == gid &&
	       sgid == gid;
}

static int become_confined(uid_t uid, struct error *err)
{
	char name[64];
	snprintf(name, sizeof(name), "uid %u", (unsigned int)uid);
	if (set_identity(uid, uid, uid, 0, NULL, name, err) != 0)
		return -1;
	snprintf(name, sizeof(name), "the uid %u of a confined process", (unsigned int)uid);
	return has_no_capability() && has_ids(uid, uid, uid) && getgroups(0, NULL) == 0
		       ? 0
		       : error_faked(err, name);
}

int privilege_confine(uid_t uid, struct error *err)
{
	if (terminal_leave(err) != 0)
		return -1;
	/*
	 * As the service account it could regain the capabilities: by changing files such as the
	 * runner's configuration, or by tracing the runner.
	 */
	if (privilege_is_reserved() && become_confined(uid, err) != 0)
		return -1;
	/* Last: the keyring must not count against the service account's quota. */
	char account[32];
	snprintf(account, sizeof(account), "uid %u", (unsigned int)geteuid());
	return privilege_hide_memory(err) == 0 && privilege_renounce(err) == 0
		       ? keyring_join_own(account, err)
		       : -1;
}

static int refuse_groups(const struct account *account, enum downscope_kind kind, struct error *err)
{
	if (kind == DOWNSCOPE_SUDO)
		return error_set(err, ERROR_SYSTEM,
				 "sudo has set other groups than those of %s: does sudoers have "
				 "preserve_groups, or PAM a module that adds groups?",
				 account->name);
	char what[ACCOUNT_NAME_SIZE + 32];
	snprintf(what, sizeof(what), "the list of groups of %s", account->name);
	return error_faked(err, what);
}

static uid_t saved_uid(const struct account *account, const struct downscope_rules *rules)
{
	return rules->saved_uid != 0 ? rules->saved_uid : account->uid;
}

/* Does not trust that the old identity is gone: tries to get it back in every possible way. */
static int prove(const struct account *account, const struct account_groups *groups,
		 const struct downscope_rules *rules, uid_t old_uid, gid_t old_gid,
		 struct error *err)
{
	if (!has_ids(account->uid, saved_uid(account, rules), account->gid))
		return error_set(err, ERROR_SYSTEM, "the identity of %s is not complete",
				 account->name);
	if (groups != NULL && !account_groups_are_held(account, groups))
		return refuse_groups(account, rules->kind, err);
	if (!has_no_capability())
		return error_set(err, ERROR_SYSTEM, "a capability is left after the change to %s",
				 account->name);

	struct error expected;
	bool back = setresuid(old_uid, old_uid, old_uid) == 0 || seteuid(old_uid) == 0 ||
		    setuid(0) == 0 || setgroups(0, NULL) == 0 ||
		    set_capabilities(CHANGE, CHANGE, &expected) == 0 ||
		    (old_gid != account->gid &&
		     (setresgid(old_gid, old_gid, old_gid) == 0 || setegid(old_gid) == 0));
	if (back)
		return error_set(err, ERROR_SYSTEM, "the service account could be regained from %s",
				 account->name);
	return 0;
}

static int change_identity(const struct account *account, const struct downscope_rules *rules,
			   struct error *err)
{
	uid_t old_uid = geteuid();
	gid_t old_gid = getegid();
	struct account_groups groups;

	if (account->uid == 0 || account->uid == old_uid)
		return error_set(err, ERROR_SYSTEM, "a job never becomes uid %u",
				 (unsigned int)account->uid);
	state_decode_groups(rules->groups, &groups);
	/*
	 * config has checked this, too, but these are the groups that the job gets. Root is not
	 * checked: it has its capabilities from its caller, not from the file.
	 */
	if (old_uid != 0 && trusted_program_check_own(account, &groups, false, err) != 0)
		return -1;
	if (set_identity(account->uid, saved_uid(account, rules), account->gid, groups.count,
			 groups.gids, account->name, err) != 0)
		return -1;
	return prove(account, &groups, rules, old_uid, old_gid, err);
}

/*
 * Joins a session keyring that belongs to the user. A job may have used up its user's quota of
 * keys: then a stage fails, except for cleanup, which kills that job's processes. Where
 * keyring_leave() has made an empty keyring (`left`), cleanup continues with that one.
 */
static int join_keyring_of(const struct account *account, const struct downscope_rules *rules,
			   bool left, struct error *err)
{
	if (keyring_join_own(account->name, err) == 0)
		return 0;
	return rules->cleans_up && left ? 0 : -1;
}

struct downscope_rules downscope_rules_of(const struct state *state, bool cleans_up)
{
	struct downscope_rules rules = {
		.kind = state->settings.auth.downscope,
		.groups = state->groups,
		.no_new_privs = state->settings.auth.no_new_privs,
		.raise_stack = state->settings.general.set_stack_size,
		.filters = state->filters,
		.cleans_up = cleans_up,
	};
	memcpy(rules.limits, state->settings.auth.limits, sizeof(rules.limits));
	return rules;
}

int downscope_become(const struct account *account, const struct downscope_rules *rules,
		     int first_closed_fd, struct error *err)
{
	if (terminal_leave(err) != 0)
		return -1;
	/*
	 * This process must not find the service account's keys. If the account's quota of keys is
	 * used up, the call fails. This matters only for sudo, which would pass on the old keyring.
	 * Otherwise a keyring of the user is joined below.
	 */
	bool left = keyring_leave(err) == 0;
	if (!left && rules->kind == DOWNSCOPE_SUDO)
		return -1;
	if (rules->kind == DOWNSCOPE_SETUID ? change_identity(account, rules, err) != 0
					    : privilege_drop(err) != 0)
		return -1;
	if (rules->kind != DOWNSCOPE_SUDO && join_keyring_of(account, rules, left, err) != 0)
		return -1;

	signals_reset();
	if (io_close_from(first_closed_fd, err) != 0)
		return -1;
	if (rules->kind != DOWNSCOPE_SUDO)
		return job_context_apply(account, rules, err);
	umask(0022);
	return chdir("/") == 0 ? 0 : error_errno(err, ERROR_SYSTEM, "cannot enter /");
}

int downscope_arrive(const struct account *account, const struct downscope_rules *rules,
		     struct error *err)
{
	struct account_groups groups;
	if (account->uid == 0)
		return error_set(err, ERROR_SYSTEM, "a job never becomes uid 0");
	state_decode_groups(rules->groups, &groups);
	/*
	 * The service account is not known here; the uid before this one was root's. cleanup does
	 * not check the groups: they may have changed since the job began, and it must still kill
	 * the job's processes.
	 */
	if (prove(account, rules->cleans_up ? NULL : &groups, rules, 0, 0, err) != 0)
		return -1;
	/* downscope_become() left the service account's keyring before it executed sudo. */
	if (join_keyring_of(account, rules, true, err) != 0)
		return -1;
	signals_reset();
	return job_context_apply(account, rules, err);
}

int downscope_act_as(uid_t uid, gid_t gid, struct downscope_return *back, struct error *err)
{
	back->service = geteuid();
	back->service_group = getegid();
	if (uid == 0 || uid == back->service)
		return error_set(err, ERROR_SYSTEM, "a job is never uid %u", (unsigned int)uid);
	if (set_capabilities(CHANGE, CHANGE, err) != 0)
		return -1;
	int result = 0;
	if (setresgid(back->service_group, gid, back->service_group) != 0 ||
	    setresuid(confined_uids_own(), uid, back->service) != 0)
		result = error_errno(err, ERROR_SYSTEM, "cannot act as uid %u", (unsigned int)uid);
	if (result == 0)
		result = privilege_hide_memory(err);
	if (result == 0)
		result = set_capabilities(CHANGE, NOTHING, err);
	/* With other ids it would see no process of the account, and report that none is left. */
	if (result == 0 && (geteuid() != uid || getegid() != gid))
		result = error_faked(err, "the change to the user's account");
	struct error second;
	if (result != 0 && downscope_return(back, &second) != 0)
		*err = second;
	return result;
}

int downscope_return(const struct downscope_return *back, struct error *err)
{
	gid_t group = back->service_group;
	if (setresgid(group, group, group) != 0 ||
	    setresuid(back->service, back->service, back->service) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot return to the service account");
	if (!has_ids(back->service, back->service, group))
		return error_faked(err, "the return to the service account");
	/* When the effective uid becomes 0, all permitted capabilities become effective. */
	return privilege_hide_memory(err) == 0 ? privilege_settle(false, err) : -1;
}
