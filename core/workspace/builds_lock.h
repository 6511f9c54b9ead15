/*
 * The lock of a builds directory: a file next to it, which exists from config or prepare until
 * cleanup.
 *
 *   <builds>/<short token>/<number>-<project id>.job    for one project's jobs in that directory
 *   <builds>/<short token>/project-<id>.job             for a static directory (static_builds.h)
 *
 * Jobs on other hosts may share the file system, so the existence of the file is the lock: it is
 * made with O_EXCL, which is atomic on NFS, Lustre and BeeGFS, and removed by cleanup. It has one
 * line: the job's id, its host, its kill timeout in milliseconds, and whether a stage is running.
 * While a stage runs, its time of modification is renewed. A file that has not changed for 10
 * minutes is left over from a job that did not end properly, and another job may remove it.
 *
 * A running stage also locks the file with flock(2), if the file system supports it. With this
 * lock, another job on the same host notices at once that the stage's process has died, and removes
 * an empty file whose process was killed before it wrote the line. Nothing else depends on it.
 *
 * All of this is on the user's side. The files are the user's own: a user who changes them harms
 * only their own jobs.
 */
#ifndef JACAMAR_CORE_WORKSPACE_BUILDS_LOCK_H
#define JACAMAR_CORE_WORKSPACE_BUILDS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/lib/error.h"
#include "core/protocol/state.h"

/*
 *   <builds>/<short token>/<number>-<project id>.used
 *
 * Only if the site removes old builds (static_builds.h): a file with the project's path in
 * <number>. Its time of modification is that of the last stage of the last job.
 */
#define BUILDS_LOCK_USED ".used"

/* How many directories are tried, beginning with the number that the runner gave the job. */
#define BUILDS_LOCK_NUMBERS 100

/* The contents of a lock file. */
struct builds_holder {
	uint64_t job;	    /* 0: no job has written the file */
	char host[65];	    /* "?": likewise */
	int64_t timeout_ms; /* the job's kill timeout */
	bool running;	    /* a stage runs, or its process has died */
	bool interrupted;   /* it has died; known only on the same host, with flock(2) */
	bool unwritten;	    /* the file is empty, and nobody has locked it with flock(2) */
};

struct builds_lock {
	int directory; /* of the file; -1: none */
	int fd;	       /* of the file, if it is the job's own; else -1 */
	char name[128];
	struct builds_holder holder;
};

/*
 * Locks the builds directory for the job of `state`, which may have locked it before; makes the
 * directories above it. Returns 1 if lock->holder has it. With `impatient`, an interrupted holder
 * loses it. The caller calls builds_lock_close in any case.
 */
int builds_lock_take(const struct state *state, bool impatient, struct builds_lock *lock,
		     struct error *err);

/* The same for the file `name` in `directory`; the lock closes that descriptor. */
int builds_lock_take_file(int directory, const char *name, const struct state *state,
			  bool impatient, struct builds_lock *lock, struct error *err);

/*
 * For run: checks that this job still has the lock, and renews the lock file every `interval_s`
 * seconds, until builds_lock_close.
 */
int builds_lock_keep(const struct state *state, int interval_s, struct builds_lock *lock,
		     struct error *err);

#define BUILDS_LOCK_INTERVAL_S 180

/* Records that the stage has ended and another may follow; otherwise it counts as interrupted. */
void builds_lock_pause(const struct builds_lock *lock);

/* Releases the lock, and closes it. */
void builds_lock_remove(struct builds_lock *lock);

void builds_lock_close(struct builds_lock *lock);

/* For cleanup: releases the lock. If another job has it by now, that job keeps it. */
int builds_lock_leave(const struct state *state, struct error *err);

#endif
