/*
 * Writes the audit log: to a file, the local syslog, or a syslog on the network.
 *
 * journald gets each member of a record as a field, so that journalctl(1) can search for it.
 *
 * syslog(3) does not report a lost message, and waits forever for a daemon that does not read. So
 * the messages are sent here, in the form that every syslog daemon reads (RFC 3164, on a local
 * socket as glibc sends it). A confined child sends messages to the network: the process that can
 * change its identity must not parse the answers of name servers.
 *
 * Nothing stays open between two messages: a log may be rotated at any time, and no other process
 * can inherit it.
 */
#ifndef JACAMAR_CORE_AUDIT_AUDIT_SINK_H
#define JACAMAR_CORE_AUDIT_AUDIT_SINK_H

#include <jansson.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "core/lib/error.h"

/* All pointers are borrowed. */
struct audit_message {
	const char *program;
	int priority;	  /* of syslog: facility and severity */
	const char *text; /* one line, without its newline */
	json_t *members;  /* strings and integers: fields for journald; NULL: none */
};

/*
 * Writes the message to the file or sends it to the daemon, within about 5 seconds. The network may
 * still lose it; with UDP nobody notices.
 */
int audit_sink_write(const struct logging_settings *log, const struct audit_message *message,
		     struct error *err);

/* NULL if the file can be the log; otherwise the reason why not. */
const char *audit_sink_file_fault(const struct stat *found);

/* Opens the log, or connects to it, and writes nothing. */
int audit_sink_check(const struct logging_settings *log, struct error *err);

#endif
