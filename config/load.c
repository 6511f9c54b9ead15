#include "config/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/report.h"
#include "config/rules.h"
#include "config/schema.h"
#include "config/store.h"
#include "config/toml_reader.h"

#define FILE_MAX ((size_t)1 << 20)

struct loading {
	struct settings *settings;
	struct report report;
	size_t general_line; /* of the header [general] */
};

/* Ends the message with a guess, where there is one. */
static void report_unknown(struct report *report, size_t line, const char *what, const char *guess)
{
	if (guess != NULL)
		report_add(report, line, "unknown %s; did you mean %s?", what, guess);
	else
		report_add(report, line, "unknown %s; jacamar-config.toml(5) lists all", what);
}

static void report_unknown_table(struct report *report, const struct toml_entry *entry)
{
	const char *nearest = schema_nearest_table(entry->table);
	char what[160], guess[80];

	snprintf(what, sizeof(what), "table [%.120s]", entry->table);
	snprintf(guess, sizeof(guess), "[%s]", nearest != NULL ? nearest : "");
	report_unknown(report, entry->line, what, nearest != NULL ? guess : NULL);
}

static void report_unknown_key(struct report *report, const struct toml_entry *entry)
{
	const char *nearest = schema_nearest_name(entry->table, entry->key);
	const struct schema_row *elsewhere = schema_find_elsewhere(entry->table, entry->key);
	bool top = *entry->table == '\0';
	char what[300], guess[300];

	snprintf(what, sizeof(what), "%.120s%s%.120s", entry->table, top ? "" : ".", entry->key);
	if (schema_has_table(what)) {
		report_add(report, entry->line, "%s is a table, not a key; write [%s]", what, what);
		return;
	}
	const char *quote = *entry->key == '"' ? "" : "\"";
	snprintf(what, sizeof(what), "key %s%.120s%s %s%s%s", quote, entry->key, quote,
		 top ? "outside of any table" : "in [", entry->table, top ? "" : "]");
	if (elsewhere != NULL)
		snprintf(guess, sizeof(guess), "\"%s\" in [%s]", entry->key, elsewhere->table);
	else
		snprintf(guess, sizeof(guess), "\"%s\"", nearest != NULL ? nearest : "");
	report_unknown(report, entry->line, what,
		       elsewhere != NULL || nearest != NULL ? guess : NULL);
}

static void take_key(struct loading *loading, const struct schema_row *row,
		     struct toml_entry *entry)
{
	size_t *line = &loading->settings->lines[row - SCHEMA];

	/* TOML knows nothing of aliases, under which a key can be set a second time. */
	if (*line != 0) {
		report_add(&loading->report, entry->line, "%s.%s is set already, on line %zu",
			   row->table, row->name, *line);
		return;
	}
	*line = entry->line;
	store_value(loading->settings, row, entry, &loading->report);
}

static void take_entry(void *context, struct toml_entry *entry)
{
	struct loading *loading = context;
	bool known = *entry->table == '\0' || schema_has_table(entry->table);

	if (entry->key == NULL) {
		if (!known)
			report_unknown_table(&loading->report, entry);
		if (strcmp(entry->table, "general") == 0)
			loading->general_line = entry->line;
		return;
	}
	const struct schema_row *row = schema_find(entry->table, entry->key);
	if (row != NULL)
		take_key(loading, row, entry);
	else if (known)
		report_unknown_key(&loading->report, entry);
	else if (entry->dotted)
		report_unknown_table(&loading->report, entry);
	/* Else the table's header is reported, and its keys need no more words. */
}

/* Fills in what the file does not set, or reports it where the file must. */
static void complete(struct loading *loading, enum toml_extent extent)
{
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		const struct schema_row *row = &SCHEMA[i];
		if (loading->settings->lines[i] != 0)
			continue;
		if (row->required && extent == TOML_WHOLE)
			report_add(&loading->report,
				   loading->general_line > 0 ? loading->general_line : 1,
				   "%s.%s is missing, which every file must set", row->table,
				   row->name);
		if (store_default(loading->settings, row) != 0)
			loading->report.out_of_memory = true;
	}
}

struct settings *settings_parse(const char *path, const char *text, size_t size, char **messages)
{
	struct loading loading = {.report = {.path = path}};

	*messages = NULL;
	loading.settings = calloc(1, sizeof(*loading.settings));
	if (loading.settings == NULL)
		return NULL;
	enum toml_extent extent = toml_read(text, size, &loading.report, take_entry, &loading);
	complete(&loading, extent);
	if (extent == TOML_WHOLE)
		rules_check(loading.settings, &loading.report);
	if (extent == TOML_WHOLE && report_is_clean(&loading.report))
		return loading.settings;

	*messages = report_text(&loading.report);
	report_clear(&loading.report);
	settings_free(loading.settings);
	return NULL;
}

/* What speaks against the file that `descriptor` is of; NULL where nothing does. */
static const char *file_fault(int descriptor, uid_t owner)
{
	struct stat status;

	if (fstat(descriptor, &status) != 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "not a regular file";
	if (status.st_uid != 0 && status.st_uid != owner)
		return "owned by another account; its owner must be root or the account that "
		       "runs this program; chown it";
	/* Where there is an ACL the group's bits are its mask: none of its entries gives more. */
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "writable by its group or by others; chmod go-w it";
	if (status.st_size > (off_t)FILE_MAX)
		return "larger than 1 MiB, which no configuration is";
	return NULL;
}

/* Reads to the end of the file. Returns 0, or -1 with errno; EFBIG where it has grown too large. */
static int read_all(int descriptor, char *text, size_t room, size_t *size)
{
	for (*size = 0; *size < room;) {
		ssize_t length = read(descriptor, text + *size, room - *size);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 ? -1 : 0;
		*size += (size_t)length;
	}
	errno = EFBIG;
	return -1;
}

static struct settings *load_descriptor(const char *path, int descriptor, uid_t owner,
					char **messages)
{
	const char *fault = file_fault(descriptor, owner);
	char *text = fault == NULL ? malloc(FILE_MAX + 1) : NULL;
	struct settings *settings = NULL;
	size_t size = 0;

	if (fault == NULL && text == NULL)
		return NULL;
	if (fault == NULL && read_all(descriptor, text, FILE_MAX + 1, &size) != 0)
		fault = strerror(errno);
	if (fault == NULL)
		settings = settings_parse(path, text, size, messages);
	else if (asprintf(messages, "%s: %s", path, fault) < 0)
		*messages = NULL;
	free(text);
	return settings;
}

struct settings *settings_load(const char *path, uid_t owner, char **messages)
{
	/*
	 * A symbolic link may be the path: what counts is whose file it leads to, which is asked
	 * of the file that is open. O_NONBLOCK, because else a FIFO would be waited for.
	 */
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*messages = NULL;
	if (descriptor < 0) {
		const char *advice = errno == EACCES ? "; the account that runs this program must "
						       "be able to read it, and to enter the "
						       "directories above it"
						     : "";
		if (asprintf(messages, "%s: cannot be opened: %s%s", path, strerror(errno),
			     advice) < 0)
			*messages = NULL;
		return NULL;
	}
	struct settings *settings = load_descriptor(path, descriptor, owner, messages);
	close(descriptor);
	return settings;
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	for (size_t i = 0; i < SCHEMA_ROWS; i++)
		store_release(settings, &SCHEMA[i]);
	free(settings);
}
