/*
 * Finds out which account GitLab Runner runs as (the service account). If root follows the remedies
 * that doctor prints, this account can become every other account. So the fact that an account owns
 * a file is never enough to choose it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"

enum service_source service_choose(const struct service_clues *clues)
{
	bool is_reserved = clues->is_private || clues->is_capable;
	bool is_root = clues->caller == 0;
	if (is_reserved && clues->has_group)
		return SERVICE_OF_GROUP;
	/* root may execute every program. */
	if (clues->is_private && clues->is_let_in && !is_root)
		return SERVICE_OF_CALLER;
	if (clues->has_runner_file)
		return SERVICE_OF_RUNNER_FILE;
	/*
	 * The program is for another account, unless only root can execute it and it has no
	 * capabilities.
	 */
	if (is_reserved && !(is_root && clues->is_of_root && !clues->is_capable))
		return SERVICE_UNKNOWN;
	if (clues->configuration_owner != 0 && clues->configuration_owner != clues->caller)
		return SERVICE_UNKNOWN;
	return SERVICE_OF_CALLER;
}

static void look_at_program(const char *path, struct service_clues *clues, struct account *account)
{
	struct error err;
	struct stat file;
	char group[ACCOUNT_NAME_SIZE];
	if (path == NULL || stat(path, &file) != 0)
		return;
	clues->is_private = (file.st_mode & 001) == 0;
	clues->is_capable = capabilities_are_given(path);
	clues->is_let_in = access(path, X_OK) == 0;
	clues->is_of_root = file.st_uid == 0 && file.st_gid == 0;
	clues->has_group = file.st_uid == 0 && account_group_name(file.st_gid, group, &err) == 0 &&
			   account_by_name(group, account, &err) == 0 && account->uid != 0;
}

/*
 * The owner of the file, or if the caller cannot see it, of the first directory above that the
 * caller can see. A directory of root's does not count: it may contain files of any account.
 */
static bool find_owner(const char *path, uid_t *owner)
{
	struct stat found;
	bool is_hidden = false;
	cleanup_free char *at = secure_path_make_absolute(path);
	while (at != NULL && at[0] != '\0') {
		*owner = 0;
		if (stat(at, &found) == 0) {
			*owner = found.st_uid;
			return !is_hidden || found.st_uid != 0;
		}
		char *slash = strrchr(at, '/');
		if (errno != EACCES || slash == NULL)
			return false;
		is_hidden = true;
		*slash = '\0';
	}
	return false;
}

static bool find_file_owner(const struct doctor *doctor, uid_t *owner,
			    struct secure_path_fault *fault)
{
	*fault = (struct secure_path_fault){.entry = ""};
	if (doctor->runner_file == NULL || !find_owner(doctor->runner_file, owner))
		return false;
	doctor_examine_way(doctor->runner_file, *owner, fault);
	return fault->entry[0] == '\0';
}

void doctor_find_service(struct doctor *doctor)
{
	struct error err;
	struct secure_path_fault fault;
	uid_t owner = 0;
	struct account group = {.uid = 0};
	struct service_clues clues = {.caller = geteuid()};
	look_at_program(doctor->program, &clues, &group);
	clues.has_runner_file = find_file_owner(doctor, &owner, &fault);
	if (doctor->configuration != NULL)
		(void)find_owner(doctor->configuration, &clues.configuration_owner);
	doctor->source = service_choose(&clues);
	if (doctor->source == SERVICE_UNKNOWN)
		return;
	uid_t uid = doctor->source == SERVICE_OF_RUNNER_FILE ? owner : clues.caller;
	doctor->has_service = doctor->source == SERVICE_OF_GROUP ||
			      account_by_uid(uid, &doctor->service, &err) == 0;
	if (doctor->source == SERVICE_OF_GROUP)
		doctor->service = group;
	else if (!doctor->has_service)
		doctor->service = (struct account){.name = "?", .uid = uid, .gid = (gid_t)-1};
	doctor->as_service = doctor->has_service && doctor->service.uid == geteuid();
	if (account_group_name(doctor->service.gid, doctor->group, &err) != 0)
		snprintf(doctor->group, sizeof(doctor->group), "%u",
			 (unsigned int)doctor->service.gid);
}

