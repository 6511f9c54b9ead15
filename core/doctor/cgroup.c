/*
 * Whether jobs can have a cgroup of their own. Only a process of the runner's service shows what
 * its unit sets.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/process/cgroup_tree.h"

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

void doctor_check_cgroup(struct doctor *doctor)
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
