/*
 * A record of the audit log: the contents of its line, with any texts, and which records are
 * written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/audit/audit.h"
#include "core/lib/text.h"
#include "core/policy/policy.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct state full_job(void)
{
	return (struct state){
		.job_id = 981625,
		.pipeline_id = 574,
		.project_path = "group/project",
		.login = "somebody",
		.reference = "0123456789ab",
		.account = {.name = "usr", .uid = 1001},
		.settings = {.general.name = "login nodes", .auth.logging.location = "syslog"},
	};
}

static struct audit_record full_record(const struct state *job)
{
	return (struct audit_record){
		.decision = AUDIT_JOB_FAILED,
		.program = "jacamar-auth",
		.job = job,
		.stage = "run",
		.substage = "build_script",
		.reason = "why",
		.duration_ms = 1234,
		.exit = 1,
		.script_exit = 42,
	};
}

/* The line that a file gets, without its newline. */
static char *written_line(const struct audit_record *record)
{
	struct path directory = scratch_make();
	struct path path = path_of("%s/log", directory.text);
	struct state job = *record->job;
	struct audit_record moved = *record;
	struct error err = {.detail = ""};
	size_t size;
	job.settings.auth.logging = (struct logging_settings){
		.enabled = true, .level = LOG_LEVEL_DEBUG, .location = path.text};
	moved.job = &job;
	ck_assert_msg(audit_write(&moved, &err) == 0, "%s", err.detail);
	char *line = scratch_read(path.text, &size);
	ck_assert_int_eq(line[size - 1], '\n');
	line[size - 1] = '\0';
	return line;
}

static json_t *line_of(const struct audit_record *record)
{
	char *line = written_line(record);
	ck_assert_msg(text_is_printable(line), "%s", line);
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(json_is_object(object), "%s", line);
	free(line);
	return object;
}

START_TEST(a_record_says_what_is_known)
{
	char host[256] = "";
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	json_t *line = line_of(&record);
	gethostname(host, sizeof(host) - 1);

	const char *time = json_string_value(json_object_get(line, "time"));
	int year, month, day, hour, minute, second, milliseconds, end = 0;
	ck_assert_int_eq(sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour,
				&minute, &second, &milliseconds, &end),
			 7);
	ck_assert_int_eq(end, 24);
	ck_assert_int_eq(time[24], '\0');
	json_object_del(line, "time");

	json_t *expected =
		json_pack("{s:s,s:i,s:i,s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:s,s:i,s:s}",
			  "reference", "0123456789ab", "job", 981625, "pipeline", 574, "project",
			  "group/project", "login", "somebody", "account", "usr", "uid", 1001,
			  "stage", "run", "substage", "build_script", "decision", "job failed",
			  "reason", "why", "duration_ms", 1234, "exit", 1, "script_exit", 42,
			  "host", host, "pid", (int)getpid(), "name", "login nodes");
	ck_assert(json_equal(line, expected));
	json_decref(expected);
	json_decref(line);
}
END_TEST

START_TEST(a_record_has_what_the_kernel_has_counted)
{
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	const struct cgroup_usage usage = {.cpu_ms = 0, .memory_peak = 5000000000, .oom_kills = -1};
	record.usage = &usage;
	json_t *line = line_of(&record);
	ck_assert(json_is_integer(json_object_get(line, "cpu_ms")));
	ck_assert_int_eq(json_integer_value(json_object_get(line, "cpu_ms")), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(line, "memory_peak")), 5000000000);
	ck_assert_ptr_null(json_object_get(line, "oom_kills"));
	json_decref(line);
}
END_TEST

static const struct {
	bool asked;
	const char *target;
	const char *username, *data_dir; /* that the script gave */
	const char *runas;		 /* NULL: no such member */
} QUESTIONS[] = {
	{false, "other", "", "", NULL},
	{true, NULL, "", "", "somebody"},
	{true, "", "", "/scratch", "somebody"},
	{true, "other", "other", "", "other somebody"},
	{true, "other", "third", "/scratch", "other somebody"},
	{true, "a secret, not a name", "", "", NULL},
	{true, "secret@not.a.name", "", "", NULL},
};

