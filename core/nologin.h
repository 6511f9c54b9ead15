/*
 * nologin(5): a file by which a host is closed to logins, for maintenance or while it goes down.
 */
#ifndef JACAMAR_CORE_NOLOGIN_H
#define JACAMAR_CORE_NOLOGIN_H

#include <stddef.h>

/*
 * The first such file that is there, as pam_nologin(8) looks for them, or NULL; what it says, cut
 * to `size` bytes and in one line, goes to `text`.
 */
const char *nologin_file(char *text, size_t size);

#endif
