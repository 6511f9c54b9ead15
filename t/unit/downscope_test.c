/*
 * Giving up privilege, and changing to another account: in children, because no process can come
 * back.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"
#include "core/privilege/keyring.h"
#include "core/privilege/seccomp.h"
#include "core/privilege/terminal.h"
#include "core/protocol/state.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define NOBODY	65534
#define USER_ID 65532 /* of no account, and not that of nobody */

static const struct account USER = {.name = "nobody",
				    .uid = USER_ID,
				    .gid = USER_ID,
				    .home = "/nonexistent",
				    .shell = "/bin/sh"};

/* As config puts them into the state; it lives as long as the process. */
static const json_t *groups_of(const struct account *account)
{
	struct account_groups groups;
	struct error err;
	if (account_groups(account, &groups, &err) != 0)
		return NULL;
	return state_encode_groups(&groups);
}

static bool has_no_capability(void)
{
	return process_status("CapEff", 16) == 0 && process_status("CapPrm", 16) == 0 &&
	       process_status("CapInh", 16) == 0 && process_status("CapAmb", 16) == 0;
}

static void drop(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(privilege_drop(&err) == 0);
	child_require(has_no_capability());
	child_require(!privilege_is_reserved());
	/* A second call succeeds, too. */
	child_require(privilege_drop(&err) == 0);
	child_require(privilege_reserve(&err) == 0 && has_no_capability());
}

START_TEST(privilege_is_dropped_for_good)
{
	ck_assert_int_eq(process_run(drop, NULL), 0);
}
END_TEST

static void reserve(const void *place)
{
	struct error err;
	unsigned long long held = process_status("CapPrm", 16);
	child_require(privilege_reserve(&err) == 0);
	child_require(privilege_is_reserved());
	child_require(process_status("CapEff", 16) == 0);
	child_require(process_status("CapInh", 16) == 0);
	child_require(process_status("CapAmb", 16) == 0);
	child_require(process_status("CapPrm", 16) == held);
	child_require(setresuid(NOBODY, NOBODY, NOBODY) != 0);
	child_require(setgroups(0, NULL) != 0);
	child_require(chown(place, USER_ID, USER_ID) != 0);
	child_require(privilege_settle(true, &err) == 0);
	child_require(process_status("CapPrm", 16) == 0xc1); /* CAP_SETGID, CAP_SETUID, CAP_CHOWN */
	child_require(privilege_settle(false, &err) == 0);
	child_require(process_status("CapPrm", 16) == 0xc0);
	child_require(privilege_settle(true, &err) == 0);
	child_require(privilege_reserve(&err) == 0);
	child_require(process_status("CapPrm", 16) == 0xc0);
	child_require(privilege_raise(&err) == 0);
	child_require(process_status("CapEff", 16) == 0xc0);
}

START_TEST(reserved_privilege_is_of_no_use_until_raised)
{
	struct path place = scratch_make();
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(reserve, place.text), 0);
}
END_TEST

/* As a service account that is not root, but has more capabilities than it needs. */
static void reserve_as_service(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	child_require(setresgid(USER_ID, USER_ID, USER_ID) == 0);
	child_require(setresuid(USER_ID, USER_ID, USER_ID) == 0);
	child_require((process_status("CapPrm", 16) & 0xc1) == 0xc1);
	child_require(privilege_reserve(&err) == 0);
	child_require(process_status("CapPrm", 16) == 0xc0);
}

START_TEST(only_root_reserves_more_than_the_change_of_account)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(reserve_as_service, NULL), 0);
}
END_TEST

static void give(const void *argument)
{
	struct error err;
	struct stat found;
	const char *place = argument;
	int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child_require(privilege_reserve(&err) == 0);
	child_require(privilege_give(fd, USER_ID, (gid_t)-1, &err) == 0);
	child_require(fstat(fd, &found) == 0);
	child_require(found.st_uid == USER_ID && found.st_gid == getgid());
	child_require(process_status("CapEff", 16) == 0);
	child_require(privilege_settle(false, &err) == 0);
	child_require(privilege_give(fd, 0, 0, &err) == -1);
	child_require(fstat(fd, &found) == 0 && found.st_uid == USER_ID);
}

