/*
 * [[auth.rule]]: how the rules of a file are read, and which of them decides about a job.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/schema.h"
#include "config/settings.h"
#include "core/policy/policy.h"
#include "t/unit/suites.h"

static const struct {
	const char *glob, *path;
	bool matches;
} GLOBS[] = {
	{"group/project", "group/project", true},
	{"group/project", "GROUP/Project", true},
	{"Group/PROJECT", "group/project", true},
	{"group/project", "group/project2", false},
	{"group/project", "group/projec", false},
	{"group/project", "group/project/sub", false},
	{"group/project", "other/group/project", false},
	{"group/*", "group/a", true},
	{"group/*", "group/a/b", false},
	{"group/*", "group2/a", false},
	{"group/*", "group", false},
	{"group/**", "group/a", true},
	{"group/**", "group/a/b/c", true},
	{"group/**", "group2/a", false},
	{"group/**", "group", false},
	{"group/**", "other/group/a", false},
	{"group*/x", "group/x", true},
	{"group*/x", "group-2/x", true},
	{"group*/x", "group/a/x", false},
	{"*/x", "a/x", true},
	{"*/x", "a/b/x", false},
	{"*/*", "a/b", true},
	{"*/*", "a/b/c", false},
	{"*/**", "a/b/c", true},
	{"a/*b*/c", "a/xbybz/c", true},
	{"a/*b*/c", "a/xyz/c", false},
	{"a/*-ci", "a/ci-ci-ci", true},
	{"a/*-ci", "a/ci-ci-cix", false},
	{"a/*aab", "a/aaaab", true},
	{"a*/b*/**", "ax/by/z", true},
	{"a*/b*/**", "ax/cy/z", false},
	{"a.b/c", "axb/c", false},
	{"a/b", "a/\nb", false},
	{"a/*", "", false},
	{"a/**", "", false},
};

START_TEST(a_glob_fits_a_path)
{
	ck_assert_msg(project_glob_matches(GLOBS[_i].glob, GLOBS[_i].path) == GLOBS[_i].matches,
		      "%s, %s", GLOBS[_i].glob, GLOBS[_i].path);
	ck_assert_ptr_null(check_project_glob(GLOBS[_i].glob));
}
END_TEST

START_TEST(a_glob_that_fits_nothing_or_is_not_understood_is_refused)
{
	static const char *const globs[] = {
		"",	      "group", "*",	  "**",	     "/a/b",  "a/b/",	"a//b",
		"a/../b",     "a/./b", "../a",	  "a/b**",   "a/**b", "a/**/b", "**/a",
		"a/***",      "a/b?",  "a/[b]",	  "a/{b,c}", "a/b c", "a/b\n",	"a/b\\*",
		"a/\xc3\xa9", "!a/b",  "a/b,c/d", "a/~b",    "**/**",
	};
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
		ck_assert_msg(check_project_glob(globs[i]) != NULL, "%s", globs[i]);
}
END_TEST

START_TEST(a_long_path_is_compared_in_a_short_time)
{
	char path[JOB_PATH_SIZE];
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	path[1] = '/';
	ck_assert(!project_glob_matches("*/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab", path));
}
END_TEST

#define HEAD	"[general]\nexecutor = 'shell'\ndata_dir = '$HOME'\n[auth]\ndownscope = 'setuid'\n"
#define RULE	"[[auth.rule]]\n"
#define ALLOW	"action = 'allow'\n"
#define DENY	"action = 'deny'\n"
#define REST	RULE "name = 'rest'\n" ALLOW
#define MISSING "; every rule must set it"
#define NEVER	"can never match: "

