/* Removing a tree: all of it, but nothing that its links lead to. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/remove_tree.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path place;
static struct path outside;
static struct path precious;
static int parent;

static void setup(void)
{
	place = scratch_make();
	outside = path_of("%s/outside", place.text);
	precious = path_of("%s/outside/precious", place.text);
	scratch_directory(outside.text, 0750);
	scratch_write(precious.text, "precious", 0640);
	parent = open(place.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(parent, 0);
}

static void teardown(void)
{
	struct stat found;
	ck_assert_int_eq(stat(precious.text, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0640);
	ck_assert_int_eq(stat(outside.text, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0750);
	close(parent);
}

static void expect_gone(const char *path)
{
	struct stat found;
	ck_assert_int_eq(lstat(path, &found), -1);
	ck_assert_int_eq(errno, ENOENT);
}

/* "tree": directories without rights, links that lead out, and odd names. */
static struct path make_tree(void)
{
	struct path tree = path_of("%s/tree", place.text);
	scratch_directory(tree.text, 0700);
	scratch_link(outside.text, path_of("%s/link", tree.text).text);
	scratch_link("../outside/precious", path_of("%s/file", tree.text).text);
	scratch_link(".", path_of("%s/self", tree.text).text);
	scratch_write(path_of("%s/ odd\nname\xff", tree.text).text, "", 0000);
	scratch_directory(path_of("%s/closed", tree.text).text, 0700);
	scratch_directory(path_of("%s/closed/inner", tree.text).text, 0700);
	scratch_link(outside.text, path_of("%s/closed/inner/link", tree.text).text);
	ck_assert_int_eq(chmod(path_of("%s/closed/inner", tree.text).text, 0000), 0);
	ck_assert_int_eq(chmod(path_of("%s/closed", tree.text).text, 0500), 0);
	return tree;
}

