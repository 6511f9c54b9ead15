/*
 * Which sudo is executed, and how.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/stage/sudo.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static const struct {
	const char *what;
	mode_t mode;
	uid_t owner;
	bool good;
} PROGRAMS[] = {
	{"root's, with the bit", 04755, 0, true}, {"for its group alone", 04710, 0, true},
	{"without the bit", 0755, 0, false},	  {"with the other bit", 02755, 0, false},
	{"of another account", 04755, 1, false},  {"its group may write it", 04775, 0, false},
	{"all may write it", 04757, 0, false},
};

START_TEST(only_roots_own_program_with_the_bit_is_sudo)
{
	struct error err;
	if (!process_is_root(__func__))
		return;
	struct path place = path_of("%s/sudo", scratch_make().text);
	const char *const places[] = {place.text, NULL};
	scratch_write(place.text, "", 0600);
	ck_assert_int_eq(chown(place.text, PROGRAMS[_i].owner, 0), 0);
	ck_assert_int_eq(chmod(place.text, PROGRAMS[_i].mode), 0);
	const char *found = sudo_find_among(places, &err);
	if (PROGRAMS[_i].good) {
		ck_assert_msg(found == place.text, "%s", PROGRAMS[_i].what);
		return;
	}
	ck_assert_msg(found == NULL, "%s", PROGRAMS[_i].what);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.detail, place.text));
}
END_TEST

START_TEST(the_first_place_that_has_it_is_taken)
{
	struct error err;
	if (!process_is_root(__func__))
		return;
	struct path directory = scratch_make();
	struct path missing = path_of("%s/missing", directory.text);
	struct path first = path_of("%s/first", directory.text);
	struct path second = path_of("%s/second", directory.text);
	const char *const places[] = {missing.text, directory.text, first.text, second.text, NULL};
	ck_assert_ptr_null(sudo_find_among(places, &err));
	scratch_write(second.text, "", 04755);
	ck_assert_ptr_eq(sudo_find_among(places, &err), second.text);
	scratch_write(first.text, "", 04755);
	ck_assert_ptr_eq(sudo_find_among(places, &err), first.text);
}
END_TEST

START_TEST(the_command_line_is_the_documented_one)
{
	static const char *const expected[] = {"sudo", "-n", "-u", "usr", "--"};
	const char *arguments[SUDO_ARGUMENTS];
	struct test_header made;
	test_header_init(&made, "/home/usr");
	ck_assert(snprintf(made.header.state.account.name, ACCOUNT_NAME_SIZE, "usr") > 0);
	sudo_arguments(&made.header.state, arguments);
	for (size_t i = 0; i < SUDO_ARGUMENTS; i++)
		ck_assert_str_eq(arguments[i], expected[i]);
	test_header_free(&made);
}
END_TEST

START_TEST(its_environment_has_nothing_of_ours)
{
	char *const *environment = sudo_environment();
	ck_assert_str_eq(environment[0], "PATH=/usr/bin:/bin");
	ck_assert_str_eq(environment[1], "LC_ALL=C");
	ck_assert_ptr_null(environment[2]);
}
END_TEST

START_TEST(a_failure_names_the_line_that_sudoers_needs)
{
	struct error err;
	struct test_header made;
	test_header_init(&made, "/home/usr");
	struct state *state = &made.header.state;
	ck_assert(snprintf(state->account.name, ACCOUNT_NAME_SIZE, "usr") > 0);
	state->jacamar = "/opt/jacamar/bin/jacamar";
	ck_assert_int_eq(sudo_explain(state, "run", 1, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.detail, "sudo ended with code 1"));
	ck_assert_ptr_nonnull(strstr(err.detail, " ALL = (usr) NOPASSWD: /opt/jacamar/bin/jacamar "
						 "--no-auth run env-script *;"));
	ck_assert_int_eq(sudo_explain(state, "prepare", 1, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "--no-auth prepare env-script;"));

	/* The account as it is, and as sudoers takes it. */
	ck_assert(snprintf(state->account.name, ACCOUNT_NAME_SIZE, "AD\\kim") > 0);
	ck_assert_int_eq(sudo_explain(state, "prepare", 1, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "before jacamar ran as AD\\kim;"));
	ck_assert_ptr_nonnull(strstr(err.detail, " ALL = (AD\\\\kim) NOPASSWD: "));
	test_header_free(&made);
}
END_TEST

Suite *sudo_suite(void)
{
	Suite *suite = suite_create("sudo");
	TCase *tcase = tcase_create("sudo");

	tcase_add_loop_test(tcase, only_roots_own_program_with_the_bit_is_sudo, 0, ROWS(PROGRAMS));
	tcase_add_test(tcase, the_first_place_that_has_it_is_taken);
	tcase_add_test(tcase, the_command_line_is_the_documented_one);
	tcase_add_test(tcase, its_environment_has_nothing_of_ours);
	tcase_add_test(tcase, a_failure_names_the_line_that_sudoers_needs);
	suite_add_tcase(suite, tcase);
	return suite;
}
