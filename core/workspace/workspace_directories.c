#include "core/workspace/workspace_directories.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/remove_tree.h"
#include "core/lib/text.h"
#include "core/workspace/checked_walk.h"

/* The mode of directories without scripts, in which the job's secrets are. */
static mode_t shared_mode(const struct state *state)
{
	return state->settings.general.group_permissions ? 0750 : 0700;
}

/* To a directory in the base; `mode` is that of new directories. */
static struct checked_walk walk_to(const struct state *state, const char *path, mode_t mode,
				   bool make)
{
	return (struct checked_walk){
		.state = state, .root = state->base, .path = path, .make = make, .mode = mode};
}

static struct checked_walk walk_to_builds(const struct state *state, bool make)
{
	struct checked_walk walk = walk_to(state, state->builds_dir, shared_mode(state), make);
	walk.custom = state->custom_builds != NULL;
	if (walk.custom)
		walk.root = state->custom_builds;
	return walk;
}

int workspace_make(const struct state *state, struct error *err)
{
	const struct checked_walk walks[] = {
		walk_to_builds(state, true),
		walk_to(state, state->cache_dir, shared_mode(state), true),
		walk_to(state, state->scripts_dir, 0700, true),
	};
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		cleanup_close int fd = checked_walk_open(&walks[i], err);
		if (fd < 0)
			return -1;
	}
	return 0;
}

int workspace_open_above_builds(const struct state *state, bool make, int *fd, struct error *err)
{
	struct checked_walk walk = walk_to_builds(state, make);
	walk.leave = 1;
	return checked_walk_open_existing(&walk, fd, err);
}

int workspace_open_runner_builds(const struct state *state, int *fd, struct error *err)
{
	cleanup_free char *path = text_format("%s/builds/%s", state->base, state->short_token);
	*fd = -1;
	return path != NULL ? workspace_open_private(state, path, false, fd, err)
			    : error_set(err, ERROR_SYSTEM, "out of memory");
}

int workspace_open_private(const struct state *state, const char *path, bool make, int *fd,
			   struct error *err)
{
	const struct checked_walk walk = walk_to(state, path, 0700, make);
	return checked_walk_open_existing(&walk, fd, err);
}

int workspace_open_scripts(const struct state *state, struct error *err)
{
	const struct checked_walk walk = walk_to(state, state->scripts_dir, 0700, true);
	int fd = checked_walk_open(&walk, err);
	/* A script has secrets in it; an earlier version may have made the directory. */
	if (fd >= 0 && fchmod(fd, 0700) != 0) {
		error_errno(err, ERROR_SYSTEM, "cannot make %s private", state->scripts_dir);
		close(fd);
		return -1;
	}
	return fd;
}

int workspace_remove_scripts(const struct state *state, struct error *err)
{
	struct checked_walk walk = walk_to(state, state->scripts_dir, 0700, false);
	cleanup_close int parent = -1;
	walk.leave = 1;
	if (checked_walk_open_existing(&walk, &parent, err) != 0)
		return -1;
	const char *name = strrchr(state->scripts_dir, '/') + 1;
	if (parent >= 0 && remove_tree(parent, name, -1) != 0 && errno != ENOENT)
		return error_errno(err, ERROR_SYSTEM, "cannot remove %s", state->scripts_dir);
	return 0;
}
