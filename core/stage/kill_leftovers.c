#include "core/stage/kill_leftovers.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/privilege/downscope.h"
#include "core/process/process_scan.h"
#include "core/process/process_tree.h"

/* How long processes that survive SIGKILL are killed again. */
#define MOST_MS 60000

/* After how many helpers in a row that leave the same processes this gives up. */
#define HELPERS_IN_VAIN 10
#define PAUSE_US	20000

/*
 * Lists our living descendants, and the user's side as long as sudo waits for it. True if it is
 * known that there are none.
 */
static bool list_left(pid_t child, pid_t user_side, struct pid_list *left)
{
	int status;
	size_t kept = 0;
	process_tree_reap(-1, &status);
	bool known = process_tree_descendants(left) == 0;
	/* With hidepid the user's side is not visible among them. */
	if (user_side > 1 && pid_list_has(left, child) && !pid_list_has(left, user_side))
		pid_list_add(left, user_side);
	for (size_t i = 0; i < left->count; i++)
		if (!process_tree_is_dead(left->pids[i]))
			left->pids[kept++] = left->pids[i];
	left->count = kept;
	return known && kept == 0;
}

/*
 * Runs a helper: the stage cleanup as the user, which kills the processes `left` and all that have
 * the job's cookie. True if it came to its end and no such process is left. Otherwise *why may have
 * the reason.
 */
static bool run_helper(const struct stage_process *process, const struct pid_list *left,
		       struct error *why)
{
	struct monitor_end end;
	struct channel_header header = *process->header;
	struct stage_process helper = *process;
	json_auto_t *pids = json_array();
	/* Without a list, the helper would be a whole cleanup. */
	if (json_array_append_new(pids, json_integer(getpid())) != 0) {
		error_set(why, ERROR_SYSTEM, "out of memory");
		return false;
	}
	for (size_t i = 0; i < left->count; i++)
		json_array_append_new(pids, json_integer(left->pids[i]));
	header.script_size = 0;
	header.kill_list = pids;
	header.cgroup = NULL;
	helper.header = &header;
	helper.stage = "cleanup";
	helper.substage = NULL;
	helper.script = helper.response = helper.output = -1;
	/* A job that is at its limits must not keep the helper from starting. */
	const struct cgroup none = CGROUP_NONE;
	helper.cgroup = &none;
	return monitor_run(&helper, &end, why) == 0 && !end.interrupted && end.exit_code == 0;
}

/* Unless *why has a reason, sets it to the names of the processes left. Returns 1. */
static int name_left(const struct pid_list *left, struct error *why)
{
	char names[JOB_PROCESSES_NAMES_SIZE] = "";
	for (size_t i = 0; i < left->count; i++)
		process_scan_add_name(left->pids[i], names, sizeof(names));
	if (why->detail[0] == '\0')
		error_set(why, ERROR_SYSTEM, "%s",
			  names[0] != '\0' ? names : "the search for them did not succeed");
	return 1;
}

static int kill_by_sudo(const struct stage_process *process, pid_t child, pid_t user_side,
			struct error *why)
{
	int64_t deadline = io_now_ms() + MOST_MS;
	struct pid_list before = {.count = 0};
	bool gone = false;
	for (int in_vain = 0; !gone && in_vain < HELPERS_IN_VAIN && io_now_ms() < deadline;) {
		struct pid_list left = {.count = 0};
		bool none = list_left(child, user_side, &left);
		in_vain = pid_list_same(&before, &left) ? in_vain + 1 : 0;
		/* While sudo is stopped, it does not notice that its child has ended. */
		if (pid_list_has(&left, child))
			(void)kill(child, SIGCONT);
		/* If sudo has not become the user, it would not do so for a helper, either. */
		gone = none && user_side == 0;
		why->detail[0] = '\0';
		if (!gone)
			gone = run_helper(process, &left, why) && none;
		if (!gone)
			usleep(PAUSE_US);
		pid_list_free(&before);
		before = left;
	}
	int result = gone ? 0 : name_left(&before, why);
	pid_list_free(&before);
	return result;
}

