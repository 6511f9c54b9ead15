#include "core/privilege/isolation.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/privilege/protected_paths.h"

/*
 * What <linux/landlock.h> and <sys/syscall.h> of the oldest platform do not have. The system calls
 * have these numbers on every architecture.
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif
#define RULESET_VERSION		   1U /* LANDLOCK_CREATE_RULESET_VERSION */
#define SCOPE_ABSTRACT_UNIX_SOCKET (1U << 0)
#define SCOPE_SIGNAL		   (1U << 1)

/* The first version of Landlock that has scopes; Linux 6.12. */
#define VERSION_WITH_SCOPES 6

/* struct landlock_ruleset_attr of that version. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static int check_kernel(struct error *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
	if (version >= VERSION_WITH_SCOPES)
		return 0;
	const char *why = version >= 0		? "its Landlock is older"
			  : errno == ENOSYS	? "it was built without Landlock"
			  : errno == EOPNOTSUPP ? "Landlock is not in its option lsm="
						: strerror(errno);
	return error_set_key(err, "auth.isolate", ERROR_SYSTEM,
			     "auth.isolate needs a kernel with Landlock ABI %d, Linux 6.12 or "
			     "later, but this kernel cannot isolate jobs: %s",
			     VERSION_WITH_SCOPES, why);
}

/*
 * jacamar needs these system calls only if jobs are isolated. seccomp.c lists those that it always
 * needs.
 */
static int check_calls(const struct auth_settings *settings, struct error *err)
{
	static const char *const names[] = {"landlock_create_ruleset", "landlock_restrict_self",
					    /* Only with protected paths: */
					    "landlock_add_rule", "statx", "openat2"};
	const struct seccomp_settings *seccomp = &settings->seccomp;
	const char *key =
		seccomp->block_all ? "auth.seccomp.allow_calls" : "auth.seccomp.block_calls";
	size_t count = settings->protected_paths.count > 0 ? 5 : 2;
	for (size_t i = 0; !seccomp->disabled && i < count; i++) {
		bool blocked = seccomp->block_all
				       ? !string_list_has(&seccomp->allow_calls, names[i])
				       : string_list_has(&seccomp->block_calls, names[i]);
		if (blocked)
			return error_set_key(err, key, ERROR_SYSTEM,
					     "%s blocks \"%s\", without which auth.isolate cannot "
					     "isolate jobs",
					     key, names[i]);
	}
	return 0;
}

int isolation_check(const struct auth_settings *settings, struct error *err)
{
	if (!settings->isolate)
		return 0;
	return check_calls(settings, err) == 0 ? check_kernel(err) : -1;
}

static int refuse(struct error *err)
{
	return error_set_key(err, "auth.isolate", ERROR_SYSTEM,
			     "cannot isolate the job, as auth.isolate asks for: %s",
			     strerror(errno));
}

int isolation_open(const struct state *state, struct error *err)
{
	struct ruleset attributes = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL};
	bool protects = state->settings.auth.protected_paths.count > 0;
	if (protects)
		attributes.handled_access_fs = PROTECTED_PATHS_RIGHTS;
	/* The kernel sets the close-on-exec flag of this descriptor. */
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (fd < 0)
		return refuse(err);
	if (!protects || protected_paths_add_rules(fd, state, err) == 0)
		return fd;
	close(fd);
	return -1;
}

int isolation_enter(const void *ruleset, struct error *err)
{
	if (syscall(SYS_landlock_restrict_self, *(const int *)ruleset, 0) != 0)
		return refuse(err);
	/*
	 * jacamar, the parent, is outside the domain: this process must not be able to signal it
	 * any more.
	 */
	return kill(getppid(), 0) != 0 && errno == EPERM ? 0 : error_faked(err, "auth.isolate");
}
