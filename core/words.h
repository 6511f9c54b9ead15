/*
 * A list of words: what the author of a job wrote as arguments, and what is executed.
 */
#ifndef JACAMAR_CORE_WORDS_H
#define JACAMAR_CORE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, it is empty. `items` ends with NULL once it is not, as execve(2) takes it. */
struct words {
	char **items;
	size_t count;
	size_t room;
};

void words_free(struct words *words);

/* Adds a copy. False without memory. */
bool words_add(struct words *words, const char *word);

/*
 * Adds the words of `text`, split as a POSIX shell does it, but without any expansion: spaces,
 * tabs and newlines part words; '...' keeps all of it, "..." all but a backslash before one of
 * $ ` " \ or a newline, a backslash elsewhere keeps the byte behind it. Everything else, such as
 * $ * ~ ; # (, is a byte as any other. NULL, or what is wrong with the text.
 */
const char *words_split(struct words *words, const char *text);

#endif
