#include "config/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/text.h"

/* The text of LIMIT_UNLIMITED. */
#define UNLIMITED "unlimited"

/* A value, the field it is for, and the rule that it breaks, in words after the key's name. */
struct storing {
	const struct schema_row *row;
	const json_t *value;
	void *field;
	struct report *report;
	size_t line;
	char rule[300];
};

/* Each of these stores a value of a kind that fits, or returns the rule that it breaks. */
typedef const char *store(struct storing *storing);

/* An integer is stored as its text. */
static const char *store_string(struct storing *storing)
{
	const json_t *value = storing->value;
	char *text = json_is_string(value)
			     ? strdup(json_string_value(value))
			     : text_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (text == NULL) {
		storing->report->out_of_memory = true;
		return NULL;
	}
	*(char **)storing->field = text;
	return storing->row->check != NULL ? storing->row->check(text) : NULL;
}

static const char *store_choice(struct storing *storing)
{
	const struct schema_choice *choices = storing->row->choices;
	size_t used = (size_t)snprintf(storing->rule, sizeof(storing->rule), "must be");

	for (size_t i = 0; choices[i].name != NULL; i++) {
		if (strcmp(choices[i].name, json_string_value(storing->value)) == 0) {
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
	*(bool *)storing->field = json_is_true(storing->value);
	return NULL;
}

/* NULL if the integer is within these bounds. */
static const char *check_bounds(struct storing *storing, int64_t minimum, int64_t maximum)
{
	int64_t integer = json_integer_value(storing->value);
	if (integer >= minimum && integer <= maximum)
		return NULL;
	snprintf(storing->rule, sizeof(storing->rule), "must be from %" PRId64 " to %" PRId64,
		 minimum, maximum);
	return storing->rule;
}

static const char *store_integer(struct storing *storing)
{
	*(int64_t *)storing->field = json_integer_value(storing->value);
	return check_bounds(storing, storing->row->minimum, storing->row->maximum);
}

static const char *store_duration(struct storing *storing)
{
	int64_t milliseconds = 0;
	const char *rule = parse_duration(json_string_value(storing->value), &milliseconds);
	if (rule == NULL && milliseconds < storing->row->minimum)
		rule = "must be longer";
	*(int64_t *)storing->field = milliseconds;
	return rule;
}

static const char *store_list(struct storing *storing)
{
	const struct schema_row *row = storing->row;
	const json_t *value = storing->value;
	struct report *report = storing->report;
	struct string_list *list = storing->field;
	size_t before = report->count;
	size_t count = json_is_array(value) ? json_array_size(value) : 1;

	if (count == 0 && (row->list != NULL || row->minimum > 0))
		return "must hold a string at least";
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		const char *text = json_string_value(item);
		if (text == NULL)
			return "must be an array of strings";
		const char *rule = row->check(text);
		if (rule != NULL)
			report_add(report, storing->line, "an item of %s.%s %s, not %s", row->table,
				   row->name, rule, report_excerpt(text).text);
		if (!string_list_add(list, text))
			report->out_of_memory = true;
	}
	if (report->count != before || report->overflow)
		string_list_free(list);
	return NULL;
}

static const char *store_limit(struct storing *storing)
{
	const json_t *value = storing->value;
	bool is_number = json_is_integer(value);
	if (!is_number && strcmp(json_string_value(value), UNLIMITED) != 0)
		return "must be an integer or \"" UNLIMITED "\"";
	*(struct limit_setting *)storing->field = (struct limit_setting){
		.set = true, .value = is_number ? json_integer_value(value) : LIMIT_UNLIMITED};
	return is_number ? check_bounds(storing, storing->row->minimum, LIMIT_UNLIMITED - 1) : NULL;
}

static const struct {
	json_type type, also; /* a value of either is stored */
	const char *wanted;
	store *store;
} TYPES[] = {
	[SCHEMA_STRING] = {JSON_STRING, JSON_STRING, "must be a string", store_string},
	[SCHEMA_STRING_OR_INTEGER] = {JSON_STRING, JSON_INTEGER, "must be a string or an integer",
				      store_string},
	[SCHEMA_CHOICE] = {JSON_STRING, JSON_STRING, "must be a string", store_choice},
	[SCHEMA_BOOLEAN] = {JSON_TRUE, JSON_FALSE, "must be true or false", store_boolean},
	[SCHEMA_INTEGER] = {JSON_INTEGER, JSON_INTEGER, "must be an integer", store_integer},
	[SCHEMA_DURATION] = {JSON_STRING, JSON_STRING,
			     "must be a duration in quotes, such as \"90s\" or \"1m30s\"",
			     store_duration},
	[SCHEMA_LIST] = {JSON_ARRAY, JSON_ARRAY, "must be an array of strings", store_list},
	[SCHEMA_STRING_OR_LIST] = {JSON_ARRAY, JSON_STRING,
				   "must be a string or an array of strings", store_list},
	[SCHEMA_LIMIT] = {JSON_INTEGER, JSON_STRING, "must be an integer or \"" UNLIMITED "\"",
			  store_limit},
};

static void *field_of(void *table, const struct schema_row *row)
{
	return (char *)table + row->offset;
}

void store_value(void *table, const struct schema_row *row, const json_t *value, size_t line,
		 struct report *report)
{
	static const char *const nouns[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",  [JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a number",    [JSON_TRUE] = "a boolean",
		[JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
	};
	struct storing storing = {.row = row,
				  .value = value,
				  .field = field_of(table, row),
				  .report = report,
				  .line = line};
	json_type type = json_typeof(value);
	bool fits = type == TYPES[row->type].type || type == TYPES[row->type].also;
	const char *rule = fits ? TYPES[row->type].store(&storing) : TYPES[row->type].wanted;
	char number[32];

	if (rule == NULL)
		return;
	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	report_add(report, line, "%s.%s %s, not %s", row->table, row->name, rule,
		   !fits		  ? nouns[type]
		   : type == JSON_STRING  ? report_excerpt(json_string_value(value)).text
		   : type == JSON_INTEGER ? number
					  : "empty");
}

/* By its first name. */
static json_t *encode_choice(const struct schema_row *row, unsigned int value)
{
	const struct schema_choice *choice = row->choices;
	while (choice->name != NULL && choice->value != value)
		choice++;
	return choice->name != NULL ? json_string(choice->name) : json_null();
}

/* As Go's Duration.String does: "2m0s", "1.5s", "500ms", "0s". */
static json_t *encode_duration(int64_t milliseconds)
{
	int64_t seconds = milliseconds / 1000, fraction = milliseconds % 1000;
	char hours[24] = "", minutes[24] = "", decimals[8] = "";
	int digits = 3;

	if (milliseconds > 0 && seconds == 0)
		return json_sprintf("%" PRId64 "ms", milliseconds);
	if (seconds >= 3600)
		snprintf(hours, sizeof(hours), "%" PRId64 "h", seconds / 3600);
	if (seconds >= 60)
		snprintf(minutes, sizeof(minutes), "%" PRId64 "m", seconds / 60 % 60);
	for (; fraction > 0 && fraction % 10 == 0; fraction /= 10)
		digits--;
	if (fraction > 0)
		snprintf(decimals, sizeof(decimals), ".%0*d", digits, (int)fraction);
	return json_sprintf("%s%s%d%ss", hours, minutes, (int)(seconds % 60), decimals);
}

static json_t *encode_list(const struct string_list *list)
{
	json_auto_t *array = json_array();
	for (size_t i = 0; i < list->count; i++)
		if (json_array_append_new(array, json_string(list->items[i])) != 0)
			return NULL;
	return json_incref(array);
}

json_t *store_encode(const void *table, const struct schema_row *row)
{
	const void *field = (const char *)table + row->offset;
	const struct limit_setting *limit = field;
	const char *string;

	switch (row->type) {
	case SCHEMA_STRING:
	case SCHEMA_STRING_OR_INTEGER:
		string = *(char *const *)field;
		return string != NULL ? json_string(string) : json_null();
	case SCHEMA_CHOICE:
		return encode_choice(row, *(const unsigned int *)field);
	case SCHEMA_BOOLEAN:
		return json_boolean(*(const bool *)field);
	case SCHEMA_INTEGER:
		return json_integer(*(const int64_t *)field);
	case SCHEMA_DURATION:
		return encode_duration(*(const int64_t *)field);
	case SCHEMA_LIST:
	case SCHEMA_STRING_OR_LIST:
		return encode_list(field);
	case SCHEMA_LIMIT:
		if (!limit->set)
			return json_null();
		return limit->value == LIMIT_UNLIMITED ? json_string(UNLIMITED)
						       : json_integer(limit->value);
	}
	return NULL;
}

static int store_default_list(struct string_list *list, const char *const *names)
{
	for (; *names != NULL; names++)
		if (!string_list_add(list, *names))
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
