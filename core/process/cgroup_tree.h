/*
 * The cgroups below that of the runner's service (cgroups(7), v2):
 *
 *   <base>                          of the service, delegated to the service account
 *   <base>/jacamar/<uid>            of all jobs of an account
 *   <base>/jacamar/<uid>/<job id>   of a job
 *   <base>/jacamar-service          of the service's own processes
 *
 * The kernel applies limits only below a cgroup that has no processes of its own. So for limits,
 * the processes of the service (GitLab Runner and jacamar-auth) are moved from <base> to
 * <base>/jacamar-service. cgroup.h is for a job's cgroup.
 */
#ifndef JACAMAR_CORE_PROCESS_CGROUP_TREE_H
#define JACAMAR_CORE_PROCESS_CGROUP_TREE_H

#include <sys/types.h>

#include "config/settings.h"
#include "core/lib/error.h"

#define CGROUP_KEY     "auth.cgroup.enabled"
#define CGROUP_TREE    "jacamar"
#define CGROUP_SERVICE "jacamar-service"

#define CGROUP_PATH_SIZE 4096
#define CGROUP_FILE_SIZE 4096

/* The path of a process's cgroup, as /proc/PID/cgroup has it; `process` is "self" or a pid. */
int cgroup_tree_path(const char *process, char path[CGROUP_PATH_SIZE], struct error *err);

/*
 * Opens <base> for a process of the service whose cgroup is `path`, and makes `path` that of <base>
 * ("" for the root of the hierarchy).
 */
int cgroup_tree_open(char path[CGROUP_PATH_SIZE], struct error *err);

/*
 * Checks that a job's cgroup can be created below <base> with these limits. `owner` must own
 * <base>.
 */
int cgroup_tree_check(int base, const char *path, uid_t owner,
		      const struct cgroup_settings *settings, struct error *err);

/*
 * Creates the cgroup `name` of a job below <base>, and that of its account, unless they exist, and
 * sets the limits. With `is_new`, the job's cgroup must not exist yet, and is removed again after a
 * failure. An error is about the key of a limit, or about CGROUP_KEY.
 */
int cgroup_tree_make(int base, const char *name, bool is_new,
		     const struct cgroup_settings *settings, struct error *err);

/* Writes to a file of the cgroup `name` below <base>; 0, or -1 with errno. */
int cgroup_tree_write(int base, const char *name, const char *file, const char *text);

/* The pids of the processes in a cgroup, a line each, in new memory; NULL with errno. */
char *cgroup_tree_read_pids(int directory);

#endif
