#include "config/show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/auth_rule.h"
#include "config/rules.h"
#include "config/schema.h"
#include "core/lib/text.h"

/* The column of the comments, unless a value is longer. */
#define COMMENT_COLUMN 48

/* A basic string of TOML 1.0 in ASCII: no character of it is hidden, or drives a terminal. */
static void write_string(FILE *out, const char *string)
{
	static const char names[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	uint32_t code;

	fputc('"', out);
	while (*string != '\0') {
		size_t length = text_character(string, strlen(string), &code);
		/* The file is UTF-8; a byte that is not stays visible all the same. */
		if (length == 0)
			code = (unsigned char)*string;
		string += length > 0 ? length : 1;
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

/* The first name of a choice's value; NULL if it is unset. */
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
	case SCHEMA_STRING_OR_INTEGER:
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
	case SCHEMA_STRING_OR_INTEGER:
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
	/* A default of 0 stands for "not set": it never has an effect. */
	const char *idle = line > 0 || row->number != 0 ? rules_idle(settings, row) : NULL;
	fprintf(out, "%s%s", idle != NULL ? ", without effect: " : "", idle != NULL ? idle : "");
	char note[RULES_NOTE_SIZE];
	rules_note(settings, row, note);
	fprintf(out, "%s%s\n", note[0] != '\0' ? ", " : "", note);
}

/* Only what it sets. */
static void write_rule(FILE *out, const struct auth_rule *rule)
{
	fprintf(out, "\n%-*s  # line %zu\n", COMMENT_COLUMN, "[[" RULE_TABLE "]]", rule->line);
	for (size_t i = 0; i < RULE_SCHEMA_ROWS; i++) {
		const struct schema_row *row = &RULE_SCHEMA[i];
		if (!auth_rule_has(rule, row->name))
			continue;
		fprintf(out, "%s = ", row->name);
		write_value(out, row, (const char *)rule + row->offset);
		fputc('\n', out);
	}
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
	for (size_t i = 0; i < settings->auth.rule_count; i++)
		write_rule(out, &settings->auth.rules[i]);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
