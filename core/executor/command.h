/*
 * Running a scheduler's commands, as the user and without a shell, bounded in time and output.
 */
#ifndef JACAMAR_CORE_EXECUTOR_COMMAND_H
#define JACAMAR_CORE_EXECUTOR_COMMAND_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "core/channel.h"
#include "core/error.h"
#include "core/executor/scheduler.h"
#include "core/words.h"

/* Where and how all of them run. */
struct command_site {
	struct words environment; /* owned */
	const char *directory;	  /* that the commands lie in; NULL: they are looked for in PATH */
	rlim_t core_limit;	  /* launch.h */
};

/*
 * The user's environment, with [batch] env_vars set; $NAME and ${NAME} in their values are of the
 * environment as it is made so far. The caller calls command_site_free also after a failure.
 */
int command_site_make(struct command_site *site, const struct channel_header *header,
		      rlim_t core_limit, struct error *err);
void command_site_free(struct command_site *site);

/* The path of the command of that name, in new memory, or NULL with *err. */
char *command_find(const struct command_site *site, const char *name, struct error *err);

/* One that runs. What does not fit into `result` is dropped. */
struct command {
	pid_t child; /* 0: none runs */
	int output;
	int errors;
	size_t output_size;
	size_t errors_size;
	int64_t deadline; /* on io_now_ms's clock */
	bool in_time;	  /* false once it was ended at its deadline */
	struct command_result result;
};

/* Executes arguments[0], found at the site. */
int command_start(struct command *command, const struct command_site *site,
		  const struct words *arguments, int64_t limit_ms, struct error *err);

/* Takes what it has printed; true once it has ended, and `result` is whole. */
bool command_step(struct command *command);

/* What to wait for until the next step, beside SIGCHLD and the deadline. */
void command_poll(const struct command *command, struct pollfd sources[2]);

/* Ends it without a result; none running is fine. */
void command_abort(struct command *command);

/* What stands in a template, braces included, and for what. */
struct placeholder {
	const char *name; /* NULL ends the list */
	const char *value;
};

/*
 * Adds the words of `template`, filled in; "{arguments}" alone stands for all of `arguments`.
 * False without memory.
 */
bool command_compose(struct words *command, const char *const *template,
		     const struct placeholder *known, const struct words *arguments);

#endif
