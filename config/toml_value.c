#include "config/toml_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/io.h"
#include "core/lib/text.h"

#define NUMBER_MAX 160 /* bytes: 64 binary digits with an underscore between any two */

/* Reads the `digits` hexadecimal digits of \u or \U and writes their character as UTF-8. */
static int read_code_point(struct toml_cursor *cursor, size_t digits, char **out)
{
	uint32_t code = 0;

	cursor->at += 2;
	for (size_t i = 0; i < digits; i++, cursor->at++) {
		static const char hex[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = *cursor->at != '\0' ? strchr(hex, *cursor->at) : NULL;
		if (digit == NULL)
			return toml_fail(cursor, cursor->line,
					 "an escape \\%c needs %zu hexadecimal digits",
					 digits == 4 ? 'u' : 'U', digits);
		code = code << 4 | (uint32_t)((digit - hex) % 16);
	}
	if (code == 0)
		return toml_fail(cursor, cursor->line, "a string may not hold a NUL character");
	if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return toml_fail(cursor, cursor->line,
				 "the escape of U+%04lX, which is not a Unicode scalar value",
				 (unsigned long)code);

	size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0x00, 0xc0, 0xe0, 0xf0};
	*(*out)++ = (char)(lead[more] | code >> (6 * more));
	while (more-- > 0)
		*(*out)++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
	return 0;
}

static int read_escape(struct toml_cursor *cursor, char **out)
{
	static const char names[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	char name = cursor->at[1];
	const char *known = name != '\0' ? strchr(names, name) : NULL;

	if (name == 'u' || name == 'U')
		return read_code_point(cursor, name == 'u' ? 4 : 8, out);
	if (known == NULL)
		return toml_fail(cursor, cursor->line,
				 "an unknown escape %s in a string; write \\\\ for a backslash, "
				 "or use '...'",
				 report_excerpt((char[]){'\\', name, '\0'}).text);
	*(*out)++ = bytes[known - names];
	cursor->at += 2;
	return 0;
}

static int read_one_line(struct toml_cursor *cursor, char quote, char **out)
{
	cursor->at++;
	while (*cursor->at != quote) {
		if (*cursor->at == '\n' || *cursor->at == '\0')
			return toml_fail(cursor, cursor->line, "a string without its closing %c",
					 quote);
		if (*cursor->at == '\\' && quote == '"') {
			if (read_escape(cursor, out) != 0)
				return -1;
			continue;
		}
		*(*out)++ = *cursor->at++;
	}
	cursor->at++;
	return 0;
}

/* A backslash at the end of a line removes all blanks and newlines up to the next text. */
static int skip_folded_lines(struct toml_cursor *cursor)
{
	cursor->at++;
	toml_skip_blanks(cursor);
	if (*cursor->at != '\n')
		return toml_fail(cursor, cursor->line,
				 "a backslash before a blank in a string; write \\\\ for a "
				 "backslash");
	while (*cursor->at == '\n') {
		toml_next_line(cursor);
		toml_skip_blanks(cursor);
	}
	return 0;
}

static int read_many_lines(struct toml_cursor *cursor, char quote, char **out)
{
	size_t opened = cursor->line;
	const char quotes[] = {quote, '\0'};

	cursor->at += 3;
	if (*cursor->at == '\n')
		toml_next_line(cursor);
	while (*cursor->at != '\0') {
		/* Up to two quotes may precede the closing three. */
		size_t run = strspn(cursor->at, quotes);
		size_t closing = run < 3 ? 0 : run < 5 ? run : 5;
		size_t inside = closing > 0 ? closing - 3 : run;
		memset(*out, quote, inside);
		*out += inside;
		cursor->at += closing > 0 ? closing : run;
		if (closing > 0)
			return 0;
		if (run > 0)
			continue;

		if (*cursor->at == '\\' && quote == '"') {
			const char *next = cursor->at + 1;
			bool folds = *next == ' ' || *next == '\t' || *next == '\n';
			if ((folds ? skip_folded_lines(cursor) : read_escape(cursor, out)) != 0)
				return -1;
			continue;
		}
		if (*cursor->at == '\n')
			cursor->line++;
		*(*out)++ = *cursor->at++;
	}
	return toml_fail(cursor, opened, "a string that opens here and is never closed");
}

static int keep(struct toml_cursor *cursor, json_t *made, json_t **value)
{
	*value = made;
	return made != NULL ? 0 : toml_no_memory(cursor);
}

int toml_string_read(struct toml_cursor *cursor, bool is_key, json_t **string)
{
	char quote = *cursor->at;
	char *out = cursor->scratch;
	bool many = !is_key && cursor->at[1] == quote && cursor->at[2] == quote;

	if ((many ? read_many_lines(cursor, quote, &out) : read_one_line(cursor, quote, &out)) != 0)
		return -1;
	return keep(cursor, json_stringn(cursor->scratch, (size_t)(out - cursor->scratch)), string);
}

/* Copies digits of `base`, without the underscores between any two of them. */
static bool plain_digits(const char *text, size_t size, int base, char *plain)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t known = base == 16 ? 22 : (size_t)base;
	bool after_digit = false;

	for (size_t i = 0; i < size; i++) {
		bool digit = memchr(digits, text[i], known) != NULL;
		if (!digit && (text[i] != '_' || !after_digit))
			return false;
		if (digit)
			*plain++ = text[i];
		after_digit = digit;
	}
	*plain = '\0';
	return after_digit;
}

