/*
 * What the runner executes: whose it is, who may execute it, what it may do, and whether the kernel
 * lets it; and the program that it executes as the user.
 */
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/doctor/capabilities.h"
#include "core/doctor/doctor.h"
#include "core/io.h"
#include "core/program.h"
#include "core/trust.h"

#define SETCAP "setcap cap_setgid,cap_setuid=ep"

/* The program under examination. */
struct examined {
	struct doctor *doctor;
	const char *path; /* as the runner names it */
	char *real;	  /* the file behind that */
	struct stat file;
	struct file_capabilities capabilities;
	bool by_file; /* it changes accounts by capabilities of its file */
	bool linked;  /* `path` is a symbolic link */
	bool ours;    /* root's, and by no other name anybody else's */
};

/* The service account's own, for a command. */
static struct doctor_word group_of(const struct doctor *doctor)
{
	struct error err;
	char name[ACCOUNT_NAME_SIZE];
	if (account_group_name(doctor->service.gid, name, &err) != 0)
		snprintf(name, sizeof(name), "%u", (unsigned int)doctor->service.gid);
	return doctor_quote(name);
}

/*
 * This program's file with the two capabilities, in place of what is there: the one command that is
 * right whatever it was. Whoever holds the old file by another name is left with none.
 */
static void mend_anew(const struct examined *it)
{
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	own[length > 0 ? length : 0] = '\0';
	struct doctor_word source = doctor_quote(own);
	struct doctor_word real = doctor_quote(it->real);
	struct doctor_word path = doctor_quote(it->path);
	struct doctor_word group = group_of(it->doctor);
	bool had = it->capabilities.permitted != 0;
	doctor_mend(it->doctor,
		    "%s%s%sinstall -m 0750 -o root -g %s %s %s.new && mv -f %s.new %s && " SETCAP
		    " %s",
		    had ? "setcap -r " : "", had ? real.text : "", had ? "; " : "", group.text,
		    source.text, path.text, path.text, path.text, path.text);
}

static void check_owner(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	bool own = doctor->downscope == DOWNSCOPE_NONE && it->file.st_uid == doctor->service.uid;
	struct doctor_word real = doctor_quote(it->real);
	struct doctor_word group = group_of(doctor);
	if (it->file.st_uid != 0 && !own) {
		doctor_say(doctor, DOCTOR_FAIL, "owner", "%s belongs to uid %u, not to root",
			   it->real, (unsigned int)it->file.st_uid);
		/* What was another's may be anything. */
		if (it->by_file)
			mend_anew(it);
		else
			doctor_mend(doctor, "chown -h root %s", real.text);
		return;
	}
	if (it->by_file && program_check_group(&it->file, it->real, &doctor->service, &err) == 0) {
		doctor_say(doctor, DOCTOR_FAIL, "owner",
			   "%s is not for a group of %s to execute (gid %u, mode %04o)", it->real,
			   doctor->service.name, (unsigned int)it->file.st_gid,
			   it->file.st_mode & 07777);
		/* A change of owner takes the capabilities away. */
		if (it->ours)
			doctor_mend(doctor, "chown root:%s %s && chmod 0750 %s && " SETCAP " %s",
				    group.text, real.text, real.text, real.text);
		else
			mend_anew(it);
		return;
	}
	doctor_say(doctor, DOCTOR_PASS, "owner", "%s belongs to %s", it->real,
		   own ? doctor->service.name : "root");
}

/* Besides its owner and group, by a list of access. */
static bool is_for_listed(const struct examined *it)
{
	return getxattr(it->real, "system.posix_acl_access", NULL, 0) > 0;
}

static void check_mode(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	mode_t mode = it->file.st_mode & 07777;
	const char *fault = NULL;
	if ((mode & 06000) != 0)
		fault = "has a set-id bit, which it never needs";
	else if ((mode & 022) != 0)
		fault = "can be written by others than its owner";
	else if (it->by_file && program_check_everyone(&it->file, it->real, &err) != 0)
		fault = "may be executed by everyone, who could become anybody with it";
	else if (it->by_file && is_for_listed(it))
		fault = "has a list of access, and who may execute it could become anybody";
	else if ((doctor_permissions(&it->file, &doctor->service) & 1) == 0 && !it->by_file)
		fault = "is not for the service account to execute";
	if (fault == NULL) {
		doctor_say(doctor, DOCTOR_PASS, "mode", "%s has mode %04o", it->real, mode);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "mode", "%s %s (mode %04o)", it->real, fault, mode);
	struct doctor_word real = doctor_quote(it->real);
	if (it->by_file && !it->ours)
		mend_anew(it);
	else if (it->by_file && is_for_listed(it))
		doctor_mend(doctor, "setfacl -b %s && chmod 0750 %s", real.text, real.text);
	else
		doctor_mend(doctor, "chmod %s %s", it->by_file ? "0750" : "0755", real.text);
}

