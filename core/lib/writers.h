/*
 * Which accounts can write to a directory with files of a job.
 */
#ifndef JACAMAR_CORE_LIB_WRITERS_H
#define JACAMAR_CORE_LIB_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/lib/account.h"
#include "core/lib/error.h"

/*
 * Fails if an account other than root, the owner and `user` can write to the directory `path`, or
 * if that is not known; *err names who can. The directory's group may be able to write if no
 * account but `user` is in it, and no access control list names others. `fd` is the directory, or
 * -1.
 */
int writers_check(const char *path, int fd, const struct stat *found, const struct account *user,
		  struct error *err);

/*
 * True for an access control list of NFS version 4, in the form of the kernel, that names no
 * account and no group: it permits no more than the mode.
 */
bool writers_nfs4_list_is_plain(const unsigned char *list, size_t size);

#endif
