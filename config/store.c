#include "config/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/duration.h"
#include "core/lib/text.h"

/* A value, the field it is for, and the rule that it breaks, in words after the key's name. */
struct storing {
	const struct schema_row *row;
	struct toml_value *value;
	void *field;
	struct report *report;
	size_t line;
	char rule[300];
};

/* Each of these stores a value of a kind that fits, or returns the rule that it breaks. */
typedef const char *store(struct storing *storing);

static const char *store_string(struct storing *storing)
{
	const char *rule = storing->row->check(storing->value->string);
	if (rule != NULL)
		return rule;
	*(char **)storing->field = storing->value->string;
	storing->value->string = NULL;
	return NULL;
}

/* An integer is stored as its text. */
static const char *store_string_or_integer(struct storing *storing)
{
	char *text;
	if (storing->value->kind == TOML_STRING)
		return store_string(storing);
	text = text_format("%" PRId64, storing->value->integer);
	if (text == NULL) {
		storing->report->out_of_memory = true;
		return NULL;
	}
	*(char **)storing->field = text;
	return storing->row->check(text);
}

static const char *store_choice(struct storing *storing)
{
	const struct schema_choice *choices = storing->row->choices;
	size_t used = (size_t)snprintf(storing->rule, sizeof(storing->rule), "must be");

	for (size_t i = 0; choices[i].name != NULL; i++) {
		if (strcmp(choices[i].name, storing->value->string) == 0) {
			*(unsigned int *)storing->field = choices[i].value;
			return NULL;
		}
		if (used < sizeof(storing->rule))
			used += (size_t)snprintf(storing->rule + used, sizeof(storing->rule) - used,
						 "%s \"%s\"", i > 0 ? " or" : "", choices[i].name);
	}
	return storing->rule;
}

static const char *store_boolean(struct storing *storing)
{
	*(bool *)storing->field = storing->value->boolean;
	return NULL;
}

/* NULL where the integer is within these bounds. */
static const char *check_bounds(struct storing *storing, int64_t minimum, int64_t maximum)
{
	int64_t integer = storing->value->integer;
	if (integer >= minimum && integer <= maximum)
		return NULL;
	snprintf(storing->rule, sizeof(storing->rule), "must be from %" PRId64 " to %" PRId64,
		 minimum, maximum);
	return storing->rule;
}

static const char *store_integer(struct storing *storing)
{
	*(int64_t *)storing->field = storing->value->integer;
	return check_bounds(storing, storing->row->minimum, storing->row->maximum);
}

static const char *store_duration(struct storing *storing)
{
	int64_t milliseconds = 0;
	const char *rule = parse_duration(storing->value->string, &milliseconds);
	if (rule == NULL && milliseconds < storing->row->minimum)
		rule = "must be longer";
	if (rule == NULL && milliseconds > storing->row->maximum)
		rule = "must be shorter";
	*(int64_t *)storing->field = milliseconds;
	return rule;
}

static const char *store_list(struct storing *storing)
{
	const struct schema_row *row = storing->row;
	struct toml_value *value = storing->value;
	struct string_list *list = storing->field;
	size_t before = storing->report->count;

	if (value->kind == TOML_STRING) {
		if (!string_list_append(&value->array, value->string)) {
			storing->report->out_of_memory = true;
			return NULL;
		}
		value->string = NULL;
	}
	if (value->array.count == 0 && (row->list != NULL || row->minimum > 0))
		return "must hold a string at least";
	for (size_t i = 0; i < value->array.count; i++) {
		const char *rule = row->check(value->array.items[i]);
		if (rule != NULL)
			report_add(storing->report, storing->line, "an item of %s.%s %s, not %s",
				   row->table, row->name, rule,
				   report_excerpt(value->array.items[i]).text);
	}
	if (storing->report->count == before && !storing->report->overflow) {
		*list = value->array;
		value->array = (struct string_list){0};
	}
	return NULL;
}

static const char *store_limit(struct storing *storing)
{
	const struct toml_value *value = storing->value;
	bool is_number = value->kind == TOML_INTEGER;
	if (!is_number && strcmp(value->string, "unlimited") != 0)
		return "must be an integer or \"unlimited\"";
	*(struct limit_setting *)storing->field = (struct limit_setting){
		.set = true, .value = is_number ? value->integer : LIMIT_UNLIMITED};
	return is_number ? check_bounds(storing, storing->row->minimum, LIMIT_UNLIMITED - 1) : NULL;
}

