/*
 * The libraries of cryptography, HTTP and filters of system calls, opened at run time.
 *
 * Only config needs them, once a job, and the first two only its confined child that verifies a
 * token; linked in, they would be mapped into every process that waits for a job to end. The names
 * are those of the sonames' major versions, whose interfaces are stable; rpm.spec requires the
 * packages.
 */
#ifndef JACAMAR_CORE_LIBRARIES_H
#define JACAMAR_CORE_LIBRARIES_H

/* RHEL 8 has curl 7.61, without what newer headers recommend in place of CURLOPT_PROTOCOLS. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>
#include <jansson.h>
#include <jose/cfg.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* libseccomp: see seccomp_init(3) and its kin. */
struct seccomp_library {
	scmp_filter_ctx (*init)(uint32_t otherwise);
	void (*release)(scmp_filter_ctx context);
	uint32_t (*arch_native)(void);
	int (*arch_add)(scmp_filter_ctx context, uint32_t architecture);
	int (*attr_set)(scmp_filter_ctx context, enum scmp_filter_attr attribute, uint32_t value);
	int (*resolve_name_arch)(uint32_t architecture, const char *name);
	int (*rule_add_array)(scmp_filter_ctx context, uint32_t action, int call,
			      unsigned int count, const struct scmp_arg_cmp *comparisons);
	int (*export_bpf)(const scmp_filter_ctx context, int fd);
};

int libraries_open_jose(struct jose_library *jose, struct error *err);
int libraries_open_curl(struct curl_library *curl, struct error *err);
int libraries_open_seccomp(struct seccomp_library *seccomp, struct error *err);

#endif
