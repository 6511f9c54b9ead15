#include "core/launch.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/downscope.h"

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;
	sigemptyset(&none);
	/* sigfillset() leaves out two that glibc keeps to itself, and would have ignored. */
	memset(&all, 0xff, sizeof(all));
	int code = posix_spawnattr_setsigmask(attributes, &none);
	if (code == 0)
		code = posix_spawnattr_setsigdefault(attributes, &all);
	if (code == 0)
		code = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
								    POSIX_SPAWN_SETSIGMASK |
								    POSIX_SPAWN_SETSIGDEF);
	return code;
}

static int set_descriptors(const struct launch *launch, posix_spawn_file_actions_t *actions)
{
	const int pairs[][2] = {
		{launch->input, STDIN_FILENO},
		{launch->other, launch->other_as},
		{launch->output, STDOUT_FILENO},
		{launch->errors, STDERR_FILENO},
	};
	int code = 0;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && code == 0; i++)
		if (pairs[i][0] >= 0 && pairs[i][0] != pairs[i][1])
			code = posix_spawn_file_actions_adddup2(actions, pairs[i][0], pairs[i][1]);
	return code;
}

/* 0 or an errno. */
static int spawn(const struct launch *launch, pid_t *child)
{
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;

	if (posix_spawnattr_init(&attributes) != 0)
		return ENOMEM;
	int code = posix_spawn_file_actions_init(&actions);
	if (code == 0) {
		code = set_attributes(&attributes);
		if (code == 0)
			code = set_descriptors(launch, &actions);
		if (code == 0)
			code = posix_spawn(child, launch->program, &actions, &attributes,
					   launch->arguments, launch->environment);
		posix_spawn_file_actions_destroy(&actions);
	}
	posix_spawnattr_destroy(&attributes);
	return code;
}

/* The child inherits a login's mask and limit of core dumps; this process has them no longer. */
pid_t launch_program(const struct launch *launch, struct error *err)
{
	pid_t child = -1;
	if (downscope_restore_core_limit(launch->core_limit, err) != 0)
		return -1;
	mode_t private = umask(0022);
	errno = spawn(launch, &child);
	umask(private);
	if (errno != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot execute %s", launch->program);
	if (privilege_hide_memory(NULL, err) != 0) {
		kill(child, SIGKILL);
		return -1;
	}
	return child;
}
