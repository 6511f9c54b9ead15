/*
 * What GitLab's JSON has that jansson does not: ids that are numbers or decimal strings, and
 * strings that must fit.
 */
#ifndef JACAMAR_CORE_JSON_H
#define JACAMAR_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number of 0 or more, or a string of decimal digits. */
bool json_id(const json_t *value, uint64_t *id);

/* The same for a member that may be absent or null: 0 then. */
bool json_optional_id(const json_t *object, const char *name, uint64_t *id);

/* Copies a member of type string; false where it is absent, of another type, or too long. */
bool json_copy_string(const json_t *object, const char *name, char *out, size_t size);

/* True where one of an array's strings is `text`. */
bool json_has_string(const json_t *array, const char *text);

#endif
