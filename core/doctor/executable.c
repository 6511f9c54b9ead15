/*
 * The program that the runner executes: its owner, who may execute it, its capabilities, and its
 * mount options.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/privilege/trusted_program.h"

#define SETCAP "setcap cap_setgid,cap_setuid=ep"

/* The program that is checked. */
struct examined {
	struct doctor *doctor;
	const char *path; /* as the runner names it */
	char *real;	  /* the file to which `path` leads */
	struct stat file;
	struct file_capabilities capabilities;
	bool by_file; /* it changes accounts with the capabilities of its file */
	bool ours;    /* root owns it, and it is neither a link nor has a hard link */
	bool foreign; /* owned by an account that must not own it */
};

/*
 * The remedy that is safe whatever the file was: a copy of this program replaces it, with the two
 * capabilities if it needs them. The old file loses its capabilities, because it may have another
 * name.
 */
static void mend_anew(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct secure_path_fault fault;
	struct error err;
	/* This program is the source only if nobody but root could have put it there. */
	const struct secure_path_terms terms = {.what = "a program", .owner = 0, .sticky = true};
	cleanup_free char *own = realpath("/proc/self/exe", NULL);
	cleanup_free char *trusted =
		own != NULL ? secure_path_examine(own, &terms, &fault, &err) : NULL;
	if (trusted == NULL) {
		doctor_mend(doctor, "use a program that root has newly installed, not %s",
			    own != NULL ? own : "/proc/self/exe");
		return;
	}
	if (it->capabilities.permitted != 0)
		doctor_mend(doctor, "setcap -r %s; ", it->real);
	doctor_mend(doctor, "install -m %s -o root -g %s %s %s.new && mv -f %s.new %s",
		    it->by_file ? "0750" : "0755", it->by_file ? doctor->group : "root", own,
		    it->path, it->path, it->path);
	if (it->by_file)
		doctor_mend(doctor, " && " SETCAP " %s", it->path);
}

/* The remedy for a program that is missing or is not ours: the one of this installation. */
static void mend_missing(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct stat found;
	cleanup_free char *own = doctor_find_own(doctor);
	/* The runner's file may name any file of the system, which no remedy may touch. */
	if (own == NULL || strcmp(own, it->path) != 0) {
		doctor_mend(doctor, "set config_exec = \"");
		doctor_mend_text(doctor, own != NULL ? own : "/opt/jacamar/bin/jacamar-auth");
		doctor_mend(doctor, "\" in %s", doctor->runner_file);
	} else if (lstat(it->path, &found) == 0 && S_ISDIR(found.st_mode)) {
		doctor_mend(doctor, "mv -T %s %s.old", it->path, it->path);
	} else {
		mend_anew(it);
	}
}

static void check_owner(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	struct account_groups groups;
	if (it->foreign) {
		doctor_fail(doctor, "owner", "%s is owned by uid %u, not by root", it->real,
			    (unsigned int)it->file.st_uid);
		/* A file that another account owned may contain anything. */
		mend_anew(it);
	} else if (it->by_file && account_groups(&doctor->service, &groups, &err) != 0) {
		doctor_fail(doctor, "owner", "%s", err.detail);
		doctor_mend(doctor, "id %s", doctor->service.name);
	} else if (it->by_file && trusted_program_check_group(&it->file, it->real, &doctor->service,
							      &groups, &err) == 0) {
		doctor_fail(doctor, "owner",
			    "%s is not executable by a group of %s (gid %u, mode %04o)", it->real,
			    doctor->service.name, (unsigned int)it->file.st_gid,
			    it->file.st_mode & 07777);
		/* A change of owner removes the capabilities. */
		if (it->ours)
			doctor_mend(doctor, "chown root:%s %s && chmod 0750 %s && " SETCAP " %s",
				    doctor->group, it->real, it->real, it->real);
		else
			mend_anew(it);
	} else {
		doctor_pass(doctor, "owner", "%s is owned by %s", it->real,
			    it->file.st_uid != 0 ? doctor->service.name : "root");
	}
}

