/*
 * The phases of a batch job from its submission to its end, and the events that change the phase.
 * One table, in batch_phase.c, says which event leads from which phase to which other.
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_PHASE_H
#define JACAMAR_CORE_EXECUTOR_BATCH_PHASE_H

enum batch_phase {
	SAME,	   /* only in the table: the event does not change the phase */
	PREPARING, /* not submitted yet */
	QUEUED,	   /* submitted; no node has started the script */
	RUNNING,   /* a node has started the script */
	VANISHED,  /* the scheduler has reported the end of the job, the node has not */
	EXITED,	   /* the script ended by itself, unless the scheduler knows better */
	KILLED,	   /* the script was ended from outside; only the scheduler knows why */
	DONE,	   /* the scheduler has no such job any more */
	ABANDONED, /* the scheduler may still have the job: `jacamar cleanup` has to cancel it */
	PHASES
};

enum batch_event {
	NO_EVENT,
	SUBMITTED,
	NOT_IN_QUEUE, /* never submitted, or cancelled */
	/* The node has written a file. */
	NODE_STARTED,
	NODE_EXITED,
	NODE_KILLED,
	/* The scheduler has reported a state: enum batch_meaning. */
	REPORTED_WAITING,
	REPORTED_ALIVE,
	REPORTED_ENDED,
	REPORTED_FAILED,
	REPORTED_LOST,
	/* The scheduler has had its time to explain the end. */
	TIME_IS_UP,
	EVENTS
};

/* The phase that follows when `event` happens in `phase`. */
enum batch_phase batch_phase_after(enum batch_phase phase, enum batch_event event);

#endif
