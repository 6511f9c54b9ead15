/*
 * Cancels the batch jobs that a CI job has left, even if the process that watched them was killed.
 */
#include "core/executor/batch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/executor/allocation.h"
#include "core/executor/batch_files.h"
#include "core/executor/nested_jobs.h"
#include "core/executor/scheduler.h"
#include "core/executor/scheduler_client.h"
#include "core/lib/io.h"
#include "core/workspace/workspace_directories.h"

/* Cancels the job of one job's file. */
static int end_one(struct scheduler_client *client, int directory, const char *substage,
		   int64_t limit_ms, struct error *err)
{
	const struct state *state = client->state;
	struct batch_files *files = client->files;
	int result = batch_files_init(files, directory, state->scripts_dir, substage, err);
	if (result == 0 && batch_files_recall(files)) {
		result = scheduler_client_withdraw(client, limit_ms, err);
		if (result == 0 && files->number[0] != '\0')
			batch_report(client, "%s is gone from the queue", batch_title(client).text);
		if (result == 0 && batch_files_has(files, "start"))
			nested_jobs_end(client, limit_ms / 6);
		if (result == 0)
			batch_files_close(files, state->settings.general.retain_logs);
	}
	batch_files_free(files);
	return result;
}

/* Cancels the jobs of all job's files in the directory. */
static int end_all(struct scheduler_client *client, int directory, struct error *err)
{
	cleanup_listing DIR *listing = io_list(directory, ".");
	const struct dirent *entry;
	int64_t deadline = io_now_ms() + scheduler_client_patience(client);
	int result = 0;
	if (listing == NULL)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot search the scripts directory for batch jobs");
	while ((entry = readdir(listing)) != NULL) {
		char name[SCRIPT_SUBSTAGE_MOST + 1];
		size_t length = strcspn(entry->d_name, ".");
		if (strcmp(entry->d_name + length, ".job") != 0 || length >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)length, entry->d_name);
		if (!script_is_substage(name))
			continue;
		/* The job's author can create any number of files: all share one limit. */
		int64_t left = deadline - io_now_ms();
		if (left <= 0) {
			result = error_set(err, ERROR_SYSTEM,
					   "no time was left to cancel the batch job of %s", name);
			break;
		}
		if (end_one(client, directory, name, left, err) != 0)
			result = -1;
	}
	return result;
}

int batch_clean_up(const struct batch_call *call, struct error *err)
{
	const struct state *state = &call->header->state;
	struct batch_files files;
	struct scheduler_client client;
	struct stat found;
	if (scheduler_of(state->settings.general.executor) == NULL ||
	    (lstat(state->scripts_dir, &found) != 0 && errno == ENOENT))
		return 0;
	cleanup_close int directory = workspace_open_scripts(state, err);
	if (directory < 0)
		return -1;
	int result =
		scheduler_client_open(&client, call->header, call->channel, call->reporter, err);
	client.files = &files;
	if (result == 0)
		result = end_all(&client, directory, err);
	const char *allocation = call->header->allocation;
	if (result == 0 && allocation != NULL && allocation_is_name(allocation))
		result = allocation_leave(&client, ALLOCATION_LEAVE, err);
	scheduler_client_close(&client);
	return result;
}
