/*
 * Copying a file that grows to our standard output, byte for byte, without ever blocking.
 */
#ifndef JACAMAR_CORE_EXECUTOR_FOLLOW_H
#define JACAMAR_CORE_EXECUTOR_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/allocation.h"

struct follower {
	const struct allocation *allocation;
	uint64_t position; /* bytes that were copied */
	bool broken;	   /* nobody reads our standard output any more */
	bool in_line;	   /* the last of them did not end one */
};

enum follow_result {
	FOLLOW_IDLE,	/* all that there is was copied */
	FOLLOW_MORE,	/* there is more at once */
	FOLLOW_BLOCKED, /* wait until standard output can be written */
};

/* Of the log as it is seen now; 0 where there is none. */
uint64_t follow_size(const struct follower *follower);

/* Has what is said next begin a line. */
void follow_end_line(struct follower *follower);

/* One bounded step from the log's `position` on. */
enum follow_result follow_step(struct follower *follower);

#endif
