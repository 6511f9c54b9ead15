/*
 * A local account, as passwd(5) and NSS know it.
 */
#ifndef JACAMAR_CORE_LIB_ACCOUNT_H
#define JACAMAR_CORE_LIB_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/lib/error.h"

#define ACCOUNT_NAME_SIZE 65
#define ACCOUNT_PATH_SIZE 1024

struct account {
	char name[ACCOUNT_NAME_SIZE];
	uid_t uid;
	gid_t gid;
	char home[ACCOUNT_PATH_SIZE];
	char shell[ACCOUNT_PATH_SIZE];
};

/* True for a login of GitLab: 1-64 bytes of [A-Za-z0-9._-], not starting with '-', not all
 * digits. */
bool account_login_is_valid(const char *login);

/*
 * True for a name that NSS may know: of the same form as a login, alone, or with the domain of a
 * directory such as Active Directory: NAME@DOMAIN or DOMAIN\NAME. At most 64 bytes.
 */
bool account_name_is_valid(const char *name);

/*
 * The account's name as a component of a path. A backslash becomes '+', which no valid name has:
 * GitLab Runner reads a backslash in the builds directory as a slash.
 */
void account_directory_name(const char *name, char out[ACCOUNT_NAME_SIZE]);

/*
 * A look-up has three results: found, not found, not answered. "Not answered" is never treated as
 * "not found": the look-up is repeated for some seconds, and then fails with ERROR_SYSTEM.
 */

/*
 * The account of exactly this name. Refuses a name that is not valid, that no account has, or for
 * which the system returns an account of another name (case-insensitive directories do).
 */
int account_by_name(const char *name, struct account *account, struct error *err);

/* The account that the system returns for the uid, whatever its name. */
int account_by_uid(uid_t uid, struct account *account, struct error *err);

/* 0 if an account has the uid; 1 if none has; -1 with *err. */
int account_find_uid(uid_t uid, struct error *err);

/* The account that this process runs as. */
int account_of_process(struct account *account, struct error *err);

/*
 * The name of that account, for the last message of this process. `name` stays unchanged if it
 * cannot be found out, or if a signal ends the wait.
 */
void account_name_of_process(char name[ACCOUNT_NAME_SIZE]);

/* Looks the account up by its name; refuses it if its uid or gid has changed. */
int account_confirm(const struct account *account, struct error *err);

/* Sets the error of that refusal; returns -1. */
int account_refuse_changed(const struct account *account, struct error *err);

/* A plain value; far more groups than directories allow (Active Directory: 1015). */
#define ACCOUNT_GROUPS_MOST 4096
struct account_groups {
	size_t count;
	gid_t gids[ACCOUNT_GROUPS_MOST]; /* in ascending order, each once */
};

/*
 * All groups of the account, with the primary one. An account in more groups than fit is an error.
 * The list may lack the groups of a source that failed without an error. After a failure, *groups
 * may have a part of them.
 */
int account_groups(const struct account *account, struct account_groups *groups, struct error *err);

/* Sorts the gids in ascending order. */
void account_groups_sort(struct account_groups *groups);
bool account_groups_have(const struct account_groups *groups, gid_t gid);

/* True if this process has the groups of the account, all of them and no others. */
bool account_groups_are_held(const struct account *account, const struct account_groups *groups);

struct account_group {
	gid_t gid;
	char name[ACCOUNT_NAME_SIZE]; /* "" if it is too long */
	bool has_member;	      /* its list of members has `member` */
	bool has_others;	      /* its list of members has somebody else */
	bool has_password;	      /* other accounts can join it with a password: newgrp(1) */
};

/*
 * The group of this name or id, and whether `member` (NULL: nobody) is in its list of members. A
 * source may answer this and fail for account_groups(). Returns 0, 1 if there is no such group, or
 * -1 with *err.
 */
int account_group_by_name(const char *name, const char *member, struct account_group *group,
			  struct error *err);
int account_group_by_gid(gid_t gid, const char *member, struct account_group *group,
			 struct error *err);

/*
 * Returns 1 if no account but `account` and root is in the group, neither by its list of members
 * nor as its primary group; 0 if another account is in it; -1 with *err if that is not known: a
 * source has not answered, does not list its accounts, or hides the members of groups, or the group
 * has a password. (A password in gshadow(5) is not seen: only root can read that file.)
 */
int account_is_alone_in_group(const struct account *account, gid_t gid, struct error *err);

/* The name of the group of that id. */
int account_group_name(gid_t gid, char name[ACCOUNT_NAME_SIZE], struct error *err);

#endif
