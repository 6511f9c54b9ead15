/*
 * Splits the arguments that the author of a job wrote into words.
 */
#ifndef JACAMAR_CORE_LIB_ARGV_H
#define JACAMAR_CORE_LIB_ARGV_H

#include "core/lib/string_list.h"

/*
 * Adds the words of `text`. They are split as by a POSIX shell, but nothing is expanded:
 *   - spaces, tabs and newlines separate words;
 *   - '...' keeps everything;
 *   - "..." keeps everything except a backslash before one of $ ` " \ or a newline;
 *   - outside of quotes, a backslash keeps the byte after it.
 * All other bytes, such as $ * ~ ; # (, have no special meaning. Returns NULL, or what is wrong
 * with the text.
 */
const char *argv_split(struct string_list *words, const char *text);

#endif
