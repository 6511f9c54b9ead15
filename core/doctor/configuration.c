/*
 * jacamar-config.toml: its owner, its mode and its contents.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/rules.h"
#include "core/audit/audit_sink.h"
#include "core/doctor/checks.h"
#include "core/executor/arguments.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/privilege/seccomp.h"
#include "core/privilege/trusted_program.h"
#include "core/stage/pam_session.h"

/* config --check prints all errors. */
#define ERRORS_MOST 20

static void mend_reading(struct doctor *doctor, bool foreign, const struct stat *found)
{
	const char *path = doctor->configuration;
	/* The runner's file may name any file of the system. */
	if (!doctor->asked_for_configuration)
		doctor_mend(doctor, "set config_args in %s to a file that %s can read",
			    doctor->runner_file, doctor->service.name);
	else if (foreign)
		doctor_mend_copy(doctor, path, "0600", doctor->service.name);
	else if (found->st_uid == doctor->service.uid)
		doctor_mend(doctor, "chmod u+r %s", path);
	else
		doctor_mend(doctor, "chgrp -h %s %s && chmod g+r %s", doctor->group, path, path);
}

/* Its owner and mode. True if its contents may be checked. */
static bool check_file(struct doctor *doctor, const struct stat *found)
{
	const char *path = doctor->configuration;
	const struct account *service = &doctor->service;
	bool foreign = found->st_uid != 0 && found->st_uid != service->uid;
	bool open = secure_path_others_write(found->st_mode);
	/* The service account itself can ask the kernel; the mode does not show an ACL. */
	bool shut =
		!foreign && (doctor->as_service ? access(path, R_OK) != 0
						: (doctor_permissions(found, service) & 4) == 0);
	if (foreign)
		doctor_fail(doctor, "configuration owner",
			    "%s is owned by uid %u, not by root or %s", path,
			    (unsigned int)found->st_uid, service->name);
	else if (shut)
		doctor_fail(doctor, "configuration owner", "%s is not readable by %s", path,
			    service->name);
	else
		doctor_pass(doctor, "configuration owner", "%s is owned by %s", path,
			    found->st_uid == 0 ? "root" : service->name);
	if (foreign || shut)
		mend_reading(doctor, foreign, found);
	if (open) {
		doctor_fail(doctor, "configuration mode", "%s is writable by %s (mode %04o)", path,
			    doctor_writers(found->st_mode), found->st_mode & 07777);
		if (foreign)
			mend_reading(doctor, foreign, found);
		else
			doctor_mend(doctor, "chmod go-w %s", path);
	} else {
		doctor_pass(doctor, "configuration mode", "%s has mode %04o", path,
			    found->st_mode & 07777);
	}
	doctor_pass(doctor, "configuration parents", "no other account can replace %s", path);
	return !foreign && !open && !shut;
}

/* Each line of settings_load is PATH:LINE: TEXT, or PATH: TEXT, with a printable PATH. */
static void say_errors(struct doctor *doctor)
{
	const char *path = doctor->configuration;
	size_t length = strlen(path);
	char *next = doctor->settings_error;
	size_t said = 0;
	if (next == NULL)
		doctor_fail(doctor, "configuration", "out of memory");
	for (char *line; said < ERRORS_MOST && (line = strsep(&next, "\n")) != NULL; said++) {
		bool has_number =
			strlen(line) > length && line[length] == ':' && line[length + 1] != ' ';
		size_t number = has_number ? strtoul(line + length + 1, NULL, 10) : 0;
		doctor_fail(doctor, "configuration", "%s", line);
		doctor_mend(doctor, "\"${EDITOR:-vi}\" ");
		if (number > 0)
			doctor_mend(doctor, "+%zu ", number);
		doctor_mend(doctor, "%s", path);
	}
	if (next == NULL)
		return;
	doctor_fail(doctor, "configuration",
		    "there are more errors; this command prints all of them:");
	doctor_mend(doctor, "jacamar config --check %s", path);
}

