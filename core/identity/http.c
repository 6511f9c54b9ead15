#include "core/identity/http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>

#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/url.h"
#include "core/privilege/confine.h"

#define LIMIT_MS	      10000
#define AUTHORITIES_MOST_SIZE (1024 * 1024)

/* Longer than LIMIT_MS, so that the child can report its own error. */
#define CHILD_LIMIT_MS 15000

struct transfer {
	const struct curl_library *curl;
	const struct http_request *request;
	struct http_answer *answer;
	const char *url;
	const char *ca_file; /* NULL: the system's authorities */
	int64_t deadline;
	/* Results: */
	long verified; /* a code of X509_STORE_CTX_get_error(3) */
	char reason[CURL_ERROR_SIZE];
};

/* curl's write callback; a short count ends the transfer. */
static size_t collect(char *bytes, size_t one, size_t size, void *user)
{
	struct http_answer *answer = user;
	(void)one; /* always 1 */
	if (size > sizeof(answer->bytes) - answer->size)
		return 0;
	memcpy(answer->bytes + answer->size, bytes, size);
	answer->size += size;
	return size;
}

/* curl's header callback, called for each line; only Date: (RFC 9110) is used. */
static size_t note_date(char *bytes, size_t one, size_t size, void *user)
{
	static const char name[] = "Date:";
	struct http_answer *answer = user;
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

/*
 * Codes of <openssl/x509_vfy.h>; libcurl.so.4 uses OpenSSL. libcurl compares the host name before
 * it reads the code. So if the name is wrong, the code is still its initial value or, in other
 * versions, "good".
 */
#define VERIFIED_GOOD	       0
#define VERIFIED_NOT_ASKED     1
#define VERIFIED_NOT_YET_VALID 9
#define VERIFIED_EXPIRED       10
#define VERIFIED_OTHER_NAME    62

static CURLcode transfer(struct transfer *what, int64_t limit_ms)
{
	const struct curl_library *curl = what->curl;
	struct curl_slist header = {.data = (char *)what->request->header};
	CURL *handle = curl->init();
	if (handle == NULL)
		return CURLE_OUT_OF_MEMORY;
	bool tls = strncmp(what->url, "https:", 6) == 0;
	what->answer->size = 0;
	curl->setopt(handle, CURLOPT_URL, what->url);
	curl->setopt(handle, CURLOPT_PROTOCOLS, tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP);
	/* Without TLS a proxy could read and change what must stay on this host. */
	if (!tls)
		curl->setopt(handle, CURLOPT_PROXY, "");
	if (header.data != NULL)
		curl->setopt(handle, CURLOPT_HTTPHEADER, &header);
	curl->setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl->setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl->setopt(handle, CURLOPT_TIMEOUT_MS, (long)limit_ms);
	curl->setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
	curl->setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
	curl->setopt(handle, CURLOPT_ERRORBUFFER, what->reason);
	if (what->ca_file != NULL)
		curl->setopt(handle, CURLOPT_CAINFO, what->ca_file);
	curl->setopt(handle, CURLOPT_WRITEFUNCTION, collect);
	curl->setopt(handle, CURLOPT_WRITEDATA, what->answer);
	curl->setopt(handle, CURLOPT_HEADERFUNCTION, note_date);
	curl->setopt(handle, CURLOPT_HEADERDATA, what->answer);
	CURLcode code = curl->perform(handle);
	if (code == CURLE_OK)
		curl->getinfo(handle, CURLINFO_RESPONSE_CODE, &what->answer->status);
	curl->getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &what->verified);
	if (what->reason[0] == '\0')
		snprintf(what->reason, sizeof(what->reason), "%s", curl->strerror(code));
	curl->cleanup(handle);
	return code;
}

/* Why the certificate was refused, if the transfer failed because of it. */
static enum http_distrust distrust_of(CURLcode code, const struct transfer *what)
{
	if (code != CURLE_PEER_FAILED_VERIFICATION)
		return HTTP_TRUSTED;
	switch (what->verified) {
	case VERIFIED_GOOD:
	case VERIFIED_NOT_ASKED:
	case VERIFIED_OTHER_NAME:
		return HTTP_OTHER_HOST;
	case VERIFIED_NOT_YET_VALID:
		return HTTP_NOT_YET_VALID;
	case VERIFIED_EXPIRED:
		return HTTP_EXPIRED;
	default:
		return HTTP_UNKNOWN_AUTHORITY;
	}
}

struct advice {
	const char *key; /* of the configuration, that may be wrong; "": none */
	const char *text;
};

