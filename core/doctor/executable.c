/*
 * What the runner executes: whose it is, who may execute it, what it may do, and whether the kernel
 * lets it.
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
	bool foreign; /* neither root's nor, where all jobs are the service account's, its own */
};

/* This program's own file, where nobody but root could have put it there. */
static bool find_source(char *path, size_t size)
{
	struct trust_fault fault;
	struct error err;
	const struct trust_terms terms = {.what = "a program", .owner = 0, .sticky = true};
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	path[length > 0 ? length : 0] = '\0';
	cleanup_free char *trusted = trust_examine(path, &terms, &fault, &err);
	return trusted != NULL;
}

/*
 * This program's file in place of what is there, with the two capabilities where it needs them: the
 * one command that is right whatever it was. Whoever holds the old file by another name is left
 * with none.
 */
static void mend_anew(const struct examined *it)
{
	char own[PATH_MAX];
	bool is_trusted = find_source(own, sizeof(own));
	struct doctor_word source = doctor_quote(own);
	struct doctor_word real = doctor_quote(it->real != NULL ? it->real : it->path);
	struct doctor_word path = doctor_quote(it->path);
	struct doctor_word group = it->by_file ? doctor_group(it->doctor) : doctor_quote("root");
	bool had = it->capabilities.permitted != 0;
	if (!is_trusted) {
		doctor_mend(it->doctor, "use a program that root has installed anew, not %s",
			    source.text);
		return;
	}
	doctor_mend(it->doctor,
		    "%s%s%sinstall -m %s -o root -g %s %s %s.new && mv -f %s.new %s%s%s",
		    had ? "setcap -r " : "", had ? real.text : "", had ? "; " : "",
		    it->by_file ? "0750" : "0755", group.text, source.text, path.text, path.text,
		    path.text, it->by_file ? " && " SETCAP " " : "", it->by_file ? path.text : "");
}

/* The same for what is not there, or no program of ours: that of this installation. */
static void mend_missing(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct stat found;
	struct doctor_word path = doctor_quote(it->path);
	cleanup_free char *own = doctor_find_own(doctor);
	/* The runner's file may name any file of the system, which no remedy may touch. */
	if (own == NULL || strcmp(own, it->path) != 0)
		doctor_mend(doctor, "set config_exec = \"%s\" in %s",
			    own != NULL ? own : "/opt/jacamar/bin/jacamar-auth",
			    doctor_quote(doctor->runner_file).text);
	else if (lstat(it->path, &found) == 0 && S_ISDIR(found.st_mode))
		doctor_mend(doctor, "mv -T %s %s.old", path.text, path.text);
	else
		mend_anew(it);
}

static void check_owner(const struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	struct doctor_word real = doctor_quote(it->real);
	struct doctor_word group = doctor_group(doctor);
	if (it->foreign) {
		doctor_say(doctor, DOCTOR_FAIL, "owner", "%s belongs to uid %u, not to root",
			   it->real, (unsigned int)it->file.st_uid);
		/* What was another's may be anything. */
		mend_anew(it);
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
		   it->file.st_uid != 0 ? doctor->service.name : "root");
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
	if (it->foreign || (it->by_file && !it->ours))
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

#define PROGRAM_MOST_SIZE (64 * 1024 * 1024)

static char *read_program(const char *path, size_t *size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd >= 0 ? io_read_to_end(fd, PROGRAM_MOST_SIZE, size) : NULL;
}

/* Beside this program, what has its bytes is the same version; what calls itself so may be none. */
static void check_contents(const struct examined *it)
{
	static const char variable[] = "JOB_RESPONSE_FILE"; /* which every such program reads */
	struct doctor *doctor = it->doctor;
	size_t size = 0;
	size_t own_size = 0;
	cleanup_free char *bytes = read_program(it->real, &size);
	cleanup_free char *own = read_program("/proc/self/exe", &own_size);
	bool same =
		bytes != NULL && own != NULL && size == own_size && memcmp(bytes, own, size) == 0;
	/* What is not for the caller to read is the service account's to compare. */
	if (same || bytes == NULL || own == NULL || !doctor_is_own(doctor)) {
		doctor_say(doctor, DOCTOR_PASS, "executable", "the runner executes %s", it->path);
		return;
	}
	if (memmem(bytes, size, variable, sizeof(variable) - 1) == NULL)
		doctor_say(doctor, DOCTOR_FAIL, "executable", "%s is another program by that name",
			   it->path);
	else
		doctor_say(doctor, DOCTOR_WARN, "executable",
			   "%s is of another version, or build, than this program", it->path);
	mend_anew(it);
}

static void examine(struct examined *it)
{
	struct doctor *doctor = it->doctor;
	struct error err;
	struct stat link;
	doctor_say(doctor, DOCTOR_PASS, "parents",
		   "nobody else can put another file in the place of %s", it->path);
	if (stat(it->real, &it->file) != 0 || !S_ISREG(it->file.st_mode)) {
		doctor_say(doctor, DOCTOR_FAIL, "executable", "%s is not a program", it->path);
		mend_missing(it);
		return;
	}
	/* By a link it may be any file of the system. */
	if (strncmp(strrchr(it->real, '/'), "/jacamar", 8) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "executable",
			   "%s is %s, not jacamar-auth or jacamar", it->path, it->real);
		mend_missing(it);
		return;
	}
	if (capabilities_of_file(it->real, &it->capabilities, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "capabilities", "%s", err.detail);
		mend_anew(it);
		return;
	}
	it->linked = lstat(it->path, &link) == 0 && S_ISLNK(link.st_mode);
	it->ours = !it->linked && it->file.st_uid == 0 && it->file.st_nlink == 1;
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

static void say_missing(const struct examined *it, int why)
{
	struct doctor *doctor = it->doctor;
	if (why == EACCES && !doctor->as_service) {
		doctor_leave_to_service(doctor, "executable", "the program is not for you to see");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "executable", "%s: %s", it->path, strerror(why));
	cleanup_free char *closed = why == EACCES ? doctor_find_closed(it->path) : NULL;
	if (closed != NULL)
		doctor_mend(doctor, "chmod a+x %s", doctor_quote(closed).text);
	else
		mend_missing(it);
}

void doctor_check_program(struct doctor *doctor)
{
	struct examined it = {.doctor = doctor, .path = doctor->program};
	/* Behind such a way another file may be there by the time that a remedy is used. */
	if (it.path == NULL || !doctor_check_way(doctor, "parents", it.path))
		return;
	it.by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	it.real = realpath(it.path, NULL);
	if (it.real != NULL)
		examine(&it);
	else
		say_missing(&it, errno);
	free(it.real);
}
