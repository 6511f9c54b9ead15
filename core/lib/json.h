/*
 * Additions to jansson: ids of GitLab, which are numbers or decimal strings, strings of limited
 * size, and lists of strings.
 */
#ifndef JACAMAR_CORE_LIB_JSON_H
#define JACAMAR_CORE_LIB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a number of 0 or more, or a string of decimal digits. */
bool json_id(const json_t *value, uint64_t *id);

/* The same for a member; 0 if it is absent or null. */
bool json_optional_id(const json_t *object, const char *name, uint64_t *id);

/* Copies a member of type string; false if it is absent, of another type, or too long. */
bool json_copy_string(const json_t *object, const char *name, char *out, size_t size);

/* True for an array of which every member is a string. */
bool json_is_string_array(const json_t *value);

/* True if one of the array's strings is `text`. */
bool json_has_string(const json_t *array, const char *text);

#endif