/* True if an ACL permits other accounts to execute it. */
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
	char writable[64];
	snprintf(writable, sizeof(writable), "is writable by %s", doctor_writers(mode));
	if ((mode & 06000) != 0)
		fault = "has a set-user-ID or set-group-ID bit, which it never needs";
	else if (secure_path_others_write(mode))
		fault = writable;
	else if (it->by_file && trusted_program_check_everyone(&it->file, it->real, &err) != 0)
		fault = "is executable by everyone: every account could become any other with it";
	else if (it->by_file && is_for_listed(it))
		fault = "has an ACL: an account that it permits could become any other";
	else if ((doctor_permissions(&it->file, &doctor->service) & 1) == 0 && !it->by_file)
		fault = "is not executable by the service account";
	if (fault == NULL) {
		doctor_pass(doctor, "mode", "%s has mode %04o", it->real, mode);
		return;
	}
	doctor_fail(doctor, "mode", "%s %s (mode %04o)", it->real, fault, mode);
	/* A new file has no ACL; setfacl(1) may not be installed. */
	if (it->foreign || (it->by_file && (!it->ours || is_for_listed(it))))
		mend_anew(it);
	else
		doctor_mend(doctor, "chmod %s %s", it->by_file ? "0750" : "0755", it->real);
}

static void check_capabilities(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	uint64_t permitted = it->capabilities.permitted;
	uint64_t inheritable = it->capabilities.inheritable;
	uint64_t missing = CAPABILITIES_NEEDED & ~permitted;
	bool none = (permitted | inheritable) == 0;
	bool everyone = trusted_program_check_everyone(&it->file, it->real, &err) != 0;
	if (!it->by_file && none && doctor->downscope == DOWNSCOPE_UNSET) {
		doctor_skip(doctor, "capabilities",
			    "%s has no capabilities; name the configuration to check whether it "
			    "needs them",
			    it->real);
	} else if (!it->by_file && none) {
		doctor_pass(doctor, "capabilities", "%s has no capabilities and needs none",
			    it->real);
	} else if (!it->by_file) {
		doctor_say(doctor, everyone ? DOCTOR_FAIL : DOCTOR_WARN, "capabilities",
			   "%s has capabilities that it does not need%s", it->real,
			   everyone ? ", and everyone can execute it" : "");
		doctor_mend(doctor, "setcap -r %s", it->real);
	} else if (permitted == CAPABILITIES_NEEDED && inheritable == 0) {
		doctor_pass(doctor, "capabilities",
			    "%s has cap_setgid and cap_setuid, and no others", it->real);
	} else {
		if (missing != 0)
			doctor_fail(doctor, "capabilities", "%s lacks %s%s%s", it->real,
				    (missing & UINT64_C(1) << CAP_SETGID) != 0 ? "cap_setgid" : "",
				    missing == CAPABILITIES_NEEDED ? " and " : "",
				    (missing & UINT64_C(1) << CAP_SETUID) != 0 ? "cap_setuid" : "");
		else
			doctor_warn(doctor, "capabilities",
				    "%s has more capabilities than cap_setgid and cap_setuid, and "
				    "does not need them",
				    it->real);
		/* Not for a file that everyone can execute under another name, or that another
		 * account owns. */
		if (!it->ours)
			mend_anew(it);
		else
			doctor_mend(doctor, SETCAP " %s", it->real);
	}
}

/* `jacamar`, which everyone may execute, must not be the file that has capabilities. */
static void check_inode(const struct examined *it, const char *jacamar)
{
	struct doctor *doctor = it->doctor;
	if (!it->by_file) {
		doctor_pass(doctor, "inode",
			    "the program has no capabilities, so it can have hard links");
	} else if (jacamar != NULL && doctor_is_same_file(jacamar, it->real)) {
		doctor_fail(doctor, "inode",
			    "%s is the same file as %s, which everyone can execute, and "
			    "capabilities belong to the file",
			    it->path, jacamar);
		mend_anew(it);
	} else if (it->file.st_nlink > 1) {
		doctor_fail(doctor, "inode",
			    "%s has %u hard links, and all of them have the capabilities", it->real,
			    (unsigned int)it->file.st_nlink);
		mend_anew(it);
	} else {
		doctor_pass(doctor, "inode", "%s has no other hard link", it->real);
	}
}

