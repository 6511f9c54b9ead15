/*
 * The program that is executed as the user: only root and the service account may be able to change
 * its path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/text.h"
#include "core/privilege/trusted_program.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path place;
static struct path program;

static void setup(void)
{
	place = scratch_make();
	ck_assert_int_eq(chmod(place.text, 0755), 0);
	program = path_of("%s/jacamar", place.text);
	scratch_write(program.text, "#!/bin/sh\n", 0755);
}

static bool is_fit(const char *path, struct error *err)
{
	char *resolved = trusted_program_resolve(path, PROGRAM_OF_USERS, err);
	bool fit = resolved != NULL;
	free(resolved);
	return fit;
}

/*
 * All tests' directories lie in one like /tmp, which others may write: a good path passes every
 * check but the one of what is above them.
 */
static void expect_good(const char *path)
{
	struct error err = {.detail = ""};
	if (!is_fit(path, &err))
		ck_assert_msg(strstr(err.detail, place.text) == NULL, "%s", err.detail);
}

static void expect_refused(const char *path, const char *culprit, const char *reason)
{
	struct error err = {.detail = ""};
	ck_assert(!is_fit(path, &err));
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_msg(strncmp(err.detail, culprit, strlen(culprit)) == 0 &&
			      strstr(err.detail, reason) != NULL,
		      "'%s' does not say '%s %s'", err.detail, culprit, reason);
}

START_TEST(a_program_of_the_system_is_fit)
{
	struct error err = {.detail = ""};
	ck_assert_msg(is_fit("/bin/sh", &err), "%s", err.detail);
	ck_assert_msg(is_fit("/usr/bin/env", &err), "%s", err.detail);
}
END_TEST

START_TEST(a_path_is_absolute_and_leads_somewhere)
{
	struct path missing = path_of("%s/missing", place.text);
	expect_good(program.text);
	expect_refused("bin/jacamar", "the path bin/jacamar is not absolute", "");
	expect_refused("", "the path  is not absolute", "");
	expect_refused(missing.text, "cannot find", "No such file");
}
END_TEST

START_TEST(a_program_that_others_could_write_is_refused)
{
	ck_assert_int_eq(chmod(program.text, 0775), 0);
	expect_refused(program.text, program.text, "is writable by group or others");
	ck_assert_int_eq(chmod(program.text, 0757), 0);
	expect_refused(program.text, program.text, "is writable by group or others");
}
END_TEST

START_TEST(a_directory_on_the_way_that_others_could_write_is_refused)
{
	struct path inner = path_of("%s/bin", place.text);
	struct path moved = path_of("%s/bin/jacamar", place.text);
	scratch_directory(inner.text, 0755);
	ck_assert_int_eq(rename(program.text, moved.text), 0);
	expect_good(moved.text);
	ck_assert_int_eq(chmod(inner.text, 0775), 0);
	expect_refused(moved.text, inner.text, "is writable by group or others");
	ck_assert_int_eq(chmod(inner.text, 0755), 0);
	ck_assert_int_eq(chmod(place.text, 01777), 0);
	expect_refused(moved.text, place.text, "is writable by group or others");
	/* Another spelling of the path is refused, too. */
	struct path spelled = path_of("%s/bin/../bin/./jacamar", place.text);
	expect_refused(spelled.text, place.text, "is writable by group or others");
}
END_TEST

/* The directory of this program, where it is one that the tests of links can be made in. */
static bool find_safe_place(struct path *safe)
{
	char own[SCRATCH_SIZE];
	struct error err;
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (length <= 0)
		return false;
	own[length] = '\0';
	if (!is_fit(own, &err))
		return false;
	*strrchr(own, '/') = '\0';
	*safe = path_of("%s/scratch.XXXXXX", own);
	return mkdtemp(safe->text) != NULL && chmod(safe->text, 0755) == 0;
}

