/*
 * Keeping hold of a job's processes: finding them, ending them. Both sides of the wall use it; it
 * knows nothing of privilege, and signals what the kernel lets it signal.
 *
 * Only /proc entries of the process's own (effective) uid are read, so that it works where /proc
 * is mounted with hidepid.
 */
#ifndef JACAMAR_CORE_SUPERVISE_H
#define JACAMAR_CORE_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

struct pid_list {
	pid_t *pids;
	size_t count;
	size_t room;
};

void pid_list_free(struct pid_list *list);

/* Makes this process the parent of every descendant whose own parent ends. */
int supervise_adopt_orphans(struct error *err);

/* A descriptor that is readable for each of SIGCHLD, SIGTERM, SIGINT, SIGHUP and SIGQUIT. */
int supervise_open_signals(struct error *err);

struct supervise_signals {
	bool child; /* a child has changed its state */
	bool end;   /* we were told to end */
};

/* Takes what has come on that descriptor. */
struct supervise_signals supervise_read_signals(int signal_fd);

/* The children of this process, the one to leave out excepted, zombies included. */
int supervise_children(pid_t except, struct pid_list *list);

/* Sends a signal to `roots` and all their descendants; how many living ones it reached. */
size_t supervise_signal(const struct pid_list *roots, int signal_number);

/*
 * Kills `roots` and all their descendants: first stops them, until there is none left that could
 * fork, then kills. How many living ones it reached.
 */
size_t supervise_kill(const struct pid_list *roots);

/* A pipe, as stat(2) tells it from others; inode 0 for none. */
struct supervise_pipe {
	dev_t device;
	ino_t inode;
};

/* The pipe that the descriptor is, or none where it is something else. */
struct supervise_pipe supervise_pipe_of(int fd);

/* Which processes of this uid are meant by supervise_find. */
struct supervise_mark {
	/* Holds the writing end of one of these pipes open; see supervise_pipe_of. */
	struct supervise_pipe pipes[2];
	/* Has this "NAME=value" in its environment (NULL: any). */
	const char *variable;
};

/*
 * Finds the living processes of this uid, other than this one, that bear the mark. Their pids go
 * to `found`, their names to `names` (for a line in the log; NULL: not wanted).
 */
void supervise_find(const struct supervise_mark *mark, struct pid_list *found, char *names,
		    size_t names_size);

/*
 * Adds our living descendants whose open files we may not see: programs with a set-user-id bit or
 * file capabilities. Any of them may hold whatever it was started with.
 */
void supervise_find_opaque(struct pid_list *found, char *names, size_t names_size);

#endif
