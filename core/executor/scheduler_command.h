/*
 * A scheduler's commands: where they are found, their environment, and their arguments.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SCHEDULER_COMMAND_H
#define JACAMAR_CORE_EXECUTOR_SCHEDULER_COMMAND_H

#include <stdbool.h>

#include "core/executor/scheduler.h"
#include "core/lib/argv.h"
#include "core/lib/error.h"
#include "core/protocol/channel.h"

/* What all commands have in common. */
struct scheduler_command_site {
	struct argv environment; /* owned */
	const char *directory;	 /* of the commands; NULL: they are searched in PATH */
};

/*
 * The user's environment with [batch] env_vars, in the values of which $NAME and ${NAME} are
 * replaced: a variable can use those before it. The caller calls scheduler_command_site_free also
 * after a failure.
 */
int scheduler_command_site_make(struct scheduler_command_site *site,
				const struct channel_header *header, struct error *err);
void scheduler_command_site_free(struct scheduler_command_site *site);

/* The path of the command, in new memory; NULL with *err if it is not found. */
char *scheduler_command_find(const struct scheduler_command_site *site, const char *name,
			     struct error *err);

/* What is replaced in a template, braces included. */
struct placeholder {
	const char *name; /* NULL ends the list */
	const char *value;
};

/*
 * Adds the words of `template` with the placeholders replaced; the word "{arguments}" stands for
 * all of `arguments`. False without memory.
 */
bool scheduler_command_compose(struct argv *command, const char *const *template,
			       const struct placeholder *known, const struct argv *arguments);

#endif
