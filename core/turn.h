/*
 * Who uses a directory that jobs share, one at a time: a file beside it.
 *
 * The file holds the id of the job that has the directory, and is empty where none has. While a
 * stage of that job runs, it is locked (flock(2)); between two stages it is not, and the time of
 * its last change tells whether the job may still go on. Nobody need outlive a stage for it, and
 * a job that came to no proper end gives way after a while.
 */
#ifndef JACAMAR_CORE_TURN_H
#define JACAMAR_CORE_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct turn {
	int fd;		 /* of the locked file; -1: none */
	char holder[24]; /* the job's id; "" where none has the directory */
	int64_t idle_s;	 /* since the last change, in seconds; below 0 where clocks differ */
};

/*
 * Opens and locks the file `name` in `parent`, made where it is missing, and reads it. 1 where a
 * process has it locked: *turn then says whose it is, and holds nothing. The caller calls
 * turn_close in any case.
 */
int turn_open(int parent, const char *name, struct turn *turn, struct error *err);

/* True where another job than `job` may be between two of its stages. */
bool turn_is_of_other(const struct turn *turn, uint64_t job);

/* True where `job` has the directory. */
bool turn_is_of(const struct turn *turn, uint64_t job);

/* Says who has the directory from now on; 0: nobody. */
int turn_write(const struct turn *turn, uint64_t job, struct error *err);

/* The directory was in use until now. */
void turn_touch(const struct turn *turn);

/* Unlocks it. */
void turn_close(struct turn *turn);

#endif
