/*
 * Keeping hold of a job's processes: adopting, watching, ending them. Both sides of the wall use
 * it; it knows nothing of privilege, and signals what the kernel lets it signal.
 *
 * It needs to see only processes of its own effective uid, and works where /proc is mounted with
 * hidepid.
 */
#ifndef JACAMAR_CORE_SUPERVISE_H
#define JACAMAR_CORE_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

struct pid_list {
	pid_t *pids;
	size_t count;
	size_t room;
};

void pid_list_free(struct pid_list *list);
bool pid_list_add(struct pid_list *list, pid_t pid);
bool pid_list_has(const struct pid_list *list, pid_t pid); /* of NULL: never */
bool pid_list_same(const struct pid_list *a, const struct pid_list *b);

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

/* Reaps every child that has ended; true where `child` (-1: none) is one, with its *status. */
bool supervise_reap(pid_t child, int *status);

/* True where this process has children, zombies included, or where /proc does not tell. */
bool supervise_has_children(void);

/* Sends SIGTERM to `roots` and all their descendants, stopped ones included. */
void supervise_terminate(const struct pid_list *roots);

/* The same to all descendants of this process. */
void supervise_terminate_descendants(void);

/*
 * Kills `roots` and all their descendants: first stops them, until there is none left that could
 * fork, then kills. How many living ones it reached.
 */
size_t supervise_kill(const struct pid_list *roots);

/* True where one of them could be signalled, or is gone by now. */
bool supervise_any_in_reach(const struct pid_list *list);

/* All descendants of this process, zombies included; -1 where /proc cannot be read. */
int supervise_descendants(struct pid_list *list);

/*
 * Kills all descendants of this process, and those that they leave to it, until none is alive.
 * False where that cannot be had: root's processes, or `limit_ms` is over.
 */
bool supervise_kill_descendants(int64_t limit_ms);

/*
 * The same for the descendants of `ancestor`, a process of a single thread that adopts orphans,
 * but for the children `spared` and what is below them. False also where /proc hides it.
 */
bool supervise_kill_below(pid_t ancestor, const struct pid_list *spared, int64_t limit_ms);

/* True for a zombie, which takes signals as well; false where it cannot be seen. */
bool supervise_is_dead(pid_t pid);

#endif
