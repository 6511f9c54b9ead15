/*
 * The cache of key sets. It lies in the account's own home, which no test may touch: each test
 * runs where that home is another directory, in a mount namespace of its own.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/identity/jwks_cache.h"
#include "core/lib/account.h"
#include "core/lib/io.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

#define CACHE "%s/.cache/jacamar-ci"

static const struct server SERVER = {.url = "https://gitlab.example.com:8443/sub_path"};

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && io_write_all(fd, text, strlen(text)) == 0;
	if (fd >= 0)
		close(fd);
	return written;
}

/* Any account can create a user namespace, if the kernel's administrator allows it. */
static bool unshare_mounts(void)
{
	char users[64];
	char groups[64];
	snprintf(users, sizeof(users), "%u %u 1", geteuid(), geteuid());
	snprintf(groups, sizeof(groups), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWNS) == 0)
		return true;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups);
}

/* In a child: covers the home; the directory that is there now. */
static void cover_home(const struct path *place)
{
	struct account account;
	struct error err;
	child_require(account_of_process(&account, &err) == 0);
	child_require(unshare_mounts());
	child_require(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0);
	child_require(mount(place->text, account.home, "none", MS_BIND, NULL) == 0);
}

static void try_to_cover(const void *argument)
{
	struct account account;
	struct error err;
	(void)argument;
	_exit(account_of_process(&account, &err) == 0 && access(account.home, F_OK) == 0 &&
			      unshare_mounts() &&
			      mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0
		      ? 0
		      : 1);
}

static void run_covered(const char *test, void (*body)(const void *))
{
	if (process_run(try_to_cover, NULL) != 0) {
		process_skip(test, "needs a home and a mount namespace");
		return;
	}
	struct path place = scratch_make();
	ck_assert_int_eq(process_run(body, &place), 0);
}

static bool store(const struct server *server, const char *text)
{
	struct error err;
	return jwks_cache_store(server, text, strlen(text), &err) == 0;
}

/* Reads a kept set; false where there is none. */
static bool is_kept(const struct server *server, const char *text)
{
	char bytes[64] = "";
	int64_t age = -1;
	int fd = jwks_cache_open(server, &age);
	if (fd < 0)
		return false;
	ssize_t size = io_read_full(fd, bytes, sizeof(bytes) - 1);
	close(fd);
	child_require(size >= 0 && strcmp(bytes, text) == 0);
	return true;
}

static struct path only_file(const struct path *place)
{
	/* The server's URL, encoded so that no two servers have the same file. */
	return path_of(CACHE "/https_3a_2f_2fgitlab.example.com_3a8443_2fsub_5fpath.json",
		       place->text);
}

static void keep_and_open(const void *argument)
{
	const struct path *place = argument;
	struct server other = {.url = "https://gitlab.example.com:8443/sub-path"};
	struct stat found;
	int64_t age = 0;
	cover_home(place);
	child_require(jwks_cache_open(&SERVER, &age) == -1);
	child_require(store(&SERVER, "first") && store(&SERVER, "second"));
	child_require(is_kept(&SERVER, "second"));
	child_require(!is_kept(&other, ""));
	child_require(store(&other, "other"));
	child_require(is_kept(&SERVER, "second") && is_kept(&other, "other"));

	struct path file = only_file(place);
	child_require(stat(file.text, &found) == 0 && (found.st_mode & 07777) == 0600);
	file = path_of(CACHE, place->text);
	child_require(stat(file.text, &found) == 0 && (found.st_mode & 07777) == 0700);
}

START_TEST(a_set_is_kept_for_its_server_alone)
{
	run_covered(__func__, keep_and_open);
}
END_TEST

static void know_the_age(const void *argument)
{
	const struct path *place = argument;
	int64_t age = 0;
	cover_home(place);
	child_require(store(&SERVER, "keys"));
	struct path file = only_file(place);
	struct timespec times[2] = {{.tv_sec = time(NULL) - 5000}, {.tv_sec = time(NULL) - 5000}};
	child_require(utimensat(AT_FDCWD, file.text, times, 0) == 0);
	int fd = jwks_cache_open(&SERVER, &age);
	child_require(fd >= 0 && age >= 5000);
	close(fd);
	times[0].tv_sec = times[1].tv_sec = time(NULL) + 5000;
	child_require(utimensat(AT_FDCWD, file.text, times, 0) == 0);
	fd = jwks_cache_open(&SERVER, &age);
	child_require(fd >= 0 && age < 0);
	close(fd);
}