START_TEST(a_directory_is_given_away_once)
{
	struct path place = scratch_make();
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(give, place.text), 0);
}
END_TEST

static void fail_to_give(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(privilege_reserve(&err) == 0);
	child_require(privilege_give(-1, USER_ID, USER_ID, &err) == -1);
	child_require(strstr(err.detail, "Bad file descriptor") != NULL);
	child_require(process_status("CapEff", 16) == 0);
}

START_TEST(no_privilege_is_in_effect_after_a_failure_to_give)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(fail_to_give, NULL), 0);
}
END_TEST

static void reserve_nothing(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(privilege_drop(&err) == 0);
	child_require(!privilege_is_reserved());
	child_require(privilege_reserve(&err) == 0);
	child_require(!privilege_is_reserved() && has_no_capability());
}

START_TEST(who_has_nothing_reserves_nothing)
{
	ck_assert_int_eq(process_run(reserve_nothing, NULL), 0);
}
END_TEST

/* Aborts in a directory of its own, with as large a core limit as it may have. */
static void abort_with(const void *argument)
{
	const bool *hidden = argument;
	struct rlimit core;
	struct error err;
	struct path place = scratch_make();
	child_require(chdir(place.text) == 0 && getrlimit(RLIMIT_CORE, &core) == 0);
	core.rlim_cur = core.rlim_max;
	child_require(setrlimit(RLIMIT_CORE, &core) == 0);
	if (*hidden)
		child_require(privilege_hide_memory(&err) == 0 &&
			      prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	abort();
}

START_TEST(hidden_memory_is_in_no_core_dump)
{
	static const bool hidden = true;
	static const bool open = false;
	struct rlimit core;
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
	/* If this one leaves none either, the host allows no core dumps. */
	if (core.rlim_max == 0 || !WCOREDUMP(process_run(abort_with, &open)))
		process_skip(__func__, "needs core dumps");
	else
		ck_assert(!WCOREDUMP(process_run(abort_with, &hidden)));
}
END_TEST

/* The state in which a Go program, root in many groups, would start us. */
static void spoil_process(void)
{
	const gid_t groups[] = {0, 1, 2, 3};
	sigset_t all;
	struct error err;
	sigfillset(&all);
	child_require(setgroups(4, groups) == 0);
	child_require(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	child_require(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	child_require(signal(SIGRTMAX, SIG_IGN) != SIG_ERR);
	child_require(open("/dev/null", O_RDONLY) >= 0);
	child_require(dup2(STDIN_FILENO, 200) == 200);
	child_require(privilege_reserve(&err) == 0);
	umask(0077);
}

static bool nothing_is_open_from(int first)
{
	for (int fd = first; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return false;
	return true;
}

static bool signals_are_default(void)
{
	sigset_t mask;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number <= SIGRTMAX; number++) {
		struct sigaction action;
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			return false;
		if (sigismember(&mask, number) == 1)
			return false;
	}
	return true;
}

static void become(const void *argument)
{
	const struct path *home = argument;
	struct account account = USER;
	struct downscope_rules rules = {
		.kind = DOWNSCOPE_SETUID, .groups = groups_of(&account), .no_new_privs = true};
	struct error err = {.detail = ""};
	gid_t groups[64];
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;
	char directory[SCRATCH_SIZE];
	struct rlimit time;

	strcpy(account.home, home->text);
	rules.filters =
		seccomp_compile(&(struct auth_settings){.no_new_privs = true}, &account, &err);
	rules.limits[LIMIT_CPU] = (struct limit_setting){.set = true, .value = 123456};
	rules.limits[LIMIT_FSIZE] = (struct limit_setting){.set = true, .value = LIMIT_UNLIMITED};
	spoil_process();
	if (downscope_become(&account, &rules, STDERR_FILENO + 1, &err) != 0)
		dprintf(STDERR_FILENO, "%s\n", err.detail);
	child_require(err.detail[0] == '\0');

	child_require(getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0);
	child_require(ruid == USER_ID && euid == USER_ID && suid == USER_ID);
	child_require(rgid == USER_ID && egid == USER_ID && sgid == USER_ID);
	child_require(getgroups(64, groups) >= 1 && groups[0] == USER_ID);
	child_require(has_no_capability());
	child_require(process_status("NoNewPrivs", 10) == 1);
	child_require(process_status("Seccomp", 10) == 2);
	child_require(setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0 && setegid(0) != 0);
	child_require(setgroups(0, NULL) != 0);
	child_require(nothing_is_open_from(STDERR_FILENO + 1));
	child_require(signals_are_default());
	child_require(umask(0) == 0022);
	child_require(getrlimit(RLIMIT_CPU, &time) == 0);
	child_require(time.rlim_cur == 123456 && time.rlim_max == 123456);
	child_require(getcwd(directory, sizeof(directory)) != NULL);
	child_require(strcmp(directory, home->text) == 0);
}

START_TEST(another_account_is_taken_wholly_and_for_good)
{
	if (!process_is_root(__func__))
		return;
	struct path home = scratch_make();
	ck_assert_int_eq(chown(home.text, USER_ID, USER_ID), 0);
	ck_assert_int_eq(process_run(become, &home), 0);
}
END_TEST

static void become_without_home(const void *argument)
{
	struct downscope_rules rules = {.kind = DOWNSCOPE_SETUID, .groups = groups_of(&USER)};
	struct error err;
	char directory[SCRATCH_SIZE];
	(void)argument;
	child_require(chdir("/tmp") == 0);
	child_require(downscope_become(&USER, &rules, STDERR_FILENO + 1, &err) == 0);
	child_require(getcwd(directory, sizeof(directory)) != NULL);
	child_require(strcmp(directory, "/") == 0);
	child_require(process_status("NoNewPrivs", 10) == 0);
}

START_TEST(without_a_home_the_job_starts_in_the_root)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(become_without_home, NULL), 0);
}
END_TEST

/* What the state may have as groups, and what the system may do with them. */
static const struct {
	const char *groups;
	bool faked; /* setgroups reports success, and does nothing */
	const char *says;
} GROUPS[] = {
	{"[65532]", false, NULL},
	{"[5, 65532]", false, NULL},
	{"[65532]", true, "the list of groups of nobody is not in effect"},
	{"[5, 65532]", true, "the list of groups of nobody is not in effect"},
	/* As many as this process has, with the primary one. */
	{"[7, 8, 65532]", true, "the list of groups of nobody is not in effect"},
	{"[]", false, "the list of groups of nobody is not in effect"},
	{"[5]", false, "the list of groups of nobody is not in effect"},
};

static void become_with_groups(const void *argument)
{
	int row = *(const int *)argument;
	json_error_t where;
	struct downscope_rules rules = {.kind = DOWNSCOPE_SETUID,
					.groups = json_loads(GROUPS[row].groups, 0, &where)};
	struct error err = {.detail = ""};
	child_require(rules.groups != NULL && setgroups(2, (const gid_t[]){5, 6}) == 0);
	if (GROUPS[row].faked)
		process_fake_call(SYS_setgroups, 0);
	int result = downscope_become(&USER, &rules, STDERR_FILENO + 1, &err);
	child_require(result == (GROUPS[row].says == NULL ? 0 : -1));
	if (GROUPS[row].says != NULL)
		child_require(strstr(err.detail, GROUPS[row].says) != NULL);
	else
		child_require(getgroups(0, NULL) == (int)json_array_size(rules.groups));
}

START_TEST(the_groups_are_those_of_the_state)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(become_with_groups, &_i), 0);
}
END_TEST

