/*
 * A list of words, for example the arguments that the author of a job wrote, or a command to
 * execute.
 */
#ifndef JACAMAR_CORE_LIB_ARGV_H
#define JACAMAR_CORE_LIB_ARGV_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, it is empty. `items` ends with NULL once it is not, as execve(2) takes it. */
struct argv {
	char **items;
	size_t count;
	size_t room;
};

void argv_free(struct argv *words);

/* Adds a copy. False without memory. */
bool argv_add(struct argv *words, const char *word);

/*
 * Adds the words of `text`, split as a POSIX shell does it, but without any expansion: spaces,
 * tabs and newlines part words; '...' keeps all of it, "..." all but a backslash before one of
 * $ ` " \ or a newline, a backslash elsewhere keeps the byte behind it. Everything else, such as
 * $ * ~ ; # (, is a byte as any other. NULL, or what is wrong with the text.
 */
const char *argv_split(struct argv *words, const char *text);

#endif
