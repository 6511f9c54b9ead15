/*
 * A job's directories: the planned paths, and that no link and no other account's directory is ever
 * on the path, for any caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/workspace/workspace.h"
#include "core/workspace/workspace_directories.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
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

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	const char *short_token;
	const char *concurrent;
	bool fit;
} NAMES[] = {
	{"short", "0", true},	     {"t1_trgoC4P", "999999", true},
	{"-a", "0", true},	     {"_.-", "0", true},
	{LONG_64, "0", true},	     {LONG_64 "4", "0", false},
	{NULL, "0", false},	     {"", "0", false},
	{".", "0", false},	     {"..", "0", false},
	{".hidden", "0", false},     {"a/b", "0", false},
	{"../../etc", "0", false},   {"a b", "0", false},
	{"a\nb", "0", false},	     {"$HOME", "0", false},
	{"short", NULL, false},	     {"short", "", false},
	{"short", "1000000", false}, {"short", "-1", false},
	{"short", "+1", false},	     {"short", " 1", false},
	{"short", "1x", false},	     {"short", "..", false},
	{"short", "0/..", false},
};

START_TEST(names_of_the_jobs_author_are_checked)
{
	struct workspace_names names = {.short_token = NAMES[_i].short_token,
					.concurrent = NAMES[_i].concurrent,
					.project_path = "group/project",
					.job_id = 1};
	ck_assert_int_eq(workspace_check_names(&names, &err), NAMES[_i].fit ? 0 : -1);
}
END_TEST

#define LONG_62	  "01234567890123456789012345678901234567890123456789012345678901"
#define LONG_255  LONG_64 LONG_64 LONG_64 LONG_62 "2"
#define LONG_1023 "/" LONG_255 "/" LONG_255 "/" LONG_255 "/" LONG_64 LONG_64 LONG_64 LONG_62

static const struct {
	const char *custom;
	const char *builds_dir; /* after ~, in the home; NULL: it is refused */
} CUSTOMS[] = {
	{NULL, "/lustre/usr/builds/short/007"},
	{"/scratch", "/scratch/short/007"},
	{"/a b/..c/d..", "/a b/..c/d../short/007"},
	{"/scratch///", "/scratch/short/007"},
	{"//scratch/x", "//scratch/x/short/007"},
	{LONG_1023, LONG_1023 "/short/007"},
	{LONG_1023 "4", NULL},
	{"", NULL},
	{"/", NULL},
	{"//", NULL},
	{"scratch", NULL},
	{"./scratch", NULL},
	{"~/scratch", "~/scratch/short/007"},
	{"$HOME/a b/", "~/a b/short/007"},
	{"~", "~/short/007"},
	{"$HOME", "~/short/007"},
	{"~usr/scratch", NULL},
	{"$HOMER/scratch", NULL},
	{"${HOME}/scratch", NULL},
	{"~/../x", NULL},
	{"~/$HOME", NULL},
	{"/a/$HOME", NULL},
	{"/a/$(id)", NULL},
	{"$", NULL},
	{"..", NULL},
	{"/..", NULL},
	{"/a/../b", NULL},
	{"/a/..", NULL},
	{"/a\\b", NULL},
	{"/a/..\\..\\b", NULL},
	{"/a\nb", NULL},
	{"/a\033[2J", NULL},
	{"/\xc3\xa9", NULL},
	{" /a", NULL},
};

START_TEST(a_place_that_the_author_asks_for_is_checked)
{
	struct workspace workspace;
	struct workspace_names names = {.short_token = "short",
					.concurrent = "7",
					.custom_builds = CUSTOMS[_i].custom,
					.project_path = "group/project",
					.job_id = 1};
	const char *expected = CUSTOMS[_i].builds_dir;
	ck_assert_int_eq(workspace_check_names(&names, &err), expected != NULL ? 0 : -1);
	if (expected == NULL) {
		ck_assert_ptr_nonnull(strstr(err.detail, "CUSTOM_CI_BUILDS_DIR is '"));
		return;
	}
	ck_assert_int_eq(
		workspace_plan("/lustre", &made.header.state.account, &names, &workspace, &err), 0);
	const char *found = workspace.builds_dir;
	if (expected[0] == '~') {
		ck_assert_int_eq(strncmp(found, home.text, strlen(home.text)), 0);
		found += strlen(home.text);
		expected++;
	}
	ck_assert_str_eq(found, expected);
	/* All else stays where it is. */
	ck_assert_str_eq(workspace.cache_dir, "/lustre/usr/cache");
	ck_assert_str_eq(workspace.scripts_dir, "/lustre/usr/scripts/short/007/group/project/1");
	workspace_free(&workspace);
}
END_TEST

