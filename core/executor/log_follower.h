/*
 * Copies the growing log of a batch job to standard output, and never blocks.
 */
#ifndef JACAMAR_CORE_EXECUTOR_LOG_FOLLOWER_H
#define JACAMAR_CORE_EXECUTOR_LOG_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/batch_files.h"

struct log_follower {
	const struct batch_files *files;
	uint64_t position; /* bytes that were copied */
	int error;	   /* why standard output was given up, an errno; 0: it was not */
	bool in_line;	   /* the last byte was not a newline */
};

enum log_follower_result {
	FOLLOW_IDLE,	/* all is copied */
	FOLLOW_MORE,	/* there is more */
	FOLLOW_BLOCKED, /* standard output takes no more at present */
};

/* The size of the log; 0 if there is none. */
uint64_t log_follower_size(const struct log_follower *follower);

/* Ends an unfinished line, so that a message begins on a new one. */
void log_follower_end_line(struct log_follower *follower);

/* Copies a bounded part of the log from `position` on. */
enum log_follower_result log_follower_step(struct log_follower *follower);

#endif
