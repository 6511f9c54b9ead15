/*
 * TOML through inih.
 *
 * inih knows sections, names and values, and calls a handler for each; but it cuts lines, names
 * and comments in ways of its own that differ from build to build, and differ from TOML. So our
 * reader settles what the text means (toml_document.h) and gives inih only numbers to carry, in
 * lines that no build of it can misread:
 *
 *     [1]            the first header
 *     table=0        entry 0 is that header
 *     key=1          entry 1 is a key under it
 *
 * What comes back is compared with what was given. Any difference refuses the file.
 */
#ifndef JACAMAR_CONFIG_TOML_READER_H
#define JACAMAR_CONFIG_TOML_READER_H

#include <stddef.h>

#include "config/report.h"
#include "config/toml_document.h"

/* Called for each entry in the order of the file. It may take strings and arrays of the value
 * for its own by setting them to zero. */
typedef void toml_visitor(void *context, struct toml_entry *entry);

enum toml_extent {
	TOML_WHOLE,  /* all keys of the file were visited */
	TOML_PARTLY, /* some may not have been; the report says why */
};

/*
 * Reads the `size` bytes at `text`, reports all that TOML 1.0 or this file's needs forbid, and
 * visits what is well-formed. Only where the report is clean was the file read right.
 */
enum toml_extent toml_read(const char *text, size_t size, struct report *report,
			   toml_visitor *visit, void *context);

#endif
