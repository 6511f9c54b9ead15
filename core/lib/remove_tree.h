/*
 * Removes a directory tree that belongs to the account of this process. Its jobs may have put
 * anything into it: links, mount points, directories without permissions.
 */
#ifndef JACAMAR_CORE_LIB_REMOVE_TREE_H
#define JACAMAR_CORE_LIB_REMOVE_TREE_H

#include <stdint.h>

/*
 * Removes `name` in the directory `parent`; if it is a directory, with its contents. Follows no
 * link, and enters no other file system (EXDEV). What cannot be removed stays, perhaps nearer to
 * the top of the tree; all else is removed. 0, or -1 with errno; ETIME if `deadline`, on
 * io_now_ms()'s clock (-1: none), passed before the end.
 */
int remove_tree(int parent, const char *name, int64_t deadline);

#endif
