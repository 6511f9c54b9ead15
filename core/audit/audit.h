/*
 * The audit log: records of each decision and each end of a stage, for administrators.
 *
 * A record is one line: a JSON object (RFC 8259) of printable ASCII. It never has a token, a
 * script, or the value of a job variable, except the name of the account that the job asks for. Its
 * members, in this order, each left out if it is unknown or has no meaning:
 *
 *   time         UTC, as 2026-11-23T14:05:06.789Z
 *   reference    the same in all records of a job, and in the job's log
 *   job          the ids of GitLab
 *   pipeline
 *   project      group/project that the job belongs to
 *   login        of the person who triggered the job, from the id token
 *   source       what started the pipeline; this and the next ones are in records of config
 *   ref, ref_protected, sha, user_access_level, runner_id, project_id, project_path,
 *   job_project_id, job_project_path   as the token has them
 *   scoped_user_id   the user for whom a machine account acts, from the response
 *   provider, extern_uid   the identity that names the account instead of the login
 *   runas        the arguments of the RunAs script
 *   runas_username, runas_data_dir   and its answer
 *   rule         the name of the rule that failed (POLICY_RULES of policy.h)
 *   auth_rule    the name of the [[auth.rule]] that allowed or denied the job
 *   account, uid   the job runs as this account
 *   stage        config, prepare, run, cleanup
 *   substage     of run: build_script, ...
 *   decision     see enum audit_decision
 *   reason       of "allowed": the rule that let the person in; otherwise what is wrong
 *   duration_ms  of the stage until now
 *   exit         the exit code for the runner
 *   script_exit  the script's own code
 *   cpu_ms, memory_peak, oom_kills   what the job has used until now: struct cgroup_usage
 *   host, pid    of the process that wrote the record
 *   name         general.name of the settings
 */
#ifndef JACAMAR_CORE_AUDIT_AUDIT_H
#define JACAMAR_CORE_AUDIT_AUDIT_H

#include <stdint.h>

#include "core/lib/error.h"
#include "core/process/cgroup.h"
#include "core/protocol/state.h"

enum audit_decision {
	AUDIT_STARTED,	  /* "started": a stage */
	AUDIT_ALLOWED,	  /* "allowed": config admits the job */
	AUDIT_OK,	  /* "ok": a stage has done its work */
	AUDIT_JOB_FAILED, /* "job failed": the script ended with another code than 0 */
	AUDIT_SKIPPED,	  /* "skipped": a sub-stage that the site does not run */
	AUDIT_CANCELLED,  /* "cancelled" */
	AUDIT_WARNING,	  /* "warning": the stage continues */
	AUDIT_REFUSED,	  /* "refused": the rules forbid it */
	AUDIT_FAILED,	  /* "failed": for any other reason */
};

/* All pointers are borrowed. */
struct audit_record {
	enum audit_decision decision;
	const char *program;	 /* the name in syslog */
	const struct state *job; /* as far as it is known; its settings say where the record goes */
	const char *stage;
	const char *substage; /* of run, else NULL */
	const char *reason;   /* NULL or "": none */
	int64_t duration_ms;
	int exit;			  /* -1: the stage has not ended */
	int script_exit;		  /* -1: none */
	const struct cgroup_usage *usage; /* NULL: none */
};

/* Longer texts are cut here. */
#define AUDIT_TEXT_SIZE 1024

/*
 * More than any line has: a record has fewer than 30 texts, all in ASCII, and JSON at most doubles
 * their bytes.
 */
#define AUDIT_LINE_MOST_SIZE 65536

/*
 * Writes the record, unless its level is below that of the settings. If the audit log is not
 * enabled, records of decisions, warnings and failures go to the local syslog (allowed, warning,
 * refused, failed), and the result is 0 even if they do not arrive there.
 */
int audit_write(const struct audit_record *record, struct error *err);

/* The same at the beginning of a stage. Also fails if the log cannot be opened or reached. */
int audit_begin(const struct audit_record *record, struct error *err);

#endif
