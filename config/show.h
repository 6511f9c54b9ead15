/*
 * The effective settings as text, and where each comes from.
 */
#ifndef JACAMAR_CONFIG_SHOW_H
#define JACAMAR_CONFIG_SHOW_H

#include "config/settings.h"

/*
 * All settings, in the order of the schema, as a file that gives the same settings when it is read.
 * A comment after each names the line that sets it, or says that it is the default; keys without a
 * value are comments. The text is ASCII; other characters are escaped. The caller frees it; NULL
 * if memory is short.
 */
char *show_settings(const struct settings *settings);

#endif
