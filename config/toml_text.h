/*
 * The text of a TOML file, a place in it, and the values that it has.
 *
 * TOML 1.0 (https://toml.io/en/v1.0.0) is UTF-8 without control characters other than tab and
 * newline. The whole text is checked for that first, so that the code that reads it need not.
 */
#ifndef JACAMAR_CONFIG_TOML_TEXT_H
#define JACAMAR_CONFIG_TOML_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/report.h"

struct toml_cursor {
	const char *at; /* the text ends with NUL, and has no other */
	size_t line;
	bool any;      /* all of TOML is wanted, not only what our own keys need */
	char *scratch; /* as large as the text: what is decoded is never longer than its source */
	struct report *report;
};

/*
 * A copy of the text without byte order mark and with CRLF made LF; the caller frees it. Bytes that
 * TOML does not allow are reported, once a line, and replaced by '?'. NULL if memory is short.
 */
char *toml_text_clean(const char *text, size_t size, struct report *report);

/* Skips spaces and tabs. */
void toml_skip_blanks(struct toml_cursor *cursor);

/* Skips spaces and tabs, and a comment up to its newline. */
void toml_skip_comment(struct toml_cursor *cursor);

/* Skips blanks, comments and newlines: what may stand between the items of an array. */
void toml_skip_lines(struct toml_cursor *cursor);

/* Goes to the beginning of the next line, or to the end of the text. */
void toml_next_line(struct toml_cursor *cursor);

/*
 * Reports what breaks TOML's grammar. Only the first such finding of a line is kept: most others
 * follow from it. Returns -1.
 */
int toml_fail(struct toml_cursor *cursor, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Notes that memory is short. Returns -1. */
int toml_no_memory(struct toml_cursor *cursor);

/*
 * Reads the value at the cursor, as far as our keys need it, and leaves the cursor after it: a
 * string of any of the four kinds, an integer, a boolean, or an array of strings, as new JSON. No
 * string has a NUL: \u0000 is refused. Floats, dates, inline tables and other arrays are refused
 * with a line that says so; where all of TOML is wanted, they become null.
 *
 * Returns 0, or -1 with a finding in the report; *value is then not set, or NULL.
 */
int toml_value_read(struct toml_cursor *cursor, json_t **value);

/* The same for the string at the cursor. That of a key is "basic" or 'literal', in one line. */
int toml_string_read(struct toml_cursor *cursor, bool is_key, json_t **string);

#endif
