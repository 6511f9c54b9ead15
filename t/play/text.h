/*
 * Growing text, and other small functions for every part of t/runner. If memory runs out, the
 * program ends.
 */
#ifndef JACAMAR_T_PLAY_TEXT_H
#define JACAMAR_T_PLAY_TEXT_H

#include <stddef.h>

#define EXIT_USAGE 64

/* `data` is NULL or ends in a zero byte, which `length` does not count. {0} is an empty text. */
struct text {
	char *data;
	size_t length;
	size_t size;
};

void text_add(struct text *text, const void *bytes, size_t length);
void text_string(struct text *text, const char *string);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

/* The whole file; an error ends the program with EXIT_USAGE. */
struct text text_of_file(const char *path);

/* New memory, to be freed by the caller; never NULL. */
char *formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *copied(const char *string);
void *resized(void *array, size_t count, size_t size);

void strings_free(char **strings); /* a list that ends in NULL */

void die(int code, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