static void act_with_fake(const void *argument)
{
	struct downscope_return back;
	struct error err = {.detail = ""};
	(void)argument;
	process_fake_call(SYS_setresuid, 1);
	child_require(privilege_reserve(&err) == 0);
	child_require(downscope_act_as(USER_ID, USER_ID, &back, &err) == -1);
	child_require(strstr(err.detail, "is not in effect") != NULL);
}

START_TEST(who_does_not_act_as_the_user_says_so)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(act_with_fake, NULL), 0);
}
END_TEST

static void refuse_root_and_self(const void *argument)
{
	struct account account = USER;
	struct downscope_rules rules = {.kind = DOWNSCOPE_SETUID, .groups = groups_of(&USER)};
	struct error err;
	(void)argument;
	account.uid = 0;
	child_require(downscope_become(&account, &rules, 100, &err) == -1);
	account.uid = geteuid();
	child_require(downscope_become(&account, &rules, 100, &err) == -1);
	child_require(geteuid() == account.uid);

	struct downscope_return back;
	child_require(downscope_act_as(0, USER_ID, &back, &err) == -1);
	child_require(downscope_act_as(geteuid(), USER_ID, &back, &err) == -1);
}

START_TEST(nobody_becomes_root_or_what_they_are)
{
	ck_assert_int_eq(process_run(refuse_root_and_self, NULL), 0);
}
END_TEST

