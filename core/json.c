#include "core/json.h"

#include <string.h>

#include "core/text.h"

bool json_id(const json_t *value, uint64_t *id)
{
	*id = 0;
	if (json_is_string(value))
		return text_to_u64(json_string_value(value), id);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*id = (uint64_t)json_integer_value(value);
	return true;
}

bool json_optional_id(const json_t *object, const char *name, uint64_t *id)
{
	const json_t *value = json_object_get(object, name);
	*id = 0;
	return value == NULL || json_is_null(value) || json_id(value, id);
}

bool json_copy_string(const json_t *object, const char *name, char *out, size_t size)
{
	const char *value = json_string_value(json_object_get(object, name));
	if (value == NULL) {
		out[0] = '\0';
		return false;
	}
	return text_copy(out, size, value);
}

json_t *json_from_list(const struct string_list *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

bool json_has_string(const json_t *array, const char *text)
{
	size_t index;
	json_t *entry;
	json_array_foreach (array, index, entry) {
		const char *string = json_string_value(entry);
		if (string != NULL && strcmp(string, text) == 0)
			return true;
	}
	return false;
}
