#include "core/static_builds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"
#include "core/text.h"
#include "core/tree.h"
#include "core/workspace.h"

/* What is to be removed gets another name first: nobody ever finds half of a directory. */
#define REMOVED "removed-"

#define NAME_SIZE 64
#define DAY_S	  (24 * 3600)

/* Who only looks at the file has it locked for a moment. */
#define KEEP_TRIES    100
#define KEEP_PAUSE_US 20000

/* A place of the author's own is not shared. */
static bool is_static(const struct state *state)
{
	return state->static_builds && state->custom_builds == NULL;
}

/* The file of the job's own directory, which lies in `directory`; as turn_open. */
static int open_own(const struct state *state, int directory, struct turn *turn, struct error *err)
{
	char name[NAME_SIZE];
	int length = snprintf(name, sizeof(name), "%s.job", strrchr(state->builds_dir, '/') + 1);
	if (length >= (int)sizeof(name))
		return error_set(err, ERROR_SYSTEM, "%s has too long a name", state->builds_dir);
	return turn_open(directory, name, turn, err);
}

/* The same for a job that has it already: then it is locked for moments alone. */
static int reopen_own(const struct state *state, int directory, struct turn *turn,
		      struct error *err)
{
	int result = open_own(state, directory, turn, err);
	for (int i = 1; result > 0 && turn_is_of(turn, state->job_id); i++) {
		if (i == KEEP_TRIES)
			return error_set(err, ERROR_SYSTEM,
					 "the file %s.job is locked by another process",
					 state->builds_dir);
		usleep(KEEP_PAUSE_US);
		result = open_own(state, directory, turn, err);
	}
	return result;
}

int static_builds_take(const struct state *state, struct turn *turn, struct error *err)
{
	cleanup_close int directory = -1;
	*turn = (struct turn){.fd = -1};
	if (!is_static(state))
		return 0;
	if (workspace_open_runner_builds(state, true, &directory, err) != 0)
		return -1;
	int result = open_own(state, directory, turn, err);
	if (result != 0)
		return result;
	if (turn_is_of_other(turn, state->job_id)) {
		turn_close(turn);
		return 1;
	}
	return turn_write(turn, state->job_id, err);
}

int static_builds_keep(const struct state *state, struct turn *turn, struct error *err)
{
	cleanup_close int directory = -1;
	*turn = (struct turn){.fd = -1};
	if (!is_static(state))
		return 0;
	if (workspace_open_runner_builds(state, true, &directory, err) != 0 ||
	    reopen_own(state, directory, turn, err) < 0)
		return -1;
	if (!turn_is_of(turn, state->job_id))
		return error_set(err, ERROR_SYSTEM,
				 "the builds directory %s is no longer this job's: %s%s",
				 state->builds_dir,
				 turn->holder[0] != '\0' ? "it has passed to job "
							 : "its file .job was changed",
				 turn->holder);
	turn_touch(turn);
	return 0;
}

int static_builds_leave(const struct state *state, struct error *err)
{
	cleanup_close int directory = -1;
	struct turn turn = {.fd = -1};
	if (!is_static(state))
		return 0;
	if (workspace_open_runner_builds(state, false, &directory, err) != 0)
		return -1;
	/* Where prepare never came to make it, there is nothing to leave. */
	if (directory < 0)
		return 0;
	int result = reopen_own(state, directory, &turn, err);
	if (result == 0 && turn_is_of(&turn, state->job_id))
		result = turn_write(&turn, 0, err);
	turn_close(&turn);
	return result < 0 ? -1 : 0;
}

/* One cleaning, over all of this runner's directories. */
struct cleaning {
	const struct state *state;
	int directory;
	int64_t deadline;
	int removed;
	bool failed;
	struct error *err; /* of the first that failed */
};

/* True for `prefix` and digits; more may follow behind a '-' where `two` is set. */
static bool is_named(const char *name, const char *prefix, bool two)
{
	size_t length = strlen(prefix);
	if (strncmp(name, prefix, length) != 0)
		return false;
	const char *rest = name + length;
	size_t digits = strspn(rest, TEXT_DIGIT);
	if (digits == 0 || digits > 20)
		return false;
	if (two && rest[digits] == '-')
		return text_is_made_of(rest + digits + 1, TEXT_DIGIT, 20);
	return !two && rest[digits] == '\0';
}

