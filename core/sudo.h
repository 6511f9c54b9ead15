/*
 * sudo(8) as the way to the user's account: it needs no privilege of ours, but a line of sudoers
 * that lets the service account execute jacamar as that user.
 *
 *   sudo -n -u USER -- JACAMAR --no-auth STAGE env-script [SUBSTAGE]
 */
#ifndef JACAMAR_CORE_SUDO_H
#define JACAMAR_CORE_SUDO_H

#include "core/error.h"
#include "core/state.h"

/* What stands before JACAMAR on that command line. */
#define SUDO_ARGUMENTS 5

/*
 * The sudo to execute: the first of two fixed places that has a program of root's with the
 * set-user-id bit, which nobody else can write. NULL with *err where there is none.
 */
const char *sudo_find(struct error *err);

/* The same for given places, NULL at their end; what the tests call. */
const char *sudo_find_among(const char *const *places, struct error *err);

/* Puts what stands before JACAMAR into `arguments`; they borrow from `state`. */
void sudo_arguments(const struct state *state, const char *arguments[SUDO_ARGUMENTS]);

/* All that sudo gets as its environment; the user's comes over the channel. */
char *const *sudo_environment(void);

/*
 * Fills *err where sudo ended with `code` and nothing came from the user's side: which line of
 * sudoers it takes. Returns -1.
 */
int sudo_explain(const struct state *state, const char *stage, int code, struct error *err);

#endif
