#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

__attribute__((format(printf, 3, 0))) static void fill(struct error *err, enum error_kind kind,
						       const char *format, va_list args)
{
	err->kind = kind;
	err->notice[0] = '\0';
	if (vsnprintf(err->detail, sizeof(err->detail), format, args) < 0)
		err->detail[0] = '\0';
	text_make_printable(err->detail);
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(err, kind, format, args);
	va_end(args);
	return -1;
}

int error_errno(struct error *err, enum error_kind kind, const char *format, ...)
{
	int saved = errno;
	va_list args;
	va_start(args, format);
	fill(err, kind, format, args);
	va_end(args);

	size_t used = strlen(err->detail);
	snprintf(err->detail + used, sizeof(err->detail) - used, ": %s", strerror(saved));
	return -1;
}

int error_notify(struct error *err, const char *notice)
{
	snprintf(err->notice, sizeof(err->notice), "%s", notice);
	text_make_printable(err->notice);
	return -1;
}

int error_accept(struct error *err, const struct error *said)
{
	*err = *said;
	err->detail[sizeof(err->detail) - 1] = '\0';
	text_make_printable(err->detail);
	err->notice[0] = '\0'; /* nobody has anything to say to an attacker */
	if (err->kind != ERROR_DENIED)
		err->kind = ERROR_SYSTEM;
	return -1;
}
