#include "core/settle.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/seccomp.h"

/* ioprio_set(2) has no header: "who" and the class in the priority's upper bits. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13
#define IOPRIO_CLASS_RT	   1

/* The user's side of cleanup, and what it may have to start: the commands of a scheduler. */
#define KEPT_PROCESSES 8

/* Each by its key, and by what the unit of a service has for it. */
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

static int refuse_limit(int name, struct error *err)
{
	int saved = errno;
	struct rlimit hard = {.rlim_max = 0};
	(void)getrlimit(LIMITS[name].resource, &hard);
	errno = saved;
	return error_errno(err, ERROR_SYSTEM,
			   "cannot set auth.limits.%s above the %llu of the runner's service: set "
			   "less, or raise %s= in its unit",
			   LIMITS[name].key, (unsigned long long)hard.rlim_max,
			   LIMITS[name].option);
}

/*
 * The kernel cuts the soft limit to 8 MiB for a program that gains privilege by its file, whatever
 * the service has (execve(2)); what the service may have is still there as the hard one.
 */
static int raise_stack(struct error *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_STACK, &limit) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the limit of the stack");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_STACK, &limit) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot raise the limit of the stack");
	return 0;
}

static rlim_t to_limit(const struct limit_setting *setting)
{
	return setting->value == LIMIT_UNLIMITED ? RLIM_INFINITY : (rlim_t)setting->value;
}

/*
 * The processes of an account. Jobs get all that the site and the service allow, but for a few of
 * the service's; cleanup gets those in addition, and need not keep to a soft limit, to which no job
 * keeps either.
 */
static int set_processes(const struct downscope_rules *rules, struct error *err)
{
	const struct limit_setting *setting = &rules->limits[LIMIT_NPROC];
	struct rlimit limit;
	if (getrlimit(RLIMIT_NPROC, &limit) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read the limit of processes");
	rlim_t hard = limit.rlim_max;
	bool spare = hard != RLIM_INFINITY && hard >= 4 * KEPT_PROCESSES;
	rlim_t most = spare ? hard - KEPT_PROCESSES : hard;
	if (setting->set && to_limit(setting) < most)
		most = to_limit(setting);
	limit.rlim_max = most;
	if (rules->cleans_up && hard - most > KEPT_PROCESSES)
		limit.rlim_max = most + KEPT_PROCESSES;
	else if (rules->cleans_up)
		limit.rlim_max = hard;
	if (setting->set || rules->cleans_up || limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	errno = EPERM;
	bool above = setting->set && to_limit(setting) > hard;
	return above || setrlimit(RLIMIT_NPROC, &limit) != 0 ? refuse_limit(LIMIT_NPROC, err) : 0;
}

static int set_limits(const struct downscope_rules *rules, struct error *err)
{
	const struct limit_setting *limits = rules->limits;
	for (int name = 0; name < LIMIT_COUNT; name++) {
		if (!limits[name].set || name == LIMIT_NPROC)
			continue;
		rlim_t value = to_limit(&limits[name]);
		struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
		if (setrlimit(LIMITS[name].resource, &limit) != 0)
			return refuse_limit(name, err);
	}
	return set_processes(rules, err);
}

/* A service may run with an edge over logins; its jobs do not. Giving it up needs no privilege. */
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

int settle_as_login(const struct account *account, const struct downscope_rules *rules,
		    struct error *err)
{
	umask(0022);
	if (downscope_restore_core_limit(rules->core_limit, err) != 0 ||
	    (rules->raise_stack && raise_stack(err) != 0) || set_limits(rules, err) != 0)
		return -1;
	level_priorities();
	if (rules->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set no_new_privs");
	if (chdir(account->home) != 0 && chdir("/") != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot enter /");
	/* Last, so that nothing of the above needs to be allowed to the job. */
	return seccomp_install(rules->filters, err);
}
