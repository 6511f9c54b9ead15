/*
 * The user's environment: a login's, and nothing of the runner's.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/protocol/environment.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

static const struct account USER = {
	.name = "usr", .uid = 1000, .gid = 1000, .home = "/home/usr", .shell = "/bin/zsh"};

static const struct string_list NOTHING;

/* What a runner's process may have. */
static void set_up(void)
{
	clearenv();
	setenv("PATH", "/home/gitlab-runner/bin", 1);
	setenv("HOME", "/home/gitlab-runner", 1);
	setenv("TMPDIR", "/tmp/custom-executor1", 1);
	setenv("CUSTOM_ENV_CI_JOB_TOKEN", "SECRET", 1);
	setenv("CUSTOM_ENV_PATH", "/evil", 1);
	setenv("JOB_RESPONSE_FILE", "/tmp/x", 1);
	setenv("JACAMAR_CI_STATE", "{}", 1);
	setenv("LD_PRELOAD", "", 1);
	setenv("BASH_ENV", "/evil", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("LANGUAGE", "de", 1);
	setenv("LC_TIME", "C", 1);
	setenv("TZ", "Europe/Berlin", 1);
	setenv("TZDIR", "/evil", 1);
	setenv("SITE", "a=b c\n", 1);
}

static const char *value_of(const json_t *environment, const char *name)
{
	size_t index;
	size_t length = strlen(name);
	json_t *entry;
	const char *value = NULL;
	json_array_foreach (environment, index, entry) {
		const char *text = json_string_value(entry);
		ck_assert_ptr_nonnull(text);
		if (strncmp(text, name, length) != 0 || text[length] != '=')
			continue;
		ck_assert_msg(value == NULL, "%s stands twice", name);
		value = text + length + 1;
	}
	return value;
}

START_TEST(a_login_and_the_services_locale)
{
	set_up();
	json_t *environment = environment_of_user(&USER, &NOTHING, &NOTHING, "0123456789abcdef");
	ck_assert_str_eq(value_of(environment, "HOME"), "/home/usr");
	ck_assert_str_eq(value_of(environment, "USER"), "usr");
	ck_assert_str_eq(value_of(environment, "LOGNAME"), "usr");
	ck_assert_str_eq(value_of(environment, "SHELL"), "/bin/zsh");
	ck_assert_str_eq(value_of(environment, "PATH"),
			 "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
	ck_assert_str_eq(value_of(environment, "LANG"), "C.UTF-8");
	ck_assert_str_eq(value_of(environment, "LC_TIME"), "C");
	ck_assert_str_eq(value_of(environment, "TZ"), "Europe/Berlin");
	ck_assert_str_eq(value_of(environment, ENVIRONMENT_COOKIE), "0123456789abcdef");
	/* And nothing else. */
	ck_assert_uint_eq(json_array_size(environment), 9);
	json_decref(environment);
}
END_TEST

START_TEST(the_administrator_can_name_more)
{
	set_up();
	const struct string_list names = STRING_LIST("SITE", "ABSENT", "CUSTOM_ENV");
	json_t *environment = environment_of_user(&USER, &names, &NOTHING, "c");
	ck_assert_str_eq(value_of(environment, "SITE"), "a=b c\n");
	ck_assert_ptr_null(value_of(environment, "ABSENT"));
	ck_assert_uint_eq(json_array_size(environment), 10);
	json_decref(environment);
}
END_TEST

START_TEST(no_name_stands_twice)
{
	set_up();
	const struct string_list names = STRING_LIST("LANG", "TZ", "SITE");
	json_t *environment = environment_of_user(&USER, &names, &NOTHING, "c");
	ck_assert_str_eq(value_of(environment, "LANG"), "C.UTF-8");
	ck_assert_str_eq(value_of(environment, "TZ"), "Europe/Berlin");
	json_decref(environment);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_do_not_cross)
{
	set_up();
	setenv("LC_CTYPE", "\xff", 1);
	json_t *environment = environment_of_user(&USER, &NOTHING, &NOTHING, "c");
	ck_assert_ptr_nonnull(environment);
	ck_assert_ptr_null(value_of(environment, "LC_CTYPE"));
	json_decref(environment);
	/* A variable that is requested by name is not silently left out. */
	setenv("SITE", "\xff", 1);
	const struct string_list names = STRING_LIST("SITE");
	ck_assert_ptr_null(environment_of_user(&USER, &names, &NOTHING, "c"));
}
END_TEST

START_TEST(a_vector_borrows_the_strings)
{
	json_t *environment = json_pack("[s, s]", "A=1", "B=");
	char **vector = environment_vector(environment);
	ck_assert_str_eq(vector[0], "A=1");
	ck_assert_str_eq(vector[1], "B=");
	ck_assert_ptr_null(vector[2]);
	free(vector);
	json_decref(environment);
	environment = json_array();
	vector = environment_vector(environment);
	ck_assert_ptr_null(vector[0]);
	free(vector);
	json_decref(environment);
}
END_TEST

static void adopt(const void *argument)
{
	json_t *environment = json_pack("[s, s]", "A=1=2", "B=");
	(void)argument;
	set_up();
	child_require(environment_adopt(environment) == 0);
	json_decref(environment);
	child_require(strcmp(getenv("A"), "1=2") == 0 && strcmp(getenv("B"), "") == 0);
	child_require(getenv("LANG") == NULL && getenv("SITE") == NULL);
	child_require(environ[0] != NULL && environ[1] != NULL && environ[2] == NULL);
}

START_TEST(an_adopted_environment_is_all_there_is)
{
	ck_assert_int_eq(process_run(adopt, NULL), 0);
}
END_TEST

/* The site's own settings replace all others, except the cookie, which they cannot set. */
START_TEST(a_setting_takes_the_place_of_what_was_there)
{
	const struct string_list names = STRING_LIST("SITE_A");
	const struct string_list settings =
		STRING_LIST("SITE_A=mine", "PATH=/opt/bin", "NEW=a=b", "PATHS=x");
	setenv("SITE_A", "service", 1);
	json_t *environment = environment_of_user(&USER, &names, &settings, "c");
	char **vector = environment_vector(environment);
	static const char *const expected[] = {"SITE_A=mine", "PATH=/opt/bin", "NEW=a=b", "PATHS=x",
					       ENVIRONMENT_COOKIE "=c"};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		size_t length = strcspn(expected[i], "=") + 1;
		size_t count = 0;
		for (char **at = vector; *at != NULL; at++) {
			if (strncmp(*at, expected[i], length) != 0)
				continue;
			ck_assert_str_eq(*at, expected[i]);
			count++;
		}
		ck_assert_msg(count == 1, "%s", expected[i]);
	}
	free(vector);
	json_decref(environment);
}
END_TEST

Suite *environment_suite(void)
{
	Suite *suite = suite_create("environment");
	TCase *tcase = tcase_create("environment");

	tcase_add_test(tcase, a_login_and_the_services_locale);
	tcase_add_test(tcase, the_administrator_can_name_more);
	tcase_add_test(tcase, no_name_stands_twice);
	tcase_add_test(tcase, bytes_that_are_not_utf8_do_not_cross);
	tcase_add_test(tcase, a_vector_borrows_the_strings);
	tcase_add_test(tcase, an_adopted_environment_is_all_there_is);
	tcase_add_test(tcase, a_setting_takes_the_place_of_what_was_there);
	suite_add_tcase(suite, tcase);
	return suite;
}
