/*
 * How a failure is reported: the function that knows most about it fills in a struct error, and its
 * callers pass it on unchanged.
 *
 * A function that can fail takes `struct error *err` as its last parameter and returns 0, or -1
 * with *err filled. Only applets/ prints: there, the kind of the error becomes an exit code, and it
 * is decided whether the job's log may show `detail`.
 */
#ifndef JACAMAR_CORE_LIB_ERROR_H
#define JACAMAR_CORE_LIB_ERROR_H

enum error_kind {
	ERROR_NONE,
	ERROR_USAGE,  /* a wrong call of the program */
	ERROR_DENIED, /* not permitted; the reason is for the site's staff, not for the job's log */
	ERROR_CANCELLED, /* the runner ended the stage; only jacamar-auth reports that */
	ERROR_SYSTEM,	 /* any other failure */
};

/*
 * For ERROR_DENIED: what the job's author may learn about a refusal that another process reports.
 */
enum error_refusal {
	REFUSED_HERE,	  /* only that the job is not permitted here */
	REFUSED_TOKEN,	  /* the id token could not be verified */
	REFUSED_EXPIRED,  /* the token was issued for this site, and has expired */
	REFUSED_AUDIENCE, /* the token was issued for another audience */
};

#define ERROR_TEXT_SIZE	  1024
#define ERROR_NOTICE_SIZE 256
#define ERROR_KEY_SIZE	  48
#define ERROR_PLACE_SIZE  256

/* A plain value that owns no memory: a confined child sends it to its parent as bytes. */
struct error {
	enum error_kind kind;
	enum error_refusal refusal;
	/*
	 * The key of the configuration that caused the error, such as "auth.min_uid", or another
	 * part of the site's setup, such as "jacamar-auth"; "": neither. With a key, an
	 * ERROR_SYSTEM is for the site's staff, not for the job's log.
	 */
	char key[ERROR_KEY_SIZE];
	char detail[ERROR_TEXT_SIZE]; /* one line; control characters are already escaped */
	/* Where the configuration sets the key: only for the site's staff. "": nowhere. */
	char place[ERROR_PLACE_SIZE];
	/*
	 * For ERROR_DENIED: the text for the job's author, who may be an attacker. It says nothing
	 * about the site's lists, and nothing about another account. "": only that the job is not
	 * permitted here.
	 */
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

/*
 * The same for an error about `key`, so that the applet can fill in `place`. All of
 * these may take err's own texts: error_set_key(err, err->key, err->kind, "%s; ...", err->detail)
 * adds to an error.
 */
int error_set_key(struct error *err, const char *key, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Sets the error that `what` is not in effect, although its system call reported success: a filter
 * of system calls can cause that. If `what` is a key of the configuration, the error is about that
 * key. Returns -1.
 */
int error_faked(struct error *err, const char *what);

/*
 * Sets the error that the runner ended the stage: it has cancelled the job, or the job is out of
 * time. This process cannot know which.
 */
int error_cancelled(struct error *err);

/* Adds the text for the job's author, and returns -1. */
int error_notify(struct error *err, const char *notice);

/*
 * Sets what the job's author may learn, and returns -1. error_accept keeps this, unlike a notice.
 */
int error_refuse(struct error *err, enum error_refusal refusal);

/*
 * Passes on an error that another process has reported, and returns -1. That process may have been
 * taken over by what it parsed: the text is terminated and made printable, and the kind is
 * restricted to those that it may report.
 */
int error_accept(struct error *err, const struct error *said);

#endif