START_TEST(a_project_has_one_directory_whatever_its_number)
{
	struct workspace workspace;
	struct workspace_names names = {.short_token = "short",
					.concurrent = "7",
					.project_path = "group/project",
					.project_id = UINT64_MAX,
					.job_id = 1,
					.static_builds = true};
	ck_assert_int_eq(workspace_check_names(&names, &err), 0);
	ck_assert_int_eq(
		workspace_plan("/lustre", &made.header.state.account, &names, &workspace, &err), 0);
	ck_assert_str_eq(workspace.builds_dir,
			 "/lustre/usr/builds/short/project-18446744073709551615");
	ck_assert_str_eq(workspace.scripts_dir, "/lustre/usr/scripts/short/007/group/project/1");
	workspace_free(&workspace);

	names.custom_builds = "/scratch";
	ck_assert_int_eq(
		workspace_plan("/lustre", &made.header.state.account, &names, &workspace, &err), 0);
	ck_assert_str_eq(workspace.builds_dir, "/scratch/short/007");
	workspace_free(&workspace);

	names.project_id = 0;
	ck_assert_int_eq(workspace_check_names(&names, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "has the project's id"));
}
END_TEST

static const struct {
	const char *data_dir;
	const char *base; /* "~" stands for the home; NULL: refused */
} PLANS[] = {
	{"$HOME", "~/.jacamar-ci"},
	{"~", "~/.jacamar-ci"},
	{"/lustre/ci", "/lustre/ci/usr"},
	{"/", "/usr"},
};

/* GitLab Runner would take a backslash for a slash. */
START_TEST(the_base_of_an_account_of_a_domain_has_no_backslash)
{
	struct workspace workspace;
	struct workspace_names names = {
		.short_token = "short", .concurrent = "7", .project_path = "p", .job_id = 1};
	struct account *account = &made.header.state.account;
	ck_assert(snprintf(account->name, sizeof(account->name), "AD\\kim") > 0);
	ck_assert_int_eq(workspace_plan("/lustre", account, &names, &workspace, &err), 0);
	ck_assert_str_eq(workspace.base, "/lustre/AD+kim");
	ck_assert_str_eq(workspace.builds_dir, "/lustre/AD+kim/builds/short/007");
	workspace_free(&workspace);
}
END_TEST

START_TEST(a_plan_lies_in_its_base)
{
	struct workspace workspace;
	struct workspace_names names = {.short_token = "short",
					.concurrent = "7",
					.project_path = "group/sub/project",
					.job_id = 981625};
	const char *base = PLANS[_i].base;
	struct path expected =
		base[0] == '~' ? path_of("%s%s", home.text, base + 1) : path_of("%s", base);
	ck_assert_int_eq(workspace_plan(PLANS[_i].data_dir, &made.header.state.account, &names,
					&workspace, &err),
			 0);
	ck_assert_str_eq(workspace.base, expected.text);
	ck_assert_str_eq(workspace.builds_dir, path_of("%s/builds/short/007", expected.text).text);
	ck_assert_str_eq(workspace.cache_dir, path_of("%s/cache", expected.text).text);
	ck_assert_str_eq(
		workspace.scripts_dir,
		path_of("%s/scripts/short/007/group/sub/project/981625", expected.text).text);
	workspace_free(&workspace);
}
END_TEST

START_TEST(a_home_must_be_there_where_jobs_live_in_it)
{
	struct workspace workspace;
	struct workspace_names names = {
		.short_token = "short", .concurrent = "7", .project_path = "g/p", .job_id = 1};
	struct account *account = &made.header.state.account;
	static const char *const homes[] = {"", "relative", "/nonexistent/home", "/dev/null",
					    "/tmp/\n"};
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
		snprintf(account->home, sizeof(account->home), "%s", homes[i]);
		ck_assert_int_eq(workspace_plan("$HOME", account, &names, &workspace, &err), -1);
		workspace_free(&workspace);
		ck_assert_int_eq(workspace_plan("/lustre", account, &names, &workspace, &err), 0);
		workspace_free(&workspace);
	}
	/* One that the runner would look for elsewhere. */
	struct path odd = path_of("%s/AD\\kim", home.text);
	ck_assert_int_eq(mkdir(odd.text, 0755), 0);
	snprintf(account->home, sizeof(account->home), "%s", odd.text);
	ck_assert_int_eq(workspace_plan("$HOME", account, &names, &workspace, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "has a backslash"));
	workspace_free(&workspace);
}
END_TEST