START_TEST(a_record_of_config_says_what_was_asked_and_answered)
{
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	struct claims claims = {.user_login = "somebody", .pipeline_source = "push"};
	struct applicant applicant = {.claims = &claims,
				      .name = "somebody",
				      .asked = QUESTIONS[_i].asked,
				      .target = QUESTIONS[_i].target};
	snprintf(applicant.runas.username, sizeof(applicant.runas.username), "%s",
		 QUESTIONS[_i].username);
	snprintf(applicant.runas.data_dir, sizeof(applicant.runas.data_dir), "%s",
		 QUESTIONS[_i].data_dir);
	job.applicant = &applicant;
	applicant.rule = QUESTIONS[_i].asked ? "lists" : NULL;
	const struct {
		const char *name, *text;
	} said[] = {{"source", "push"},
		    {"rule", applicant.rule},
		    {"runas", QUESTIONS[_i].runas},
		    {"runas_username", QUESTIONS[_i].username},
		    {"runas_data_dir", QUESTIONS[_i].data_dir}};
	json_t *line = line_of(&record);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		json_t *member = json_object_get(line, said[i].name);
		bool there = said[i].text != NULL && said[i].text[0] != '\0';
		ck_assert_msg((member != NULL) == there, "%s", said[i].name);
		if (there)
			ck_assert_str_eq(json_string_value(member), said[i].text);
	}
	json_decref(line);
}
END_TEST

START_TEST(a_record_of_config_says_what_the_token_says_of_the_pipeline)
{
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	struct claims claims = {.user_login = "usr",
				.ref = "Gr\xc3\xbc\xc3\x9f"
				       "e\n",
				.ref_protected = "true",
				.sha = "714a629c",
				.user_access_level = "developer",
				.runner_id = 7,
				.project_id = 99,
				.project_path = "usr/project",
				.job_project_id = 20,
				.job_project_path = "group/project"};
	const struct claims_identity identity = {.provider = "ldapmain",
						 .extern_uid = "uid=kim,dc=x"};
	struct applicant applicant = {
		.claims = &claims, .scoped_user_id = 42, .identity = &identity};
	job.applicant = &applicant;
	json_t *line = line_of(&record);
	const char *ref, *guarded, *sha, *level, *path, *job_path, *provider, *extern_uid;
	int runner, project, job_project, scoped;
	ck_assert_int_eq(json_unpack(line, "{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:s,s:s}",
				     "ref", &ref, "ref_protected", &guarded, "sha", &sha,
				     "user_access_level", &level, "project_path", &path,
				     "job_project_path", &job_path, "runner_id", &runner,
				     "project_id", &project, "job_project_id", &job_project,
				     "scoped_user_id", &scoped, "provider", &provider, "extern_uid",
				     &extern_uid),
			 0);
	ck_assert_str_eq(provider, "ldapmain");
	ck_assert_str_eq(extern_uid, "uid=kim,dc=x");
	ck_assert_str_eq(ref, "Gr????e?");
	ck_assert_str_eq(guarded, "true");
	ck_assert_str_eq(sha, "714a629c");
	ck_assert_str_eq(level, "developer");
	ck_assert_str_eq(path, "usr/project");
	ck_assert_str_eq(job_path, "group/project");
	ck_assert_int_eq(runner, 7);
	ck_assert_int_eq(project, 99);
	ck_assert_int_eq(job_project, 20);
	ck_assert_int_eq(scoped, 42);
	json_decref(line);
}
END_TEST

#define FILL(text) memset(text, '"', sizeof(text) - 1)

