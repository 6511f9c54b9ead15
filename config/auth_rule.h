/*
 * The tables [[auth.rule]] while a file is read: which jobs run, by the claims of their id tokens.
 */
#ifndef JACAMAR_CONFIG_AUTH_RULE_H
#define JACAMAR_CONFIG_AUTH_RULE_H

#include <stdbool.h>

#include "config/report.h"
#include "config/schema.h"
#include "config/settings.h"
#include "config/toml_reader.h"

/* True if the rule sets this key. */
bool auth_rule_has(const struct auth_rule *rule, const char *key);

/* Begins a rule, at its header. */
void auth_rule_begin(struct settings *settings, const struct toml_entry *header,
		     struct report *report);

/* Stores a key of the last rule that has begun. */
void auth_rule_take(struct settings *settings, const struct schema_row *row,
		    const struct toml_entry *entry, struct report *report);

/*
 * Reports a rule without a name or an action, and rules that can never match. The latter are not
 * reported if the file has other errors.
 */
void auth_rule_check_all(const struct settings *settings, struct report *report);

void auth_rule_free_all(struct settings *settings);

#endif
