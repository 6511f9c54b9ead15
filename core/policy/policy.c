#include "core/policy/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/identity/machine_account.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/confined_uids.h"

const struct policy_sources POLICY_SOURCES = {account_by_name, account_groups, runas_ask,
					      policy_nologin_file};

int policy_check_nologin(struct applicant *applicant, struct error *err)
{
	char text[ERROR_NOTICE_SIZE];
	const char *file = applicant->settings->enforce_nologin
				   ? applicant->sources->nologin(text, sizeof(text))
				   : NULL;
	if (file == NULL)
		return 0;
	if (text[0] == '\0')
		snprintf(text, sizeof(text), "this host is closed to logins at present");
	error_set_key(err, "auth.enforce_nologin", ERROR_DENIED,
		      "%s closes this host to logins (auth.enforce_nologin): %s", file, text);
	return error_notify(err, text);
}

/* The source is "push", "web", "schedule", ...; "" if the token does not have it. */
static int check_source(struct applicant *applicant, struct error *err)
{
	const struct string_list *allowed = &applicant->settings->pipeline_source_allowlist;
	const char *source = applicant->claims->pipeline_source;
	if (allowed->count == 0 || string_list_has(allowed, source))
		return 0;
	return error_set_key(err, "auth.pipeline_source_allowlist", ERROR_DENIED,
			     "the pipeline's source '%s' is not in auth.pipeline_source_allowlist",
			     source);
}

/* The author of a fork's code need not be a member of the job's project. */
static int check_fork(struct applicant *applicant, struct error *err)
{
	const struct claims *claims = applicant->claims;
	char notice[ERROR_NOTICE_SIZE];
	if (applicant->settings->allow_fork_pipelines || !claims_are_of_fork(claims))
		return 0;
	error_set_key(err, "auth.allow_fork_pipelines", ERROR_DENIED,
		      "this pipeline runs code from the fork %.300s (project %" PRIu64
		      ") in %.300s, "
		      "and auth.allow_fork_pipelines is not set",
		      claims->project_path, claims->project_id, claims_job_project_path(claims));
	/* The author is told, because only they can change it. */
	snprintf(notice, sizeof(notice),
		 "this pipeline runs code from the fork %.120s, which is not allowed here; run it "
		 "in the fork itself, or from a branch of this project",
		 claims->project_path);
	return error_notify(err, notice);
}

static int check_person(struct applicant *applicant, struct error *err)
{
	char why[MACHINE_ACCOUNT_TEXT_SIZE];
	const char *login = applicant->claims->user_login;
	/* A job without a token has no login. */
	if (applicant->settings->allow_bot_accounts || login[0] == '\0' ||
	    !machine_account_is(applicant->claims, why))
		return 0;
	return error_set_key(err, "auth.allow_bot_accounts", ERROR_DENIED,
			     "%s %s, and auth.allow_bot_accounts is not set", login, why);
}

/* GitLab puts identities only into the tokens of users who have set that preference. */
static int refuse_without_identity(const char *login, const char *provider, struct error *err)
{
	char notice[ERROR_NOTICE_SIZE];
	error_set_key(err, "auth.identity_provider", ERROR_DENIED,
		      "the id token of %s has no identity of the provider %s, which "
		      "auth.identity_provider names",
		      login, provider);
	snprintf(notice, sizeof(notice),
		 "its id token does not contain your identity at %.64s; set the preference "
		 "pass_user_identities_to_ci_jwt of your GitLab account to true "
		 "(PUT /api/v4/user/preferences)",
		 provider);
	return error_notify(err, notice);
}