static struct advice advice_on(CURLcode code, enum http_distrust distrust)
{
	static const char authorities[] = "general.tls-ca-file", server[] = "general.gitlab_server";
	switch (distrust) {
	case HTTP_UNKNOWN_AUTHORITY:
		return (struct advice){authorities,
				       "general.tls-ca-file must have its certificate authority"};
	case HTTP_EXPIRED:
		return (struct advice){"", "renew the server's certificate, or that of its "
					   "authority, unless this host's clock is wrong"};
	case HTTP_NOT_YET_VALID:
		return (struct advice){"", "is this host's clock right? If it is, the server needs "
					   "a certificate that is valid now"};
	case HTTP_OTHER_HOST:
		return (struct advice){server, "general.gitlab_server must be the name in the "
					       "server's certificate"};
	case HTTP_TRUSTED:
		break;
	}
	switch (code) {
	case CURLE_SSL_CACERT_BADFILE:
		return (struct advice){authorities,
				       "general.tls-ca-file must hold certificates, as PEM"};
	case CURLE_COULDNT_RESOLVE_HOST:
		return (struct advice){server, "is general.gitlab_server right?"};
	default:
		return (struct advice){
			server, "can this host reach it, and is general.gitlab_server right?"};
	}
}

/* libcurl needs a path, but this process's uid may not be able to open the file by its own path. */
static int copy_authorities(int from, char *path, size_t size, struct error *err)
{
	size_t length;
	cleanup_free char *text = io_read_to_end(from, AUTHORITIES_MOST_SIZE, &length);
	int copy = text != NULL ? memfd_create("authorities", MFD_CLOEXEC) : -1;
	if (copy < 0 || io_write_all(copy, text, length) != 0) {
		error_set_key(err, "general.tls-ca-file", ERROR_SYSTEM,
			      "cannot read the certificates of general.tls-ca-file: %s",
			      strerror(errno));
		if (copy >= 0)
			close(copy);
		return -1;
	}
	snprintf(path, size, "/proc/self/fd/%d", copy);
	return copy;
}

/* Requests one URL, with the site's own authorities and then with the system's. */
static int get_one(struct transfer *what, struct error *err)
{
	/* libcurl takes one file at a time. */
	const char *const authorities[] = {what->ca_file, NULL};
	struct http_answer *answer = what->answer;
	CURLcode code = CURLE_OPERATION_TIMEDOUT;
	snprintf(what->reason, sizeof(what->reason), "no time was left");
	for (int i = what->ca_file != NULL ? 0 : 1; i < 2; i++) {
		int64_t left = what->deadline - io_now_ms();
		if (left <= 0)
			break;
		what->ca_file = authorities[i];
		what->reason[0] = '\0';
		code = transfer(what, left);
		answer->distrust = distrust_of(code, what);
		/* Other authorities do not help if the certificate has another fault. */
		if (answer->distrust != HTTP_UNKNOWN_AUTHORITY)
			break;
	}
	what->ca_file = authorities[0];
	if (code == CURLE_WRITE_ERROR)
		return error_set(err, ERROR_SYSTEM, "%s answers with more than 256 KiB", what->url);
	if (code == CURLE_OK)
		return 0;
	struct advice advice = advice_on(code, answer->distrust);
	return error_set_key(err, advice.key, ERROR_SYSTEM, "cannot get %s from %s: %s; %s",
			     what->request->purpose, what->url, what->reason, advice.text);
}

int http_get(const struct http_request *request, int authorities, struct http_answer *answer,
	     struct error *err)
{
	struct curl_library curl;
	char ca_file[32];
	char url[URL_SIZE + 64];
	struct transfer what = {.curl = &curl,
				.request = request,
				.answer = answer,
				.url = url,
				.deadline = io_now_ms() + LIMIT_MS};
	answer->status = 0;
	answer->size = 0;
	answer->distrust = HTTP_TRUSTED;
	answer->date = -1;
	if (dynamic_libraries_open_curl(&curl, err) != 0)
		return -1;
	cleanup_close int copy =
		authorities >= 0 ? copy_authorities(authorities, ca_file, sizeof(ca_file), err)
				 : -1;
	if (authorities >= 0 && copy < 0)
		return -1;
	what.ca_file = copy >= 0 ? ca_file : NULL;
	for (answer->path = 0;; answer->path++) {
		snprintf(url, sizeof(url), "%s%s", request->server, request->paths[answer->path]);
		if (get_one(&what, err) != 0)
			return -1;
		if (answer->status != 404 || request->paths[answer->path + 1] == NULL)
			return 0;
	}
}

int http_open_authorities(const struct general_settings *settings, int *fd, struct error *err)
{
	*fd = -1;
	if (settings->tls_ca_file == NULL)
		return 0;
	*fd = secure_path_open("general.tls-ca-file", settings->tls_ca_file, err);
	return *fd < 0 ? -1 : 0;
}

int http_run_confined(int (*work)(const void *, void *, struct error *), const void *argument,
		      int authorities, struct http_answer *answer, struct error *err)
{
	const struct confinement how = {.network = true,
					.cancellable = true,
					.limit_ms = CHILD_LIMIT_MS,
					.file = &authorities};
	if (confine_run(&how, work, argument, answer, sizeof(*answer), err) != 0)
		return -1;
	if (answer->size <= sizeof(answer->bytes))
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "the process that asks the server gave back a "
			 "malformed answer");
}
