#include "core/lib/string_list.h"

#include <stdlib.h>
#include <string.h>

bool string_list_has(const struct string_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

bool string_list_add(struct string_list *list, const char *text)
{
	char *copy = strdup(text);
	if (copy == NULL)
		return false;
	/* Doubles at one less than a power of two: there is always room for the NULL. */
	if ((list->count & (list->count + 1)) == 0) {
		char **items =
			reallocarray(list->items, 2 * (list->count + 1), sizeof(*list->items));
		if (items == NULL) {
			free(copy);
			return false;
		}
		list->items = items;
	}
	list->items[list->count++] = copy;
	list->items[list->count] = NULL;
	return true;
}

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}
