/*
 * The statements of a TOML file, one entry a [table] header and one a `key = value`, in the order
 * of the file.
 */
#ifndef JACAMAR_CONFIG_TOML_DOCUMENT_H
#define JACAMAR_CONFIG_TOML_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/toml_tree.h"
#include "config/toml_value.h"

/* Ten times what all our keys together need. */
#define TOML_ENTRIES_MAX 1000

struct toml_entry {
	size_t line;
	size_t section; /* the header it is or stands under, counted from 1; 0 is the top */
	bool dotted;	/* the key names a table too, as in `runas.sha256 = ".."` */
	char *table;	/* canonical path (toml_tree.h); "" is the top */
	char *key;	/* canonical name; NULL for a header */
	struct toml_value value;
};

struct toml_document {
	struct toml_entry *entries;
	size_t count;
	/*
	 * Some text could not be understood so far that its table and key are known: of a key
	 * that is not among the entries one cannot say that the file does not set it.
	 */
	bool lost;
};

/*
 * Reads `text`, which is toml_text_clean's. What breaks TOML's rules goes to the report. Returns
 * 0, or -1 where memory is short; the caller calls toml_document_free in both cases.
 */
int toml_document_read(struct toml_document *document, const char *text, struct report *report);

void toml_document_free(struct toml_document *document);

#endif