/* Line 6 is the first one after HEAD. */
static const struct {
	const char *text;
	const char *message;
} FAULTS[] = {
	{RULE ALLOW, "f:6: auth.rule.name is missing" MISSING},
	{RULE "name = 'a'\n", "f:6: auth.rule.action is missing" MISSING},
	{RULE "name = 'a'\naction = 'permit'\n",
	 "f:8: auth.rule.action must be \"allow\" or \"deny\", not \"permit\""},
	{RULE "name = 'a b'\n" ALLOW,
	 "f:7: auth.rule.name must be made of [A-Za-z0-9_.-], at most 32 characters, not \"a b\""},
	{RULE "name = '123456789012345678901234567890123'\n" ALLOW,
	 "f:7: auth.rule.name must be made of [A-Za-z0-9_.-], at most 32 characters, not "
	 "\"123456789012345678901234567890123\""},
	{RULE "name = 'a'\n" DENY "fork = false\n" RULE "name = 'a'\n" ALLOW,
	 "f:10: the rule on line 6 has the name a, too; give each rule another name"},
	{RULE "name = 'a'\n" DENY "users = ['x']\ngroups = ['y']\n" REST,
	 "f:6: auth.rule.users conflicts with auth.rule.groups; write a rule for each"},
	{RULE "name = 'a'\n" DENY "projects = []\n" REST,
	 "f:9: auth.rule.projects must hold a string at least, not empty"},
	{RULE "name = 'a'\n" DENY "groups = []\n" REST,
	 "f:9: auth.rule.groups must hold a string at least, not empty"},
	{RULE "name = 'a'\n" DENY "projects = ['group']\n" REST,
	 "f:9: an item of auth.rule.projects must be the path of a project, such as "
	 "\"group/project\", \"group/*\" or \"group/**\", not \"group\""},
	{RULE "name = 'a'\n" DENY "runner_ids = ['012']\n" REST,
	 "f:9: an item of auth.rule.runner_ids must be a number, such as \"12\", not \"012\""},
	{RULE "name = 'a'\n" DENY "fork = 'no'\n" REST,
	 "f:9: auth.rule.fork must be true or false, not a string"},
	{RULE "name = 'a'\n" DENY "min_access_level = 'admin'\n" REST,
	 "f:9: auth.rule.min_access_level must be \"guest\" or \"planner\" or \"reporter\" or "
	 "\"developer\" or \"maintainer\" or \"owner\", not \"admin\""},
	{RULE "name = 'a'\n" DENY "user = ['x']\n" REST,
	 "f:9: unknown key \"user\" in [auth.rule]; did you mean \"users\"?"},
	{"[auth.rule]\nname = 'a'\n" ALLOW,
	 "f:6: [auth.rule] is an array of tables; write [[auth.rule]]"},
	{"rule.name = 'a'\n", "f:6: auth.rule.name needs a table [[auth.rule]]"},
	{"[[auth.rules]]\nname = 'a'\n",
	 "f:6: unknown table [auth.rules]; did you mean [[auth.rule]]?"},
	{"[[batch]]\n", "f:6: [batch] is not an array of tables; write [batch]"},

	/* the last one */
	{RULE "name = 'a'\n" ALLOW "fork = false\n",
	 "f:6: the last rule, a, must match all other jobs: add one after it that has only name "
	 "and action"},

	/* rules that can never match */
	{REST RULE "name = 'a'\n" DENY,
	 "f:9: the rule a " NEVER "the rule rest on line 6 matches all of its jobs"},
	{REST RULE "name = 'a'\n" DENY "fork = false\n" RULE "name = 'b'\n" DENY,
	 "f:9: the rule a " NEVER "the rule rest on line 6 matches all of its jobs\n"
	 "f:13: the rule b " NEVER "the rule rest on line 6 matches all of its jobs"},
	{RULE "name = 'a'\n" DENY "projects = ['g/**', 'h/x']\n" RULE "name = 'b'\n" ALLOW
	      "projects = ['G/x', 'h/X', 'g/*', 'g/s/**']\nusers = ['kim']\n" REST,
	 "f:10: the rule b " NEVER "the rule a on line 6 matches all of its jobs"},
	{RULE "name = 'a'\n" DENY "min_access_level = 'reporter'\n" RULE "name = 'b'\n" ALLOW
	      "min_access_level = 'owner'\n" REST,
	 "f:10: the rule b " NEVER "the rule a on line 6 matches all of its jobs"},
	{RULE "name = 'a'\n" DENY "ref_protected = true\n" RULE "name = 'b'\n" ALLOW
	      "ref_protected = true\nrunner_ids = ['1']\n" REST,
	 "f:10: the rule b " NEVER "the rule a on line 6 matches all of its jobs"},
	{RULE "name = 'a'\n" DENY "min_access_level = 'guest'\n" REST,
	 "f:10: the rule rest " NEVER "the rule a on line 6 matches all of its jobs"},
	{RULE "name = 'a'\n" DENY "projects = ['g/**']\n" RULE "name = 'b'\n" ALLOW
	      "projects = ['h/*']\n" RULE "name = 'c'\n" ALLOW
	      "projects = ['h/x', 'g/s/**']\nusers = ['kim']\n" REST,
	 "f:14: the rule c " NEVER "the rules before it, each with another auth.rule.projects, "
	 "match all of its jobs"},
	{RULE "name = 'a'\n" ALLOW "users = ['kim']\n" RULE "name = 'b'\n" DENY
	      "users = ['lee']\n" RULE "name = 'c'\n" DENY "users = ['lee', 'kim']\n" REST,
	 "f:14: the rule c " NEVER "the rules before it, each with another auth.rule.users, "
	 "match all of its jobs"},
	{RULE "name = 'a'\n" DENY "projects = ['g/**']\nref_protected = false\n" RULE
	      "name = 'b'\n" ALLOW "projects = ['g/x']\nref_protected = true\n" RULE
	      "name = 'c'\n" ALLOW "projects = ['g/x']\nmin_access_level = 'owner'\n" REST,
	 "f:16: the rule c " NEVER "the rules before it, each with another "
	 "auth.rule.ref_protected, match all of its jobs"},
	{RULE "name = 'a'\n" DENY "fork = true\n" REST,
	 "f:6: the rule a " NEVER "without auth.allow_fork_pipelines, all pipelines of forks are "
	 "refused"},
	{"pipeline_source_allowlist = ['push']\n" RULE "name = 'a'\n" DENY
	 "pipeline_sources = ['web', 'api']\n" REST,
	 "f:7: the rule a " NEVER "auth.pipeline_source_allowlist has none of its "
	 "pipeline_sources"},
};

