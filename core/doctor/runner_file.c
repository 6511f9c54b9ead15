#include "core/doctor/runner_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/report.h"
#include "config/toml_text.h"
#include "core/io.h"
#include "core/text.h"

#define FILE_MOST_SIZE (1024 * 1024)
#define PATH_ROOM      256
#define NAMES_MOST     1024

const char *const RUNNER_STAGE_NAMES[RUNNER_STAGES] = {"config", "prepare", "run", "cleanup"};

#define OF_RUNNER(field) offsetof(struct runner, field)

/* The keys of [[runners]] and its sub-tables that are of interest. */
static const struct {
	const char *path;
	enum toml_kind kind;
	size_t offset; /* of a struct runner_value in struct runner */
} KEYS[] = {
	{"runners.executor", TOML_STRING, OF_RUNNER(executor)},
	{"runners.url", TOML_STRING, OF_RUNNER(url)},
	{"runners.token", TOML_STRING, OF_RUNNER(token)},
	{"runners.custom.config_exec", TOML_STRING, OF_RUNNER(exec[RUNNER_CONFIG])},
	{"runners.custom.config_args", TOML_ARRAY, OF_RUNNER(arguments[RUNNER_CONFIG])},
	{"runners.custom.prepare_exec", TOML_STRING, OF_RUNNER(exec[RUNNER_PREPARE])},
	{"runners.custom.prepare_args", TOML_ARRAY, OF_RUNNER(arguments[RUNNER_PREPARE])},
	{"runners.custom.run_exec", TOML_STRING, OF_RUNNER(exec[RUNNER_RUN])},
	{"runners.custom.run_args", TOML_ARRAY, OF_RUNNER(arguments[RUNNER_RUN])},
	{"runners.custom.cleanup_exec", TOML_STRING, OF_RUNNER(exec[RUNNER_CLEANUP])},
	{"runners.custom.cleanup_args", TOML_ARRAY, OF_RUNNER(arguments[RUNNER_CLEANUP])},
	{"runners.custom.graceful_kill_timeout", TOML_INTEGER, OF_RUNNER(graceful_kill_timeout)},
	{"runners.custom.cleanup_exec_timeout", TOML_INTEGER, OF_RUNNER(cleanup_exec_timeout)},
};

#define KEY_COUNT (sizeof(KEYS) / sizeof(KEYS[0]))

/* Where a key's value belongs; NULL: it is of no interest. */
static struct runner_value *place_of(struct runner_file *file, const char *path,
				     enum toml_kind kind)
{
	if (strcmp(path, "shutdown_timeout") == 0)
		return kind == TOML_INTEGER ? &file->shutdown_timeout : NULL;
	if (file->count == 0)
		return NULL;
	char *runner = (char *)&file->runners[file->count - 1];
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(path, KEYS[i].path) == 0)
			return kind == KEYS[i].kind
				       ? (struct runner_value *)(runner + KEYS[i].offset)
				       : NULL;
	return NULL;
}

/* The file on its way through. */
struct scan {
	struct toml_cursor cursor;
	struct runner_file *file;
	char table[PATH_ROOM];
	/* Names that were come by, each behind the number of the elements before it. */
	char *seen[NAMES_MOST];
	size_t seen_count;
	size_t elements;
};

/* A name may stand once in an element; beyond NAMES_MOST names nobody looks. */
static void note_name(struct scan *scan, const char *what, const char *name, size_t line)
{
	char *noted = text_format("%zu %s %s", scan->elements, what, name);
	for (size_t i = 0; noted != NULL && i < scan->seen_count; i++)
		if (strcmp(scan->seen[i], noted) == 0) {
			toml_fail(&scan->cursor, line, "the %s %s stands there twice", what,
				  report_excerpt(name).text);
			break;
		}
	if (noted != NULL && scan->seen_count < NAMES_MOST)
		scan->seen[scan->seen_count++] = noted;
	else
		free(noted);
}

