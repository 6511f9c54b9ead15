/*
 * The settings as text: what holds, and where it comes from.
 */
#ifndef JACAMAR_CONFIG_SHOW_H
#define JACAMAR_CONFIG_SHOW_H

#include "config/settings.h"

/*
 * All settings, in the order of the schema, as a file that would be read as the same settings.
 * Behind each stands, as a comment, the line that sets it, or that it is the default; what has no
 * value is a comment as a whole. It is ASCII: any other character stands escaped. The caller frees
 * it; NULL where memory is short.
 */
char *show_settings(const struct settings *settings);

#endif