static void check_home(struct doctor *doctor)
{
	const struct account *service = &doctor->service;
	struct stat found;
	bool seen = stat(service->home, &found) == 0;
	if ((!seen && errno == EACCES && !doctor->as_service) ||
	    !doctor_check_way(doctor, "service home", service->home))
		return;
	if (!seen || !S_ISDIR(found.st_mode)) {
		doctor_warn(doctor, "service home",
			    "%s, the home directory of %s, does not exist or is not a directory: "
			    "key sets are not cached",
			    service->home, service->name);
		doctor_mend(doctor, "install -d -m 0755 -o %s %s", service->name, service->home);
	} else if (found.st_uid != service->uid && found.st_uid != 0) {
		doctor_fail(doctor, "service home",
			    "%s, the home directory of %s, is owned by uid %u", service->home,
			    service->name, (unsigned int)found.st_uid);
		doctor_mend(doctor, "use a home directory for %s that %s owns", service->name,
			    service->name);
	} else if (secure_path_others_write(found.st_mode)) {
		doctor_fail(doctor, "service home",
			    "%s, the home directory of %s, is writable by %s", service->home,
			    service->name, doctor_writers(found.st_mode));
		/* A directory like /tmp is for everyone. */
		if ((found.st_mode & S_ISVTX) != 0)
			doctor_mend(doctor,
				    "use a home directory for %s that others cannot write to",
				    service->name);
		else
			doctor_mend(doctor, "chmod go-w %s", service->home);
	} else {
		doctor_pass(doctor, "service home", "only %s can write to %s", service->name,
			    service->home);
	}
}

/* If a fault of the runner's file is why its owner is not used, that fault is reported. */
static void say_unknown(struct doctor *doctor)
{
	struct secure_path_fault fault;
	uid_t owner = 0;
	const char *file = doctor->runner_file;
	(void)find_file_owner(doctor, &owner, &fault);
	if (fault.entry[0] != '\0') {
		doctor_say_fault(doctor, "service account", file, &fault);
		doctor_mend_fault(doctor, &fault);
		return;
	}
	doctor_fail(
		doctor, "service account",
		"cannot determine the account of GitLab Runner from the group of the program%s%s",
		file != NULL ? ", the calling account or " : " or the calling account",
		file != NULL ? file : "");
	doctor_mend(doctor, "jacamar doctor --runner-config FILE");
}

void doctor_check_service(struct doctor *doctor)
{
	static const char *const sources[] = {
		[SERVICE_OF_GROUP] = "the group of the program",
		[SERVICE_OF_CALLER] = "the calling account",
		[SERVICE_OF_RUNNER_FILE] = "the owner of the runner's file",
	};
	const struct account *service = &doctor->service;
	if (doctor->source == SERVICE_UNKNOWN) {
		say_unknown(doctor);
		return;
	}
	if (!doctor->has_service) {
		doctor_fail(doctor, "service account",
			    "the runner has uid %u, but no account has this uid",
			    (unsigned int)service->uid);
		return;
	}
	if (doctor->downscope == DOWNSCOPE_NONE && service->uid == 0) {
		doctor_fail(doctor, "service account",
			    "auth.downscope is \"none\", but jobs cannot run as root");
		doctor_mend_key(doctor, "auth.downscope", "\"setuid\"");
		return;
	}
	doctor_pass(doctor, "service account", "the runner runs as %s (uid %u), according to %s",
		    service->name, (unsigned int)service->uid, sources[doctor->source]);
	check_home(doctor);
	if (doctor->service_error[0] != '\0') {
		doctor_fail(doctor, "identity", "checks that only %s can make are skipped: %s",
			    service->name, doctor->service_error);
		doctor_mend_as_service(doctor);
	} else if (!doctor->as_service) {
		doctor_leave_to_service(
			doctor, "identity",
			"checks that only the service account can make are skipped");
	}
}