/* Appends the name up to one of `stop` without blanks and quotes; what is too long is cut. */
static void take_name(struct toml_cursor *cursor, const char *stop, char *path, size_t room)
{
	size_t used = strlen(path);
	char quote = '\0'; /* that is open */
	for (; *cursor->at != '\0' && *cursor->at != '\n'; cursor->at++) {
		char byte = *cursor->at;
		bool quotes = quote != '\0' ? byte == quote : byte == '"' || byte == '\'';
		if (quote == '\0' && strchr(stop, byte) != NULL)
			break;
		if (quotes && quote != '\0')
			quote = '\0';
		else if (quotes)
			quote = byte;
		else if ((quote != '\0' || strchr(" \t", byte) == NULL) && used + 1 < room)
			path[used++] = byte;
	}
	path[used] = '\0';
}

static void expect_end(struct toml_cursor *cursor)
{
	toml_skip_comment(cursor);
	if (*cursor->at != '\0' && *cursor->at != '\n')
		toml_fail(cursor, cursor->line, "text where the line should end");
}

static void take_header(struct scan *scan)
{
	struct toml_cursor *cursor = &scan->cursor;
	struct runner_file *file = scan->file;
	bool element = cursor->at[1] == '[';
	const char *end = element ? "]]" : "]";
	cursor->at += strlen(end);
	scan->table[0] = '\0';
	take_name(cursor, "]", scan->table, PATH_ROOM);
	if (strncmp(cursor->at, end, strlen(end)) != 0 || scan->table[0] == '\0') {
		toml_fail(cursor, cursor->line, "a table without its name or its closing %s", end);
		return;
	}
	cursor->at += strlen(end);
	if (element)
		scan->elements++;
	else
		note_name(scan, "table", scan->table, cursor->line);
	if (element && strcmp(scan->table, "runners") == 0 && file->count < RUNNERS_MAX)
		file->runners[file->count++].line = cursor->line;
	expect_end(cursor);
}

/* Up to the bracket that closes the one at the cursor; what is between is not looked at. */
static int skip_brackets(struct toml_cursor *cursor)
{
	struct toml_value string;
	size_t opened = cursor->line;
	size_t depth = 0;
	do {
		char byte = *cursor->at;
		if (byte == '"' || byte == '\'') {
			if (toml_value_read(cursor, &string) != 0)
				return -1;
			toml_value_free(&string);
			continue;
		}
		depth += byte == '[' || byte == '{' ? 1 : 0;
		depth -= byte == ']' || byte == '}' ? 1 : 0;
		if (byte == '\0')
			return toml_fail(cursor, opened,
					 "a bracket that opens here and is never closed");
		if (byte == '\n')
			toml_next_line(cursor);
		else
			cursor->at++;
		if (*cursor->at == '#')
			toml_skip_comment(cursor);
	} while (depth > 0);
	return 0;
}

/* What is neither a string nor a bracket: a number, a boolean, a date with a blank in it. */
static int skip_bare(struct toml_cursor *cursor)
{
	static const char *const words[] = {"true", "false", "inf", "nan"};
	size_t size = strcspn(cursor->at, " \t\n#");
	const char *word = cursor->at;
	bool known = word[0] != '\0' && strchr(TEXT_DIGIT "+-", word[0]) != NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		known = known || (strlen(words[i]) == size && strncmp(word, words[i], size) == 0);
	if (!known || size == 0)
		return toml_fail(cursor, cursor->line,
				 "what is no value of TOML; a string needs quotes");
	cursor->at += size;
	if (cursor->at[0] == ' ' && size == strlen("1979-05-27"))
		cursor->at += 1 + strspn(cursor->at + 1, TEXT_DIGIT ":.+-Z");
	return 0;
}

/* Of a kind that is of interest, or -1 with the cursor behind it, whatever it is. */
static int read_value(struct toml_cursor *cursor, struct toml_value *value)
{
	struct report ignored = {.path = ""};
	struct toml_cursor trial = *cursor;
	char first = *cursor->at;
	if (first == '"' || first == '\'')
		return toml_value_read(cursor, value);
	trial.report = &ignored;
	int result = toml_value_read(&trial, value);
	report_clear(&ignored);
	if (result == 0)
		*cursor =
			(struct toml_cursor){trial.at, trial.line, cursor->scratch, cursor->report};
	else if (first == '[' || first == '{')
		(void)skip_brackets(cursor);
	else
		(void)skip_bare(cursor);
	return result;
}

