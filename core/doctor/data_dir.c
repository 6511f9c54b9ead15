/*
 * Where the files of a user's jobs would live: whether the user has that directory, or can make it,
 * and nobody could exchange it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "core/doctor/doctor.h"
#include "core/io.h"
#include "core/trust.h"
#include "core/workspace.h"

/* A user's way to the base of a workspace. */
struct place {
	struct doctor *doctor;
	const struct account *account;
	const char *base;
	char *parent;
};

/* What goes before a command on a file of that owner, who else could lead root astray with it. */
static struct doctor_word as_owner(uid_t owner)
{
	struct doctor_word word = {.text = ""};
	struct account account;
	struct error err;
	if (owner == 0)
		return word;
	if (account_by_uid(owner, &account, &err) == 0)
		snprintf(word.text, sizeof(word.text), "runuser -u %.256s -- ",
			 doctor_quote(account.name).text);
	else
		snprintf(word.text, sizeof(word.text), "setpriv --reuid %u --clear-groups ",
			 (unsigned int)owner);
	return word;
}

/* True where root and the service account alone lead there. */
static bool is_of_site(const struct place *place, const char *path)
{
	struct trust_fault fault;
	struct error err;
	const struct trust_terms terms = {
		.what = "a directory", .owner = place->doctor->service.uid, .sticky = true};
	cleanup_free char *trusted = trust_examine(path, &terms, &fault, &err);
	return trusted != NULL;
}

/* By the site: each directory is new, or nothing goes on, and the last is given away. */
static void mend_by_site(const struct place *place, const char *above)
{
	char missing[DOCTOR_WORD_SIZE] = "";
	size_t used = 0;
	cleanup_free char *at = strdup(place->parent);
	for (char *slash = at != NULL ? at + strlen(above) : NULL; slash != NULL;) {
		slash = slash[0] != '\0' ? strchr(slash + 1, '/') : NULL;
		if (slash != NULL)
			*slash = '\0';
		if (strlen(at) > strlen(above) && used < sizeof(missing))
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, " %s",
						 doctor_quote(at).text);
		if (slash != NULL)
			*slash = '/';
	}
	struct doctor_word base = doctor_quote(place->base);
	doctor_mend(place->doctor, "%s%s%smkdir -m 0700 %s && chown -h %s:%u %s",
		    missing[0] != '\0' ? "mkdir -m 0755" : "", missing,
		    missing[0] != '\0' ? " && " : "", base.text,
		    doctor_quote(place->account->name).text, (unsigned int)place->account->gid,
		    base.text);
}

/* The base is to be made, by whoever has the directory that is there. */
static void mend_place(const struct place *place)
{
	struct stat found;
	cleanup_free char *above = strdup(place->parent);
	while (above != NULL && stat(above, &found) != 0 && strrchr(above, '/') != above)
		*strrchr(above, '/') = '\0';
	if (above == NULL || stat(above, &found) != 0)
		return;
	struct doctor_word user = as_owner(place->account->uid);
	bool own = found.st_uid == place->account->uid && found.st_uid != 0;
	if (own && (found.st_mode & 0300) != 0300)
		doctor_mend(place->doctor, "%schmod u+wx %s", user.text, doctor_quote(above).text);
	else if (own)
		doctor_mend(place->doctor, "%smkdir -p -m 0700 %s", user.text,
			    doctor_quote(place->base).text);
	else if (is_of_site(place, above))
		mend_by_site(place, above);
	else
		doctor_mend_key(place->doctor, "general", "data_dir", NULL);
}

static void say_closed(const struct place *place, const char *at, const struct stat *found)
{
	struct doctor *doctor = place->doctor;
	bool own = found->st_uid == place->account->uid;
	doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s is closed to %s", at, place->account->name);
	/* What another has closed is not for us to open. */
	if (own || is_of_site(place, at))
		doctor_mend(doctor, "%schmod %s+x %s", as_owner(found->st_uid).text,
			    own ? "u" : "a", doctor_quote(at).text);
	else
		doctor_mend_key(doctor, "general", "data_dir", NULL);
}

/* Whoever could rename what lies on the way could exchange all that is below it. */
static bool check_exchange(const struct place *place)
{
	struct doctor *doctor = place->doctor;
	struct trust_fault fault;
	struct error err = {.detail = ""};
	free(workspace_examine_way(place->parent, place->account->uid, &fault, &err));
	if (fault.entry[0] == '\0')
		return true;
	if (fault.foreign) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir",
			   "%s belongs to uid %u, who made it where others can write", fault.entry,
			   (unsigned int)fault.owner);
		doctor_mend_key(doctor, "general", "data_dir", NULL);
	} else {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir",
			   "%s can be written by others, who could exchange what is in it",
			   fault.entry);
		doctor_mend(doctor, "%schmod +t %s", as_owner(fault.owner).text,
			    doctor_quote(fault.entry).text);
	}
	return false;
}

/* Each directory down to the parent must be the user's to pass. */
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
			say_closed(place, at, &found);
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
	struct stat parent = {.st_uid = 0};
	const char *fault = !S_ISDIR(found->st_mode) ? "is a link or a file, not a directory"
			    : found->st_uid != place->account->uid ? "belongs to another account"
								   : NULL;
	if (fault != NULL) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir",
			   "%s %s (uid %u), where %s's own belongs", place->base, fault,
			   (unsigned int)found->st_uid, place->account->name);
		/* With all that is in it. */
		(void)stat(place->parent, &parent);
		doctor_mend(doctor, "%smv -T %s %s.old", as_owner(parent.st_uid).text, base.text,
			    base.text);
	} else if ((found->st_mode & 022) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s can be written by others",
			   place->base);
		doctor_mend(doctor, "%schmod go-w %s", as_owner(found->st_uid).text, base.text);
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
	else if (above == NULL)
		mend_place(place);
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
	cleanup_free char *resolved = realpath(place->parent, NULL);
	/* By a link it is another way, too. */
	if (!check_passage(place, place->parent) ||
	    (resolved != NULL && strcmp(resolved, place->parent) != 0 &&
	     !check_passage(place, resolved)) ||
	    !check_exchange(place))
		return;
	/* What only its owner can look into holds nothing of anybody else. */
	if (lstat(place->base, &found) == 0)
		check_base(place, &found);
	else if (by_root)
		check_made_by_root(place);
	else
		check_parent(place);
}

/* False where memory is short. */
static bool set_base(struct place *place, const char *base)
{
	place->base = base;
	place->parent = strdup(base);
	char *slash = place->parent != NULL ? strrchr(place->parent, '/') : NULL;
	if (slash != NULL)
		slash[slash == place->parent ? 1 : 0] = '\0';
	return slash != NULL;
}

void doctor_check_data_dir(struct doctor *doctor, const struct account *account)
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
	if (workspace_plan(data_dir, account, &names, &workspace, &err) == 0) {
		if (set_base(&place, workspace.base))
			check_place(&place);
	} else {
		doctor_say(doctor, DOCTOR_FAIL, "data_dir", "%s", err.detail);
		if (account->home[0] == '/' && set_base(&place, account->home))
			mend_place(&place);
		else
			doctor_mend(doctor, "usermod -d /home/%s %s",
				    doctor_quote(account->name).text,
				    doctor_quote(account->name).text);
	}
	free(place.parent);
	workspace_free(&workspace);
}
