/*
 * How a failure travels: filled in once, at the place that knows most, and handed up unchanged.
 *
 * A function that can fail takes `struct error *err` as its last parameter and returns 0, or -1
 * with *err filled. Nobody below applets/ prints; the applet turns the kind into an exit code and
 * decides whether `detail` may be shown in the job's log.
 */
#ifndef JACAMAR_CORE_ERROR_H
#define JACAMAR_CORE_ERROR_H

enum error_kind {
	ERROR_NONE,
	ERROR_USAGE,	 /* a wrong call of the program */
	ERROR_DENIED,	 /* who asked may not; the reason is for the site's staff, not for the job's
			    log */
	ERROR_CANCELLED, /* the job was ended from outside */
	ERROR_SYSTEM,	 /* anything else that kept the job from running */
};

#define ERROR_TEXT_SIZE	  1024
#define ERROR_NOTICE_SIZE 256

/* A plain value, no memory of its own: it crosses from a confined child as bytes. */
struct error {
	enum error_kind kind;
	char detail[ERROR_TEXT_SIZE]; /* one line; control characters are already escaped */
	/* Of ERROR_DENIED: what may be said to the one who was refused; "" where nothing may. */
	char notice[ERROR_NOTICE_SIZE];
};

/*
 * Fill in *err and return -1, so that `return error_set(...)` reads as one step. The text is cut
 * at ERROR_TEXT_SIZE and made printable. error_errno appends ": " and strerror(errno).
 */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int error_errno(struct error *err, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds what may be said to the one who was refused, and returns -1. */
int error_notify(struct error *err, const char *notice);

/*
 * Hands on what another process says went wrong, and returns -1. That process may have been taken
 * over by what it parsed: the text is ended and made printable, the kind one that it may report.
 */
int error_accept(struct error *err, const struct error *said);

#endif
