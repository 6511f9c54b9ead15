/*
 * The program that is executed as the user: which one, and whether only root could have put it
 * there.
 */
#ifndef JACAMAR_CORE_PROGRAM_H
#define JACAMAR_CORE_PROGRAM_H

#include <stdbool.h>

#include "core/error.h"

/*
 * The path of `jacamar`, in new memory: the setting [auth] jacamar_path (a file, or a directory
 * with `jacamar` in it; NULL: unset), else the one beside the running executable, else the
 * installed one. Where `check` is set it has passed program_check().
 */
char *program_find(const char *setting, bool check, struct error *err);

/*
 * The file, and each directory on the way to it and to what its links lead to, must belong to
 * root or to the service account and not be writable by group or others.
 */
int program_check(const char *path, struct error *err);

#endif
