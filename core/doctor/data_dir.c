/*
 * The directory for the files of a user's jobs: the user must own it or be able to create it, and
 * no other account must be able to replace it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/writers.h"
#include "core/workspace/workspace.h"
#include "core/workspace/checked_walk.h"

/* The base of a user's workspace, and the path to it. */
struct place {
	struct doctor *doctor;
	const struct account *account;
	const char *base;
	char *parent;
};

/* A remedy begins so on a file of that owner, who could misdirect a command of root's. */
static void mend_as(struct doctor *doctor, uid_t owner)
{
	struct account account;
	struct error err;
	if (owner != 0 && account_by_uid(owner, &account, &err) == 0)
		doctor_mend(doctor, "runuser -u %s -- ", account.name);
	else if (owner != 0)
		doctor_mend(doctor, "setpriv --reuid %u --clear-groups ", (unsigned int)owner);
}

/* True if only root and the service account can change where the path leads. */
static bool is_of_site(const struct place *place, const char *path)
{
	struct secure_path_fault fault;
	struct error err;
	const struct secure_path_terms terms = {
		.what = "a directory", .owner = place->doctor->service.uid, .sticky = true};
	cleanup_free char *trusted = secure_path_examine(path, &terms, &fault, &err);
	return trusted != NULL;
}

/* root creates each missing directory, and gives the last one to the user. */
static void mend_by_site(const struct place *place, const char *above)
{
	struct doctor *doctor = place->doctor;
	const char *missing = place->parent + strlen(above);
	char at[ACCOUNT_PATH_SIZE * 2];
	if (*missing != '\0')
		doctor_mend(doctor, "mkdir -m 0755");
	for (const char *end = missing; *end != '\0';) {
		end += 1 + strcspn(end + 1, "/");
		snprintf(at, sizeof(at), "%.*s", (int)(end - place->parent), place->parent);
		doctor_mend(doctor, " %s", at);
	}
	if (*missing != '\0')
		doctor_mend(doctor, " && ");
	doctor_mend(doctor, "mkdir -m 0700 %s && chown -h %s:%u %s", place->base,
		    place->account->name, (unsigned int)place->account->gid, place->base);
}

/* The owner of the last existing directory on the path must create the base. */
static void mend_place(const struct place *place)
{
	struct stat found;
	cleanup_free char *above = strdup(place->parent);
	while (above != NULL && stat(above, &found) != 0 && strcmp(above, "/") != 0) {
		char *slash = strrchr(above, '/');
		slash[slash == above ? 1 : 0] = '\0';
	}
	if (above == NULL || stat(above, &found) != 0)
		return;
	bool own = found.st_uid == place->account->uid && found.st_uid != 0;
	if (own)
		mend_as(place->doctor, found.st_uid);
	if (own && (found.st_mode & 0300) != 0300)
		doctor_mend(place->doctor, "chmod u+wx %s", above);
	else if (own)
		doctor_mend(place->doctor, "mkdir -p -m 0700 %s", place->base);
	else if (is_of_site(place, above))
		mend_by_site(place, above);
	else
		doctor_mend_key(place->doctor, "general.data_dir", NULL);
}

static void say_closed(const struct place *place, const char *at, const struct stat *found)
{
	struct doctor *doctor = place->doctor;
	bool own = found->st_uid == place->account->uid;
	doctor_fail(doctor, "data_dir", "%s is not accessible to %s", at, place->account->name);
	/* If another account has closed the directory, doctor does not advise to open it. */
	if (own || is_of_site(place, at)) {
		mend_as(doctor, found->st_uid);
		doctor_mend(doctor, "chmod %s+x %s", own ? "u" : "a", at);
	} else {
		doctor_mend_key(doctor, "general.data_dir", NULL);
	}
}

