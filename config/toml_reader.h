/*
 * Reads a TOML file with inih, one statement at a time.
 *
 * inih alone misreads TOML: it takes an indented key for the rest of the value before it, and it
 * cuts lines, names, and text after a semicolon. This differs between its builds. So this adapter
 * joins the lines of a statement, and reads its value itself. inih gets one line for each header
 * and key, without a value, and returns each key with its section. A name that inih cannot carry is
 * replaced by a placeholder. What inih returns is compared with what it was given.
 */
#ifndef JACAMAR_CONFIG_TOML_READER_H
#define JACAMAR_CONFIG_TOML_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/report.h"

/* A header, [table] or [[table]], or a key with its value. */
struct toml_entry {
	size_t line;
	char *table;	 /* canonical path (toml_tree.h); "" is the top */
	char *key;	 /* canonical name; NULL for a header */
	bool is_element; /* of a header: [[table]] */
	bool dotted;	 /* the key names a table too, as in `runas.sha256 = ".."` */
	json_t *value;	 /* of a key: toml_text.h; NULL: it was refused and reported */
};

/* Called for each entry in the order of the file. The entry and its value are borrowed. */
typedef void toml_visitor(void *context, const struct toml_entry *entry);

enum toml_extent {
	TOML_WHOLE,  /* all keys of the file were visited */
	TOML_PARTLY, /* some may not have been; the report says why */
};

/*
 * Reads the `size` bytes at `text`, reports what TOML 1.0 forbids, and visits what is well-formed.
 * With `any` it accepts all values of TOML, otherwise only those that our own keys need. The file
 * was read correctly only if the report is clean.
 */
enum toml_extent toml_read(const char *text, size_t size, bool any, struct report *report,
			   toml_visitor *visit, void *context);

#endif
