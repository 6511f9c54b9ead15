#include "core/downscope.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io.h"
#include "core/settle.h"
#include "core/text.h"

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9; one number on every architecture */
#endif

/* What a set of capabilities is good for. */
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

/* Sets all capability sets at once: what is in reserve, and what of it is raised. */
static int set_capabilities(unsigned int reserve, unsigned int raised, struct error *err)
{
	/* libcap-ng remembers the pid it first saw; after a fork that is the parent's. */
	capng_setpid(getpid());
	capng_clear(CAPNG_SELECT_CAPS);
	add_capabilities(CAPNG_PERMITTED, reserve);
	add_capabilities(CAPNG_EFFECTIVE, raised);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set the capabilities");
	/* Kernels before 4.3 have no ambient set, and so nothing to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		return error_errno(err, ERROR_SYSTEM, "cannot clear the ambient capabilities");
	return 0;
}

/*
 * The sets that the kernel says we hold, asked without libcap-ng, which would read /proc for the
 * ones that we do not need.
 */
struct held {
	uint64_t permitted;
	uint64_t any; /* in any of the three sets */
};

static int read_capabilities(struct held *held)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};
	if (syscall(SYS_capget, &header, sets) != 0)
		return -1;
	*held = (struct held){.permitted = 0};
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint64_t any = sets[i].permitted | sets[i].effective | sets[i].inheritable;
		held->permitted |= (uint64_t)sets[i].permitted << (32 * i);
		held->any |= any << (32 * i);
	}
	return 0;
}

static bool has_no_capability(void)
{
	struct held held;
	return read_capabilities(&held) == 0 && held.any == 0;
}

int privilege_drop(struct error *err)
{
	if (set_capabilities(NOTHING, NOTHING, err) != 0)
		return -1;
	if (!has_no_capability())
		return error_set(err, ERROR_SYSTEM, "capabilities are left after dropping them");
	return 0;
}

/* Which uses this process has the capabilities for; one of two is good for nothing. */
static unsigned int read_uses(void)
{
	const uint64_t change = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;
	const uint64_t give = UINT64_C(1) << CAP_CHOWN;
	struct held held;
	if (read_capabilities(&held) != 0)
		return NOTHING;
	return ((held.permitted & change) == change ? CHANGE : NOTHING) |
	       ((held.permitted & give) == give ? GIVE : NOTHING);
}

bool privilege_is_reserved(void)
{
	return (read_uses() & CHANGE) != 0;
}

int privilege_reserve(struct error *err)
{
	unsigned int uses = read_uses();
	if ((uses & CHANGE) == 0)
		uses = NOTHING;
	/* Who is not root needs no more than the two, whatever the file was given. */
	if (geteuid() != 0)
		uses &= CHANGE;
	return set_capabilities(uses, NOTHING, err);
}

int privilege_settle(struct error *err)
{
	return set_capabilities(read_uses() & CHANGE, NOTHING, err);
}

int privilege_give(int fd, uid_t uid, gid_t gid, struct error *err)
{
	if (set_capabilities(CHANGE | GIVE, GIVE, err) != 0)
		return -1;
	bool given = fchown(fd, uid, gid) == 0;
	int why = errno;
	if (privilege_settle(err) != 0)
		return -1;
	errno = why;
	return given ? 0 : error_errno(err, ERROR_SYSTEM, "cannot give it to uid %u", uid);
}

/* A change of uid sets this to whatever /proc/sys/fs/suid_dumpable says. */
static int hide_from_tracers(struct error *err)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot hide from tracers");
	return 0;
}

