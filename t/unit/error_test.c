/*
 * Errors: one printable line, whatever was put in.
 */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "t/unit/suites.h"

START_TEST(an_error_is_set_and_returned_in_one_step)
{
	struct error err = {.kind = ERROR_NONE};
	ck_assert_int_eq(error_set(&err, ERROR_DENIED, "%s is %d", "x", 3), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "x is 3");
}
END_TEST

START_TEST(errno_is_appended_in_words)
{
	struct error err = {.kind = ERROR_NONE};
	errno = ENOENT;
	ck_assert_int_eq(error_errno(&err, ERROR_SYSTEM, "cannot open %s", "f"), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_str_eq(err.detail, "cannot open f: No such file or directory");
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

	error_set(&said, ERROR_DENIED, "no");
	ck_assert_int_eq(error_accept(&err, &said), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "no");
	/* Neither that all is well, nor that the caller was called in a wrong way. */
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
	tcase_add_test(tcase, errno_is_appended_in_words);
	tcase_add_test(tcase, a_hostile_text_stays_one_printable_line);
	tcase_add_test(tcase, a_long_text_is_cut);
	tcase_add_test(tcase, what_another_process_says_is_only_text);
	suite_add_tcase(suite, tcase);
	return suite;
}