/* An account that can rename a directory on the path can replace everything below it. */
static void say_exchange(const struct place *place, const struct secure_path_fault *fault)
{
	struct doctor *doctor = place->doctor;
	struct stat found;
	if (fault->foreign) {
		doctor_fail(doctor, "data_dir",
			    "%s is owned by uid %u and is in a directory that others can write to",
			    fault->entry, (unsigned int)fault->owner);
		doctor_mend_key(doctor, "general.data_dir", NULL);
		return;
	}
	doctor_fail(doctor, "data_dir",
		    "%s is writable by %s without the sticky bit: they could replace its contents",
		    fault->entry,
		    stat(fault->entry, &found) == 0 ? doctor_writers(found.st_mode)
						    : "other accounts");
	/* In a directory of the user, no other account needs to create files. */
	mend_as(doctor, fault->owner);
	doctor_mend(doctor, fault->owner == place->account->uid ? "chmod go-w %s" : "chmod +t %s",
		    fault->entry);
}

/* The user must be able to enter each directory down to the parent. */
static bool check_passage(const struct place *place, const char *parent)
{
	struct doctor *doctor = place->doctor;
	struct stat found;
	char at[ACCOUNT_PATH_SIZE * 2];
	for (const char *end = parent; end != NULL;) {
		end = strchr(end + 1, '/');
		size_t length = end != NULL ? (size_t)(end - parent) : strlen(parent);
		snprintf(at, sizeof(at), "%.*s", (int)length, parent);
		if (stat(at, &found) != 0 && errno == EACCES) {
			doctor_skip(doctor, "data_dir", "you have no permission to see %s", at);
			doctor_mend(doctor, "sudo -u %s ls -ld %s", place->account->name,
				    place->base);
		} else if (stat(at, &found) != 0 || !S_ISDIR(found.st_mode)) {
			doctor_fail(doctor, "data_dir",
				    "%s does not exist (jobs do not create it; is its file "
				    "system mounted?)",
				    at);
			mend_place(place);
		} else if ((doctor_permissions(&found, place->account) & 1) == 0) {
			say_closed(place, at, &found);
		} else {
			continue;
		}
		return false;
	}
	return true;
}

/*
 * The user must own a base that exists, as each stage checks. `at` is the base, or the directory to
 * which it leads as a link of the user.
 */
static void check_base(const struct place *place, const char *at, const struct stat *found)
{
	struct doctor *doctor = place->doctor;
	struct stat parent = {.st_uid = 0};
	struct error ignored;
	const char *fault = !S_ISDIR(found->st_mode) ? "is a link or a file, not a directory"
			    : found->st_uid != place->account->uid ? "is owned by another account"
								   : NULL;
	if (fault != NULL) {
		doctor_fail(doctor, "data_dir",
			    "%s %s (uid %u); it must be a directory owned by %s", at, fault,
			    (unsigned int)found->st_uid, place->account->name);
		/* mv(1) keeps the contents. */
		(void)stat(place->parent, &parent);
		mend_as(doctor, parent.st_uid);
		doctor_mend(doctor, "mv -T %s %s.old", place->base, place->base);
	} else if (writers_check(at, -1, found, place->account, &ignored) != 0) {
		doctor_fail(doctor, "data_dir", "%s is writable by %s", at,
			    doctor_writers(found->st_mode));
		mend_as(doctor, found->st_uid);
		doctor_mend(doctor, "chmod go-w %s", at);
	} else {
		doctor_pass(doctor, "data_dir", "%s exists and is owned by %s", at,
			    place->account->name);
	}
}

/* False if the base is not a link of the user. */
static bool check_link(const struct place *place)
{
	struct secure_path_fault fault;
	struct stat found;
	struct error err;
	cleanup_free char *target =
		checked_walk_follow_base(place->base, place->account, &fault, &err);
	if (target == NULL && err.detail[0] == '\0')
		return false;
	if (target != NULL && strcmp(target, "/") != 0 && lstat(target, &found) == 0) {
		check_base(place, target, &found);
	} else if (fault.entry[0] != '\0') {
		say_exchange(place, &fault);
	} else {
		doctor_fail(place->doctor, "data_dir", "%s is a link to no directory of %s",
			    place->base, place->account->name);
		mend_as(place->doctor, place->account->uid);
		doctor_mend(place->doctor, "rm %s", place->base);
	}
	return true;
}

