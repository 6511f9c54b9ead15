#include "config/settings.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/auth_rule.h"
#include "config/rules.h"
#include "config/schema.h"
#include "config/store.h"
#include "core/lib/text.h"

/* The column of the comments, unless a value is longer. */
#define COMMENT_COLUMN 48

/*
 * Writes a basic string of TOML 1.0 in ASCII: no character is invisible, or controls a terminal.
 * The strings of jansson are UTF-8.
 */
static void write_string(FILE *out, const char *string)
{
	static const char names[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	uint32_t code = 0;

	fputc('"', out);
	while (*string != '\0') {
		string += text_character(string, strlen(string), &code);
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

static void write_list(FILE *out, const json_t *list)
{
	size_t index;
	json_t *item;
	fputc('[', out);
	json_array_foreach (list, index, item) {
		fputs(index > 0 ? ", " : "", out);
		write_string(out, json_string_value(item));
	}
	fputc(']', out);
}

/* Writes `name = value`; false if memory is short. */
static bool write_value(FILE *out, const struct schema_row *row, const json_t *value)
{
	fprintf(out, "%s = ", row->name);
	if (json_is_string(value))
		write_string(out, json_string_value(value));
	else if (json_is_array(value))
		write_list(out, value);
	else if (json_is_integer(value))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		fputs(json_is_true(value) ? "true" : "false", out);
	return value != NULL;
}

static bool write_row(FILE *out, const struct schema_row *row, const struct settings *settings)
{
	json_auto_t *value = store_encode(settings, row);
	size_t line = settings->lines[row - SCHEMA];

	if (json_is_null(value)) {
		fprintf(out, "# %s is unset\n", row->name);
		return true;
	}
	long begin = ftell(out);
	bool written = write_value(out, row, value);
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
	return written;
}

/* Writes only the keys that the rule sets. */
static bool write_rule(FILE *out, const struct auth_rule *rule)
{
	bool written = true;
	fprintf(out, "\n%-*s  # line %zu\n", COMMENT_COLUMN, "[[" RULE_TABLE "]]", rule->line);
	for (size_t i = 0; i < RULE_SCHEMA_ROWS; i++) {
		const struct schema_row *row = &RULE_SCHEMA[i];
		if (!auth_rule_has(rule, row->name))
			continue;
		json_auto_t *value = store_encode(rule, row);
		written = write_value(out, row, value) && written;
		fputc('\n', out);
	}
	return written;
}

char *show_settings(const struct settings *settings)
{
	char *text = NULL;
	size_t size = 0;
	const char *table = "";
	bool written = true;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		if (strcmp(SCHEMA[i].table, table) != 0)
			fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", SCHEMA[i].table);
		table = SCHEMA[i].table;
		written = write_row(out, &SCHEMA[i], settings) && written;
	}
	for (size_t i = 0; i < settings->auth.rule_count; i++)
		written = write_rule(out, &settings->auth.rules[i]) && written;
	written = written && ferror(out) == 0;
	if (fclose(out) != 0 || !written) {
		free(text);
		return NULL;
	}
	return text;
}
