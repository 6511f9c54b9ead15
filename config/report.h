/*
 * What is wrong with one configuration file: findings with their lines, in the order of the lines.
 *
 * A file is read to its end before it is refused, so that an administrator sees every error at
 * once. The first REPORT_MAX are kept: more come only from a file that is no configuration.
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
	bool overflow;	    /* there was more than fits */
	bool out_of_memory; /* nothing that was read may be used */
};

/* A piece of the file, in quotes and fit to be printed: short, and every byte of it visible. */
struct excerpt {
	char text[128];
};

void report_add(struct report *report, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_vadd(struct report *report, size_t line, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/* True where nothing was found, and memory sufficed to find it. */
bool report_is_clean(const struct report *report);

bool report_has_line(const struct report *report, size_t line);

/*
 * All findings as `path:line: text`, one a line, without a newline after the last. The caller
 * frees it; NULL where memory is short.
 */
char *report_text(const struct report *report);

/* Frees the findings. */
void report_clear(struct report *report);

struct excerpt report_excerpt(const char *text);

/*
 * Writes `size` bytes of `text` to `out` with every byte outside of printable ASCII as \xNN and
 * with \" and \\, so that no two texts look alike, and ends it with NUL. Stops before the first
 * byte for which `room` is too small; 4 * size + 1 always suffice. Returns the bytes taken.
 */
size_t report_escape(char *out, size_t room, const char *text, size_t size);

#endif
