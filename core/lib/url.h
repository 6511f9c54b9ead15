/*
 * Brings the URL of a server into a normal form, so that two URLs can be compared:
 * "https://host[:port][/path]", with the host in lower case, and without the default port and
 * slashes at the end. http is accepted only for loopback hosts.
 */
#ifndef JACAMAR_CORE_LIB_URL_H
#define JACAMAR_CORE_LIB_URL_H

#include <stdbool.h>

#include "core/lib/error.h"

#define URL_SIZE 512

struct server {
	char url[URL_SIZE];  /* the normal form */
	char host[URL_SIZE]; /* host[:port], the issuer in old tokens */
};

/* Normalizes the URL of a server. User names, queries and fragments are refused. */
int url_server(const char *url, struct server *out, struct error *err);

/* The same for a repository's URL, whose user name and path are dropped. */
int url_origin(const char *repository_url, struct server *out, struct error *err);

#endif