static const struct {
	const char *data_dir;
	bool needs_shell;
} DATA_DIRS[] = {
	{"$HOME", false},  {"~", false},     {"/lustre", false}, {"$SCRATCH", true},
	{"$HOME/x", true}, {"$HOMES", true}, {"/a/$b", false},
};

START_TEST(a_variable_is_for_the_users_shell)
{
	ck_assert_int_eq(workspace_needs_shell(DATA_DIRS[_i].data_dir), DATA_DIRS[_i].needs_shell);
}
END_TEST

static const struct {
	const char *value;
	const char *says; /* NULL: it is fit */
} VALUES[] = {
	{"/scratch/usr", NULL},
	{"/a/..b/c..", NULL},
	{"/a b", NULL},
	{"/.a", NULL},
	{"", "X_1 is unset or empty in the login shell of usr: set it in a profile"},
	{"/", "X_1 is '/' in"},
	{"//", "is '//' in"},
	{"/.", "is '/.' in"},
	{"/./", "is '/./' in"},
	{"scratch", "is 'scratch' in"},
	{"~/scratch", "is '~/scratch' in"},
	{"/..", "is '/..' in"},
	{"/a/../b", "is '/a/../b' in"},
	{"/a/..", "is '/a/..' in"},
	{"/a\\b", "is '/a\\b' in"},
	{"/a/..\\..", "is '/a/..\\..' in"},
	{"/a\n/b", "is '/a?/b' in"},
	{"/\xc3\xa9", "X_1 is '"},
	{"/a\033[2J", "X_1 is '"},
};

START_TEST(the_value_of_a_variable_is_a_directory_by_itself)
{
	static const char *const rests[] = {"", "/tmp", "/"};
	const char *value = VALUES[_i].value;
	const struct account account = {.name = "usr"};
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		char data_dir[32];
		char wanted[64];
		snprintf(data_dir, sizeof(data_dir), "$X_1%s", rests[i]);
		snprintf(wanted, sizeof(wanted), "%s%s", value, rests[i]);
		char *got = workspace_resolve(data_dir, "general.data_dir", &account, value, &err);
		if (VALUES[_i].says == NULL)
			ck_assert_pstr_eq(got, wanted);
		else
			ck_assert_msg(got == NULL && strstr(err.detail, VALUES[_i].says) != NULL,
				      "%s", err.detail);
		free(got);
	}
}
END_TEST

static void expect_mode(const char *path, mode_t mode)
{
	struct stat found;
	ck_assert_msg(lstat(path, &found) == 0, "%s: %s", path, strerror(errno));
	ck_assert(S_ISDIR(found.st_mode));
	ck_assert_msg((found.st_mode & 07777) == mode, "%s: %o", path, found.st_mode);
}

static void expect_private(const char *path)
{
	expect_mode(path, 0700);
}

START_TEST(the_directories_are_made_private)
{
	umask(0);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	expect_private(made.base);
	expect_private(made.builds_dir);
	expect_private(made.cache_dir);
	expect_private(made.scripts_dir);
	expect_private(path_of("%s/builds", made.base).text);
	expect_private(path_of("%s/scripts/short/000/group", made.base).text);
	/* And are as good a second time. */
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
}
END_TEST

START_TEST(the_group_reads_builds_and_cache_and_no_script)
{
	made.header.state.settings.general.group_permissions = true;
	umask(0077);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	expect_mode(made.base, 0750);
	expect_mode(path_of("%s/builds", made.base).text, 0750);
	expect_mode(path_of("%s/builds/short", made.base).text, 0750);
	expect_mode(made.builds_dir, 0750);
	expect_mode(made.cache_dir, 0750);
	expect_private(path_of("%s/scripts", made.base).text);
	expect_private(path_of("%s/scripts/short/000/group/project", made.base).text);
	expect_private(made.scripts_dir);
}
END_TEST

START_TEST(a_directory_keeps_the_mode_that_it_had)
{
	umask(0077);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	ck_assert_int_eq(chmod(made.cache_dir, 0755), 0);
	made.header.state.settings.general.group_permissions = true;
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	expect_private(made.base);
	expect_private(made.builds_dir);
	expect_mode(made.cache_dir, 0755);
}
END_TEST

START_TEST(the_group_of_the_place_is_handed_on)
{
	ck_assert_int_eq(chmod(home.text, 02755), 0);
	made.header.state.settings.general.group_permissions = true;
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	expect_mode(made.base, 02750);
	expect_mode(made.builds_dir, 02750);
	expect_mode(path_of("%s/scripts", made.base).text, 02700);
}
END_TEST

