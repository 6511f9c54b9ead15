#include "core/lib/json.h"

#include <string.h>

#include "core/lib/text.h"

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

bool json_is_string_array(const json_t *value)
{
	size_t index;
	json_t *entry;
	json_array_foreach (value, index, entry) {
		if (!json_is_string(entry))
			return false;
	}
	return json_is_array(value);
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
