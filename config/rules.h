/*
 * Rules about keys that need one another, or do not go together.
 */
#ifndef JACAMAR_CONFIG_RULES_H
#define JACAMAR_CONFIG_RULES_H

#include "config/report.h"
#include "config/schema.h"
#include "config/settings.h"

/*
 * Reports every combination of settings that can only be a mistake, at the line of one of its
 * keys. A line that has an error already gets no other: that one is to be mended first.
 */
void rules_check(const struct settings *settings, struct report *report);

/*
 * Why what the key of `row` says is without effect beside the other settings; NULL where it has
 * one. Files of other programs and earlier days hold such keys, so it is no mistake.
 */
const char *rules_idle(const struct settings *settings, const struct schema_row *row);

/* True where a rule of the settings can only be applied to a proven identity. */
bool rules_need_token(const struct settings *settings);

#endif