static void become_without_privilege(const void *argument)
{
	struct downscope_rules rules = {.kind = DOWNSCOPE_SETUID, .groups = groups_of(&USER)};
	struct error err;
	uid_t uid = geteuid();
	(void)argument;
	child_require(privilege_drop(&err) == 0);
	child_require(downscope_become(&USER, &rules, 100, &err) == -1);
	child_require(err.kind == ERROR_SYSTEM && geteuid() == uid);
}

START_TEST(without_privilege_nobody_becomes_another)
{
	if (geteuid() == USER_ID)
		process_skip(__func__, "is that account already");
	else
		ck_assert_int_eq(process_run(become_without_privilege, NULL), 0);
}
END_TEST

static void stay(const void *argument)
{
	struct account account = {.name = "usr", .uid = geteuid(), .gid = getegid(), .home = "/"};
	struct downscope_rules rules = {.kind = DOWNSCOPE_NONE};
	struct error err;
	(void)argument;
	child_require(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	child_require(dup2(STDIN_FILENO, 200) == 200);
	child_require(downscope_become(&account, &rules, STDERR_FILENO + 1, &err) == 0);
	child_require(geteuid() == account.uid && getegid() == account.gid);
	child_require(has_no_capability());
	child_require(signals_are_default() && nothing_is_open_from(STDERR_FILENO + 1));
}

START_TEST(without_downscoping_privilege_goes_all_the_same)
{
	ck_assert_int_eq(process_run(stay, NULL), 0);
}
END_TEST

/* What would keep sudo from working is not done. */
static void leave_to_sudo(const void *argument)
{
	struct downscope_rules rules = {
		.kind = DOWNSCOPE_SUDO, .groups = groups_of(&USER), .no_new_privs = true};
	struct rlimit size;
	struct error err;
	char directory[SCRATCH_SIZE];
	uid_t uid = geteuid();
	(void)argument;
	rules.limits[LIMIT_FSIZE] = (struct limit_setting){.set = true, .value = 0};
	child_require(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	child_require(dup2(STDIN_FILENO, 200) == 200);
	child_require(downscope_become(&USER, &rules, STDERR_FILENO + 1, &err) == 0);
	child_require(geteuid() == uid && getuid() == uid && has_no_capability());
	child_require(process_status("NoNewPrivs", 10) == 0);
	child_require(getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != 0);
	child_require(signals_are_default() && nothing_is_open_from(STDERR_FILENO + 1));
	child_require(getcwd(directory, sizeof(directory)) != NULL && strcmp(directory, "/") == 0);
}

START_TEST(sudo_finds_the_service_account_without_privilege)
{
	ck_assert_int_eq(process_run(leave_to_sudo, NULL), 0);
}
END_TEST

/*
 * Makes this process like one that sudo started: `account`, with one group more if `more` is set.
 */
static void come_through_sudo(const struct account *account, gid_t more)
{
	gid_t groups[64];
	int count = 63;
	child_require(getgrouplist(account->name, account->gid, groups, &count) >= 0);
	if (more != 0)
		groups[count++] = more;
	child_require(setgroups((size_t)count, groups) == 0);
	child_require(setresgid(account->gid, account->gid, account->gid) == 0);
	child_require(setresuid(account->uid, account->uid, account->uid) == 0);
}

static void arrive(const void *argument)
{
	const struct path *home = argument;
	struct account account = USER;
	struct downscope_rules rules = {
		.kind = DOWNSCOPE_SUDO, .groups = groups_of(&USER), .no_new_privs = true};
	struct error err = {.detail = ""};
	struct rlimit size;
	char directory[SCRATCH_SIZE];
	strcpy(account.home, home->text);
	rules.limits[LIMIT_FSIZE] = (struct limit_setting){.set = true, .value = 12345};
	child_require(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	umask(0077);
	come_through_sudo(&account, 0);
	if (downscope_arrive(&account, &rules, &err) != 0)
		dprintf(STDERR_FILENO, "%s\n", err.detail);
	child_require(err.detail[0] == '\0');
	child_require(process_status("NoNewPrivs", 10) == 1);
	child_require(getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_max == 12345);
	child_require(signals_are_default() && umask(0) == 0022);
	child_require(getcwd(directory, sizeof(directory)) != NULL);
	child_require(strcmp(directory, home->text) == 0);
}

START_TEST(who_came_through_sudo_gets_what_a_login_has)
{
	if (!process_is_root(__func__))
		return;
	struct path home = scratch_make();
	ck_assert_int_eq(chown(home.text, USER_ID, USER_ID), 0);
	ck_assert_int_eq(process_run(arrive, &home), 0);
}
END_TEST

/* Each is a mistake of sudo or of its configuration. */
static void drop_group(void)
{
	child_require(setgroups(0, NULL) == 0);
}
static void add_group(void)
{
	come_through_sudo(&USER, 12345);
}
static void keep_real_uid(void)
{
	come_through_sudo(&(struct account){.name = "nobody", .gid = USER_ID}, 0);
	child_require(setresuid(1, USER_ID, USER_ID) == 0);
}
static void keep_saved_uid(void)
{
	come_through_sudo(&(struct account){.name = "nobody", .gid = USER_ID}, 0);
	child_require(setresuid(USER_ID, USER_ID, 1) == 0);
}
static void take_another_group(void)
{
	struct account account = USER;
	account.gid = 12345;
	come_through_sudo(&account, USER_ID);
}
static void take_another_uid(void)
{
	struct account account = USER;
	account.uid = USER_ID - 1;
	come_through_sudo(&account, 0);
}
static void stay_root(void)
{
}
static void keep_capabilities(void)
{
	child_require(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	come_through_sudo(&USER, 0);
}

static const struct {
	void (*come)(void);
	const char *said;
} STRANGE_WAYS[] = {
	{add_group, "other groups"},
	{keep_real_uid, "is not complete"},
	{keep_saved_uid, "is not complete"},
	{take_another_group, "is not complete"},
	{take_another_uid, "is not complete"},
	{stay_root, "is not complete"},
	{keep_capabilities, "a capability is left"},
};

static void arrive_otherwise(const void *argument)
{
	struct downscope_rules rules = {.kind = DOWNSCOPE_SUDO, .groups = groups_of(&USER)};
	struct error err = {.detail = ""};
	int row = *(const int *)argument;
	child_require(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	STRANGE_WAYS[row].come();
	child_require(downscope_arrive(&USER, &rules, &err) == -1);
	child_require(err.kind == ERROR_SYSTEM);
	child_require(strstr(err.detail, STRANGE_WAYS[row].said) != NULL);
	/* Nothing else was done. */
	child_require(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
}

START_TEST(who_came_otherwise_is_refused)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(arrive_otherwise, &_i), 0);
}
END_TEST

/* The account is in one more group than the process has. */
static void arrive_with_too_few_groups(const void *argument)
{
	const struct account_groups groups = {.count = 2, .gids = {12345, USER_ID}};
	struct downscope_rules rules = {.kind = DOWNSCOPE_SUDO,
					.groups = state_encode_groups(&groups)};
	struct error err = {.detail = ""};
	(void)argument;
	drop_group();
	child_require(setresgid(USER_ID, USER_ID, USER_ID) == 0);
	child_require(setresuid(USER_ID, USER_ID, USER_ID) == 0);
	child_require(downscope_arrive(&USER, &rules, &err) == -1);
	child_require(strstr(err.detail, "other groups") != NULL);
}

START_TEST(who_came_with_too_few_groups_is_refused)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(arrive_with_too_few_groups, NULL), 0);
}
END_TEST

static void arrive_as_root(const void *argument)
{
	struct downscope_rules rules = {.kind = DOWNSCOPE_SUDO, .groups = groups_of(&USER)};
	struct account root = {.name = "root", .home = "/"};
	struct error err;
	(void)argument;
	child_require(downscope_arrive(&root, &rules, &err) == -1);
}

START_TEST(nobody_comes_through_sudo_as_root)
{
	ck_assert_int_eq(process_run(arrive_as_root, NULL), 0);
}
END_TEST

static void act(const void *argument)
{
	pid_t theirs = *(const pid_t *)argument;
	uid_t ruid, euid, suid;
	struct downscope_return back;
	struct error err;
	pid_t own = process_start_sleeper();
	child_require(own > 0 && privilege_reserve(&err) == 0);
	gid_t group = getegid();
	child_require(downscope_act_as(USER_ID, USER_ID, &back, &err) == 0);
	child_require(getresuid(&ruid, &euid, &suid) == 0);
	child_require(euid == USER_ID && ruid == confined_uids_own() && suid == 0);
	child_require(getegid() == USER_ID && getgid() == group);
	/* In reserve, for the user's side that comes next. */
	child_require(process_status("CapEff", 16) == 0 && privilege_is_reserved());
	/* It can signal the user's processes, but not the service account's. */
	child_require(kill(own, SIGKILL) == -1 && errno == EPERM);
	child_require(kill(theirs, SIGKILL) == 0);
	child_require(downscope_return(&back, &err) == 0);
	child_require(getresuid(&ruid, &euid, &suid) == 0);
	child_require(euid == 0 && ruid == 0 && suid == 0 && getegid() == group);
	child_require(process_status("CapEff", 16) == 0 && privilege_is_reserved());
	child_require(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	child_require(kill(own, SIGKILL) == 0);
}

static void sleep_as_user(const void *argument)
{
	struct downscope_rules rules = {.kind = DOWNSCOPE_SETUID, .groups = groups_of(&USER)};
	struct error err;
	int ready = *(const int *)argument;
	process_forget_check();
	child_require(downscope_become(&USER, &rules, ready + 1, &err) == 0);
	child_require(write(ready, "x", 1) == 1);
	for (;;)
		pause();
}

START_TEST(the_helper_can_signal_the_users_processes)
{
	int ends[2];
	int status;
	char byte;
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(pipe(ends), 0);
	pid_t user = fork();
	if (user == 0)
		sleep_as_user(&ends[1]);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(process_run(act, &user), 0);
	ck_assert_int_eq(waitpid(user, &status, 0), user);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(ends[0]);
}
END_TEST

static void close_most(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(dup2(STDIN_FILENO, 10) == 10 && dup2(STDIN_FILENO, 11) == 11);
	child_require(dup2(STDIN_FILENO, 99) == 99 && dup2(STDIN_FILENO, 200) == 200);
	child_require(io_close_from(11, &err) == 0);
	child_require(fcntl(10, F_GETFD) >= 0);
	child_require(nothing_is_open_from(11));
}

START_TEST(descriptors_are_closed_from_one_on)
{
	ck_assert_int_eq(process_run(close_most, NULL), 0);
}
END_TEST

/* As on a kernel that lacks the call, or in a container that blocks it. */
static void take_away(unsigned int number, unsigned int reason)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | reason),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
		_exit(2);
}

static void close_on_an_old_kernel(const void *argument)
{
	take_away(SYS_close_range, ENOSYS);
	child_require(syscall(SYS_close_range, 1000U, 1000U, 0U) == -1 && errno == ENOSYS);
	close_most(argument);
}

START_TEST(an_old_kernel_closes_them_as_well)
{
	int status = process_run(close_on_an_old_kernel, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		process_skip(__func__, "needs seccomp filters");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

static const struct {
	int reason;
	const char *said; /* it continues without a keyring */
} KEYRINGS[] = {
	{ENOSYS, NULL},
	{EPERM, "must allow keyctl): Operation not permitted"},
	{EDQUOT, " has used up its quota of kernel keys"},
};

static void confine_without_keyring(const void *argument)
{
	int row = *(const int *)argument;
	const char *said = KEYRINGS[row].said;
	struct error err;
	take_away(SYS_keyctl, (unsigned int)KEYRINGS[row].reason);
	child_require(privilege_confine(USER_ID, &err) == (said == NULL ? 0 : -1));
	child_require(said == NULL || strstr(err.detail, said) != NULL);
}

START_TEST(a_keyring_that_cannot_be_left_is_said)
{
	int status = process_run(confine_without_keyring, &_i);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		process_skip(__func__, "needs seccomp filters");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

/* With keys of the caller's in reach; needs a kernel with keyrings. */
static void leave_keyring(const void *argument)
{
	static const char key[] = "jacamar-test";
	struct error err;
	(void)argument;
	child_require(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) > 0);
	child_require(syscall(SYS_add_key, "user", key, "x", 1, KEY_SPEC_SESSION_KEYRING) > 0);
	child_require(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", key, 0) >
		      0);

	child_require(keyring_leave(&err) == 0);
	child_require(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", key, 0) <
		      0);
	child_require(syscall(SYS_add_key, "user", key, "x", 1, KEY_SPEC_SESSION_KEYRING) < 0 &&
		      errno == EACCES);
	child_require(syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_SESSION_KEYRING,
			      KEY_SPEC_PROCESS_KEYRING) < 0 &&
		      errno == EACCES);
	child_require(syscall(SYS_keyctl, KEYCTL_SETPERM, KEY_SPEC_SESSION_KEYRING, 0x3f3f0000) <
			      0 &&
		      errno == EACCES);

	child_require(keyring_join_own("usr", &err) == 0);
	child_require(syscall(SYS_add_key, "user", key, "x", 1, KEY_SPEC_SESSION_KEYRING) > 0);
}

START_TEST(a_keyring_on_the_way_can_be_neither_filled_nor_kept)
{
	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0) < 0 &&
	    errno == ENOSYS)
		process_skip(__func__, "needs kernel keyrings");
	else
		ck_assert_int_eq(process_run(leave_keyring, NULL), 0);
}
END_TEST

