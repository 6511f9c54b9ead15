/*
 * What jansson does not have: GitLab's ids, which are numbers or decimal strings, strings that must
 * fit, and lists of strings.
 */
#ifndef JACAMAR_CORE_JSON_H
#define JACAMAR_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

/* A number of 0 or more, or a string of decimal digits. */
bool json_id(const json_t *value, uint64_t *id);

/* The same for a member that may be absent or null: 0 then. */
bool json_optional_id(const json_t *object, const char *name, uint64_t *id);

/* Copies a member of type string; false where it is absent, of another type, or too long. */
bool json_copy_string(const json_t *object, const char *name, char *out, size_t size);

/* New array of the list's strings. */
json_t *json_from_list(const struct string_list *list);

/* True where one of an array's strings is `text`. */
bool json_has_string(const json_t *array, const char *text);

#endif
