/*
 * Names of accounts, and their entries in this system's passwd.
 */
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/account.h"
#include "t/unit/suites.h"

#define SIXTEEN "abcdefghijklmnop"

enum form {
	LOGIN, /* and a valid account's name */
	NAME,  /* only a valid account's name */
	NONE,
};

static const struct {
	const char *name;
	enum form form;
} NAMES[] = {
	{"usr", LOGIN},
	{"a", LOGIN},
	{"A.b_c-d", LOGIN},
	{"0a", LOGIN},
	{"1000x", LOGIN},
	{".a", LOGIN},
	{SIXTEEN SIXTEEN SIXTEEN SIXTEEN, LOGIN},
	{SIXTEEN SIXTEEN SIXTEEN SIXTEEN "q", NONE},
	{"kim@ad.example", NAME},
	{"kim@AD", NAME},
	{"AD\\kim", NAME},
	{"ad.example\\k.im-2", NAME},
	{"a@" SIXTEEN SIXTEEN SIXTEEN "abcdefghijklmn", NAME},
	{"a@" SIXTEEN SIXTEEN SIXTEEN "abcdefghijklmno", NONE},
	{"@", NONE},
	{"\\", NONE},
	{"kim@", NONE},
	{"@ad.example", NONE},
	{"AD\\", NONE},
	{"\\kim", NONE},
	{"kim@ad@example", NONE},
	{"AD\\kim@ad.example", NONE},
	{"AD\\\\kim", NONE},
	{"kim@ad\\x", NONE},
	{"-kim@ad.example", NONE},
	{"-u\\kim", NONE},
	{"AD\\-kim", NONE},
	{"kim@-ad", NONE},
	{"kim@.ad", NONE},
	{"..\\kim", NONE},
	{"1000@ad.example", NONE},
	{"AD\\0", NONE},
	{"kim@ad/example", NONE},
	{"kim@ad example", NONE},
	{"AD/kim", NONE},
	{"AD+kim", NONE},
	{"", NONE},
	{"0", NONE},
	{"1000", NONE},
	{"-u", NONE},
	{"--", NONE},
	{"a b", NONE},
	{"a/b", NONE},
	{"a:b", NONE},
	{"a$", NONE},
	{"a%b", NONE},
	{"a\n", NONE},
	{"\xc3\xa9", NONE},
	{"a;id", NONE},
};

START_TEST(only_plain_names_are_names_of_accounts)
{
	struct account account;
	struct error err;
	ck_assert_int_eq(account_login_is_valid(NAMES[_i].name), NAMES[_i].form == LOGIN);
	ck_assert_int_eq(account_name_is_valid(NAMES[_i].name), NAMES[_i].form != NONE);
	if (NAMES[_i].form != NONE)
		return;
	ck_assert_int_eq(account_by_name(NAMES[_i].name, &account, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
}
END_TEST

START_TEST(a_directory_is_named_without_a_backslash)
{
	char name[ACCOUNT_NAME_SIZE];
	account_directory_name("AD\\kim", name);
	ck_assert_str_eq(name, "AD+kim");
	account_directory_name("kim@ad.example", name);
	ck_assert_str_eq(name, "kim@ad.example");
}
END_TEST

START_TEST(an_account_is_found_by_its_name)
{
	struct account account;
	struct error err;
	ck_assert_int_eq(account_by_name("root", &account, &err), 0);
	ck_assert_str_eq(account.name, "root");
	ck_assert_uint_eq(account.uid, 0);
	ck_assert_uint_eq(account.gid, 0);
	ck_assert_int_eq(account.home[0], '/');
	ck_assert_int_eq(account.shell[0], '/');

	const struct passwd *nobody = getpwnam("nobody");
	if (nobody == NULL)
		return;
	uid_t uid = nobody->pw_uid;
	ck_assert_int_eq(account_by_name("nobody", &account, &err), 0);
	ck_assert_uint_eq(account.uid, uid);
	ck_assert_int_eq(account_by_uid(uid, &account, &err), 0);
	ck_assert_uint_eq(account.uid, uid);
}
END_TEST

START_TEST(an_account_that_nobody_has_is_denied)
{
	struct account account;
	struct error err;
	ck_assert_int_eq(account_by_name("no-such.account_here", &account, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "there is no local account 'no-such.account_here': getent "
				     "passwd 'no-such.account_here' must find it");
}
END_TEST

START_TEST(the_account_of_the_process_is_that_of_its_uid)
{
	struct account account;
	struct error err = {.detail = ""};
	const struct passwd *own = getpwuid(geteuid());
	if (own == NULL) {
		ck_assert_int_eq(account_of_process(&account, &err), -1);
		ck_assert_int_eq(err.kind, ERROR_SYSTEM);
		return;
	}
	char name[ACCOUNT_NAME_SIZE] = "";
	strncat(name, own->pw_name, sizeof(name) - 1);
	ck_assert_int_eq(account_of_process(&account, &err), 0);
	ck_assert_uint_eq(account.uid, geteuid());
	ck_assert_str_eq(account.name, name);
}
END_TEST

START_TEST(groups_are_in_order_and_have_the_primary_one)
{
	struct account_groups groups = {.count = 5, .gids = {7, 3, 7, 4294967294, 0}};
	const struct account account = {.name = "root", .gid = 54321};
	struct error err;
	account_groups_sort(&groups);
	ck_assert_uint_eq(groups.count, 4);
	ck_assert_uint_eq(groups.gids[0], 0);
	ck_assert_uint_eq(groups.gids[3], 4294967294);
	ck_assert(account_groups_have(&groups, 7) && !account_groups_have(&groups, 5));

	ck_assert_int_eq(account_groups(&account, &groups, &err), 0);
	ck_assert(account_groups_have(&groups, 54321));
	for (size_t i = 1; i < groups.count; i++)
		ck_assert_uint_lt(groups.gids[i - 1], groups.gids[i]);
}
END_TEST

START_TEST(a_group_that_nobody_has_is_no_failure)
{
	struct account_group group;
	struct error err;
	ck_assert_int_eq(account_group_by_name("no-such.group_here", "root", &group, &err), 1);
	ck_assert_int_eq(account_group_by_gid(0, NULL, &group, &err), 0);
	ck_assert(group.gid == 0 && strcmp(group.name, "root") == 0 && !group.has_member);
}
END_TEST

Suite *account_suite(void)
{
	Suite *suite = suite_create("account");
	TCase *tcase = tcase_create("account");

	tcase_add_loop_test(tcase, only_plain_names_are_names_of_accounts, 0, ROWS(NAMES));
	tcase_add_test(tcase, a_directory_is_named_without_a_backslash);
	tcase_add_test(tcase, an_account_is_found_by_its_name);
	tcase_add_test(tcase, an_account_that_nobody_has_is_denied);
	tcase_add_test(tcase, the_account_of_the_process_is_that_of_its_uid);
	tcase_add_test(tcase, groups_are_in_order_and_have_the_primary_one);
	tcase_add_test(tcase, a_group_that_nobody_has_is_no_failure);
	suite_add_tcase(suite, tcase);
	return suite;
}
