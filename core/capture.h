/*
 * Running a program of the site's, as this account and without any privilege, for what it prints.
 *
 * It has no capability and, unless that is asked for, no way to get one, nothing on standard input,
 * and no other descriptor. What it leaves running is killed; where this process is killed, the
 * program itself is.
 */
#ifndef JACAMAR_CORE_CAPTURE_H
#define JACAMAR_CORE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define CAPTURE_OUTPUT_SIZE (64 * 1024 + 1)
#define CAPTURE_ERRORS_SIZE 512

struct capture {
	const char *program;	  /* what to execute */
	int descriptor;		  /* open on it, to be executed in its place; -1: none */
	char *const *arguments;	  /* as execve(2) takes them, the program's own name first */
	char *const *environment; /* likewise */
	int64_t limit_ms;
	bool may_gain; /* privilege, of the program's own: sudo */
};

struct captured {
	int status;			  /* as waitpid has it */
	char output[CAPTURE_OUTPUT_SIZE]; /* of standard output, with a NUL behind it */
	size_t size;
	char errors[CAPTURE_ERRORS_SIZE]; /* the beginning of standard error, printable */
};

/*
 * Runs it to its end. -1 where it cannot be started, takes longer than the limit, prints more
 * than fits, or where this process is told to end meanwhile.
 */
int capture_run(const struct capture *capture, struct captured *captured, struct error *err);

#endif
