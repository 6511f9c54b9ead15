#include "core/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/downscope.h"
#include "core/io.h"
#include "core/nologin.h"
#include "core/text.h"

const struct policy_sources POLICY_SOURCES = {account_by_name, account_groups, runas_ask,
					      nologin_file};

static bool is_in(const struct string_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

/* Whoever it is: while the host is closed, a job is no way in. Its author hears why. */
int policy_check_nologin(const struct auth_settings *settings, const struct policy_sources *sources,
			 struct error *err)
{
	char text[ERROR_NOTICE_SIZE];
	const char *file = settings->enforce_nologin ? sources->nologin(text, sizeof(text)) : NULL;
	if (file == NULL)
		return 0;
	if (text[0] == '\0')
		snprintf(text, sizeof(text), "this host is closed to logins at present");
	error_set(err, ERROR_DENIED, "%s closes this host, as auth.enforce_nologin heeds: %s", file,
		  text);
	return error_notify(err, text);
}

static int check_nologin(struct applicant *applicant, struct error *err)
{
	return policy_check_nologin(applicant->settings, applicant->sources, err);
}

/* What started the pipeline ("push", "web", "schedule", ...); "" where the token does not say. */
static int check_source(struct applicant *applicant, struct error *err)
{
	const struct string_list *allowed = &applicant->settings->pipeline_source_allowlist;
	const char *source = applicant->claims->pipeline_source;
	if (allowed->count == 0 || is_in(allowed, source))
		return 0;
	return error_set(err, ERROR_DENIED,
			 "the pipeline's source '%s' is not in auth.pipeline_source_allowlist",
			 source);
}

/* The bots of projects and groups: GitLab makes them, nobody answers for them. */
static int check_bot(struct applicant *applicant, struct error *err)
{
	static const char *const owners[] = {"project_", "group_"};
	const char *login = applicant->claims->user_login;
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		size_t length = strlen(owners[i]);
		if (applicant->settings->allow_bot_accounts ||
		    strncmp(login, owners[i], length) != 0)
			continue;
		length += strspn(login + length, TEXT_DIGIT);
		if (strncmp(login + length, "_bot", 4) == 0)
			return error_set(err, ERROR_DENIED,
					 "%s is a bot of a project or group, and "
					 "auth.allow_bot_accounts is not set",
					 login);
	}
	return 0;
}

/*
 * True where the lists judge an account of this host, and not the mere name of a login: a name
 * that no account has exactly so is blocked by no list.
 */
static bool needs_account(const struct auth_settings *settings)
{
	return settings->user_blocklist.count > 0 || settings->groups_blocklist.count > 0 ||
	       settings->groups_allowlist.count > 0;
}

