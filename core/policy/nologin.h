/*
 * nologin(5): a file that closes a host to logins, during maintenance or a shutdown.
 */
#ifndef JACAMAR_CORE_POLICY_NOLOGIN_H
#define JACAMAR_CORE_POLICY_NOLOGIN_H

#include <stddef.h>

/*
 * The first such file that exists, in pam_nologin(8)'s order; NULL if none does. Its contents go to
 * `text`, as one line of at most `size` bytes.
 */
const char *nologin_file(char *text, size_t size);

#endif
