/*
 * Small checks and conversions of untrusted text. Only text_format allocates memory.
 */
#ifndef JACAMAR_CORE_LIB_TEXT_H
#define JACAMAR_CORE_LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Replaces every byte that is not printable ASCII by '?', so that a line stays one line. */
void text_make_printable(char *text);

/* True if every byte is printable ASCII and there is at least one. */
bool text_is_printable(const char *text);

/* Sets of bytes that are often allowed in names. */
#define TEXT_DIGIT "0123456789"
#define TEXT_NAME  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_" TEXT_DIGIT
#define TEXT_WORD  TEXT_NAME "-"

/* True if `text` has 1 to `most` bytes, each out of `set`. */
bool text_is_made_of(const char *text, const char *set, size_t most);

/*
 * True if `text` can be one component of a path: 1 to `most` bytes of [A-Za-z0-9_.-], the first of
 * them not a dot.
 */
bool text_is_component(const char *text, size_t most);

/* True if a component of the path is "..". */
bool text_has_parent_component(const char *path);

/*
 * The length of the UTF-8 character at the beginning of the `size` bytes at `text`, and its code
 * point in *code; 0 if it is not well-formed.
 */
size_t text_character(const char *text, size_t size, uint32_t *code);

/* Reads a decimal number without sign, spaces or leading '+'. False if it is not one. */
bool text_to_u64(const char *text, uint64_t *value);

/* Writes the bytes as hexadecimal digits to `out`, of 2 * `size` + 1 bytes. */
void text_hex(const void *bytes, size_t size, char *out);

/* Copies with the closing NUL; false, with an empty `out`, if it does not fit. */
bool text_copy(char *out, size_t size, const char *text);

/* Formats into new memory, which the caller frees; NULL without memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
