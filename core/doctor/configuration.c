/*
 * jacamar-config.toml: whose it is, and what it says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/audit_sink.h"
#include "core/doctor/doctor.h"
#include "core/executor/arguments.h"
#include "core/io.h"
#include "core/program.h"
#include "core/seccomp.h"
#include "core/text.h"
#include "core/trust.h"

/* Who has more of them is better served by config --check. */
#define ERRORS_MOST 20

static void mend_reading(struct doctor *doctor, bool foreign, const struct stat *found)
{
	struct doctor_word file = doctor_quote(doctor->configuration);
	/* What the runner's file names may be any file of the system. */
	if (!doctor->asked_for_configuration)
		doctor_mend(doctor, "set config_args, in %s, to a file that %s can read",
			    doctor_quote(doctor->runner_file).text,
			    doctor_quote(doctor->service.name).text);
	else if (foreign)
		doctor_mend_copy(doctor, doctor->configuration, "0600", doctor->service.name);
	else if (found->st_uid == doctor->service.uid)
		doctor_mend(doctor, "chmod u+r %s", file.text);
	else
		doctor_mend(doctor, "chgrp -h %s %s && chmod g+r %s", doctor_group(doctor).text,
			    file.text, file.text);
}

/* Whose it is, and who may write and read it. True where its text may be looked at. */
static bool check_file(struct doctor *doctor, const struct stat *found)
{
	const char *path = doctor->configuration;
	const struct account *service = &doctor->service;
	bool foreign = found->st_uid != 0 && found->st_uid != service->uid;
	bool open = (found->st_mode & 022) != 0;
	/* Who asks knows better than the mode, which says nothing of lists of access. */
	bool shut =
		!foreign && (doctor->as_service ? access(path, R_OK) != 0
						: (doctor_permissions(found, service) & 4) == 0);
	if (foreign)
		doctor_say(doctor, DOCTOR_FAIL, "configuration owner",
			   "%s belongs to uid %u, neither to root nor to %s", path,
			   (unsigned int)found->st_uid, service->name);
	else if (shut)
		doctor_say(doctor, DOCTOR_FAIL, "configuration owner", "%s cannot be read by %s",
			   path, service->name);
	else
		doctor_say(doctor, DOCTOR_PASS, "configuration owner", "%s belongs to %s", path,
			   found->st_uid == 0 ? "root" : service->name);
	if (foreign || shut)
		mend_reading(doctor, foreign, found);
	if (open) {
		doctor_say(doctor, DOCTOR_FAIL, "configuration mode",
			   "%s can be written by others (mode %04o)", path, found->st_mode & 07777);
		if (foreign)
			mend_reading(doctor, foreign, found);
		else
			doctor_mend(doctor, "chmod go-w %s", doctor_quote(path).text);
	} else {
		doctor_say(doctor, DOCTOR_PASS, "configuration mode", "%s has mode %04o", path,
			   found->st_mode & 07777);
	}
	doctor_say(doctor, DOCTOR_PASS, "configuration parents",
		   "nobody else can put another file in the place of %s", path);
	return !foreign && !open && !shut;
}

/* One of the lines of settings_load: PATH:LINE: TEXT, or PATH: TEXT. */
static void say_error(struct doctor *doctor, const char *line)
{
	size_t length = strlen(doctor->configuration);
	const char *number = line + length + 1;
	size_t digits = 0;
	if (strncmp(line, doctor->configuration, length) == 0 && line[length] == ':')
		digits = strspn(number, TEXT_DIGIT);
	doctor_say(doctor, DOCTOR_FAIL, "configuration", "%s", line);
	doctor_mend(doctor, "\"${EDITOR:-vi}\" %s%.*s%s%s", digits > 0 ? "+" : "", (int)digits,
		    digits > 0 ? number : "", digits > 0 ? " " : "",
		    doctor_quote(doctor->configuration).text);
}

static void say_errors(struct doctor *doctor)
{
	cleanup_free char *lines =
		doctor->settings_error != NULL ? strdup(doctor->settings_error) : NULL;
	char *next = lines;
	if (lines == NULL)
		doctor_say(doctor, DOCTOR_FAIL, "configuration", "out of memory");
	size_t said = 0;
	for (char *line; said < ERRORS_MOST && (line = strsep(&next, "\n")) != NULL; said++)
		say_error(doctor, line);
	if (next == NULL)
		return;
	doctor_say(doctor, DOCTOR_FAIL, "configuration", "and more, of which each is told by:");
	doctor_mend(doctor, "jacamar config --check %s", doctor_quote(doctor->configuration).text);
}

/* What is no fault of the file's text alone; true where nothing is wrong. */
static bool check_use(struct doctor *doctor)
{
	const struct auth_settings *auth = &doctor->settings->auth;
	struct error err = {.detail = ""};
	if (seccomp_check(&auth->seccomp, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "configuration", "%s", err.detail);
		doctor_mend_key(doctor, "auth.seccomp",
				strstr(err.detail, "allow_calls") != NULL ? "allow_calls"
									  : "block_calls",
				NULL);
		return false;
	}
	if (arguments_check(doctor->settings->general.executor, &doctor->settings->batch, &err) !=
	    0) {
		doctor_say(doctor, DOCTOR_FAIL, "configuration", "%s", err.detail);
		doctor_mend_key(doctor, "batch", "default_args", NULL);
		return false;
	}
	if (doctor->downscope == DOWNSCOPE_UNSET && doctor->runner.count > 0) {
		doctor_say(doctor, DOCTOR_FAIL, "configuration",
			   "auth.downscope is missing, without which jacamar-auth runs no job");
		doctor_mend_key(doctor, "auth", "downscope", "\"setuid\"");
		return false;
	}
	if (auth->root_dir_creation && doctor->service.uid != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "configuration",
			   "auth.root_dir_creation needs a jacamar-auth that is root");
		doctor_mend_key(doctor, "auth", "root_dir_creation", "false");
		return false;
	}
	return true;
}