START_TEST(a_fault_is_reported)
{
	char text[2048];
	char *messages = NULL;
	snprintf(text, sizeof(text), HEAD "%s", FAULTS[_i].text);
	ck_assert_ptr_null(settings_parse("f", text, strlen(text), &messages));
	ck_assert_str_eq(messages, FAULTS[_i].message);
	free(messages);
}
END_TEST

static struct settings *parse(const char *rules)
{
	char text[8192];
	char *messages = NULL;
	snprintf(text, sizeof(text), HEAD "%s", rules);
	struct settings *settings = settings_parse("f", text, strlen(text), &messages);
	ck_assert_msg(settings != NULL, "%s\n%s", text, messages);
	return settings;
}

START_TEST(a_rule_that_matches_other_jobs_is_no_fault)
{
	static const char *const files[] = {
		RULE "name = 'a'\n" DENY "projects = ['g/*']\n" RULE "name = 'b'\n" ALLOW
		     "projects = ['g/**']\n" REST,
		RULE "name = 'a'\n" DENY "projects = ['g/*-x']\n" RULE "name = 'b'\n" ALLOW
		     "projects = ['g/*']\n" REST,
		RULE "name = 'a'\n" DENY "users = ['kim']\n" RULE "name = 'b'\n" ALLOW
		     "users = ['Kim']\n" REST,
		RULE "name = 'a'\n" DENY "users = ['kim']\n" RULE "name = 'b'\n" ALLOW
		     "users = ['kim', 'lee']\n" REST,
		RULE "name = 'a'\n" DENY "ref_protected = true\n" RULE "name = 'b'\n" ALLOW
		     "ref_protected = false\n" REST,
		RULE "name = 'a'\n" DENY "min_access_level = 'owner'\n" RULE "name = 'b'\n" ALLOW
		     "min_access_level = 'guest'\n" REST,
		RULE "name = 'a'\n" DENY "fork = false\nref_protected = true\n" RULE
		     "name = 'b'\n" ALLOW "fork = false\n" REST,
		/* A token may lack the claim, or have a role that is not known. */
		RULE "name = 'a'\n" ALLOW "projects = ['g/x']\nref_protected = false\n" RULE
		     "name = 'b'\n" ALLOW "projects = ['g/x']\nref_protected = true\n" RULE
		     "name = 'c'\n" DENY "projects = ['g/x']\n" REST,
		RULE "name = 'a'\n" ALLOW "min_access_level = 'guest'\n" REST,
		/* The last rule is required. */
		RULE "name = 'a'\n" DENY "ref_protected = false\n" RULE "name = 'b'\n" ALLOW
		     "ref_protected = true\n" REST,
		/* Each has another condition, besides. */
		RULE "name = 'a'\n" DENY "users = ['kim']\nrunner_ids = ['1']\n" RULE
		     "name = 'b'\n" DENY "users = ['lee']\n" RULE "name = 'c'\n" ALLOW
		     "users = ['kim', 'lee']\n" REST,
		"allow_fork_pipelines = true\npipeline_source_allowlist = ['web', 'push']\n" RULE
		"name = 'a'\n" DENY "fork = true\npipeline_sources = ['api', 'web']\n" REST,
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		settings_free(parse(files[i]));
}
END_TEST

/* The messages of a file with `count` rules; NULL if it is accepted. */
static char *messages_of_rules(int count)
{
	char *text = NULL;
	char *messages = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	fputs(HEAD, out);
	for (int i = 1; i < count; i++)
		fprintf(out, RULE "name = 'r%d'\n" DENY "users = ['u%d']\n", i, i);
	fputs(REST, out);
	fclose(out);
	struct settings *settings = settings_parse("f", text, size, &messages);
	if (settings != NULL)
		ck_assert_uint_eq(settings->auth.rule_count, (size_t)count);
	settings_free(settings);
	free(text);
	return messages;
}

START_TEST(a_file_has_at_most_a_hundred_rules)
{
	ck_assert_ptr_null(messages_of_rules(RULES_MAX));
	char *messages = messages_of_rules(5 * RULES_MAX);
	ck_assert_str_eq(messages, "f:406: more than 100 tables [[auth.rule]]");
	free(messages);
}
END_TEST

START_TEST(what_is_shown_of_the_rules_is_read_as_the_same)
{
	struct settings *was = parse(
		RULE "name = 'a'\n" DENY "projects = ['g/*', 'h/**']\nref_protected = false\n"
		     "min_access_level = 'maintainer'\nrunner_ids = ['7']\n"
		     "pipeline_sources = ['web']\nfork = false\nidentity_providers = ['saml']\n"
		     "users = ['kim']\n" RULE "name = 'b'\n" ALLOW "groups = ['g']\n" REST);
	char *shown = show_settings(was);
	char *messages = NULL;
	struct settings *is = settings_parse("f", shown, strlen(shown), &messages);
	ck_assert_msg(is != NULL, "%s\n%s", shown, messages);
	char *again = show_settings(is);
	char *rules = strstr(shown, "[[auth.rule]]                                     # line 6");
	ck_assert_msg(rules != NULL, "%s", shown);
	ck_assert_ptr_nonnull(strstr(rules, "\nref_protected = false\n"));
	ck_assert_uint_eq(is->auth.rule_count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(is->auth.rules[i].set, was->auth.rules[i].set);
	/* All but the numbers of the lines. */
	for (const char *at = rules, *other = strstr(again, "[[auth.rule]]"); *at != '\0';
	     at++, other++)
		if (strncmp(at, "# line", 6) == 0) {
			at += strcspn(at, "\n");
			other += strcspn(other, "\n");
		} else {
			ck_assert_int_eq(*at, *other);
		}
	free(again);
	free(shown);
	settings_free(is);
	settings_free(was);
}
END_TEST

static int no_account(const char *name, struct account *account, struct error *err)
{
	memset(account, 0, sizeof(*account));
	if (strcmp(name, "kim") != 0)
		return error_set(err, ERROR_DENIED, "there is no %s", name);
	snprintf(account->name, sizeof(account->name), "%s", name);
	return 0;
}

/* The group 1 is daemon in every Linux. */
static int one_group(const struct account *account, struct account_groups *groups,
		     struct error *err)
{
	(void)account;
	(void)err;
	groups->count = 1;
	groups->gids[0] = 1;
	return 0;
}

static struct claims full_claims(void)
{
	return (struct claims){
		.user_login = "kim",
		.job_id = 1,
		.project_id = 2,
		.project_path = "group/sub/project",
		.job_project_id = 2,
		.job_project_path = "group/sub/project",
		.ref_protected = "true",
		.user_access_level = "developer",
		.runner_id = 7,
		.pipeline_source = "push",
		.identities = {{.provider = "saml"}, {.provider = "ldapmain"}},
	};
}

/* Which rule decides about these claims: "+NAME" allows, "-NAME" denies, "!" an error. */
static const char *decide(const char *rules, const struct claims *claims, struct error *err)
{
	static const struct policy_sources sources = {.account = no_account, .groups = one_group};
	static char answer[2 + RULE_NAME_MAX];
	struct settings *settings = parse(rules);
	struct applicant applicant = {
		.settings = &settings->auth, .sources = &sources, .claims = claims};
	snprintf(applicant.name, sizeof(applicant.name), "%s", claims->user_login);
	*err = (struct error){.detail = ""};
	int result = policy_check_auth_rules(&applicant, err);
	snprintf(answer, sizeof(answer), "%s%s",
		 result == 0		     ? "+"
		 : err->kind == ERROR_DENIED ? "-"
					     : "!",
		 applicant.auth_rule != NULL ? applicant.auth_rule->name : "");
	if (result == 0 && applicant.auth_rule != NULL)
		ck_assert_uint_gt(schema_line(settings, applicant.admitted_by), 0);
	if (result != 0 && err->key[0] != '\0')
		ck_assert_uint_gt(schema_line(settings, err->key), 0);
	settings_free(settings);
	return answer;
}

static const struct {
	const char *condition;
	bool matches;	   /* full_claims() */
	size_t at, size;   /* of the claim, without which it is not known */
	const char *claim; /* its name in the reason */
} CONDITIONS[] = {
#define CLAIM(member) offsetof(struct claims, member), sizeof(((struct claims *)NULL)->member)
	{"projects = ['a/b', 'group/**']", true, CLAIM(job_project_path), NULL},
	{"projects = ['group/*']", false, 0, 0, NULL},
	{"ref_protected = true", true, CLAIM(ref_protected), "ref_protected"},
	{"ref_protected = false", false, CLAIM(ref_protected), "ref_protected"},
	{"min_access_level = 'reporter'", true, CLAIM(user_access_level), "user_access_level"},
	{"min_access_level = 'developer'", true, CLAIM(user_access_level), "user_access_level"},
	{"min_access_level = 'maintainer'", false, CLAIM(user_access_level), "user_access_level"},
	{"runner_ids = ['17', '7']", true, CLAIM(runner_id), "runner_id"},
	{"runner_ids = ['77']", false, CLAIM(runner_id), "runner_id"},
	{"pipeline_sources = ['web', 'push']", true, CLAIM(pipeline_source), "pipeline_source"},
	{"pipeline_sources = ['web']", false, CLAIM(pipeline_source), "pipeline_source"},
	{"fork = false", true, CLAIM(job_project_path), "job_project_path"},
	{"identity_providers = ['ldapmain']", true, CLAIM(identities), "user_identities"},
	{"identity_providers = ['google']", false, CLAIM(identities), "user_identities"},
	{"users = ['lee', 'kim']", true, 0, 0, NULL},
	{"users = ['Kim']", false, 0, 0, NULL},
	{"groups = ['bin', 'daemon']", true, 0, 0, NULL},
	{"groups = ['bin']", false, 0, 0, NULL},
#undef CLAIM
};

/*
 * A claim that is not known never allows a job, and always denies it. If the project of the job is
 * not named, it is that of the code.
 */
START_TEST(a_condition_matches_or_not_or_is_not_known)
{
	char allows[256];
	char denies[256];
	struct error err;
	struct claims claims = full_claims();
	snprintf(allows, sizeof(allows), RULE "name = 'a'\n" ALLOW "%s\n" RULE "name = 'b'\n" DENY,
		 CONDITIONS[_i].condition);
	snprintf(denies, sizeof(denies), RULE "name = 'a'\n" DENY "%s\n" REST,
		 CONDITIONS[_i].condition);
	bool matches = CONDITIONS[_i].matches;
	ck_assert_str_eq(decide(allows, &claims, &err), matches ? "+a" : "-b");
	ck_assert_str_eq(decide(denies, &claims, &err), matches ? "-a" : "+rest");
	if (CONDITIONS[_i].claim == NULL)
		return;
	memset((char *)&claims + CONDITIONS[_i].at, 0, CONDITIONS[_i].size);
	ck_assert_str_eq(decide(allows, &claims, &err), "-b");
	ck_assert_ptr_nonnull(strstr(err.detail, "; a rule before it needs a valid "));
	ck_assert_ptr_nonnull(strstr(err.detail, CONDITIONS[_i].claim));
	ck_assert_str_eq(decide(denies, &claims, &err), "-a");
	ck_assert_ptr_nonnull(strstr(err.detail, "so it is not known whether the rule a denies"));
	ck_assert_ptr_nonnull(strstr(err.detail, CONDITIONS[_i].claim));
	ck_assert_str_eq(err.notice, "");
}
END_TEST

START_TEST(a_rule_with_another_condition_that_fails_is_known_not_to_match)
{
	struct error err;
	struct claims claims = full_claims();
	claims.user_access_level[0] = '\0';
	ck_assert_str_eq(decide(RULE "name = 'a'\n" DENY "min_access_level = 'guest'\n"
				     "projects = ['other/**']\n" REST,
				&claims, &err),
			 "+rest");
	ck_assert_str_eq(decide(RULE "name = 'a'\n" DENY "min_access_level = 'guest'\n"
				     "users = ['lee']\n" REST,
				&claims, &err),
			 "+rest");
}
END_TEST

START_TEST(a_value_that_nobody_knows_is_no_answer)
{
	static const char *const levels[] = {"",      "admin",	   "Owner",   "owner ",
					     "50",    "no access", "minimal", "owner,developer",
					     "owner2"};
	struct error err;
	struct claims claims = full_claims();
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		snprintf(claims.user_access_level, sizeof(claims.user_access_level), "%s",
			 levels[i]);
		ck_assert_str_eq(decide(RULE "name = 'a'\n" ALLOW
					     "min_access_level = 'guest'\n" RULE
					     "name = 'b'\n" DENY,
					&claims, &err),
				 "-b");
		ck_assert_str_eq(decide(RULE "name = 'a'\n" DENY
					     "min_access_level = 'owner'\n" REST,
					&claims, &err),
				 "-a");
	}
	claims = full_claims();
	snprintf(claims.ref_protected, sizeof(claims.ref_protected), "True");
	ck_assert_str_eq(
		decide(RULE "name = 'a'\n" DENY "ref_protected = false\n" REST, &claims, &err),
		"-a");
}
END_TEST

/* The code is of user/project, and the job is of group/sub/project. */
static struct claims fork_claims(void)
{
	struct claims claims = full_claims();
	claims.project_id = 3;
	snprintf(claims.project_path, sizeof(claims.project_path), "user/project");
	return claims;
}

START_TEST(the_pipeline_of_a_fork_is_of_the_project_that_it_runs_in)
{
	struct error err;
	struct claims claims = fork_claims();
	ck_assert_str_eq(
		decide(RULE "name = 'a'\n" DENY "projects = ['group/**']\n" REST, &claims, &err),
		"-a");
	ck_assert_str_eq(decide(RULE "name = 'a'\n" ALLOW "projects = ['user/*']\n" RULE
				     "name = 'b'\n" DENY,
				&claims, &err),
			 "-b");
	ck_assert_str_eq(decide(RULE "name = 'a'\n" ALLOW
				     "projects = ['group/**']\nfork = false\n" RULE
				     "name = 'b'\n" DENY,
				&claims, &err),
			 "-b");
	ck_assert_str_eq(decide("allow_fork_pipelines = true\n" RULE "name = 'a'\n" DENY
				"projects = ['group/**']\nfork = true\n" REST,
				&claims, &err),
			 "-a");
}
END_TEST

/* Their owners give roles and protect refs there: no condition is known to be met. */
static const char *const OF_PROJECT[] = {"min_access_level = 'reporter'",
					 "min_access_level = 'owner'", "ref_protected = true",
					 "ref_protected = false"};

START_TEST(the_role_and_the_protected_ref_of_a_fork_are_not_those_of_the_project)
{
	char allows[256];
	char denies[256];
	struct error err;
	struct claims claims = fork_claims();
	snprintf(allows, sizeof(allows), RULE "name = 'a'\n" ALLOW "%s\n" RULE "name = 'b'\n" DENY,
		 OF_PROJECT[_i]);
	snprintf(denies, sizeof(denies), RULE "name = 'a'\n" DENY "%s\n" REST, OF_PROJECT[_i]);
	ck_assert_str_eq(decide(allows, &claims, &err), "-b");
	ck_assert_str_eq(decide(denies, &claims, &err), "-a");
}
END_TEST

START_TEST(a_ref_that_is_not_protected_in_a_fork_is_not_protected)
{
	struct error err;
	struct claims claims = fork_claims();
	snprintf(claims.ref_protected, sizeof(claims.ref_protected), "false");
	ck_assert_str_eq(
		decide(RULE "name = 'a'\n" DENY "ref_protected = true\n" REST, &claims, &err),
		"+rest");
}
END_TEST

START_TEST(the_first_rule_that_matches_decides)
{
	struct error err;
	struct claims claims = full_claims();
	ck_assert_str_eq(decide(RULE "name = 'a'\n" ALLOW "users = ['lee']\n" RULE
				     "name = 'b'\n" DENY "ref_protected = true\n" RULE
				     "name = 'c'\n" ALLOW "users = ['kim']\n" REST,
				&claims, &err),
			 "-b");
	ck_assert_str_eq(err.detail, "the rule b denies the job");
	ck_assert_str_eq(decide("", &claims, &err), "+");
}
END_TEST

START_TEST(who_is_looked_up_is_so_only_where_a_rule_needs_it)
{
	struct error err;
	struct claims claims = full_claims();
	snprintf(claims.user_login, sizeof(claims.user_login), "Kim");
	/* Kim is no account: a rule that allows kim does not match, one that denies kim refuses. */
	ck_assert_str_eq(decide(RULE "name = 'a'\n" ALLOW "users = ['kim']\n" REST, &claims, &err),
			 "+rest");
	ck_assert_str_eq(decide(RULE "name = 'a'\n" DENY "users = ['kim']\n" REST, &claims, &err),
			 "-a");
	ck_assert_str_eq(err.detail, "there is no Kim");
	ck_assert_str_eq(decide(RULE "name = 'a'\n" DENY
				     "users = ['kim']\nrunner_ids = ['1']\n" REST,
				&claims, &err),
			 "+rest");
}
END_TEST

START_TEST(a_group_that_does_not_exist_stops_jobs_that_a_rule_would_deny)
{
	struct error err;
	struct claims claims = full_claims();
	ck_assert_str_eq(
		decide(RULE "name = 'a'\n" DENY "groups = ['no-such-group']\n" REST, &claims, &err),
		"!a");
	ck_assert_str_eq(err.detail,
			 "the group no-such-group of auth.rule.a does not exist on this "
			 "host: correct the name, or restore the directory that has it");
	ck_assert_str_eq(decide(RULE "name = 'a'\n" ALLOW "groups = ['no-such-group']\n" RULE
				     "name = 'b'\n" DENY,
				&claims, &err),
			 "-b");
}
END_TEST

Suite *auth_rule_suite(void)
{
	Suite *suite = suite_create("auth_rule");
	TCase *tcase = tcase_create("auth_rule");

	tcase_add_loop_test(tcase, a_glob_fits_a_path, 0, ROWS(GLOBS));
	tcase_add_test(tcase, a_glob_that_fits_nothing_or_is_not_understood_is_refused);
	tcase_add_test(tcase, a_long_path_is_compared_in_a_short_time);
	tcase_add_loop_test(tcase, a_fault_is_reported, 0, ROWS(FAULTS));
	tcase_add_test(tcase, a_rule_that_matches_other_jobs_is_no_fault);
	tcase_add_test(tcase, a_file_has_at_most_a_hundred_rules);
	tcase_add_test(tcase, what_is_shown_of_the_rules_is_read_as_the_same);
	tcase_add_loop_test(tcase, a_condition_matches_or_not_or_is_not_known, 0, ROWS(CONDITIONS));
	tcase_add_test(tcase, a_rule_with_another_condition_that_fails_is_known_not_to_match);
	tcase_add_test(tcase, a_value_that_nobody_knows_is_no_answer);
	tcase_add_test(tcase, the_pipeline_of_a_fork_is_of_the_project_that_it_runs_in);
	tcase_add_loop_test(tcase,
			    the_role_and_the_protected_ref_of_a_fork_are_not_those_of_the_project,
			    0, sizeof(OF_PROJECT) / sizeof(OF_PROJECT[0]));
	tcase_add_test(tcase, a_ref_that_is_not_protected_in_a_fork_is_not_protected);
	tcase_add_test(tcase, the_first_rule_that_matches_decides);
	tcase_add_test(tcase, who_is_looked_up_is_so_only_where_a_rule_needs_it);
	tcase_add_test(tcase, a_group_that_does_not_exist_stops_jobs_that_a_rule_would_deny);
	suite_add_tcase(suite, tcase);
	return suite;
}
