#include "config/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value on its way: where it goes, and where to say that it cannot. */
struct storing {
	const struct schema_row *row;
	struct toml_entry *entry;
	void *field;
	struct report *report;
};

/* Reports that the key `rule`, and what it is instead. */
static void refuse(const struct storing *storing, const char *rule, const char *instead)
{
	report_add(storing->report, storing->entry->line, "%s.%s %s, not %s", storing->row->table,
		   storing->row->name, rule, instead);
}

/* True where the value is of `kind`; else reports that it must be a `wanted`. */
static bool is_kind(const struct storing *storing, enum toml_kind kind, const char *wanted)
{
	static const char *const nouns[] = {
		[TOML_STRING] = "a string",
		[TOML_INTEGER] = "an integer",
		[TOML_BOOLEAN] = "a boolean",
		[TOML_ARRAY] = "an array",
	};
	enum toml_kind found = storing->entry->value.kind;

	if (found != kind)
		refuse(storing, wanted, nouns[found]);
	return found == kind;
}

static void store_string(const struct storing *storing)
{
	char **field = storing->field;
	char **string = &storing->entry->value.string;

	if (!is_kind(storing, TOML_STRING, "must be a string"))
		return;
	const char *rule = storing->row->check(*string);
	if (rule != NULL) {
		refuse(storing, rule, report_excerpt(*string).text);
		return;
	}
	*field = *string;
	*string = NULL;
}

/* Writes the names of the choices to `out`. */
static void list_choices(const struct schema_choice *choices, char *out, size_t size)
{
	size_t used = 0;

	*out = '\0';
	for (; choices->name != NULL; choices++) {
		int length = snprintf(out + used, size - used, "%s\"%s\"", used > 0 ? " or " : "",
				      choices->name);
		if (length < 0 || (size_t)length >= size - used)
			return;
		used += (size_t)length;
	}
}

static void store_choice(const struct storing *storing)
{
	const struct schema_choice *choice = storing->row->choices;
	const char *string = storing->entry->value.string;
	char names[256], rule[300];

	if (!is_kind(storing, TOML_STRING, "must be a string"))
		return;
	while (choice->name != NULL && strcmp(choice->name, string) != 0)
		choice++;
	if (choice->name == NULL) {
		list_choices(storing->row->choices, names, sizeof(names));
		snprintf(rule, sizeof(rule), "must be %s", names);
		refuse(storing, rule, report_excerpt(string).text);
		return;
	}
	*(unsigned int *)storing->field = choice->value;
}

static void store_boolean(const struct storing *storing)
{
	if (is_kind(storing, TOML_BOOLEAN, "must be true or false"))
		*(bool *)storing->field = storing->entry->value.boolean;
}

/* True where the integer is within the row's bounds; else reports it. */
static bool is_within(const struct storing *storing, int64_t minimum, int64_t maximum)
{
	int64_t integer = storing->entry->value.integer;
	char rule[100], instead[32];

	if (integer >= minimum && integer <= maximum)
		return true;
	snprintf(rule, sizeof(rule), "must be from %" PRId64 " to %" PRId64, minimum, maximum);
	snprintf(instead, sizeof(instead), "%" PRId64, integer);
	refuse(storing, rule, instead);
	return false;
}

static void store_integer(const struct storing *storing)
{
	if (is_kind(storing, TOML_INTEGER, "must be an integer") &&
	    is_within(storing, storing->row->minimum, storing->row->maximum))
		*(int64_t *)storing->field = storing->entry->value.integer;
}

static void store_duration(const struct storing *storing)
{
	const char *string = storing->entry->value.string;
	int64_t milliseconds = 0;

	if (!is_kind(storing, TOML_STRING,
		     "must be a duration in quotes, such as \"90s\" or \"1m30s\""))
		return;
	const char *rule = parse_duration(string, &milliseconds);
	if (rule == NULL && milliseconds < storing->row->minimum)
		rule = "must be longer";
	if (rule == NULL && milliseconds > storing->row->maximum)
		rule = "must be shorter";
	if (rule != NULL)
		refuse(storing, rule, report_excerpt(string).text);
	else
		*(int64_t *)storing->field = milliseconds;
}

