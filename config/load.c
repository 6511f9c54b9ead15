#include "config/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/auth_rule.h"
#include "config/report.h"
#include "config/rules.h"
#include "config/schema.h"
#include "config/store.h"
#include "config/toml_reader.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

#define FILE_MAX ((size_t)1 << 20)

struct loading {
	struct settings *settings;
	struct report report;
	size_t general_line; /* of the header [general] */
};

/* Ends a message about an unknown name. */
#define SEE_MANUAL  "; jacamar-config.toml(5) lists all"
#define SEE_MIGRATE "; Jacamar CI has it: see %s under SETTINGS THAT DIFFER in jacamar-migrate(7)"

/* What Jacamar CI has and this program refuses; jacamar-migrate(7) has an entry for each name. */
static const struct {
	const char *table;
	const char *key; /* NULL: the table itself */
} OF_JACAMAR_CI[] = {
	{"general", "run_mechanism"},
	{"general", "podman"},
	{"general.podman", NULL},
	{"auth", "run_mechanism"},
	{"auth", "broker"},
	{"auth.broker", NULL},
	{"auth.runas", "validation_plugin"},
	{"auth.seccomp", "validation_plugin"},
};

/* The name under which jacamar-migrate(7) has a key, or (NULL) a table; NULL if it has none. */
static const char *name_in_jacamar_ci(const char *table, const char *key)
{
	for (size_t i = 0; i < sizeof(OF_JACAMAR_CI) / sizeof(OF_JACAMAR_CI[0]); i++) {
		const char *known = OF_JACAMAR_CI[i].key;
		if (strcmp(OF_JACAMAR_CI[i].table, table) != 0 ||
		    (known == NULL) != (key == NULL) || (key != NULL && strcmp(known, key) != 0))
			continue;
		return known != NULL ? known : strrchr(OF_JACAMAR_CI[i].table, '.') + 1;
	}
	return NULL;
}

static void report_unknown_table(struct report *report, const struct toml_entry *entry)
{
	const char *nearest = schema_nearest_table(entry->table);
	const char *foreign = name_in_jacamar_ci(entry->table, NULL);
	bool is_rule = nearest != NULL && strcmp(nearest, RULE_TABLE) == 0;

	if (foreign != NULL)
		report_add(report, entry->line, "unknown table [%.120s]" SEE_MIGRATE, entry->table,
			   foreign);
	else if (nearest != NULL)
		report_add(report, entry->line, "unknown table [%.120s]; did you mean %s[%s]%s?",
			   entry->table, is_rule ? "[" : "", nearest, is_rule ? "]" : "");
	else
		report_add(report, entry->line, "unknown table [%.120s]" SEE_MANUAL, entry->table);
}

static void report_unknown_key(struct report *report, const struct toml_entry *entry)
{
	const char *nearest = schema_nearest_name(entry->table, entry->key);
	const char *foreign = name_in_jacamar_ci(entry->table, entry->key);
	const struct schema_row *elsewhere = schema_find_elsewhere(entry->table, entry->key);
	bool top = *entry->table == '\0';
	const char *quote = *entry->key == '"' ? "" : "\"";
	char what[300];

	snprintf(what, sizeof(what), "%.120s%s%.120s", entry->table, top ? "" : ".", entry->key);
	if (schema_has_table(what)) {
		report_add(report, entry->line, "%s is a table, not a key; write [%s]", what, what);
		return;
	}
	snprintf(what, sizeof(what), "unknown key %s%.120s%s %s%s%s", quote, entry->key, quote,
		 top ? "outside of any table" : "in [", entry->table, top ? "" : "]");
	if (foreign != NULL)
		report_add(report, entry->line, "%s" SEE_MIGRATE, what, foreign);
	else if (elsewhere != NULL)
		report_add(report, entry->line, "%s; did you mean \"%s\" in [%s]?", what,
			   entry->key, elsewhere->table);
	else if (nearest != NULL)
		report_add(report, entry->line, "%s; did you mean \"%s\"?", what, nearest);
	else
		report_add(report, entry->line, "%s" SEE_MANUAL, what);
}

