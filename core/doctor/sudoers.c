/*
 * Checks whether sudoers lets the service account run the stages. sudo lists what it would allow,
 * and executes nothing.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/run_unprivileged.h"
#include "core/stage/sudo.h"

#define SUDO_LIMIT_MS 20000

/* For each stage: the end of its rule in sudoers, and the sub-stage of a call. */
static const struct {
	const char *stage;
	const char *rule;
	const char *operand; /* NULL: none */
} CALLS[] = {
	{"config", "config env-script", NULL},
	{"prepare", "prepare env-script", NULL},
	{"run", "run env-script *", "build_script"},
	{"cleanup", "cleanup env-script", NULL},
};

#define CALL_COUNT (sizeof(CALLS) / sizeof(CALLS[0]))

/* Options of sudoers with which every job fails: SUDO in jacamar-auth(8). */
static const char *const FATAL[] = {"requiretty", "log_input", "stay_setuid", "preserve_groups"};

/* A line that continues the one above it is indented more than any other line. */
#define FOLD "\n        "

void sudo_listing_unfold(char *listing)
{
	for (char *at = listing; (at = strstr(at, FOLD)) != NULL; at++) {
		size_t blanks = 1 + strspn(at + 1, " ");
		*at = ' ';
		memmove(at + 1, at + blanks, strlen(at + blanks) + 1);
	}
}

static const char *line_of(const char *listing, const char *at)
{
	while (at > listing && at[-1] != '\n')
		at--;
	return at;
}

/* The last occurrence of the text that is followed by the end of a line or of an item. */
static const char *find_last(const char *listing, const char *text)
{
	const char *last = NULL;
	size_t length = strlen(text);
	for (const char *at = listing; (at = strstr(at, text)) != NULL; at += length)
		if (strchr(",\n", at[length]) != NULL)
			last = at;
	return last;
}

/*
 * A tag applies to everything after it in the same line. So the last tag before the command counts.
 */
bool sudo_listing_asks_password(const char *listing, const char *command)
{
	static const char tag[] = "PASSWD:";
	bool asks = true;
	const char *found = find_last(listing, command);
	if (found == NULL)
		return false;
	for (const char *at = line_of(listing, found); (at = strstr(at, tag)) != NULL && at < found;
	     at += sizeof(tag) - 1)
		asks = at - listing < 2 || strncmp(at - 2, "NO", 2) != 0;
	return asks;
}

/* Options for some commands have lines of their own: Defaults!PATH OPTION, ... */
static bool is_for(const char *line, const char *at, const char *path)
{
	static const char scope[] = "Defaults!";
	const char *named = strstr(line, scope);
	size_t length = strlen(path);
	if (named == NULL || named > at)
		return true;
	named += sizeof(scope) - 1;
	return (strncmp(named, path, length) == 0 && named[length] == ' ') ||
	       strncmp(named, "ALL ", 4) == 0;
}

bool sudo_listing_has_option(const char *listing, const char *option, const char *path)
{
	size_t length = strlen(option);
	const char *commands = strstr(listing, " may run the following");
	bool set = false;
	for (const char *at = listing; (at = strstr(at, option)) != NULL; at += length) {
		if (commands != NULL && at > commands)
			break;
		bool whole = at > listing && strchr(" ,!\n", at[-1]) != NULL &&
			     strchr(" ,\n", at[length]) != NULL;
		if (whole && is_for(line_of(listing, at), at, path))
			set = at[-1] != '!';
	}
	return set;
}

struct asking {
	struct doctor *doctor;
	const char *sudo;
	const char *jacamar;
	struct unprivileged_output *captured;
};

/* Asks sudo; its list is in captured->output. -1 with *err if it could not be asked. */
static int ask(const struct asking *asking, const char *const *arguments, struct error *err)
{
	struct unprivileged_run capture = {
		.program = asking->sudo,
		.descriptor = -1,
		.arguments = (char *const *)arguments,
		.environment = sudo_environment(),
		.limit_ms = SUDO_LIMIT_MS,
		.may_gain = true,
	};
	return run_unprivileged(&capture, asking->captured, err);
}

/*
 * Appends the line to sudoers. The line is not composed if it would need quoting: sudoers does not
 * read a comma or a blank as a part of a path, and sudoers and echo change a backslash.
 */
static void mend_file(const struct asking *asking, const char *line)
{
	bool plain = text_is_made_of(asking->jacamar, TEXT_WORD "./+", PATH_MAX) &&
		     account_name_is_valid(asking->doctor->service.name) &&
		     strchr(line, '\\') == NULL;
	if (plain)
		doctor_mend(asking->doctor, "echo %s | EDITOR='tee -a' ", line);
	doctor_mend(asking->doctor, "visudo -f /etc/sudoers.d/jacamar");
}

static void mend_line(const struct asking *asking, size_t call)
{
	const struct doctor *doctor = asking->doctor;
	char line[PATH_MAX + 512];
	snprintf(line, sizeof(line), "%s ALL = (%s) NOPASSWD: %s --no-auth %s",
		 doctor->service.name, doctor->has_account ? doctor->account.name : "%ci-users",
		 asking->jacamar, CALLS[call].rule);
	mend_file(asking, line);
}