static bool is_own_directory(const struct cleaning *cleaning, const char *name)
{
	struct stat found;
	return fstatat(cleaning->directory, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(found.st_mode) && found.st_uid == geteuid();
}

/* What failed stays, and the cleaning goes on. */
static void note_failure(struct cleaning *cleaning, const char *name)
{
	const struct state *state = cleaning->state;
	if (!cleaning->failed && errno == ETIME)
		error_set(cleaning->err, ERROR_SYSTEM,
			  "old builds take long to remove; the rest is left to the next job");
	else if (!cleaning->failed)
		error_errno(cleaning->err, ERROR_SYSTEM,
			    "cannot remove old builds, %s/builds/%s/%s", state->base,
			    state->short_token, name);
	cleaning->failed = true;
}

static void remove_renamed(struct cleaning *cleaning, const char *name)
{
	if (tree_remove(cleaning->directory, name, cleaning->deadline) != 0 && errno != ENOENT)
		note_failure(cleaning, name);
}

/* Out of the way with it, where no job has it; 0 where it is. */
static int take_away(struct cleaning *cleaning, const char *name, const char *turn_name,
		     const char *new_name)
{
	struct turn turn;
	struct error unusable;
	int locked = turn_open(cleaning->directory, turn_name, &turn, &unusable);
	int result = -1;
	if (locked < 0 && !cleaning->failed) {
		*cleaning->err = unusable;
		cleaning->failed = true;
	}
	if (locked == 0 && turn.idle_s > cleaning->state->static_builds_days * DAY_S) {
		result = renameat(cleaning->directory, name, cleaning->directory, new_name);
		if (result != 0)
			note_failure(cleaning, name);
		else
			(void)unlinkat(cleaning->directory, turn_name, 0);
	}
	turn_close(&turn);
	return result;
}

static void clean_project(struct cleaning *cleaning, const char *name)
{
	char turn_name[NAME_SIZE];
	char new_name[NAME_SIZE];
	snprintf(turn_name, sizeof(turn_name), "%.32s.job", name);
	snprintf(new_name, sizeof(new_name), REMOVED "%.20s-%" PRIu64,
		 name + strlen(WORKSPACE_PROJECT), cleaning->state->job_id);
	if (take_away(cleaning, name, turn_name, new_name) != 0)
		return;
	cleaning->removed++;
	remove_renamed(cleaning, new_name);
}

/* False where there is no more time. */
static bool clean_entry(struct cleaning *cleaning, const char *name)
{
	bool is_project = is_named(name, WORKSPACE_PROJECT, false);
	if (io_now_ms() >= cleaning->deadline) {
		errno = ETIME;
		note_failure(cleaning, name);
		return false;
	}
	if (!is_project && !is_named(name, REMOVED, true))
		return true;
	if (!is_own_directory(cleaning, name))
		return true;
	if (is_project)
		clean_project(cleaning, name);
	else
		remove_renamed(cleaning, name);
	return true;
}

int static_builds_clean(const struct state *state, int64_t limit_ms, int *removed,
			struct error *err)
{
	struct cleaning cleaning = {
		.state = state, .deadline = io_now_ms() + limit_ms, .err = err, .directory = -1};
	*removed = 0;
	if (!state->static_builds || state->static_builds_days == 0)
		return 0;
	if (workspace_open_runner_builds(state, false, &cleaning.directory, err) != 0)
		return -1;
	if (cleaning.directory < 0)
		return 0;
	DIR *listing = fdopendir(cleaning.directory);
	if (listing == NULL) {
		error_errno(err, ERROR_SYSTEM, "cannot look for old builds in %s/builds/%s",
			    state->base, state->short_token);
		close(cleaning.directory);
		return -1;
	}
	const struct dirent *entry;
	while ((entry = readdir(listing)) != NULL && clean_entry(&cleaning, entry->d_name))
		;
	closedir(listing);
	*removed = cleaning.removed;
	return cleaning.failed ? -1 : 0;
}
