/*
 * A local account, as passwd(5) and NSS know it.
 */
#ifndef JACAMAR_CORE_ACCOUNT_H
#define JACAMAR_CORE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

#define ACCOUNT_NAME_SIZE 65
#define ACCOUNT_PATH_SIZE 1024

struct account {
	char name[ACCOUNT_NAME_SIZE];
	uid_t uid;
	gid_t gid;
	char home[ACCOUNT_PATH_SIZE];
	char shell[ACCOUNT_PATH_SIZE];
};

/* True for 1-64 bytes of [A-Za-z0-9._-], not starting with '-', not all digits. */
bool account_name_is_valid(const char *name);

/*
 * The account of exactly this name. A name that is not valid, that nobody has, or under which
 * the system gives an account of another name (case-insensitive directories do), is refused.
 */
int account_by_name(const char *name, struct account *account, struct error *err);

/*
 * All groups of the account, the primary one too, in new memory, or NULL: a list that does not
 * fit is an error, and is not cut.
 */
gid_t *account_groups(const struct account *account, size_t *count, struct error *err);

/* The group of this name. Returns 0; 1 where there is none; -1 with *err. */
int account_group_by_name(const char *name, gid_t *gid, struct error *err);

/* The name of the group of that id. */
int account_group_name(gid_t gid, char name[ACCOUNT_NAME_SIZE], struct error *err);

/* The account that the system gives for the uid, whatever its name. */
int account_by_uid(uid_t uid, struct account *account, struct error *err);

/* The account that this process runs as. */
int account_of_process(struct account *account, struct error *err);

#endif
