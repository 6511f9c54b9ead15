/*
 * On the service's side: runs one stage of a job whose state is known. It collects what is sent
 * over the channel (environment, which profiles the shell reads, script), runs the user's side
 * (monitor.h), and then kills the processes that are left (kill_leftovers.h).
 */
#ifndef JACAMAR_CORE_STAGE_STAGE_H
#define JACAMAR_CORE_STAGE_STAGE_H

#include "core/lib/error.h"
#include "core/process/cgroup.h"
#include "core/process/job_processes.h"
#include "core/protocol/state.h"
#include "core/stage/monitor.h"

struct stage {
	const struct state *state;
	const char *stage;
	const char *substage; /* of run; else NULL */
	const char *script;   /* of run: the path of the runner's file; else NULL */
	const char *data_dir; /* of config, if the user's shell must resolve it; else NULL */
	int output;	      /* monitor.h */
};

struct stage_end {
	struct monitor_end run;
	bool left; /* processes of the job could not be killed */
	struct error why_left;
	char found[JOB_PROCESSES_NAMES_SIZE]; /* processes of the job that cleanup found */
	struct cgroup_usage usage;	      /* of the job until now */
	int64_t oom_kills;		      /* in this stage */
};

/*
 * Runs the user's side to its end. If the stage does not come to its end, all processes of the job
 * are killed. *end is filled in any case.
 */
int stage_run(const struct stage *side, struct stage_end *end, struct error *err);

/*
 * 0 if the stage came to its end; otherwise -1 with *err. err->detail is empty if the user's side
 * has written the reason to the job's log.
 */
int stage_check(const struct stage_end *end, struct error *err);

#endif
