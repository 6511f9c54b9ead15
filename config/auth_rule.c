#include "config/auth_rule.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/store.h"

/* The rows of RULE_SCHEMA before this one are the name and the action. */
#define FIRST_CONDITION 2

static bool has(const struct auth_rule *rule, const struct schema_row *row)
{
	return (rule->set >> (row - RULE_SCHEMA) & 1) != 0;
}

bool auth_rule_has(const struct auth_rule *rule, const char *key)
{
	for (size_t i = 0; i < RULE_SCHEMA_ROWS; i++)
		if (strcmp(RULE_SCHEMA[i].name, key) == 0)
			return has(rule, &RULE_SCHEMA[i]);
	return false;
}

void auth_rule_begin(struct settings *settings, const struct toml_entry *header,
		     struct report *report)
{
	struct auth_settings *auth = &settings->auth;
	if (!header->is_element)
		report_add(report, header->line,
			   "[auth.rule] is an array of tables; write [[auth.rule]]");
	struct auth_rule *rules =
		reallocarray(auth->rules, auth->rule_count + 1, sizeof(*auth->rules));
	if (rules == NULL) {
		report->out_of_memory = true;
		return;
	}
	if (auth->rule_count == RULES_MAX)
		report_add(report, header->line, "more than %d tables [[auth.rule]]", RULES_MAX);
	auth->rules = rules;
	rules[auth->rule_count++] = (struct auth_rule){.line = header->line};
}

void auth_rule_take(struct settings *settings, const struct schema_row *row,
		    const struct toml_entry *entry, struct report *report)
{
	struct auth_settings *auth = &settings->auth;
	if (auth->rule_count == 0) {
		report_add(report, entry->line, "auth.rule.%s needs a table [[auth.rule]]",
			   row->name);
		return;
	}
	struct auth_rule *rule = &auth->rules[auth->rule_count - 1];
	rule->set |= 1U << (row - RULE_SCHEMA);
	if (entry->value != NULL)
		store_value(rule, row, entry->value, entry->line, report);
	if (rule->name != NULL)
		snprintf(rule->key, sizeof(rule->key), RULE_TABLE ".%s", rule->name);
}

/* True if every project that `narrow` fits also fits `wide`. */
static bool glob_covers(const char *wide, const char *narrow)
{
	/* A star of `narrow` is compared like a letter, so only a star of `wide` matches it. */
	bool is_deep = strstr(narrow, "**") != NULL;
	return project_glob_matches(wide, narrow) && (!is_deep || strstr(wide, "**") != NULL);
}

static bool list_covers(const struct schema_row *row, const struct string_list *wide,
			const struct string_list *narrow)
{
	for (size_t i = 0; i < narrow->count; i++) {
		bool found = string_list_has(wide, narrow->items[i]);
		for (size_t j = 0; j < wide->count && row->check == check_project_glob; j++)
			found = found || glob_covers(wide->items[j], narrow->items[i]);
		if (!found)
			return false;
	}
	return true;
}

/* True if every job that meets this condition of `narrow` also meets that of `wide`. */
static bool condition_covers(const struct schema_row *row, const struct auth_rule *wide,
			     const struct auth_rule *narrow)
{
	const void *outer = (const char *)wide + row->offset;
	const void *inner = (const char *)narrow + row->offset;
	if (!has(wide, row))
		return true;
	if (!has(narrow, row))
		return false;
	if (row->type == SCHEMA_LIST)
		return list_covers(row, outer, inner);
	if (row->type == SCHEMA_BOOLEAN)
		return *(const bool *)outer == *(const bool *)inner;
	/* The lowest access level. */
	return *(const unsigned int *)outer <= *(const unsigned int *)inner;
}

static bool rule_covers(const struct auth_rule *wide, const struct auth_rule *narrow)
{
	for (size_t i = FIRST_CONDITION; i < RULE_SCHEMA_ROWS; i++)
		if (!condition_covers(&RULE_SCHEMA[i], wide, narrow))
			return false;
	return true;
}

static bool lists_meet(const struct string_list *one, const struct string_list *other)
{
	for (size_t i = 0; i < one->count; i++)
		if (string_list_has(other, one->items[i]))
			return true;
	return false;
}

static void check_form(const struct auth_settings *auth, const struct auth_rule *rule,
		       struct report *report)
{
	for (size_t i = 0; i < FIRST_CONDITION; i++)
		if (!has(rule, &RULE_SCHEMA[i]))
			report_add(report, rule->line,
				   "auth.rule.%s is missing; every rule must set it",
				   RULE_SCHEMA[i].name);
	for (const struct auth_rule *other = auth->rules; other < rule; other++)
		if (rule->name != NULL && strcmp(rule->key, other->key) == 0)
			report_add(report, rule->line,
				   "the rule on line %zu has the name %s, too; give each rule "
				   "another name",
				   other->line, rule->name);
	if (rule->users.count > 0 && rule->groups.count > 0)
		report_add(report, rule->line,
			   "auth.rule.users conflicts with auth.rule.groups; write a rule for "
			   "each");
}

static void check_reach(const struct auth_settings *auth, const struct auth_rule *rule,
			struct report *report)
{
	for (const struct auth_rule *before = auth->rules; before < rule; before++) {
		if (!rule_covers(before, rule))
			continue;
		report_add(report, rule->line,
			   "the rule %s can never match: the rule %s on line %zu matches all of "
			   "its jobs",
			   rule->name, before->name, before->line);
		return;
	}
	if (rule->fork && !auth->allow_fork_pipelines)
		report_add(report, rule->line,
			   "the rule %s can never match: without auth.allow_fork_pipelines, all "
			   "pipelines of forks are refused",
			   rule->name);
	else if (rule->pipeline_sources.count > 0 && auth->pipeline_source_allowlist.count > 0 &&
		 !lists_meet(&rule->pipeline_sources, &auth->pipeline_source_allowlist))
		report_add(report, rule->line,
			   "the rule %s can never match: auth.pipeline_source_allowlist has none "
			   "of its pipeline_sources",
			   rule->name);
}

void auth_rule_check_all(const struct settings *settings, struct report *report)
{
	const struct auth_settings *auth = &settings->auth;
	for (size_t i = 0; i < auth->rule_count; i++)
		check_form(auth, &auth->rules[i], report);
	if (auth->rule_count == 0 || !report_is_clean(report))
		return;
	for (size_t i = 0; i < auth->rule_count; i++)
		check_reach(auth, &auth->rules[i], report);
	/* So that the file says what happens to a job that no other rule matches. */
	const struct auth_rule *last = &auth->rules[auth->rule_count - 1];
	if (last->set >> FIRST_CONDITION != 0)
		report_add(report, last->line,
			   "the last rule, %s, must match all other jobs: add one after it that "
			   "has only name and action",
			   last->name);
}

void auth_rule_free_all(struct settings *settings)
{
	struct auth_settings *auth = &settings->auth;
	for (size_t i = 0; i < auth->rule_count; i++)
		for (size_t j = 0; j < RULE_SCHEMA_ROWS; j++)
			store_release(&auth->rules[i], &RULE_SCHEMA[j]);
	free(auth->rules);
}
