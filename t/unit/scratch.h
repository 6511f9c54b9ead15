/*
 * Directories and files for a test. They all lie in one directory, which main() removes when the
 * tests are over, also after those that failed.
 */
#ifndef JACAMAR_UNIT_SCRATCH_H
#define JACAMAR_UNIT_SCRATCH_H

#include <sys/types.h>

#define SCRATCH_SIZE 1024

/* For main(): makes that directory, and removes it with all that is in it. */
int scratch_open_root(char root[SCRATCH_SIZE]);
void scratch_remove(const char *path);

/* A path as a value. */
struct path {
	char text[SCRATCH_SIZE];
};

struct path path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A new, empty directory of mode 0700. */
struct path scratch_make(void);

/* A new file; a mode that the umask does not touch. Fails the test where it cannot be made. */
void scratch_write(const char *path, const char *text, mode_t mode);
void scratch_directory(const char *path, mode_t mode);
void scratch_link(const char *target, const char *path);

/* The file's bytes with a NUL behind, in new memory. */
char *scratch_read(const char *path, size_t *size);

#endif
