/*
 * [general.container]: the runtime, and what it needs to start containers as a user.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "core/doctor/checks.h"
#include "core/executor/container.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

#define FILE_MOST_SIZE (4 * 1024 * 1024)

static void check_runtime(struct doctor *doctor)
{
	const struct container_settings *settings = &doctor->settings->general.container;
	const char *path = container_program(settings);
	struct stat found;
	bool there = stat(path, &found) == 0;
	if (there && S_ISREG(found.st_mode) && (found.st_mode & S_IXOTH) != 0) {
		if (doctor_check_way(doctor, "container runtime", path))
			doctor_pass(doctor, "container runtime",
				    "everyone can execute %s, and no other account can replace it",
				    path);
		return;
	}
	doctor_fail(doctor, "container runtime", "%s, which starts containers, %s", path,
		    there ? "is not a program that everyone can execute" : "does not exist");
	if (settings->path == NULL && !there)
		doctor_mend_install(doctor, strrchr(path, '/') + 1, strrchr(path, '/') + 1);
	else
		doctor_mend_key(doctor, "general.container.path", NULL);
}

/* Each of these can turn off user namespaces for users; the second one is a patch of Debian's. */
static void check_namespaces(struct doctor *doctor)
{
	static const char *const names[] = {"user/max_user_namespaces",
					    "kernel/unprivileged_userns_clone"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		char text[32];
		snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		if (io_read_text(AT_FDCWD, path, text, sizeof(text)) < 0 ||
		    strcmp(text, "0\n") != 0)
			continue;
		doctor_fail(doctor, "user namespaces",
			    "users cannot create user namespaces: %s is 0", path);
		doctor_mend(doctor, "echo %s >%s", i == 0 ? "15000" : "1", path);
		return;
	}
	doctor_pass(doctor, "user namespaces", "users can create user namespaces");
}

/* True if a line of the file begins with the account's name, or its uid, and a colon. */
static bool has_range(const char *path, const struct account *account)
{
	size_t size;
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, FILE_MOST_SIZE, &size) : NULL;
	cleanup_free char *number = text_format("%u", (unsigned int)account->uid);
	char *rest = text;
	for (char *line; number != NULL && rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
		const char *name = strsep(&line, ":");
		if (line != NULL && (strcmp(name, account->name) == 0 || strcmp(name, number) == 0))
			return true;
	}
	return false;
}

static void check_ranges(struct doctor *doctor)
{
	bool none = doctor->downscope == DOWNSCOPE_NONE;
	const struct account *account = none ? &doctor->service : &doctor->account;
	if (!none && !doctor->has_account)
		return; /* doctor_check_user reports that */
	if (has_range("/etc/subuid", account) && has_range("/etc/subgid", account)) {
		doctor_pass(doctor, "subordinate ids",
			    "/etc/subuid and /etc/subgid have ranges of %s", account->name);
		return;
	}
	/* nsswitch.conf(5) may have a directory service for them. */
	doctor_warn(
		doctor, "subordinate ids",
		"/etc/subuid or /etc/subgid has no range of %s, without which podman cannot map "
		"the ids of an image, unless a directory service has it",
		account->name);
	doctor_mend(doctor, "usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST %s",
		    account->name);
}

/* With a set-user-ID bit, the programs need more capabilities than a hardened service leaves. */
static void check_mappers(struct doctor *doctor)
{
	static const char *const paths[] = {"/usr/bin/newuidmap", "/usr/bin/newgidmap"};
	bool is_bounded = prctl(PR_CAPBSET_READ, CAP_DAC_OVERRIDE, 0, 0, 0) != 1 ||
			  prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 1;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct stat found;
		bool there = stat(paths[i], &found) == 0;
		if (capabilities_are_given(paths[i]) ||
		    (there && (found.st_mode & S_ISUID) != 0 && !is_bounded))
			continue;
		doctor_fail(doctor, "newuidmap", "%s %s", paths[i],
			    !there ? "does not exist"
			    : (found.st_mode & S_ISUID) != 0
				    ? "gets its privilege from its set-user-ID bit, and the "
				      "capability bounding set lacks cap_dac_override or "
				      "cap_sys_admin"
				    : "has no privilege");
		if (!there)
			doctor_mend_install(doctor, "uidmap", "shadow-utils");
		else
			doctor_mend(doctor, "chmod u-s %s && setcap cap_set%sid=ep %s", paths[i],
				    i == 0 ? "u" : "g", paths[i]);
		return;
	}
	doctor_pass(doctor, "newuidmap", "newuidmap and newgidmap can map ids of users");
}

void doctor_check_container(struct doctor *doctor)
{
	if (doctor->settings == NULL ||
	    doctor->settings->general.container.runtime == CONTAINER_NONE)
		return;
	check_runtime(doctor);
	check_namespaces(doctor);
	if (doctor->settings->general.container.runtime != CONTAINER_PODMAN)
		return;
	check_mappers(doctor);
	check_ranges(doctor);
}
