/*
 * What config must know and only the user can find out: a variable of the user's shell, and which
 * builds directory no other job has.
 */
#ifndef JACAMAR_CORE_STAGE_ASK_USER_H
#define JACAMAR_CORE_STAGE_ASK_USER_H

#include <stddef.h>

#include "core/lib/error.h"
#include "core/protocol/state.h"

/*
 * Runs the user's side of config. It answers what the variable of `data_dir` is in the user's
 * shell; if `data_dir` is NULL, which builds directory the job gets. The answer is not checked. It
 * is copied to `text`, even if the user's side fails after it has answered; without an answer
 * `text` is "".
 */
int ask_user(const struct state *state, const char *data_dir, char *text, size_t size,
	     struct error *err);

#endif