/* The account is named by the login, or by the identity at the provider of the site's directory. */
static int find_name(struct applicant *applicant, struct error *err)
{
	const char *provider = applicant->settings->identity_provider;
	const char *login = applicant->claims->user_login;
	const struct claims_identity *identity = NULL;
	size_t count = 0;
	if (provider == NULL) {
		(void)text_copy(applicant->name, sizeof(applicant->name), login);
		return 0;
	}
	for (size_t i = 0; i < CLAIMS_MOST_IDENTITIES; i++)
		if (strcmp(applicant->claims->identities[i].provider, provider) == 0) {
			identity = &applicant->claims->identities[i];
			count++;
		}
	if (count == 0)
		return refuse_without_identity(login, provider, err);
	if (count > 1)
		return error_set_key(err, "auth.identity_provider", ERROR_DENIED,
				     "the id token of %s has %zu identities of the provider %s, "
				     "which auth.identity_provider names",
				     login, count, provider);
	applicant->identity = identity;
	if (identity->account[0] == '\0')
		return error_set_key(
			err, "auth.identity_provider", ERROR_DENIED,
			"the identity '%s' of %s names no account; it is from the provider %s, "
			"which auth.identity_provider names",
			identity->extern_uid, login, provider);
	(void)text_copy(applicant->name, sizeof(applicant->name), identity->account);
	return 0;
}

/*
 * True if the lists need an account of this host and its exact name. An allowlist of users alone
 * compares the name that the token gives.
 */
static bool needs_account(const struct auth_settings *settings)
{
	return settings->user_blocklist.count > 0 || settings->groups_blocklist.count > 0 ||
	       settings->groups_allowlist.count > 0;
}

/*
 * The account name that is looked up in the lists: that of the person who triggered the job, until
 * the RunAs script gives another account. Without downscoping it remains the person's.
 */
static const char *name_of(const struct applicant *applicant)
{
	bool given = applicant->runas.username[0] != '\0' &&
		     applicant->settings->downscope != DOWNSCOPE_NONE;
	return given ? applicant->runas.username : applicant->name;
}

/*
 * Tells the job's author that they have no account here: the id token has proved that the name is
 * theirs. A name that the RunAs script has given may be another person's, so it is not mentioned.
 */
static int refuse_without_account(const struct applicant *applicant, const char *name,
				  struct error *err)
{
	char notice[ERROR_NOTICE_SIZE];
	if (err->kind != ERROR_DENIED || strcmp(name, applicant->name) != 0)
		return -1;
	snprintf(notice, sizeof(notice), "there is no account '%s' on this cluster", name);
	return error_notify(err, notice);
}

int policy_find_person(struct applicant *applicant, struct error *err)
{
	const char *name = name_of(applicant);
	if (applicant->groups.count > 0 && strcmp(applicant->person.name, name) == 0)
		return 0;
	applicant->groups.count = 0;
	if (applicant->sources->account(name, &applicant->person, err) != 0)
		return refuse_without_account(applicant, name, err);
	int result = applicant->sources->groups(&applicant->person, &applicant->groups, err);
	/* Later rules, which `jacamar explain` checks as well, must not find an incomplete list. */
	if (result != 0)
		applicant->groups.count = 0;
	return result;
}

int policy_find_group(const struct applicant *applicant, const struct string_list *list,
		      const char *key, bool blocks, const char **found, struct error *err)
{
	const char *name = name_of(applicant);
	*found = NULL;
	for (size_t i = 0; i < list->count && *found == NULL; i++) {
		struct account_group group;
		int result = account_group_by_name(list->items[i], name, &group, err);
		if (result < 0)
			return -1;
		if (result > 0 && blocks)
			return error_set_key(
				err, key, ERROR_SYSTEM,
				"the group %s of %s does not exist on this host: correct the name, "
				"or restore the directory that has it",
				list->items[i], key);
		if (result > 0)
			continue;
		bool has_group = account_groups_have(&applicant->groups, group.gid);
		if (!blocks && !has_group && group.has_member)
			return error_set_key(
				err, key, ERROR_SYSTEM,
				"the group %s of %s lists %s as a member, but it is not among the "
				"groups of %s: compare getent group %s with id %s",
				list->items[i], key, name, name, list->items[i], name);
		if (has_group || group.has_member)
			*found = list->items[i];
	}
	return 0;
}

