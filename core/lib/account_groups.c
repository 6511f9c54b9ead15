/*
 * The groups of accounts: account.h.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/account.h"
#include "core/lib/name_service.h"
#include "core/lib/text.h"

static int compare_gids(const void *a, const void *b)
{
	gid_t one = *(const gid_t *)a;
	gid_t other = *(const gid_t *)b;
	return one < other ? -1 : one > other;
}

void account_groups_sort(struct account_groups *groups)
{
	size_t kept = 0;
	qsort(groups->gids, groups->count, sizeof(groups->gids[0]), compare_gids);
	for (size_t i = 0; i < groups->count; i++)
		if (kept == 0 || groups->gids[kept - 1] != groups->gids[i])
			groups->gids[kept++] = groups->gids[i];
	groups->count = kept;
}

static enum name_answer list_groups(struct name_query *query, struct account_groups *groups)
{
	int found = ACCOUNT_GROUPS_MOST;
	errno = 0;
	int result = getgrouplist(query->whose->name, query->whose->gid, groups->gids, &found);
	query->why = errno;
	if (name_service_is_silent(query->why))
		return NOT_ANSWERED;
	if (result < 0) {
		error_set(query->err, ERROR_SYSTEM,
			  "%s is in %d groups; an account that runs jobs may be in %d at most",
			  query->whose->name, found, ACCOUNT_GROUPS_MOST);
		return LOOK_UP_FAILED;
	}
	groups->count = (size_t)found;
	account_groups_sort(groups);
	return ANSWER_FOUND;
}

/*
 * getgrouplist cannot report that a source failed: it returns the groups of the other sources, or
 * the primary group alone. So it is called twice, and only two equal answers count.
 */
static enum name_answer ask_groups(struct name_query *query)
{
	struct account_groups second;
	enum name_answer answer = list_groups(query, query->groups);
	if (answer == ANSWER_FOUND)
		answer = list_groups(query, &second);
	if (answer != ANSWER_FOUND)
		return answer;
	query->why = EAGAIN;
	return query->groups->count == second.count &&
			       memcmp(query->groups->gids, second.gids,
				      second.count * sizeof(second.gids[0])) == 0
		       ? ANSWER_FOUND
		       : NOT_ANSWERED;
}

int account_groups(const struct account *account, struct account_groups *groups, struct error *err)
{
	struct name_query query = {.whose = account, .groups = groups, .err = err};
	return name_service_look_up(&query, ask_groups, "the groups of ") == 0 ? 0 : -1;
}

bool account_groups_have(const struct account_groups *groups, gid_t gid)
{
	return bsearch(&gid, groups->gids, groups->count, sizeof(gid), compare_gids) != NULL;
}

bool account_groups_are_held(const struct account *account, const struct account_groups *groups)
{
	struct account_groups held;
	int count = getgroups(ACCOUNT_GROUPS_MOST, held.gids);
	if (count < 0)
		return false;
	held.count = (size_t)count;
	account_groups_sort(&held);
	for (size_t i = 0; i < held.count; i++)
		if (!account_groups_have(groups, held.gids[i]))
			return false;
	/* `groups` has the primary group; the supplementary groups need not. */
	bool has_primary = account_groups_have(&held, account->gid);
	return held.count + (has_primary ? 0 : 1) == groups->count;
}

/* True if the group has a member other than the account of that name. */
static bool has_other_member(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member != NULL; member++)
		if (strcmp(*member, name) != 0)
			return true;
	return false;
}

/* "x": the password, if there is one, is in gshadow(5). "!" and "*" match no password. */
static bool has_password(const struct group *group)
{
	const char *password = group->gr_passwd != NULL ? group->gr_passwd : "";
	return strcmp(password, "x") != 0 && strchr("!*", password[0]) == NULL;
}