/* In a child: makes a terminal the controlling one, goes on in a child that leads no session. */
static void on_terminal(void (*body)(const void *), const void *argument)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	child_require(setsid() > 0 && master >= 0);
	child_require(grantpt(master) == 0 && unlockpt(master) == 0);
	child_require(open(ptsname(master), O_RDWR) >= 0);
	int seen = open("/dev/tty", O_RDONLY | O_CLOEXEC);
	child_require(seen >= 0);
	close(seen);
	child_require(process_run(body, argument) == 0);
}

static void leave_terminal(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(terminal_leave(&err) == 0);
	child_require(open("/dev/tty", O_RDONLY | O_CLOEXEC) < 0 && errno == ENXIO);
	child_require(terminal_leave(&err) == 0);
}

static void leave_terminal_of_session(const void *argument)
{
	on_terminal(leave_terminal, argument);
}

START_TEST(a_controlling_terminal_is_given_up)
{
	ck_assert_int_eq(process_run(leave_terminal_of_session, NULL), 0);
}
END_TEST

static void confine_on_terminal(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(privilege_confine(USER_ID, &err) == 0);
	child_require(open("/dev/tty", O_RDONLY | O_CLOEXEC) < 0 && errno == ENXIO);
}

static void confine_on_terminal_of_session(const void *argument)
{
	on_terminal(confine_on_terminal, argument);
}