/* Returns 1 if `token` is an integer, 0 if it is not one, -1 if it is too large. */
static int parse_integer(const char *token, size_t size, int64_t *integer)
{
	char plain[NUMBER_MAX + 2] = "";
	char *digits = plain;
	int base = 10;

	if (size > NUMBER_MAX)
		return 0;
	if (size > 2 && token[0] == '0' && strchr("xob", token[1]) != NULL) {
		base = token[1] == 'x' ? 16 : token[1] == 'o' ? 8 : 2;
		token += 2;
		size -= 2;
	} else if (size > 0 && (*token == '+' || *token == '-')) {
		*digits++ = *token++;
		size--;
	}
	if (!plain_digits(token, size, base, digits))
		return 0;
	if (base == 10 && size > 1 && *digits == '0')
		return 0;
	errno = 0;
	*integer = strtoll(plain, NULL, base);
	return errno == 0 ? 1 : -1;
}

static const char A_FLOAT[] = "a float, which no key takes";
static const char A_DATE[] = "a date or a time, which no key takes";

/* Says what an unquoted value that is neither integer nor boolean was probably meant to be. */
static const char *bare_fault(const char *token)
{
	const char *body = token + (*token == '+' || *token == '-');
	size_t digits = strspn(body, TEXT_DIGIT "_");

	if (*token == '\0')
		return "a value is missing";
	if (strcmp(body, "inf") == 0 || strcmp(body, "nan") == 0 ||
	    (digits > 0 && body[digits] != '\0' && strchr(".eE", body[digits]) != NULL))
		return A_FLOAT;
	if ((digits == 4 && body[4] == '-') || (digits == 2 && body[2] == ':'))
		return A_DATE;
	if (digits > 1 && *body == '0' && body[digits] == '\0')
		return "an integer with a leading zero, which TOML forbids";
	if (digits > 0 || body > token)
		return "not a number that TOML knows";
	/* U+2018 to U+201F, which word processors and web pages write instead. */
	if (strncmp(token, "\xe2\x80", 2) == 0 && (unsigned char)token[2] >= 0x98 &&
	    (unsigned char)token[2] <= 0x9f)
		return "a string in typographic quotes; TOML needs straight ones, \" or '";
	return "not a value that TOML knows; a string needs quotes";
}

