/*
 * Finds a row of the schema by its names, or the name that is nearest to one that no row has.
 */
#include <string.h>

#include "config/schema.h"

static bool row_has_name(const struct schema_row *row, const char *name)
{
	return strcmp(row->name, name) == 0 ||
	       (row->alias != NULL && strcmp(row->alias, name) == 0);
}

static bool row_is_in(const struct schema_row *row, const char *table)
{
	return strcmp(row->table, table) == 0 ||
	       (row->also_in != NULL && strcmp(row->also_in, table) == 0);
}

/* The rows of both schemas, one after the other; NULL at their end. */
static const struct schema_row *row_at(size_t i)
{
	if (i < SCHEMA_ROWS)
		return &SCHEMA[i];
	return i - SCHEMA_ROWS < RULE_SCHEMA_ROWS ? &RULE_SCHEMA[i - SCHEMA_ROWS] : NULL;
}

const struct schema_row *schema_find(const char *table, const char *name)
{
	const struct schema_row *row;
	for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
		if (row_is_in(row, table) && row_has_name(row, name))
			return row;
	}
	return NULL;
}

const struct schema_row *schema_find_elsewhere(const char *table, const char *name)
{
	const struct schema_row *row;
	for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
		if (!row_is_in(row, table) && row_has_name(row, name))
			return row;
	}
	return NULL;
}

const struct schema_row *schema_find_key(const char *key)
{
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		size_t length = strlen(SCHEMA[i].table);
		if (strncmp(key, SCHEMA[i].table, length) == 0 && key[length] == '.' &&
		    strcmp(key + length + 1, SCHEMA[i].name) == 0)
			return &SCHEMA[i];
	}
	return NULL;
}

size_t schema_line(const struct settings *settings, const char *key)
{
	const struct schema_row *row = schema_find_key(key);
	for (size_t i = 0; i < settings->auth.rule_count; i++)
		if (strcmp(settings->auth.rules[i].key, key) == 0)
			return settings->auth.rules[i].line;
	return row != NULL ? settings->lines[row - SCHEMA] : 0;
}

bool schema_has_table(const char *table)
{
	const struct schema_row *row;
	for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
		if (strcmp(row->table, table) == 0)
			return true;
	}
	return false;
}

#define NEAR_SIZE 64 /* bytes; no known name is nearly as long */

/* The least number of letters to insert, remove or replace that makes `from` to `to`. */
static size_t edit_distance(const char *from, const char *to)
{
	size_t row[NEAR_SIZE + 1];
	size_t columns = strlen(to);

	for (size_t k = 0; k <= columns; k++)
		row[k] = k;
	for (size_t i = 0; from[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t k = 1; k <= columns; k++) {
			size_t replaced = diagonal + (from[i] != to[k - 1]);
			diagonal = row[k];
			size_t moved = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
			row[k] = replaced < moved ? replaced : moved;
		}
	}
	return row[columns];
}

/* Makes `candidate` *nearest if it is nearer to `name` than *distance, that of *nearest. */
static void take_nearer(const char *name, const char *candidate, const char **nearest,
			size_t *distance)
{
	size_t found = strlen(name) <= NEAR_SIZE && strlen(candidate) <= NEAR_SIZE
			       ? edit_distance(name, candidate)
			       : SIZE_MAX;
	if (found >= *distance)
		return;
	*nearest = candidate;
	*distance = found;
}

/* From this distance on, a name is no useful hint: it would be one of another meaning. */
static size_t too_far(const char *name)
{
	size_t size = strlen(name);
	return (size < 6 ? size / 2 : size / 3) + 1;
}

const char *schema_nearest_name(const char *table, const char *name)
{
	const struct schema_row *row;
	const char *nearest = NULL;
	size_t distance = too_far(name);

	for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
		if (row_is_in(row, table))
			take_nearer(name, row->name, &nearest, &distance);
	}
	return nearest;
}

const char *schema_nearest_table(const char *table)
{
	const struct schema_row *row;
	const char *nearest = NULL;
	size_t distance = too_far(table);

	for (size_t i = 0; (row = row_at(i)) != NULL; i++)
		take_nearer(table, row->table, &nearest, &distance);
	return nearest;
}
