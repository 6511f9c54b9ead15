/*
 * One user: whether a job may run as that account, and in which shell.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/doctor/checks.h"
#include "core/executor/login_shell.h"
#include "core/policy/policy.h"
#include "core/privilege/trusted_program.h"

/* "; its groups: staff, cs", as far as they fit; "" if no list of groups is set. */
static void describe_groups(const struct doctor *doctor, const struct account_groups *groups,
			    char *text, size_t size)
{
	const struct auth_settings *auth = &doctor->settings->auth;
	char name[ACCOUNT_NAME_SIZE];
	struct error ignored;
	size_t used = 0;
	text[0] = '\0';
	if (auth->groups_allowlist.count == 0 && auth->groups_blocklist.count == 0)
		return;
	for (size_t i = 0; i < groups->count && used < size; i++) {
		if (account_group_name(groups->gids[i], name, &ignored) != 0)
			snprintf(name, sizeof(name), "%u", (unsigned int)groups->gids[i]);
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i == 0 ? "; its groups: " : ", ", name);
	}
}

/* All rules for an account except that of its shell. */
static void check_rules(struct doctor *doctor, const struct account *account)
{
	const struct auth_settings *auth = &doctor->settings->auth;
	struct error err = {.detail = ""};
	char its_groups[512];
	struct applicant applicant = {
		.settings = auth, .sources = &POLICY_SOURCES, .person = *account};
	memcpy(applicant.name, account->name, sizeof(applicant.name));
	/* No remedy: the administrators have closed the host, and know why. */
	if (account_groups(account, &applicant.groups, &err) != 0 ||
	    policy_check_nologin(&applicant, &err) != 0) {
		doctor_fail(doctor, "user", "%s", err.detail);
	} else if (policy_check_uid(account, &doctor->service, doctor->downscope, auth->min_uid,
				    &err) != 0 ||
		   policy_check_lists(&applicant, &err) != 0) {
		describe_groups(doctor, &applicant.groups, its_groups, sizeof(its_groups));
		doctor_fail(doctor, "user", "%s%s", err.detail, its_groups);
		/* Some accounts are refused whatever the settings are. */
		doctor_mend_key(doctor, err.key, NULL);
	} else {
		doctor_pass(doctor, "user", "jobs can run as %s (uid %u)", account->name,
			    (unsigned int)account->uid);
	}
}

static void check_reach(struct doctor *doctor, const struct account *account)
{
	char group[ACCOUNT_NAME_SIZE];
	struct error err = {.detail = ""};
	struct stat file;
	if (doctor->downscope != DOWNSCOPE_SETUID || doctor->service.uid == 0 ||
	    doctor->program == NULL || stat(doctor->program, &file) != 0)
		return;
	struct account_groups groups;
	if (account_groups(account, &groups, &err) == 0 &&
	    trusted_program_check_group(&file, doctor->program, account, &groups, &err) == 0)
		return;
	doctor_fail(doctor, "user", "%s", err.detail);
	/* No command removes an account from its primary group. */
	if (err.kind == ERROR_DENIED && account->gid != file.st_gid &&
	    account_group_name(file.st_gid, group, &err) == 0)
		doctor_mend(doctor, "gpasswd -d %s %s", account->name, group);
}

static void check_shell(struct doctor *doctor, const struct account *account)
{
	const struct settings *settings = doctor->settings;
	struct applicant applicant = {.settings = &settings->auth, .account = *account};
	struct error err = {.detail = ""};
	struct stat found;
	const char *bash = login_shell_find(settings->general.shell_path);
	bool there = stat(bash, &found) == 0;
	/* A refusal by the uid is a finding of its own. */
	bool is_refused = policy_check_uid(account, &doctor->service, doctor->downscope,
					   settings->auth.min_uid, &err) == 0 &&
			  policy_check_shell(&applicant, &err) != 0;
	if (is_refused && settings->auth.shell_allowlist.count == 0) {
		/* No remedy: an administrator has closed the account. */
		doctor_fail(doctor, "shell", "account %s is closed: its shell is %s", account->name,
			    account->shell);
	} else if (is_refused) {
		doctor_fail(doctor, "shell", "%s", err.detail);
		doctor_mend_key(doctor, err.key, NULL);
	} else if (there && S_ISREG(found.st_mode) &&
		   (doctor_permissions(&found, account) & 1) != 0) {
		doctor_pass(doctor, "shell", "%s runs the scripts of %s", bash, account->name);
	} else {
		doctor_fail(doctor, "shell", "%s, which runs scripts, %s", bash,
			    there ? "is not a program that the user can execute"
				  : "does not exist");
		if (settings->general.shell_path != NULL)
			doctor_mend_key(doctor, "general.shell_path", "\"/bin/bash\"");
		else
			doctor_mend_install(doctor, "bash", "bash");
	}
}

void doctor_check_user(struct doctor *doctor)
{
	bool none = doctor->downscope == DOWNSCOPE_NONE;
	const struct account *account = none ? &doctor->service : &doctor->account;
	struct error err = {.detail = ""};
	if (doctor->user == NULL && !none) {
		doctor_skip(doctor, "user", "no user was named");
		doctor_mend(doctor, "jacamar doctor --user NAME");
		return;
	}
	if (!none && !doctor->has_account) {
		(void)account_by_name(doctor->user, &doctor->account, &err);
		doctor_fail(doctor, "user", "%s", err.detail);
		return;
	}
	if (doctor->settings == NULL) {
		doctor_skip(doctor, "user",
			    "not checked, because the configuration could not be read");
		return;
	}
	if (none && doctor->user != NULL && strcmp(doctor->user, account->name) != 0)
		doctor_skip(doctor, "user", "auth.downscope is \"none\": jobs run as %s, not as %s",
			    account->name, doctor->user);
	else
		check_rules(doctor, account);
	check_reach(doctor, account);
	check_shell(doctor, account);
	doctor_check_data_dir(doctor, account);
}
