/*
 * Becoming the user by sudo(8). It needs no privilege of jacamar-auth, but lines in sudoers that
 * let the service account execute jacamar as that user.
 *
 *   sudo -n -u USER -- JACAMAR --no-auth STAGE env-script [SUBSTAGE]
 */
#ifndef JACAMAR_CORE_STAGE_SUDO_H
#define JACAMAR_CORE_STAGE_SUDO_H

#include "core/lib/error.h"
#include "core/protocol/state.h"

/* The number of arguments before JACAMAR. */
#define SUDO_ARGUMENTS 5

/*
 * The path of sudo: the first of two fixed paths with a set-user-ID program that is owned by root
 * and that only root can write. NULL with *err if there is none.
 */
const char *sudo_find(struct error *err);

/* The same for a list of paths that ends with NULL; for the tests. */
const char *sudo_find_among(const char *const *places, struct error *err);

/* Sets the arguments before JACAMAR; they borrow from `state`. */
void sudo_arguments(const struct state *state, const char *arguments[SUDO_ARGUMENTS]);

/* The account's name for sudoers(5), with each backslash doubled. */
#define SUDO_NAME_SIZE (2 * ACCOUNT_NAME_SIZE)
void sudo_quote_name(const char *name, char out[SUDO_NAME_SIZE]);

/* The whole environment of sudo; the user's environment comes over the channel. */
char *const *sudo_environment(void);

/*
 * The error for a sudo that ended with `code` before the user's side answered: it shows the line
 * that sudoers must have. Returns -1.
 */
int sudo_explain(const struct state *state, const char *stage, int code, struct error *err);

#endif
