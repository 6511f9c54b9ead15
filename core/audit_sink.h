/*
 * Where the audit log goes: a file, the local syslog, or one on the network.
 *
 * syslog(3) cannot say that a message was lost, and waits without end for a daemon that does not
 * read; so the messages are sent from here, in the form that every syslog daemon reads (RFC 3164,
 * as glibc has it on a local socket). What goes to the network is sent by a confined child:
 * answers of name servers are not for a process that could change its identity.
 *
 * Nothing is kept open from one message to the next: a log may be rotated at any time, and no other
 * process can inherit it.
 */
#ifndef JACAMAR_CORE_AUDIT_SINK_H
#define JACAMAR_CORE_AUDIT_SINK_H

#include <sys/stat.h>

#include "config/settings.h"
#include "core/error.h"

struct audit_message {
	const char *program;
	int priority;	  /* syslog's: facility and severity */
	const char *text; /* one line, without its newline */
};

/*
 * Hands the message to the file or the daemon; takes some 5 seconds at most. What went to the
 * network may still be lost on its way, by UDP without anybody's notice.
 */
int audit_sink_write(const struct logging_settings *log, const struct audit_message *message,
		     struct error *err);

/* What speaks against a file as a log; NULL where nothing does. */
const char *audit_sink_file_fault(const struct stat *found);

/* Opens the log, or connects to it, and writes nothing. */
int audit_sink_check(const struct logging_settings *log, struct error *err);

#endif
