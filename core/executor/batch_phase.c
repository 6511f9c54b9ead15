#include "core/executor/batch_phase.h"

/*
 * WAITING after the script's end: the scheduler has requeued the job. A script that was killed is
 * to run again then; one that has its exit code must not.
 *
 * ALIVE after the script's end: the scheduler has not noticed the end yet. That is no reason to
 * wait for it where the exit code is known.
 */
/* clang-format off */
static const enum batch_phase NEXT[EVENTS][PHASES] = {
	/* in the phase   SAME  PREPARING  QUEUED     RUNNING    VANISHED   EXITED     KILLED */
	[SUBMITTED]        = { 0, QUEUED,    SAME,      SAME,      SAME,      SAME,      SAME },
	[NOT_IN_QUEUE]     = { 0, DONE,      DONE,      DONE,      DONE,      DONE,      DONE },
	[NODE_STARTED]     = { 0, SAME,      RUNNING,   RUNNING,   SAME,      RUNNING,   RUNNING },
	[NODE_EXITED]      = { 0, SAME,      EXITED,    EXITED,    EXITED,    SAME,      SAME },
	[NODE_KILLED]      = { 0, SAME,      KILLED,    KILLED,    KILLED,    SAME,      SAME },
	[REPORTED_WAITING] = { 0, SAME,      QUEUED,    QUEUED,    QUEUED,    ABANDONED, QUEUED },
	[REPORTED_ALIVE]   = { 0, SAME,      SAME,      SAME,      RUNNING,   DONE,      SAME },
	[REPORTED_ENDED]   = { 0, SAME,      VANISHED,  VANISHED,  SAME,      DONE,      DONE },
	[REPORTED_FAILED]  = { 0, SAME,      DONE,      DONE,      DONE,      DONE,      DONE },
	[REPORTED_LOST]    = { 0, SAME,      DONE,      DONE,      DONE,      DONE,      DONE },
	[TIME_IS_UP]       = { 0, SAME,      SAME,      SAME,      DONE,      DONE,      ABANDONED },
};
/* clang-format on */

enum batch_phase batch_phase_after(enum batch_phase phase, enum batch_event event)
{
	enum batch_phase next = NEXT[event][phase];
	return next == SAME ? phase : next;
}
