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

static const struct {
	uid_t uid;
	const char *shell;
	const char *allowed; /* the one shell of the allowlist; NULL: no list */
	const char *reason;  /* NULL: may have jobs */
} ACCOUNTS[] = {
	{1000, "/bin/bash", NULL, NULL},
	{65534, "/bin/zsh", NULL, NULL},
	{0, "/bin/bash", NULL, "usr is root, and no job runs as root"},
	{0, "/bin/bash", "/bin/bash", "usr is root, and no job runs as root"},
	{999, "/bin/bash", NULL, "usr is the service account"},
	{998, "/bin/bash", NULL, "uid 998 of usr is below auth.min_uid, 1000"},
	{1000, "/sbin/nologin", NULL, "account usr is closed: its shell is /sbin/nologin"},
	{1000, "/usr/sbin/nologin", NULL, "account usr is closed: its shell is /usr/sbin/nologin"},
	{1000, "/bin/false", NULL, "account usr is closed: its shell is /bin/false"},
	{1000, "nologin", NULL, "account usr is closed: its shell is nologin"},
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

START_TEST(bots_get_no_job)
{
	struct error err;
	ck_assert_int_eq(policy_check_login(LOGINS[_i].login, &err), LOGINS[_i].bot ? -1 : 0);
	if (LOGINS[_i].bot)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
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
	tcase_add_loop_test(tcase, bots_get_no_job, 0, ROWS(LOGINS));
	tcase_add_test(tcase, without_downscoping_the_service_account_has_the_jobs);
	tcase_add_test(tcase, any_rule_about_people_needs_a_token);
	suite_add_tcase(suite, tcase);
	return suite;
}
