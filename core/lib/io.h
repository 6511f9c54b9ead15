/*
 * Reading and writing completely, closing, and variables that are closed or freed when a function
 * returns.
 */
#ifndef JACAMAR_CORE_LIB_IO_H
#define JACAMAR_CORE_LIB_IO_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/lib/error.h"

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_listing(DIR *const *listing)
{
	if (*listing != NULL)
		closedir(*listing);
}

#define cleanup_free	__attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_close	__attribute__((cleanup(cleanup_close_fd)))
#define cleanup_listing __attribute__((cleanup(cleanup_close_listing)))

/* Writes all of it; 0, or -1 with errno. */
int io_write_all(int fd, const void *bytes, size_t size);

/* Reads until `size` bytes are there or the file ends; the number read, or -1 with errno. */
ssize_t io_read_full(int fd, void *bytes, size_t size);

/*
 * Reads to the end of file into new memory (the caller frees it), with a NUL after the last byte.
 * NULL with errno; EFBIG if there are more than `most` bytes.
 */
char *io_read_to_end(int fd, size_t most, size_t *size);

/*
 * Reads the beginning of a file below an open directory, and ends it with a NUL: at most `size`
 * bytes, the NUL included. The number of bytes read, or -1 with errno and "" in `text`.
 */
ssize_t io_read_text(int directory, const char *path, char *text, size_t size);

/* Lists the directory `path` below an open one ("." for that one); NULL with errno. */
DIR *io_list(int directory, const char *path);

/* Replaces standard input, output and error by /dev/null. */
int io_close_standard(struct error *err);

/* Closes every descriptor from `first` on. */
int io_close_from(int first, struct error *err);

/* Milliseconds of the monotonic clock. */
int64_t io_now_ms(void);

#endif