START_TEST(all_of_a_tree_goes_and_no_link_is_followed)
{
	struct path tree = make_tree();
	ck_assert_msg(remove_tree(parent, "tree", -1) == 0, "%s", strerror(errno));
	expect_gone(tree.text);
	ck_assert_int_eq(remove_tree(parent, "tree", -1), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(a_link_goes_alone)
{
	scratch_link(outside.text, path_of("%s/link", place.text).text);
	ck_assert_int_eq(remove_tree(parent, "link", -1), 0);
	expect_gone(path_of("%s/link", place.text).text);
}
END_TEST

START_TEST(without_time_nothing_goes)
{
	struct path tree = make_tree();
	ck_assert_int_eq(remove_tree(parent, "tree", io_now_ms()), -1);
	ck_assert_int_eq(errno, ETIME);
	ck_assert_int_eq(access(path_of("%s/closed", tree.text).text, F_OK), 0);
	ck_assert_int_eq(remove_tree(parent, "tree", io_now_ms() + 600000), 0);
}
END_TEST

/* Directories in each other, with a file and a link in each; some let nobody change what they hold.
 */
static void make_deep(const char *path, int depth)
{
	int at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < depth; i++) {
		child_require(mkdirat(at, "d", 0700) == 0);
		child_require(symlinkat(outside.text, at, "link") == 0);
		child_require(mknodat(at, "file", S_IFREG | 0400, 0) == 0);
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		child_require(next >= 0 && fchmod(at, i % 3 == 0 ? 0500 : 0700) == 0);
		close(at);
		at = next;
	}
	close(at);
}

/* As an account that is not exempt from modes, with few descriptors. */
static void remove_deep(const void *argument)
{
	struct path tree = path_of("%s/tree", place.text);
	struct path other = path_of("%s/tree/other", place.text);
	const struct rlimit few = {.rlim_cur = 64, .rlim_max = 64};
	(void)argument;
	child_require(geteuid() != 0 || (chown(place.text, 65534, 65534) == 0 &&
					 setresuid(65534, 65534, 65534) == 0));
	child_require(setrlimit(RLIMIT_NOFILE, &few) == 0);
	child_require(mkdir(tree.text, 0700) == 0 && mkdir(other.text, 0700) == 0);
	make_deep(other.text, 300);
	/* The name to which a deep directory would be moved exists already. */
	child_require(mknod(path_of("%s/deep-0", tree.text).text, S_IFREG | 0400, 0) == 0);
	child_require(symlink(outside.text, path_of("%s/deep-1", tree.text).text) == 0);
	child_require(mkdir(path_of("%s/deep-2", tree.text).text, 0700) == 0);
	make_deep(path_of("%s/deep-2", tree.text).text, 5);
	/* No path is as long as this one. */
	make_deep(tree.text, 2500);
	int here = open(place.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child_require(remove_tree(here, "tree", -1) == 0);
}

START_TEST(no_depth_is_out_of_reach)
{
	ck_assert_int_eq(process_run(remove_deep, NULL), 0);
	expect_gone(path_of("%s/tree", place.text).text);
}
END_TEST

/* A file that may not be removed is not taken for a directory. */
static void remove_from_others(const void *argument)
{
	(void)argument;
	int here = open(place.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child_require(setresuid(65534, 65534, 65534) == 0);
	child_require(remove_tree(here, "file", -1) == -1 && errno == EPERM);
}

START_TEST(what_may_not_be_removed_is_said_so)
{
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(chmod(place.text, 01777), 0);
	scratch_write(path_of("%s/file", place.text).text, "", 0644);
	ck_assert_int_eq(process_run(remove_from_others, NULL), 0);
}
END_TEST

/* In a name space of its own, which ends with the child. */
static void remove_around_mount(const void *argument)
{
	struct path tree = make_tree();
	struct path mounted = path_of("%s/mounted", tree.text);
	(void)argument;
	scratch_directory(mounted.text, 0700);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", mounted.text, "tmpfs", 0, "mode=0755") != 0)
		_exit(2);
	/* What is mounted cannot be moved up, either; nor is what holds it to be replaced. */
	struct path other = path_of("%s/other", tree.text);
	scratch_directory(other.text, 0700);
	make_deep(other.text, 100);
	struct path taken[4];
	for (int i = 0; i < ROWS(taken); i++) {
		scratch_directory(path_of("%s/deep-%d", tree.text, i).text, 0700);
		taken[i] = path_of("%s/deep-%d/mounted", tree.text, i);
		scratch_directory(taken[i].text, 0700);
		if (mount("tmpfs", taken[i].text, "tmpfs", 0, NULL) != 0)
			_exit(2);
	}
	struct path deep[64] = {tree};
	for (int i = 1; i < ROWS(deep); i++) {
		deep[i] = path_of("%s/d", deep[i - 1].text);
		scratch_directory(deep[i].text, 0700);
		if (mount(deep[i].text, deep[i].text, NULL, MS_BIND, NULL) != 0)
			_exit(2);
	}
	scratch_write(path_of("%s/kept", mounted.text).text, "", 0600);
	/* The descriptor from before does not see the mount. */
	int here = open(place.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child_require(remove_tree(here, "tree", -1) == -1 && (errno == EXDEV || errno == EBUSY));
	child_require(access(path_of("%s/kept", mounted.text).text, F_OK) == 0);
	struct stat found;
	child_require(stat(mounted.text, &found) == 0 && (found.st_mode & 07777) == 0755);
	child_require(access(path_of("%s/closed", tree.text).text, F_OK) != 0);
	child_require(access(other.text, F_OK) != 0);
	child_require(umount(mounted.text) == 0);
	for (int i = 0; i < ROWS(taken); i++)
		child_require(umount(taken[i].text) == 0);
	for (int i = ROWS(deep); i-- > 1;)
		child_require(umount(deep[i].text) == 0);
}

START_TEST(another_file_system_is_not_entered)
{
	if (!process_is_root(__func__))
		return;
	int status = process_run(remove_around_mount, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		process_skip(__func__, "cannot mount here");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

Suite *remove_tree_suite(void)
{
	Suite *suite = suite_create("remove_tree");
	TCase *tcase = tcase_create("tree");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, all_of_a_tree_goes_and_no_link_is_followed);
	tcase_add_test(tcase, a_link_goes_alone);
	tcase_add_test(tcase, without_time_nothing_goes);
	tcase_add_test(tcase, no_depth_is_out_of_reach);
	tcase_add_test(tcase, what_may_not_be_removed_is_said_so);
	tcase_add_test(tcase, another_file_system_is_not_entered);
	suite_add_tcase(suite, tcase);
	return suite;
}
