#include "core/privilege/keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What a process may do with a keyring that it possesses, from the kernel's linux/key.h. The owner
 * and others get no rights.
 */
#define HOLDER_VIEW   0x01000000U
#define HOLDER_READ   0x02000000U
#define HOLDER_SEARCH 0x08000000U

/* Enough for the description of a session keyring: "keyring;UID;GID;PERMISSIONS;_ses". */
#define DESCRIPTION_SIZE 128

static int refuse(const char *account, struct error *err)
{
	if (errno == EDQUOT)
		return error_set(
			err, ERROR_SYSTEM,
			"cannot make a session keyring: %s has used up its quota of kernel "
			"keys. As %s, list the keys with 'keyctl show @u' and remove them "
			"with 'keyctl clear @u', or ask the administrator to raise "
			"kernel.keys.maxkeys",
			account, account);
	return error_errno(
		err, ERROR_SYSTEM, "cannot make a new session keyring%s",
		errno == EPERM ? " (in a container, the seccomp profile must allow keyctl)" : "");
}

static bool has_no_keyrings(long result)
{
	return result < 0 && errno == ENOSYS;
}

int keyring_leave(struct error *err)
{
	long joined = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (has_no_keyrings(joined))
		return 0;
	if (joined < 0)
		return refuse("the service account", err);
	if (syscall(SYS_keyctl, KEYCTL_SETPERM, KEY_SPEC_SESSION_KEYRING,
		    HOLDER_VIEW | HOLDER_READ | HOLDER_SEARCH) != 0)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot protect the service account's session keyring");
	return 0;
}

int keyring_join_own(const char *account, struct error *err)
{
	static const char type[] = "keyring;";
	char description[DESCRIPTION_SIZE] = "";
	char *end = description;
	long joined = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (has_no_keyrings(joined))
		return 0;
	if (joined < 0)
		return refuse(account, err);
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, description,
		    sizeof(description) - 1) < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot check whose the session keyring is");
	/* "keyring;UID;GID;PERMISSIONS;NAME": keyctl_describe(3) */
	bool ours = strncmp(description, type, strlen(type)) == 0 &&
		    strtoul(description + strlen(type), &end, 10) == getuid() && *end == ';';
	if (!ours)
		return error_set(err, ERROR_SYSTEM, "the session keyring does not belong to %s: %s",
				 account, description);
	return 0;
}
