/*
 * Libraries that are opened at run time: cryptography, HTTP, filters of system calls, and PAM.
 *
 * Only confined children (core/privilege/confine.h) and the stage config need them. If the program
 * were linked with them, every process of a waiting job would have them in its memory. Each soname
 * has a major version, whose interface is stable; rpm.spec requires the packages.
 */
#ifndef JACAMAR_CORE_LIB_DYNAMIC_LIBRARIES_H
#define JACAMAR_CORE_LIB_DYNAMIC_LIBRARIES_H

/* curl 7.61 (RHEL 8) does not have what newer headers recommend instead of CURLOPT_PROTOCOLS. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>
#include <jansson.h>
#include <jose/cfg.h>
#include <seccomp.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/error.h"

#define JOSE_SONAME    "libjose.so.0"
#define CURL_SONAME    "libcurl.so.4"
#define SECCOMP_SONAME "libseccomp.so.2"
#define PAM_SONAME     "libpam.so.0"

/* libjose: see <jose/b64.h> and <jose/jws.h>. */
struct jose_library {
	size_t (*b64_dec)(const json_t *text, void *out, size_t size);
	bool (*jws_ver)(jose_cfg_t *cfg, const json_t *jws, const json_t *sig, const json_t *jwk,
			bool all);
	/* Of libcrypto, which libjose links: see SHA256(3). */
	unsigned char *(*sha256)(const unsigned char *bytes, size_t size, unsigned char *digest);
};

/* libcurl: see curl_easy_setopt(3) and the other curl_easy_* functions. */
struct curl_library {
	CURL *(*init)(void);
	CURLcode (*setopt)(CURL *handle, CURLoption option, ...);
	CURLcode (*perform)(CURL *handle);
	CURLcode (*getinfo)(CURL *handle, CURLINFO info, ...);
	const char *(*strerror)(CURLcode code);
	void (*cleanup)(CURL *handle);
};

/* libseccomp: see seccomp_init(3) and the other seccomp_* functions. */
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
	int (*load)(const scmp_filter_ctx context);
};

/*
 * libpam: see pam_start(3) and the other pam_* functions. Only auth.pam_account and
 * auth.pam_session need it.
 */
struct pam_library {
	int (*start)(const char *service, const char *user, const struct pam_conv *conversation,
		     pam_handle_t **handle);
	int (*acct_mgmt)(pam_handle_t *handle, int flags);
	int (*setcred)(pam_handle_t *handle, int flags);
	int (*open_session)(pam_handle_t *handle, int flags);
	int (*close_session)(pam_handle_t *handle, int flags);
	const char *(*strerror)(pam_handle_t *handle, int code);
	int (*end)(pam_handle_t *handle, int code);
};

int dynamic_libraries_open_jose(struct jose_library *jose, struct error *err);
int dynamic_libraries_open_curl(struct curl_library *curl, struct error *err);
int dynamic_libraries_open_seccomp(struct seccomp_library *seccomp, struct error *err);
int dynamic_libraries_open_pam(struct pam_library *pam, struct error *err);

#endif