static void check_needless(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	bool everyone = program_check_everyone(&it->file, it->real, &err) != 0;
	bool none = (it->capabilities.permitted | it->capabilities.inheritable) == 0;
	if (none && doctor->downscope == DOWNSCOPE_UNSET) {
		doctor_say(doctor, DOCTOR_SKIP, "capabilities",
			   "%s has none; whether it needs any stands in the configuration",
			   it->real);
		return;
	}
	if (none) {
		doctor_say(doctor, DOCTOR_PASS, "capabilities", "%s has none, and needs none",
			   it->real);
		return;
	}
	doctor_say(doctor, everyone ? DOCTOR_FAIL : DOCTOR_WARN, "capabilities",
		   "%s has capabilities, which nothing here needs%s", it->real,
		   everyone ? ", and everyone may execute it" : "");
	doctor_mend(doctor, "setcap -r %s", doctor_quote(it->real).text);
}

static void check_capabilities(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	uint64_t missing = CAPABILITIES_NEEDED & ~it->capabilities.permitted;
	uint64_t more =
		(it->capabilities.permitted & ~CAPABILITIES_NEEDED) | it->capabilities.inheritable;
	if (!it->by_file) {
		check_needless(it);
		return;
	}
	if (missing == 0 && more == 0) {
		doctor_say(doctor, DOCTOR_PASS, "capabilities",
			   "%s has cap_setgid and cap_setuid, and no other", it->real);
		return;
	}
	if (missing != 0)
		doctor_say(doctor, DOCTOR_FAIL, "capabilities", "%s lacks %s%s%s", it->real,
			   (missing & UINT64_C(1) << CAP_SETGID) != 0 ? "cap_setgid" : "",
			   missing == CAPABILITIES_NEEDED ? " and " : "",
			   (missing & UINT64_C(1) << CAP_SETUID) != 0 ? "cap_setuid" : "");
	else
		doctor_say(doctor, DOCTOR_WARN, "capabilities",
			   "%s has more than cap_setgid and cap_setuid, and uses none of it",
			   it->real);
	/* Not to a file that is also what everyone calls, or is another's. */
	if (!it->ours)
		mend_anew(it);
	else
		doctor_mend(doctor, SETCAP " %s", doctor_quote(it->real).text);
}

/* `jacamar`, which everyone may call, must not be the very file that has capabilities. */
static void check_inode(const struct examined *it, const char *jacamar)
{
	struct doctor *doctor = it->doctor;
	struct stat other;
	bool same = jacamar != NULL && stat(jacamar, &other) == 0 &&
		    other.st_dev == it->file.st_dev && other.st_ino == it->file.st_ino;
	if (!it->by_file) {
		doctor_say(doctor, DOCTOR_PASS, "inode", "without capabilities it may be shared");
		return;
	}
	if (!same && it->file.st_nlink == 1) {
		doctor_say(doctor, DOCTOR_PASS, "inode", "%s has an inode of its own", it->real);
		return;
	}
	if (same)
		doctor_say(doctor, DOCTOR_FAIL, "inode",
			   "%s is the same file as %s, which everyone may call, and capabilities "
			   "belong to the file",
			   it->path, jacamar);
	else
		doctor_say(doctor, DOCTOR_FAIL, "inode",
			   "%s has %u names, and capabilities belong to all of them", it->real,
			   (unsigned int)it->file.st_nlink);
	mend_anew(it);
}

static void check_parents(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct trust_fault fault;
	struct error err = {.detail = ""};
	/* Who may become anybody needs no such way; the file itself has checks of its own. */
	const struct trust_terms terms = {
		.what = "a program", .owner = doctor->service.uid, .sticky = true};
	free(trust_examine(it->path, &terms, &fault, &err));
	if (fault.entry[0] == '\0' || strcmp(fault.entry, it->real) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "parents",
			   "nobody else can put another file in the place of %s", it->path);
		return;
	}
	if (fault.foreign)
		doctor_say(doctor, DOCTOR_FAIL, "parents",
			   "%s, on the way to %s, belongs to uid %u, not to root", fault.entry,
			   it->path, (unsigned int)fault.owner);
	else
		doctor_say(doctor, DOCTOR_FAIL, "parents",
			   "%s, on the way to %s, can be written by others", fault.entry, it->path);
	doctor_mend_fault(doctor, &fault);
}

/* Where the file system that has `path` is mounted: the last mount of the longest name above it. */
static void find_mount(const char *path, char *mount, size_t size)
{
	char room[PATH_MAX * 2];
	struct mntent entry;
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	snprintf(mount, size, "/");
	while (mounts != NULL && getmntent_r(mounts, &entry, room, sizeof(room)) != NULL) {
		size_t length = strlen(entry.mnt_dir);
		bool above = strncmp(path, entry.mnt_dir, length) == 0 &&
			     (path[length] == '/' || path[length] == '\0' || length == 1);
		if (above && length >= strlen(mount))
			snprintf(mount, size, "%s", entry.mnt_dir);
	}
	if (mounts != NULL)
		endmntent(mounts);
}

