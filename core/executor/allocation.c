#include "core/executor/allocation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/executor/login_shell.h"
#include "core/lib/io.h"
#include "core/lib/remove_tree.h"
#include "core/lib/text.h"
#include "core/protocol/environment.h"
#include "core/workspace/builds_lock.h"
#include "core/workspace/workspace_directories.h"

/* How often a lock or a file of another process is checked. */
#define LOOK_MS 200

/* How long the scheduler may take to say whether an allocation still exists. */
#define ANSWER_MS 15000

/* The keeper confirms the end of a script in less time; else the scheduler is asked about it. */
#define CONFIRM_MS 5000

static const char END[] = "end\n";

/* The variables that allocation_keeper.bash needs; it follows without its comments. */
static const char KEEPER[] =
	"#!/bin/bash\n"
	"# Made by jacamar: holds an allocation for the CI jobs of a pipeline.\n"
	"here=%s feed=%s node=${%s:-$HOSTNAME} idle=%" PRId64 " patience=%" PRId64 "\n"
	"%s";
static const char KEEPER_BODY[] =
#include "allocation_keeper.text.h"
	;

struct allocation {
	struct scheduler_client *client;
	struct batch_files keeper;
	struct batch_files request; /* of this job */
	int directory;		    /* of both; -1: there is no such allocation */
	char *above;		    /* the path of the directory of all allocations */
	char *path;		    /* of this one */
	const char *key;	    /* the last component of the path */
	struct builds_lock lock;    /* its directory is `above`, while it is held */
};

bool allocation_is_name(const char *name)
{
	return text_is_made_of(name, TEXT_WORD ".", ALLOCATION_NAME_MOST);
}

