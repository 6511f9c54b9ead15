/*
 * Rules about keys that need one another, or do not go together.
 */
#ifndef JACAMAR_CONFIG_RULES_H
#define JACAMAR_CONFIG_RULES_H

#include "config/report.h"
#include "config/settings.h"

/*
 * Reports every combination of settings that can only be a mistake, at the line of one of its
 * keys. A line that has an error already gets no other: that one is to be mended first.
 */
void rules_check(const struct settings *settings, struct report *report);

#endif
