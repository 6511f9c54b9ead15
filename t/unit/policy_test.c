/*
 * The rules: which accounts get no job, and when a token is needed.
 */
#include <string.h>

#include "core/policy.h"
#include "t/unit/suites.h"

#define MIN_UID 1000

static const struct account SERVICE = {.name = "gitlab-runner",
				       .uid = 999,
				       .gid = 999,
				       .home = "/home/gitlab-runner",
				       .shell = "/bin/bash"};

static struct account account_with(uid_t uid, const char *shell)
{
	struct account account = {.name = "usr", .uid = uid, .gid = 100, .home = "/home/usr"};
	strncat(account.shell, shell, sizeof(account.shell) - 1);
	return account;
}

#define OPEN "; change that, or have auth.shell_allowlist list it"

#define NOBODY "usr has uid 65534, as which untrusted bytes are parsed, and which no job may become"

static const struct {
	uid_t uid;
	const char *shell;
	const char *allowed; /* the one shell of the allowlist; NULL: no list */
	const char *reason;  /* NULL: may have jobs */
} ACCOUNTS[] = {
	{1000, "/bin/bash", NULL, NULL},
	{65533, "/bin/zsh", NULL, NULL},
	{65534, "/bin/bash", NULL, NOBODY},
	{65534, "/sbin/nologin", "/sbin/nologin", NOBODY},
	{0, "/bin/bash", NULL, "usr is root, and no job runs as root"},
	{0, "/bin/bash", "/bin/bash", "usr is root, and no job runs as root"},
	{999, "/bin/bash", NULL, "usr is the service account, which no job may become"},
	{998, "/bin/bash", NULL, "uid 998 of usr is below auth.min_uid, 1000"},
	{1000, "/sbin/nologin", NULL, "account usr is closed: its shell is /sbin/nologin" OPEN},
	{1000, "/usr/sbin/nologin", NULL,
	 "account usr is closed: its shell is /usr/sbin/nologin" OPEN},
	{1000, "/bin/false", NULL, "account usr is closed: its shell is /bin/false" OPEN},
	{1000, "nologin", NULL, "account usr is closed: its shell is nologin" OPEN},
	{1000, "/bin/falsetto", NULL, NULL},
	{1000, "/sbin/nologin", "/sbin/nologin", NULL},
	{1000, "/bin/bash", "/bin/bash", NULL},
	{1000, "/bin/zsh", "/bin/bash", "the shell /bin/zsh of usr is not in auth.shell_allowlist"},
	{1000, "/bin/bash2", "/bin/bash",
	 "the shell /bin/bash2 of usr is not in auth.shell_allowlist"},
};

START_TEST(an_account_is_held_against_the_rules)
{
	char *shells[] = {(char *)ACCOUNTS[_i].allowed};
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID, .min_uid = MIN_UID};
	struct account account = account_with(ACCOUNTS[_i].uid, ACCOUNTS[_i].shell);
	struct error err = {.detail = ""};
	if (ACCOUNTS[_i].allowed != NULL)
		settings.shell_allowlist = (struct string_list){.items = shells, .count = 1};

	int result = policy_check_account(&settings, &account, &SERVICE, &err);
	ck_assert_int_eq(result, ACCOUNTS[_i].reason == NULL ? 0 : -1);
	if (result == 0)
		return;
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, ACCOUNTS[_i].reason);

	/* sudo is another way to the same account. */
	settings.downscope = DOWNSCOPE_SUDO;
	ck_assert_int_eq(policy_check_account(&settings, &account, &SERVICE, &err), -1);
}
END_TEST

static const struct {
	const char *login;
	bool bot;
} LOGINS[] = {
	{"usr", false},
	{"robot", false},
	{"my_bot", false},
	{"project_manager", false},
	{"group_", false},
	{"project_1_bot", true},
	{"project_278964_bot_0123456789abcdef", true},
	{"group_42_bot", true},
	{"group_42_bot_0123456789abcdef", true},
	{"group_bot", false},
	{"xproject_1_bot", false},
};