/* The caller calls allocation_free also after a failure. */
static int allocation_init(struct allocation *a, struct scheduler_client *client, struct error *err)
{
	const struct state *state = client->state;
	const char *name = client->header->allocation;
	char job[24];
	*a = (struct allocation){
		.client = client,
		.directory = -1,
		.above = text_format("%s/allocations/%s", state->base, state->short_token),
		.lock = {.directory = -1, .fd = -1},
	};
	a->path = text_format("%s/%" PRIu64 "-%" PRIu64 "-%s", a->above, state->project_id,
			      state->pipeline_id, name);
	if (a->above == NULL || a->path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	a->key = a->path + strlen(a->above) + 1;
	snprintf(job, sizeof(job), "%" PRIu64, state->job_id);
	if (batch_files_init(&a->keeper, -1, a->path, "keeper", err) != 0 ||
	    batch_files_init(&a->request, -1, a->path, job, err) != 0)
		return -1;
	/* The keeper prints nothing; on NFS, its directory cannot go while a log in it is open. */
	a->keeper.silent = true;
	/* By this, some schedulers find a job whose number was lost. */
	snprintf(client->name, sizeof(client->name), "ci-%" PRIu64 "-%s", state->pipeline_id, name);
	return 0;
}

static void allocation_close(struct allocation *a)
{
	if (a->directory >= 0)
		close(a->directory);
	a->directory = -1;
}

static void allocation_free(struct allocation *a)
{
	allocation_close(a);
	builds_lock_remove(&a->lock);
	batch_files_free(&a->keeper);
	batch_files_free(&a->request);
	free(a->above);
	free(a->path);
}

/* Opens the directory, again if it was open; -1 in a->directory if there is none. */
static int open_directory(struct allocation *a, bool make, struct error *err)
{
	allocation_close(a);
	if (workspace_open_private(a->client->state, a->path, make, &a->directory, err) != 0)
		return -1;
	a->keeper.directory = a->request.directory = a->directory;
	return 0;
}

/* Waits until the lock is free: until `deadline`, or, if that is -1, until the job is cancelled. */
static int lock_allocation(struct allocation *a, int64_t deadline, struct error *err)
{
	char name[sizeof(a->lock.name)];
	bool impatient = false;
	snprintf(name, sizeof(name), "%s,lock", a->key);
	for (;;) {
		int above;
		if (workspace_open_private(a->client->state, a->above, true, &above, err) != 0)
			return -1;
		int result = builds_lock_take_file(above, name, a->client->state, impatient,
						   &a->lock, err);
		if (result <= 0)
			return result;
		/* The holder has died, and no other stage of its job continues its work here. */
		impatient = a->lock.holder.interrupted;
		builds_lock_close(&a->lock);
		if (deadline < 0 && a->client->cancelled)
			return error_cancelled(err);
		if (deadline >= 0 && io_now_ms() >= deadline)
			return error_set(err, ERROR_SYSTEM,
					 "another process keeps the lock file %s/%s", a->above,
					 name);
		scheduler_client_wait(a->client, LOOK_MS, false);
	}
}

static int remove_allocation(struct allocation *a, struct error *err)
{
	allocation_close(a);
	if (remove_tree(a->lock.directory, a->key, -1) == 0 || errno == ENOENT)
		return 0;
	return error_errno(err, ERROR_SYSTEM, "cannot remove %s", a->path);
}

/* Ends the keeper's job, even if its number was lost, and removes the directory. */
static int end_allocation(struct allocation *a, int64_t limit_ms, struct error *err)
{
	a->client->files = &a->keeper;
	(void)batch_files_recall(&a->keeper);
	if (scheduler_client_withdraw(a->client, limit_ms, err) != 0)
		return -1;
	if (a->keeper.number[0] != '\0')
		batch_report(a->client, "%s is gone from the queue", batch_title(a->client).text);
	return remove_allocation(a, err);
}

/* Under the lock: 1 if there is an allocation to join, 0 if not, -1 if that is unknown. */
static int find_allocation(struct allocation *a, struct error *err)
{
	struct error ignored;
	if (open_directory(a, false, err) != 0)
		return -1;
	if (a->directory < 0)
		return 0;
	a->client->files = &a->keeper;
	/* The job that submitted it died before the number was on the disk. */
	if (!batch_files_recall(&a->keeper) || a->keeper.number[0] == '\0')
		return end_allocation(a, scheduler_client_patience(a->client), err);
	/* If the scheduler does not answer, batch.c asks it again. */
	if (!scheduler_client_is_gone(a->client, io_now_ms() + ANSWER_MS, &ignored))
		return 1;
	return remove_allocation(a, err);
}

static int write_request(struct allocation *a, const struct batch_files *files, struct error *err)
{
	cleanup_free char *line = text_format("%s %s\n", a->client->state->cookie, files->here);
	if (line == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (a->client->header->release &&
	    batch_files_put(&a->keeper, "release", 0600, "", err) != 0)
		return -1;
	return batch_files_put(&a->request, "run", 0600, line, err);
}

/* For each attempt to submit the keeper. */
static int write_keeper(const void *context, struct error *err)
{
	const struct allocation *a = context;
	const struct settings *settings = &a->client->state->settings;
	cleanup_free char *here = login_shell_quote(a->path);
	cleanup_free char *path = batch_files_feed(&a->keeper);
	cleanup_free char *feed = path != NULL ? login_shell_quote(path) : NULL;
	cleanup_free char *text =
		here == NULL || feed == NULL
			? NULL
			: text_format(KEEPER, here, feed, a->client->scheduler->node_variable,
				      (settings->batch.allocation_idle_ms + 999) / 1000,
				      (settings->general.kill_timeout_ms + 3999) / 4000,
				      KEEPER_BODY);
	if (text == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	/* Other jobs take an old lock for that of a dead job: renew it. */
	(void)futimens(a->lock.fd, NULL);
	return batch_files_put_wrapper(&a->keeper, text, "", err);
}

/* The keeper outlives this job: it must not be found as a process that the job has left. */
static void leave_out_cookie(json_t *environment)
{
	for (size_t i = json_array_size(environment); i > 0; i--)
		if (strncmp(json_string_value(json_array_get(environment, i - 1)),
			    ENVIRONMENT_COOKIE "=", sizeof(ENVIRONMENT_COOKIE)) == 0)
			(void)json_array_remove(environment, i - 1);
}

/* Under the lock: submits the keeper, which finds the request of this job. */
static int make_allocation(struct allocation *a, const struct submission *job,
			   const struct batch_files *files, enum submit_fault *fault,
			   struct error *err)
{
	struct error ignored;
	const struct submission keeper = {
		.client = a->client,
		.arguments = job->arguments,
		.write = write_keeper,
		.context = a,
	};
	a->keeper.number[0] = '\0';
	memcpy(a->keeper.cluster, files->cluster, sizeof(a->keeper.cluster));
	int result = open_directory(a, true, err);
	if (result == 0)
		result = write_request(a, files, err);
	if (result == 0) {
		a->client->files = &a->keeper;
		leave_out_cookie(a->client->environment);
		result = submission_make(&keeper, fault, err);
		/* Without its number, nobody could join or end it. */
		if (result == 0 && batch_files_record(&a->keeper, err) != 0) {
			(void)end_allocation(a, scheduler_client_patience(a->client), &ignored);
			return -1;
		}
	}
	if (result == 0)
		batch_report(a->client, "allocation %s: made by this job",
			     a->client->header->allocation);
	else if (*fault != SUBMIT_UNCLEAR)
		(void)remove_allocation(a, &ignored);
	else
		(void)batch_files_put(&a->keeper, "release", 0600, "", &ignored);
	return result;
}

int allocation_join(const struct submission *job, enum submit_fault *fault, struct error *err)
{
	struct allocation a;
	struct scheduler_client *client = job->client;
	const struct channel_header *header = client->header;
	struct batch_files *files = client->files;
	*fault = SUBMIT_NOT_ASKED;
	if (header->state.pipeline_id == 0 || header->state.project_id == 0)
		return error_set(err, ERROR_SYSTEM,
				 "JACAMAR_ALLOCATION needs the numbers of the project and the "
				 "pipeline, which neither the id token nor the job response has");
	if (job->write(job->context, err) != 0)
		return -1;
	int result = allocation_init(&a, client, err);
	if (result == 0)
		result = lock_allocation(&a, -1, err);
	if (result == 0)
		result = find_allocation(&a, err);
	if (result == 0) {
		result = make_allocation(&a, job, files, fault, err);
	} else if (result > 0) {
		result = write_request(&a, files, err);
		if (result == 0)
			batch_report(client,
				     "allocation %s: made by an earlier job of this pipeline, with "
				     "the arguments of that job",
				     header->allocation);
	}
	if (result == 0) {
		memcpy(files->number, a.keeper.number, sizeof(files->number));
		memcpy(files->cluster, a.keeper.cluster, sizeof(files->cluster));
	}
	allocation_free(&a);
	client->files = files;
	return result;
}

/* True if there is a job that has not left; this one has. */
static bool is_used(const struct allocation *a)
{
	cleanup_listing DIR *listing = io_list(a->directory, ".");
	const struct dirent *entry;
	bool used = listing == NULL;
	while (!used && (entry = readdir(listing)) != NULL) {
		char text[sizeof(END)] = "";
		size_t length = strcspn(entry->d_name, ".");
		if (strcmp(entry->d_name + length, ".run") != 0)
			continue;
		cleanup_close int fd = openat(a->directory, entry->d_name,
					      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		ssize_t got = fd >= 0 ? io_read_full(fd, text, sizeof(text) - 1) : 0;
		used = got > 0 && strcmp(text, END) != 0;
	}
	return used;
}

/* Waits until the keeper has confirmed that nothing of this job runs. */
static int await_end(struct allocation *a, int64_t deadline, struct error *err)
{
	int64_t ask_at = io_now_ms() + CONFIRM_MS;
	struct error ignored;
	a->client->files = &a->keeper;
	(void)batch_files_recall(&a->keeper);
	/* A keeper that starts later finds the line "end". */
	bool is_over = !batch_files_has(&a->keeper, "start");
	while (!is_over && batch_files_has(&a->request, "run")) {
		int64_t now = io_now_ms();
		if (now >= deadline)
			return error_set(err, ERROR_SYSTEM,
					 "the script may still run in the allocation %s, %s",
					 a->client->header->allocation,
					 batch_title(a->client).text);
		if (now >= ask_at) {
			is_over = scheduler_client_is_gone(a->client, deadline, &ignored);
			ask_at = io_now_ms() + CONFIRM_MS;
		}
		scheduler_client_wait(a->client, LOOK_MS, false);
	}
	if (is_over)
		batch_files_remove(&a->request, "run");
	return 0;
}

static int leave(struct allocation *a, enum allocation_leave how, int64_t deadline,
		 struct error *err)
{
	struct error ignored;
	if (open_directory(a, false, err) != 0)
		return -1;
	if (!batch_files_has(&a->request, "run"))
		return 0;
	if (how == ALLOCATION_END)
		(void)batch_files_put(&a->keeper, "release", 0600, "", &ignored);
	/* On a full disk, the keeper ends the script as well, but cannot confirm it. */
	int result = batch_files_put(&a->request, "run", 0600, END, err);
	if (result != 0)
		batch_files_remove(&a->request, "run");
	/* A job that asks for the end later finds, when it leaves, that this one has left. */
	if (how == ALLOCATION_END ||
	    (how == ALLOCATION_LEAVE && batch_files_has(&a->keeper, "release"))) {
		if (lock_allocation(a, deadline, err) != 0 || open_directory(a, false, err) != 0)
			return -1;
		if (a->directory < 0)
			return 0;
		if (!is_used(a))
			return end_allocation(a, deadline - io_now_ms(), err);
		builds_lock_remove(&a->lock);
	}
	return result == 0 ? await_end(a, deadline, err) : -1;
}

int allocation_leave(struct scheduler_client *client, enum allocation_leave how, struct error *err)
{
	struct allocation a;
	struct batch_files *files = client->files;
	int64_t deadline = io_now_ms() + scheduler_client_patience(client);
	int result = allocation_init(&a, client, err);
	if (result == 0)
		result = leave(&a, how, deadline, err);
	allocation_free(&a);
	client->files = files;
	return result;
}
