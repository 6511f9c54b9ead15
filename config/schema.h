/*
 * The keys of jacamar-config.toml, a row for each.
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
	SCHEMA_STRING_OR_INTEGER, /* its field is a string */
	SCHEMA_CHOICE,		  /* a string of `choices`; its field is an enum */
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
	char table[20];
	char name[28];
	enum schema_type type;
	size_t offset; /* of the field in struct settings */

	/* All of these are optional. The check is for a string, or for each item of a list. */
	const char *alias;
	const char *also_in; /* another table in which the key means the same */
	bool required;
	bool later; /* stages after config need it, too: core/protocol/state.c passes it on */
	value_check *check;
	const struct schema_choice *choices;
	/*
	 * Of an integer. Of a duration, the minimum in milliseconds: check.h has the maximum. A
	 * list with a minimum may not be empty.
	 */
	int64_t minimum, maximum;

	/* The default. A list that has one may not be empty. */
	int64_t number;
	const char *text;
	const char *const *list; /* ends with NULL */
};

extern const struct schema_row SCHEMA[];
extern const size_t SCHEMA_ROWS;

/* The keys of each table [[auth.rule]]. The offsets are those of struct auth_rule. */
#define RULE_TABLE "auth.rule"
extern const struct schema_row RULE_SCHEMA[];
extern const size_t RULE_SCHEMA_ROWS;

/* The choices of min_access_level, from the lowest. */
extern const struct schema_choice ACCESS_LEVELS[];

/* The row of the key `name` in `table`, which may be RULE_TABLE, or NULL. */
const struct schema_row *schema_find(const char *table, const char *name);

/* The first row of a key `name` in another table than `table`, or NULL. */
const struct schema_row *schema_find_elsewhere(const char *table, const char *name);

/* The row of SCHEMA of `key`, which is "table.name", or NULL. */
const struct schema_row *schema_find_key(const char *key);

/*
 * The line that sets `key`, or of the rule with that key; 0 if the file does not have it, or there
 * is no such key.
 */
size_t schema_line(const struct settings *settings, const char *key);

bool schema_has_table(const char *table);

/* The known name that `name` was probably meant to be, or NULL. */
const char *schema_nearest_name(const char *table, const char *name);
const char *schema_nearest_table(const char *table);

#endif
