#include "core/policy/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/auth_rule.h"
#include "config/check.h"
#include "config/schema.h"

enum answer {
	NO,
	YES,
	UNKNOWN, /* the token does not have the claim */
};

/* A pipeline of a fork belongs to the project that it runs in. */
static enum answer is_of_project(const struct auth_rule *rule, const struct claims *claims)
{
	const char *path = claims_job_project_path(claims);
	if (path[0] == '\0')
		return UNKNOWN;
	for (size_t i = 0; i < rule->projects.count; i++)
		if (project_glob_matches(rule->projects.items[i], path))
			return YES;
	return NO;
}

static enum answer is_protected(const struct auth_rule *rule, const struct claims *claims)
{
	bool is_true = strcmp(claims->ref_protected, "true") == 0;
	if (!is_true && strcmp(claims->ref_protected, "false") != 0)
		return UNKNOWN;
	/* The owner of a fork can protect refs there. */
	if (is_true && !claims_ref_is_protected(claims))
		return UNKNOWN;
	return rule->ref_protected == is_true ? YES : NO;
}

/*
 * A level that this program does not know is neither high nor low. The token of a fork has the role
 * in the fork, whose owner gives it.
 */
static enum answer has_access_level(const struct auth_rule *rule, const struct claims *claims)
{
	const struct schema_choice *level = ACCESS_LEVELS;
	if (claims_are_of_fork(claims))
		return UNKNOWN;
	while (level->name != NULL && strcmp(level->name, claims->user_access_level) != 0)
		level++;
	if (level->name == NULL)
		return UNKNOWN;
	return level->value >= rule->min_access_level ? YES : NO;
}

static enum answer is_on_runner(const struct auth_rule *rule, const struct claims *claims)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%" PRIu64, claims->runner_id);
	if (claims->runner_id == 0)
		return UNKNOWN;
	return string_list_has(&rule->runner_ids, digits) ? YES : NO;
}

static enum answer is_from_source(const struct auth_rule *rule, const struct claims *claims)
{
	if (claims->pipeline_source[0] == '\0')
		return UNKNOWN;
	return string_list_has(&rule->pipeline_sources, claims->pipeline_source) ? YES : NO;
}

/* Without job_project_* the token of a fork looks like any other. */
static enum answer is_fork(const struct auth_rule *rule, const struct claims *claims)
{
	if (claims->job_project_path[0] == '\0' || claims->project_path[0] == '\0')
		return UNKNOWN;
	return rule->fork == claims_are_of_fork(claims) ? YES : NO;
}

/* Users decide whether their tokens have any identities. */
static enum answer has_identity(const struct auth_rule *rule, const struct claims *claims)
{
	const struct claims_identity *identities = claims->identities;
	if (identities[0].provider[0] == '\0')
		return UNKNOWN;
	for (size_t i = 0; i < CLAIMS_MOST_IDENTITIES && identities[i].provider[0] != '\0'; i++)
		if (string_list_has(&rule->identity_providers, identities[i].provider))
			return YES;
	return NO;
}

static const struct {
	const char *key;
	const char *claim;
	enum answer (*matches)(const struct auth_rule *rule, const struct claims *claims);
} CONDITIONS[] = {
	{"projects", "project_path", is_of_project},
	{"ref_protected", "ref_protected", is_protected},
	{"min_access_level", "user_access_level", has_access_level},
	{"runner_ids", "runner_id", is_on_runner},
	{"pipeline_sources", "pipeline_source", is_from_source},
	{"fork", "job_project_path", is_fork},
	{"identity_providers", "user_identities", has_identity},
};

/* YES if the claims meet all conditions. If UNKNOWN, *missing is a claim that a condition needs. */
static enum answer match_claims(const struct auth_rule *rule, const struct claims *claims,
				const char **missing)
{
	enum answer answer = YES;
	for (size_t i = 0; i < sizeof(CONDITIONS) / sizeof(CONDITIONS[0]); i++) {
		bool is_set = auth_rule_has(rule, CONDITIONS[i].key);
		enum answer one = is_set ? CONDITIONS[i].matches(rule, claims) : YES;
		if (one == NO)
			return NO;
		if (one == YES || answer == UNKNOWN)
			continue;
		answer = UNKNOWN;
		*missing = CONDITIONS[i].claim;
	}
	return answer;
}

/*
 * Sets *found to true if the rule is for this person. People can change the case of their login. So
 * if a rule denies somebody by name, there must be an account of exactly that name.
 */
static int match_person(struct applicant *applicant, const struct auth_rule *rule, bool *found,
			struct error *err)
{
	bool denies = rule->action == RULE_DENY;
	const char *group = NULL;
	*found = true;
	if (rule->users.count == 0 && rule->groups.count == 0)
		return 0;
	if ((denies || rule->groups.count > 0) && policy_find_person(applicant, err) != 0)
		return -1;
	if (policy_find_group(applicant, &rule->groups, rule->key, denies, &group, err) != 0)
		return -1;
	*found = group != NULL || string_list_has(&rule->users, applicant->name);
	return 0;
}

/*
 * `missing`: a claim that this rule needs; `skipped`: one that an earlier rule needed; NULL: none.
 */
static int decide(struct applicant *applicant, const struct auth_rule *rule, const char *missing,
		  const char *skipped, struct error *err)
{
	if (rule->action == RULE_ALLOW) {
		snprintf(applicant->admitted, POLICY_TEXT_SIZE, "the rule %s allows the job",
			 rule->name);
		applicant->admitted_by = rule->key;
		return 0;
	}
	if (missing != NULL)
		return error_set_key(err, rule->key, ERROR_DENIED,
				     "the id token has no valid %s, so it is not known whether "
				     "the rule %s denies the job",
				     missing, rule->name);
	return error_set_key(err, rule->key, ERROR_DENIED, "the rule %s denies the job%s%s%s",
			     rule->name, skipped != NULL ? "; a rule before it needs a valid " : "",
			     skipped != NULL ? skipped : "",
			     skipped != NULL ? ", which the id token does not have" : "");
}

int policy_check_auth_rules(struct applicant *applicant, struct error *err)
{
	const struct auth_settings *settings = applicant->settings;
	const char *skipped = NULL;
	for (size_t i = 0; i < settings->rule_count; i++) {
		const struct auth_rule *rule = &settings->rules[i];
		const char *missing = NULL;
		bool found;
		enum answer answer = match_claims(rule, applicant->claims, &missing);
		bool is_skipped = answer == UNKNOWN && rule->action == RULE_ALLOW;
		if (is_skipped)
			skipped = missing;
		if (is_skipped || answer == NO)
			continue;
		applicant->auth_rule = rule;
		if (match_person(applicant, rule, &found, err) != 0)
			return -1;
		if (found)
			return decide(applicant, rule, missing, skipped, err);
	}
	applicant->auth_rule = NULL;
	/* The check of the configuration ensures that the last rule matches every job. */
	if (settings->rule_count > 0)
		return error_set(err, ERROR_DENIED, "no rule allows the job");
	snprintf(applicant->admitted, POLICY_TEXT_SIZE, "no rule is set");
	return 0;
}
