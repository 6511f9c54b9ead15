/*
 * On the user's side: executing a program with what a login would find, and nothing of ours.
 */
#ifndef JACAMAR_CORE_LAUNCH_H
#define JACAMAR_CORE_LAUNCH_H

#include <sys/resource.h>
#include <sys/types.h>

#include "core/error.h"

struct launch {
	const char *program; /* a path */
	char *const *arguments;
	char *const *environment;
	/* What become its standard descriptors; each may be this process's own. */
	int input;
	int output;
	int errors;
	int other; /* one more, which becomes `other_as`; -1: none */
	int other_as;
	rlim_t core_limit; /* what it gets back: downscope.h, privilege_hide_memory */
};

/*
 * The child's pid, or -1. It leads a session of its own, has umask 0022, and signals as a login
 * has them. All other descriptors must close on exec.
 */
pid_t launch_program(const struct launch *launch, struct error *err);

#endif
