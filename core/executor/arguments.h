/*
 * The arguments of a submit command: the site's, and those of the job's author; and which of them
 * are refused, because jacamar could not follow the job.
 */
#ifndef JACAMAR_CORE_EXECUTOR_ARGUMENTS_H
#define JACAMAR_CORE_EXECUTOR_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"
#include "core/executor/scheduler.h"
#include "core/lib/string_list.h"
#include "core/lib/error.h"
#include "core/protocol/channel.h"

struct arguments {
	/* The site's first: schedulers take the last of two equal options. */
	struct string_list words;
	size_t of_author;		  /* how many are the author's */
	char cluster[BATCH_CLUSTER_SIZE]; /* that they name; "": none */
	char fault[320];		  /* why the author's cannot be used; "": they can be */
};

/* 0, or -1 with *err if the site's cannot be used. The caller frees `words` in any case. */
int arguments_read(const struct scheduler *scheduler, const struct channel_header *header,
		   struct arguments *arguments, struct error *err);

/* Checks only the site's; without effect if `executor` is no scheduler. 0, or -1 with *err. */
int arguments_check(enum executor_kind executor, const struct batch_settings *settings,
		    struct error *err);

/*
 * True if all words can be used; otherwise `fault` names the one that cannot, and why. A value that
 * looks like an option is checked as an option, too. `flags` are the site's: options without a
 * value.
 */
bool arguments_are_allowed(const struct option_rules *rules, const struct string_list *flags,
			   struct arguments *arguments);

#endif
