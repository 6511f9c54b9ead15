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
 * installed one. It is not checked yet.
 */
char *program_find(const char *setting, struct error *err);

/*
 * The file that `path` leads to, in new memory and free of links: what to execute. Where `check`
 * is set, that file and each directory above it, and those above `path` as it is spelled, must
 * belong to root or to the service account and not be writable by group or others.
 */
char *program_resolve(const char *path, bool check, struct error *err);

#endif