/* root creates it, and trusts only directories that root owns. */
static void check_made_by_root(const struct place *place)
{
	struct doctor *doctor = place->doctor;
	struct secure_path_fault fault;
	const struct secure_path_terms terms = {.what = "directories that root creates",
						.owner = 0};
	struct error err = {.detail = ""};
	cleanup_free char *above = secure_path_examine(place->parent, &terms, &fault, &err);
	(void)doctor_judge(doctor, "data_dir", above != NULL, &err, "root will create %s",
			   place->base);
	if (fault.entry[0] != '\0')
		doctor_mend_fault(doctor, &fault);
	else if (above == NULL)
		mend_place(place);
}

/* The user must be able to create a base that does not exist. */
static void check_parent(const struct place *place)
{
	struct doctor *doctor = place->doctor;
	struct stat found;
	struct statvfs system;
	bool fixed = statvfs(place->parent, &system) == 0 && (system.f_flag & ST_RDONLY) != 0;
	bool open = stat(place->parent, &found) == 0 &&
		    (doctor_permissions(&found, place->account) & 3) == 3;
	/* An access control list may permit more than the mode. */
	bool listed = !open && getxattr(place->parent, "system.posix_acl_access", NULL, 0) > 0;
	if (fixed) {
		doctor_fail(doctor, "data_dir", "%s is mounted read-only", place->parent);
	} else if (open) {
		doctor_pass(doctor, "data_dir", "%s can create %s", place->account->name,
			    place->base);
	} else {
		doctor_say(doctor, listed ? DOCTOR_WARN : DOCTOR_FAIL, "data_dir",
			   "%s cannot create %s%s", place->account->name, place->base,
			   listed ? ", unless an ACL of the directory above permits it" : "");
		mend_place(place);
	}
}

static void check_place(const struct place *place)
{
	const struct settings *settings = place->doctor->settings;
	struct secure_path_fault fault;
	struct error ignored;
	struct stat found;
	cleanup_free char *resolved = realpath(place->parent, NULL);
	/* If a link is on the path, its target is another path to check. */
	if (!check_passage(place, place->parent) ||
	    (resolved != NULL && strcmp(resolved, place->parent) != 0 &&
	     !check_passage(place, resolved)))
		return;
	free(checked_walk_examine_above(place->parent, place->account, &fault, &ignored));
	if (fault.entry[0] != '\0') {
		say_exchange(place, &fault);
		return;
	}
	/* A parent that only its owner can look into has no files of other accounts. */
	if (check_link(place))
		return;
	if (lstat(place->base, &found) == 0)
		check_base(place, place->base, &found);
	else if (settings->auth.root_dir_creation && place->doctor->service.uid == 0 &&
		 settings->general.data_dir[0] == '/')
		check_made_by_root(place);
	else
		check_parent(place);
}

void doctor_check_data_dir(struct doctor *doctor, const struct account *account)
{
	const char *data_dir = doctor->settings->general.data_dir;
	/* Example names: only the base is used. */
	struct workspace_names names = {
		.short_token = "short", .concurrent = "0", .project_path = "group/project"};
	struct workspace workspace;
	struct place place = {.doctor = doctor, .account = account, .base = account->home};
	struct error err = {.detail = ""};
	if (workspace_needs_shell(data_dir)) {
		doctor_skip(doctor, "data_dir", "only the login shell of %s can expand %s",
			    account->name, data_dir);
		return;
	}
	bool is_planned = workspace_plan(data_dir, account, &names, &workspace, &err) == 0;
	if (is_planned)
		place.base = workspace.base;
	else
		doctor_fail(doctor, "data_dir", "%s", err.detail);
	place.parent = doctor_directory_of(place.base);
	if (is_planned && place.parent != NULL)
		check_place(&place);
	else if (place.parent != NULL && place.base[0] == '/')
		mend_place(&place);
	free(place.parent);
	workspace_free(&workspace);
}
