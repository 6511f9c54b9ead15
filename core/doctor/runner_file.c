#include "core/doctor/runner_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/toml_reader.h"
#include "core/lib/io.h"

#define FILE_MOST_SIZE (1024 * 1024)

const char *const RUNNER_STAGE_NAMES[RUNNER_STAGES] = {"config", "prepare", "run", "cleanup"};

#define OF_RUNNER(field) offsetof(struct runner, field)

/* The keys of [[runners]] and its sub-tables that are of interest. */
static const struct {
	const char *path;
	json_type type;
	size_t offset; /* of a struct runner_value in struct runner */
} KEYS[] = {
	{"runners.executor", JSON_STRING, OF_RUNNER(executor)},
	{"runners.url", JSON_STRING, OF_RUNNER(url)},
	{"runners.token", JSON_STRING, OF_RUNNER(token)},
	{"runners.custom.config_exec", JSON_STRING, OF_RUNNER(exec[RUNNER_CONFIG])},
	{"runners.custom.config_args", JSON_ARRAY, OF_RUNNER(arguments[RUNNER_CONFIG])},
	{"runners.custom.prepare_exec", JSON_STRING, OF_RUNNER(exec[RUNNER_PREPARE])},
	{"runners.custom.prepare_args", JSON_ARRAY, OF_RUNNER(arguments[RUNNER_PREPARE])},
	{"runners.custom.run_exec", JSON_STRING, OF_RUNNER(exec[RUNNER_RUN])},
	{"runners.custom.run_args", JSON_ARRAY, OF_RUNNER(arguments[RUNNER_RUN])},
	{"runners.custom.cleanup_exec", JSON_STRING, OF_RUNNER(exec[RUNNER_CLEANUP])},
	{"runners.custom.cleanup_args", JSON_ARRAY, OF_RUNNER(arguments[RUNNER_CLEANUP])},
	{"runners.custom.graceful_kill_timeout", JSON_INTEGER, OF_RUNNER(graceful_kill_timeout)},
	{"runners.custom.cleanup_exec_timeout", JSON_INTEGER, OF_RUNNER(cleanup_exec_timeout)},
};

#define KEY_COUNT (sizeof(KEYS) / sizeof(KEYS[0]))

struct reading {
	struct runner_file *file;
	struct runner *runner; /* the last [[runners]]; NULL: none yet, or beyond RUNNERS_MAX */
};

/* Where the value of a key is kept; NULL: it is not needed. */
static struct runner_value *place_of(const struct reading *reading, const struct toml_entry *entry)
{
	char path[64];
	int length = snprintf(path, sizeof(path), "%s%s%s", entry->table,
			      entry->table[0] != '\0' ? "." : "", entry->key);
	if (length < 0 || (size_t)length >= sizeof(path))
		return NULL;
	if (strcmp(path, "shutdown_timeout") == 0 && json_is_integer(entry->value))
		return &reading->file->shutdown_timeout;
	for (size_t i = 0; reading->runner != NULL && i < KEY_COUNT; i++)
		if (strcmp(path, KEYS[i].path) == 0 && json_typeof(entry->value) == KEYS[i].type)
			return (struct runner_value *)((char *)reading->runner + KEYS[i].offset);
	return NULL;
}

static void take_entry(void *context, const struct toml_entry *entry)
{
	struct reading *reading = context;
	struct runner_file *file = reading->file;
	if (entry->key != NULL) {
		struct runner_value *place = entry->value != NULL ? place_of(reading, entry) : NULL;
		if (place == NULL)
			return;
		*place = (struct runner_value){.value = json_incref(entry->value),
					       .line = entry->line};
	} else if (entry->is_element && strcmp(entry->table, "runners") == 0) {
		reading->runner = file->count < RUNNERS_MAX ? &file->runners[file->count++] : NULL;
		if (reading->runner != NULL)
			reading->runner->line = entry->line;
	}
}

int runner_file_parse(const char *text, size_t size, struct runner_file *file, struct error *err)
{
	struct report report = {.path = ""};
	struct reading reading = {.file = file};

	memset(file, 0, sizeof(*file));
	(void)toml_read(text, size, true, &report, take_entry, &reading);
	if (report.count > 0) {
		file->fault_line = report.findings[0].line;
		snprintf(file->fault, sizeof(file->fault), "%s", report.findings[0].text);
	}
	bool read = !report.out_of_memory;
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
			json_decref(((struct runner_value *)(runner + KEYS[k].offset))->value);
		}
	json_decref(file->shutdown_timeout.value);
	file->shutdown_timeout.value = NULL;
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
	return json_string_value(value->value);
}

struct runner_call runner_read_call(const struct runner_value *arguments)
{
	const json_t *list = arguments->value;
	struct runner_call call = {.no_auth = false};
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *item = json_string_value(json_array_get(list, i));
		if (strcmp(item, "--no-auth") == 0)
			call.no_auth = true;
		else if (strcmp(item, "--configuration") == 0 && i + 1 < json_array_size(list))
			call.configuration = json_string_value(json_array_get(list, ++i));
		else if (strncmp(item, "--configuration=", 16) == 0)
			call.configuration = item + 16;
		else if (call.stage == NULL && item[0] != '-')
			call.stage = item;
		else if (strcmp(item, "-u") != 0 && strcmp(item, "--unobfuscated") != 0)
			call.odd = item;
	}
	return call;
}
