/*
 * Storing a value in its field, taking it out again, and freeing it. `table` is what the row's
 * offset counts from: the struct settings or, for a row of RULE_SCHEMA, a struct auth_rule.
 */
#ifndef JACAMAR_CONFIG_STORE_H
#define JACAMAR_CONFIG_STORE_H

#include <jansson.h>

#include "config/report.h"
#include "config/schema.h"

/*
 * Checks `value`, which sets the key of `row` on that line, and copies it to its field. What is
 * wrong with it goes to the report. The types of JSON stand for those of TOML.
 */
void store_value(void *table, const struct schema_row *row, const json_t *value, size_t line,
		 struct report *report);

/*
 * The reverse: the value of the field as the file can have it, in new JSON; null if it is not set.
 * NULL if memory is short, or if a string is not UTF-8.
 */
json_t *store_encode(const void *table, const struct schema_row *row);

/* Sets the field of a key that the file does not set. Returns 0, or -1 if memory is short. */
int store_default(void *table, const struct schema_row *row);

/* Frees what the field owns. */
void store_release(void *table, const struct schema_row *row);

#endif
