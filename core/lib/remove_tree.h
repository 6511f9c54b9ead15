/*
 * Removes a directory tree that belongs to the account of this process. Its jobs may have put
 * anything into it: links, mount points, directories without permissions.
 */
#ifndef JACAMAR_CORE_LIB_REMOVE_TREE_H
#define JACAMAR_CORE_LIB_REMOVE_TREE_H

#include <stdint.h>

/*
 * Removes `name` in the directory `parent`, with all that is in it where it is a directory. No
 * link is followed, and no other file system entered (EXDEV). What cannot be removed stays, if not
 * always as deep in it as it was, and the rest goes. 0, or -1 with errno; ETIME where io_now_ms()
 * came to `deadline` (-1: none) before the end.
 */
int remove_tree(int parent, const char *name, int64_t deadline);

#endif