static void take_key(struct scan *scan)
{
	struct toml_cursor *cursor = &scan->cursor;
	struct toml_value value;
	char path[2 * PATH_ROOM];
	size_t line = cursor->line;
	snprintf(path, sizeof(path), "%s%s", scan->table, scan->table[0] != '\0' ? "." : "");
	size_t above = strlen(path);
	take_name(cursor, "=", path, sizeof(path));
	if (*cursor->at != '=' || path[above] == '\0') {
		toml_fail(cursor, line, "neither a [table] nor a key with a value");
		return;
	}
	note_name(scan, "key", path, line);
	cursor->at++;
	toml_skip_blanks(cursor);
	int result = read_value(cursor, &value);
	expect_end(cursor);
	if (result != 0)
		return;
	struct runner_value *place = place_of(scan->file, path, value.kind);
	if (place == NULL || place->line != 0) {
		toml_value_free(&value);
		return;
	}
	*place = (struct runner_value){.value = value, .line = line};
}

static void scan_lines(struct scan *scan)
{
	for (;;) {
		toml_skip_lines(&scan->cursor);
		if (*scan->cursor.at == '\0')
			return;
		if (*scan->cursor.at == '[')
			take_header(scan);
		else
			take_key(scan);
		toml_next_line(&scan->cursor);
	}
}

int runner_file_parse(const char *text, size_t size, struct runner_file *file, struct error *err)
{
	struct report report = {.path = ""};

	memset(file, 0, sizeof(*file));
	cleanup_free struct scan *scan = calloc(1, sizeof(*scan));
	cleanup_free char *clean = toml_text_clean(text, size, &report);
	cleanup_free char *scratch = malloc(size + 1);
	bool read = scan != NULL && clean != NULL && scratch != NULL;
	if (read) {
		scan->cursor = (struct toml_cursor){clean, 1, scratch, &report};
		scan->file = file;
		scan_lines(scan);
		while (scan->seen_count > 0)
			free(scan->seen[--scan->seen_count]);
	}
	if (report.count > 0) {
		file->fault_line = report.findings[0].line;
		snprintf(file->fault, sizeof(file->fault), "%s", report.findings[0].text);
	}
	read = read && !report.out_of_memory;
	report_clear(&report);
	return read ? 0 : error_set(err, ERROR_SYSTEM, "out of memory");
}

int runner_file_read(const char *path, struct runner_file *file, struct error *err)
{
	struct stat found;
	size_t size;
	memset(file, 0, sizeof(*file));
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &found) != 0)
		return error_errno(err, ERROR_SYSTEM, "%s cannot be opened", path);
	if (!S_ISREG(found.st_mode))
		return error_set(err, ERROR_SYSTEM, "%s is not a regular file", path);
	cleanup_free char *text = io_read_to_end(fd, FILE_MOST_SIZE, &size);
	if (text == NULL)
		return error_errno(err, ERROR_SYSTEM, "%s cannot be read", path);
	return runner_file_parse(text, size, file, err);
}

void runner_file_free(struct runner_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		for (size_t k = 0; k < KEY_COUNT; k++) {
			char *runner = (char *)&file->runners[i];
			toml_value_free(&((struct runner_value *)(runner + KEYS[k].offset))->value);
		}
	file->count = 0;
}

bool runner_is_ours(const struct runner *runner)
{
	for (int stage = 0; stage < RUNNER_STAGES; stage++) {
		const char *path = runner_string(&runner->exec[stage]);
		const char *slash = path != NULL ? strrchr(path, '/') : NULL;
		const char *name = slash != NULL ? slash + 1 : path;
		if (name != NULL && strncmp(name, "jacamar", 7) == 0)
			return true;
	}
	return false;
}

const char *runner_string(const struct runner_value *value)
{
	return value->value.kind == TOML_STRING ? value->value.string : NULL;
}

struct runner_call runner_read_call(const struct runner_value *arguments)
{
	const struct string_list *list = &arguments->value.array;
	struct runner_call call = {.no_auth = false};
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		if (strcmp(item, "--no-auth") == 0)
			call.no_auth = true;
		else if (strcmp(item, "--configuration") == 0 && i + 1 < list->count)
			call.configuration = list->items[++i];
		else if (strncmp(item, "--configuration=", 16) == 0)
			call.configuration = item + 16;
		else if (call.stage == NULL && item[0] != '-')
			call.stage = item;
		else if (strcmp(item, "-u") != 0 && strcmp(item, "--unobfuscated") != 0)
			call.odd = item;
	}
	return call;
}
