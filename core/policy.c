#include "core/policy.h"

#include <inttypes.h>
#include <string.h>

#include "core/downscope.h"
#include "core/text.h"

bool policy_needs_token(const struct settings *settings)
{
	const struct auth_settings *auth = &settings->auth;
	return auth->downscope != DOWNSCOPE_NONE || auth->user_allowlist.count > 0 ||
	       auth->user_blocklist.count > 0 || auth->groups_allowlist.count > 0 ||
	       auth->groups_blocklist.count > 0 || auth->pipeline_source_allowlist.count > 0 ||
	       auth->runas.validation_script != NULL || settings->general.jwt_required_aud != NULL;
}

static bool is_in(const struct string_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

int policy_check_source(const struct auth_settings *settings, const char *source, struct error *err)
{
	const struct string_list *allowed = &settings->pipeline_source_allowlist;
	if (allowed->count == 0 || is_in(allowed, source))
		return 0;
	return error_set(err, ERROR_DENIED,
			 "the pipeline's source '%s' is not in auth.pipeline_source_allowlist",
			 source);
}

int policy_check_login(const struct auth_settings *settings, const char *login, struct error *err)
{
	static const char *const owners[] = {"project_", "group_"};
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		size_t length = strlen(owners[i]);
		if (settings->allow_bot_accounts || strncmp(login, owners[i], length) != 0)
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
		       size_t count, struct error *err)
{
	const char *group;
	if (is_in(&settings->user_blocklist, name))
		return error_set(err, ERROR_DENIED, "%s is in auth.user_blocklist", name);
	if (is_in(&settings->user_allowlist, name))
		return 0;
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
	return 0;
}

bool policy_needs_account(const struct auth_settings *settings)
{
	return settings->user_blocklist.count > 0 || settings->groups_blocklist.count > 0 ||
	       settings->groups_allowlist.count > 0;
}

/* The shells by which an administrator closes an account. */
static bool is_closed_shell(const char *shell)
{
	const char *slash = strrchr(shell, '/');
	const char *name = slash != NULL ? slash + 1 : shell;
	return strcmp(name, "nologin") == 0 || strcmp(name, "false") == 0;
}

static int check_shell(const struct string_list *allowed, const struct account *account,
		       struct error *err)
{
	if (is_in(allowed, account->shell))
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

int policy_check_account(const struct auth_settings *settings, const struct account *account,
			 const struct account *service, struct error *err)
{
	if (settings->downscope != DOWNSCOPE_NONE &&
	    check_shell(&settings->shell_allowlist, account, err) != 0)
		return -1;
	return policy_check_uid(account, service, settings->downscope, settings->min_uid, err);
}
