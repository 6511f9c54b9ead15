/*
 * The libraries of cryptography and HTTP, opened at run time.
 *
 * Only the confined child that verifies a token needs them, once a job; linked in, they would be
 * mapped into every process that waits for a job to end. The names are those of the sonames'
 * major versions, whose interfaces are stable; rpm.spec requires the packages.
 */
#ifndef JACAMAR_CORE_LIBRARIES_H
#define JACAMAR_CORE_LIBRARIES_H

/* RHEL 8 has curl 7.61, without what newer headers recommend in place of CURLOPT_PROTOCOLS. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>
#include <jansson.h>
#include <jose/cfg.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* libjose: see <jose/b64.h> and <jose/jws.h>. */
struct jose_library {
	size_t (*b64_dec)(const json_t *text, void *out, size_t size);
	bool (*jws_ver)(jose_cfg_t *cfg, const json_t *jws, const json_t *sig, const json_t *jwk,
			bool all);
	/* Of libcrypto, which comes with it: see SHA256(3). */
	unsigned char *(*sha256)(const unsigned char *bytes, size_t size, unsigned char *digest);
};

/* libcurl: see curl_easy_setopt(3) and its kin. */
struct curl_library {
	CURL *(*init)(void);
	CURLcode (*setopt)(CURL *handle, CURLoption option, ...);
	CURLcode (*perform)(CURL *handle);
	CURLcode (*getinfo)(CURL *handle, CURLINFO info, ...);
	const char *(*strerror)(CURLcode code);
	void (*cleanup)(CURL *handle);
};

int libraries_open_jose(struct jose_library *jose, struct error *err);
int libraries_open_curl(struct curl_library *curl, struct error *err);

#endif
