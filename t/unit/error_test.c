/* Errors: one printable line, for any input. */
#include <errno.h>
#include <string.h>

#include "core/lib/error.h"
#include "core/lib/text.h"
#include "t/unit/suites.h"

START_TEST(an_error_is_set_and_returned_in_one_step)
{
	struct error err = {.kind = ERROR_NONE};
	ck_assert_int_eq(error_set(&err, ERROR_DENIED, "%s is %d", "x", 3), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "x is 3");
}
END_TEST

START_TEST(an_error_about_a_key_names_it)
{
	struct error err;
	ck_assert_int_eq(error_set_key(&err, "auth.min_uid", ERROR_DENIED, "uid %d", 3), -1);
	ck_assert_str_eq(err.key, "auth.min_uid");
	/* The arguments may be the error's own texts. */
	error_set_key(&err, err.key, err.kind, "%s; %s", err.detail, err.detail);
	ck_assert_str_eq(err.key, "auth.min_uid");
	ck_assert_str_eq(err.detail, "uid 3; uid 3");
	error_set(&err, ERROR_SYSTEM, "something else");
	ck_assert_str_eq(err.key, "");
	error_faked(&err, "auth.no_new_privs");
	ck_assert_str_eq(err.key, "auth.no_new_privs");
}
END_TEST

START_TEST(errno_is_appended_in_words)
{
	struct error err = {.kind = ERROR_NONE};
	errno = ENOENT;
	ck_assert_int_eq(error_errno(&err, ERROR_SYSTEM, "cannot open %s", "f"), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_str_eq(err.detail, "cannot open f: No such file or directory");
	errno = EDQUOT;
	error_errno(&err, ERROR_SYSTEM, "cannot write %s", "f");
	ck_assert_str_eq(err.detail, "cannot write f: the quota of the account or its group is "
				     "full: Disk quota exceeded");
}
END_TEST

START_TEST(a_hostile_text_stays_one_printable_line)
{
	struct error err;
	error_set(&err, ERROR_SYSTEM, "%s", "a\nb\033[31m\xff\tc\r");
	ck_assert_str_eq(err.detail, "a?b?[31m??c?");
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	char text[2 * ERROR_TEXT_SIZE];
	struct error err;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_SYSTEM, "%s", text);
	ck_assert_uint_eq(strlen(err.detail), ERROR_TEXT_SIZE - 1);
	errno = ENOENT;
	error_errno(&err, ERROR_SYSTEM, "%s", text);
	ck_assert_uint_eq(strlen(err.detail), ERROR_TEXT_SIZE - 1);
	ck_assert(text_is_printable(err.detail));
}
END_TEST

START_TEST(what_another_process_says_is_only_text)
{
	struct error said;
	struct error err;
	memset(&said, 0xff, sizeof(said));
	ck_assert_int_eq(error_accept(&err, &said), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_uint_eq(strlen(err.detail), ERROR_TEXT_SIZE - 1);
	ck_assert(text_is_printable(err.detail));
	ck_assert_uint_eq(strlen(err.key), ERROR_KEY_SIZE - 1);
	ck_assert_int_eq(err.refusal, REFUSED_HERE);

	/* It can choose between our own texts about what the job's author may know. */
	error_set_key(&said, "auth.min_uid", ERROR_DENIED, "no");
	error_notify(&said, "a text of an attacker");
	ck_assert_int_eq(error_refuse(&said, REFUSED_EXPIRED), -1);
	ck_assert_int_eq(error_accept(&err, &said), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "no");
	ck_assert_str_eq(err.key, "auth.min_uid");
	ck_assert_str_eq(err.notice, "");
	ck_assert_int_eq(err.refusal, REFUSED_EXPIRED);
	/* It can report neither success nor a wrong call of the program. */
	said.kind = ERROR_NONE;
	error_accept(&err, &said);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	said.kind = ERROR_USAGE;
	error_accept(&err, &said);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
}
END_TEST

Suite *error_suite(void)
{
	Suite *suite = suite_create("error");
	TCase *tcase = tcase_create("error");

	tcase_add_test(tcase, an_error_is_set_and_returned_in_one_step);
	tcase_add_test(tcase, an_error_about_a_key_names_it);
	tcase_add_test(tcase, errno_is_appended_in_words);
	tcase_add_test(tcase, a_hostile_text_stays_one_printable_line);
	tcase_add_test(tcase, a_long_text_is_cut);
	tcase_add_test(tcase, what_another_process_says_is_only_text);
	suite_add_tcase(suite, tcase);
	return suite;
}
