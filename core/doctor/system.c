/*
 * The service account, and what the kernel and the system's libraries must have for a job.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/confine.h"
#include "core/doctor/doctor.h"
#include "core/libraries.h"
#include "core/policy.h"
#include "core/seccomp.h"

#define CHILD_LIMIT_MS 10000

static void check_home(struct doctor *doctor)
{
	const struct account *service = &doctor->service;
	struct doctor_word home = doctor_quote(service->home);
	struct doctor_word name = doctor_quote(service->name);
	struct stat found;
	bool seen = stat(service->home, &found) == 0;
	if (!seen && errno == EACCES && !doctor->as_service)
		return;
	if (!seen || !S_ISDIR(found.st_mode)) {
		doctor_say(doctor, DOCTOR_WARN, "service home",
			   "%s, the home of %s, is no directory: key sets are not kept",
			   service->home, service->name);
		doctor_mend(doctor, "install -d -m 0755 -o %s %s", name.text, home.text);
	} else if (found.st_uid != service->uid && found.st_uid != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "service home",
			   "%s, the home of %s, belongs to uid %u", service->home, service->name,
			   (unsigned int)found.st_uid);
		doctor_mend(doctor, "usermod -d /home/%s %s", name.text, name.text);
	} else if ((found.st_mode & 022) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "service home",
			   "%s, the home of %s, can be written by others", service->home,
			   service->name);
		/* One like /tmp is everyone's. */
		if ((found.st_mode & S_ISVTX) != 0)
			doctor_mend(doctor, "usermod -d /home/%s %s", name.text, name.text);
		else
			doctor_mend(doctor, "chmod go-w %s", home.text);
	} else {
		doctor_say(doctor, DOCTOR_PASS, "service home", "%s is for %s alone to write",
			   service->home, service->name);
	}
}

void doctor_check_service(struct doctor *doctor)
{
	const struct account *service = &doctor->service;
	if (strcmp(service->name, "?") == 0) {
		doctor_say(doctor, DOCTOR_FAIL, "service account",
			   "the runner's uid is %u, and no account has it",
			   (unsigned int)service->uid);
		doctor_mend(doctor, "useradd -r -m -U -u %u gitlab-runner",
			    (unsigned int)service->uid);
		return;
	}
	if (doctor->downscope == DOWNSCOPE_NONE && service->uid == 0) {
		doctor_say(doctor, DOCTOR_FAIL, "service account",
			   "auth.downscope is \"none\", and no job runs as root");
		doctor_mend_key(doctor, "auth", "downscope", "\"setuid\"");
		return;
	}
	doctor_say(doctor, DOCTOR_PASS, "service account", "the runner is %s (uid %u)",
		   service->name, (unsigned int)service->uid);
	check_home(doctor);
	if (!doctor->as_service)
		doctor_leave_to_service(doctor, "identity",
					"what only the service account sees is left out");
}

/* Whether this session could execute what gains privilege: the service's own may differ. */
static void check_privilege(struct doctor *doctor)
{
	bool by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	bool by_sudo = doctor->downscope == DOWNSCOPE_SUDO;
	int set = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	if (set < 0) {
		doctor_say(doctor, DOCTOR_FAIL, "no_new_privs", "the kernel has none: %s",
			   strerror(errno));
		return;
	}
	if (set == 1 && (by_file || by_sudo)) {
		doctor_say(doctor, DOCTOR_FAIL, "no_new_privs",
			   "it is set here, and makes %s void; of a service, that is "
			   "NoNewPrivileges=, and all that implies it",
			   by_file ? "file capabilities" : "sudo");
		doctor_mend(doctor, "systemctl edit gitlab-runner.service");
		return;
	}
	doctor_say(doctor, DOCTOR_PASS, "no_new_privs", "the kernel has it, and it is %s",
		   set == 1 ? "set, which does no harm here" : "not set here");
}

static void check_bounding_set(struct doctor *doctor)
{
	bool both = prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_READ, CAP_SETGID, 0, 0, 0) == 1;
	bool needed = doctor->downscope == DOWNSCOPE_SETUID || doctor->downscope == DOWNSCOPE_SUDO;
	if (both || !needed) {
		doctor_say(doctor, DOCTOR_PASS, "bounding set", "%s",
			   needed ? "it has cap_setgid and cap_setuid" : "nothing is needed of it");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "bounding set",
		   "it lacks cap_setgid or cap_setuid here; of a service, that is "
		   "CapabilityBoundingSet=");
	doctor_mend(doctor, "systemctl edit gitlab-runner.service");
}

/* In a confined child: nothing of it stays here. */
static int open_libraries(const void *argument, void *reply, struct error *err)
{
	struct jose_library jose;
	struct curl_library curl;
	struct seccomp_library seccomp;
	(void)argument;
	(void)reply;
	return libraries_open_jose(&jose, err) == 0 && libraries_open_curl(&curl, err) == 0 &&
			       libraries_open_seccomp(&seccomp, err) == 0
		       ? 0
		       : -1;
}

static void check_libraries(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	if (confine_run(open_libraries, NULL, NULL, 0, CHILD_LIMIT_MS, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "libraries",
			   "libjose, libcurl and libseccomp are there");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "libraries", "%s", err.detail);
	doctor_mend(doctor, "%s",
		    access("/usr/bin/apt-get", X_OK) == 0
			    ? "apt-get install libjose0 libcurl4 libseccomp2"
			    : "dnf install libjose libcurl libseccomp");
}

/* In a confined child, which has no_new_privs: the filters of a job, as a job gets them. */
static int load_filters(const void *argument, void *reply, struct error *err)
{
	const struct doctor *doctor = argument;
	const struct seccomp_settings none = {.disabled = false};
	const struct seccomp_settings *settings =
		doctor->settings != NULL ? &doctor->settings->auth.seccomp : &none;
	(void)reply;
	json_auto_t *filters = seccomp_compile(settings, true, &doctor->service, err);
	return filters != NULL ? seccomp_install(filters, err) : -1;
}

static void check_seccomp(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	if (doctor->settings != NULL && doctor->settings->auth.seccomp.disabled) {
		doctor_say(doctor, DOCTOR_PASS, "seccomp", "auth.seccomp.disabled is set");
		return;
	}
	if (confine_run(load_filters, doctor, NULL, 0, CHILD_LIMIT_MS, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "seccomp", "the kernel takes the filters of a job");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "seccomp", "%s", err.detail);
	if (doctor->configuration != NULL)
		doctor_mend_key(doctor, "auth.seccomp", "disabled", "true");
}

static void check_proc(struct doctor *doctor)
{
	if (access("/proc/thread-self/children", R_OK) == 0)
		doctor_say(doctor, DOCTOR_PASS, "/proc", "it names the children of a process");
	else
		doctor_say(doctor, DOCTOR_FAIL, "/proc",
			   "it has no /proc/PID/task/TID/children: mount it, or build the kernel "
			   "with CONFIG_PROC_CHILDREN");
}

void doctor_check_kernel(struct doctor *doctor)
{
	check_privilege(doctor);
	check_bounding_set(doctor);
	check_libraries(doctor);
	check_seccomp(doctor);
	check_proc(doctor);
}
