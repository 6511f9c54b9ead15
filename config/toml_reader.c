#include "config/toml_reader.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/toml_tree.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

#if defined(INI_HANDLER_LINENO) && INI_HANDLER_LINENO
#error "inih must be built with its default handler, without a line number"
#endif

/* Ten times what all our keys together need. */
#define NODES_MAX 1000

/* inih has room for 49 bytes of a name. */
#define CARRIED_SIZE 50

struct reading {
	struct toml_cursor cursor;
	struct toml_tree tree;
	struct toml_path path; /* of the last header */
	size_t section;	       /* number of that header; 0 is the top */
	bool table_known;      /* false under a header that could not be read */
	bool bracketed;	       /* the statement may continue on the next lines */
	/*
	 * Some text was not understood: its table and key are not known. So it is not known which
	 * keys the file does not set.
	 */
	bool lost;
	struct toml_entry entry; /* the one that inih has a line of */
	bool is_pending;	 /* inih has not returned it yet */
	bool is_broken;		 /* inih has returned something else */
	toml_visitor *visit;
	void *context;
};

static void free_entry(struct toml_entry *entry)
{
	free(entry->table);
	free(entry->key);
	json_decref(entry->value);
	*entry = (struct toml_entry){0};
}

static int read_name(struct toml_cursor *cursor, struct toml_path *path)
{
	size_t size = strspn(cursor->at, TEXT_WORD);
	json_auto_t *name = NULL;

	if (*cursor->at == '"' || *cursor->at == '\'') {
		if (toml_string_read(cursor, true, &name) != 0)
			return -1;
	} else if (size == 0) {
		return toml_fail(cursor, cursor->line,
				 "the name of a key or table is missing here");
	} else {
		name = json_stringn(cursor->at, size);
		cursor->at += size;
	}
	return name != NULL ? toml_path_append(path, json_string_value(name), cursor)
			    : toml_no_memory(cursor);
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

/* Makes the path's first `depth` names the entry's table; the last name is the key, if it is one.
 */
static int name_entry(struct reading *reading, size_t depth)
{
	const struct toml_path *path = &reading->path;
	size_t size = depth > 0 ? path->ends[depth - 1] : 0;

	reading->entry.table = strndup(path->text, size);
	if (depth < path->count)
		reading->entry.key = strdup(path->text + size + (size > 0 ? 1 : 0));
	if (reading->entry.table == NULL || (depth < path->count && reading->entry.key == NULL))
		return toml_no_memory(&reading->cursor);
	reading->is_pending = true;
	return 0;
}

static int read_header(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;
	size_t line = cursor->line;
	bool is_element = cursor->at[1] == '[';
	const char *end = is_element ? "]]" : "]";

	toml_path_cut(&reading->path, 0);
	reading->table_known = false;
	cursor->at += strlen(end);
	if (read_path(cursor, &reading->path) != 0)
		return -1;
	if (strncmp(cursor->at, end, strlen(end)) != 0)
		return toml_fail(cursor, line, "the closing bracket of a table's name is missing");
	cursor->at += strlen(end);
	reading->section++;
	reading->table_known = true;
	/* Where the table is defined already, its keys are still examined. */
	int status = toml_tree_table(&reading->tree, &reading->path, is_element, cursor);
	reading->entry = (struct toml_entry){.line = line, .is_element = is_element};
	return name_entry(reading, reading->path.count) != 0 ? -1 : status;
}

/* Reads ` = value`. */
static int read_assignment(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;

	if (*cursor->at != '=')
		return toml_fail(cursor, cursor->line, "a key needs an equals sign and a value");
	cursor->at++;
	toml_skip_blanks(cursor);
	reading->bracketed = *cursor->at == '[' || *cursor->at == '{';
	return toml_value_read(cursor, &reading->entry.value);
}

/* A key whose value could not be read is visited, too, without one. */
static int read_pair(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;
	struct toml_path *path = &reading->path;
	size_t above = path->count;
	size_t line = cursor->line;
	int status = read_path(cursor, path);

	reading->entry = (struct toml_entry){.line = line, .dotted = path->count > above + 1};
	if (status != 0) {
		reading->lost = true;
	} else {
		status = read_assignment(reading);
		if (!reading->table_known ||
		    toml_tree_key(&reading->tree, path, above, reading->section, line, cursor) !=
			    0 ||
		    name_entry(reading, path->count - 1) != 0)
			free_entry(&reading->entry);
	}
	toml_path_cut(path, above);
	return status;
}

/* Reads what may follow a statement on its line: blanks, a comment. */
static int read_line_end(struct toml_cursor *cursor)
{
	toml_skip_comment(cursor);
	if (*cursor->at == '\n' || *cursor->at == '\0')
		return 0;
	return toml_fail(cursor, cursor->line, "unexpected text %s after the end of a statement",
			 report_excerpt((char[]){*cursor->at, '\0'}).text);
}

static bool begins_statement(const char *text)
{
	text += strspn(text, " \t");
	if (*text == '[')
		return strspn(text + 1, TEXT_WORD) > 0;
	size_t size = strspn(text, TEXT_WORD);
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

/* Goes on to the next statement that can be visited; false at the end. */
static bool read_statement(struct reading *reading)
{
	struct toml_cursor *cursor = &reading->cursor;

	while (!reading->is_pending && !cursor->report->out_of_memory) {
		toml_skip_lines(cursor);
		if (*cursor->at == '\0')
			return false;
		if (reading->tree.count >= NODES_MAX) {
			reading->lost = true;
			toml_fail(cursor, cursor->line, "more than %d keys and tables", NODES_MAX);
			return false;
		}
		reading->bracketed = false;
		bool is_header = *cursor->at == '[';
		int status = is_header ? read_header(reading) : read_pair(reading);
		reading->lost = reading->lost || (is_header && !reading->table_known);
		if (status != 0 || read_line_end(cursor) != 0)
			recover(reading);
	}
	return reading->is_pending;
}

/* A name as inih can carry it. */
static const char *carried(const char *name)
{
	size_t size = strlen(name);
	return size < CARRIED_SIZE && strspn(name, TEXT_WORD ".") == size ? name : "?";
}

static void visit(struct reading *reading)
{
	reading->visit(reading->context, &reading->entry);
	free_entry(&reading->entry);
	reading->is_pending = false;
}

/* inih's reader, like fgets: the next line. */
static char *give_line(char *line, int room, void *stream)
{
	struct reading *reading = stream;
	const struct toml_entry *entry = &reading->entry;
	int length;

	/* The key of the line before should have come back. */
	if (reading->is_pending || reading->is_broken || !read_statement(reading))
		return NULL;
	if (entry->key != NULL) {
		length = snprintf(line, (size_t)room, "%s=\n", carried(entry->key));
	} else {
		length = snprintf(line, (size_t)room, "[%s]\n", carried(entry->table));
		visit(reading);
	}
	reading->is_broken = length < 0 || length >= room;
	return reading->is_broken ? NULL : line;
}

/* inih's handler. Returns 0 where what comes is not what was given. */
static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	const char *table = reading->path.count > 0 ? reading->path.text : "";

	if (name == NULL && value == NULL)
		return 1; /* some builds announce a section so */
	if (!reading->is_pending || reading->is_broken || name == NULL ||
	    strcmp(section, carried(table)) != 0 ||
	    strcmp(name, carried(reading->entry.key)) != 0) {
		reading->is_broken = true;
		return 0;
	}
	visit(reading);
	return 1;
}

enum toml_extent toml_read(const char *text, size_t size, bool any, struct report *report,
			   toml_visitor *visitor, void *context)
{
	cleanup_free char *clean = toml_text_clean(text, size, report);
	cleanup_free char *scratch = malloc(size + 1);
	struct reading reading = {
		.cursor =
			{.at = clean, .line = 1, .any = any, .scratch = scratch, .report = report},
		.table_known = true,
		.visit = visitor,
		.context = context,
	};

	if (clean == NULL || scratch == NULL) {
		report->out_of_memory = true;
		return TOML_PARTLY;
	}
	int status = ini_parse_stream(give_line, &reading, take_key, &reading);
	bool whole = status == 0 && !reading.is_broken && !reading.is_pending;
	if (!whole)
		report_add(report, reading.cursor.line,
			   "the inih library did not return the key before this line; nothing of "
			   "the file is used");
	free_entry(&reading.entry);
	free(reading.path.text);
	toml_tree_free(&reading.tree);
	return whole && !reading.lost ? TOML_WHOLE : TOML_PARTLY;
}
