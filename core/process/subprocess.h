/*
 * Starts a program in the same conditions as at a login (session, umask, signals) and without this
 * process's open files. Reads what it prints, with limits of size and time. No function here waits.
 */
#ifndef JACAMAR_CORE_PROCESS_SUBPROCESS_H
#define JACAMAR_CORE_PROCESS_SUBPROCESS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/lib/error.h"

struct subprocess_program {
	const char *path;
	char *const *arguments;
	char *const *environment;
	/* They become its standard descriptors; each may be one of this process's own. */
	int input;
	int output;
	int errors;
	int other; /* one more, which becomes `other_as`; -1: none */
	int other_as;
	/* Called in the child before it executes the program; NULL: nothing is. */
	int (*prepare)(const void *context, struct error *err);
	const void *context;
};

/*
 * The child's pid, or -1. The child leads a session of its own, and has umask 0022 and the signal
 * mask and dispositions of a login. All other descriptors must close on exec.
 */
pid_t subprocess_spawn(const struct subprocess_program *program, struct error *err);

/* A child that runs, and what it prints. Text that does not fit is dropped. */
struct subprocess {
	pid_t child; /* 0: none runs */
	struct subprocess_stream {
		int pipe;    /* our end; -1: every writer has closed it */
		char *text;  /* borrowed; ends with a NUL */
		size_t room; /* without the NUL */
		size_t size;
		bool keeps_end; /* of what does not fit; otherwise the beginning */
		bool was_cut;	/* something was dropped */
	} output, errors;
	int64_t deadline; /* on io_now_ms's clock */
	bool in_time;	  /* false once it was killed at its deadline */
	int status;	  /* as from waitpid(2), once it has ended */
};

/*
 * Starts a child. `process` is zero but for the `text` and `room` of its streams. start() is given
 * what becomes the child's standard output and standard error, and returns the child's pid, or -1
 * with *err.
 */
int subprocess_start(struct subprocess *process, int64_t limit_ms,
		     pid_t (*start)(const void *argument, int output, int errors,
				    struct error *err),
		     const void *argument, struct error *err);

/*
 * Reads what was printed, and kills the child and its process group at the deadline. True once the
 * child has ended: all that it has printed is read, and the pipes are closed.
 */
bool subprocess_step(struct subprocess *process);

/* What to wait for until the next step, besides SIGCHLD and the deadline. */
void subprocess_poll(const struct subprocess *process, struct pollfd sources[2]);

/* Kills the child and its process group, if one runs, and closes the pipes. */
void subprocess_abort(struct subprocess *process);

#endif