/* JSON doubles each byte of these texts. */
START_TEST(the_longest_line_is_within_the_limit)
{
	static char text[2 * AUDIT_TEXT_SIZE];
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	struct claims claims = {.runner_id = INT64_MAX, .project_id = INT64_MAX};
	struct claims_identity identity = {.provider = ""};
	struct auth_rule rule = {.name = text};
	struct applicant applicant = {.claims = &claims,
				      .identity = &identity,
				      .asked = true,
				      .rule = text,
				      .auth_rule = &rule};
	FILL(text);
	FILL(claims.user_access_level);
	FILL(claims.project_path);
	FILL(claims.job_project_path);
	FILL(claims.pipeline_source);
	FILL(claims.ref);
	FILL(claims.ref_protected);
	FILL(claims.sha);
	FILL(identity.provider);
	FILL(identity.extern_uid);
	FILL(applicant.name);
	FILL(applicant.runas.username);
	FILL(applicant.runas.data_dir);
	FILL(job.account.name);
	job.applicant = &applicant;
	job.reference = job.project_path = job.login = job.settings.general.name = text;
	record.stage = record.substage = record.reason = text;
	char *line = written_line(&record);
	ck_assert_uint_lt(strlen(line), AUDIT_LINE_MOST_SIZE);
	free(line);
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
	static const char *const said[] = {"time",	  "stage", "decision",
					   "duration_ms", "host",  "pid"};
	struct state job = {.job_id = 0};
	struct audit_record record = {.decision = AUDIT_STARTED,
				      .program = "jacamar",
				      .job = &job,
				      .stage = "config",
				      .reason = "",
				      .exit = -1,
				      .script_exit = -1};
	json_t *line = line_of(&record);
	ck_assert_uint_eq(json_object_size(line), sizeof(said) / sizeof(said[0]));
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		ck_assert_ptr_nonnull(json_object_get(line, said[i]));
	json_decref(line);
}
END_TEST

static const struct {
	const char *text;
	const char *line; /* of it */
} HOSTILE[] = {
	{"a\nb\r\n{\"decision\":\"allowed\"}", "a?b??{\"decision\":\"allowed\"}"},
	{"\",\"decision\":\"allowed", "\",\"decision\":\"allowed"},
	{"\\\",\\", "\\\",\\"},
	{"\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"},
	{"tab\tdel\x7f nul\\u0000", "tab?del? nul\\u0000"},
	{"\xff\xfe broken \xc3", "?? broken ?"},
	{"\xc0\x80 overlong", "?? overlong"},
	{"csi \xc2\x9bm", "csi ??m"},
	{"line \xe2\x80\xa8 separator", "line ??? separator"},
	{"J\xc3\xbcrgen", "J??rgen"},
};

START_TEST(a_hostile_text_stays_a_text_in_one_line)
{
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	static const char *const names[] = {"reference", "project",  "login",
					    "stage",	 "substage", "reason"};
	const char *text = HOSTILE[_i].text;
	job.reference = job.project_path = job.login = text;
	record.stage = record.substage = record.reason = text;
	snprintf(job.account.name, sizeof(job.account.name), "%s", text);
	json_t *line = line_of(&record);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_str_eq(json_string_value(json_object_get(line, names[i])),
				 HOSTILE[_i].line);
	ck_assert_str_eq(json_string_value(json_object_get(line, "decision")), "job failed");
	json_decref(line);
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	char *text = malloc(64 * 1024 + 1);
	ck_assert_ptr_nonnull(text);
	memset(text, '"', 64 * 1024);
	text[64 * 1024] = '\0';
	job.reference = job.project_path = job.login = text;
	record.stage = record.substage = record.reason = text;
	char *line = written_line(&record);
	/* Six texts, each byte of which is escaped. */
	ck_assert_uint_lt(strlen(line), 6 * 2 * AUDIT_TEXT_SIZE + 1024);
	json_t *object = json_loads(line, 0, NULL);
	ck_assert_uint_eq(json_string_length(json_object_get(object, "reason")),
			  AUDIT_TEXT_SIZE - 1);
	json_decref(object);
	free(line);
	free(text);
}
END_TEST

/* The level at which each decision is still written. */
static const struct {
	enum audit_decision decision;
	const char *name;
	enum log_level level;
} LEVELS[] = {
	{AUDIT_STARTED, "started", LOG_LEVEL_DEBUG},
	{AUDIT_ALLOWED, "allowed", LOG_LEVEL_INFO},
	{AUDIT_OK, "ok", LOG_LEVEL_INFO},
	{AUDIT_JOB_FAILED, "job failed", LOG_LEVEL_INFO},
	{AUDIT_CANCELLED, "cancelled", LOG_LEVEL_INFO},
	{AUDIT_WARNING, "warning", LOG_LEVEL_WARN},
	{AUDIT_REFUSED, "refused", LOG_LEVEL_WARN},
	{AUDIT_FAILED, "failed", LOG_LEVEL_ERROR},
};

