/*
 * The tree of a job's processes: adopting, listing, reaping and killing them. The service's side
 * and the user's side use it. It does not use or change privileges: it can signal only the
 * processes that the kernel lets the caller signal. It works also if /proc is mounted with hidepid.
 */
#ifndef JACAMAR_CORE_PROCESS_PROCESS_TREE_H
#define JACAMAR_CORE_PROCESS_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/lib/error.h"

struct pid_list {
	pid_t *pids;
	size_t count;
	size_t room;
};

void pid_list_free(struct pid_list *list);
bool pid_list_add(struct pid_list *list, pid_t pid);
bool pid_list_has(const struct pid_list *list, pid_t pid); /* list NULL: false */
bool pid_list_same(const struct pid_list *a, const struct pid_list *b);

/* Makes this process the parent of every descendant whose own parent ends. */
int process_tree_adopt_orphans(struct error *err);

/* Reaps all children that have ended; true if `child` (-1: none) is one of them, with *status. */
bool process_tree_reap(pid_t child, int *status);

/* True if this process has children, zombies included, or if /proc cannot be read. */
bool process_tree_has_children(void);

/*
 * Sends SIGTERM to `roots` and all their descendants, stopped ones included, and to children that
 * they fork meanwhile.
 */
void process_tree_terminate(const struct pid_list *roots);

/* The same to all descendants of this process. */
void process_tree_terminate_descendants(void);

/*
 * Kills `roots` and all their descendants: first stops them until none can fork any more, then
 * kills. Returns how many living processes got SIGKILL.
 */
size_t process_tree_kill(const struct pid_list *roots);

/* Lists all descendants of this process, zombies included; -1 if /proc cannot be read. */
int process_tree_descendants(struct pid_list *list);

/*
 * Kills all descendants of this process, and the orphans that it adopts meanwhile, until none is
 * alive. False if some cannot be killed (root's processes), or are alive after `limit_ms`.
 */
bool process_tree_kill_descendants(int64_t limit_ms);

/*
 * The same for the descendants of `ancestor`, a single-threaded process that adopts orphans, except
 * for its children in `spared` and their descendants. False also if /proc hides it.
 */
bool process_tree_kill_below(pid_t ancestor, const struct pid_list *spared, int64_t limit_ms);

/* From /proc/PID/stat; all zero if /proc hides the process. */
struct process_stat {
	char state;
	pid_t parent;
	pid_t group;
	pid_t session;
	unsigned long long start; /* in ticks since the boot; with the pid it is unique */
};
struct process_stat process_tree_stat(pid_t pid);

/* True for a zombie, which can still be signalled; false if /proc hides it. */
bool process_tree_is_dead(pid_t pid);

#endif
