/*
 * Whether nobody but root and this process's account can have had a hand in where a path leads.
 */
#ifndef JACAMAR_CORE_TRUST_H
#define JACAMAR_CORE_TRUST_H

#include "core/error.h"

/*
 * Checks the absolute `path`, `resolved`, which is where it leads, free of links, and every
 * directory above them: all must belong to root or to this process's account and not be writable
 * by group or others. `what` is there, for the error's text.
 */
int trust_check(const char *path, const char *resolved, const char *what, struct error *err);

#endif