int privilege_hide_memory(rlim_t *core_limit, struct error *err)
{
	struct rlimit core;
	if (getrlimit(RLIMIT_CORE, &core) != 0)
		return error_errno(err, ERROR_SYSTEM, "getrlimit");
	if (core_limit != NULL)
		*core_limit = core.rlim_cur;
	/* The soft limit alone, so that the job can have its own back. */
	core.rlim_cur = 0;
	if (setrlimit(RLIMIT_CORE, &core) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot forbid core dumps");
	return hide_from_tracers(err);
}

int privilege_renounce(struct error *err)
{
	if (privilege_drop(err) != 0)
		return -1;
	/* An exec by root would give all of them back, and one of jacamar-auth the two. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set no_new_privs");
	return 0;
}

/* Lets go of the session keyring, for a new and empty one; kernels may be built without any. */
static bool join_new_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS;
}

static int refuse_old_keyring(struct error *err)
{
	return error_errno(err, ERROR_SYSTEM, "cannot make a new session keyring%s",
			   errno == EPERM ? " (is this a container, whose filter of system calls "
					    "leaves out keyctl?)"
					  : "");
}

int privilege_confine(struct error *err)
{
	/* A ticket of the service account's may lie in the old one. */
	if (!join_new_keyring())
		return refuse_old_keyring(err);
	if (privilege_is_reserved()) {
		/*
		 * The service account's files and processes are a way back to its capabilities: the
		 * runner's configuration, for one, or the runner itself, by ptrace.
		 */
		if (set_capabilities(CHANGE, CHANGE, err) != 0)
			return -1;
		if (setgroups(0, NULL) != 0 || setresgid(NOBODY_UID, NOBODY_UID, NOBODY_UID) != 0 ||
		    setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID) != 0)
			return error_errno(err, ERROR_SYSTEM, "cannot become nobody");
	}
	return privilege_hide_memory(NULL, err) == 0 ? privilege_renounce(err) : -1;
}

static bool is_wholly(uid_t uid, gid_t gid)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;
	return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 &&
	       ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid &&
	       sgid == gid;
}