/* Paths below a safe place, of which only the last parts matter. */
static const struct {
	const char *target; /* of the link "link", below the safe place unless absolute */
	const char *path;   /* what is checked, below the safe place */
	const char *leads;  /* to this file; NULL: it is refused */
} LINKS[] = {
	{"good/jacamar", "good/jacamar", "good/jacamar"},
	{"good/jacamar", "link", "good/jacamar"},
	{"good", "link/jacamar", "good/jacamar"},
	/* Whoever writes to a directory on the way chooses the program, at any link of the chain.
	 */
	{"open/loose", "link", NULL},
	{"open/loose-directory/jacamar", "link", NULL},
	{"open/jacamar", "link", NULL},
	{"open", "link/jacamar", NULL},
	{"good", "open/loose", NULL},
	{"good", "open/../link/jacamar", NULL},
	{"good", "open/loose-directory/jacamar", NULL},
	{"link", "link", NULL},
};

static void make_tree(const struct path *safe)
{
	static const char *const directories[] = {"good", "open"};
	for (size_t i = 0; i < 2; i++) {
		struct path directory = path_of("%s/%s", safe->text, directories[i]);
		struct path file = path_of("%s/jacamar", directory.text);
		scratch_directory(directory.text, i == 0 ? 0755 : 0777);
		scratch_write(file.text, "#!/bin/sh\n", 0755);
	}
	struct path loose = path_of("%s/open/loose", safe->text);
	struct path loose_directory = path_of("%s/open/loose-directory", safe->text);
	scratch_link("../good/jacamar", loose.text);
	scratch_link("../good", loose_directory.text);
}

START_TEST(a_link_leads_to_a_file_that_is_checked)
{
	struct path safe;
	struct error err = {.detail = ""};
	if (!find_safe_place(&safe)) {
		process_skip(__func__, "this program lies where others may write");
		return;
	}
	make_tree(&safe);
	struct path link = path_of("%s/link", safe.text);
	struct path path = path_of("%s/%s", safe.text, LINKS[_i].path);
	scratch_link(LINKS[_i].target, link.text);
	char *resolved = trusted_program_resolve(path.text, PROGRAM_OF_USERS, &err);
	scratch_remove(safe.text);
	if (LINKS[_i].leads == NULL) {
		ck_assert_ptr_null(resolved);
		return;
	}
	ck_assert_msg(resolved != NULL, "%s", err.detail);
	ck_assert_str_eq(resolved, path_of("%s/%s", safe.text, LINKS[_i].leads).text);
	free(resolved);
}
END_TEST

START_TEST(only_a_file_that_all_may_execute_is_a_program)
{
	struct path directory = path_of("%s/directory", place.text);
	scratch_directory(directory.text, 0755);
	ck_assert_int_eq(chmod(program.text, 0750), 0);
	struct error err;
	ck_assert(!is_fit(program.text, &err));
	ck_assert(!is_fit(directory.text, &err));
	ck_assert(!is_fit("/", &err));
	ck_assert(!is_fit("/dev/null", &err));
}
END_TEST

START_TEST(what_belongs_to_another_account_is_refused)
{
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(chown(program.text, 65534, 65534), 0);
	ck_assert_int_eq(chmod(program.text, 0755), 0);
	expect_refused(program.text, program.text, "is owned by uid 65534");
	ck_assert_int_eq(chown(program.text, 0, 0), 0);
	ck_assert_int_eq(chown(place.text, 65534, 65534), 0);
	expect_refused(program.text, place.text, "is owned by uid 65534");
	struct path link = path_of("%s/link", place.text);
	ck_assert_int_eq(chown(place.text, 0, 0), 0);
	scratch_link("/bin/sh", link.text);
	ck_assert_int_eq(lchown(link.text, 65534, 65534), 0);
	expect_refused(link.text, link.text, "is owned by uid 65534");
}
END_TEST

