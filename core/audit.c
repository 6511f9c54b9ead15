#include "core/audit.h"

#include <jansson.h>
#include <syslog.h>
#include <time.h>

#include "core/io.h"

void audit_write(const struct audit_record *record)
{
	char now[32];
	time_t seconds = time(NULL);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &utc);

	json_auto_t *line = json_pack(
		"{s:s,s:s,s:s,s:s,s:s*,s:s*,s:s*,s:I,s:I,s:I,s:s*}", "time", now, "reference",
		record->reference, "stage", record->stage, "decision", record->decision, "reason",
		record->reason, "login", record->login, "account", record->account, "uid",
		(json_int_t)record->uid, "job", (json_int_t)record->job_id, "pipeline",
		(json_int_t)record->pipeline_id, "project", record->project);
	/* The uid of nobody known would be root's. */
	if (record->account == NULL || record->account[0] == '\0')
		json_object_del(line, "uid");
	cleanup_free char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);

	openlog("jacamar-auth", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "%s", text != NULL ? text : "{\"decision\":\"unreadable record\"}");
	closelog();
}