static void check_mount(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct statvfs system;
	char mount[PATH_MAX];
	find_mount(it->real, mount, sizeof(mount));
	if (statvfs(it->real, &system) != 0) {
		doctor_say(doctor, DOCTOR_SKIP, "mount", "%s: %s", it->real, strerror(errno));
		return;
	}
	bool nosuid = it->by_file && (system.f_flag & ST_NOSUID) != 0;
	bool noexec = (system.f_flag & ST_NOEXEC) != 0;
	if (!nosuid && !noexec) {
		doctor_say(doctor, DOCTOR_PASS, "mount", "%s is mounted without %s", mount,
			   it->by_file ? "nosuid and noexec" : "noexec");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "mount", "%s is mounted with %s, %s", mount,
		   nosuid ? "nosuid" : "noexec",
		   nosuid ? "which makes capabilities void" : "so that nothing there is executed");
	doctor_mend(doctor, "mount -o remount,%s%s%s %s", nosuid ? "suid" : "",
		    nosuid && noexec ? "," : "", noexec ? "exec" : "", doctor_quote(mount).text);
}

static void check_jacamar_itself(struct doctor *doctor, const char *jacamar, const char *resolved)
{
	struct error err;
	struct file_capabilities capabilities = {.permitted = 0};
	if (capabilities_of_file(resolved, &capabilities, &err) != 0 ||
	    capabilities.permitted == 0) {
		doctor_say(doctor, DOCTOR_PASS, "jacamar_path", "%s is fit to be executed",
			   jacamar);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "jacamar_path", "%s has capabilities, which it never needs",
		   resolved);
	doctor_mend(doctor, "setcap -r %s", doctor_quote(resolved).text);
}

/* The program that is executed as the user, by the rules of those who execute it. */
static void check_jacamar(struct doctor *doctor, const char *jacamar)
{
	struct error err = {.detail = ""};
	struct error ignored;
	struct trust_fault fault = {.entry = ""};
	struct stat file;
	const char *setting = doctor->settings != NULL ? doctor->settings->auth.jacamar_path : NULL;
	if (jacamar == NULL)
		return;
	enum program_use use = program_use_of(doctor->downscope);
	const struct trust_terms terms = {.what = "a program", .owner = doctor->service.uid};
	cleanup_free char *resolved = program_resolve(jacamar, use, &err);
	cleanup_free char *trusted = trust_examine(jacamar, &terms, &fault, &ignored);
	if (resolved != NULL && (trusted != NULL || use == PROGRAM_OF_SAME_ACCOUNT)) {
		check_jacamar_itself(doctor, jacamar, resolved);
		return;
	}
	bool there = stat(jacamar, &file) == 0 && S_ISREG(file.st_mode);
	if (!doctor->as_service && trusted != NULL && there && (file.st_mode & 001) != 0) {
		doctor_leave_to_service(doctor, "jacamar_path", "it belongs to that account");
		return;
	}
	/* What is the caller's own is only to the caller as it should be. */
	doctor_say(doctor, DOCTOR_FAIL, "jacamar_path", "%s",
		   resolved != NULL ? ignored.detail : err.detail);
	if (fault.entry[0] != '\0')
		doctor_mend_fault(doctor, &fault);
	else if (setting != NULL)
		doctor_mend_key(doctor, "auth", "jacamar_path", NULL);
	else if (there)
		doctor_mend(doctor, "chmod 0755 %s",
			    doctor_quote(trusted != NULL ? trusted : jacamar).text);
	else
		doctor_mend(doctor, "ln -s ../libexec/jacamar-ci %s", doctor_quote(jacamar).text);
}

static void examine(struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	struct stat link;
	if (stat(it->real, &it->file) != 0 || !S_ISREG(it->file.st_mode)) {
		doctor_say(doctor, DOCTOR_FAIL, "executable", "%s is not a program", it->path);
		return;
	}
	/* By a link it may be any file of the system, which no remedy may touch. */
	if (strncmp(strrchr(it->real, '/'), "/jacamar", 8) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "executable",
			   "%s is %s, not jacamar-auth or jacamar", it->path, it->real);
		return;
	}
	if (capabilities_of_file(it->real, &it->capabilities, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "capabilities", "%s", err.detail);
		return;
	}
	it->linked = lstat(it->path, &link) == 0 && S_ISLNK(link.st_mode);
	it->ours = !it->linked && it->file.st_uid == 0 && it->file.st_nlink == 1;
	it->by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	cleanup_free char *jacamar = doctor_find_jacamar(doctor);
	doctor_say(doctor, DOCTOR_PASS, "executable", "the runner executes %s", it->path);
	check_owner(it);
	check_mode(it);
	check_capabilities(it);
	check_inode(it, jacamar);
	check_parents(it);
	check_mount(it);
	check_jacamar(doctor, jacamar);
}

void doctor_check_program(struct doctor *doctor)
{
	struct examined it = {.doctor = doctor, .path = doctor->program};
	if (it.path == NULL)
		return;
	it.real = realpath(it.path, NULL);
	if (it.real != NULL) {
		examine(&it);
		free(it.real);
		return;
	}
	doctor_say(doctor, errno == EACCES ? DOCTOR_SKIP : DOCTOR_FAIL, "executable", "%s: %s",
		   it.path, strerror(errno));
}
