#include "core/privilege/job_context.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/privilege/seccomp.h"

/* For ioprio_set(2), which has no header; the class is in the upper bits of the priority. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13
#define IOPRIO_CLASS_RT	   1

/* For the user's side of cleanup and the commands of a scheduler that it starts. */
#define RESERVED_PROCESSES 8

/* For each limit: its key in [auth.limits], and the option of a systemd unit that sets it. */
static const struct {
	__rlimit_resource_t resource; /* glibc's own type of setrlimit's first argument */
	const char *key;
	const char *option;
} LIMITS[LIMIT_COUNT] = {
	[LIMIT_NOFILE] = {RLIMIT_NOFILE, "nofile", "LimitNOFILE"},
	[LIMIT_NPROC] = {RLIMIT_NPROC, "nproc", "LimitNPROC"},
	[LIMIT_CORE] = {RLIMIT_CORE, "core", "LimitCORE"},
	[LIMIT_CPU] = {RLIMIT_CPU, "cpu", "LimitCPU"},
	[LIMIT_AS] = {RLIMIT_AS, "as", "LimitAS"},
	[LIMIT_MEMLOCK] = {RLIMIT_MEMLOCK, "memlock", "LimitMEMLOCK"},
	[LIMIT_STACK] = {RLIMIT_STACK, "stack", "LimitSTACK"},
	[LIMIT_FSIZE] = {RLIMIT_FSIZE, "fsize", "LimitFSIZE"},
};

/* Like setrlimit(2), but fails with errno 0 if that succeeds without setting the limit. */
static int set_limit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	struct rlimit now;
	if (setrlimit(resource, limit) != 0 || getrlimit(resource, &now) != 0)
		return -1;
	/* Older kernels change a limit of 0 seconds of CPU time to 1. */
	rlim_t least =
		resource == RLIMIT_CPU && limit->rlim_cur == 0 ? now.rlim_cur : limit->rlim_cur;
	errno = 0;
	return now.rlim_cur == least && now.rlim_max == limit->rlim_max ? 0 : -1;
}

static int refuse_limit(int name, struct error *err)
{
	int saved = errno;
	char key[ERROR_KEY_SIZE];
	snprintf(key, sizeof(key), "auth.limits.%s", LIMITS[name].key);
	if (saved == 0)
		return error_faked(err, key);
	struct rlimit hard = {.rlim_max = 0};
	(void)getrlimit(LIMITS[name].resource, &hard);
	return error_set_key(err, key, ERROR_SYSTEM,
			     "cannot set %s above the %llu of the runner's service: set "
			     "less, or raise %s= in its unit: %s",
			     key, (unsigned long long)hard.rlim_max, LIMITS[name].option,
			     strerror(saved));
}

/*
 * The kernel cuts the soft limit to 8 MiB for a program whose file gives it privilege (execve(2)).
 * The hard limit is still the service's.
 */
static int raise_stack(struct error *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_STACK, &limit) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the limit of the stack");
	limit.rlim_cur = limit.rlim_max;
	if (set_limit(RLIMIT_STACK, &limit) == 0)
		return 0;
	return errno == 0 ? error_faked(err, "general.set_stack_size")
			  : error_errno(err, ERROR_SYSTEM, "cannot raise the limit of the stack");
}

static rlim_t to_limit(const struct limit_setting *setting)
{
	return setting->value == LIMIT_UNLIMITED ? RLIM_INFINITY : (rlim_t)setting->value;
}

/*
 * The limit for the number of the account's processes. Jobs get what the site and the service
 * allow, less the reserved processes. cleanup may use these as well. It also raises its soft limit
 * to the hard one, because a job can do the same.
 */
static int limit_processes(const struct downscope_rules *rules, struct error *err)
{
	const struct limit_setting *setting = &rules->limits[LIMIT_NPROC];
	struct rlimit limit;
	if (getrlimit(RLIMIT_NPROC, &limit) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the limit of processes");
	rlim_t hard = limit.rlim_max;
	bool spare = hard != RLIM_INFINITY && hard >= 4 * RESERVED_PROCESSES;
	rlim_t most = spare ? hard - RESERVED_PROCESSES : hard;
	if (setting->set && to_limit(setting) < most)
		most = to_limit(setting);
	limit.rlim_max = most;
	if (rules->cleans_up && hard - most > RESERVED_PROCESSES)
		limit.rlim_max = most + RESERVED_PROCESSES;
	else if (rules->cleans_up)
		limit.rlim_max = hard;
	if (setting->set || rules->cleans_up || limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	errno = EPERM;
	bool above = setting->set && to_limit(setting) > hard;
	return above || set_limit(RLIMIT_NPROC, &limit) != 0 ? refuse_limit(LIMIT_NPROC, err) : 0;
}

static int set_limits(const struct downscope_rules *rules, struct error *err)
{
	const struct limit_setting *limits = rules->limits;
	for (int name = 0; name < LIMIT_COUNT; name++) {
		if (!limits[name].set || name == LIMIT_NPROC)
			continue;
		rlim_t value = to_limit(&limits[name]);
		struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
		if (set_limit(LIMITS[name].resource, &limit) != 0)
			return refuse_limit(name, err);
	}
	return limit_processes(rules, err);
}

/* A service may run with a higher priority than logins; its jobs must not. */
static void level_priorities(void)
{
	if (getpriority(PRIO_PROCESS, 0) < 0)
		setpriority(PRIO_PROCESS, 0, 0);
	if (sched_getscheduler(0) != SCHED_OTHER) {
		struct sched_param ordinary = {.sched_priority = 0};
		sched_setscheduler(0, SCHED_OTHER, &ordinary);
	}
	long io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	if (io >= 0 && (io >> IOPRIO_CLASS_SHIFT) == IOPRIO_CLASS_RT)
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
}

int job_context_apply(const struct account *account, const struct downscope_rules *rules,
		      struct error *err)
{
	umask(0022);
	if ((rules->raise_stack && raise_stack(err) != 0) || set_limits(rules, err) != 0)
		return -1;
	level_priorities();
	if (rules->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set no_new_privs");
	if (rules->no_new_privs && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return error_faked(err, "auth.no_new_privs");
	if (chdir(account->home) != 0 && chdir("/") != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot enter /");
	/* Last, so that the filters need not allow the calls above. */
	return seccomp_install(rules->filters, err);
}
