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
#include "core/stage/stage_process.h"

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
int monitor_run(const struct stage_process *process, struct monitor_end *end, struct error *err);

#endif
