/*
 * On the service's side: executes the user's side of one stage, as the user, and waits until it has
 * ended or must be killed. The command is `jacamar --no-auth STAGE env-script`; the word env-script
 * tells jacamar to read the job from the channel (channel.h).
 */
#ifndef JACAMAR_CORE_STAGE_MONITOR_H
#define JACAMAR_CORE_STAGE_MONITOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/lib/error.h"
#include "core/process/cgroup.h"
#include "core/protocol/channel.h"

struct monitor {
	const char *program; /* the file to execute: trusted_program.h */
	const char *jacamar; /* its name on the command line */
	const char *sudo;    /* that executes `jacamar`: sudo.h; NULL: `program` is executed here */
	const char *stage;
	const char *substage; /* NULL but for run */
	struct channel_header *header;
	int script;   /* a descriptor of the script; -1: none */
	int response; /* of the job response, to check that it is of the state's job; -1: no check
		       */
	int output;   /* the standard output of the user's side; -1: that of this process */
	const struct cgroup *cgroup; /* in which it starts */
};

struct monitor_end {
	bool cancelled; /* by a signal to us, or because our parent ended */
	bool explained; /* the user's side has failed, and the reason is in the job's log */
	int exit_code;	/* of the user's side, if the stage came to its end: 0-255 */
	int signal;	/* that killed the user's side; 0: none */
	/*
	 * The stage was started and did not come to its end, so that processes of the job may be
	 * left (kill_leftovers.h). Then:
	 */
	bool interrupted;
	pid_t child;	 /* what was executed; -1: it has ended and was reaped */
	pid_t user_side; /* the pid that it sent over the channel; 0: none */
};

/*
 * Runs it to its end; 0 also if the job was cancelled or the user's side was killed. *end is filled
 * in any case.
 */
int monitor_run(const struct monitor *monitor, struct monitor_end *end, struct error *err);

#endif
