/*
 * The executor "shell": a sub-stage's script runs on this host, under the user's login shell.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SHELL_H
#define JACAMAR_CORE_EXECUTOR_SHELL_H

#include "core/executor/login_shell.h"
#include "core/lib/error.h"
#include "core/protocol/channel.h"
#include "core/workspace/script.h"

/* For messages about SIGKILL. */
#define SHELL_OUT_OF_MEMORY "; the usual cause is that the job ran out of memory"

/*
 * Runs the script to its end; *exit_code is the script's (128 + n if signal n has killed it). It is
 * an error if the job was cancelled, or if the login shell ended before the script did.
 */
int shell_run(const struct script *script, const struct channel_header *header,
	      const struct channel_reader *channel, int *exit_code, struct login_shell_end *end,
	      struct error *err);

/*
 * What the login shell reads after its profiles, in new memory: commands that run the script's file
 * and write its exit code to descriptor LOGIN_SHELL_REPORT. NULL without memory.
 */
char *shell_compose_lines(const struct script *script, const struct channel_header *header);

/* The error of a login shell that ended with `status` before it reported; returns -1. */
int shell_explain(int status, struct error *err);

/*
 * Runs [general] prepare_hook, if there is one, as a script of the job would be run, but without
 * the user's own profile.
 */
int shell_run_prepare_hook(const struct channel_header *header,
			   const struct channel_reader *channel, struct login_shell_end *end,
			   struct error *err);

/* Gets the image in which the job's scripts run: container.h. In a login shell, like a script. */
int shell_pull_image(const struct channel_header *header, const struct channel_reader *channel,
		     struct login_shell_end *end, struct error *err);

#endif
