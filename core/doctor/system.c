/*
 * What a job needs of the kernel and of the system's libraries.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"
#include "core/privilege/isolation.h"
#include "core/privilege/seccomp.h"
#include "core/process/cgroup_tree.h"
#include "core/stage/pam_service.h"

static const struct confinement CHILD = {.limit_ms = 10000};

/* Whether this process could gain privilege by an exec. The service may differ. */
static void check_privilege(struct doctor *doctor)
{
	bool by_file = doctor->downscope == DOWNSCOPE_SETUID && doctor->service.uid != 0;
	bool by_sudo = doctor->downscope == DOWNSCOPE_SUDO;
	int set = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	if (set < 0) {
		doctor_fail(doctor, "no_new_privs", "the kernel does not support it: %s",
			    strerror(errno));
		doctor_mend(doctor, "use a newer kernel, Linux 3.5 or later");
	} else if (set == 1 && (by_file || by_sudo)) {
		doctor_fail(doctor, "no_new_privs",
			    "it is set for this process and disables %s; a service gets it from "
			    "NoNewPrivileges= and options that imply it",
			    by_file ? "file capabilities" : "sudo");
		doctor_mend(doctor, "systemctl edit gitlab-runner.service");
	} else {
		doctor_pass(doctor, "no_new_privs", "the kernel supports it, and it is %s",
			    set == 1 ? "set, which is harmless here" : "not set");
	}
}

static void check_bounding_set(struct doctor *doctor)
{
	bool both = prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_READ, CAP_SETGID, 0, 0, 0) == 1;
	bool needed = doctor->downscope == DOWNSCOPE_SETUID || doctor->downscope == DOWNSCOPE_SUDO;
	if (!needed) {
		doctor_pass(doctor, "bounding set", "jobs need no capability");
	} else if (both) {
		doctor_pass(doctor, "bounding set", "it has cap_setgid and cap_setuid");
	} else {
		doctor_fail(doctor, "bounding set",
			    "it lacks cap_setgid or cap_setuid; a service gets it from "
			    "CapabilityBoundingSet=");
		doctor_mend(doctor, "systemctl edit gitlab-runner.service");
	}
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
	bool good = confine_run(&CHILD, open_libraries, NULL, NULL, 0, &err) == 0;
	if (!doctor_judge(doctor, "libraries", good, &err,
			  "libjose, libcurl and libseccomp are installed"))
		doctor_mend_install(doctor, "libjose0 libcurl4 libseccomp2",
				    "libjose libcurl libseccomp");
}

/* In a confined child, which has no_new_privs: installs the filters of a job. */
static int load_filters(const void *argument, void *reply, struct error *err)
{
	const struct doctor *doctor = argument;
	struct auth_settings settings = {.isolate = false};
	if (doctor->settings != NULL)
		settings = doctor->settings->auth;
	/* The filter of this child does not let it ask the kernel. */
	settings.no_new_privs = true;
	(void)reply;
	json_auto_t *filters = seccomp_compile(&settings, &doctor->service, err);
	return filters != NULL ? seccomp_install(filters, err) : -1;
}

static void check_seccomp(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	const struct auth_settings *auth =
		doctor->settings != NULL ? &doctor->settings->auth : NULL;
	bool disabled = auth != NULL && auth->seccomp.disabled;
	if (disabled && !auth->isolate) {
		doctor_pass(doctor, "seccomp", "auth.seccomp.disabled is set");
		return;
	}
	bool good = confine_run(&CHILD, load_filters, doctor, NULL, 0, &err) == 0;
	if (doctor_judge(doctor, "seccomp", good, &err, "the kernel accepts the filters of a job"))
		return;
	if (disabled)
		doctor_mend_key(doctor, "auth.isolate", "false");
	else
		doctor_mend_key(doctor, "auth.seccomp.disabled", "true");
}