/* The components of the scripts directory, from the base on down. */
static const char *const LEVELS[] = {
	"",
	"/scripts",
	"/scripts/short",
	"/scripts/short/000",
	"/scripts/short/000/group",
	"/scripts/short/000/group/project",
	"/scripts/short/000/group/project/981625",
};

/* Puts a link to a directory as good as the one that was there in its place. */
static void link_level(const char *level)
{
	struct path elsewhere = path_of("%s/elsewhere", home.text);
	ck_assert_int_eq(rename(level, elsewhere.text), 0);
	scratch_link(elsewhere.text, level);
}

START_TEST(a_link_below_the_base_is_refused)
{
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	struct path level = path_of("%s%s", made.base, LEVELS[_i]);
	link_level(level.text);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a link, not a directory"));
	ck_assert_int_eq(workspace_open_scripts(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a link, not a directory"));
}
END_TEST

START_TEST(nothing_is_made_behind_a_link)
{
	struct path builds = path_of("%s/builds", made.base);
	struct path elsewhere = path_of("%s/elsewhere", home.text);
	struct stat found;
	scratch_directory(made.base, 0700);
	scratch_directory(elsewhere.text, 0700);
	scratch_link("../elsewhere", builds.text);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	/* An empty directory has two links. */
	ck_assert_int_eq(rmdir(elsewhere.text), 0);
	ck_assert_int_eq(lstat(builds.text, &found), 0);
}
END_TEST

START_TEST(a_base_may_be_a_link_of_the_user)
{
	struct path elsewhere = path_of("%s/elsewhere", home.text);
	struct path linked = path_of("%s/linked", home.text);
	scratch_link("elsewhere", linked.text);
	scratch_link("linked", made.base);
	/* The directory is the user's to make. */
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "create the directory that it points to"));
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), 0);
	scratch_directory(elsewhere.text, 0700);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	expect_private(path_of("%s/builds/short/000", elsewhere.text).text);
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), 0);
	ck_assert_int_eq(access(made.scripts_dir, F_OK), -1);
	ck_assert_int_eq(chmod(elsewhere.text, 0707), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "elsewhere is writable by all accounts"));
	ck_assert_int_eq(unlink(linked.text), 0);
	scratch_link("/", linked.text);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a link to /"));
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(unlink(linked.text), 0);
	scratch_link("elsewhere", linked.text);
	ck_assert_int_eq(chmod(elsewhere.text, 0700), 0);
	ck_assert_int_eq(lchown(made.base, 65534, 65534), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a link, not a directory"));
	ck_assert_int_eq(lchown(made.base, 0, 0), 0);
	ck_assert_int_eq(chown(elsewhere.text, 65534, 65534), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "belongs to another account (uid 65534)"));
}
END_TEST

START_TEST(a_link_in_the_builds_and_the_cache_is_refused)
{
	static const char *const levels[] = {"/builds", "/builds/short", "/builds/short/000",
					     "/cache"};
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
		struct path level = path_of("%s%s", made.base, levels[i]);
		link_level(level.text);
		ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
		unlink(level.text);
		ck_assert_int_eq(rename(path_of("%s/elsewhere", home.text).text, level.text), 0);
	}
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
}
END_TEST

/*
 * Gives the directory that mode, and a group in which nobody(8) is. False if others cannot write,
 * because only root can give it that group, and the group of this process may have no one else.
 */
static bool share(const char *path, mode_t mode)
{
	ck_assert(geteuid() != 0 || chown(path, (uid_t)-1, 65534) == 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return geteuid() == 0 || (mode & S_IWGRP) == 0 || (mode & S_IWOTH) != 0;
}

START_TEST(a_directory_that_others_could_write_is_refused)
{
	static const mode_t modes[] = {0720, 0702, 0777, 01777, 02770};
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	struct path level = path_of("%s%s", made.base, LEVELS[_i]);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!share(level.text, modes[i]))
			continue;
		ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.detail, "is writable by "));
		ck_assert_int_eq(workspace_open_scripts(&made.header.state, &err), -1);
		ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err),
				 _i == ROWS(LEVELS) - 1 ? 0 : -1);
		if (_i == ROWS(LEVELS) - 1)
			ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	}
	ck_assert_int_eq(chmod(level.text, 0755), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
}
END_TEST

