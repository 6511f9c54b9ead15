/*
 * The cgroup of a job. The kernel kills all processes in it at once, limits what they use, and
 * counts it. The service account owns it (cgroup_tree.h), so no process of another account can
 * leave it.
 */
#ifndef JACAMAR_CORE_PROCESS_CGROUP_H
#define JACAMAR_CORE_PROCESS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/settings.h"
#include "core/lib/error.h"
#include "core/process/cgroup_tree.h"

struct cgroup {
	int base;		     /* a descriptor of <base>; -1: the job has no cgroup */
	int directory;		     /* of the job's cgroup; -1: it does not exist */
	int kill;		     /* of its cgroup.kill; -1: before Linux 5.14 */
	char name[64];		     /* its path below <base> */
	char path[CGROUP_PATH_SIZE]; /* its path, as /proc/PID/cgroup has it */
};

#define CGROUP_NONE                                     \
	{                                               \
		.base = -1, .directory = -1, .kill = -1 \
	}

enum cgroup_how {
	CGROUP_CREATE, /* by config, for a new job: it must not exist, or two jobs would share it */
	CGROUP_REUSE,  /* by later stages: the one that config created; if it is gone, it is created
			  again */
	CGROUP_FIND,   /* it may not exist */
};

/*
 * Opens the cgroup of this job. If it is created or reused, the limits of the settings are set: an
 * error is about the key of the limit, or about auth.cgroup.enabled. If auth.cgroup.enabled is not
 * set, *cgroup becomes CGROUP_NONE, and nothing else happens. The caller calls cgroup_close also
 * after a failure.
 */
int cgroup_open(const struct cgroup_settings *settings, uid_t uid, uint64_t job_id,
		enum cgroup_how how, struct cgroup *cgroup, struct error *err);
void cgroup_close(struct cgroup *cgroup);

/* Removes the cgroup, which must be empty, and that of the account, if this was its last job. */
void cgroup_remove(const struct cgroup *cgroup);

/* As fork(2). The child starts in the cgroup if the kernel can do that (Linux 5.7). */
pid_t cgroup_fork(const struct cgroup *cgroup);

/* Moves this process into the cgroup, unless it is in it, and proves that it is. */
int cgroup_enter(const struct cgroup *cgroup, struct error *err);

/* Fails if this process is not in the cgroup of that path. */
int cgroup_check_own(const char *path, struct error *err);

/* Moves a process of the job to the cgroup of the service's own processes (cgroup_tree.h). */
void cgroup_take_out(const struct cgroup *cgroup, pid_t pid);

/* True if the kernel can kill all processes in it at once. */
bool cgroup_can_kill(const struct cgroup *cgroup);

/* Kills all processes in it, even stopped and frozen ones, whoever owns them. Does not wait. */
void cgroup_kill(const struct cgroup *cgroup);

/* Waits until all have ended; false if some have not, after `limit_ms`. */
bool cgroup_wait_until_empty(const struct cgroup *cgroup, int64_t limit_ms);

/* Appends the processes in it to `names`, for a line in the log. */
void cgroup_add_names(const struct cgroup *cgroup, char *names, size_t size);

/* What the job has used since it began; -1: the kernel does not count it. */
struct cgroup_usage {
	int64_t cpu_ms;
	int64_t memory_peak; /* bytes */
	int64_t oom_kills;   /* processes that the kernel killed for lack of memory */
};

#define CGROUP_USAGE_UNKNOWN ((struct cgroup_usage){-1, -1, -1})

struct cgroup_usage cgroup_read_usage(const struct cgroup *cgroup);

#endif
