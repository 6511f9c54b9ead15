#include "core/lib/writers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* The size of the units of an NFS version 4 access control list. */
#define WORD 4

/* An access control list of the file; -1 with errno if it has none, or none can be read. */
static ssize_t get_list(const char *path, int fd, const char *name, void *list, size_t size)
{
	return fd >= 0 ? fgetxattr(fd, name, list, size) : lgetxattr(path, name, list, size);
}

static uint32_t read_number(const unsigned char *bytes)
{
	uint32_t number;
	memcpy(&number, bytes, sizeof(number));
	return ntohl(number);
}

bool writers_nfs4_list_is_plain(const unsigned char *list, size_t size)
{
	static const char *const plain[] = {"OWNER@", "GROUP@", "EVERYONE@"};
	size_t at = WORD;
	uint32_t entries = size >= at ? read_number(list) : UINT32_MAX;
	for (; entries > 0; entries--) {
		/* Type, flags and mask, then the length of a name, and the name, padded. */
		if (size < at || size - at < 4 * WORD)
			return false;
		size_t length = read_number(list + at + 3 * WORD);
		at += 4 * WORD;
		bool known = false;
		for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
			known = known || (length == strlen(plain[i]) && size - at >= length &&
					  memcmp(list + at, plain[i], length) == 0);
		if (!known)
			return false;
		at += (length + WORD - 1) / WORD * WORD;
	}
	return true;
}

/*
 * True if an access control list may let other accounts write. The mode alone does not say that:
 * its group bits are the most that such a list permits to anyone but the owner.
 */
static bool has_access_list(const char *path, int fd)
{
	unsigned char list[4096];
	if (get_list(path, fd, "system.posix_acl_access", NULL, 0) >= 0 ||
	    (errno != ENODATA && errno != EOPNOTSUPP))
		return true;
	ssize_t size = get_list(path, fd, "system.nfs4_acl", list, sizeof(list));
	return size >= 0 ? !writers_nfs4_list_is_plain(list, (size_t)size)
			 : errno != ENODATA && errno != EOPNOTSUPP;
}

/* Remembers one group: each stage checks several directories, most of them of one group. */
static int is_alone(const struct account *user, gid_t gid, struct error *err)
{
	static uid_t known_user;
	static gid_t known_gid;
	static bool known;
	if (known && known_user == user->uid && known_gid == gid)
		return 1;
	int alone = account_is_alone_in_group(user, gid, err);
	if (alone > 0) {
		known = true;
		known_user = user->uid;
		known_gid = gid;
	}
	return alone;
}

int writers_check(const char *path, int fd, const struct stat *found, const struct account *user,
		  struct error *err)
{
	struct account_group group = {.name = ""};
	struct error why;
	if ((found->st_mode & S_IWOTH) != 0)
		return error_set(err, ERROR_SYSTEM, "%s is writable by all accounts", path);
	if ((found->st_mode & S_IWGRP) == 0)
		return 0;
	if (has_access_list(path, fd))
		return error_set(err, ERROR_SYSTEM,
				 "%s is writable by its group, and its access control list may "
				 "name other accounts",
				 path);
	int alone = is_alone(user, found->st_gid, &why);
	if (alone > 0)
		return 0;
	if (account_group_by_gid(found->st_gid, NULL, &group, err) != 0 || group.name[0] == '\0')
		snprintf(group.name, sizeof(group.name), "%u", (unsigned int)found->st_gid);
	if (alone == 0)
		return error_set(err, ERROR_SYSTEM,
				 "%s is writable by its group %s, which has other members", path,
				 group.name);
	return error_set(err, ERROR_SYSTEM,
			 "%s is writable by its group %s, and it is not known whether that "
			 "group has other members: %s",
			 path, group.name, why.detail);
}
