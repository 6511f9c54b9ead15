/*
 * explain --replay: applies a configuration to the decisions of an audit log, and prints those that
 * would be different.
 *
 * A record does not have everything that decided about its job. A decision that depends on the rest
 * is reported as not known.
 */
#include "applets/explain.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/rules.h"
#include "core/audit/audit.h"
#include "core/identity/external_name.h"
#include "core/lib/io.h"
#include "core/lib/json.h"
#include "core/lib/text.h"
#include "core/policy/policy.h"
#include "core/privilege/confine.h"

#define PARSE_LIMIT_MS 30000

/* A record, and a prefix of syslog. */
#define LINE_MOST_SIZE (AUDIT_LINE_MOST_SIZE + 1024)

/* A record of the stage config that allows or refuses a job. */
struct record {
	bool was_allowed;
	struct claims claims;
	uint64_t scoped_user_id;
	char rule[64]; /* the rule that refused; "": another check did, or an older release wrote
			  the record */
	char reason[AUDIT_TEXT_SIZE];
	char account[ACCOUNT_NAME_SIZE];
	char runas[2 * ACCOUNT_NAME_SIZE]; /* the arguments of the script; "": it was not asked */
	char target[ACCOUNT_NAME_SIZE];	   /* the first of two, that the job asked for; "": none */
	const char *asked;		   /* the last one */
	struct runas_answer answer;
};

static const struct {
	const char *name;
	size_t offset;
	size_t size; /* 0: a number */
} MEMBERS[] = {
#define NUMBER(name, member)                             \
	{                                                \
		name, offsetof(struct record, member), 0 \
	}
#define TEXT(name, member)                                                                     \
	{                                                                                      \
		name, offsetof(struct record, member), sizeof(((struct record *)NULL)->member) \
	}
	NUMBER("job", claims.job_id),
	NUMBER("pipeline", claims.pipeline_id),
	TEXT("login", claims.user_login),
	TEXT("source", claims.pipeline_source),
	TEXT("ref", claims.ref),
	TEXT("ref_protected", claims.ref_protected),
	TEXT("sha", claims.sha),
	TEXT("user_access_level", claims.user_access_level),
	NUMBER("runner_id", claims.runner_id),
	NUMBER("project_id", claims.project_id),
	TEXT("project_path", claims.project_path),
	NUMBER("job_project_id", claims.job_project_id),
	TEXT("job_project_path", claims.job_project_path),
	NUMBER("scoped_user_id", scoped_user_id),
	TEXT("provider", claims.identities[0].provider),
	TEXT("extern_uid", claims.identities[0].extern_uid),
	TEXT("rule", rule),
	TEXT("reason", reason),
	TEXT("account", account),
	TEXT("runas", runas),
	TEXT("runas_username", answer.username),
	TEXT("runas_data_dir", answer.data_dir),
#undef NUMBER
#undef TEXT
};

#define MEMBER_COUNT (sizeof(MEMBERS) / sizeof(MEMBERS[0]))

/* The result for a record. The last two are not replayed. */
enum verdict {
	SAME,
	DIFFERS,
	NOT_KNOWN,
	BEFORE_RULES, /* refused, before a rule was applied */
	UNREADABLE,
	VERDICTS
};

/*
 * The record that is replayed. It is global, because the functions of struct policy_sources have no
 * argument for it.
 */
static const struct record *replayed;

static bool is_member(const json_t *line, const char *name, const char *value)
{
	const char *found = json_string_value(json_object_get(line, name));
	return found != NULL && strcmp(found, value) == 0;
}

/* In a confined child: every account can write to syslog. */
static int parse_record(const void *argument, void *reply, struct error *err)
{
	const char *text = argument;
	struct record *record = reply;
	bool fits = true;
	json_auto_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	record->was_allowed = is_member(line, "decision", "allowed");
	for (size_t i = 0; i < MEMBER_COUNT && fits; i++) {
		void *at = (char *)record + MEMBERS[i].offset;
		const char *name = MEMBERS[i].name;
		if (MEMBERS[i].size == 0)
			fits = json_optional_id(line, name, at);
		else if (json_object_get(line, name) != NULL)
			fits = json_copy_string(line, name, at, MEMBERS[i].size);
	}
	if (!fits || !is_member(line, "stage", "config") ||
	    !(record->was_allowed || is_member(line, "decision", "refused")))
		return error_set(err, ERROR_SYSTEM, "not an audit record");
	return 0;
}