START_TEST(a_directory_of_another_account_is_refused)
{
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	struct path level = path_of("%s%s", made.base, LEVELS[_i]);
	ck_assert_int_eq(chown(level.text, 65534, 65534), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "belongs to another account (uid 65534)"));
	ck_assert_int_eq(workspace_open_scripts(&made.header.state, &err), -1);
}
END_TEST

START_TEST(a_file_in_the_place_of_a_directory_is_refused)
{
	scratch_write(made.base, "", 0600);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is a file, not a directory"));
}
END_TEST

START_TEST(a_path_outside_of_its_base_is_refused)
{
	struct state *state = &made.header.state;
	const struct path paths[] = {
		path_of("%s/elsewhere/scripts", home.text), path_of("%s-2/scripts", made.base),
		path_of("%s/../elsewhere", made.base),	    path_of("%s/scripts/..", made.base),
		path_of("%s/./scripts", made.base),
	};
	ck_assert_int_eq(workspace_make(state, &err), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		state->scripts_dir = paths[i].text;
		ck_assert_int_eq(workspace_open_scripts(state, &err), -1);
		ck_assert_int_eq(workspace_make(state, &err), -1);
	}
	struct path elsewhere = path_of("%s/elsewhere", home.text);
	ck_assert_int_eq(access(elsewhere.text, F_OK), -1);
}
END_TEST

START_TEST(what_is_above_the_base_may_be_a_link)
{
	struct path real = scratch_make();
	struct path linked = path_of("%s/linked", home.text);
	scratch_link(real.text, linked.text);
	test_header_free(&made);
	test_header_init(&made, linked.text);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	expect_private(path_of("%s/.jacamar-ci/cache", real.text).text);
}
END_TEST

/* The site's own directories, right above the base and further up. */
static const struct {
	mode_t mode;
	bool trusted;
} ABOVE[] = {
	{0755, true},	{0700, true},	{02755, true}, {01777, true}, {03770, true}, {0777, false},
	{02777, false}, {02770, false}, {0770, false}, {0720, false}, {0702, false}, {0775, false},
};

/* In all that is done below the base. */
static void expect_trust(bool trusted, const char *text)
{
	const struct state *state = &made.header.state;
	int builds = -1;
	int above = -1;
	int scripts = workspace_open_scripts(state, &err);
	ck_assert_msg((scripts >= 0) == trusted, "%s", err.detail);
	ck_assert(trusted || strstr(err.detail, text) != NULL);
	ck_assert_int_eq(workspace_make(state, &err), trusted ? 0 : -1);
	ck_assert_int_eq(workspace_open_runner_builds(state, &builds, &err), trusted ? 0 : -1);
	ck_assert_int_eq(workspace_open_above_builds(state, true, &above, &err), trusted ? 0 : -1);
	if (trusted) {
		close(scripts);
		close(builds);
		close(above);
	}
	ck_assert_int_eq(workspace_remove_scripts(state, &err), trusted ? 0 : -1);
}

START_TEST(nobody_else_can_exchange_what_is_above_the_base)
{
	struct path middle = path_of("%s/middle", home.text);
	struct path place = path_of("%s/middle/place", home.text);
	scratch_directory(middle.text, 0755);
	scratch_directory(place.text, 0755);
	test_header_free(&made);
	test_header_init(&made, place.text);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	const char *const levels[] = {place.text, middle.text};
	for (size_t i = 0; i < 2; i++) {
		struct path text = path_of("%s is writable by ", levels[i]);
		if (share(levels[i], ABOVE[_i].mode))
			expect_trust(ABOVE[_i].trusted, text.text);
		ck_assert_int_eq(chmod(levels[i], 0755), 0);
	}
}
END_TEST

START_TEST(nobody_else_can_exchange_a_link_above_the_base)
{
	struct path real = scratch_make();
	struct path shared = path_of("%s/shared", home.text);
	struct path linked = path_of("%s/shared/linked", home.text);
	scratch_directory(shared.text, 0755);
	scratch_link(real.text, linked.text);
	test_header_free(&made);
	test_header_init(&made, linked.text);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	ck_assert_int_eq(chmod(shared.text, 0777), 0);
	expect_trust(false, path_of("%s is writable by all accounts", shared.text).text);
}
END_TEST

/*
 * The owner of a directory may give places in it to others. In a directory that everyone can write,
 * nobody has given them.
 */
static const struct {
	mode_t above;
	uid_t owner_above;
	bool trusted;
} HANDED[] = {
	{0755, 0, true},      {0755, 65534, true}, {0755, 1, true},
	{01777, 65534, true}, {01777, 0, false},   {03770, 1, false},
};

