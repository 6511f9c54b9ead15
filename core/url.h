/*
 * The one form in which servers are compared: "https://host[:port][/path]", the host in lower
 * case, the scheme's own port and closing slashes left out. http is accepted for loopback only.
 */
#ifndef JACAMAR_CORE_URL_H
#define JACAMAR_CORE_URL_H

#include <stdbool.h>

#include "core/error.h"

#define URL_SIZE 512

struct server {
	char url[URL_SIZE];  /* the whole of it */
	char host[URL_SIZE]; /* host[:port], as old tokens name their issuer */
};

/* Brings the URL of a server into that form. User names, queries and fragments are refused. */
int url_server(const char *url, struct server *out, struct error *err);

/* The same for the origin alone of a repository's URL, whose user name and path are dropped. */
int url_origin(const char *repository_url, struct server *out, struct error *err);

#endif