static int read_group(struct name_query *query, char *room, size_t size, enum name_answer *answer)
{
	struct account_group *group = query->group;
	struct group entry;
	struct group *found = NULL;
	int code = query->name != NULL ? getgrnam_r(query->name, &entry, room, size, &found)
				       : getgrgid_r(query->id, &entry, room, size, &found);
	if (found == NULL)
		return code;
	group->gid = found->gr_gid;
	group->has_member = false;
	for (char **member = found->gr_mem; query->member != NULL && *member != NULL; member++)
		group->has_member = group->has_member || strcmp(*member, query->member) == 0;
	group->has_others = query->member != NULL && has_other_member(found, query->member);
	group->has_password = has_password(found);
	if (!text_copy(group->name, sizeof(group->name), found->gr_name))
		group->name[0] = '\0';
	*answer = ANSWER_FOUND;
	return code;
}

int account_group_by_name(const char *name, const char *member, struct account_group *group,
			  struct error *err)
{
	struct name_query query = {
		.read = read_group, .name = name, .member = member, .group = group, .err = err};
	return name_service_look_up(&query, name_service_ask_entry, "the group ");
}

int account_group_by_gid(gid_t gid, const char *member, struct account_group *group,
			 struct error *err)
{
	struct name_query query = {
		.read = read_group, .id = gid, .member = member, .group = group, .err = err};
	return name_service_look_up(&query, name_service_ask_entry, "the group with gid ");
}

/*
 * Finds out whether an account other than query->whose and root is in the group query->id. Reads
 * all entries that the sources list: several groups may have the same gid, and getgrgid(3) finds
 * only the first.
 */
static enum name_answer ask_for_others(struct name_query *query)
{
	const struct account *own = query->whose;
	const struct passwd *account;
	const struct group *group;
	bool has_own = false;
	bool has_others = false;
	setpwent();
	for (errno = 0; (account = getpwent()) != NULL; errno = 0) {
		has_own = has_own || account->pw_uid == own->uid;
		has_others = has_others || (account->pw_gid == query->id && account->pw_uid != 0 &&
					    account->pw_uid != own->uid);
	}
	query->why = errno;
	endpwent();
	setgrent();
	for (errno = 0; (group = getgrent()) != NULL; errno = 0)
		has_others =
			has_others || (group->gr_gid == query->id &&
				       (has_other_member(group, own->name) || has_password(group)));
	query->why = name_service_is_silent(query->why) ? query->why : errno;
	endgrent();
	if (has_others)
		return ANSWER_FOUND;
	if (name_service_is_silent(query->why))
		return NOT_ANSWERED;
	if (has_own)
		return ANSWER_NONE;
	/* Large directories find an account by its name, but do not list it. */
	error_set(query->err, ERROR_SYSTEM, "getent passwd does not list the account %s",
		  own->name);
	return LOOK_UP_FAILED;
}

/*
 * A source may hide the list of members: then the list lacks even an account that is in the group.
 */
static int check_members_are_listed(const struct account *account, gid_t gid, struct error *err)
{
	struct account_groups groups;
	if (account_groups(account, &groups, err) != 0)
		return -1;
	return account_groups_have(&groups, gid)
		       ? error_set(err, ERROR_SYSTEM, "getent group does not list its members")
		       : 0;
}

int account_is_alone_in_group(const struct account *account, gid_t gid, struct error *err)
{
	struct account_group group = {.has_others = false};
	int missing = account_group_by_gid(gid, account->name, &group, err);
	if (missing < 0 || group.has_others)
		return missing < 0 ? -1 : 0;
	if (group.has_password)
		return error_set(err, ERROR_SYSTEM,
				 "it has a password, with which any account can join it; remove "
				 "the password: gpasswd -r %s",
				 group.name);
	if (!group.has_member && gid != account->gid &&
	    check_members_are_listed(account, gid, err) != 0)
		return -1;
	struct name_query query = {.id = gid, .whose = account, .err = err};
	return name_service_look_up(&query, ask_for_others, "the members of a group of ");
}

int account_group_name(gid_t gid, char name[ACCOUNT_NAME_SIZE], struct error *err)
{
	struct account_group found = {.gid = 0};
	int result = account_group_by_gid(gid, NULL, &found, err);
	if (result < 0)
		return -1;
	if (result > 0 || found.name[0] == '\0')
		return error_set(err, ERROR_SYSTEM, "there is no group with gid %u",
				 (unsigned int)gid);
	memcpy(name, found.name, sizeof(found.name));
	return 0;
}