START_TEST(what_others_put_into_a_place_for_all_is_refused)
{
	struct path shared = path_of("%s/shared", home.text);
	struct path place = path_of("%s/shared/place", home.text);
	struct path real = scratch_make();
	if (!process_is_root(__func__))
		return;
	for (int i = 0; i < 2; i++) {
		scratch_directory(shared.text, 0755);
		if (i == 0)
			scratch_directory(place.text, 0755);
		else
			scratch_link(real.text, place.text);
		test_header_free(&made);
		test_header_init(&made, place.text);
		ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
		ck_assert_int_eq(lchown(place.text, 65534, 65534), 0);
		ck_assert_int_eq(chown(shared.text, HANDED[_i].owner_above, 0), 0);
		ck_assert_int_eq(chmod(shared.text, HANDED[_i].above), 0);
		expect_trust(HANDED[_i].trusted,
			     path_of("%s belongs to another account (uid 65534), in a directory "
				     "that others can write to",
				     place.text)
				     .text);
		scratch_remove(shared.text);
	}
}
END_TEST

/* The builds of the test's job go to `custom`. */
static void move_builds(const char *custom)
{
	struct state *state = &made.header.state;
	ck_assert_int_lt(snprintf(made.builds_dir, sizeof(made.builds_dir), "%s/short/000", custom),
			 (int)sizeof(made.builds_dir));
	state->custom_builds = custom;
}

START_TEST(builds_are_made_where_the_author_asks_for_them)
{
	struct path custom = path_of("%s/not/yet/there", home.text);
	struct path builds = path_of("%s/builds", made.base);
	struct stat found;
	move_builds(custom.text);
	made.header.state.settings.general.group_permissions = _i != 0;
	umask(0);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	static const char *const levels[] = {"not", "not/yet", "not/yet/there",
					     "not/yet/there/short", "not/yet/there/short/000"};
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		expect_mode(path_of("%s/%s", home.text, levels[i]).text, _i == 0 ? 0700 : 0750);
	expect_private(made.scripts_dir);
	ck_assert_int_eq(lstat(builds.text, &found), -1);
	/* And are as good a second time, in a place that keeps its mode. */
	ck_assert_int_eq(chmod(custom.text, 0711), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	expect_mode(custom.text, 0711);
}
END_TEST

START_TEST(what_is_above_a_place_may_be_a_link)
{
	struct path real = scratch_make();
	struct path linked = path_of("%s/linked", home.text);
	struct path custom = path_of("%s/linked//deeper/place", home.text);
	scratch_link(real.text, linked.text);
	move_builds(custom.text);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
	expect_private(path_of("%s/deeper/place/short/000", real.text).text);
}
END_TEST

/* From the first component that is to be made on; "" is what the author has named. */
static const char *const CUSTOM_LEVELS[] = {"/way", "/way/place", "/way/place/short",
					    "/way/place/short/000"};

START_TEST(no_link_is_in_what_the_author_asks_for)
{
	struct path custom = path_of("%s/way/place", home.text);
	struct path level = path_of("%s%s", home.text, CUSTOM_LEVELS[_i]);
	struct path target = path_of("%s/elsewhere", home.text);
	move_builds(custom.text);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	link_level(level.text);
	/* What is there above the place is the site's, and the place may be the user's link. */
	ck_assert_int_eq(workspace_make(&made.header.state, &err), _i <= 1 ? 0 : -1);
	if (_i > 1)
		ck_assert_ptr_nonnull(strstr(err.detail, "is a link, not a directory"));

	/* Not there: nothing is made behind a link that leads nowhere. */
	scratch_remove(target.text);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, _i == 1 ? "create the directory that it points to"
							 : "is a link, not a"));
	ck_assert_int_eq(access(target.text, F_OK), -1);
}
END_TEST

START_TEST(nobody_else_can_exchange_what_is_above_a_place)
{
	struct path middle = path_of("%s/middle", home.text);
	struct path custom = path_of("%s/middle/not/yet/there", home.text);
	move_builds(custom.text);
	scratch_directory(middle.text, 0755);
	(void)share(middle.text, 02772);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is writable by all accounts"));
	ck_assert_int_eq(rmdir(middle.text), 0); /* nothing was made in it */
	scratch_directory(middle.text, 03770);
	ck_assert_msg(workspace_make(&made.header.state, &err) == 0, "%s", err.detail);
}
END_TEST