int policy_check_lists(struct applicant *applicant, struct error *err)
{
	const struct auth_settings *settings = applicant->settings;
	const char *name = name_of(applicant);
	char *admitted = applicant->admitted;
	if (needs_account(settings) && policy_find_person(applicant, err) != 0)
		return -1;
	const char *group;
	if (string_list_has(&settings->user_blocklist, name))
		return error_set_key(err, "auth.user_blocklist", ERROR_DENIED,
				     "%s is in auth.user_blocklist", name);
	if (string_list_has(&settings->user_allowlist, name)) {
		snprintf(admitted, POLICY_TEXT_SIZE, "%s is in auth.user_allowlist", name);
		applicant->admitted_by = "auth.user_allowlist";
		return 0;
	}
	if (policy_find_group(applicant, &settings->groups_blocklist, "auth.groups_blocklist", true,
			      &group, err) != 0)
		return -1;
	if (group != NULL)
		return error_set_key(err, "auth.groups_blocklist", ERROR_DENIED,
				     "%s is in the group %s of auth.groups_blocklist", name, group);
	if (policy_find_group(applicant, &settings->groups_allowlist, "auth.groups_allowlist",
			      false, &group, err) != 0)
		return -1;
	bool groups_are_set = settings->groups_allowlist.count > 0;
	if (group == NULL && (settings->user_allowlist.count > 0 || groups_are_set))
		return error_set_key(
			err, groups_are_set ? "auth.groups_allowlist" : "auth.user_allowlist",
			ERROR_DENIED,
			"%s is not in auth.user_allowlist, nor in a group of "
			"auth.groups_allowlist",
			name);
	applicant->admitted_by = group != NULL ? "auth.groups_allowlist" : NULL;
	if (group != NULL)
		snprintf(admitted, POLICY_TEXT_SIZE,
			 "%s is in the group %s of auth.groups_allowlist", name, group);
	else if (needs_account(settings))
		snprintf(admitted, POLICY_TEXT_SIZE,
			 "%s is in no blocklist, and no allowlist is set", name);
	else
		snprintf(admitted, POLICY_TEXT_SIZE, "no list is set");
	return 0;
}

static int check_lists_before(struct applicant *applicant, struct error *err)
{
	return applicant->settings->lists_pre_validation ? policy_check_lists(applicant, err) : 0;
}

static int ask_script(struct applicant *applicant, struct error *err)
{
	const struct runas_settings *runas = &applicant->settings->runas;
	if (runas->validation_script == NULL)
		return 0;
	const struct runas_question question = {
		.service = applicant->service,
		.claims = applicant->claims,
		.name = applicant->name,
		.target = applicant->target,
		.scoped_user_id = applicant->scoped_user_id,
	};
	applicant->asked = true;
	return applicant->sources->runas(runas, &question, &applicant->runas, err);
}

/* Without downscoping all jobs run as the service account; the script may name no other. */
static int find_account(struct applicant *applicant, struct error *err)
{
	const char *given = applicant->runas.username;
	if (applicant->settings->downscope != DOWNSCOPE_NONE) {
		if (policy_find_person(applicant, err) != 0)
			return -1;
		applicant->account = applicant->person;
		return 0;
	}
	if (given[0] != '\0' && strcmp(given, applicant->service->name) != 0)
		return error_set(err, ERROR_DENIED,
				 "auth.runas chose the account %s, but without a change of account "
				 "jobs run as %s",
				 given, applicant->service->name);
	applicant->account = *applicant->service;
	return 0;
}

/* An administrator closes an account by such a shell. */
static bool is_closed_shell(const char *shell)
{
	const char *slash = strrchr(shell, '/');
	const char *name = slash != NULL ? slash + 1 : shell;
	return strcmp(name, "nologin") == 0 || strcmp(name, "false") == 0;
}

