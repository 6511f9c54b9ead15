/*
 * One user: whether a job may run as that account, and in which shell.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/doctor/doctor.h"
#include "core/io.h"
#include "core/login_shell.h"
#include "core/policy.h"
#include "core/program.h"

/* Names the key of [auth] that refuses, out of what the rule says. */
static void mend_rule(struct doctor *doctor, const char *reason)
{
	static const char *const keys[] = {"enforce_nologin",  "user_blocklist",   "user_allowlist",
					   "groups_blocklist", "groups_allowlist", "min_uid",
					   "shell_allowlist"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strstr(reason, keys[i]) != NULL) {
			doctor_mend_key(doctor, "auth", keys[i], NULL);
			return;
		}
	/* It is not for any setting to allow. */
	doctor_mend(doctor, "jacamar doctor --user NAME");
}

/* The rules for an account, but for that of its shell. */
static void check_rules(struct doctor *doctor, const struct account *account)
{
	const struct auth_settings *auth = &doctor->settings->auth;
	struct error err = {.detail = ""};
	char admitted[POLICY_TEXT_SIZE];
	size_t count = 0;
	cleanup_free gid_t *groups = account_groups(account, &count, &err);
	if (groups != NULL && policy_check_nologin(auth, &POLICY_SOURCES, &err) == 0 &&
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
	doctor_check_data_dir(doctor, account);
}
