/*
 * A directory tree of the present account, that its jobs have filled as they liked.
 */
#ifndef JACAMAR_CORE_TREE_H
#define JACAMAR_CORE_TREE_H

#include <stdint.h>

/*
 * Removes `name` in the directory `parent`, with all that is in it where it is a directory. No
 * link is followed, and no other file system entered (EXDEV). What cannot be removed stays, if not
 * always as deep in it as it was, and the rest goes. 0, or -1 with errno; ETIME where io_now_ms()
 * came to `deadline` (-1: none) before the end.
 */
int tree_remove(int parent, const char *name, int64_t deadline);

#endif
