/*
 * Runs a program of the site as this account, without any privilege, and reads what it prints.
 *
 * The program has no capability and, unless `may_gain` is set, no way to gain one; its standard
 * input is empty unless `input` is set, and it inherits no other descriptor. Processes that it
 * leaves running are killed. If this process is killed, the program is killed, too.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_RUN_UNPRIVILEGED_H
#define JACAMAR_CORE_PRIVILEGE_RUN_UNPRIVILEGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/error.h"

#define CAPTURE_OUTPUT_SIZE (64 * 1024 + 1)
#define CAPTURE_ERRORS_SIZE 512

struct unprivileged_run {
	const char *program;	/* a path */
	int descriptor;		/* of the program's file, executed instead of the path; -1: none */
	char *const *arguments; /* for execve(2), with the program's name first */
	char *const *environment; /* for execve(2) */
	int64_t limit_ms;
	bool may_gain;	  /* the program may gain privilege, as sudo does */
	const int *input; /* a descriptor for its standard input; NULL: an empty one */
};

struct unprivileged_output {
	int status;			  /* as from waitpid(2) */
	char output[CAPTURE_OUTPUT_SIZE]; /* standard output, with a NUL at the end */
	size_t size;
	char errors[CAPTURE_ERRORS_SIZE]; /* the beginning of standard error, printable */
};

/*
 * Runs the program to its end. -1 if it cannot be started (ERROR_SYSTEM), takes longer than the
 * limit or prints more than fits (ERROR_DENIED), or if this process gets a signal to end meanwhile
 * (ERROR_CANCELLED).
 */
int run_unprivileged(const struct unprivileged_run *run, struct unprivileged_output *captured,
		     struct error *err);

#endif
