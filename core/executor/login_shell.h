/*
 * On the user's side: runs a login shell, which reads its commands from standard input, and waits
 * for its end and for the rest of its output.
 *
 * The commands write their result to the descriptor LOGIN_SHELL_REPORT. They must close this
 * descriptor for the programs that they start. The user's profile can end the shell, read its input
 * or execute something else: only a result proves that the commands have run to their end.
 */
#ifndef JACAMAR_CORE_EXECUTOR_LOGIN_SHELL_H
#define JACAMAR_CORE_EXECUTOR_LOGIN_SHELL_H

#include <stdbool.h>

#include "core/lib/error.h"
#include "core/protocol/channel.h"

/* Scripts use lower descriptors, and bash those from 63 down. */
#define LOGIN_SHELL_REPORT	"79"
#define LOGIN_SHELL_REPORT_SIZE 4097

struct login_shell {
	const struct channel_header *header;
	const char *lines;     /* the commands, with the last newline */
	bool output_to_errors; /* keeps output of the profile out of our standard output */
};

struct login_shell_end {
	bool cancelled;
	bool in_profiles;		      /* cancelled in profiles that take long */
	int status;			      /* of the shell itself, as waitpid has it */
	char report[LOGIN_SHELL_REPORT_SIZE]; /* the result; "": the commands wrote none */
	bool ended_forking;  /* processes that had the log open and kept forking were killed */
	bool log_is_held;    /* other processes kept the log open longer than jacamar waits */
	size_t holder_count; /* 0: none that could be examined */
	char holders[512];   /* "PID (NAME), ...", as many as fit */
};

/* Runs the shell to its end. `channel` has been read up to the end of its script. */
int login_shell_run(const struct login_shell *shell, const struct channel_reader *channel,
		    struct login_shell_end *end, struct error *err);

/* The bash to execute: `setting` ([general] shell_path), or a default if it is NULL. */
const char *login_shell_find(const char *setting);

/* `text` quoted for a shell, in new memory; NULL without memory. */
char *login_shell_quote(const char *text);

#endif
