/*
 * The process of a stage on the user's side: what it executes, and how it becomes the user before
 * that. monitor.h watches it.
 */
#ifndef JACAMAR_CORE_STAGE_STAGE_PROCESS_H
#define JACAMAR_CORE_STAGE_STAGE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/lib/error.h"
#include "core/process/cgroup.h"
#include "core/protocol/channel.h"

struct stage_process {
	const char *program; /* the file to execute: trusted_program.h */
	const char *jacamar; /* its name on the command line */
	const char *sudo;    /* sudo, which executes `jacamar`: sudo.h; NULL: `program` is executed
				directly */
	const char *session; /* the PAM service of its session: pam_session.h; NULL: none */
	const char *stage;
	const char *substage; /* of run; else NULL */
	struct channel_header *header;
	int script;   /* a descriptor of the script; -1: none */
	int response; /* a descriptor of the job response, which must be of the state's job; -1: no
			 check */
	int output;   /* the standard output of the user's side; -1: that of this process */
	const struct cgroup *cgroup; /* in which the process starts */
};

/* Descriptors that do not block; -1: none. */
struct stage_process_pipes {
	int channel;
	int report;  /* the error, if it did not execute the user's side */
	int failure; /* the error of its session */
};

/*
 * Forks the process, which then changes its account and executes the user's side. If it has a
 * session, *child is the session's process, and this process then keeps only what it needs to
 * change accounts. The caller closes the pipes, even after a failure.
 */
int stage_process_start(const struct stage_process *process, pid_t *child,
			struct stage_process_pipes *pipes, struct error *err);

/* True until the process executes the user's side, or sudo, which closes the report. */
bool stage_process_is_before_exec(const struct stage_process_pipes *pipes);

/*
 * -1 with the reason if the session has failed, or the process before it executed the user's side;
 * otherwise 0.
 */
int stage_process_read_failure(const struct stage_process_pipes *pipes, struct error *err);

#endif