/* The script that judges each job is the service account's or root's, by the rules for programs. */
static void check_script(struct doctor *doctor)
{
	const char *script = doctor->settings->auth.runas.validation_script;
	struct error err = {.detail = ""};
	struct trust_fault fault;
	if (script == NULL)
		return;
	cleanup_free char *resolved = program_resolve(script, PROGRAM_OF_SERVICE, &err);
	if (resolved != NULL) {
		doctor_say(doctor, DOCTOR_PASS, "validation script", "%s is fit to be executed",
			   script);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "validation script", "%s", err.detail);
	const struct trust_terms terms = {.what = "a program", .owner = doctor->service.uid};
	cleanup_free char *trusted = trust_examine(script, &terms, &fault, &err);
	if (fault.entry[0] != '\0')
		doctor_mend_fault(doctor, &fault);
	else if (trusted != NULL)
		doctor_mend(doctor, "chmod a+x %s", doctor_quote(trusted).text);
	else
		doctor_mend_key(doctor, "auth.runas", "validation_script", NULL);
}

/* Without opening it: what a job would append to must be there to be written, or to be made. */
static void check_log_file(struct doctor *doctor, const char *path)
{
	struct stat found;
	struct doctor_word file = doctor_quote(path);
	bool there = lstat(path, &found) == 0;
	const char *fault = there ? audit_sink_file_fault(&found) : NULL;
	cleanup_free char *parent = strdup(path);
	char *slash = parent != NULL ? strrchr(parent, '/') : NULL;
	if (slash == NULL || !doctor_check_way(doctor, "audit log", path))
		return;
	slash[slash == parent ? 1 : 0] = '\0';
	if (fault == NULL && access(there ? path : parent, W_OK) != 0)
		fault = strerror(errno);
	if (fault == NULL) {
		doctor_say(doctor, DOCTOR_PASS, "audit log", "%s can be written", path);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "audit log", "%s: %s", path, fault);
	/* It may be any file of the system. */
	if (there)
		doctor_mend_key(doctor, "auth.logging", "location", NULL);
	else
		doctor_mend(doctor, "install -D -m 0640 -o %s /dev/null %s",
			    doctor_quote(doctor->service.name).text, file.text);
}

static void check_log(struct doctor *doctor)
{
	const struct logging_settings *log = &doctor->settings->auth.logging;
	struct error err = {.detail = ""};
	if (!log->enabled)
		return;
	if (log->location[0] == '/') {
		check_log_file(doctor, log->location);
	} else if (audit_sink_check(log, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "audit log", "%s takes it", log->location);
	} else {
		doctor_say(doctor, DOCTOR_FAIL, "audit log", "%s", err.detail);
		doctor_mend_key(doctor, "auth.logging", "location", NULL);
	}
}

static void say_missing(struct doctor *doctor, int why)
{
	const char *path = doctor->configuration;
	if (why == EACCES && !doctor->as_service) {
		doctor_leave_to_service(doctor, "configuration", "the file is not for you");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "configuration", "%s: %s", path, strerror(why));
	if (why != EACCES)
		doctor_mend(doctor, "\"${EDITOR:-vi}\" %s", doctor_quote(path).text);
	else if (doctor->asked_for_configuration)
		doctor_mend_closed(doctor, path);
	else
		mend_reading(doctor, false, NULL);
}

void doctor_check_configuration(struct doctor *doctor)
{
	struct stat found;
	const char *path = doctor->configuration;
	if (path == NULL) {
		doctor_say(doctor, DOCTOR_SKIP, "configuration", "no file was named");
		doctor_mend(doctor, "jacamar doctor --configuration FILE");
		return;
	}
	/* Behind such a way another file may be there by the time that a remedy is used. */
	if (!doctor_check_way(doctor, "configuration parents", path)) {
		doctor->refused_configuration = true;
		return;
	}
	if (stat(path, &found) != 0) {
		say_missing(doctor, errno);
		return;
	}
	doctor->refused_configuration = !check_file(doctor, &found);
	if (doctor->settings != NULL) {
		if (check_use(doctor))
			doctor_say(doctor, DOCTOR_PASS, "configuration", "%s has no error", path);
		if (doctor->as_service) {
			check_script(doctor);
			check_log(doctor);
		}
	} else if (doctor->refused_configuration) {
		doctor_say(doctor, DOCTOR_SKIP, "configuration",
			   "its text is looked at once that is mended");
	} else if (!doctor->as_service && access(path, R_OK) != 0) {
		doctor_leave_to_service(doctor, "configuration", "the file is not for you");
	} else {
		say_errors(doctor);
	}
}
