/*
 * What a job left in its scheduler, cleanup ends: also where the process that ran it was killed.
 */
#include "core/executor/batch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/executor/allocation.h"
#include "core/executor/queue.h"
#include "core/executor/scheduler.h"
#include "core/io.h"
#include "core/workspace.h"

/* One job's file that was found: its job is cancelled. */
static int end_one(const struct batch_call *call, struct queue *queue, int directory,
		   const char *substage, int64_t limit_ms, struct error *err)
{
	const struct state *state = &call->header->state;
	struct allocation *allocation = queue->allocation;
	int result = allocation_init(allocation, directory, state->scripts_dir, substage, err);
	if (result == 0 && allocation_recall(allocation)) {
		result = queue_withdraw(queue, limit_ms, err);
		if (result == 0 && allocation->number[0] != '\0')
			batch_say(&call->voice, "%s job %s is gone from the queue",
				  queue->scheduler->name, allocation->number);
		if (result == 0)
			allocation_close(allocation, state->retain_logs);
	}
	allocation_free(allocation);
	return result;
}

/* All jobs' files of the directory. */
static int end_all(const struct batch_call *call, struct queue *queue, int directory,
		   struct error *err)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	int64_t deadline = io_now_ms() + queue_patience(queue);
	int result = 0;
	if (listing == NULL)
		return error_errno(err, ERROR_SYSTEM, "cannot look for jobs of the scheduler");
	while ((entry = readdir(listing)) != NULL) {
		char name[SCRIPT_SUBSTAGE_MOST + 1];
		size_t length = strcspn(entry->d_name, ".");
		if (strcmp(entry->d_name + length, ".job") != 0 || length >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)length, entry->d_name);
		if (!script_is_substage(name))
			continue;
		/* As many as the job's author likes to make, but all in one time. */
		int64_t left = deadline - io_now_ms();
		if (left <= 0) {
			result = error_set(err, ERROR_SYSTEM,
					   "no time was left to look for the job of %s", name);
			break;
		}
		if (end_one(call, queue, directory, name, left, err) != 0)
			result = -1;
	}
	closedir(listing);
	return result;
}

int batch_clean_up(const struct batch_call *call, struct error *err)
{
	const struct state *state = &call->header->state;
	struct allocation allocation;
	struct queue queue;
	struct stat found;
	if (scheduler_of(state->executor) == NULL ||
	    (lstat(state->scripts_dir, &found) != 0 && errno == ENOENT))
		return 0;
	cleanup_close int directory = workspace_open_scripts(state, err);
	if (directory < 0)
		return -1;
	int result = queue_open(&queue, call->header, call->channel, call->core_limit, err);
	queue.allocation = &allocation;
	if (result == 0)
		result = end_all(call, &queue, directory, err);
	queue_close(&queue);
	return result;
}