/* Reports errors that depend on this host, too, not on the file alone. True if it found none. */
static bool check_use(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;
	struct error err = {.detail = ""};
	uid_t service = doctor->service.uid;
	if (seccomp_check(&settings->auth.seccomp, &err) != 0 ||
	    (service != 0 && pam_session_check(&settings->auth, service, &err) != 0) ||
	    arguments_check(settings->general.executor, &settings->batch, &err) != 0) {
		doctor_fail(doctor, "configuration", "%s", err.detail);
		doctor_mend_key(doctor, err.key, NULL);
	} else if (doctor->downscope == DOWNSCOPE_UNSET && doctor->runner.count > 0) {
		doctor_fail(doctor, "configuration",
			    "auth.downscope is missing; jacamar-auth cannot run jobs without it");
		doctor_mend_key(doctor, "auth.downscope", "\"setuid\"");
	} else if (settings->auth.root_dir_creation && service != 0) {
		doctor_fail(doctor, "configuration",
			    "auth.root_dir_creation needs a jacamar-auth that runs as root");
		doctor_mend_key(doctor, "auth.root_dir_creation", "false");
	} else {
		return true;
	}
	return false;
}

static void check_downscope(struct doctor *doctor)
{
	if (!doctor->ignores_downscope)
		return;
	doctor_warn(doctor, "downscope",
		    "jacamar --no-auth ignores auth.downscope: all jobs run as %s",
		    doctor->service.name);
	if (doctor->runner_file != NULL)
		doctor_mend(doctor, "call jacamar-auth in %s, or ", doctor->runner_file);
	else
		doctor_mend(doctor, "call jacamar-auth in the runner's config.toml, or ");
	doctor_mend(doctor, "set auth.downscope = \"none\" in %s", doctor->configuration);
}

/* A login is only as trustworthy as GitLab's rules for changing it, which doctor cannot see. */
static void check_logins(struct doctor *doctor)
{
	const char *provider = doctor->settings->auth.identity_provider;
	if (provider != NULL) {
		doctor_pass(doctor, "GitLab accounts",
			    "a job's account is taken from the identity at %s, not from the GitLab "
			    "login",
			    provider);
		return;
	}
	if (!rules_need_token(doctor->settings))
		return;
	doctor_skip(
		doctor, "GitLab accounts",
		"cannot be checked here: without auth.identity_provider, GitLab must forbid users "
		"to change their login, and group owners to create service accounts");
	doctor_mend_key(doctor, "auth.identity_provider", NULL);
}

/*
 * A group that does not exist on this host admits nobody. In the blocklist it makes every job fail,
 * because nobody can tell who its members would be.
 */
static void check_group_list(struct doctor *doctor, const char *key,
			     const struct string_list *names, enum doctor_result result)
{
	size_t before = doctor->count;
	for (size_t i = 0; i < names->count; i++) {
		struct account_group group;
		struct error err = {.detail = ""};
		int found = account_group_by_name(names->items[i], NULL, &group, &err);
		if (found == 0)
			continue;
		if (found < 0) {
			doctor_fail(doctor, "groups", "%s", err.detail);
			continue;
		}
		doctor_say(doctor, result, "groups", "the group %s does not exist on this host",
			   names->items[i]);
		doctor_mend_key(doctor, key, NULL);
	}
	if (doctor->count == before && names->count > 0)
		doctor_pass(doctor, "groups", "all groups of %s exist", key);
}

/* The rules for programs that are executed for each job apply to a program of the site. */
static void check_program(struct doctor *doctor, const char *title, const char *script,
			  enum trusted_program_use use, const char *key)
{
	struct error err = {.detail = ""};
	struct secure_path_fault fault;
	if (script == NULL)
		return;
	const struct secure_path_terms terms = {.what = "a program", .owner = doctor->service.uid};
	struct error ignored;
	cleanup_free char *resolved = trusted_program_resolve(script, use, &err);
	cleanup_free char *trusted = secure_path_examine(script, &terms, &fault, &ignored);
	if (resolved == NULL && fault.entry[0] != '\0') {
		doctor_say_fault(doctor, title, script, &fault);
		doctor_mend_fault(doctor, &fault);
		return;
	}
	if (doctor_judge(doctor, title, resolved != NULL, &err,
			 "%s is executable, and no other account can replace it", script))
		return;
	if (trusted != NULL)
		doctor_mend(doctor, "chmod a+x %s", trusted);
	else
		doctor_mend_key(doctor, key, NULL);
}