START_TEST(who_parses_has_no_terminal)
{
	ck_assert_int_eq(process_run(confine_on_terminal_of_session, NULL), 0);
}
END_TEST

/* The call reports success and does nothing. */
static void keep_terminal(const void *argument)
{
	struct error err;
	(void)argument;
	take_away(SYS_ioctl, 0);
	child_require(terminal_leave(&err) == -1);
	child_require(strcmp(err.detail, "cannot give up the controlling terminal") == 0);
}

static void keep_terminal_of_session(const void *argument)
{
	on_terminal(keep_terminal, argument);
}

START_TEST(a_controlling_terminal_that_stays_is_an_error)
{
	ck_assert_int_eq(process_run(keep_terminal_of_session, NULL), 0);
}
END_TEST

static void lower(const void *argument)
{
	struct error err;
	unsigned long long permitted = process_status("CapPrm", 16);
	(void)argument;
	child_require(process_status("CapEff", 16) != 0);
	child_require(privilege_lower(&err) == 0);
	child_require(process_status("CapEff", 16) == 0);
	child_require(process_status("CapPrm", 16) == permitted);
}

START_TEST(lowered_capabilities_are_permitted_still)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(lower, NULL), 0);
}
END_TEST

static bool finds_key(void)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "key", 0) >= 0;
}

