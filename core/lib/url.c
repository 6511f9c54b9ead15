#include "core/lib/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/lib/text.h"

static bool is_loopback(const char *host)
{
	struct in_addr address;
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static bool is_host(const char *host)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;
	size_t length = strlen(host);
	if (host[0] != '[')
		return length > 0 && host[0] != '.' && host[0] != '-' &&
		       strstr(host, "..") == NULL &&
		       strspn(host, "abcdefghijklmnopqrstuvwxyz" TEXT_DIGIT ".-") == length;
	snprintf(address, sizeof(address), "%.*s", (int)length - 2, host + 1);
	return length > 2 && length - 2 < sizeof(address) && host[length - 1] == ']' &&
	       inet_pton(AF_INET6, address, &binary) == 1;
}

/* Moves the ":port" of `host` to `port`, or drops the default one; false if it is not valid. */
static bool take_port(char *host, bool tls, char *port, size_t port_size)
{
	char *colon = strrchr(host, ':');
	uint64_t number = 0;

	port[0] = '\0';
	if (colon == NULL || strchr(colon, ']') != NULL)
		return true;
	if (!text_to_u64(colon + 1, &number) || number == 0 || number > 65535)
		return false;
	*colon = '\0';
	if (number != (tls ? 443 : 80))
		snprintf(port, port_size, ":%u", (unsigned int)number);
	return true;
}

static int parse(const char *url, bool origin_only, struct server *out, struct error *err)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	if (!tls && strncmp(url, "http://", 7) != 0)
		return error_set(err, ERROR_SYSTEM, "the server's URL is not https://");
	const char *rest = url + (tls ? 8 : 7);
	size_t length = strcspn(rest, "/?#");
	const char *path = rest + length;

	if (origin_only) {
		const char *at = memrchr(rest, '@', length);
		if (at != NULL) {
			length -= (size_t)(at + 1 - rest);
			rest = at + 1;
		}
		path = "";
	}

	char host[256];
	char port[16];
	if (length >= sizeof(host))
		return error_set(err, ERROR_SYSTEM, "the server's host name is too long");
	for (size_t i = 0; i < length; i++)
		host[i] = (char)tolower((unsigned char)rest[i]);
	host[length] = '\0';
	if (!take_port(host, tls, port, sizeof(port)) || !is_host(host))
		return error_set(err, ERROR_SYSTEM,
				 "the host[:port] of the server's URL is missing or malformed");
	if (!tls && !is_loopback(host))
		return error_set(err, ERROR_SYSTEM, "http:// is for loopback only, not for %s",
				 host);

	size_t path_length = strlen(path);
	while (path_length > 0 && path[path_length - 1] == '/')
		path_length--;
	if (strspn(path, TEXT_WORD "./~") < path_length || path_length > 200)
		return error_set(err, ERROR_SYSTEM,
				 "the server's URL has a path with unusual characters");

	if (snprintf(out->host, sizeof(out->host), "%s%s", host, port) >= (int)sizeof(out->host) ||
	    snprintf(out->url, sizeof(out->url), "%s://%s%s%.*s", tls ? "https" : "http", host,
		     port, (int)path_length, path) >= (int)sizeof(out->url))
		return error_set(err, ERROR_SYSTEM, "the server's URL is too long");
	return 0;
}

int url_server(const char *url, struct server *out, struct error *err)
{
	return parse(url, false, out, err);
}

int url_origin(const char *repository_url, struct server *out, struct error *err)
{
	return parse(repository_url, true, out, err);
}
