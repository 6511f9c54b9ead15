/*
 * Kills the processes of one job, wherever they are in the process tree. It finds those of its own
 * effective uid that have the job's cookie in their environment (environment.h), and the `jacamar`
 * that supervises them, by its command line, as the parent of one of them.
 *
 * It cannot find a process that has removed the cookie from its environment, or whose environment
 * the kernel does not show to this process: because it is not dumpable, such as ssh-agent(1), has
 * another uid or gid, or was executed from a file with a set-user-ID bit or capabilities. The list
 * that a sub-stage leaves (leftovers.h) has some of these.
 *
 * A child does the search, because it can block when it reads the environment of a process: before
 * Linux 5.8 during an execve(2) that never ends. Only SIGKILL ends that.
 */
#ifndef JACAMAR_CORE_PROCESS_JOB_PROCESSES_H
#define JACAMAR_CORE_PROCESS_JOB_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "core/lib/error.h"

/* At the end of a job: the time between SIGTERM and SIGKILL, and the limit for killing. */
#define JOB_PROCESSES_GRACE_MS 2000
#define JOB_PROCESSES_LIMIT_MS 20000

/* The size of a list of processes for the log: "PID (name), ...". */
#define JOB_PROCESSES_NAMES_SIZE 512

/*
 * Finds processes by the cookie and by the list in `scripts_dir` (each may be NULL), and kills them
 * and their descendants: by SIGTERM, and by SIGKILL after `grace_ms`; with a grace of 0 by SIGKILL
 * alone. Returns 0 once a search finds none; -1 if some are alive after `limit_ms`, if /proc cannot
 * be searched, or if the search does not end. `names`, of JOB_PROCESSES_NAMES_SIZE, gets those that
 * the first successful search found; "" if there were none.
 */
int job_processes_end(const char *cookie, const char *scripts_dir, int64_t grace_ms,
		      int64_t limit_ms, char *names, struct error *err);

#endif
