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
	/* Grows at the powers of two, so that a long list costs few copies. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count > 0 ? 2 * list->count : 1;
		char **items = reallocarray(list->items, room, sizeof(*items));
		if (items == NULL)
			return false;
		list->items = items;
	}
	char *copy = strdup(text);
	if (copy != NULL)
		list->items[list->count++] = copy;
	return copy != NULL;
}

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}