START_TEST(a_place_is_the_users_own)
{
	struct path custom = path_of("%s/place", home.text);
	move_builds(custom.text);
	scratch_directory(custom.text, 0700);
	(void)share(custom.text, 0772);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is writable by all accounts"));
	ck_assert_int_eq(chmod(custom.text, 01777), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(chmod(custom.text, 0755), 0);
	ck_assert_int_eq(chown(custom.text, 65534, 65534), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "belongs to another account (uid 65534)"));
	ck_assert_int_eq(rmdir(custom.text), 0);
}
END_TEST

START_TEST(a_way_with_dots_is_not_made)
{
	static const char *const dots[] = {"a/./x", "b/../x", ".", "c/."};
	for (size_t i = 0; i < sizeof(dots) / sizeof(dots[0]); i++) {
		struct path custom = path_of("%s/%s", home.text, dots[i]);
		move_builds(custom.text);
		ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.detail, "has a '."));
	}
}
END_TEST

START_TEST(builds_outside_of_their_place_are_refused)
{
	struct path custom = path_of("%s/place", home.text);
	scratch_directory(custom.text, 0700);
	made.header.state.custom_builds = custom.text; /* the builds are still in the base */
	ck_assert_int_eq(workspace_make(&made.header.state, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is not in"));
}
END_TEST

START_TEST(an_older_scripts_directory_becomes_private)
{
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	ck_assert_int_eq(chmod(made.scripts_dir, 0755), 0);
	int fd = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
	expect_private(made.scripts_dir);
}
END_TEST

START_TEST(no_scripts_are_nothing_to_remove)
{
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), 0);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), 0);
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), 0);
	ck_assert_int_eq(access(made.scripts_dir, F_OK), -1);
	/* Its neighbours stay. */
	expect_private(path_of("%s/scripts/short/000/group/project", made.base).text);
	expect_private(made.builds_dir);
}
END_TEST

/* Files and directories as a job may leave them; the links lead out of the scripts directory. */
static void fill_scripts(const char *scripts, const char *outside)
{
	scratch_write(path_of("%s/step_script.bash", scripts).text, "true\n", 0000);
	scratch_write(path_of("%s/ odd\nname\xff", scripts).text, "", 0600);
	scratch_link(outside, path_of("%s/link", scripts).text);
	scratch_link("/", path_of("%s/root", scripts).text);
	scratch_link("nowhere", path_of("%s/dangling", scripts).text);
	ck_assert_int_eq(mkfifo(path_of("%s/pipe", scripts).text, 0600), 0);
	struct path deep = path_of("%s", scripts);
	for (int i = 0; i < 40; i++) {
		deep = path_of("%s/d%d", deep.text, i);
		scratch_directory(deep.text, 0700);
		scratch_link(outside, path_of("%s/link", deep.text).text);
	}
	scratch_directory(path_of("%s/full", scripts).text, 0700);
	scratch_directory(path_of("%s/full/empty", scripts).text, 0000);
	scratch_write(path_of("%s/full/file", scripts).text, "", 0000);
	ck_assert_int_eq(chmod(path_of("%s/full", scripts).text, 0000), 0);
	ck_assert_int_eq(chmod(path_of("%s/d0", scripts).text, 0500), 0);
	ck_assert_int_eq(chmod(scripts, 0000), 0);
}

START_TEST(all_scripts_are_removed_and_no_link_is_followed)
{
	struct path outside = path_of("%s/outside", home.text);
	struct path precious = path_of("%s/outside/precious", home.text);
	struct stat found;
	scratch_directory(outside.text, 0750);
	scratch_write(precious.text, "precious", 0640);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	fill_scripts(made.scripts_dir, outside.text);

	ck_assert_msg(workspace_remove_scripts(&made.header.state, &err) == 0, "%s", err.detail);
	ck_assert_int_eq(lstat(made.scripts_dir, &found), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(stat(precious.text, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0640);
	ck_assert_int_eq(stat(outside.text, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0750);
}
END_TEST

START_TEST(a_link_in_the_place_of_the_scripts_goes_alone)
{
	struct path outside = path_of("%s/outside", home.text);
	struct path precious = path_of("%s/outside/precious", home.text);
	struct stat found;
	scratch_directory(outside.text, 0700);
	scratch_write(precious.text, "precious", 0600);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	ck_assert_int_eq(rmdir(made.scripts_dir), 0);
	scratch_link(outside.text, made.scripts_dir);
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), 0);
	ck_assert_int_eq(lstat(made.scripts_dir, &found), -1);
	ck_assert_int_eq(access(precious.text, F_OK), 0);
}
END_TEST

START_TEST(nothing_is_removed_behind_a_link)
{
	struct path kept = path_of("%s/kept", made.scripts_dir);
	ck_assert_int_eq(workspace_make(&made.header.state, &err), 0);
	scratch_write(kept.text, "", 0600);
	struct path level = path_of("%s%s", made.base, LEVELS[_i]);
	link_level(level.text);
	ck_assert_int_eq(workspace_remove_scripts(&made.header.state, &err), -1);
	ck_assert_int_eq(access(kept.text, F_OK), 0);
}
END_TEST

static TCase *plan_tests(void)
{
	TCase *tcase = tcase_create("plan");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, names_of_the_jobs_author_are_checked, 0, ROWS(NAMES));
	tcase_add_loop_test(tcase, a_place_that_the_author_asks_for_is_checked, 0, ROWS(CUSTOMS));
	tcase_add_test(tcase, a_project_has_one_directory_whatever_its_number);
	tcase_add_test(tcase, the_base_of_an_account_of_a_domain_has_no_backslash);
	tcase_add_loop_test(tcase, a_plan_lies_in_its_base, 0, ROWS(PLANS));
	tcase_add_test(tcase, a_home_must_be_there_where_jobs_live_in_it);
	tcase_add_loop_test(tcase, a_variable_is_for_the_users_shell, 0, ROWS(DATA_DIRS));
	tcase_add_loop_test(tcase, the_value_of_a_variable_is_a_directory_by_itself, 0,
			    ROWS(VALUES));
	return tcase;
}

