/*
 * A list of words, for example the arguments that the author of a job wrote, or a command to
 * execute.
 */
#ifndef JACAMAR_CORE_LIB_ARGV_H
#define JACAMAR_CORE_LIB_ARGV_H

#include <stdbool.h>
#include <stddef.h>

/* An empty list is all zero. Otherwise `items` ends with NULL, as execve(2) needs it. */
struct argv {
	char **items;
	size_t count;
	size_t room;
};

void argv_free(struct argv *words);

/* Adds a copy. False without memory. */
bool argv_add(struct argv *words, const char *word);

/*
 * Adds the words of `text`. They are split as by a POSIX shell, but nothing is expanded:
 *   - spaces, tabs and newlines separate words;
 *   - '...' keeps everything;
 *   - "..." keeps everything except a backslash before one of $ ` " \ or a newline;
 *   - outside of quotes, a backslash keeps the byte after it.
 * All other bytes, such as $ * ~ ; # (, have no special meaning. Returns NULL, or what is wrong
 * with the text.
 */
const char *argv_split(struct argv *words, const char *text);

#endif