static void store_list(const struct storing *storing)
{
	struct string_list *array = &storing->entry->value.array;
	bool fit = true;

	if (!is_kind(storing, TOML_ARRAY, "must be an array of strings"))
		return;
	if (array->count == 0 && storing->row->list != NULL) {
		refuse(storing, "must hold a string at least", "empty");
		return;
	}
	for (size_t i = 0; i < array->count; i++) {
		const char *rule = storing->row->check(array->items[i]);
		fit = fit && rule == NULL;
		if (rule != NULL)
			report_add(storing->report, storing->entry->line,
				   "an item of %s.%s %s, not %s", storing->row->table,
				   storing->row->name, rule, report_excerpt(array->items[i]).text);
	}
	if (!fit)
		return;
	*(struct string_list *)storing->field = *array;
	*array = (struct string_list){0};
}

/* Makes a string an array of it, and goes on with that. */
static void store_string_or_list(const struct storing *storing)
{
	struct toml_value *value = &storing->entry->value;

	if (value->kind != TOML_STRING && value->kind != TOML_ARRAY) {
		is_kind(storing, TOML_ARRAY, "must be a string or an array of strings");
		return;
	}
	if (value->kind == TOML_STRING) {
		value->array.items = malloc(sizeof(*value->array.items));
		if (value->array.items == NULL) {
			storing->report->out_of_memory = true;
			return;
		}
		value->array.items[value->array.count++] = value->string;
		value->string = NULL;
		value->kind = TOML_ARRAY;
	}
	store_list(storing);
}

static void store_limit(const struct storing *storing)
{
	struct limit_setting *limit = storing->field;
	const struct toml_value *value = &storing->entry->value;

	if (value->kind == TOML_STRING && strcmp(value->string, "unlimited") == 0)
		*limit = (struct limit_setting){.set = true, .value = LIMIT_UNLIMITED};
	else if (value->kind == TOML_STRING)
		refuse(storing, "must be an integer or \"unlimited\"",
		       report_excerpt(value->string).text);
	else if (is_kind(storing, TOML_INTEGER, "must be an integer or \"unlimited\"") &&
		 is_within(storing, storing->row->minimum, LIMIT_UNLIMITED - 1))
		*limit = (struct limit_setting){.set = true, .value = value->integer};
}

static void (*const STORE[])(const struct storing *storing) = {
	[SCHEMA_STRING] = store_string,	    [SCHEMA_CHOICE] = store_choice,
	[SCHEMA_BOOLEAN] = store_boolean,   [SCHEMA_INTEGER] = store_integer,
	[SCHEMA_DURATION] = store_duration, [SCHEMA_LIST] = store_list,
	[SCHEMA_LIMIT] = store_limit,	    [SCHEMA_STRING_OR_LIST] = store_string_or_list,
};

static void *field_of(struct settings *settings, const struct schema_row *row)
{
	return (char *)settings + row->offset;
}

void store_value(struct settings *settings, const struct schema_row *row, struct toml_entry *entry,
		 struct report *report)
{
	struct storing storing = {
		.row = row,
		.entry = entry,
		.field = field_of(settings, row),
		.report = report,
	};

	if (entry->value.kind != TOML_INVALID)
		STORE[row->type](&storing);
}

static int store_default_list(struct string_list *list, const char *const *names)
{
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	list->items = calloc(count, sizeof(*list->items));
	if (list->items == NULL)
		return -1;
	for (; list->count < count; list->count++) {
		list->items[list->count] = strdup(names[list->count]);
		if (list->items[list->count] == NULL)
			return -1;
	}
	return 0;
}

int store_default(struct settings *settings, const struct schema_row *row)
{
	void *field = field_of(settings, row);

	if (row->list != NULL)
		return store_default_list(field, row->list);
	if (row->text != NULL) {
		*(char **)field = strdup(row->text);
		return *(char **)field != NULL ? 0 : -1;
	}
	if (row->type == SCHEMA_CHOICE)
		*(unsigned int *)field = (unsigned int)row->number;
	if (row->type == SCHEMA_INTEGER || row->type == SCHEMA_DURATION)
		*(int64_t *)field = row->number;
	return 0;
}

void store_release(struct settings *settings, const struct schema_row *row)
{
	void *field = field_of(settings, row);

	if (row->type == SCHEMA_STRING)
		free(*(char **)field);
	if (row->type == SCHEMA_LIST || row->type == SCHEMA_STRING_OR_LIST)
		string_list_free(field);
}
