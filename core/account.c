#include "core/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"

/* NSS asks for more room with ERANGE; an entry past this size is none that we would use. */
#define ENTRY_FIRST_SIZE 1024
#define ENTRY_MOST_SIZE	 (1024 * 1024)

struct group_entry {
	gid_t gid;
	char name[ACCOUNT_NAME_SIZE]; /* "" where it is too long */
};

bool account_name_is_valid(const char *name)
{
	return text_is_made_of(name, TEXT_WORD ".", ACCOUNT_NAME_SIZE - 1) && name[0] != '-' &&
	       strspn(name, TEXT_DIGIT) != strlen(name);
}

static int copy_entry(const struct passwd *entry, struct account *account, struct error *err)
{
	const char *shell = entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh";
	if (!text_copy(account->name, sizeof(account->name), entry->pw_name) ||
	    !text_copy(account->home, sizeof(account->home), entry->pw_dir) ||
	    !text_copy(account->shell, sizeof(account->shell), shell))
		return error_set(err, ERROR_SYSTEM, "the entry of account %s is too long",
				 entry->pw_name);
	account->uid = entry->pw_uid;
	account->gid = entry->pw_gid;
	return 0;
}

/* One lookup, by name where there is one, else by uid. */
static int look_up(const char *name, uid_t uid, struct account *account, struct error *err)
{
	for (size_t size = ENTRY_FIRST_SIZE; size <= ENTRY_MOST_SIZE; size *= 4) {
		cleanup_free char *room = malloc(size);
		struct passwd entry;
		struct passwd *found = NULL;
		if (room == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");

		int code = name != NULL ? getpwnam_r(name, &entry, room, size, &found)
					: getpwuid_r(uid, &entry, room, size, &found);
		if (code == ERANGE)
			continue;
		if (found != NULL)
			return copy_entry(found, account, err);
		if (code != 0 && code != ENOENT && code != ESRCH) {
			errno = code;
			return error_errno(err, ERROR_SYSTEM, "cannot look up the account");
		}
		break;
	}
	if (name != NULL)
		return error_set(err, ERROR_DENIED,
				 "there is no local account '%s': getent passwd '%s' must find it",
				 name, name);
	return error_set(err, ERROR_SYSTEM, "there is no account with uid %u", (unsigned int)uid);
}

int account_by_name(const char *name, struct account *account, struct error *err)
{
	if (!account_name_is_valid(name))
		return error_set(err, ERROR_DENIED, "'%s' cannot be the name of an account", name);
	if (look_up(name, 0, account, err) != 0)
		return -1;
	if (strcmp(account->name, name) != 0)
		return error_set(err, ERROR_DENIED, "the account of '%s' is named '%s'", name,
				 account->name);
	return 0;
}

int account_by_uid(uid_t uid, struct account *account, struct error *err)
{
	return look_up(NULL, uid, account, err);
}

int account_of_process(struct account *account, struct error *err)
{
	return account_by_uid(geteuid(), account, err);
}

gid_t *account_groups(const struct account *account, size_t *count, struct error *err)
{
	long most = sysconf(_SC_NGROUPS_MAX);
	for (int room = 64; room <= 4 * most; room *= 4) {
		int found = room;
		gid_t *groups = calloc((size_t)room, sizeof(*groups));
		if (groups == NULL) {
			error_set(err, ERROR_SYSTEM, "out of memory");
			return NULL;
		}
		if (getgrouplist(account->name, account->gid, groups, &found) >= 0) {
			*count = (size_t)found;
			return groups;
		}
		free(groups);
	}
	error_set(err, ERROR_SYSTEM, "%s is in more than %ld groups", account->name, most);
	return NULL;
}

/* One lookup, by name where there is one, else by gid: 0; 1 where there is none; -1 with *err. */
static int look_up_group(const char *name, gid_t gid, struct group_entry *out, struct error *err)
{
	/* A group's entry has all its members in it. */
	for (size_t size = ENTRY_FIRST_SIZE; size <= 16 * ENTRY_MOST_SIZE; size *= 4) {
		cleanup_free char *room = malloc(size);
		struct group entry;
		struct group *found = NULL;
		if (room == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");
		int code = name != NULL ? getgrnam_r(name, &entry, room, size, &found)
					: getgrgid_r(gid, &entry, room, size, &found);
		if (code == ERANGE)
			continue;
		if (found != NULL) {
			out->gid = found->gr_gid;
			text_copy(out->name, sizeof(out->name), found->gr_name);
			return 0;
		}
		if (code == 0 || code == ENOENT || code == ESRCH)
			return 1;
		errno = code;
		return error_errno(err, ERROR_SYSTEM, "cannot look up the group %s",
				   name != NULL ? name : "of a file");
	}
	return error_set(err, ERROR_SYSTEM, "the entry of the group %s is too long",
			 name != NULL ? name : "of a file");
}

int account_group_by_name(const char *name, gid_t *gid, struct error *err)
{
	struct group_entry found = {.gid = 0};
	int result = look_up_group(name, 0, &found, err);
	if (result == 0)
		*gid = found.gid;
	return result;
}

int account_group_name(gid_t gid, char name[ACCOUNT_NAME_SIZE], struct error *err)
{
	struct group_entry found = {.gid = 0};
	int result = look_up_group(NULL, gid, &found, err);
	if (result < 0)
		return -1;
	if (result > 0 || found.name[0] == '\0')
		return error_set(err, ERROR_SYSTEM, "there is no group with gid %u",
				 (unsigned int)gid);
	memcpy(name, found.name, sizeof(found.name));
	return 0;
}
