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

#define FILE_MOST_SIZE (1024 * 1024)
#define PATH_ROOM      256

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

/* Appends the name up to one of `stop` without blanks and quotes; what is too long is cut. */
static void take_name(struct toml_cursor *cursor, const char *stop, char *path, size_t room)
{
	size_t used = strlen(path);
	for (; *cursor->at != '\0' && *cursor->at != '\n' && strchr(stop, *cursor->at) == NULL;
	     cursor->at++)
		if (strchr(" \t\"'", *cursor->at) == NULL && used + 1 < room)
			path[used++] = *cursor->at;
	path[used] = '\0';
}

static void take_header(struct toml_cursor *cursor, struct runner_file *file, char *table)
{
	bool element = cursor->at[1] == '[';
	cursor->at += element ? 2 : 1;
	table[0] = '\0';
	take_name(cursor, "]", table, PATH_ROOM);
	if (element && strcmp(table, "runners") == 0 && file->count < RUNNERS_MAX)
		file->runners[file->count++].line = cursor->line;
}

static void take_key(struct toml_cursor *cursor, struct runner_file *file, const char *table)
{
	struct toml_value value;
	char path[2 * PATH_ROOM];
	size_t line = cursor->line;
	snprintf(path, sizeof(path), "%s%s", table, table[0] != '\0' ? "." : "");
	take_name(cursor, "=", path, sizeof(path));
	if (*cursor->at != '=')
		return;
	cursor->at++;
	toml_skip_blanks(cursor);
	if (toml_value_read(cursor, &value) != 0)
		return;
	struct runner_value *place = place_of(file, path, value.kind);
	if (place == NULL || place->line != 0) {
		toml_value_free(&value);
		return;
	}
	*place = (struct runner_value){.value = value, .line = line};
}

int runner_file_parse(const char *text, size_t size, struct runner_file *file, struct error *err)
{
	struct report report = {.path = ""};
	struct toml_cursor cursor = {.line = 1, .report = &report};
	char table[PATH_ROOM] = "";

	memset(file, 0, sizeof(*file));
	cleanup_free char *clean = toml_text_clean(text, size, &report);
	cursor.scratch = malloc(size + 1);
	cursor.at = clean;
	while (clean != NULL && cursor.scratch != NULL) {
		toml_skip_lines(&cursor);
		if (*cursor.at == '\0')
			break;
		if (*cursor.at == '[')
			take_header(&cursor, file, table);
		else
			take_key(&cursor, file, table);
		toml_next_line(&cursor);
	}
	bool read = clean != NULL && cursor.scratch != NULL && !report.out_of_memory;
	free(cursor.scratch);
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