static bool has_group(const gid_t *groups, size_t count, gid_t gid)
{
	for (size_t i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/*
 * The name of the first group of `list` that is among `groups`; NULL: none. Ids are compared: a
 * group may have several names. Nobody is in a group that this host does not know; but a directory
 * that is down looks the same, so where that would admit somebody it is an error.
 */
static int find_group(const struct string_list *list, bool must_be_known, const gid_t *groups,
		      size_t count, const char **found, struct error *err)
{
	*found = NULL;
	for (size_t i = 0; i < list->count && *found == NULL; i++) {
		gid_t gid = 0;
		int result = account_group_by_name(list->items[i], &gid, err);
		if (result < 0)
			return -1;
		if (result > 0 && must_be_known)
			return error_set(err, ERROR_SYSTEM,
					 "the group %s of auth.groups_blocklist is not known on "
					 "this host: correct the name, or see to the directory of "
					 "groups",
					 list->items[i]);
		if (result == 0 && has_group(groups, count, gid))
			*found = list->items[i];
	}
	return 0;
}

int policy_check_lists(const struct auth_settings *settings, const char *name, const gid_t *groups,
		       size_t count, char admitted[POLICY_TEXT_SIZE], struct error *err)
{
	const char *group;
	if (is_in(&settings->user_blocklist, name))
		return error_set(err, ERROR_DENIED, "%s is in auth.user_blocklist", name);
	if (is_in(&settings->user_allowlist, name)) {
		snprintf(admitted, POLICY_TEXT_SIZE, "%s is in auth.user_allowlist", name);
		return 0;
	}
	if (find_group(&settings->groups_blocklist, true, groups, count, &group, err) != 0)
		return -1;
	if (group != NULL)
		return error_set(err, ERROR_DENIED,
				 "%s is in the group %s of auth.groups_blocklist", name, group);
	if (find_group(&settings->groups_allowlist, false, groups, count, &group, err) != 0)
		return -1;
	if (group == NULL &&
	    (settings->user_allowlist.count > 0 || settings->groups_allowlist.count > 0))
		return error_set(err, ERROR_DENIED,
				 "%s is in none of auth.user_allowlist and auth.groups_allowlist",
				 name);
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

/*
 * Whose account it would be: that of who triggered the job, until the script gives another.
 * Without downscoping it is still the person who is judged.
 */
static const char *name_of(const struct applicant *applicant)
{
	bool given = applicant->runas.username[0] != '\0' &&
		     applicant->settings->downscope != DOWNSCOPE_NONE;
	return given ? applicant->runas.username : applicant->claims->user_login;
}

static int check_lists(struct applicant *applicant, struct error *err)
{
	const struct auth_settings *settings = applicant->settings;
	struct account account;
	size_t count = 0;
	cleanup_free gid_t *groups = NULL;
	if (needs_account(settings)) {
		if (applicant->sources->account(name_of(applicant), &account, err) != 0)
			return -1;
		groups = applicant->sources->groups(&account, &count, err);
		if (groups == NULL)
			return -1;
	}
	return policy_check_lists(settings, name_of(applicant), groups, count, applicant->admitted,
				  err);
}

static int check_lists_before(struct applicant *applicant, struct error *err)
{
	return applicant->settings->lists_pre_validation ? check_lists(applicant, err) : 0;
}

static int ask_script(struct applicant *applicant, struct error *err)
{
	const struct runas_settings *runas = &applicant->settings->runas;
	if (runas->validation_script == NULL)
		return 0;
	applicant->asked = true;
	return applicant->sources->runas(runas, applicant->service, applicant->claims,
					 applicant->target, &applicant->runas, err);
}

/* Without downscoping there is but one account, which a script may not promise anybody else. */
static int find_account(struct applicant *applicant, struct error *err)
{
	const char *given = applicant->runas.username;
	if (applicant->settings->downscope != DOWNSCOPE_NONE)
		return applicant->sources->account(name_of(applicant), &applicant->account, err);
	if (given[0] != '\0' && strcmp(given, applicant->service->name) != 0)
		return error_set(err, ERROR_DENIED,
				 "auth.runas gives the account %s, but without downscoping jobs "
				 "run as %s",
				 given, applicant->service->name);
	applicant->account = *applicant->service;
	return 0;
}

/* The shells by which an administrator closes an account. */
static bool is_closed_shell(const char *shell)
{
	const char *slash = strrchr(shell, '/');
	const char *name = slash != NULL ? slash + 1 : shell;
	return strcmp(name, "nologin") == 0 || strcmp(name, "false") == 0;
}

int policy_check_shell(const struct auth_settings *settings, const struct account *account,
		       struct error *err)
{
	const struct string_list *allowed = &settings->shell_allowlist;
	if (settings->downscope == DOWNSCOPE_NONE || is_in(allowed, account->shell))
		return 0;
	if (allowed->count > 0)
		return error_set(err, ERROR_DENIED,
				 "the shell %s of %s is not in auth.shell_allowlist",
				 account->shell, account->name);
	if (is_closed_shell(account->shell))
		return error_set(err, ERROR_DENIED,
				 "account %s is closed: its shell is %s; change that, or have "
				 "auth.shell_allowlist list it",
				 account->name, account->shell);
	return 0;
}

static int check_shell(struct applicant *applicant, struct error *err)
{
	return policy_check_shell(applicant->settings, &applicant->account, err);
}

int policy_check_uid(const struct account *account, const struct account *service,
		     enum downscope_kind downscope, int64_t min_uid, struct error *err)
{
	if (account->uid == 0)
		return error_set(err, ERROR_DENIED, "%s is root, and no job runs as root",
				 account->name);
	/* Without downscoping the service account is what jobs run as, whatever its uid. */
	if (downscope == DOWNSCOPE_NONE)
		return 0;
	if (account->uid == service->uid)
		return error_set(err, ERROR_DENIED,
				 "%s is the service account, which no job may become",
				 account->name);
	if (account->uid == NOBODY_UID)
		return error_set(err, ERROR_DENIED,
				 "%s has uid %u, as which untrusted bytes are parsed, and which no "
				 "job may become",
				 account->name, (unsigned int)account->uid);
	if (account->uid < min_uid)
		return error_set(err, ERROR_DENIED, "uid %u of %s is below auth.min_uid, %" PRId64,
				 (unsigned int)account->uid, account->name, min_uid);
	return 0;
}

static int check_uid(struct applicant *applicant, struct error *err)
{
	return policy_check_uid(&applicant->account, applicant->service,
				applicant->settings->downscope, applicant->settings->min_uid, err);
}

/*
 * The order is what the manual promises. A rule comes once: the lists before the script are no
 * substitute for those behind it, which judge the account that the script has given.
 */
static int (*const RULES[])(struct applicant *applicant, struct error *err) = {
	check_nologin,	    /* auth.enforce_nologin */
	check_source,	    /* auth.pipeline_source_allowlist */
	check_bot,	    /* auth.allow_bot_accounts */
	check_lists_before, /* auth.lists_pre_validation */
	ask_script,	    /* auth.runas */
	check_lists,	    /* auth.user_blocklist, ... */
	find_account,	    /* of the name so far */
	check_shell,	    /* auth.shell_allowlist */
	check_uid,	    /* auth.min_uid, and who never has a job */
};

int policy_apply(struct applicant *applicant, struct error *err)
{
	for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
		if (RULES[i](applicant, err) != 0)
			return -1;
	return 0;
}
