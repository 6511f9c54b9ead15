/*
 * A scheduler's commands: where they are found, their environment, and their arguments.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SCHEDULER_COMMAND_H
#define JACAMAR_CORE_EXECUTOR_SCHEDULER_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include "core/lib/error.h"
#include "core/lib/string_list.h"

/*
 * The environment of all commands: that of the user with `variables` ([batch] env_vars), in the
 * values of which $NAME and ${NAME} are replaced: a variable can use those before it. A new JSON
 * array, as environment.h has them; NULL without memory.
 */
json_t *scheduler_command_environment(const json_t *of_user, const struct string_list *variables);

/*
 * The path of a command, in new memory; NULL with *err if it is not found. It is searched in
 * `directory` ([batch] scheduler_bin), or, if that is NULL, in the PATH of `environment`.
 */
char *scheduler_command_find(const char *name, const char *directory, const json_t *environment,
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
bool scheduler_command_compose(struct string_list *command, const char *const *template,
			       const struct placeholder *known,
			       const struct string_list *arguments);

#endif