/* Does not open the file: it must be writable, or it must be possible to create it. */
static void check_log_file(struct doctor *doctor, const char *path)
{
	struct stat found;
	bool there = lstat(path, &found) == 0;
	const char *fault = there ? audit_sink_file_fault(&found) : NULL;
	cleanup_free char *parent = doctor_directory_of(path);
	if (parent == NULL || !doctor_check_way(doctor, "audit log", path))
		return;
	if (fault == NULL && access(there ? path : parent, W_OK) != 0)
		fault = strerror(errno);
	if (fault == NULL) {
		doctor_pass(doctor, "audit log", "%s can be written", path);
		return;
	}
	doctor_fail(doctor, "audit log", "%s: %s", path, fault);
	/* A file that exists may be any file of the system: the remedy must not change it. */
	if (there)
		doctor_mend_key(doctor, "auth.logging.location", NULL);
	else
		doctor_mend(doctor, "install -D -m 0640 -o %s /dev/null %s", doctor->service.name,
			    path);
}

static void check_log(struct doctor *doctor)
{
	/* If the log is off, the reasons of refusals go to the local syslog, if there is one. */
	static const struct logging_settings syslog = {.location = (char *)"syslog"};
	const struct logging_settings *log = &doctor->settings->auth.logging;
	struct error err = {.detail = ""};
	if (log->enabled && log->location[0] == '/') {
		check_log_file(doctor, log->location);
	} else if (log->enabled) {
		if (!doctor_judge(doctor, "audit log", audit_sink_check(log, &err) == 0, &err,
				  "%s accepts records", log->location))
			doctor_mend_key(doctor, "auth.logging.location", NULL);
	} else if (audit_sink_check(&syslog, &err) == 0) {
		doctor_pass(doctor, "audit log", "the local syslog accepts records of refusals");
	} else {
		doctor_warn(
			doctor, "audit log",
			"the reasons of refusals are lost: auth.logging.enabled is false, and no "
			"syslog daemon of this host takes them");
		doctor_mend(doctor,
			    "set auth.logging.enabled = true and auth.logging.location = "
			    "\"/LOG/FILE\" in %s",
			    doctor->configuration);
	}
}

static void say_missing(struct doctor *doctor, int why)
{
	const char *path = doctor->configuration;
	const char *other = doctor->runner_configuration;
	bool is_other = other != NULL && access(other, F_OK) == 0;
	doctor_fail(doctor, "configuration", "%s: %s", path, strerror(why));
	if (!doctor->asked_for_configuration)
		mend_reading(doctor, false, NULL);
	else if (why == EACCES)
		doctor_mend_closed(doctor, path);
	else
		doctor_mend(doctor, "jacamar doctor --configuration %s", is_other ? other : "FILE");
}

/* The contents, in the order of the report. */
static void check_settings(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;
	const struct auth_settings *auth = &settings->auth;
	if (check_use(doctor))
		doctor_pass(doctor, "configuration", "%s has no errors", doctor->configuration);
	check_downscope(doctor);
	check_logins(doctor);
	check_group_list(doctor, "auth.groups_allowlist", &auth->groups_allowlist, DOCTOR_WARN);
	check_group_list(doctor, "auth.groups_blocklist", &auth->groups_blocklist, DOCTOR_FAIL);
	if (!doctor->as_service)
		return;
	check_program(doctor, "validation script", auth->runas.validation_script,
		      PROGRAM_OF_SERVICE, "auth.runas.validation_script");
	check_program(doctor, "prepare hook", settings->general.prepare_hook, PROGRAM_PREPARE_HOOK,
		      "general.prepare_hook");
	check_log(doctor);
}

void doctor_check_configuration(struct doctor *doctor)
{
	struct stat found;
	const char *path = doctor->configuration;
	if (path == NULL) {
		doctor_skip(doctor, "configuration", "no configuration file was named");
		doctor_mend(doctor, "jacamar doctor --configuration FILE");
		return;
	}
	/* Otherwise the file could be replaced before somebody uses a remedy. */
	if (!doctor_check_way(doctor, "configuration parents", path)) {
		doctor->refused_configuration = true;
		return;
	}
	int why = stat(path, &found) == 0 ? 0 : errno;
	bool is_denied = why == EACCES || (why == 0 && access(path, R_OK) != 0);
	doctor->refused_configuration = why == 0 ? !check_file(doctor, &found) : why != EACCES;
	if (doctor->settings != NULL) {
		check_settings(doctor);
	} else if (doctor->refused_configuration && why == 0) {
		doctor_skip(doctor, "configuration",
			    "contents not checked until the above is fixed");
	} else if (!doctor->as_service && is_denied) {
		doctor_leave_to_service(doctor, "configuration",
					"you have no permission to read the file");
	} else if (why != 0) {
		say_missing(doctor, why);
	} else {
		say_errors(doctor);
	}
}
