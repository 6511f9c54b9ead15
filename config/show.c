#include "config/show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/rules.h"
#include "config/schema.h"

/* Where the comments stand, but for those behind a longer value. */
#define COMMENT_COLUMN 48

/* Reads one character of UTF-8 and moves *text behind it. The text ends with NUL. */
static uint32_t take_character(const unsigned char **text)
{
	uint32_t lead = *(*text)++;
	if (lead < 0xc0)
		return lead;
	size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
	uint32_t code = lead & (0x3fU >> more);
	for (; more > 0 && (**text & 0xc0) == 0x80; more--)
		code = code << 6 | (*(*text)++ & 0x3f);
	return code;
}

/* A basic string of TOML 1.0, in which nothing is hidden: a terminal shows it as it is. */
static void write_string(FILE *out, const char *string)
{
	static const char names[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	const unsigned char *at = (const unsigned char *)string;

	fputc('"', out);
	while (*at != '\0') {
		uint32_t code = take_character(&at);
		const char *known = code < 0x7f ? strchr(bytes, (int)code) : NULL;
		if (known != NULL)
			fprintf(out, "\\%c", names[known - bytes]);
		else if (code >= 0x20 && code < 0x7f)
			fputc((int)code, out);
		else
			fprintf(out, code > 0xffff ? "\\U%08" PRIX32 : "\\u%04" PRIX32, code);
	}
	fputc('"', out);
}

static void write_list(FILE *out, const struct string_list *list)
{
	fputc('[', out);
	for (size_t i = 0; i < list->count; i++) {
		fputs(i > 0 ? ", " : "", out);
		write_string(out, list->items[i]);
	}
	fputc(']', out);
}

/* As Go's Duration.String does: "2m0s", "1.5s", "500ms", "0s". */
static void write_duration(FILE *out, int64_t milliseconds)
{
	int64_t seconds = milliseconds / 1000, fraction = milliseconds % 1000;
	int digits = 3;

	if (milliseconds > 0 && seconds == 0) {
		fprintf(out, "\"%" PRId64 "ms\"", milliseconds);
		return;
	}
	fputc('"', out);
	if (seconds >= 3600)
		fprintf(out, "%" PRId64 "h", seconds / 3600);
	if (seconds >= 60)
		fprintf(out, "%" PRId64 "m", seconds / 60 % 60);
	fprintf(out, "%" PRId64, seconds % 60);
	for (; fraction > 0 && fraction % 10 == 0; fraction /= 10)
		digits--;
	if (fraction > 0)
		fprintf(out, ".%0*" PRId64, digits, fraction);
	fputs("s\"", out);
}

/* The first name of a choice's value; NULL for the value that stands for none. */
static const char *choice_name(const struct schema_row *row, const void *field)
{
	const struct schema_choice *choice = row->choices;

	while (choice->name != NULL && choice->value != *(const unsigned int *)field)
		choice++;
	return choice->name;
}

static bool has_value(const struct schema_row *row, const void *field)
{
	switch (row->type) {
	case SCHEMA_STRING:
		return *(char *const *)field != NULL;
	case SCHEMA_CHOICE:
		return choice_name(row, field) != NULL;
	case SCHEMA_LIMIT:
		return ((const struct limit_setting *)field)->set;
	default:
		return true;
	}
}

static void write_value(FILE *out, const struct schema_row *row, const void *field)
{
	const struct limit_setting *limit = field;

	switch (row->type) {
	case SCHEMA_STRING:
		write_string(out, *(char *const *)field);
		break;
	case SCHEMA_CHOICE:
		write_string(out, choice_name(row, field));
		break;
	case SCHEMA_BOOLEAN:
		fputs(*(const bool *)field ? "true" : "false", out);
		break;
	case SCHEMA_INTEGER:
		fprintf(out, "%" PRId64, *(const int64_t *)field);
		break;
	case SCHEMA_DURATION:
		write_duration(out, *(const int64_t *)field);
		break;
	case SCHEMA_LIST:
	case SCHEMA_STRING_OR_LIST:
		write_list(out, field);
		break;
	case SCHEMA_LIMIT:
		if (limit->value == LIMIT_UNLIMITED)
			write_string(out, "unlimited");
		else
			fprintf(out, "%" PRId64, limit->value);
		break;
	}
}

static void write_row(FILE *out, const struct schema_row *row, const struct settings *settings)
{
	const void *field = (const char *)settings + row->offset;
	size_t line = settings->lines[row - SCHEMA];

	if (!has_value(row, field)) {
		fprintf(out, "# %s is unset\n", row->name);
		return;
	}
	long begin = ftell(out);
	fprintf(out, "%s = ", row->name);
	write_value(out, row, field);
	long width = ftell(out) - begin;
	fprintf(out, "%*s  # ", width < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - width) : 0, "");
	if (line > 0)
		fprintf(out, "line %zu", line);
	else
		fputs("default", out);
	/* A default that stands for "not set" is without effect anyway. */
	const char *idle = line > 0 || row->number != 0 ? rules_idle(settings, row) : NULL;
	fprintf(out, "%s%s\n", idle != NULL ? ", without effect: " : "", idle != NULL ? idle : "");
}

char *show_settings(const struct settings *settings)
{
	char *text = NULL;
	size_t size = 0;
	const char *table = "";
	FILE *out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		if (strcmp(SCHEMA[i].table, table) != 0)
			fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", SCHEMA[i].table);
		table = SCHEMA[i].table;
		write_row(out, &SCHEMA[i], settings);
	}
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
