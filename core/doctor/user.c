/*
 * One user: whether a job may run as that account, in which shell, and where its files would live.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/doctor/doctor.h"
#include "core/io.h"
#include "core/login_shell.h"
#include "core/policy.h"
#include "core/program.h"
#include "core/trust.h"
#include "core/workspace.h"

/* Names the key of [auth] that refuses, out of what the rule says. */
static void mend_rule(struct doctor *doctor, const char *reason)
{
	static const char *const keys[] = {"user_blocklist",   "user_allowlist", "groups_blocklist",
					   "groups_allowlist", "min_uid",	 "shell_allowlist"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strstr(reason, keys[i]) != NULL) {
			doctor_mend_key(doctor, "auth", keys[i], NULL);
			return;
		}
}

/* The rules for an account, but for that of its shell. */
static void check_rules(struct doctor *doctor, const struct account *account)
{
	const struct auth_settings *auth = &doctor->settings->auth;
	struct error err = {.detail = ""};
	char admitted[POLICY_TEXT_SIZE];
	size_t count = 0;
	cleanup_free gid_t *groups = account_groups(account, &count, &err);
	if (groups != NULL &&
	    policy_check_uid(account, &doctor->service, doctor->downscope, auth->min_uid, &err) ==
		    0 &&
	    policy_check_lists(auth, account->name, groups, count, admitted, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "user", "jobs may run as %s (uid %u)",
			   account->name, (unsigned int)account->uid);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "user", "%s", err.detail);
	mend_rule(doctor, err.detail);
}

static void check_reach(struct doctor *doctor, const struct account *account)
{
	char group[ACCOUNT_NAME_SIZE];
	struct error err = {.detail = ""};
	struct stat file;
	if (doctor->downscope != DOWNSCOPE_SETUID || doctor->service.uid == 0 ||
	    doctor->program == NULL || stat(doctor->program, &file) != 0)
		return;
	if (program_check_group(&file, doctor->program, account, &err) == 0)
		return;
	doctor_say(doctor, DOCTOR_FAIL, "user", "%s", err.detail);
	if (account_group_name(file.st_gid, group, &err) == 0)
		doctor_mend(doctor, "gpasswd -d %s %s", doctor_quote(account->name).text,
			    doctor_quote(group).text);
}

static void check_shell(struct doctor *doctor, const struct account *account)
{
	const struct settings *settings = doctor->settings;
	struct error err = {.detail = ""};
	struct stat found;
	/* Where the rules for the uid refuse, that was said. */
	if (policy_check_uid(account, &doctor->service, doctor->downscope, settings->auth.min_uid,
			     &err) == 0 &&
	    policy_check_shell(&settings->auth, account, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "shell", "%s", err.detail);
		if (settings->auth.shell_allowlist.count > 0)
			mend_rule(doctor, err.detail);
		else
			doctor_mend(doctor, "usermod -s /bin/bash %s",
				    doctor_quote(account->name).text);
		return;
	}
	const char *bash = login_shell_find(settings->general.shell_path);
	bool there = stat(bash, &found) == 0;
	if (there && S_ISREG(found.st_mode) && (doctor_permissions(&found, account) & 1) != 0) {
		doctor_say(doctor, DOCTOR_PASS, "shell", "%s is what runs the scripts of %s", bash,
			   account->name);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "shell", "%s, which runs scripts, %s", bash,
		   there ? "is no program that the user may execute" : "is not there");
	if (settings->general.shell_path != NULL)
		doctor_mend_key(doctor, "general", "shell_path", "\"/bin/bash\"");
	else
		doctor_mend(doctor, "%s install bash",
			    access("/usr/bin/apt-get", X_OK) == 0 ? "apt-get" : "dnf");
}

/* --- where its files would live --- */

/* A user's way to the base of a workspace. */
struct place {
	struct doctor *doctor;
	const struct account *account;
	const char *base;
	char *parent;
};

