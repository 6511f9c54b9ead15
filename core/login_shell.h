/*
 * On the user's side: a login shell, told what to do by lines on its standard input, and watched
 * until it and what it left in the way are gone.
 *
 * The line reports its result on descriptor LOGIN_SHELL_REPORT, which it must close for what it
 * runs. A profile can end the shell, read its input or execute something else: only a report
 * tells that the line was run to its end.
 */
#ifndef JACAMAR_CORE_LOGIN_SHELL_H
#define JACAMAR_CORE_LOGIN_SHELL_H

#include <stdbool.h>
#include <sys/resource.h>

#include "core/channel.h"
#include "core/error.h"

/* Above what scripts use by hand, below where bash puts its own from 63 down. */
#define LOGIN_SHELL_REPORT	"79"
#define LOGIN_SHELL_REPORT_SIZE 4097

struct login_shell {
	const struct channel_header *header;
	const char *lines;     /* what the shell is fed, the last newline included */
	bool output_to_errors; /* the profile's chatter must not mix with our own output */
	rlim_t core_limit;     /* what the shell gets back: downscope.h, privilege_hide_memory */
};

struct login_shell_end {
	bool cancelled;
	int status;			      /* of the shell itself, as waitpid has it */
	char report[LOGIN_SHELL_REPORT_SIZE]; /* "" where none came */
	char left_behind[512]; /* processes that were ended because they held the log open; or "" */
};

/* Runs it to its end. `channel` has been read up to the end of its script. */
int login_shell_run(const struct login_shell *shell, const struct channel_reader *channel,
		    struct login_shell_end *end, struct error *err);

/* The bash to execute: `setting`, [general] shell_path, unless it is NULL. Not checked. */
const char *login_shell_find(const char *setting);

/* `text` quoted for a shell, in new memory; NULL without memory. */
char *login_shell_quote(const char *text);

#endif
