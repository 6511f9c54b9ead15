/*
 * A GET request to a GitLab server, over TLS (RFC 9110), for a confined child that has the network.
 *
 * Redirects are not followed: they could lead to another origin.
 */
#ifndef JACAMAR_CORE_IDENTITY_HTTP_H
#define JACAMAR_CORE_IDENTITY_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/lib/error.h"

#define HTTP_MOST_SIZE (256 * 1024)

/* Why the server's certificate was refused. */
enum http_distrust {
	HTTP_TRUSTED, /* or not checked */
	HTTP_UNKNOWN_AUTHORITY,
	HTTP_EXPIRED,
	HTTP_NOT_YET_VALID,
	HTTP_OTHER_HOST,
};

struct http_request {
	const char *server;	  /* a URL without a trailing slash */
	const char *const *paths; /* tried in order while the status is 404; ends in NULL */
	const char *header;	  /* an additional line, "NAME: VALUE"; NULL: none */
	const char *purpose;	  /* what is requested, for errors: "the server's keys" */
};

/* The fields are valid after a failure, too. */
struct http_answer {
	long status; /* 0: no answer */
	size_t path; /* index of the path that was requested last */
	enum http_distrust distrust;
	int64_t date; /* the server's time, in seconds of time(2); -1: unknown */
	size_t size;  /* of the body */
	char bytes[HTTP_MOST_SIZE];
};

/*
 * Opens general.tls-ca-file, a file of certificates that are trusted beside the system's. *fd is -1
 * if the setting is not set. The child could not open it.
 */
int http_open_authorities(const struct general_settings *settings, int *fd, struct error *err);

/*
 * Requests the paths, for 10 s in all; `authorities` is a descriptor of that file, or -1. Returns 0
 * for an answer of any status.
 */
int http_get(const struct http_request *request, int authorities, struct http_answer *answer,
	     struct error *err);

/*
 * Runs work(argument, answer, err), which calls http_get, in a confined child with the network. The
 * bytes of the answer are as untrusted as the server.
 */
int http_run_confined(int (*work)(const void *argument, void *answer, struct error *err),
		      const void *argument, int authorities, struct http_answer *answer,
		      struct error *err);

#endif
