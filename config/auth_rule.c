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

/* Whatever role a token has, or if it has none, the job is refused: see auth_rules.c. */
static bool denies_every_role(const struct schema_row *row, const struct auth_rule *rule)
{
	return row->choices == ACCESS_LEVELS && rule->action == RULE_DENY &&
	       rule->min_access_level == ACCESS_LEVELS[0].value;
}

/* True if every job that meets this condition of `narrow` also meets that of `wide`. */
static bool condition_covers(const struct schema_row *row, const struct auth_rule *wide,
			     const struct auth_rule *narrow)
{
	const void *outer = (const char *)wide + row->offset;
	const void *inner = (const char *)narrow + row->offset;
	if (!has(wide, row) || denies_every_role(row, wide))
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

/* The first rule before `rule` that matches all jobs of `part`, which is that rule or a part of it.
 */
static const struct auth_rule *find_cover(const struct auth_settings *auth,
					  const struct auth_rule *rule,
					  const struct auth_rule *part)
{
	for (const struct auth_rule *before = auth->rules; before < rule; before++)
		if (rule_covers(before, part))
			return before;
	return NULL;
}

/* True if for each item of the list another rule before `rule` matches all jobs with that item. */
static bool items_are_covered(const struct auth_settings *auth, const struct auth_rule *rule,
			      const struct schema_row *row)
{
	struct auth_rule part = *rule;
	struct string_list *list = (struct string_list *)((char *)&part + row->offset);
	const struct string_list all = *list;
	list->count = 1;
	for (size_t i = 0; i < all.count; i++) {
		list->items = &all.items[i];
		if (find_cover(auth, rule, &part) == NULL)
			return false;
	}
	return true;
}

/*
 * The same for both values of a condition that the rule does not set. A rule that denies also
 * refuses jobs whose token does not have the claim.
 */
static bool values_are_covered(const struct auth_settings *auth, const struct auth_rule *rule,
			       const struct schema_row *row)
{
	struct auth_rule part = *rule;
	bool denies = false;
	part.set |= 1U << (row - RULE_SCHEMA);
	for (int value = 0; value < 2; value++) {
		*(bool *)((char *)&part + row->offset) = value == 1;
		const struct auth_rule *cover = find_cover(auth, rule, &part);
		if (cover == NULL)
			return false;
		denies = denies || cover->action == RULE_DENY;
	}
	return denies;
}

/* The condition by whose parts several rules before this one match all of its jobs; or NULL. */
static const struct schema_row *find_covered_row(const struct auth_settings *auth,
						 const struct auth_rule *rule)
{
	for (const struct schema_row *row = RULE_SCHEMA; row < RULE_SCHEMA + RULE_SCHEMA_ROWS;
	     row++) {
		bool is_set = has(rule, row);
		if (row->type == SCHEMA_LIST && is_set && items_are_covered(auth, rule, row))
			return row;
		if (row->type == SCHEMA_BOOLEAN && !is_set && values_are_covered(auth, rule, row))
			return row;
	}
	return NULL;
}

static void check_reach(const struct auth_settings *auth, const struct auth_rule *rule,
			struct report *report)
{
	const struct auth_rule *before = find_cover(auth, rule, rule);
	/* The last rule, without conditions, is required. */
	const struct schema_row *row = before == NULL && rule->set >> FIRST_CONDITION != 0
					       ? find_covered_row(auth, rule)
					       : NULL;
	if (before != NULL)
		report_add(report, rule->line,
			   "the rule %s can never match: the rule %s on line %zu matches all of "
			   "its jobs",
			   rule->name, before->name, before->line);
	else if (row != NULL)
		report_add(report, rule->line,
			   "the rule %s can never match: the rules before it, each with another "
			   "auth.rule.%s, match all of its jobs",
			   rule->name, row->name);
	else if (rule->fork && !auth->allow_fork_pipelines)
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
