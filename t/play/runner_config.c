#include "t/play/runner_config.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "t/play/text.h"

const char *const STAGE_NAMES[STAGE_COUNT] = {"config", "prepare", "run", "cleanup"};

struct reader {
	const char *path;
	const char *at; /* the text ends in a zero byte */
	int line;
};

static _Noreturn void refuse(const struct reader *reader, const char *reason)
{
	die(EXIT_USAGE, "%s:%d: %s", reader->path, reader->line, reason);
}

static void skip_blanks(struct reader *reader, bool lines)
{
	while (*reader->at != '\0') {
		if (*reader->at == '#')
			reader->at += strcspn(reader->at, "\n");
		else if (*reader->at == '\n' && lines)
			reader->line++, reader->at++;
		else if (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r')
			reader->at++;
		else
			return;
	}
}

static json_t *read_string(struct reader *reader)
{
	char quote = *reader->at++;
	struct text text = {NULL, 0, 0};
	json_t *value;

	text_add(&text, "", 0);
	while (*reader->at != quote) {
		char c = *reader->at++;

		if (c == '\0' || c == '\n')
			refuse(reader, "a string without an end");
		if (c == '\\' && quote == '"') {
			static const char FROM[] = "\"\\ntr", TO[] = "\"\\\n\t\r";
			const char *escape = *reader->at == '\0' ? NULL : strchr(FROM, *reader->at);

			if (escape == NULL)
				refuse(reader, "an escape that this reader does not know");
			c = TO[escape - FROM];
			reader->at++;
		}
		text_add(&text, &c, 1);
	}
	reader->at++;
	value = json_stringn(text.data, text.length);
	if (value == NULL)
		refuse(reader, "not UTF-8");
	text_free(&text);
	return value;
}

static json_t *read_value(struct reader *reader);

static json_t *read_array(struct reader *reader)
{
	json_t *array = json_array();

	reader->at++;
	for (skip_blanks(reader, true); *reader->at != ']'; skip_blanks(reader, true)) {
		json_array_append_new(array, read_value(reader));
		skip_blanks(reader, true);
		if (*reader->at == ',')
			reader->at++;
		else if (*reader->at != ']')
			refuse(reader, "an array without an end");
	}
	reader->at++;
	return array;
}

/* Other values than strings, arrays and numbers (dates, inline tables) are read as text. */
static json_t *read_value(struct reader *reader)
{
	char *end;
	long long number;
	size_t length;
	json_t *value;

	if (*reader->at == '"' || *reader->at == '\'')
		return read_string(reader);
	if (*reader->at == '[')
		return read_array(reader);
	number = strtoll(reader->at, &end, 10);
	length = strcspn(reader->at, ",]#\r\n");
	if (end != reader->at && end <= reader->at + length &&
	    strspn(end, " \t") == (size_t)(reader->at + length - end))
		value = json_integer(number);
	else if (strncmp(reader->at, "true", 4) == 0 || strncmp(reader->at, "false", 5) == 0)
		value = json_boolean(*reader->at == 't');
	else
		value = json_stringn_nocheck(reader->at, length);
	reader->at += length;
	return value;
}

static char *read_name(struct reader *reader, const char *stop)
{
	size_t length = strcspn(reader->at, stop);
	const char *end = reader->at + length;
	char *name;

	while (length > 0 && (isspace((unsigned char)end[-1]) || end[-1] == '"'))
		end--, length--;
	while (length > 0 && (isspace((unsigned char)*reader->at) || *reader->at == '"'))
		reader->at++, length--;
	if (length == 0)
		refuse(reader, "a name is missing");
	name = formatted("%.*s", (int)length, reader->at);
	reader->at += strcspn(reader->at, stop);
	return name;
}

/* [name] or [[name]]. The tables of a second runner get names that are never looked up. */
static char *read_table_name(struct reader *reader, int *runners)
{
	bool element = reader->at[1] == '[';
	char *name;

	reader->at += element ? 2 : 1;
	name = read_name(reader, "]\n");
	reader->at += strspn(reader->at, "]");
	if (element && strcmp(name, "runners") == 0)
		++*runners;
	if (*runners > 1 && strncmp(name, "runners", 7) == 0) {
		char *other = formatted("%d.%s", *runners, name);

		free(name);
		return other;
	}
	return name;
}

static json_t *read_tables(struct reader *reader)
{
	json_t *tables = json_object();
	char *table = copied("");
	int runners = 0;

	for (skip_blanks(reader, true); *reader->at != '\0'; skip_blanks(reader, true)) {
		char *name;
		json_t *object;

		if (*reader->at == '[') {
			free(table);
			table = read_table_name(reader, &runners);
			continue;
		}
		name = read_name(reader, "=\n");
		if (*reader->at++ != '=')
			refuse(reader, "neither a table nor NAME = VALUE");
		skip_blanks(reader, false);
		object = json_object_get(tables, table);
		if (object == NULL) {
			object = json_object();
			json_object_set_new(tables, table, object);
		}
		json_object_set_new(object, name, read_value(reader));
		free(name);
	}
	free(table);
	return tables;
}

static char *string_of(json_t *table, const char *name)
{
	const char *value = json_string_value(json_object_get(table, name));

	return value == NULL || value[0] == '\0' ? NULL : copied(value);
}

static char **strings_of(json_t *table, const char *name)
{
	json_t *array = json_object_get(table, name);
	char **strings = resized(NULL, json_array_size(array) + 1, sizeof(*strings));
	size_t count = 0, i;
	json_t *item;

	json_array_foreach (array, i, item) {
		if (json_is_string(item))
			strings[count++] = copied(json_string_value(item));
	}
	strings[count] = NULL;
	return strings;
}

/* As in the runner, only a positive number counts. */
static long seconds_of(json_t *table, const char *name, long otherwise)
{
	json_int_t value = json_integer_value(json_object_get(table, name));

	return value > 0 && value < 1000000000 ? (long)value : otherwise;
}

struct runner_config runner_config_load(const char *path)
{
	struct text text = text_of_file(path);
	struct reader reader = {path, text.data, 1};
	json_t *tables = read_tables(&reader);
	json_t *runner = json_object_get(tables, "runners");
	json_t *custom = json_object_get(tables, "runners.custom");
	struct runner_config config = {
		.token = string_of(runner, "token"),
		.builds_dir = string_of(runner, "builds_dir"),
		.cache_dir = string_of(runner, "cache_dir"),
		.environment = strings_of(runner, "environment"),
		.graceful_kill_timeout = seconds_of(custom, "graceful_kill_timeout", 600),
		.force_kill_timeout = seconds_of(custom, "force_kill_timeout", 10),
	};

	for (int i = 0; i < STAGE_COUNT; i++) {
		struct driver_command *command = &config.commands[i];
		char name[64];

		snprintf(name, sizeof(name), "%s_exec", STAGE_NAMES[i]);
		command->path = string_of(custom, name);
		snprintf(name, sizeof(name), "%s_args", STAGE_NAMES[i]);
		command->arguments = strings_of(custom, name);
		snprintf(name, sizeof(name), "%s_exec_timeout", STAGE_NAMES[i]);
		command->timeout = seconds_of(custom, name, i == STAGE_RUN ? 0 : 3600);
	}
	if (config.commands[STAGE_RUN].path == NULL)
		die(EXIT_USAGE, "%s: no run_exec in [runners.custom]", path);
	json_decref(tables);
	text_free(&text);
	return config;
}

void runner_config_free(struct runner_config *config)
{
	free(config->token);
	free(config->builds_dir);
	free(config->cache_dir);
	strings_free(config->environment);
	for (int i = 0; i < STAGE_COUNT; i++) {
		free(config->commands[i].path);
		strings_free(config->commands[i].arguments);
	}
}
