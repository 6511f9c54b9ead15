/*
 * The values of a TOML file, as far as our keys need them: strings of all four kinds, integers,
 * booleans, arrays of strings. Floats, dates, inline tables and other arrays are refused with a
 * line that says so; where all of TOML is wanted (toml_text.h) they are read, but not kept.
 */
#ifndef JACAMAR_CONFIG_TOML_VALUE_H
#define JACAMAR_CONFIG_TOML_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/toml_text.h"
#include "core/lib/string_list.h"

enum toml_kind {
	TOML_INVALID, /* refused, and reported already */
	TOML_STRING,
	TOML_INTEGER,
	TOML_BOOLEAN,
	TOML_ARRAY,
	TOML_OTHER, /* a float, a date or time, an inline table, another array */
};

struct toml_value {
	enum toml_kind kind;
	char *string; /* UTF-8; it holds no NUL: \u0000 is refused */
	int64_t integer;
	bool boolean;
	struct string_list array;
};

/*
 * Reads the value at the cursor and leaves the cursor behind it. Returns 0, or -1 with the kind
 * TOML_INVALID and a finding in the report.
 */
int toml_value_read(struct toml_cursor *cursor, struct toml_value *value);

/* Reads a string of one line, "basic" or 'literal', as a key may be one; the caller frees it. */
int toml_string_read(struct toml_cursor *cursor, char **string);

void toml_value_free(struct toml_value *value);

#endif