START_TEST(the_setting_names_the_program_or_its_directory)
{
	struct error err;
	char *path = trusted_program_find(program.text, &err);
	ck_assert_str_eq(path, program.text);
	free(path);
	path = trusted_program_find(place.text, &err);
	ck_assert_str_eq(path, program.text);
	free(path);
	path = trusted_program_find("relative", &err);
	ck_assert_str_eq(path, "relative");
	expect_refused(path, "the path relative is not absolute", "");
	free(path);
}
END_TEST

START_TEST(unchecked_it_is_only_looked_up)
{
	struct error err;
	struct path missing = path_of("%s/missing", place.text);
	ck_assert_int_eq(chmod(program.text, 0777), 0);
	char *path = trusted_program_resolve(program.text, PROGRAM_OF_SAME_ACCOUNT, &err);
	ck_assert_str_eq(path, program.text);
	free(path);
	ck_assert_ptr_null(trusted_program_resolve(missing.text, PROGRAM_OF_SAME_ACCOUNT, &err));
	ck_assert_ptr_null(trusted_program_resolve("jacamar", PROGRAM_OF_SAME_ACCOUNT, &err));
}
END_TEST

/* The program would run as another account than the job's, or than the caller. */
START_TEST(a_program_with_a_set_id_bit_is_refused)
{
	static const mode_t modes[] = {04755, 02755};
	struct path safe;
	struct error err = {.detail = ""};
	ck_assert_int_eq(chmod(program.text, modes[_i]), 0);
	ck_assert_ptr_null(trusted_program_resolve(program.text, PROGRAM_OF_SAME_ACCOUNT, &err));
	ck_assert_ptr_nonnull(strstr(err.detail, "has a set-id bit"));
	if (!find_safe_place(&safe)) {
		process_skip(__func__, "this program lies where others may write");
		return;
	}
	struct path file = path_of("%s/jacamar", safe.text);
	scratch_write(file.text, "#!/bin/sh\n", 0755);
	char *good = trusted_program_resolve(file.text, PROGRAM_OF_USERS, &err);
	bool changed = chmod(file.text, modes[_i]) == 0;
	char *refused = trusted_program_resolve(file.text, PROGRAM_OF_USERS, &err);
	char *script = trusted_program_resolve(file.text, PROGRAM_OF_SERVICE, &err);
	scratch_remove(safe.text);
	ck_assert(good != NULL && changed && refused == NULL && script != NULL);
	free(good);
	free(script);
}
END_TEST

START_TEST(without_a_setting_it_is_found_beside_this_program)
{
	struct error err;
	char *path = trusted_program_find(NULL, &err);
	const char *end = "/jacamar";
	ck_assert_ptr_nonnull(path);
	ck_assert_int_eq(path[0], '/');
	ck_assert_str_eq(path + strlen(path) - strlen(end), end);
	free(path);
}
END_TEST

Suite *trusted_program_suite(void)
{
	Suite *suite = suite_create("trusted_program");
	TCase *tcase = tcase_create("program");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_program_of_the_system_is_fit);
	tcase_add_test(tcase, a_path_is_absolute_and_leads_somewhere);
	tcase_add_test(tcase, a_program_that_others_could_write_is_refused);
	tcase_add_test(tcase, a_directory_on_the_way_that_others_could_write_is_refused);
	tcase_add_loop_test(tcase, a_link_leads_to_a_file_that_is_checked, 0, ROWS(LINKS));
	tcase_add_test(tcase, only_a_file_that_all_may_execute_is_a_program);
	tcase_add_test(tcase, what_belongs_to_another_account_is_refused);
	tcase_add_test(tcase, the_setting_names_the_program_or_its_directory);
	tcase_add_test(tcase, unchecked_it_is_only_looked_up);
	tcase_add_loop_test(tcase, a_program_with_a_set_id_bit_is_refused, 0, 2);
	tcase_add_test(tcase, without_a_setting_it_is_found_beside_this_program);
	suite_add_tcase(suite, tcase);
	return suite;
}