/* The mount point of `path`: the longest one above it; if that has several mounts, the last one. */
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
		doctor_skip(doctor, "mount", "%s: %s", it->real, strerror(errno));
		return;
	}
	bool nosuid = it->by_file && (system.f_flag & ST_NOSUID) != 0;
	bool noexec = (system.f_flag & ST_NOEXEC) != 0;
	if (nosuid) {
		doctor_fail(doctor, "mount",
			    "%s is mounted with nosuid, which disables capabilities", mount);
		doctor_mend(doctor,
			    noexec ? "mount -o remount,suid,exec %s" : "mount -o remount,suid %s",
			    mount);
	} else if (noexec) {
		doctor_fail(doctor, "mount",
			    "%s is mounted with noexec, so its programs cannot be executed", mount);
		doctor_mend(doctor, "mount -o remount,exec %s", mount);
	} else {
		doctor_pass(doctor, "mount", "%s is mounted without %s", mount,
			    it->by_file ? "nosuid and noexec" : "noexec");
	}
}

#define PROGRAM_MOST_SIZE (64 * 1024 * 1024)

static char *read_program(const char *path, size_t *size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd >= 0 ? io_read_to_end(fd, PROGRAM_MOST_SIZE, size) : NULL;
}

/* A program next to this one must have the same bytes, or else it is another version. */
static void check_contents(const struct examined *it)
{
	static const char variable[] =
		"JOB_RESPONSE_FILE"; /* each version of the program reads this variable */
	struct doctor *doctor = it->doctor;
	size_t size = 0;
	size_t own_size = 0;
	cleanup_free char *bytes = read_program(it->real, &size);
	cleanup_free char *own = read_program("/proc/self/exe", &own_size);
	bool same =
		bytes != NULL && own != NULL && size == own_size && memcmp(bytes, own, size) == 0;
	/* Only the service account can compare a file that the caller cannot read. */
	if (same || bytes == NULL || own == NULL || !doctor_is_own(doctor)) {
		doctor_pass(doctor, "executable", "the runner executes %s", it->path);
		return;
	}
	if (memmem(bytes, size, variable, sizeof(variable) - 1) == NULL)
		doctor_fail(doctor, "executable", "%s is another program with this name", it->path);
	else
		doctor_warn(doctor, "executable",
			    "%s has another version or build than this program", it->path);
	mend_anew(it);
}

static void examine(struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	struct stat link;
	doctor_pass(doctor, "parents", "no other account can replace %s", it->path);
	if (stat(it->real, &it->file) != 0 || !S_ISREG(it->file.st_mode)) {
		doctor_fail(doctor, "executable", "%s is not a regular file", it->path);
		mend_missing(it);
		return;
	}
	/* A link may lead to any file of the system. */
	if (strncmp(strrchr(it->real, '/'), "/jacamar", 8) != 0) {
		doctor_fail(doctor, "executable", "%s leads to %s, not to jacamar-auth or jacamar",
			    it->path, it->real);
		mend_missing(it);
		return;
	}
	if (capabilities_of_file(it->real, &it->capabilities, &err) != 0) {
		doctor_fail(doctor, "capabilities", "%s", err.detail);
		mend_anew(it);
		return;
	}
	bool is_link = lstat(it->path, &link) == 0 && S_ISLNK(link.st_mode);
	it->ours = !is_link && it->file.st_uid == 0 && it->file.st_nlink == 1;
	it->foreign = it->file.st_uid != 0 && !(doctor->downscope == DOWNSCOPE_NONE &&
						it->file.st_uid == doctor->service.uid);
	cleanup_free char *jacamar = doctor_find_jacamar(doctor);
	check_contents(it);
	check_owner(it);
	check_mode(it);
	check_capabilities(it);
	check_inode(it, jacamar);
	check_mount(it);
	doctor_check_jacamar(doctor);
}

void doctor_check_program(struct doctor *doctor)
{
	struct examined it = {.doctor = doctor, .path = doctor->program};
	/* Otherwise the file could be replaced before somebody uses a remedy. */
	if (it.path == NULL || !doctor_check_way(doctor, "parents", it.path))
		return;
	it.by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	it.real = realpath(it.path, NULL);
	int why = errno;
	cleanup_free char *closed =
		it.real == NULL && why == EACCES ? doctor_find_closed(it.path) : NULL;
	if (it.real != NULL) {
		examine(&it);
	} else if (why == EACCES && !doctor->as_service) {
		doctor_leave_to_service(doctor, "executable",
					"you have no permission to see the program");
	} else {
		doctor_fail(doctor, "executable", "%s: %s", it.path, strerror(why));
		if (closed != NULL)
			doctor_mend(doctor, "chmod a+x %s", closed);
		else
			mend_missing(&it);
	}
	free(it.real);
}
