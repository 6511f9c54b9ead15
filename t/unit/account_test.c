/*
 * Names of accounts, and their entries in this system's passwd.
 */
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "core/account.h"
#include "t/unit/suites.h"

#define SIXTEEN "abcdefghijklmnop"

static const struct {
	const char *name;
	bool valid;
} NAMES[] = {
	{"usr", true},
	{"a", true},
	{"A.b_c-d", true},
	{"0a", true},
	{"1000x", true},
	{".a", true},
	{SIXTEEN SIXTEEN SIXTEEN SIXTEEN, true},
	{SIXTEEN SIXTEEN SIXTEEN SIXTEEN "q", false},
	{"", false},
	{"0", false},
	{"1000", false},
	{"-u", false},
	{"--", false},
	{"a b", false},
	{"a/b", false},
	{"a:b", false},
	{"a$", false},
	{"a@b", false},
	{"a\\b", false},
	{"a\n", false},
	{"\xc3\xa9", false},
	{"a;id", false},
};

START_TEST(only_plain_names_are_names_of_accounts)
{
	struct account account;
	struct error err;
	ck_assert_int_eq(account_name_is_valid(NAMES[_i].name), NAMES[_i].valid);
	if (NAMES[_i].valid)
		return;
	ck_assert_int_eq(account_by_name(NAMES[_i].name, &account, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
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

Suite *account_suite(void)
{
	Suite *suite = suite_create("account");
	TCase *tcase = tcase_create("account");

	tcase_add_loop_test(tcase, only_plain_names_are_names_of_accounts, 0, ROWS(NAMES));
	tcase_add_test(tcase, an_account_is_found_by_its_name);
	tcase_add_test(tcase, an_account_that_nobody_has_is_denied);
	tcase_add_test(tcase, the_account_of_the_process_is_that_of_its_uid);
	suite_add_tcase(suite, tcase);
	return suite;
}
