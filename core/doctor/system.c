/*
 * What a job needs of the kernel and of the system's libraries.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/lib/dynamic_libraries.h"
#include "core/privilege/confine.h"
#include "core/privilege/isolation.h"
#include "core/privilege/seccomp.h"
#include "core/stage/pam_account.h"

#define CHILD_LIMIT_MS 10000

/* Whether this process could gain privilege by an exec. The service may differ. */
static void check_privilege(struct doctor *doctor)
{
	bool by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	bool by_sudo = doctor->downscope == DOWNSCOPE_SUDO;
	int set = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	if (set < 0) {
		doctor_say(doctor, DOCTOR_FAIL, "no_new_privs",
			   "the kernel does not support it: %s", strerror(errno));
		doctor_mend(doctor, "use a newer kernel, Linux 3.5 or later");
		return;
	}
	if (set == 1 && (by_file || by_sudo)) {
		doctor_say(doctor, DOCTOR_FAIL, "no_new_privs",
			   "it is set for this process and disables %s; a service gets it from "
			   "NoNewPrivileges= and options that imply it",
			   by_file ? "file capabilities" : "sudo");
		doctor_mend(doctor, "systemctl edit gitlab-runner.service");
		return;
	}
	doctor_say(doctor, DOCTOR_PASS, "no_new_privs", "the kernel supports it, and it is %s",
		   set == 1 ? "set, which is harmless here" : "not set");
}

static void check_bounding_set(struct doctor *doctor)
{
	bool both = prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_READ, CAP_SETGID, 0, 0, 0) == 1;
	bool needed = doctor->downscope == DOWNSCOPE_SETUID || doctor->downscope == DOWNSCOPE_SUDO;
	if (both || !needed) {
		doctor_say(doctor, DOCTOR_PASS, "bounding set", "%s",
			   needed ? "it has cap_setgid and cap_setuid" : "jobs need no capability");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "bounding set",
		   "it lacks cap_setgid or cap_setuid; a service gets it from "
		   "CapabilityBoundingSet=");
	doctor_mend(doctor, "systemctl edit gitlab-runner.service");
}

/* In a confined child, so that no library stays loaded in this process. */
static int open_libraries(const void *argument, void *reply, struct error *err)
{
	struct jose_library jose;
	struct curl_library curl;
	struct seccomp_library seccomp;
	(void)argument;
	(void)reply;
	return dynamic_libraries_open_jose(&jose, err) == 0 &&
			       dynamic_libraries_open_curl(&curl, err) == 0 &&
			       dynamic_libraries_open_seccomp(&seccomp, err) == 0
		       ? 0
		       : -1;
}

static void check_libraries(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	const struct confinement how = {.limit_ms = CHILD_LIMIT_MS};
	if (confine_run(&how, open_libraries, NULL, NULL, 0, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "libraries",
			   "libjose, libcurl and libseccomp are installed");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "libraries", "%s", err.detail);
	doctor_mend(doctor, "%s",
		    access("/usr/bin/apt-get", X_OK) == 0
			    ? "apt-get install libjose0 libcurl4 libseccomp2"
			    : "dnf install libjose libcurl libseccomp");
}

/* In a confined child, which has no_new_privs: installs the filters of a job. */
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
	const struct confinement how = {.limit_ms = CHILD_LIMIT_MS};
	if (confine_run(&how, load_filters, doctor, NULL, 0, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "seccomp",
			   "the kernel accepts the filters of a job");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "seccomp", "%s", err.detail);
	if (doctor->configuration != NULL)
		doctor_mend_key(doctor, "auth.seccomp", "disabled", "true");
	else
		doctor_mend(doctor, "set auth.seccomp.disabled = true");
}

/* Only where jobs are to be isolated: another site needs no such kernel. */
static void check_isolation(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	if (doctor->settings == NULL || !doctor->settings->auth.isolate)
		return;
	if (isolation_check(&doctor->settings->auth, &err) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "isolation", "the kernel can isolate jobs");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "isolation", "%s", err.detail);
	if (strcmp(err.key, "auth.isolate") == 0)
		doctor_mend(doctor, "use a newer kernel, Linux 6.12 or later, with landlock in its "
				    "option lsm=");
	else
		doctor_mend_key(doctor, "auth.seccomp", strrchr(err.key, '.') + 1, NULL);
}

/* In a confined child, so that the library does not stay loaded in this process. */
static int open_pam(const void *argument, void *reply, struct error *err)
{
	struct pam_library pam;
	(void)argument;
	(void)reply;
	return dynamic_libraries_open_pam(&pam, err);
}

static void check_pam(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	const struct confinement how = {.limit_ms = CHILD_LIMIT_MS};
	if (doctor->settings == NULL || doctor->settings->auth.pam_account == NULL)
		return;
	const char *service = doctor->settings->auth.pam_account;
	if (confine_run(&how, open_pam, NULL, NULL, 0, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "PAM", "%s", err.detail);
		doctor_mend(doctor, "%s",
			    access("/usr/bin/apt-get", X_OK) == 0 ? "apt-get install libpam0g"
								  : "dnf install pam");
	} else if (pam_account_check(&doctor->settings->auth, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "PAM", "%s", err.detail);
		doctor_mend(doctor, "create /etc/pam.d/%s", service);
	} else {
		doctor_say(doctor, DOCTOR_PASS, "PAM", "the service %s has a file", service);
	}
}

static void check_proc(struct doctor *doctor)
{
	bool there = access("/proc/self", F_OK) == 0;
	if (access("/proc/thread-self/children", R_OK) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "/proc",
			   "the kernel has /proc/PID/task/TID/children");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "/proc", "/proc/PID/task/TID/children does not exist%s",
		   there ? "" : ": /proc is not mounted");
	doctor_mend(doctor, "%s",
		    there ? "set CONFIG_PROC_CHILDREN = y in the configuration of the kernel"
			  : "mount -t proc proc /proc");
}

void doctor_check_kernel(struct doctor *doctor)
{
	check_privilege(doctor);
	check_bounding_set(doctor);
	check_libraries(doctor);
	check_seccomp(doctor);
	check_isolation(doctor);
	check_pam(doctor);
	check_proc(doctor);
}