static int read_bare(struct toml_cursor *cursor, json_t **value)
{
	size_t size = strcspn(cursor->at, " \t\n,]}#");
	const char *token = cursor->at;
	int64_t number;
	int integer = parse_integer(token, size, &number);

	cursor->at += size;
	if (integer < 0)
		return toml_fail(cursor, cursor->line, "an integer that does not fit into 64 bits");
	if (integer > 0)
		return keep(cursor, json_integer(number), value);
	bool is_true = size == 4 && memcmp(token, "true", 4) == 0;
	if (is_true || (size == 5 && memcmp(token, "false", 5) == 0))
		return keep(cursor, json_boolean(is_true), value);

	cleanup_free char *copy = strndup(token, size);
	if (copy == NULL)
		return toml_no_memory(cursor);
	const char *fault = bare_fault(copy);
	bool is_other = (fault == A_FLOAT || fault == A_DATE) &&
			strspn(copy, TEXT_DIGIT "+-_.:eEinfaTtZz") == size;
	if (!cursor->any || !is_other)
		return toml_fail(cursor, cursor->line, "%s%s%s",
				 size > 0 ? report_excerpt(copy).text : "", size > 0 ? " is " : "",
				 fault);
	/* A blank may stand between a date and its time. */
	if (fault == A_DATE && cursor->at[0] == ' ' && strspn(cursor->at + 1, TEXT_DIGIT) == 2)
		cursor->at += 1 + strspn(cursor->at + 1, TEXT_DIGIT ":.+-Zz");
	return keep(cursor, json_null(), value);
}

static int read_item(struct toml_cursor *cursor, json_t *array)
{
	json_t *item;

	if (*cursor->at != '"' && *cursor->at != '\'')
		return toml_fail(cursor, cursor->line,
				 "an array may hold strings only, each in quotes");
	if (toml_string_read(cursor, false, &item) != 0)
		return -1;
	return json_array_append_new(array, item) == 0 ? 0 : toml_no_memory(cursor);
}

/* Moves the cursor past the bracket that closes the one at it; ignores the text between them. */
static int skip_brackets(struct toml_cursor *cursor, json_t **value)
{
	size_t opened = cursor->line;
	size_t depth = 0;

	do {
		char byte = *cursor->at;
		if (byte == '\0')
			return toml_fail(cursor, opened,
					 "a bracket that opens here and is never closed");
		if (byte == '"' || byte == '\'') {
			json_t *skipped;
			if (toml_string_read(cursor, false, &skipped) != 0)
				return -1;
			json_decref(skipped);
			continue;
		}
		if (byte == '#') {
			toml_skip_comment(cursor);
			continue;
		}
		depth += byte == '[' || byte == '{' ? 1 : 0;
		depth -= byte == ']' || byte == '}' ? 1 : 0;
		if (byte == '\n')
			cursor->line++;
		cursor->at++;
	} while (depth > 0);
	return keep(cursor, json_null(), value);
}

static int read_array(struct toml_cursor *cursor, json_t **value)
{
	const struct toml_cursor opened = *cursor;
	json_auto_t *array = json_array();

	cursor->at++;
	toml_skip_lines(cursor);
	while (*cursor->at != ']') {
		if (*cursor->at == '\0')
			return toml_fail(cursor, opened.line,
					 "an array that opens here and is never closed");
		if (cursor->any && *cursor->at != '"' && *cursor->at != '\'') {
			*cursor = opened;
			return skip_brackets(cursor, value);
		}
		if (read_item(cursor, array) != 0)
			return -1;
		toml_skip_lines(cursor);
		if (*cursor->at == ']')
			break;
		if (*cursor->at != ',')
			return toml_fail(cursor, cursor->line,
					 "an array lacks a comma or its closing bracket here");
		cursor->at++;
		toml_skip_lines(cursor);
	}
	cursor->at++;
	return keep(cursor, json_incref(array), value);
}

int toml_value_read(struct toml_cursor *cursor, json_t **value)
{
	if (*cursor->at == '"' || *cursor->at == '\'')
		return toml_string_read(cursor, false, value);
	if (*cursor->at == '[')
		return read_array(cursor, value);
	if (*cursor->at == '{' && cursor->any)
		return skip_brackets(cursor, value);
	if (*cursor->at == '{')
		return toml_fail(cursor, cursor->line,
				 "an inline table, which no key takes; write a [table]");
	return read_bare(cursor, value);
}
