#include "config/toml_document.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct toml_cursor cursor;
	struct toml_document *document;
	struct toml_tree tree;
	struct toml_path table; /* of the last header */
	size_t section;
	bool table_known; /* false under a header that could not be read */
	bool bracketed;	  /* the statement may go on over further lines */
};

/* Adds an entry for `path`, of which the last name is the key unless it is a header's. */
static int add_entry(struct reading *reading, const struct toml_path *path, struct toml_entry entry,
		     bool is_header)
{
	struct toml_document *document = reading->document;
	size_t depth = is_header ? path->count : path->count - 1;
	size_t size = depth > 0 ? path->ends[depth - 1] : 0;

	if (document->entries == NULL)
		document->entries = calloc(TOML_ENTRIES_MAX, sizeof(entry));
	if (document->entries == NULL)
		return toml_no_memory(&reading->cursor);
	entry.section = reading->section;
	entry.table = strndup(path->text, size);
	entry.key = is_header ? NULL : strdup(path->text + size + (size > 0 ? 1 : 0));
	if (entry.table == NULL || (entry.key == NULL && !is_header)) {
		free(entry.table);
		free(entry.key);
		return toml_no_memory(&reading->cursor);
	}
	document->entries[document->count++] = entry;
	return 0;
}

static int read_name(struct toml_cursor *cursor, struct toml_path *path)
{
	size_t size = strspn(cursor->at, TOML_BARE);
	char *name;

	if (*cursor->at == '"' || *cursor->at == '\'') {
		if (toml_string_read(cursor, &name) != 0)
			return -1;
	} else if (size == 0) {
		return toml_fail(cursor, cursor->line,
				 "the name of a key or table is missing here");
	} else {
		name = strndup(cursor->at, size);
		if (name == NULL)
			return toml_no_memory(cursor);
		cursor->at += size;
	}
	int status = toml_path_append(path, name, cursor);
	free(name);
	return status;
}

/* Reads names joined by dots, and appends them to `path`. */
static int read_path(struct toml_cursor *cursor, struct toml_path *path)
{
	for (;;) {
		toml_skip_blanks(cursor);
		if (read_name(cursor, path) != 0)
			return -1;
		toml_skip_blanks(cursor);
		if (*cursor->at != '.')
			return 0;
		cursor->at++;
	}
}

static int read_header(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;
	size_t line = cursor->line;

	toml_path_free(&reading->table);
	reading->table_known = false;
	cursor->at++;
	if (*cursor->at == '[')
		return toml_fail(cursor, line,
				 "an array of tables, which this file has none of; write [table]");
	if (read_path(cursor, &reading->table) != 0)
		return -1;
	if (*cursor->at != ']')
		return toml_fail(cursor, line, "the closing bracket of a table's name is missing");
	cursor->at++;
	reading->section++;
	reading->table_known = true;
	/* Where the table is defined already, its keys are still worth a look. */
	int status = toml_tree_table(&reading->tree, &reading->table, cursor);
	if (add_entry(reading, &reading->table, (struct toml_entry){.line = line}, true) != 0)
		return -1;
	return status;
}

/* Reads ` = value`. */
static int read_assignment(struct reading *reading, struct toml_value *value)
{
	struct toml_cursor *cursor = &reading->cursor;

	if (*cursor->at != '=')
		return toml_fail(cursor, cursor->line, "a key needs an equals sign and a value");
	cursor->at++;
	toml_skip_blanks(cursor);
	reading->bracketed = *cursor->at == '[' || *cursor->at == '{';
	return toml_value_read(cursor, value);
}

/* Enters a key that was read whole, or with the kind TOML_INVALID where its value was not. */
static int enter_key(struct reading *reading, const struct toml_path *path,
		     struct toml_entry *entry)
{
	size_t above = reading->table.count;

	entry->dotted = path->count > above + 1;
	if (!reading->table_known)
		return -1;
	if (toml_tree_key(&reading->tree, path, above, reading->section, entry->line,
			  &reading->cursor) != 0)
		return -1;
	return add_entry(reading, path, *entry, false);
}

static int read_pair(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;
	struct toml_entry entry = {.line = cursor->line};
	struct toml_path path;

	if (toml_path_copy(&path, &reading->table, cursor) != 0)
		return -1;
	if (read_path(cursor, &path) != 0) {
		reading->document->lost = true;
		toml_path_free(&path);
		return -1;
	}
	int status = read_assignment(reading, &entry.value);
	if (enter_key(reading, &path, &entry) != 0)
		toml_value_free(&entry.value);
	toml_path_free(&path);
	return status;
}

/* Reads what may follow a statement on its line: blanks, a comment. */
static int read_line_end(struct toml_cursor *cursor)
{
	toml_skip_comment(cursor);
	if (*cursor->at == '\n' || *cursor->at == '\0')
		return 0;
	return toml_fail(cursor, cursor->line, "unexpected text %s behind the end of a statement",
			 report_excerpt((char[]){*cursor->at, '\0'}).text);
}

static bool begins_statement(const char *text)
{
	text += strspn(text, " \t");
	if (*text == '[')
		return strspn(text + 1, TOML_BARE) > 0;
	size_t size = strspn(text, TOML_BARE);
	text += size;
	text += strspn(text, " \t");
	return size > 0 && (*text == '=' || *text == '.');
}

/*
 * Goes on after a statement that could not be read: with the next line, or where brackets were
 * open, with the next line that looks like a statement. It is a guess, and all it decides is which
 * further errors are reported.
 */
static void recover(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;

	toml_next_line(cursor);
	while (reading->bracketed && *cursor->at != '\0' && !begins_statement(cursor->at))
		toml_next_line(cursor);
}

static int read_statements(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;

	for (;;) {
		toml_skip_lines(cursor);
		if (*cursor->at == '\0')
			return 0;
		if (reading->document->count == TOML_ENTRIES_MAX) {
			reading->document->lost = true;
			return toml_fail(cursor, cursor->line, "more than %d keys and tables",
					 TOML_ENTRIES_MAX);
		}
		reading->bracketed = false;
		int status;
		if (*cursor->at == '[') {
			status = read_header(reading);
			reading->document->lost |= !reading->table_known;
		} else {
			status = read_pair(reading);
		}
		if (status != 0 || read_line_end(cursor) != 0)
			recover(reading);
	}
}

int toml_document_read(struct toml_document *document, const char *text, struct report *report)
{
	struct reading reading = {
		.cursor = {.at = text, .line = 1, .report = report},
		.document = document,
		.table_known = true,
	};

	*document = (struct toml_document){0};
	reading.cursor.scratch = malloc(strlen(text) + 1);
	if (reading.cursor.scratch == NULL) {
		report->out_of_memory = true;
		return -1;
	}
	read_statements(&reading);
	free(reading.cursor.scratch);
	toml_path_free(&reading.table);
	toml_tree_free(&reading.tree);
	return report->out_of_memory ? -1 : 0;
}

void toml_document_free(struct toml_document *document)
{
	for (size_t i = 0; i < document->count; i++) {
		free(document->entries[i].table);
		free(document->entries[i].key);
		toml_value_free(&document->entries[i].value);
	}
	free(document->entries);
	*document = (struct toml_document){0};
}