static const struct {
	enum toml_kind kind, also; /* a value of either is stored */
	const char *wanted;
	store *store;
} TYPES[] = {
	[SCHEMA_STRING] = {TOML_STRING, TOML_STRING, "must be a string", store_string},
	[SCHEMA_STRING_OR_INTEGER] = {TOML_STRING, TOML_INTEGER, "must be a string or an integer",
				      store_string_or_integer},
	[SCHEMA_CHOICE] = {TOML_STRING, TOML_STRING, "must be a string", store_choice},
	[SCHEMA_BOOLEAN] = {TOML_BOOLEAN, TOML_BOOLEAN, "must be true or false", store_boolean},
	[SCHEMA_INTEGER] = {TOML_INTEGER, TOML_INTEGER, "must be an integer", store_integer},
	[SCHEMA_DURATION] = {TOML_STRING, TOML_STRING,
			     "must be a duration in quotes, such as \"90s\" or \"1m30s\"",
			     store_duration},
	[SCHEMA_LIST] = {TOML_ARRAY, TOML_ARRAY, "must be an array of strings", store_list},
	[SCHEMA_STRING_OR_LIST] = {TOML_ARRAY, TOML_STRING,
				   "must be a string or an array of strings", store_list},
	[SCHEMA_LIMIT] = {TOML_INTEGER, TOML_STRING, "must be an integer or \"unlimited\"",
			  store_limit},
};

static void *field_of(void *table, const struct schema_row *row)
{
	return (char *)table + row->offset;
}

void store_value(void *table, const struct schema_row *row, struct toml_entry *entry,
		 struct report *report)
{
	static const char *const nouns[] = {
		[TOML_STRING] = "a string",
		[TOML_INTEGER] = "an integer",
		[TOML_BOOLEAN] = "a boolean",
		[TOML_ARRAY] = "an array",
	};
	struct toml_value *value = &entry->value;
	struct storing storing = {.row = row,
				  .value = value,
				  .field = field_of(table, row),
				  .report = report,
				  .line = entry->line};
	char number[32];

	if (value->kind == TOML_INVALID)
		return;
	bool fits = value->kind == TYPES[row->type].kind || value->kind == TYPES[row->type].also;
	const char *rule = fits ? TYPES[row->type].store(&storing) : TYPES[row->type].wanted;
	if (rule == NULL)
		return;
	snprintf(number, sizeof(number), "%" PRId64, value->integer);
	report_add(report, entry->line, "%s.%s %s, not %s", row->table, row->name, rule,
		   !fits			 ? nouns[value->kind]
		   : value->kind == TOML_STRING	 ? report_excerpt(value->string).text
		   : value->kind == TOML_INTEGER ? number
						 : "empty");
}

static int store_default_list(struct string_list *list, const char *const *names)
{
	for (; *names != NULL; names++)
		if (!string_list_append(list, strdup(*names)))
			return -1;
	return 0;
}

int store_default(void *table, const struct schema_row *row)
{
	void *field = field_of(table, row);

	if (row->list != NULL)
		return store_default_list(field, row->list);
	if (row->text != NULL) {
		*(char **)field = strdup(row->text);
		return *(char **)field != NULL ? 0 : -1;
	}
	if (row->type == SCHEMA_CHOICE)
		*(unsigned int *)field = (unsigned int)row->number;
	if (row->type == SCHEMA_BOOLEAN)
		*(bool *)field = row->number != 0;
	if (row->type == SCHEMA_INTEGER || row->type == SCHEMA_DURATION)
		*(int64_t *)field = row->number;
	return 0;
}

void store_release(void *table, const struct schema_row *row)
{
	void *field = field_of(table, row);

	if (row->type == SCHEMA_STRING || row->type == SCHEMA_STRING_OR_INTEGER)
		free(*(char **)field);
	if (row->type == SCHEMA_LIST || row->type == SCHEMA_STRING_OR_LIST)
		string_list_free(field);
}
