/*
 * On the service's side: kills the processes that are left of a stage. The service account may not
 * signal another account's processes, and perhaps cannot see them. So this process acts as the user
 * for a while, or sudo starts a helper as the user.
 */
#ifndef JACAMAR_CORE_STAGE_KILL_LEFTOVERS_H
#define JACAMAR_CORE_STAGE_KILL_LEFTOVERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/process/job_processes.h"
#include "core/stage/monitor.h"

/*
 * Kills the processes in the job's cgroup, our descendants, and every other process that has the
 * job's cookie (job_processes.h). Returns 1 with *err if a process is left; -1 if this process
 * could not become the user, or the service account again, and must end. `child` and `user_side`
 * are those of struct monitor_end. Capabilities are given up, except in config.
 *
 * A helper has only the user's uid: it cannot kill a process that kills all processes of the user
 * again and again.
 */
int kill_leftovers(const struct stage_process *process, pid_t child, pid_t user_side,
		   struct error *err);

/*
 * The first step of cleanup, before its user's side is started, which a process of the job could
 * kill or stop. Kills the processes in the job's cgroup and every process that has the job's
 * cookie; `found` gets their names. Returns the same as kill_leftovers. If this process does not
 * change accounts, cleanup.c searches for the cookie, as the user.
 */
int kill_leftovers_before_cleanup(const struct state *state, const struct cgroup *cgroup,
				  char found[JOB_PROCESSES_NAMES_SIZE], struct error *err);

#endif
