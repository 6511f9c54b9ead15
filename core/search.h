/*
 * Looking for processes of this account by what they hold: a pipe, a variable in the environment.
 *
 * It needs to see only processes of its own effective uid, and works where /proc is mounted with
 * hidepid.
 */
#ifndef JACAMAR_CORE_SEARCH_H
#define JACAMAR_CORE_SEARCH_H

#include <stddef.h>
#include <sys/types.h>

#include "core/supervise.h"

/* The inode of the pipe that the descriptor is; 0 where it is something else. */
ino_t search_pipe_of(int fd);

/* Which processes of this uid are meant by search_processes. */
struct search_mark {
	/* Holds the writing end of one of these pipes open; see search_pipe_of. */
	ino_t pipes[2];
	/* Has this "NAME=value" in its environment, or is one of these (NULL: any). */
	const char *variable;
	const struct pid_list *or_one_of;
	/* Is sent this at once, before it could be another process (0: nothing). */
	int signal_number;
};

/*
 * Finds the living processes of this uid, other than this one, that bear the mark. Their pids go
 * to `found`, their names to `names` (for a line in the log; NULL: not wanted). -1 where /proc
 * cannot be read: that is no proof of anything.
 */
int search_processes(const struct search_mark *mark, struct pid_list *found, char *names,
		     size_t names_size);

/*
 * Adds our living descendants whose open files we may not see: programs with a set-user-id bit or
 * file capabilities. Any of them may hold whatever it was started with. -1 as above.
 */
int search_opaque(struct pid_list *found, char *names, size_t names_size);

#endif