/* Checks what the child has returned: its parser may have been taken over. */
static int accept_record(struct record *record, struct error *err)
{
	bool sound = true;
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		char *text = (char *)record + MEMBERS[i].offset;
		if (MEMBERS[i].size == 0)
			continue;
		text[MEMBERS[i].size - 1] = '\0';
		sound &= text[0] == '\0' || text_is_printable(text);
	}
	struct claims_identity *identity = &record->claims.identities[0];
	size_t first = strcspn(record->runas, " ");
	bool has_target = record->runas[first] == ' ';
	if (!sound || (has_target && first >= sizeof(record->target)))
		return error_set(err, ERROR_SYSTEM, "not an audit record");
	snprintf(record->target, sizeof(record->target), "%.*s", has_target ? (int)first : 0,
		 record->runas);
	record->asked = has_target ? record->runas + first + 1 : record->runas;
	identity->account[0] = '\0';
	if (identity->extern_uid[0] != '\0')
		(void)external_name_to_account(identity->extern_uid, identity->account);
	/*
	 * The mail address is not in the log. A machine account is recognized by its login, or
	 * because it was recognized then.
	 */
	(void)text_copy(record->claims.user_email, sizeof(record->claims.user_email),
			strcmp(record->rule, POLICY_MACHINE) == 0 ? "" : "unknown@invalid");
	/* Only jobs without a token have no login. */
	return record->claims.user_login[0] == '\0' ? 0 : claims_accept(&record->claims, err);
}

static int read_record(const char *line, struct record *record, struct error *err)
{
	const struct confinement how = {.limit_ms = PARSE_LIMIT_MS};
	memset(record, 0, sizeof(*record));
	if (confine_run(&how, parse_record, line, record, sizeof(*record), err) != 0)
		return -1;
	return accept_record(record, err);
}

/* Finds the host closed if it was closed then. */
static const char *nologin_then(char *text, size_t size)
{
	snprintf(text, size, "%s", "as it was then");
	return strcmp(replayed->rule, POLICY_NOLOGIN) == 0 ? "nologin(5)" : NULL;
}

/* The answer of the script then, if it was asked the same. */
static int answer_then(const struct runas_settings *settings, const struct runas_question *question,
		       struct runas_answer *answer, struct error *err)
{
	const char *target = question->target != NULL ? question->target : "";
	(void)settings;
	if (strcmp(replayed->target, target) != 0 || strcmp(replayed->asked, question->name) != 0)
		return error_set(err, ERROR_SYSTEM,
				 "the record does not have the script's answer for %s",
				 question->name);
	if (strcmp(replayed->rule, POLICY_RUNAS) == 0)
		return error_set_key(err, "auth.runas.validation_script", ERROR_DENIED, "%s",
				     replayed->reason);
	*answer = replayed->answer;
	return 0;
}

/* The record has at most one identity of the person. */
static bool needs_identities(const struct applicant *applicant)
{
	const struct auth_rule *decider = applicant->auth_rule;
	const struct auth_rule *rule = applicant->settings->rules;
	for (; decider != NULL && rule <= decider; rule++)
		if (rule->identity_providers.count > 0)
			return true;
	return false;
}

static int apply(const struct explain *explain, const struct record *record,
		 struct applicant *applicant, struct error *err)
{
	static const struct policy_sources sources = {account_by_name, account_groups, answer_then,
						      nologin_then};
	const struct auth_settings *auth = &explain->settings->auth;
	bool has_token = record->claims.user_login[0] != '\0';
	*applicant = (struct applicant){
		.settings = auth,
		.sources = &sources,
		.service = &explain->service,
		.claims = &record->claims,
		.target = auth->runas.user_variable != NULL ? record->target : NULL,
		.scoped_user_id = record->scoped_user_id,
	};
	replayed = record;
	if (!has_token && rules_need_token(explain->settings))
		return error_set_key(err, "general.jwt_env_variable", ERROR_DENIED,
				     "the job has no id token, and a setting needs one");
	int result = policy_apply(applicant, err);
	if (needs_identities(applicant))
		return error_set(err, ERROR_SYSTEM,
				 "the record does not have the identities of the person, which "
				 "identity_providers of [[auth.rule]] needs");
	/* Another check refused it, or a release that did not record the rule. */
	if (result == 0 && !record->was_allowed && record->rule[0] == '\0')
		return error_set(err, ERROR_SYSTEM,
				 "the rules admit it, but the record does not name the rule that "
				 "refused it");
	if (result != 0 && strcmp(err->key, "auth.identity_provider") == 0 &&
	    strcmp(record->claims.identities[0].provider, auth->identity_provider) != 0)
		return error_set(err, ERROR_SYSTEM, "the record does not have the identity at %s",
				 auth->identity_provider);
	if (result != 0)
		applet_add_place(explain->configuration, explain->settings, err);
	return result;
}