static void take_key(struct loading *loading, const struct schema_row *row,
		     const struct toml_entry *entry)
{
	size_t *line = &loading->settings->lines[row - SCHEMA];

	/* The key and its alias are both set: for TOML these are two keys. */
	if (*line != 0) {
		report_add(&loading->report, entry->line, "%s.%s is set already, on line %zu",
			   row->table, row->name, *line);
		return;
	}
	*line = entry->line;
	if (entry->value != NULL)
		store_value(loading->settings, row, entry->value, entry->line, &loading->report);
}

static void take_entry(void *context, const struct toml_entry *entry)
{
	struct loading *loading = context;
	bool is_rule = strcmp(entry->table, RULE_TABLE) == 0;
	bool known = *entry->table == '\0' || schema_has_table(entry->table);

	if (entry->key == NULL) {
		if (!known)
			report_unknown_table(&loading->report, entry);
		else if (is_rule)
			auth_rule_begin(loading->settings, entry, &loading->report);
		else if (entry->is_element)
			report_add(&loading->report, entry->line,
				   "[%s] is not an array of tables; write [%s]", entry->table,
				   entry->table);
		if (strcmp(entry->table, "general") == 0)
			loading->general_line = entry->line;
		return;
	}
	const struct schema_row *row = schema_find(entry->table, entry->key);
	if (row != NULL && is_rule)
		auth_rule_take(loading->settings, row, entry, &loading->report);
	else if (row != NULL)
		take_key(loading, row, entry);
	else if (known)
		report_unknown_key(&loading->report, entry);
	else if (entry->dotted)
		report_unknown_table(&loading->report, entry);
	/* Otherwise the table's header has been reported, which is enough. */
}

/* Sets the defaults of keys that the file does not set; reports those that it must set. */
static void complete(struct loading *loading, enum toml_extent extent)
{
	for (size_t i = 0; i < SCHEMA_ROWS; i++) {
		const struct schema_row *row = &SCHEMA[i];
		if (loading->settings->lines[i] != 0)
			continue;
		if (row->required && extent == TOML_WHOLE)
			report_add(&loading->report,
				   loading->general_line > 0 ? loading->general_line : 1,
				   "%s.%s is missing; every file must set it", row->table,
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
	enum toml_extent extent =
		toml_read(text, size, false, &loading.report, take_entry, &loading);
	complete(&loading, extent);
	if (extent == TOML_WHOLE) {
		rules_check(loading.settings, &loading.report);
		auth_rule_check_all(loading.settings, &loading.report);
	}
	if (extent == TOML_WHOLE && report_is_clean(&loading.report)) {
		rules_complete(loading.settings);
		return loading.settings;
	}

	*messages = report_text(&loading.report);
	report_clear(&loading.report);
	settings_free(loading.settings);
	return NULL;
}

/* Why the file that is open as `descriptor` cannot be used; NULL if it can. */
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
	/* If the file has an ACL, the group's bits are its mask, which limits all its entries. */
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "writable by its group or by others; chmod go-w it";
	if (status.st_size > (off_t)FILE_MAX)
		return "larger than 1 MiB, the limit for this file";
	return NULL;
}

struct settings *settings_load(const char *path, uid_t owner, char **messages)
{
	/*
	 * The path may be a symbolic link: the checks are made on the open file, to which it leads.
	 * With O_NONBLOCK, open(2) does not wait for a FIFO.
	 */
	cleanup_close int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int why = errno;
	/* Programs print the messages on terminals. */
	cleanup_free char *name = strdup(path);

	*messages = NULL;
	if (name == NULL)
		return NULL;
	text_make_printable(name);
	if (descriptor < 0) {
		const char *advice = why == EACCES ? "; the account that runs this program must "
						     "be able to read it, and to enter the "
						     "directories above it"
						   : "";
		*messages = text_format("%s: cannot be opened: %s%s", name, strerror(why), advice);
		return NULL;
	}
	size_t size = 0;
	const char *fault = file_fault(descriptor, owner);
	cleanup_free char *text =
		fault == NULL ? io_read_to_end(descriptor, FILE_MAX, &size) : NULL;
	if (text != NULL)
		return settings_parse(name, text, size, messages);
	*messages = text_format("%s: %s", name, fault != NULL ? fault : strerror(errno));
	return NULL;
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	for (size_t i = 0; i < SCHEMA_ROWS; i++)
		store_release(settings, &SCHEMA[i]);
	auth_rule_free_all(settings);
	free(settings);
}
