/*
 * A list of strings: the value of a key of the configuration that is an array, or the words of a
 * command to execute.
 */
#ifndef JACAMAR_CORE_LIB_STRING_LIST_H
#define JACAMAR_CORE_LIB_STRING_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* An empty list is all zero. To others string_list_add() adds a NULL, as execve(2) needs it. */
struct string_list {
	char **items;
	size_t count;
};

/* True if one of the strings is `text`. */
bool string_list_has(const struct string_list *list, const char *text);

/* Adds a copy of `text`. False without memory. */
bool string_list_add(struct string_list *list, const char *text);

/* Frees the list and its strings, and makes it empty. */
void string_list_free(struct string_list *list);

#endif
