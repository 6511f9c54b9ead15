#include "core/doctor/findings.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "config/schema.h"
#include "core/executor/login_shell.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/trusted_program.h"

const char *const DOCTOR_RESULT_NAMES[DOCTOR_RESULTS] = {
	[DOCTOR_PASS] = "pass",
	[DOCTOR_SKIP] = "skip",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

__attribute__((format(printf, 1, 0))) static char *make_line(const char *format, va_list args)
{
	char *text = NULL;
	if (vasprintf(&text, format, args) < 0)
		return NULL;
	text_make_printable(text);
	return text;
}

__attribute__((format(printf, 4, 0))) static void add(struct doctor *doctor,
						      enum doctor_result result, const char *check,
						      const char *format, va_list args)
{
	doctor->is_full = doctor->count == DOCTOR_FINDINGS_MAX;
	/* The last finding takes the worst result, so that the verdict is right. */
	if (doctor->is_full) {
		struct doctor_finding *last = &doctor->findings[doctor->count - 1];
		last->result = result > last->result ? result : last->result;
		return;
	}
	doctor->findings[doctor->count++] = (struct doctor_finding){
		.result = result, .check = check, .what = make_line(format, args)};
}

void doctor_say(struct doctor *doctor, enum doctor_result result, const char *check,
		const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(doctor, result, check, format, args);
	va_end(args);
}

bool doctor_judge(struct doctor *doctor, const char *check, bool good, const struct error *err,
		  const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (good)
		add(doctor, DOCTOR_PASS, check, format, args);
	else
		doctor_fail(doctor, check, "%s", err->detail);
	va_end(args);
	return good;
}

void doctor_clear(struct doctor *doctor)
{
	while (doctor->count > 0) {
		struct doctor_finding *last = &doctor->findings[--doctor->count];
		free(last->what);
		free(last->remedy);
	}
}

/* Writes the name as a word for a shell. False if memory is short. */
static bool write_word(FILE *stream, const char *name)
{
	/* The word must not look like an option: vi executes what follows a +. */
	bool is_option = name[0] == '-' || name[0] == '+';
	cleanup_free char *operand = text_format("%s%s", is_option ? "./" : "", name);
	cleanup_free char *quoted = operand != NULL ? login_shell_quote(operand) : NULL;
	if (quoted == NULL)
		return false;
	if (text_is_made_of(operand, TEXT_WORD "./:=,@%+", strlen(operand))) {
		fputs(operand, stream);
	} else if (text_is_printable(operand) || operand[0] == '\0') {
		fputs(quoted, stream);
	} else {
		/* Bytes that a terminal would not show, as numbers that bash and similar shells
		 * understand. */
		fputs("$'", stream);
		for (const char *at = operand; *at != '\0'; at++)
			fprintf(stream, "\\%03o", (unsigned int)(unsigned char)*at);
		fputc('\'', stream);
	}
	return true;
}

void doctor_mend(struct doctor *doctor, const char *format, ...)
{
	cleanup_free char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	bool made = stream != NULL;
	va_list args;
	va_start(args, format);
	for (const char *at = format; made && *at != '\0'; at++) {
		if (*at != '%') {
			fputc(*at, stream);
		} else if (*++at == 's') {
			made = write_word(stream, va_arg(args, const char *));
		} else if (*at == 'u') {
			fprintf(stream, "%u", va_arg(args, unsigned int));
		} else {
			fprintf(stream, "%zu", va_arg(args, size_t));
			at++;
		}
	}
	va_end(args);
	if (stream != NULL)
		made = fclose(stream) == 0 && made;
	doctor_mend_text(doctor, made ? text : NULL);
}

void doctor_mend_text(struct doctor *doctor, const char *text)
{
	struct doctor_finding *last = &doctor->findings[doctor->count - 1];
	if (doctor->is_full)
		return;
	char *before = last->remedy;
	last->remedy =
		text != NULL ? text_format("%s%s", before != NULL ? before : "", text) : NULL;
	free(before);
	/* Half of a command could do harm. */
	doctor->is_full = last->remedy == NULL;
	if (last->remedy != NULL)
		text_make_printable(last->remedy);
}

void doctor_mend_key(struct doctor *doctor, const char *key, const char *value)
{
	size_t line = doctor->settings != NULL ? schema_line(doctor->settings, key) : 0;
	if (schema_find_key(key) == NULL)
		return;
	doctor_mend(doctor, value != NULL ? "set %s = " : "set %s", key);
	doctor_mend_text(doctor, value != NULL ? value : "");
	if (line > 0)
		doctor_mend(doctor, " at %s:%zu", doctor->configuration, line);
	else if (doctor->configuration != NULL)
		doctor_mend(doctor, " in %s", doctor->configuration);
}

void doctor_mend_install(struct doctor *doctor, const char *debian, const char *red_hat)
{
	bool is_debian = access("/usr/bin/apt-get", X_OK) == 0;
	doctor_mend_text(doctor, is_debian ? "apt-get install " : "dnf install ");
	doctor_mend_text(doctor, is_debian ? debian : red_hat);
}

int capabilities_of_file(const char *path, struct file_capabilities *found, struct error *err)
{
	struct vfs_ns_cap_data data;
	memset(&data, 0, sizeof(data));
	*found = (struct file_capabilities){.permitted = 0};
	ssize_t size = getxattr(path, "security.capability", &data, sizeof(data));
	if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	if (size < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the capabilities of %s", path);
	uint32_t version = le32toh(data.magic_etc) & VFS_CAP_REVISION_MASK;
	if (size < (ssize_t)XATTR_CAPS_SZ_2 ||
	    (version != VFS_CAP_REVISION_2 && version != VFS_CAP_REVISION_3))
		return error_set(err, ERROR_SYSTEM, "the capabilities of %s have an unknown format",
				 path);
	/* Capabilities of another user namespace have no effect here. */
	if (version == VFS_CAP_REVISION_3 && data.rootid != 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		found->permitted |= (uint64_t)le32toh(data.data[i].permitted) << (32 * i);
		found->inheritable |= (uint64_t)le32toh(data.data[i].inheritable) << (32 * i);
	}
	return 0;
}

bool capabilities_are_given(const char *path)
{
	struct file_capabilities found;
	struct error ignored;
	return capabilities_of_file(path, &found, &ignored) == 0 && found.permitted != 0;
}

unsigned int doctor_permissions(const struct stat *file, const struct account *account)
{
	struct error err;
	struct account_groups groups;
	if (account->uid == 0)
		return (file->st_mode & 0111) != 0 || S_ISDIR(file->st_mode) ? 7 : 6;
	if (file->st_uid == account->uid)
		return file->st_mode >> 6 & 7;
	if (account_groups(account, &groups, &err) == 0 &&
	    account_groups_have(&groups, file->st_gid))
		return file->st_mode >> 3 & 7;
	return file->st_mode & 7;
}

void doctor_mend_as_service(struct doctor *doctor)
{
	struct error err;
	cleanup_free char *self = trusted_program_find(NULL, &err);
	doctor_mend(doctor, geteuid() == 0 ? "runuser -u %s -- %s doctor" : "sudo -u %s %s doctor",
		    doctor->service.name, self != NULL ? self : "jacamar");
	if (doctor->configuration != NULL)
		doctor_mend(doctor, " --configuration %s", doctor->configuration);
	if (doctor->runner_file != NULL)
		doctor_mend(doctor, " --runner-config %s", doctor->runner_file);
	if (doctor->user != NULL)
		doctor_mend(doctor, " --user %s", doctor->user);
}

void doctor_leave_to_service(struct doctor *doctor, const char *check, const char *what)
{
	doctor_skip(doctor, check, "%s", what);
	doctor_mend_as_service(doctor);
}

/* A directory that users live or work in needs no change: the file is in the wrong place. */
static bool is_of_users(const struct secure_path_fault *fault)
{
	struct account owner;
	struct error err;
	size_t length = strlen(fault->entry);
	if (fault->is_shared)
		return true;
	return fault->foreign && !fault->is_link &&
	       account_by_uid(fault->owner, &owner, &err) == 0 &&
	       strncmp(owner.home, fault->entry, length) == 0 &&
	       (owner.home[length] == '/' || owner.home[length] == '\0');
}

void doctor_mend_fault(struct doctor *doctor, const struct secure_path_fault *fault)
{
	struct stat found;
	bool is_file = lstat(fault->entry, &found) == 0 && S_ISREG(found.st_mode);
	if (is_of_users(fault))
		doctor_mend(doctor, "use a directory that only root can write to, not %s",
			    fault->entry);
	/* A file that another account owned may contain anything. */
	else if (fault->foreign && is_file)
		doctor_mend_copy(doctor, fault->entry,
				 (found.st_mode & 0111) != 0 ? "0755" : "0644", "root");
	else
		doctor_mend(doctor, fault->foreign ? "chown -h root %s" : "chmod go-w %s",
			    fault->entry);
}

void doctor_mend_copy(struct doctor *doctor, const char *path, const char *mode, const char *owner)
{
	doctor_mend(doctor,
		    "install -m %s -o %s %s %s.new && \"${EDITOR:-vi}\" %s.new && mv -f %s.new %s",
		    mode, owner, path, path, path, path, path);
}

void doctor_mend_closed(struct doctor *doctor, const char *path)
{
	struct stat found;
	cleanup_free char *closed = doctor_find_closed(path);
	if (closed != NULL && stat(closed, &found) == 0 && found.st_uid == doctor->service.uid)
		doctor_mend(doctor, "chmod u+x %s", closed);
	else
		doctor_mend(doctor, "use a directory that %s can enter, not %s",
			    doctor->service.name, closed != NULL ? closed : path);
}

char *doctor_find_own(const struct doctor *doctor)
{
	struct error err;
	const char *name = doctor->program != NULL ? strrchr(doctor->program, '/') : NULL;
	cleanup_free char *own = trusted_program_find(NULL, &err);
	if (own == NULL)
		return NULL;
	return text_format("%s%s", own,
			   name != NULL && strcmp(name, "/jacamar") == 0 ? "" : "-auth");
}

const char *doctor_writers(mode_t mode)
{
	if ((mode & 022) == 022)
		return "its group and others";
	return (mode & 020) != 0 ? "its group" : "others";
}

bool doctor_is_same_file(const char *one, const char *other)
{
	struct stat here;
	struct stat there;
	return strcmp(one, other) == 0 ||
	       (stat(one, &here) == 0 && stat(other, &there) == 0 && here.st_dev == there.st_dev &&
		here.st_ino == there.st_ino);
}

char *doctor_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? strndup(path, slash != path ? (size_t)(slash - path) : 1) : NULL;
}

char *doctor_find_beside(const struct doctor *doctor)
{
	cleanup_free char *directory = doctor_directory_of(doctor->program);
	return directory != NULL ? text_format("%s/jacamar", directory) : NULL;
}

bool doctor_is_own(const struct doctor *doctor)
{
	struct error err;
	cleanup_free char *own = trusted_program_find(NULL, &err);
	cleanup_free char *beside = doctor_find_beside(doctor);
	return own != NULL && beside != NULL && doctor_is_same_file(beside, own);
}

char *doctor_find_closed(const char *path)
{
	for (const char *slash = path; (slash = strchr(slash + 1, '/')) != NULL;) {
		cleanup_free char *at = strndup(path, (size_t)(slash - path));
		if (at != NULL && access(at, X_OK) != 0)
			return strdup(at);
	}
	return NULL;
}

void doctor_examine_way(const char *path, uid_t owner, struct secure_path_fault *fault)
{
	struct error err;
	const struct secure_path_terms terms = {.what = "it", .owner = owner, .sticky = true};
	cleanup_free char *whole = secure_path_make_absolute(path);
	cleanup_free char *file = realpath(path, NULL);
	*fault = (struct secure_path_fault){.entry = ""};
	if (whole != NULL)
		free(secure_path_examine(whole, &terms, fault, &err));
	/* Faults of the file itself are found by other checks. */
	if (file != NULL && strcmp(fault->entry, file) == 0)
		fault->entry[0] = '\0';
}

void doctor_say_fault(struct doctor *doctor, const char *check, const char *path,
		      const struct secure_path_fault *fault)
{
	struct stat found = {.st_mode = 022};
	/* The fault may be of the file itself. */
	bool is_above = strcmp(fault->entry, path) != 0;
	const char *before = is_above ? ", on the path to " : "";
	const char *behind = is_above ? "," : "";
	(void)lstat(fault->entry, &found);
	if (fault->foreign)
		doctor_fail(doctor, check, "%s%s%s%s is owned by uid %u, not by root", fault->entry,
			    before, is_above ? path : "", behind, (unsigned int)fault->owner);
	else
		doctor_fail(doctor, check, "%s%s%s%s is writable by %s", fault->entry, before,
			    is_above ? path : "", behind, doctor_writers(found.st_mode));
}

bool doctor_check_way(struct doctor *doctor, const char *check, const char *path)
{
	struct secure_path_fault fault;
	doctor_examine_way(path, doctor->service.uid, &fault);
	if (fault.entry[0] == '\0')
		return true;
	doctor_say_fault(doctor, check, path, &fault);
	doctor_mend_fault(doctor, &fault);
	return false;
}
