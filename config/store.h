/*
 * The way of one value into its field of struct settings, and back out of it.
 */
#ifndef JACAMAR_CONFIG_STORE_H
#define JACAMAR_CONFIG_STORE_H

#include "config/report.h"
#include "config/schema.h"
#include "config/settings.h"
#include "config/toml_document.h"

/*
 * Checks the value of `entry`, which sets the key of `row`, and moves it to its field. What is
 * wrong with it goes to the report.
 */
void store_value(struct settings *settings, const struct schema_row *row, struct toml_entry *entry,
		 struct report *report);

/* Sets the field of a key that the file does not set. Returns 0, or -1 where memory is short. */
int store_default(struct settings *settings, const struct schema_row *row);

/* Frees what the field owns. */
void store_release(struct settings *settings, const struct schema_row *row);

#endif
