/*
 * What root refuses to make. That it makes the rest needs a place that is root's from the top
 * down, which no directory of these tests is: t/e2e has it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/privilege/downscope.h"
#include "core/stage/root_directory.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path place;
static struct test_header made;
static struct path base;

static void setup(void)
{
	place = scratch_make();
	test_header_init(&made, place.text);
	ck_assert_int_eq(chmod(place.text, 0755), 0);
	base = path_of("%s/usr", place.text);
	made.header.state.base = base.text;
}

static void teardown(void)
{
	test_header_free(&made);
}

/* In a child, since it gives up privilege; the argument is part of what it says. */
static void refuse(const void *argument)
{
	struct error err = {.detail = ""};
	struct stat found;
	child_require(privilege_reserve(&err) == 0);
	child_require(root_directory_make(&made.header.state, &err) == -1);
	if (strstr(err.detail, argument) == NULL)
		dprintf(STDERR_FILENO, "'%s'\n", err.detail);
	child_require(strstr(err.detail, argument) != NULL);
	child_require(lstat(base.text, &found) == -1);
	child_require((process_status("CapPrm", 16) & 1) == 0);
}

START_TEST(nothing_is_made_where_others_can_write)
{
	ck_assert_int_eq(chmod(place.text, 01777), 0);
	ck_assert_int_eq(process_run(refuse, "is writable by group or others"), 0);
	ck_assert_int_eq(chmod(place.text, 0775), 0);
	ck_assert_int_eq(process_run(refuse, "is writable by group or others"), 0);
}
END_TEST

START_TEST(nothing_is_made_in_a_directory_of_another_account)
{
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(chown(place.text, 65534, 65534), 0);
	ck_assert_int_eq(process_run(refuse, "is owned by uid 65534"), 0);
}
END_TEST

START_TEST(nothing_is_made_where_nothing_is)
{
	base = path_of("%s/missing/usr", place.text);
	made.header.state.base = base.text;
	ck_assert_int_eq(process_run(refuse, "cannot find"), 0);
}
END_TEST

static const char *const BASES[] = {"/usr2", "/us", "/.jacamar-ci", "/.", "/..", "/usr/", "/"};

START_TEST(nothing_is_made_under_another_name_than_the_users)
{
	base = path_of("%s%s", place.text, BASES[_i]);
	made.header.state.base = base.text;
	struct error err;
	ck_assert_int_eq(root_directory_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "root does not create the directory"));
}
END_TEST

START_TEST(an_account_whose_name_is_no_directorys_has_none)
{
	struct error err;
	strcpy(made.header.state.account.name, "..");
	base = path_of("%s/..", place.text);
	made.header.state.base = base.text;
	ck_assert_int_eq(root_directory_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "root does not create the directory"));
}
END_TEST

/* It is refused for where it would be, and not for its name. */
START_TEST(the_directory_of_an_account_of_a_domain_has_a_plus_sign)
{
	strcpy(made.header.state.account.name, "AD\\usr");
	base = path_of("%s/AD+usr", place.text);
	made.header.state.base = base.text;
	ck_assert_int_eq(chmod(place.text, 01777), 0);
	ck_assert_int_eq(process_run(refuse, "is writable by group or others"), 0);
}
END_TEST

Suite *root_directory_suite(void)
{
	Suite *suite = suite_create("root_directory");
	TCase *tcase = tcase_create("root_directory");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nothing_is_made_where_others_can_write);
	tcase_add_test(tcase, nothing_is_made_in_a_directory_of_another_account);
	tcase_add_test(tcase, nothing_is_made_where_nothing_is);
	tcase_add_loop_test(tcase, nothing_is_made_under_another_name_than_the_users, 0,
			    ROWS(BASES));
	tcase_add_test(tcase, an_account_whose_name_is_no_directorys_has_none);
	tcase_add_test(tcase, the_directory_of_an_account_of_a_domain_has_a_plus_sign);
	suite_add_tcase(suite, tcase);
	return suite;
}
