#include "core/audit/audit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "core/audit/audit_sink.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/policy/policy.h"

static const struct {
	const char *name;
	enum log_level level;
	bool always; /* written even if the audit log is not enabled */
} DECISIONS[] = {
	[AUDIT_STARTED] = {"started", LOG_LEVEL_DEBUG, false},
	[AUDIT_ALLOWED] = {"allowed", LOG_LEVEL_INFO, true},
	[AUDIT_OK] = {"ok", LOG_LEVEL_INFO, false},
	[AUDIT_JOB_FAILED] = {"job failed", LOG_LEVEL_INFO, false},
	[AUDIT_SKIPPED] = {"skipped", LOG_LEVEL_INFO, false},
	[AUDIT_CANCELLED] = {"cancelled", LOG_LEVEL_INFO, false},
	[AUDIT_WARNING] = {"warning", LOG_LEVEL_WARN, true},
	[AUDIT_REFUSED] = {"refused", LOG_LEVEL_WARN, true},
	[AUDIT_FAILED] = {"failed", LOG_LEVEL_ERROR, true},
};

static const int PRIORITIES[] = {
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_WARN] = LOG_WARNING,
	[LOG_LEVEL_ERROR] = LOG_ERR,
};

static const struct logging_settings LOCAL_SYSLOG = {.location = (char *)"syslog"};

/* These leave out values that are not known. They return false if memory is short. */

static bool add_text(json_t *line, const char *name, const char *text)
{
	char copy[AUDIT_TEXT_SIZE];
	if (text == NULL || text[0] == '\0')
		return true;
	/* jansson refuses text that is not UTF-8, but accepts DEL. */
	snprintf(copy, sizeof(copy), "%s", text);
	text_make_printable(copy);
	return json_object_set_new(line, name, json_string(copy)) == 0;
}

static bool add_number(json_t *line, const char *name, int64_t number, bool known)
{
	return !known || json_object_set_new(line, name, json_integer(number)) == 0;
}

static bool add_time(json_t *line)
{
	char seconds[32];
	char text[48];
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, sizeof(text), "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
	return add_text(line, "time", text);
}

/* The arguments of the script. A target that is not a valid name never became one. */
static bool add_question(json_t *line, const struct applicant *applicant)
{
	char text[2 * ACCOUNT_NAME_SIZE];
	const char *target = applicant->target != NULL ? applicant->target : "";
	bool named = target[0] != '\0';
	if (!applicant->asked || (named && !account_login_is_valid(target)))
		return true;
	snprintf(text, sizeof(text), "%s%s%s", named ? target : "", named ? " " : "",
		 applicant->name);
	return add_text(line, "runas", text);
}

static bool add_id(json_t *line, const char *name, uint64_t id)
{
	return add_number(line, name, (int64_t)id, id != 0);
}

/* The claims about the pipeline, by their own names. */
static bool add_claims(json_t *line, const struct claims *claims)
{
	return add_text(line, "source", claims->pipeline_source) &&
	       add_text(line, "ref", claims->ref) &&
	       add_text(line, "ref_protected", claims->ref_protected) &&
	       add_text(line, "sha", claims->sha) &&
	       add_text(line, "user_access_level", claims->user_access_level) &&
	       add_id(line, "runner_id", claims->runner_id) &&
	       add_id(line, "project_id", claims->project_id) &&
	       add_text(line, "project_path", claims->project_path) &&
	       add_id(line, "job_project_id", claims->job_project_id) &&
	       add_text(line, "job_project_path", claims->job_project_path);
}

/* The facts by which config decided. */
static bool add_applicant(json_t *line, const struct applicant *applicant)
{
	if (applicant == NULL)
		return true;
	const struct claims_identity *identity = applicant->identity;
	return add_claims(line, applicant->claims) &&
	       add_id(line, "scoped_user_id", applicant->scoped_user_id) &&
	       (identity == NULL || (add_text(line, "provider", identity->provider) &&
				     add_text(line, "extern_uid", identity->extern_uid))) &&
	       add_question(line, applicant) &&
	       add_text(line, "runas_username", applicant->runas.username) &&
	       add_text(line, "runas_data_dir", applicant->runas.data_dir) &&
	       add_text(line, "rule", applicant->rule) &&
	       (applicant->auth_rule == NULL ||
		add_text(line, "auth_rule", applicant->auth_rule->name));
}

static bool add_job(json_t *line, const struct state *job)
{
	const struct account *account = &job->account;
	return add_text(line, "reference", job->reference) && add_id(line, "job", job->job_id) &&
	       add_id(line, "pipeline", job->pipeline_id) &&
	       add_text(line, "project", job->project_path) &&
	       add_text(line, "login", job->login) && add_applicant(line, job->applicant) &&
	       add_text(line, "account", account->name) &&
	       /* An unknown account has uid 0 here, which is root's. */
	       add_number(line, "uid", account->uid, account->name[0] != '\0');
}

static bool add_usage(json_t *line, const struct cgroup_usage *usage)
{
	return usage == NULL ||
	       (add_number(line, "cpu_ms", usage->cpu_ms, usage->cpu_ms >= 0) &&
		add_number(line, "memory_peak", usage->memory_peak, usage->memory_peak >= 0) &&
		add_number(line, "oom_kills", usage->oom_kills, usage->oom_kills >= 0));
}

/* Returns a new object; NULL if memory is short. */
static json_t *audit_members(const struct audit_record *record)
{
	char host[256] = "";
	(void)gethostname(host, sizeof(host) - 1);
	json_auto_t *line = json_object();
	bool made =
		add_time(line) && add_job(line, record->job) &&
		add_text(line, "stage", record->stage) &&
		add_text(line, "substage", record->substage) &&
		add_text(line, "decision", DECISIONS[record->decision].name) &&
		add_text(line, "reason", record->reason) &&
		add_number(line, "duration_ms", record->duration_ms, true) &&
		add_number(line, "exit", record->exit, record->exit >= 0) &&
		add_number(line, "script_exit", record->script_exit, record->script_exit >= 0) &&
		add_usage(line, record->usage) && add_text(line, "host", host) &&
		add_number(line, "pid", getpid(), true) &&
		add_text(line, "name", record->job->settings.general.name);
	return made ? json_incref(line) : NULL;
}

static bool is_wanted(const struct audit_record *record)
{
	const struct logging_settings *log = &record->job->settings.auth.logging;
	return log->enabled ? DECISIONS[record->decision].level >= log->level
			    : DECISIONS[record->decision].always;
}

int audit_write(const struct audit_record *record, struct error *err)
{
	const struct logging_settings *log = &record->job->settings.auth.logging;
	struct error ignored;
	if (!is_wanted(record))
		return 0;
	json_auto_t *members = audit_members(record);
	cleanup_free char *line = json_dumps(members, JSON_COMPACT | JSON_ENSURE_ASCII);
	struct audit_message message = {
		.program = record->program,
		.priority = LOG_AUTHPRIV | PRIORITIES[DECISIONS[record->decision].level],
		.text = line,
		.members = members,
	};
	if (log->enabled)
		return line != NULL ? audit_sink_write(log, &message, err)
				    : error_set(err, ERROR_SYSTEM, "out of memory");
	if (line != NULL)
		(void)audit_sink_write(&LOCAL_SYSLOG, &message, &ignored);
	return 0;
}

int audit_begin(const struct audit_record *record, struct error *err)
{
	const struct logging_settings *log = &record->job->settings.auth.logging;
	if (!log->enabled || is_wanted(record))
		return audit_write(record, err);
	return audit_sink_check(log, err);
}