START_TEST(bots_get_no_job_unless_they_may)
{
	struct auth_settings settings = {.allow_bot_accounts = false};
	struct error err;
	ck_assert_int_eq(policy_check_login(&settings, LOGINS[_i].login, &err),
			 LOGINS[_i].bot ? -1 : 0);
	if (LOGINS[_i].bot)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	settings.allow_bot_accounts = true;
	ck_assert_int_eq(policy_check_login(&settings, LOGINS[_i].login, &err), 0);
}
END_TEST

static struct string_list list_of(const char *const *names)
{
	size_t count = 0;
	while (count < 3 && names[count] != NULL)
		count++;
	return (struct string_list){.items = (char **)names, .count = count};
}

/* A directory of groups that is down knows no group either. */
START_TEST(an_unknown_group_admits_nobody)
{
	static const char *const unknown[] = {"nobody-has-this-name", NULL};
	struct auth_settings settings = {.groups_blocklist = list_of(unknown)};
	struct error err;
	ck_assert_int_eq(policy_check_lists(&settings, "usr", NULL, 0, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	settings = (struct auth_settings){.groups_allowlist = list_of(unknown)};
	ck_assert_int_eq(policy_check_lists(&settings, "usr", NULL, 0, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
}
END_TEST

static const struct {
	const char *allowed[3]; /* the list, up to a NULL */
	const char *source;
	bool admitted;
} SOURCES[] = {
	{{NULL}, "push", true},		 {{NULL}, "", true},	   {{"push"}, "push", true},
	{{"web", "push"}, "push", true}, {{"push"}, "web", false}, {{"push"}, "pushed", false},
	{{"push"}, "Push", false},	 {{"push"}, "", false},
};

START_TEST(a_pipeline_comes_from_an_allowed_source)
{
	struct auth_settings settings = {.pipeline_source_allowlist = list_of(SOURCES[_i].allowed)};
	struct error err;
	ck_assert_int_eq(policy_check_source(&settings, SOURCES[_i].source, &err),
			 SOURCES[_i].admitted ? 0 : -1);
	if (!SOURCES[_i].admitted)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
}
END_TEST

/*
 * All combinations of being in each list, of each list being there, and of the group being the
 * account's primary or a supplementary one. A list that is there and does not have the account
 * has another name. Who is right is said here in other words than in the program.
 */
enum { USER_BLOCK, USER_ALLOW, GROUP_BLOCK, GROUP_ALLOW, LISTS };
enum { ABSENT, OTHER, LISTED, STATES };

static bool should_be_admitted(const int *state)
{
	bool restricted = state[USER_ALLOW] != ABSENT || state[GROUP_ALLOW] != ABSENT;
	return state[USER_BLOCK] != LISTED &&
	       (state[USER_ALLOW] == LISTED ||
		(state[GROUP_BLOCK] != LISTED && (state[GROUP_ALLOW] == LISTED || !restricted)));
}

START_TEST(the_four_lists_have_their_order)
{
	static const char *const users[] = {[OTHER] = "another", [LISTED] = "usr"};
	/* The groups 1, 2 and 3, under the names that Linux has for them. */
	static const char *const blocked[] = {[OTHER] = "sys", [LISTED] = "daemon"};
	static const char *const allowed[] = {[OTHER] = "sys", [LISTED] = "bin"};
	const char *names[LISTS][3] = {{NULL}};
	struct error err;
	gid_t groups[3] = {100, 1, 2};
	int state[LISTS];
	int number = _i / 3;
	/* daemon or bin as the primary group, and the others behind it; 100 first: neither. */
	gid_t primary = groups[_i % 3];
	groups[_i % 3] = groups[0];
	groups[0] = primary;

	for (int list = 0; list < LISTS; list++, number /= STATES) {
		const char *const *choice = list <= USER_ALLOW	  ? users
					    : list == GROUP_BLOCK ? blocked
								  : allowed;
		state[list] = number % STATES;
		names[list][0] = state[list] == ABSENT ? NULL : "tty";
		names[list][1] = state[list] == ABSENT ? NULL : choice[state[list]];
	}
	struct auth_settings settings = {
		.user_blocklist = list_of(names[USER_BLOCK]),
		.user_allowlist = list_of(names[USER_ALLOW]),
		.groups_blocklist = list_of(names[GROUP_BLOCK]),
		.groups_allowlist = list_of(names[GROUP_ALLOW]),
	};
	int result = policy_check_lists(&settings, "usr", groups, 3, &err);
	ck_assert_msg(result == (should_be_admitted(state) ? 0 : -1),
		      "blocked user %d, allowed %d, blocked group %d, allowed %d: %s",
		      state[USER_BLOCK], state[USER_ALLOW], state[GROUP_BLOCK], state[GROUP_ALLOW],
		      result == 0 ? "admitted" : err.detail);
	if (result != 0)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_int_eq(policy_needs_account(&settings), state[USER_BLOCK] != ABSENT ||
								  state[GROUP_BLOCK] != ABSENT ||
								  state[GROUP_ALLOW] != ABSENT);
}
END_TEST

START_TEST(without_downscoping_the_service_account_has_the_jobs)
{
	struct auth_settings settings = {.downscope = DOWNSCOPE_NONE, .min_uid = MIN_UID};
	struct error err;
	struct account root = account_with(0, "/bin/bash");
	ck_assert_int_eq(policy_check_account(&settings, &SERVICE, &SERVICE, &err), 0);
	ck_assert_int_eq(policy_check_account(&settings, &root, &root, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
}
END_TEST

START_TEST(any_rule_about_people_needs_a_token)
{
	char *name = (char *)"x";
	struct string_list one = {.items = &name, .count = 1};
	struct settings settings = {.auth.downscope = DOWNSCOPE_NONE};
	struct string_list *const lists[] = {
		&settings.auth.user_allowlist,
		&settings.auth.user_blocklist,
		&settings.auth.groups_allowlist,
		&settings.auth.groups_blocklist,
		&settings.auth.pipeline_source_allowlist,
	};

	ck_assert(!policy_needs_token(&settings));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		*lists[i] = one;
		ck_assert_msg(policy_needs_token(&settings), "list %zu", i);
		*lists[i] = (struct string_list){.count = 0};
	}
	settings.auth.runas.validation_script = name;
	ck_assert(policy_needs_token(&settings));
	settings.auth.runas.validation_script = NULL;
	settings.general.jwt_required_aud = name;
	ck_assert(policy_needs_token(&settings));
	settings.general.jwt_required_aud = NULL;
	ck_assert(!policy_needs_token(&settings));
	settings.auth.downscope = DOWNSCOPE_SETUID;
	ck_assert(policy_needs_token(&settings));
	settings.auth.downscope = DOWNSCOPE_SUDO;
	ck_assert(policy_needs_token(&settings));
	settings.auth.downscope = DOWNSCOPE_UNSET;
	ck_assert(policy_needs_token(&settings));
}
END_TEST

Suite *policy_suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");

	tcase_add_loop_test(tcase, an_account_is_held_against_the_rules, 0, ROWS(ACCOUNTS));
	tcase_add_loop_test(tcase, bots_get_no_job_unless_they_may, 0, ROWS(LOGINS));
	tcase_add_loop_test(tcase, a_pipeline_comes_from_an_allowed_source, 0, ROWS(SOURCES));
	tcase_add_test(tcase, an_unknown_group_admits_nobody);
	tcase_add_loop_test(tcase, the_four_lists_have_their_order, 0,
			    STATES * STATES * STATES * STATES * 3);
	tcase_add_test(tcase, without_downscoping_the_service_account_has_the_jobs);
	tcase_add_test(tcase, any_rule_about_people_needs_a_token);
	suite_add_tcase(suite, tcase);
	return suite;
}
