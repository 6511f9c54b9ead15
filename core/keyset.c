#include "core/keyset.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>

#include "core/io.h"
#include "core/libraries.h"

#define FETCH_LIMIT_MS	      10000
#define AUTHORITIES_MOST_SIZE (1024 * 1024)

/* GitLab's two addresses of the same set; the second is the older. */
static const char *const paths[] = {"/oauth/discovery/keys", "/-/jwks"};

json_t *keyset_parse(const char *bytes, size_t size, struct error *err)
{
	json_error_t where;
	json_t *set = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
	if (set == NULL)
		error_set(err, ERROR_SYSTEM, "the key set is not JSON: %s at line %d", where.text,
			  where.line);
	else if (!json_is_array(json_object_get(set, "keys")))
		error_set(err, ERROR_SYSTEM, "the key set has no array \"keys\"");
	else
		return set;
	json_decref(set);
	return NULL;
}

/* curl's write callback; a short count ends the transfer. */
static size_t collect(char *bytes, size_t one, size_t size, void *user)
{
	struct keyset_bytes *keys = user;
	(void)one; /* always 1 */
	if (size > sizeof(keys->bytes) - keys->size)
		return 0;
	memcpy(keys->bytes + keys->size, bytes, size);
	keys->size += size;
	return size;
}

/* curl's header callback, for a line of the answer's header, of which one is of interest (RFC
 * 7231). */
static size_t note_date(char *bytes, size_t one, size_t size, void *user)
{
	static const char name[] = "Date:";
	struct keyset_answer *answer = user;
	char line[64];
	struct tm date = {.tm_isdst = 0};
	(void)one; /* always 1 */
	if (size < sizeof(name) || size >= sizeof(line) ||
	    strncasecmp(bytes, name, sizeof(name) - 1) != 0)
		return size;
	memcpy(line, bytes, size);
	line[size] = '\0';
	const char *text = line + sizeof(name) - 1;
	if (strptime(text + strspn(text, " "), "%a, %d %b %Y %H:%M:%S GMT", &date) != NULL)
		answer->date = timegm(&date);
	return size;
}

struct transfer {
	const char *url;
	const char *ca_file; /* NULL: the system's authorities */
	long limit_ms;
	long status;
};

static CURLcode transfer(const struct curl_library *curl, struct transfer *what,
			 struct keyset_bytes *keys, struct keyset_answer *answer)
{
	CURL *handle = curl->init();
	if (handle == NULL)
		return CURLE_OUT_OF_MEMORY;
	long tls_only = strncmp(what->url, "https:", 6) == 0 ? CURLPROTO_HTTPS : CURLPROTO_HTTP;
	keys->size = 0;
	curl->setopt(handle, CURLOPT_URL, what->url);
	curl->setopt(handle, CURLOPT_PROTOCOLS, tls_only);
	curl->setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl->setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl->setopt(handle, CURLOPT_TIMEOUT_MS, what->limit_ms);
	curl->setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
	curl->setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
	if (what->ca_file != NULL)
		curl->setopt(handle, CURLOPT_CAINFO, what->ca_file);
	curl->setopt(handle, CURLOPT_WRITEFUNCTION, collect);
	curl->setopt(handle, CURLOPT_WRITEDATA, keys);
	if (answer != NULL) {
		curl->setopt(handle, CURLOPT_HEADERFUNCTION, note_date);
		curl->setopt(handle, CURLOPT_HEADERDATA, answer);
	}
	CURLcode code = curl->perform(handle);
	if (code == CURLE_OK)
		curl->getinfo(handle, CURLINFO_RESPONSE_CODE, &what->status);
	curl->cleanup(handle);
	return code;
}

static const char *advice_on(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return "general.tls-ca-file must have its certificate authority";
	case CURLE_SSL_CACERT_BADFILE:
		return "general.tls-ca-file must hold certificates, as PEM";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "is general.gitlab_server right?";
	default:
		return "can this host reach it, and is general.gitlab_server right?";
	}
}

static int fetch_path(const struct curl_library *curl, const char *url, const char *ca_file,
		      int64_t deadline, struct keyset_bytes *keys, struct keyset_answer *answer,
		      long *status, struct error *err)
{
	/* The site's own authorities, then the system's: libcurl takes one file at a time. */
	const char *const authorities[] = {ca_file, NULL};
	CURLcode code = CURLE_OPERATION_TIMEDOUT;

	for (int i = ca_file != NULL ? 0 : 1; i < 2; i++) {
		struct transfer what = {.url = url, .ca_file = authorities[i]};
		what.limit_ms = (long)(deadline - io_now_ms());
		if (what.limit_ms <= 0)
			break;
		code = transfer(curl, &what, keys, answer);
		*status = what.status;
		if (code != CURLE_PEER_FAILED_VERIFICATION)
			break;
	}
	if (answer != NULL)
		answer->untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
	if (code == CURLE_WRITE_ERROR)
		return error_set(err, ERROR_SYSTEM, "%s answers with more than 256 KiB", url);
	if (code != CURLE_OK)
		return error_set(err, ERROR_SYSTEM, "cannot get the server's keys from %s: %s; %s",
				 url, curl->strerror(code), advice_on(code));
	return 0;
}

/*
 * libcurl wants a path, and the account that this runs as may not reach the file's own. A copy in
 * memory is this account's.
 */
static int copy_authorities(int from, char *path, size_t size, struct error *err)
{
	size_t length;
	cleanup_free char *text = io_read_to_end(from, AUTHORITIES_MOST_SIZE, &length);
	int copy = text != NULL ? memfd_create("authorities", MFD_CLOEXEC) : -1;
	if (copy < 0 || io_write_all(copy, text, length) != 0) {
		error_errno(err, ERROR_SYSTEM,
			    "cannot read the certificates of general.tls-ca-file");
		if (copy >= 0)
			close(copy);
		return -1;
	}
	snprintf(path, size, "/proc/self/fd/%d", copy);
	return copy;
}

int keyset_fetch(const struct server *server, int authorities, struct keyset_bytes *keys,
		 struct keyset_answer *answer, struct error *err)
{
	struct curl_library curl;
	char ca_path[32];
	const char *ca_file = authorities >= 0 ? ca_path : NULL;
	cleanup_close int copy = -1;
	int64_t deadline = io_now_ms() + FETCH_LIMIT_MS;
	long status = 0;
	char url[URL_SIZE + 32];

	if (answer != NULL)
		*answer = (struct keyset_answer){.date = -1};
	if (libraries_open_curl(&curl, err) != 0)
		return -1;
	if (authorities >= 0) {
		copy = copy_authorities(authorities, ca_path, sizeof(ca_path), err);
		if (copy < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(url, sizeof(url), "%s%s", server->url, paths[i]);
		if (fetch_path(&curl, url, ca_file, deadline, keys, answer, &status, err) != 0)
			return -1;
		if (status == 200)
			return 0;
		if (status != 404)
			break;
	}
	return error_set(err, ERROR_SYSTEM,
			 "%s answers with status %ld instead of the server's keys%s", url, status,
			 status / 100 == 3 ? "; redirects are not followed"
			 : status == 404   ? "; general.gitlab_server must be GitLab's own URL, "
					     "with a path only where GitLab has one"
					   : "");
}
