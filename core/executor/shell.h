/*
 * The executor "shell": a sub-stage's script runs on this host, under the user's login shell.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SHELL_H
#define JACAMAR_CORE_EXECUTOR_SHELL_H

#include <sys/resource.h>

#include "core/channel.h"
#include "core/error.h"
#include "core/login_shell.h"
#include "core/script.h"

/*
 * Runs the script to its end; *exit_code is its own (128 + n where signal n ended it). A job that
 * was cancelled, and a login shell that ended before the script did, are errors.
 */
int shell_run(const struct script *script, const struct channel_header *header,
	      const struct channel_reader *channel, rlim_t core_limit, int *exit_code,
	      struct login_shell_end *end, struct error *err);

/*
 * What the login shell is fed after its profiles, in new memory: it runs the script's file and
 * reports its code, a line on descriptor LOGIN_SHELL_REPORT. NULL without memory.
 */
char *shell_compose_lines(const struct script *script, const struct channel_header *header);

/* The error of a login shell that ended with `status` before it reported; returns -1. */
int shell_explain(int status, struct error *err);

#endif
