/*
 * What the kernel and the system's libraries must have for a job.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/confine.h"
#include "core/doctor/doctor.h"
#include "core/libraries.h"
#include "core/seccomp.h"

#define CHILD_LIMIT_MS 10000

/* Whether this session could execute what gains privilege: the service's own may differ. */
static void check_privilege(struct doctor *doctor)
{
	bool by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	bool by_sudo = doctor->downscope == DOWNSCOPE_SUDO;
	int set = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	if (set < 0) {
		doctor_say(doctor, DOCTOR_FAIL, "no_new_privs", "the kernel has none: %s",
			   strerror(errno));
		doctor_mend(doctor, "use a kernel that has it, as Linux has since 3.5");
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
	else
		doctor_mend(doctor, "set auth.seccomp.disabled = true");
}

static void check_proc(struct doctor *doctor)
{
	bool there = access("/proc/self", F_OK) == 0;
	if (access("/proc/thread-self/children", R_OK) == 0) {
		doctor_say(doctor, DOCTOR_PASS, "/proc", "it names the children of a process");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "/proc", "it has no /proc/PID/task/TID/children%s",
		   there ? "" : ": it is not mounted");
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
	check_proc(doctor);
}
