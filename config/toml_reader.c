#include "config/toml_reader.h"

#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(INI_HANDLER_LINENO) && INI_HANDLER_LINENO
#error "inih must be built with its default handler, without a line number"
#endif

struct delivery {
	struct toml_document *document;
	size_t given; /* entries that inih got */
	bool opened;  /* entry `given` is a header, and inih got its section line */
	size_t taken; /* entries that came back */
	bool broken;
	toml_visitor *visit;
	void *context;
};

/* inih's reader, like fgets: the next line. */
static char *give_line(char *line, int room, void *stream)
{
	struct delivery *delivery = stream;
	int length;

	if (delivery->given == delivery->document->count || room <= 0)
		return NULL;
	const struct toml_entry *entry = &delivery->document->entries[delivery->given];
	if (entry->key == NULL && !delivery->opened) {
		delivery->opened = true;
		length = snprintf(line, (size_t)room, "[%zu]\n", entry->section);
	} else {
		length = snprintf(line, (size_t)room, "%s=%zu\n", entry->key ? "key" : "table",
				  delivery->given);
		delivery->opened = false;
		delivery->given++;
	}
	if (length < 0 || length >= room)
		return NULL;
	return line;
}

/* True where these are what was given to inih for the entry that is due. */
static bool is_due(const struct delivery *delivery, const char *section, const char *name,
		   const char *value)
{
	char due_section[32] = "", due_value[32];

	if (delivery->taken == delivery->document->count || name == NULL || value == NULL)
		return false;
	const struct toml_entry *entry = &delivery->document->entries[delivery->taken];
	if (entry->section > 0)
		snprintf(due_section, sizeof(due_section), "%zu", entry->section);
	snprintf(due_value, sizeof(due_value), "%zu", delivery->taken);
	return strcmp(section, due_section) == 0 && strcmp(value, due_value) == 0 &&
	       strcmp(name, entry->key != NULL ? "key" : "table") == 0;
}

/* inih's handler. Returns 0 where what comes is not what was given. */
static int take_entry(void *user, const char *section, const char *name, const char *value)
{
	struct delivery *delivery = user;

	if (name == NULL && value == NULL)
		return 1; /* some builds announce a section so */
	if (delivery->broken || !is_due(delivery, section, name, value)) {
		delivery->broken = true;
		return 0;
	}
	delivery->visit(delivery->context, &delivery->document->entries[delivery->taken++]);
	return 1;
}

enum toml_extent toml_read(const char *text, size_t size, struct report *report,
			   toml_visitor *visit, void *context)
{
	struct toml_document document = {0};
	struct delivery delivery = {.document = &document, .visit = visit, .context = context};
	enum toml_extent extent = TOML_PARTLY;
	char *clean = toml_text_clean(text, size, report);

	if (clean != NULL && toml_document_read(&document, clean, report) == 0) {
		int status = ini_parse_stream(give_line, &delivery, take_entry, &delivery);
		bool whole = status == 0 && !delivery.broken && delivery.taken == document.count;
		if (!whole)
			report_add(report, 1,
				   "the inih library handed on %zu of %zu entries (status %d); "
				   "nothing of the file is used",
				   delivery.taken, document.count, status);
		else if (!document.lost)
			extent = TOML_WHOLE;
	}
	toml_document_free(&document);
	free(clean);
	return extent;
}
