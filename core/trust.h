/*
 * Whether nobody but root and this process's account can have had a hand in where a path leads.
 */
#ifndef JACAMAR_CORE_TRUST_H
#define JACAMAR_CORE_TRUST_H

#include "core/error.h"

/*
 * Follows the absolute `path` to what it leads to, free of links, in new memory. Every directory
 * and every link that is come by must belong to root or to this process's account, and, as what it
 * leads to, not be writable by group or others. `what` is there, for the error's text.
 */
char *trust_resolve(const char *path, const char *what, struct error *err);

#endif