int policy_check_shell(struct applicant *applicant, struct error *err)
{
	const struct account *account = &applicant->account;
	const struct string_list *allowed = &applicant->settings->shell_allowlist;
	if (applicant->settings->downscope == DOWNSCOPE_NONE ||
	    string_list_has(allowed, account->shell))
		return 0;
	if (allowed->count > 0)
		return error_set_key(err, "auth.shell_allowlist", ERROR_DENIED,
				     "the shell %s of %s is not in auth.shell_allowlist",
				     account->shell, account->name);
	if (is_closed_shell(account->shell))
		return error_set_key(
			err, "auth.shell_allowlist", ERROR_DENIED,
			"account %s is closed: its shell is %s; change the shell, or add "
			"it to auth.shell_allowlist",
			account->name, account->shell);
	return 0;
}

int policy_check_uid(const struct account *account, const struct account *service,
		     enum downscope_kind downscope, int64_t min_uid, struct error *err)
{
	if (account->uid == 0)
		return error_set(err, ERROR_DENIED, "%s is root, and no job runs as root",
				 account->name);
	/* Without downscoping jobs run as the service account, whatever its uid is. */
	if (downscope == DOWNSCOPE_NONE)
		return 0;
	if (account->uid == service->uid)
		return error_set(
			err, ERROR_DENIED,
			"%s is the service account, and no job runs as the service account",
			account->name);
	if (account->uid == NOBODY_UID)
		return error_set(err, ERROR_DENIED,
				 "%s has uid %u (nobody), which stands for every unknown account, "
				 "and no job runs as that",
				 account->name, (unsigned int)account->uid);
	if (confined_uids_have(account->uid))
		return error_set_key(err, "auth.confined_uids", ERROR_DENIED,
				     "%s has uid %u, which is in the range of auth.confined_uids: "
				     "no job may run with a uid of that range; give the account "
				     "another uid, or set another range",
				     account->name, (unsigned int)account->uid);
	if (account->uid < min_uid)
		return error_set_key(err, "auth.min_uid", ERROR_DENIED,
				     "uid %u of %s is below auth.min_uid, %" PRId64,
				     (unsigned int)account->uid, account->name, min_uid);
	return 0;
}

static int check_uid(struct applicant *applicant, struct error *err)
{
	return policy_check_uid(&applicant->account, applicant->service,
				applicant->settings->downscope, applicant->settings->min_uid, err);
}

/*
 * The manual documents this order. The lists are checked before RunAs (lists_pre_validation) and
 * again after it: the script may have given another account.
 */
const struct policy_rule POLICY_RULES[] = {
	{POLICY_NOLOGIN, "auth.enforce_nologin", policy_check_nologin, false},
	{"pipeline source", "auth.pipeline_source_allowlist", check_source, false},
	{"fork", "auth.allow_fork_pipelines", check_fork, false},
	{POLICY_MACHINE, "auth.allow_bot_accounts", check_person, false},
	{"account name", "auth.identity_provider", find_name, true},
	{POLICY_AUTH_RULES, "", policy_check_auth_rules, false}, /* [[auth.rule]] */
	{"lists before RunAs", "auth.lists_pre_validation", check_lists_before, false},
	{POLICY_RUNAS, "auth.runas.validation_script", ask_script, true},
	{"lists", "", policy_check_lists, false}, /* auth.user_blocklist, ... */
	{"account", "", find_account, true},	  /* of the name that was found */
	{"shell", "auth.shell_allowlist", policy_check_shell, false},
	{"uid", "auth.min_uid", check_uid, false}, /* and accounts that may never run a job */
};
const size_t POLICY_RULE_COUNT = sizeof(POLICY_RULES) / sizeof(POLICY_RULES[0]);

int policy_apply(struct applicant *applicant, struct error *err)
{
	for (size_t i = 0; i < POLICY_RULE_COUNT; i++) {
		if (POLICY_RULES[i].check(applicant, err) == 0)
			continue;
		applicant->rule = POLICY_RULES[i].name;
		return -1;
	}
	return 0;
}
