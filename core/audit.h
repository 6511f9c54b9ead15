/*
 * What the site's staff can read afterwards: one JSON object a line, by syslog(3) to authpriv.
 * Never a token, never a script.
 */
#ifndef JACAMAR_CORE_AUDIT_H
#define JACAMAR_CORE_AUDIT_H

#include <stdint.h>
#include <sys/types.h>

struct audit_record {
	const char *reference; /* the id that the job's log shows as well */
	const char *stage;
	const char *decision; /* "allowed", "refused", "failed", "warning" */
	/* NULL or 0 where unknown: */
	const char *reason;
	const char *login;
	const char *account;
	uid_t uid; /* of the account */
	uint64_t job_id;
	uint64_t pipeline_id;
	const char *project;
};

void audit_write(const struct audit_record *record);

#endif