static void confine_with_key(const void *argument)
{
	struct error err;
	uid_t owner = 0;
	char described[128] = "";
	(void)argument;
	child_require(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 &&
		      syscall(SYS_add_key, "user", "key", "x", 1, KEY_SPEC_SESSION_KEYRING) >= 0);
	child_require(finds_key());
	child_require(privilege_confine(USER_ID, &err) == 0);
	child_require(!finds_key());
	/* A session keyring counts against the quota of the account that made it. */
	child_require(syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, described,
			      sizeof(described)) > 0 &&
		      sscanf(described, "keyring;%u;", &owner) == 1 && owner == USER_ID);
	child_require(has_no_capability());
	child_require(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	child_require(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	child_require(setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0 && setegid(0) != 0);
	child_require(setgroups(0, NULL) != 0 && getgroups(0, NULL) == 0);
	child_require(geteuid() == USER_ID && getegid() == USER_ID);
}

START_TEST(a_confined_process_has_no_key_and_no_way_back)
{
	if (!process_is_root(__func__))
		return;
	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) < 0 &&
	    errno == ENOSYS)
		process_skip(__func__, "needs a kernel with keys");
	else
		ck_assert_int_eq(process_run(confine_with_key, NULL), 0);
}
END_TEST

static TCase *privilege_tests(void)
{
	TCase *tcase = tcase_create("privilege");
	tcase_add_test(tcase, lowered_capabilities_are_permitted_still);
	tcase_add_test(tcase, privilege_is_dropped_for_good);
	tcase_add_test(tcase, reserved_privilege_is_of_no_use_until_raised);
	tcase_add_test(tcase, only_root_reserves_more_than_the_change_of_account);
	tcase_add_test(tcase, a_directory_is_given_away_once);
	tcase_add_test(tcase, no_privilege_is_in_effect_after_a_failure_to_give);
	tcase_add_test(tcase, who_has_nothing_reserves_nothing);
	tcase_add_test(tcase, a_confined_process_has_no_key_and_no_way_back);
	tcase_add_test(tcase, hidden_memory_is_in_no_core_dump);
	return tcase;
}