/* Descendants first: the orphans that they leave become our children, or have the cookie. */
static int kill_all(const struct state *state, struct error *why)
{
	char names[JOB_PROCESSES_NAMES_SIZE];
	struct pid_list left = {.count = 0};
	bool gone = process_tree_kill_descendants(MOST_MS);
	why->detail[0] = '\0';
	int result = job_processes_end(state->cookie, NULL, 0, MOST_MS, names, why);
	if (gone && result == 0)
		return 0;
	(void)list_left(-1, 0, &left);
	result = name_left(&left, why);
	pid_list_free(&left);
	return result;
}

/*
 * Called after the search for the cookie, which also finds processes outside of the cgroup. Returns
 * 1 with *why if a process is still in the cgroup.
 */
static int name_left_in_cgroup(const struct cgroup *cgroup, struct error *why)
{
	char names[JOB_PROCESSES_NAMES_SIZE] = "";
	if (cgroup_wait_until_empty(cgroup, cgroup_can_kill(cgroup) ? MOST_MS : 0))
		return 0;
	cgroup_add_names(cgroup, names, sizeof(names));
	error_set(why, ERROR_SYSTEM, "%s", names);
	return 1;
}

static int kill_as_user(const struct stage_process *process, pid_t child, pid_t user_side,
			struct error *err)
{
	const struct state *state = &process->header->state;
	struct error why = {.detail = ""};
	struct downscope_return back;
	if (process->sudo != NULL)
		return kill_by_sudo(process, child, user_side, err);
	if (state->settings.auth.downscope == DOWNSCOPE_NONE)
		return kill_all(state, err);
	/* Until the child has become the user, only the service account may kill it. */
	if (child > 0)
		(void)kill(child, SIGKILL);
	if (downscope_act_as(state->account.uid, state->account.gid, &back, err) != 0)
		return -1;
	/* Only config needs capabilities later: it releases the builds directory, as the user. */
	bool dropped = strcmp(process->stage, "config") == 0 || privilege_drop(&why) == 0;
	int result = dropped ? kill_all(state, &why) : 1;
	if (downscope_return(&back, err) != 0)
		return -1;
	if (result != 0)
		*err = why;
	return result;
}

int kill_leftovers(const struct stage_process *process, pid_t child, pid_t user_side,
		   struct error *err)
{
	/* First the cgroup. If that succeeds, the other steps only prove that nothing is left. */
	cgroup_kill(process->cgroup);
	int result = kill_as_user(process, child, user_side, err);
	return result == 0 ? name_left_in_cgroup(process->cgroup, err) : result;
}

/* stage.c reports processes that are still in the cgroup after cleanup. */
static int end_processes(const struct state *state, const struct cgroup *cgroup,
			 char found[JOB_PROCESSES_NAMES_SIZE], struct error *why)
{
	char others[JOB_PROCESSES_NAMES_SIZE] = "";
	if (cgroup_can_kill(cgroup)) {
		cgroup_add_names(cgroup, found, JOB_PROCESSES_NAMES_SIZE);
		cgroup_kill(cgroup);
		(void)cgroup_wait_until_empty(cgroup, JOB_PROCESSES_LIMIT_MS);
	}
	if (state->settings.auth.downscope != DOWNSCOPE_SETUID)
		return 0;
	int result = job_processes_end(state->cookie, NULL, JOB_PROCESSES_GRACE_MS,
				       JOB_PROCESSES_LIMIT_MS, others, why);
	size_t used = strlen(found);
	if (others[0] != '\0' && strlen(others) + 2 < JOB_PROCESSES_NAMES_SIZE - used)
		snprintf(found + used, JOB_PROCESSES_NAMES_SIZE - used, "%s%s",
			 used > 0 ? ", " : "", others);
	return result;
}

int kill_leftovers_before_cleanup(const struct state *state, const struct cgroup *cgroup,
				  char found[JOB_PROCESSES_NAMES_SIZE], struct error *err)
{
	struct error why;
	struct downscope_return back;
	bool changes = state->settings.auth.downscope == DOWNSCOPE_SETUID;
	if (changes && downscope_act_as(state->account.uid, state->account.gid, &back, err) != 0)
		return -1;
	int result = end_processes(state, cgroup, found, &why);
	if (changes && downscope_return(&back, err) != 0)
		return -1;
	if (result == 0)
		return 0;
	*err = why;
	return 1;
}