/* Only if jobs are to be isolated: other sites do not need such a kernel. */
static void check_isolation(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	if (doctor->settings == NULL || !doctor->settings->auth.isolate ||
	    doctor_judge(doctor, "isolation", isolation_check(&doctor->settings->auth, &err) == 0,
			 &err, "the kernel can isolate jobs"))
		return;
	if (strcmp(err.key, "auth.isolate") == 0)
		doctor_mend(doctor, "use a newer kernel, Linux 6.12 or later, with landlock in its "
				    "option lsm=");
	else
		doctor_mend_key(doctor, err.key, NULL);
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
	if (doctor->settings == NULL)
		return;
	const struct auth_settings *auth = &doctor->settings->auth;
	const char *const services[] = {auth->pam_account, auth->pam_session};
	if (services[0] == NULL && services[1] == NULL)
		return;
	if (confine_run(&CHILD, open_pam, NULL, NULL, 0, &err) != 0) {
		doctor_fail(doctor, "PAM", "%s", err.detail);
		doctor_mend_install(doctor, "libpam0g", "pam");
	} else if (pam_service_check(auth, &err) != 0) {
		doctor_fail(doctor, "PAM", "%s", err.detail);
		doctor_mend(doctor, "create /etc/pam.d/%s",
			    services[strcmp(err.key, "auth.pam_session") == 0]);
	} else {
		for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
			if (services[i] != NULL)
				doctor_pass(doctor, "PAM", "the service %s has a file",
					    services[i]);
	}
}

static void check_proc(struct doctor *doctor)
{
	if (access("/proc/thread-self/children", R_OK) == 0) {
		doctor_pass(doctor, "/proc", "the kernel has /proc/PID/task/TID/children");
	} else if (access("/proc/self", F_OK) == 0) {
		doctor_fail(doctor, "/proc", "/proc/PID/task/TID/children does not exist");
		doctor_mend(doctor, "set CONFIG_PROC_CHILDREN = y in the configuration of the "
				    "kernel");
	} else {
		doctor_fail(doctor, "/proc",
			    "/proc/PID/task/TID/children does not exist: /proc is not mounted");
		doctor_mend(doctor, "mount -t proc proc /proc");
	}
}

#define RUNNER_NAME "gitlab-runner\n"

/* The pid of GitLab Runner, as text; "" if no such process is visible. */
static void find_runner(uid_t uid, char pid[16])
{
	char path[64];
	char name[32];
	struct stat owner;
	cleanup_listing DIR *processes = opendir("/proc");
	const struct dirent *entry;
	pid[0] = '\0';
	while (processes != NULL && pid[0] == '\0' && (entry = readdir(processes)) != NULL) {
		snprintf(path, sizeof(path), "%.32s/comm", entry->d_name);
		if (text_is_made_of(entry->d_name, TEXT_DIGIT, 10) &&
		    io_read_text(dirfd(processes), path, name, sizeof(name)) > 0 &&
		    strcmp(name, RUNNER_NAME) == 0 &&
		    fstatat(dirfd(processes), path, &owner, 0) == 0 && owner.st_uid == uid)
			text_copy(pid, 16, entry->d_name);
	}
}

/*
 * Whether jobs can have a cgroup of their own. Only a process of the runner's service shows what
 * its unit sets.
 */
static void check_cgroup(struct doctor *doctor)
{
	struct error err;
	char pid[16];
	char path[CGROUP_PATH_SIZE];
	const struct account *service = &doctor->service;
	if (doctor->settings == NULL || !doctor->settings->auth.cgroup.enabled)
		return;
	find_runner(service->uid, pid);
	if (pid[0] == '\0') {
		doctor_skip(doctor, "cgroup",
			    "no process gitlab-runner of %s is running, whose cgroup could be "
			    "examined",
			    service->name);
		return;
	}
	cleanup_close int base =
		cgroup_tree_path(pid, path, &err) == 0 ? cgroup_tree_open(path, &err) : -1;
	bool good = base >= 0 && cgroup_tree_check(base, path, service->uid,
						   &doctor->settings->auth.cgroup, &err) == 0;
	if (!doctor_judge(doctor, "cgroup", good, &err,
			  "the cgroup %s of the runner's service is delegated to %s", path,
			  service->name))
		doctor_mend(doctor, "systemctl edit gitlab-runner.service");
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
	check_cgroup(doctor);
}