START_TEST(a_record_is_written_from_its_level_on)
{
	struct path directory = scratch_make();
	struct path path = path_of("%s/log", directory.text);
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	struct error err = {.detail = ""};
	record.decision = LEVELS[_i].decision;
	job.settings.auth.logging =
		(struct logging_settings){.enabled = true, .location = path.text};

	for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
		job.settings.auth.logging.level = (enum log_level)level;
		ck_assert_msg(audit_write(&record, &err) == 0, "%s", err.detail);
		bool written = level <= (int)LEVELS[_i].level;
		ck_assert_int_eq(access(path.text, F_OK) == 0, written);
		if (!written)
			continue;
		size_t size;
		char *line = scratch_read(path.text, &size);
		json_t *object = json_loads(line, 0, NULL);
		ck_assert_ptr_eq(strchr(line, '\n'), line + size - 1);
		ck_assert_str_eq(json_string_value(json_object_get(object, "decision")),
				 LEVELS[_i].name);
		json_decref(object);
		free(line);
		unlink(path.text);
	}
}
END_TEST

START_TEST(a_log_that_is_not_enabled_fails_nobody)
{
	struct path directory = scratch_make();
	struct path path = path_of("%s/log", directory.text);
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	struct error err;
	/* Nothing for the local syslog: its level has no effect here. */
	record.decision = AUDIT_OK;
	job.settings.auth.logging =
		(struct logging_settings){.level = LOG_LEVEL_DEBUG, .location = path.text};
	ck_assert_int_eq(audit_begin(&record, &err), 0);
	ck_assert_int_eq(audit_write(&record, &err), 0);
	ck_assert_int_ne(access(path.text, F_OK), 0);
}
END_TEST

START_TEST(a_stage_begins_where_its_end_can_be_recorded)
{
	struct path directory = scratch_make();
	struct path missing = path_of("%s/missing/log", directory.text);
	struct path path = path_of("%s/log", directory.text);
	struct state job = full_job();
	struct audit_record record = full_record(&job);
	struct error err;
	record.decision = AUDIT_STARTED;
	for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
		struct stat found;
		job.settings.auth.logging = (struct logging_settings){
			.enabled = true, .level = (enum log_level)level, .location = missing.text};
		ck_assert_int_eq(audit_begin(&record, &err), -1);
		ck_assert_int_eq(err.kind, ERROR_SYSTEM);
		ck_assert_ptr_nonnull(strstr(err.detail, missing.text));
		job.settings.auth.logging.location = path.text;
		ck_assert_int_eq(audit_begin(&record, &err), 0);
		ck_assert_int_eq(stat(path.text, &found), 0);
		ck_assert_int_eq(found.st_size > 0, level == LOG_LEVEL_DEBUG);
		unlink(path.text);
	}
}
END_TEST

Suite *audit_suite(void)
{
	Suite *suite = suite_create("audit");
	TCase *tcase = tcase_create("audit");

	tcase_add_test(tcase, a_record_says_what_is_known);
	tcase_add_test(tcase, a_record_has_what_the_kernel_has_counted);
	tcase_add_loop_test(tcase, a_record_of_config_says_what_was_asked_and_answered, 0,
			    ROWS(QUESTIONS));
	tcase_add_test(tcase, a_record_of_config_says_what_the_token_says_of_the_pipeline);
	tcase_add_test(tcase, the_longest_line_is_within_the_limit);
	tcase_add_test(tcase, what_is_not_known_is_left_out);
	tcase_add_loop_test(tcase, a_hostile_text_stays_a_text_in_one_line, 0, ROWS(HOSTILE));
	tcase_add_test(tcase, a_long_text_is_cut);
	tcase_add_loop_test(tcase, a_record_is_written_from_its_level_on, 0, ROWS(LEVELS));
	tcase_add_test(tcase, a_log_that_is_not_enabled_fails_nobody);
	tcase_add_test(tcase, a_stage_begins_where_its_end_can_be_recorded);
	suite_add_tcase(suite, tcase);
	return suite;
}
