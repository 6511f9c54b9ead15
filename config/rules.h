/*
 * Rules about keys that need each other, or contradict each other.
 */
#ifndef JACAMAR_CONFIG_RULES_H
#define JACAMAR_CONFIG_RULES_H

#include <stdbool.h>

#include "config/report.h"
#include "config/schema.h"
#include "config/settings.h"

/*
 * Reports every combination of settings that can only be a mistake, at the line of one of its
 * keys. A line that has an error already gets no second one.
 */
void rules_check(const struct settings *settings, struct report *report);

/*
 * Why the key of `row` has no effect with these settings; NULL if it has one. It is not an error:
 * files that were written for Jacamar CI have such keys.
 */
const char *rules_idle(const struct settings *settings, const struct schema_row *row);

/* Sets what follows from other settings. The settings have been checked. */
void rules_complete(struct settings *settings);

#define RULES_NOTE_SIZE 192

/* Writes what an administrator should know about the value of the key of `row`; "" if nothing. */
void rules_note(const struct settings *settings, const struct schema_row *row,
		char note[RULES_NOTE_SIZE]);

/* True if the file sets the key, to something else than false or an empty list. */
bool rules_is_set(const struct settings *settings, const char *key);

/* True if jobs need a token, because a setting needs a proven identity. */
bool rules_need_token(const struct settings *settings);

#endif
