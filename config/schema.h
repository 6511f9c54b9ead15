/*
 * The keys of jacamar-config.toml: one row a key.
 */
#ifndef JACAMAR_CONFIG_SCHEMA_H
#define JACAMAR_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/check.h"
#include "config/settings.h"

enum schema_type {
	SCHEMA_STRING,
	SCHEMA_CHOICE, /* a string of `choices`; its field is an enum */
	SCHEMA_BOOLEAN,
	SCHEMA_INTEGER,
	SCHEMA_DURATION,
	SCHEMA_LIST,
	SCHEMA_STRING_OR_LIST,
	SCHEMA_LIMIT, /* an integer or "unlimited" */
};

struct schema_choice {
	const char *name; /* NULL ends the array */
	unsigned int value;
};

struct schema_row {
	const char *table;
	const char *name;
	enum schema_type type;
	size_t offset; /* of the field in struct settings */

	/* Zero where there is none. The check is of a string or of each item of a list. */
	const char *alias;
	const char *also_in; /* another table in which the key means the same */
	bool required;
	value_check *check;
	const struct schema_choice *choices;
	int64_t minimum, maximum; /* of an integer, or of a duration in milliseconds */

	/* The default. A list that has one may not be empty. */
	int64_t number;
	const char *text;
	const char *const *list; /* ends with NULL */
};

extern const struct schema_row SCHEMA[];
extern const size_t SCHEMA_ROWS;

/* The row of the key `name` in `table`, or NULL. */
const struct schema_row *schema_find(const char *table, const char *name);

/* Of all keys named so the first in another table than `table`, or NULL. */
const struct schema_row *schema_find_elsewhere(const char *table, const char *name);

/*
 * Of the keys that `text` names, as table.key, the last that the file sets, else the last; NULL
 * where it names none. What is quoted, or in a path, names none, and what comes first does not
 * count: a job's author chooses such words. `lines` is as in struct settings.
 */
const struct schema_row *schema_find_in(const char *text, const size_t *lines);

bool schema_has_table(const char *table);

/* The known name that `name` was probably meant to be, or NULL. */
const char *schema_nearest_name(const char *table, const char *name);
const char *schema_nearest_table(const char *table);

#endif
