/*
 * A list of strings: the value of a key of the configuration that is an array.
 */
#ifndef JACAMAR_CORE_LIB_STRING_LIST_H
#define JACAMAR_CORE_LIB_STRING_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct string_list {
	char **items; /* NULL where count is 0 */
	size_t count;
};

/* True where one of the strings is `text`. */
bool string_list_has(const struct string_list *list, const char *text);

/* Takes `string`, which may be NULL: false, as where memory is short. The caller keeps it then. */
bool string_list_append(struct string_list *list, char *string);

/* Frees the strings, too. The list is empty then. */
void string_list_free(struct string_list *list);

#endif
