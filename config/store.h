/*
 * Storing a value in its field, and freeing it. `table` is what the row's offset counts from: the
 * struct settings or, for a row of RULE_SCHEMA, a struct auth_rule.
 */
#ifndef JACAMAR_CONFIG_STORE_H
#define JACAMAR_CONFIG_STORE_H

#include "config/report.h"
#include "config/schema.h"
#include "config/toml_reader.h"

/*
 * Checks the value of `entry`, which sets the key of `row`, and moves it to its field. What is
 * wrong with it goes to the report.
 */
void store_value(void *table, const struct schema_row *row, struct toml_entry *entry,
		 struct report *report);

/* Sets the field of a key that the file does not set. Returns 0, or -1 where memory is short. */
int store_default(void *table, const struct schema_row *row);

/* Frees what the field owns. */
void store_release(void *table, const struct schema_row *row);

#endif