/* The site makes the base, which then is the user's: right in every case. */
static void mend_place(const struct place *place)
{
	doctor_mend(place->doctor, "install -d -m 0700 -o %s -g %u %s",
		    doctor_quote(place->account->name).text, (unsigned int)place->account->gid,
		    doctor_quote(place->base).text);
}

/* Each directory down to the parent must be the user's to pass. True where it is. */
static bool check_passage(const struct place *place)
{
	struct doctor *doctor = place->doctor;
	struct stat found;
	char at[ACCOUNT_PATH_SIZE * 2];
	for (const char *end = place->parent; end != NULL;) {
		end = strchr(end + 1, '/');
		size_t length = end != NULL ? (size_t)(end - place->parent) : strlen(place->parent);
		snprintf(at, sizeof(at), "%.*s", (int)length, place->parent);
		if (stat(at, &found) != 0 && errno == EACCES) {
			doctor_say(doctor, DOCTOR_SKIP, "data_dir", "%s is not for you to see", at);
			doctor_mend(doctor, "sudo -u %s ls -ld %s",
				    doctor_quote(place->account->name).text,
				    doctor_quote(place->base).text);
			return false;
		}
		if (stat(at, &found) != 0 || !S_ISDIR(found.st_mode)) {
			doctor_say(doctor, DOCTOR_FAIL, "data_dir",
				   "%s is not there, and no job makes it", at);
			mend_place(place);
			return false;
		}
		if ((doctor_permissions(&found, place->account) & 1) == 0) {
			doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s is closed to %s", at,
				   place->account->name);
			/* What another has closed is not for us to open. */
			if (found.st_uid == 0 || found.st_uid == doctor->service.uid ||
			    found.st_uid == place->account->uid)
				doctor_mend(doctor, "chmod %s+x %s",
					    found.st_uid == place->account->uid ? "u" : "a",
					    doctor_quote(at).text);
			else
				doctor_mend_key(doctor, "general", "data_dir", NULL);
			return false;
		}
	}
	return true;
}

/* One that is there must be the user's own, as each stage demands it. */
static void check_base(const struct place *place, const struct stat *found)
{
	struct doctor *doctor = place->doctor;
	struct doctor_word base = doctor_quote(place->base);
	if (!S_ISDIR(found->st_mode)) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir",
			   "%s is a link or a file, not a directory", place->base);
		doctor_mend(doctor, "mv -T %s %s.old", base.text, base.text);
	} else if (found->st_uid != place->account->uid) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s belongs to uid %u, not to %s",
			   place->base, (unsigned int)found->st_uid, place->account->name);
		/* With all that is in it. */
		doctor_mend(doctor, "mv -T %s %s.old", base.text, base.text);
	} else if ((found->st_mode & 022) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s can be written by others",
			   place->base);
		doctor_mend(doctor, "chmod go-w %s", base.text);
	} else {
		doctor_say(doctor, DOCTOR_PASS, "data_dir", "%s is there, and is %s's own",
			   place->base, place->account->name);
	}
}

/* By root, which trusts nobody else with what is above. */
static void check_made_by_root(const struct place *place)
{
	struct doctor *doctor = place->doctor;
	struct trust_fault fault;
	const struct trust_terms terms = {.what = "directories that root makes", .owner = 0};
	struct error err = {.detail = ""};
	cleanup_free char *above = trust_examine(place->parent, &terms, &fault, &err);
	doctor_say(doctor, above != NULL ? DOCTOR_PASS : DOCTOR_FAIL, "data_dir", "%s%s",
		   above != NULL ? "root will make " : "",
		   above != NULL ? place->base : err.detail);
	if (fault.entry[0] != '\0')
		doctor_mend_fault(doctor, &fault);
}

