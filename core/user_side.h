/*
 * Starting the user's side of a stage, given the job's state: the environment, the profiles and
 * the script that go over the channel.
 */
#ifndef JACAMAR_CORE_USER_SIDE_H
#define JACAMAR_CORE_USER_SIDE_H

#include "core/error.h"
#include "core/session.h"
#include "core/state.h"

struct user_side {
	const struct state *state;
	const char *stage;
	const char *substage; /* run alone, else NULL, as is: */
	const char *script;   /* the path of the runner's file */
	const char *data_dir; /* config alone, else NULL: for the user's shell to resolve */
	int output;	      /* session.h */
	rlim_t core_limit;
};

int user_side_run(const struct user_side *side, struct session_end *end, struct error *err);

/*
 * What an ended session means where no exit code of a script is expected: 0, or -1 with *err. An
 * empty err->detail says that the user's side has explained itself in the log.
 */
int user_side_check(const struct session_end *end, struct error *err);

#endif