/* Does not believe that the old identity is gone: tries to get it back, in every way. */
static int prove(const struct account *account, uid_t old_uid, gid_t old_gid, struct error *err)
{
	if (!is_wholly(account->uid, account->gid))
		return error_set(err, ERROR_SYSTEM, "the identity of %s is not complete",
				 account->name);
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

static int change_identity(const struct account *account, struct error *err)
{
	uid_t old_uid = geteuid();
	gid_t old_gid = getegid();

	if (account->uid == 0 || account->uid == old_uid)
		return error_set(err, ERROR_SYSTEM, "a job never becomes uid %u",
				 (unsigned int)account->uid);
	/* The libraries that know the groups run before any capability is raised. */
	size_t count = 0;
	cleanup_free gid_t *groups = account_groups(account, &count, err);
	if (groups == NULL || set_capabilities(CHANGE, CHANGE, err) != 0)
		return -1;
	if (setgroups(count, groups) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set the %zu groups of %s", count,
				   account->name);
	if (setresgid(account->gid, account->gid, account->gid) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot take the group of %s", account->name);
	if (setresuid(account->uid, account->uid, account->uid) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot become %s", account->name);
	/*
	 * From one uid that is not 0 to another, the kernel leaves the capabilities in place. Where
	 * fs.suid_dumpable is 1, they alone keep the user's tracers off: hidden first.
	 */
	if (hide_from_tracers(err) != 0 || set_capabilities(NOTHING, NOTHING, err) != 0)
		return -1;
	return prove(account, old_uid, old_gid, err);
}

/* Without close_range(2), before Linux 5.9: the descriptors that /proc lists. */
static int close_listed(int first, struct error *err)
{
	DIR *listing = opendir("/proc/self/fd");
	if (listing == NULL)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot list the open files in /proc/self/fd");
	const struct dirent *entry;
	while ((entry = readdir(listing)) != NULL) {
		uint64_t fd;
		if (text_to_u64(entry->d_name, &fd) && fd >= (uint64_t)first &&
		    (int)fd != dirfd(listing))
			close((int)fd);
	}
	closedir(listing);
	return 0;
}

int downscope_close_from(int first, struct error *err)
{
	if (syscall(SYS_close_range, (unsigned int)first, ~0U, 0U) == 0)
		return 0;
	return close_listed(first, err);
}

void downscope_reset_signals(void)
{
	/*
	 * GitLab Runner is a Go program; what it ignores, the job would go on ignoring. The kernel
	 * is asked directly: glibc keeps 32 and 33 to itself. All zero is SIG_DFL in its struct.
	 */
	static const unsigned long default_action[8] = {0};
	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, default_action, NULL, NSIG / 8);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int downscope_restore_core_limit(rlim_t core_limit, struct error *err)
{
	struct rlimit core;
	if (getrlimit(RLIMIT_CORE, &core) != 0)
		return error_errno(err, ERROR_SYSTEM, "getrlimit");
	core.rlim_cur = core_limit;
	if (setrlimit(RLIMIT_CORE, &core) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot restore the limit of core dumps");
	return 0;
}

/* What sudo itself starts from. */
static int prepare_for_sudo(const struct downscope_rules *rules, struct error *err)
{
	umask(0022);
	if (chdir("/") != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot enter /");
	return downscope_restore_core_limit(rules->core_limit, err);
}

int downscope_become(const struct account *account, const struct downscope_rules *rules,
		     int first_closed_fd, struct error *err)
{
	bool change = rules->kind == DOWNSCOPE_SETUID;
	/*
	 * Twice, of which one is enough: before, so that nothing else happens with the service
	 * account's keyring at hand; after, so that the user owns the one that stays. Either may
	 * fail where an account has used up its quota of keys.
	 */
	bool fresh_keyring = join_new_keyring();
	if (change ? change_identity(account, err) != 0 : privilege_drop(err) != 0)
		return -1;
	if (!join_new_keyring() && !fresh_keyring)
		return refuse_old_keyring(err);

	downscope_reset_signals();
	if (downscope_close_from(first_closed_fd, err) != 0)
		return -1;
	return rules->kind == DOWNSCOPE_SUDO ? prepare_for_sudo(rules, err)
					     : settle_as_login(account, rules, err);
}

static bool is_in(gid_t group, const gid_t *groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* Whether the supplementary groups are those of the account, in whatever order. */
static int prove_groups(const struct account *account, struct error *err)
{
	size_t count = 0;
	cleanup_free gid_t *groups = account_groups(account, &count, err);
	if (groups == NULL)
		return -1;
	int size = getgroups(0, NULL);
	cleanup_free gid_t *held = calloc(size > 0 ? (size_t)size : 1, sizeof(*held));
	if (held == NULL || size < 0 || getgroups(size, held) != size)
		return error_errno(err, ERROR_SYSTEM, "getgroups");

	bool same = true;
	for (int i = 0; i < size; i++)
		same = same && is_in(held[i], groups, count);
	for (size_t i = 0; i < count; i++)
		same = same && (groups[i] == account->gid || is_in(groups[i], held, (size_t)size));
	if (!same)
		return error_set(err, ERROR_SYSTEM,
				 "sudo has set other groups than those of %s: does sudoers have "
				 "preserve_groups, or PAM a module that adds groups?",
				 account->name);
	return 0;
}

int downscope_arrive(const struct account *account, const struct downscope_rules *rules,
		     struct error *err)
{
	if (account->uid == 0)
		return error_set(err, ERROR_SYSTEM, "a job never becomes uid 0");
	/* Who called sudo is not known here; root is whom it was a process of in between. */
	if (prove(account, 0, 0, err) != 0 || prove_groups(account, err) != 0)
		return -1;
	/* A new one is there already; it may stay where the user's quota of keys is used up. */
	(void)join_new_keyring();
	downscope_reset_signals();
	return settle_as_login(account, rules, err);
}

int downscope_act_as(uid_t uid, struct downscope_return *back, struct error *err)
{
	back->service = geteuid();
	if (uid == 0 || uid == back->service)
		return error_set(err, ERROR_SYSTEM, "a job is never uid %u", (unsigned int)uid);
	if (set_capabilities(CHANGE, CHANGE, err) != 0)
		return -1;
	if (setresuid(NOBODY_UID, uid, back->service) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot act as uid %u", (unsigned int)uid);
	return privilege_drop(err) == 0 && hide_from_tracers(err) == 0 ? 0 : -1;
}

void downscope_return(const struct downscope_return *back)
{
	if (setresuid(back->service, back->service, back->service) != 0)
		abort();
}

void downscope_kill_confined(pid_t child)
{
	struct error err;
	struct downscope_return back;
	if (kill(child, SIGKILL) == 0 || errno != EPERM)
		return;
	pid_t helper = fork();
	if (helper == 0)
		_exit(downscope_act_as(NOBODY_UID, &back, &err) == 0 ? kill(child, SIGKILL) != 0
								     : 1);
	while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
}
