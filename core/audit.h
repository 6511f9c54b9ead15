/*
 * The audit log: what the site's staff can read afterwards about each decision and each end of a
 * stage.
 *
 * A record is one line: a JSON object (RFC 8259) of printable ASCII, whatever the texts in it are.
 * Never a token, never a script, never the value of a variable of the job, but for the name of the
 * account that it asks for. Its members, in this order, each left out where it is not known or has
 * no meaning:
 *
 *   time         UTC, as 2026-11-23T14:05:06.789Z
 *   reference    ties the records of one job together, and to the job's log
 *   job          the ids of GitLab
 *   pipeline
 *   project      group/project
 *   login        of who triggered the job, as the id token says it
 *   source       what started the pipeline; this and what follows are in config's records
 *   runas        what the site's script was asked: its arguments
 *   runas_username, runas_data_dir   and what follows from its answer
 *   account      that the job runs as, and its uid
 *   uid
 *   stage        config, prepare, run, cleanup
 *   substage     of run: build_script, ...
 *   decision     see enum audit_decision
 *   reason       also of "allowed": the rule that admitted
 *   duration_ms  of the stage up to here
 *   exit         the code that the runner gets
 *   script_exit  the script's own code
 *   host, pid    where, and of which process, this record is
 *   name         general.name of the settings
 */
#ifndef JACAMAR_CORE_AUDIT_H
#define JACAMAR_CORE_AUDIT_H

#include <stdint.h>

#include "core/error.h"
#include "core/state.h"

enum audit_decision {
	AUDIT_STARTED,	  /* "started": a stage */
	AUDIT_ALLOWED,	  /* "allowed": config lets the job run */
	AUDIT_OK,	  /* "ok": a stage has done its work */
	AUDIT_JOB_FAILED, /* "job failed": the script has ended with a code of its own */
	AUDIT_SKIPPED,	  /* "skipped": a sub-stage that the site does not run */
	AUDIT_CANCELLED,  /* "cancelled" */
	AUDIT_WARNING,	  /* "warning": the stage goes on */
	AUDIT_REFUSED,	  /* "refused": the rules forbid it */
	AUDIT_FAILED,	  /* "failed": for any other reason */
};

/* Everything is borrowed. */
struct audit_record {
	enum audit_decision decision;
	const char *program; /* under which syslog files it */
	const struct state
		*job; /* as far as it is known; its `logging` says where the record goes */
	const char *stage;
	const char *substage; /* NULL, or as the runner said it */
	const char *reason;   /* NULL or "": none */
	int64_t duration_ms;
	int exit;	 /* -1: not at its end yet */
	int script_exit; /* -1: no script has ended */
};

/* Longer texts are cut here. */
#define AUDIT_TEXT_SIZE 1024

/*
 * Writes the record, unless its level is below the one of the settings. Where the audit log is not
 * enabled, what was allowed, warned of, refused or failed goes to the local syslog, and nobody
 * learns whether it got there: the result is 0 then.
 */
int audit_write(const struct audit_record *record, struct error *err);

/* The same for a stage that begins; -1 also where the log could not be written later. */
int audit_begin(const struct audit_record *record, struct error *err);

/* The record's line, without a newline, in new memory; NULL where there is none. */
char *audit_line(const struct audit_record *record);

#endif
