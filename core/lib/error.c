#include "core/lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/lib/text.h"

/* The arguments may be texts of *err. */
__attribute__((format(printf, 4, 0))) static void
fill(struct error *err, const char *key, enum error_kind kind, const char *format, va_list args)
{
	struct error filled = {.kind = kind};
	snprintf(filled.key, sizeof(filled.key), "%s", key);
	if (vsnprintf(filled.detail, sizeof(filled.detail), format, args) < 0)
		filled.detail[0] = '\0';
	text_make_printable(filled.detail);
	*err = filled;
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(err, "", kind, format, args);
	va_end(args);
	return -1;
}

int error_set_key(struct error *err, const char *key, enum error_kind kind, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(err, key, kind, format, args);
	va_end(args);
	return -1;
}

int error_errno(struct error *err, enum error_kind kind, const char *format, ...)
{
	int saved = errno;
	va_list args;
	va_start(args, format);
	fill(err, "", kind, format, args);
	va_end(args);

	size_t used = strlen(err->detail);
	snprintf(err->detail + used, sizeof(err->detail) - used, ": %s%s",
		 saved == EDQUOT ? "the quota of the account or its group is full: " : "",
		 strerror(saved));
	return -1;
}

int error_faked(struct error *err, const char *what)
{
	return error_set_key(
		err, what, ERROR_SYSTEM,
		"%s is not in effect, although the system reported success: is there a "
		"filter of system calls, of a container or of the runner's service?",
		what);
}

int error_cancelled(struct error *err)
{
	return error_set(err, ERROR_CANCELLED,
			 "the runner ended this stage (cancelled, or out of time)");
}

int error_notify(struct error *err, const char *notice)
{
	snprintf(err->notice, sizeof(err->notice), "%s", notice);
	text_make_printable(err->notice);
	return -1;
}

int error_refuse(struct error *err, enum error_refusal refusal)
{
	err->refusal = refusal;
	return -1;
}

int error_accept(struct error *err, const struct error *said)
{
	*err = *said;
	err->detail[sizeof(err->detail) - 1] = '\0';
	err->key[sizeof(err->key) - 1] = '\0';
	text_make_printable(err->detail);
	text_make_printable(err->key);
	err->place[0] = '\0';
	err->notice[0] = '\0'; /* the other process must not choose a text for the author */
	if (err->kind != ERROR_DENIED)
		err->kind = ERROR_SYSTEM;
	if (err->refusal != REFUSED_TOKEN && err->refusal != REFUSED_EXPIRED &&
	    err->refusal != REFUSED_AUDIENCE)
		err->refusal = REFUSED_HERE;
	return -1;
}