static void print_then(const struct record *record)
{
	const char *login = record->claims.user_login;
	printf("job %" PRIu64 " of %s: ", record->claims.job_id,
	       login[0] != '\0' ? login : "an unknown person");
	if (record->was_allowed)
		printf("allowed as %s", record->account);
	else if (record->rule[0] != '\0')
		printf("refused (%s)", record->rule);
	else
		printf("refused: %s", record->reason);
}

static enum verdict replay_record(const struct explain *explain, const struct record *record)
{
	struct applicant applicant;
	struct error err = {.detail = ""};
	bool has_token = record->claims.user_login[0] != '\0';
	if (!record->was_allowed && !has_token && record->rule[0] == '\0')
		return BEFORE_RULES;
	int result = apply(explain, record, &applicant, &err);
	const char *now = applicant.account.name;
	bool is_known = result == 0 || err.kind == ERROR_DENIED;
	if (is_known && record->was_allowed == (result == 0) &&
	    (result != 0 || strcmp(record->account, now) == 0))
		return SAME;
	print_then(record);
	if (result == 0)
		printf(" -> allowed as %s\n", now);
	else if (is_known)
		printf(" -> refused (%s): %s%s\n",
		       applicant.rule != NULL ? applicant.rule : "token", err.detail, err.place);
	else
		printf(" -> not known: %s%s\n", err.detail, err.place);
	return is_known ? DIFFERS : NOT_KNOWN;
}

/* The text of a decision of config in the line, which may begin with a prefix of syslog. */
static const char *find_decision(const char *line)
{
	bool decides = strstr(line, "\"stage\":\"config\"") != NULL &&
		       (strstr(line, "\"decision\":\"allowed\"") != NULL ||
			strstr(line, "\"decision\":\"refused\"") != NULL);
	return decides ? strchr(line, '{') : NULL;
}

/*
 * Reads a line without its newline, of which at most LINE_MOST_SIZE bytes are kept: `line` has room
 * for one more. False after the last one.
 */
static bool read_line(FILE *file, char *line, size_t *length)
{
	size_t kept;
	int byte;
	*length = 0;
	for (; (byte = getc(file)) != EOF && byte != '\n'; ++*length)
		if (*length < LINE_MOST_SIZE)
			line[*length] = (char)byte;
	kept = *length < LINE_MOST_SIZE ? *length : LINE_MOST_SIZE;
	line[kept] = '\0';
	return byte != EOF || *length > 0;
}

static int replay_file(const struct explain *explain, FILE *file, size_t counts[VERDICTS],
		       struct error *err)
{
	cleanup_free char *line = malloc(LINE_MOST_SIZE + 1);
	cleanup_free struct record *record = calloc(1, sizeof(*record));
	size_t number = 0;
	if (line == NULL || record == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	for (size_t length; read_line(file, line, &length);) {
		const char *text = find_decision(line);
		struct error unread;
		number++;
		if (length > LINE_MOST_SIZE)
			applet_say(explain->call,
				   "%s:%zu: not replayed: the line has more than %d bytes, which "
				   "no record has; remove it, and find out what wrote it",
				   explain->name, number, LINE_MOST_SIZE);
		else if (text == NULL)
			continue;
		bool is_read = length <= LINE_MOST_SIZE && read_record(text, record, &unread) == 0;
		counts[is_read ? replay_record(explain, record) : UNREADABLE]++;
	}
	return ferror(file) == 0 ? 0
				 : error_errno(err, ERROR_SYSTEM, "cannot read %s", explain->name);
}

int explain_replay(const struct explain *explain, struct error *err)
{
	size_t counts[VERDICTS] = {0};
	int copy = fcntl(explain->input, F_DUPFD_CLOEXEC, 0);
	FILE *file = copy >= 0 ? fdopen(copy, "r") : NULL;
	if (file == NULL)
		return error_errno(err, ERROR_SYSTEM, "cannot read %s", explain->name);
	int result = replay_file(explain, file, counts, err);
	fclose(file);
	if (result != 0)
		return -1;
	size_t decisions = counts[SAME] + counts[DIFFERS] + counts[NOT_KNOWN];
	if (decisions + counts[BEFORE_RULES] + counts[UNREADABLE] == 0)
		return error_set(err, ERROR_SYSTEM, "%s has no record that allows or refuses a job",
				 explain->name);
	printf("%zu decisions: %zu the same, %zu different, %zu not known; not replayed: %zu "
	       "refused before the rules, %zu lines that cannot be read\n",
	       decisions, counts[SAME], counts[DIFFERS], counts[NOT_KNOWN], counts[BEFORE_RULES],
	       counts[UNREADABLE]);
	int printed = applet_printed(explain->call);
	if (printed != 0 || counts[DIFFERS] > 0)
		return printed != 0 ? printed : 1;
	return counts[NOT_KNOWN] + counts[UNREADABLE] > 0 ? explain->call->system_failure : 0;
}
