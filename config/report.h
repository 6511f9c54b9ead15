/*
 * What is wrong with one configuration file: findings with their lines, in the order of the lines.
 *
 * A file is read to its end before it is refused, so that an administrator sees every error at
 * once. The first REPORT_MAX are kept.
 */
#ifndef JACAMAR_CONFIG_REPORT_H
#define JACAMAR_CONFIG_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define REPORT_MAX 200

struct finding {
	size_t line;
	char *text;
};

/* Starts as `{.path = path}`; `path` is borrowed. */
struct report {
	const char *path;
	struct finding findings[REPORT_MAX];
	size_t count;
	bool overflow;	    /* there were more findings */
	bool out_of_memory; /* nothing that was read may be used */
};

/* A piece of the file, in quotes: short, and printable ASCII only. */
struct excerpt {
	char text[128];
};

void report_add(struct report *report, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_vadd(struct report *report, size_t line, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/* True if there are no findings and memory was not short. */
bool report_is_clean(const struct report *report);

bool report_has_line(const struct report *report, size_t line);

/*
 * All findings as `path:line: text`, one a line, without a newline after the last. The caller frees
 * it; NULL if memory is short.
 */
char *report_text(const struct report *report);

/* Frees the findings. */
void report_clear(struct report *report);

struct excerpt report_excerpt(const char *text);

/*
 * Writes `size` bytes of `text` to `out`, and a NUL. Bytes that are not printable ASCII become
 * \xNN, quotes and backslashes \" and \\, so that different texts look different. Stops where
 * `room` is too small; 4 * size + 1 is always enough. Returns the number of bytes written so.
 */
size_t report_escape(char *out, size_t room, const char *text, size_t size);

#endif