static TCase *sudo_tests(void)
{
	TCase *tcase = tcase_create("sudo");
	tcase_add_test(tcase, sudo_finds_the_service_account_without_privilege);
	tcase_add_test(tcase, who_came_through_sudo_gets_what_a_login_has);
	tcase_add_loop_test(tcase, who_came_otherwise_is_refused, 0, ROWS(STRANGE_WAYS));
	tcase_add_test(tcase, who_came_with_too_few_groups_is_refused);
	tcase_add_test(tcase, nobody_comes_through_sudo_as_root);
	return tcase;
}

Suite *downscope_suite(void)
{
	Suite *suite = suite_create("downscope");
	TCase *identity = tcase_create("identity");

	suite_add_tcase(suite, privilege_tests());
	tcase_add_test(identity, another_account_is_taken_wholly_and_for_good);
	tcase_add_test(identity, without_a_home_the_job_starts_in_the_root);
	tcase_add_loop_test(identity, the_groups_are_those_of_the_state, 0, ROWS(GROUPS));
	tcase_add_test(identity, nobody_becomes_root_or_what_they_are);
	tcase_add_test(identity, without_privilege_nobody_becomes_another);
	tcase_add_test(identity, without_downscoping_privilege_goes_all_the_same);
	tcase_add_test(identity, the_helper_can_signal_the_users_processes);
	tcase_add_test(identity, who_does_not_act_as_the_user_says_so);
	tcase_add_test(identity, descriptors_are_closed_from_one_on);
	tcase_add_test(identity, an_old_kernel_closes_them_as_well);
	tcase_add_loop_test(identity, a_keyring_that_cannot_be_left_is_said, 0, ROWS(KEYRINGS));
	tcase_add_test(identity, a_keyring_on_the_way_can_be_neither_filled_nor_kept);
	tcase_add_test(identity, a_controlling_terminal_is_given_up);
	tcase_add_test(identity, a_controlling_terminal_that_stays_is_an_error);
	tcase_add_test(identity, who_parses_has_no_terminal);
	suite_add_tcase(suite, identity);
	suite_add_tcase(suite, sudo_tests());
	return suite;
}
