#include "core/sweep.h"

#include <jansson.h>
#include <signal.h>
#include <unistd.h>

#include "core/downscope.h"
#include "core/io.h"
#include "core/supervise.h"

/* How long what does not die of SIGKILL is killed again. */
#define MOST_MS 60000

/* How many helpers may find the same processes before these are taken to be out of reach. */
#define HELPERS_IN_VAIN 10
#define PAUSE_US	20000

/* Our living descendants, and the user's side as long as sudo waits for it. */
static void list_left(pid_t child, pid_t user_side, struct pid_list *left)
{
	int status;
	size_t kept = 0;
	supervise_reap(-1, &status);
	(void)supervise_descendants(left);
	/* With hidepid it is not to be seen among them. */
	if (user_side > 1 && pid_list_has(left, child) && !pid_list_has(left, user_side))
		pid_list_add(left, user_side);
	for (size_t i = 0; i < left->count; i++)
		if (!supervise_is_dead(left->pids[i]))
			left->pids[kept++] = left->pids[i];
	left->count = kept;
}

/* Has the user's own cleanup kill them. */
static void start_helper(const struct session *session, const struct pid_list *left)
{
	struct error ignored;
	struct session_end end;
	struct channel_header header = *session->header;
	struct session helper = *session;
	json_auto_t *pids = json_array();
	json_array_append_new(pids, json_integer(getpid()));
	for (size_t i = 0; i < left->count; i++)
		json_array_append_new(pids, json_integer(left->pids[i]));
	header.script_size = 0;
	header.sweep = pids;
	helper.header = &header;
	helper.stage = "cleanup";
	helper.substage = NULL;
	helper.script = helper.response = helper.output = -1;
	(void)session_run(&helper, &end, &ignored);
}

static bool sweep_by_sudo(const struct session *session, pid_t child, pid_t user_side)
{
	int64_t deadline = io_now_ms() + MOST_MS;
	struct pid_list before = {.count = 0};
	bool gone = false;
	for (int in_vain = 0; !gone && in_vain < HELPERS_IN_VAIN && io_now_ms() < deadline;) {
		struct pid_list left = {.count = 0};
		list_left(child, user_side, &left);
		gone = left.count == 0;
		in_vain = pid_list_same(&before, &left) ? in_vain + 1 : 0;
		/* It cannot take note of an end while it is stopped. */
		if (pid_list_has(&left, child))
			(void)kill(child, SIGCONT);
		if (!gone) {
			start_helper(session, &left);
			usleep(PAUSE_US);
		}
		pid_list_free(&before);
		before = left;
	}
	pid_list_free(&before);
	return gone;
}

bool sweep_processes(const struct session *session, pid_t child, pid_t user_side)
{
	const struct state *state = &session->header->state;
	struct error ignored;
	struct downscope_return back;
	if (session->sudo != NULL)
		return sweep_by_sudo(session, child, user_side);
	if (state->downscope == DOWNSCOPE_NONE)
		return supervise_kill_descendants(MOST_MS);
	/* As long as it has not changed, it is ours to kill, and nobody else's. */
	if (child > 0)
		(void)kill(child, SIGKILL);
	/* The capabilities have no more use after it. */
	if (downscope_act_as(state->account.uid, &back, &ignored) != 0)
		return false;
	bool gone = supervise_kill_descendants(MOST_MS);
	downscope_return(&back);
	return gone;
}