/* What is not there must be the user's to make. */
static void check_parent(const struct place *place)
{
	struct doctor *doctor = place->doctor;
	struct stat found;
	struct statvfs system;
	struct doctor_word parent = doctor_quote(place->parent);
	bool fixed = statvfs(place->parent, &system) == 0 && (system.f_flag & ST_RDONLY) != 0;
	bool open = stat(place->parent, &found) == 0 &&
		    (doctor_permissions(&found, place->account) & 3) == 3;
	/* An access control list may say more than the mode. */
	bool listed = !open && getxattr(place->parent, "system.posix_acl_access", NULL, 0) > 0;
	if (fixed) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s is mounted read-only",
			   place->parent);
		doctor_mend(doctor, "mount -o remount,rw \"$(findmnt -n -o TARGET -T %s)\"",
			    parent.text);
	} else if (open) {
		doctor_say(doctor, DOCTOR_PASS, "data_dir", "%s can make %s", place->account->name,
			   place->base);
	} else {
		doctor_say(doctor, listed ? DOCTOR_WARN : DOCTOR_FAIL, "data_dir",
			   "%s cannot make %s%s", place->account->name, place->base,
			   listed ? ", unless the list of access of what is above says so" : "");
		mend_place(place);
	}
}

static void check_place(struct place *place)
{
	const struct settings *settings = place->doctor->settings;
	struct stat found;
	bool by_root = settings->auth.root_dir_creation && place->doctor->service.uid == 0 &&
		       settings->general.data_dir[0] == '/';
	if (!check_passage(place))
		return;
	/* What only its owner can look into holds nothing of anybody else. */
	if (lstat(place->base, &found) == 0)
		check_base(place, &found);
	else if (by_root)
		check_made_by_root(place);
	else
		check_parent(place);
}

static void check_data_dir(struct doctor *doctor, const struct account *account)
{
	const char *data_dir = doctor->settings->general.data_dir;
	/* Names of any job: only the base is of interest. */
	struct workspace_names names = {
		.short_token = "short", .concurrent = "0", .project_path = "group/project"};
	struct workspace workspace;
	struct place place = {.doctor = doctor, .account = account};
	struct error err = {.detail = ""};
	if (workspace_needs_shell(data_dir)) {
		doctor_say(doctor, DOCTOR_SKIP, "data_dir",
			   "the login shell of %s says what %s is, and is not asked here",
			   account->name, data_dir);
		return;
	}
	if (workspace_plan(data_dir, account, &names, &workspace, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s", err.detail);
		doctor_mend(doctor, "install -d -m 0700 -o %s -g %u %s",
			    doctor_quote(account->name).text, (unsigned int)account->gid,
			    doctor_quote(account->home).text);
	} else {
		place.base = workspace.base;
		place.parent = strdup(workspace.base);
		char *slash = place.parent != NULL ? strrchr(place.parent, '/') : NULL;
		if (slash != NULL) {
			slash[slash == place.parent ? 1 : 0] = '\0';
			check_place(&place);
		}
		free(place.parent);
	}
	workspace_free(&workspace);
}

void doctor_check_user(struct doctor *doctor)
{
	bool none = doctor->downscope == DOWNSCOPE_NONE;
	const struct account *account = none ? &doctor->service : &doctor->account;
	struct error err = {.detail = ""};
	if (doctor->user == NULL && !none) {
		doctor_say(doctor, DOCTOR_SKIP, "user", "nobody was named whose jobs should run");
		doctor_mend(doctor, "jacamar doctor --user NAME");
		return;
	}
	if (!none && !doctor->has_account) {
		(void)account_by_name(doctor->user, &doctor->account, &err);
		doctor_say(doctor, DOCTOR_FAIL, "user", "%s", err.detail);
		doctor_mend(doctor, "useradd -m %s", doctor_quote(doctor->user).text);
		return;
	}
	if (doctor->settings == NULL) {
		doctor_say(doctor, DOCTOR_SKIP, "user", "the configuration was not read");
		return;
	}
	if (none && doctor->user != NULL && strcmp(doctor->user, account->name) != 0)
		doctor_say(doctor, DOCTOR_SKIP, "user",
			   "auth.downscope is \"none\": jobs run as %s, not as %s", account->name,
			   doctor->user);
	else
		check_rules(doctor, account);
	check_reach(doctor, account);
	check_shell(doctor, account);
	check_data_dir(doctor, account);
}
