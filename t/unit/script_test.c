/*
 * A sub-stage's script as a file: new, private, with exactly the bytes that came.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/workspace/script.h"
#include "core/workspace/workspace.h"
#include "core/workspace/workspace_directories.h"
#include "t/unit/header.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path home;
static struct test_header made;
static struct error err;

static void setup(void)
{
	home = scratch_make();
	test_header_init(&made, home.text);
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	test_header_free(&made);
}

static const struct {
	const char *name;
	bool valid;
} SUBSTAGES[] = {
	{"build_script", true},
	{"step_0", true},
	{"upload-artifacts", true},
	{"0123456789012345678901234567890123456789012345678901234567890123", true},
	{"01234567890123456789012345678901234567890123456789012345678901234", false},
	{"", false},
	{"..", false},
	{"a.b", false},
	{"a/b", false},
	{"../x", false},
	{"a b", false},
	{"a\n", false},
	{"\xc3\xa9", false},
	{"$(id)", false},
};

START_TEST(a_substage_is_a_plain_name)
{
	ck_assert_int_eq(script_is_substage(SUBSTAGES[_i].name), SUBSTAGES[_i].valid);
}
END_TEST

/* Receives `size` bytes of `bytes`, of which `sent` come. */
static int receive_substage(const char *substage, const char *bytes, size_t size, size_t sent,
			    struct script *script)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(io_write_all(ends[1], bytes, sent), 0);
	close(ends[1]);
	struct channel_reader reader = {.fd = ends[0]};
	made.header.script_size = size;
	int result = script_receive(&reader, &made.header, substage, script, &err);
	close(ends[0]);
	return result;
}

static int receive(const char *bytes, size_t size, size_t sent, struct script *script)
{
	return receive_substage("build_script", bytes, size, sent, script);
}

START_TEST(a_script_is_a_private_file_of_exact_bytes)
{
	static const char bytes[] = "#!/bin/bash\n\0\xff'\"$x`y`\r\n";
	struct script script;
	struct stat found;
	size_t size = 0;
	umask(0);
	ck_assert_msg(receive(bytes, sizeof(bytes), sizeof(bytes), &script) == 0, "%s", err.detail);
	struct path path = path_of("%s/build_script.bash", made.scripts_dir);
	ck_assert_str_eq(script.path, path.text);
	ck_assert_int_eq(lstat(script.path, &found), 0);
	ck_assert(S_ISREG(found.st_mode));
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	char *text = scratch_read(script.path, &size);
	ck_assert_uint_eq(size, sizeof(bytes));
	ck_assert_int_eq(memcmp(text, bytes, size), 0);
	free(text);
	ck_assert_int_eq(script_remove(&script, &err), 0);
	ck_assert_int_eq(access(script.path, F_OK), -1);
	/* A script may have removed itself. */
	ck_assert_int_eq(script_remove(&script, &err), 0);
	script_free(&script);
}
END_TEST

/* Whether the token is kept out of command lines is the site's choice, and the sub-stage's. */
START_TEST(what_closes_command_lines_goes_ahead)
{
	static const char bytes[] = "#!/bin/bash\nexit 0\n";
	static const char *const substages[] = {"get_sources", "restore_cache"};
	for (int i = 0; i < 4; i++) {
		struct script script;
		size_t size;
		const char *substage = substages[i / 2];
		made.header.state.settings.general.unrestricted_cmd_line = i % 2 == 1;
		ck_assert_int_eq(
			receive_substage(substage, bytes, strlen(bytes), strlen(bytes), &script),
			0);
		char *text = scratch_read(script.path, &size);
		size_t ahead = i == 0 ? strlen(script_prelude(substage)) : 0;
		ck_assert_uint_eq(size, ahead + strlen(bytes));
		ck_assert_int_eq(memcmp(text, script_prelude(substage), ahead), 0);
		ck_assert_str_eq(text + ahead, bytes);
		free(text);
		script_free(&script);
	}
	ck_assert_uint_gt(strlen(script_prelude("get_sources")), 0);
}
END_TEST

START_TEST(a_second_attempt_replaces_the_file_and_no_target)
{
	struct script script;
	struct path outside = path_of("%s/outside", home.text);
	struct path path = path_of("%s/build_script.bash", made.scripts_dir);
	size_t size = 0;
	scratch_write(outside.text, "precious", 0666);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	/* What stands there already: a link, another name of a file, a file. */
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			scratch_link(outside.text, path.text);
		else if (i == 1)
			ck_assert_int_eq(link(outside.text, path.text), 0);
		ck_assert_int_eq(receive("new", 3, 3, &script), 0);
		char *text = scratch_read(path.text, &size);
		ck_assert_str_eq(text, "new");
		free(text);
		text = scratch_read(outside.text, &size);
		ck_assert_str_eq(text, "precious");
		free(text);
		script_free(&script);
		if (i != 1) /* the second round's file is what the third one finds */
			ck_assert_int_eq(unlink(path.text), 0);
	}
	scratch_directory(path.text, 0700);
	ck_assert_int_eq(receive("new", 3, 3, &script), -1);
	script_free(&script);
}
END_TEST

START_TEST(no_script_is_written_where_the_directory_is_not_fit)
{
	struct script script;
	struct path outside = path_of("%s/outside", home.text);
	scratch_directory(outside.text, 0700);
	scratch_directory(made.base, 0700);
	scratch_link(outside.text, path_of("%s/scripts", made.base).text);
	ck_assert_int_eq(receive("new", 3, 3, &script), -1);
	script_free(&script);
	ck_assert_int_eq(rmdir(outside.text), 0);
}
END_TEST

START_TEST(a_script_that_comes_in_part_is_an_error)
{
	struct script script;
	ck_assert_int_eq(receive("new", 4, 3, &script), -1);
	ck_assert_str_eq(err.detail, "the runner ended this stage (cancelled, or out of time)");
	script_free(&script);
}
END_TEST

Suite *script_suite(void)
{
	Suite *suite = suite_create("script");
	TCase *tcase = tcase_create("script");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_substage_is_a_plain_name, 0, ROWS(SUBSTAGES));
	tcase_add_test(tcase, a_script_is_a_private_file_of_exact_bytes);
	tcase_add_test(tcase, what_closes_command_lines_goes_ahead);
	tcase_add_test(tcase, a_second_attempt_replaces_the_file_and_no_target);
	tcase_add_test(tcase, no_script_is_written_where_the_directory_is_not_fit);
	tcase_add_test(tcase, a_script_that_comes_in_part_is_an_error);
	suite_add_tcase(suite, tcase);
	return suite;
}