static void check_allowed(const struct asking *asking)
{
	struct doctor *doctor = asking->doctor;
	const char *user = doctor->user;
	const char *jacamar = asking->jacamar;
	struct error err = {.detail = ""};
	for (size_t i = 0; i < CALL_COUNT && doctor->has_account; i++) {
		const char *stage = CALLS[i].stage;
		const char *operand = CALLS[i].operand;
		const char *const arguments[] = {"sudo", "-n",	       "-l",	"-u",
						 user,	 "--",	       jacamar, "--no-auth",
						 stage,	 "env-script", operand, NULL};
		int result = ask(asking, arguments, &err);
		if (result == 0 && asking->captured->status == 0)
			continue;
		doctor_fail(doctor, "sudoers", "%s may not run the stage %s as %s%s%s",
			    doctor->service.name, stage, user, result != 0 ? ": " : "",
			    result != 0 ? err.detail : "");
		mend_line(asking, i);
	}
}

static void check_passwords(const struct asking *asking, const char *listing)
{
	char command[PATH_MAX + 64];
	for (size_t i = 0; i < CALL_COUNT; i++) {
		snprintf(command, sizeof(command), "%s --no-auth %s", asking->jacamar,
			 CALLS[i].rule);
		if (!sudo_listing_asks_password(listing, command))
			continue;
		doctor_fail(asking->doctor, "sudoers",
			    "sudo asks for a password for the stage %s: NOPASSWD is missing",
			    CALLS[i].stage);
		mend_line(asking, i);
	}
}

static void check_options(const struct asking *asking, const char *listing)
{
	struct doctor *doctor = asking->doctor;
	char line[PATH_MAX + 64];
	for (size_t i = 0; i < sizeof(FATAL) / sizeof(FATAL[0]); i++) {
		if (!sudo_listing_has_option(listing, FATAL[i], asking->jacamar))
			continue;
		/* The first one applies to the caller, the others to the command. */
		snprintf(line, sizeof(line), "Defaults%s%s !%s", i == 0 ? ":" : "!",
			 i == 0 ? doctor->service.name : asking->jacamar, FATAL[i]);
		doctor_fail(doctor, "sudoers",
			    "the option %s is in effect, with which every job fails", FATAL[i]);
		mend_file(asking, line);
	}
}

static void ask_all(const struct asking *asking)
{
	static const char *const arguments[] = {"sudo", "-n", "-l", NULL};
	struct doctor *doctor = asking->doctor;
	char *listing = asking->captured->output;
	struct error err = {.detail = ""};
	size_t before = doctor->count;
	if (ask(asking, arguments, &err) != 0 || asking->captured->status != 0) {
		doctor_fail(doctor, "sudoers", "%s may not use sudo%s%s", doctor->service.name,
			    asking->captured->errors[0] != '\0' ? ": " : "",
			    asking->captured->errors);
		mend_line(asking, 2);
		return;
	}
	sudo_listing_unfold(listing);
	check_options(asking, listing);
	check_passwords(asking, listing);
	/* Last: the answers of sudo take the place of its list. */
	check_allowed(asking);
	if (doctor->count > before)
		return;
	if (doctor->has_account)
		doctor_pass(doctor, "sudoers", "%s may run each stage as %s", doctor->service.name,
			    doctor->user);
	else
		doctor_skip(doctor, "sudoers", "not checked for a user: use --user NAME");
}

void doctor_check_sudo(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	struct asking asking = {.doctor = doctor};
	struct statvfs system;
	if (doctor->downscope != DOWNSCOPE_SUDO)
		return;
	asking.sudo = sudo_find(&err);
	if (asking.sudo == NULL) {
		doctor_fail(doctor, "sudo", "%s", err.detail);
		if (access("/usr/bin/sudo", F_OK) == 0)
			doctor_mend(doctor,
				    "chown root:root /usr/bin/sudo && chmod 4755 /usr/bin/sudo");
		return;
	}
	if (statvfs(asking.sudo, &system) == 0 && (system.f_flag & ST_NOSUID) != 0) {
		doctor_fail(doctor, "sudo", "the file system of %s is mounted with nosuid",
			    asking.sudo);
		doctor_mend(doctor, "mount -o remount,suid \"$(findmnt -n -o TARGET -T %s)\"",
			    asking.sudo);
	} else {
		doctor_pass(doctor, "sudo", "%s is owned by root and has the set-user-ID bit",
			    asking.sudo);
	}
	if (!doctor->as_service) {
		doctor_leave_to_service(
			doctor, "sudoers",
			"sudo lists permissions only to the service account itself");
		return;
	}
	cleanup_free char *jacamar = doctor_find_jacamar(doctor);
	cleanup_free struct unprivileged_output *captured = calloc(1, sizeof(*captured));
	asking.jacamar = jacamar;
	asking.captured = captured;
	if (jacamar != NULL && captured != NULL)
		ask_all(&asking);
}