static TCase *make_tests(void)
{
	TCase *tcase = tcase_create("make");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, the_directories_are_made_private);
	tcase_add_test(tcase, the_group_reads_builds_and_cache_and_no_script);
	tcase_add_test(tcase, a_directory_keeps_the_mode_that_it_had);
	tcase_add_test(tcase, the_group_of_the_place_is_handed_on);
	tcase_add_loop_test(tcase, a_link_below_the_base_is_refused, 1, ROWS(LEVELS));
	tcase_add_test(tcase, nothing_is_made_behind_a_link);
	tcase_add_test(tcase, a_base_may_be_a_link_of_the_user);
	tcase_add_test(tcase, a_link_in_the_builds_and_the_cache_is_refused);
	tcase_add_loop_test(tcase, a_directory_that_others_could_write_is_refused, 0, ROWS(LEVELS));
	tcase_add_loop_test(tcase, a_directory_of_another_account_is_refused, 0, ROWS(LEVELS));
	tcase_add_test(tcase, a_file_in_the_place_of_a_directory_is_refused);
	tcase_add_test(tcase, a_path_outside_of_its_base_is_refused);
	tcase_add_test(tcase, what_is_above_the_base_may_be_a_link);
	tcase_add_loop_test(tcase, nobody_else_can_exchange_what_is_above_the_base, 0, ROWS(ABOVE));
	tcase_add_test(tcase, nobody_else_can_exchange_a_link_above_the_base);
	tcase_add_loop_test(tcase, what_others_put_into_a_place_for_all_is_refused, 0,
			    ROWS(HANDED));
	tcase_add_test(tcase, an_older_scripts_directory_becomes_private);
	return tcase;
}

static TCase *custom_tests(void)
{
	TCase *tcase = tcase_create("custom");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, builds_are_made_where_the_author_asks_for_them, 0, 2);
	tcase_add_test(tcase, what_is_above_a_place_may_be_a_link);
	tcase_add_loop_test(tcase, no_link_is_in_what_the_author_asks_for, 0, ROWS(CUSTOM_LEVELS));
	tcase_add_test(tcase, nobody_else_can_exchange_what_is_above_a_place);
	tcase_add_test(tcase, a_place_is_the_users_own);
	tcase_add_test(tcase, a_way_with_dots_is_not_made);
	tcase_add_test(tcase, builds_outside_of_their_place_are_refused);
	return tcase;
}

Suite *workspace_suite(void)
{
	Suite *suite = suite_create("workspace");
	TCase *remove = tcase_create("remove");

	suite_add_tcase(suite, plan_tests());
	suite_add_tcase(suite, make_tests());
	suite_add_tcase(suite, custom_tests());
	tcase_add_checked_fixture(remove, setup, teardown);
	tcase_add_test(remove, no_scripts_are_nothing_to_remove);
	tcase_add_test(remove, all_scripts_are_removed_and_no_link_is_followed);
	tcase_add_test(remove, a_link_in_the_place_of_the_scripts_goes_alone);
	tcase_add_loop_test(remove, nothing_is_removed_behind_a_link, 1, ROWS(LEVELS) - 1);
	suite_add_tcase(suite, remove);
	return suite;
}
