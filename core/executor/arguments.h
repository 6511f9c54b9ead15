/*
 * The arguments of a submit command: the site's, and those that a job's author wrote.
 */
#ifndef JACAMAR_CORE_EXECUTOR_ARGUMENTS_H
#define JACAMAR_CORE_EXECUTOR_ARGUMENTS_H

#include <stddef.h>

#include "config/settings.h"
#include "core/channel.h"
#include "core/error.h"
#include "core/executor/scheduler.h"
#include "core/words.h"

#define ARGUMENTS_FAULT_SIZE 256

struct arguments {
	struct words words; /* the site's come first: of two the same, schedulers take the last */
	size_t of_author;   /* how many of them */
	char fault[ARGUMENTS_FAULT_SIZE]; /* why the author's cannot be used; "": they can */
};

/* 0, or -1 with *err where the site's cannot be used. The caller frees `words` in any case. */
int arguments_read(const struct scheduler *scheduler, const struct channel_header *header,
		   struct arguments *arguments, struct error *err);

/* The site's alone, for the scheduler of `executor`, where it is one's: 0, or -1 with *err. */
int arguments_check(enum executor_kind executor, const struct batch_settings *settings,
		    struct error *err);

#endif