START_TEST(the_age_is_that_of_the_file)
{
	run_covered(__func__, know_the_age);
}
END_TEST

static void refuse_files(const void *argument)
{
	const struct path *place = argument;
	cover_home(place);
	child_require(store(&SERVER, "keys"));
	struct path file = only_file(place);
	struct path moved = path_of("%s/moved", place->text);

	child_require(chmod(file.text, 0620) == 0 && !is_kept(&SERVER, ""));
	child_require(chmod(file.text, 0602) == 0 && !is_kept(&SERVER, ""));
	child_require(chmod(file.text, 0600) == 0 && is_kept(&SERVER, "keys"));
	child_require(rename(file.text, moved.text) == 0);
	child_require(symlink(moved.text, file.text) == 0 && !is_kept(&SERVER, ""));
	/* The next key set replaces the link, not its target. */
	child_require(store(&SERVER, "new") && is_kept(&SERVER, "new"));
	struct stat found;
	child_require(lstat(file.text, &found) == 0 && S_ISREG(found.st_mode));
	child_require(stat(moved.text, &found) == 0 && found.st_size == 4);
	child_require(unlink(file.text) == 0 && mkfifo(file.text, 0600) == 0);
	child_require(!is_kept(&SERVER, ""));
	child_require(unlink(file.text) == 0 && mkdir(file.text, 0700) == 0);
	child_require(!is_kept(&SERVER, ""));
}

START_TEST(a_file_that_others_could_write_is_not_read)
{
	run_covered(__func__, refuse_files);
}
END_TEST

static void refuse_directories(const void *argument)
{
	const struct path *place = argument;
	cover_home(place);
	child_require(store(&SERVER, "keys"));
	struct path outer = path_of("%s/.cache", place->text);
	struct path inner = path_of(CACHE, place->text);
	struct path moved = path_of("%s/moved", place->text);
	const struct path *const both[] = {&outer, &inner};
	for (size_t i = 0; i < 2; i++) {
		const char *path = both[i]->text;
		child_require(chmod(path, 0770) == 0 && !is_kept(&SERVER, ""));
		child_require(!store(&SERVER, "x") && chmod(path, 0707) == 0);
		child_require(!is_kept(&SERVER, "") && !store(&SERVER, "x"));
		child_require(chmod(path, 0755) == 0 && is_kept(&SERVER, "keys"));
		child_require(chmod(path, 0700) == 0);
		child_require(rename(path, moved.text) == 0 && symlink(moved.text, path) == 0);
		child_require(!is_kept(&SERVER, "") && !store(&SERVER, "x"));
		child_require(unlink(path) == 0 && rename(moved.text, path) == 0);
	}
	child_require(is_kept(&SERVER, "keys"));
}

START_TEST(directories_that_others_could_change_are_not_used)
{
	run_covered(__func__, refuse_directories);
}
END_TEST

static void refuse_foreign(const void *argument)
{
	const struct path *place = argument;
	cover_home(place);
	child_require(store(&SERVER, "keys"));
	struct path file = only_file(place);
	child_require(chown(file.text, 65534, 65534) == 0 && !is_kept(&SERVER, ""));
	child_require(chown(file.text, 0, 0) == 0 && is_kept(&SERVER, "keys"));
	struct path inner = path_of(CACHE, place->text);
	child_require(chown(inner.text, 65534, 65534) == 0 && !is_kept(&SERVER, ""));
}

START_TEST(what_another_account_owns_is_not_read)
{
	if (process_is_root(__func__))
		run_covered(__func__, refuse_foreign);
}
END_TEST

Suite *jwks_cache_suite(void)
{
	Suite *suite = suite_create("jwks_cache");
	TCase *tcase = tcase_create("keyset_cache");

	tcase_add_test(tcase, a_set_is_kept_for_its_server_alone);
	tcase_add_test(tcase, the_age_is_that_of_the_file);
	tcase_add_test(tcase, a_file_that_others_could_write_is_not_read);
	tcase_add_test(tcase, directories_that_others_could_change_are_not_used);
	tcase_add_test(tcase, what_another_account_owns_is_not_read);
	suite_add_tcase(suite, tcase);
	return suite;
}
