/*
 * -V: the version and, for jacamar-auth, what a request for support has to say about the host.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/version.h"
#include "core/privilege/downscope.h"

/* Linux 5.3 and 5.9; one number on every architecture. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void jansson_version(void *library, char *text, size_t size)
{
	/* Since 2.13. */
	const char *(*version)(void) = (const char *(*)(void))dlsym(library, "jansson_version_str");
	if (version != NULL)
		snprintf(text, size, "%s, ", version());
}

static void curl_version_and_tls(void *library, char *text, size_t size)
{
	curl_version_info_data *(*info)(CURLversion) =
		(curl_version_info_data * (*)(CURLversion)) dlsym(library, "curl_version_info");
	const curl_version_info_data *data = info != NULL ? info(CURLVERSION_NOW) : NULL;
	if (data != NULL)
		snprintf(text, size, "%s, %s, ", data->version,
			 data->ssl_version != NULL ? data->ssl_version : "no TLS");
}

static void libseccomp_version(void *library, char *text, size_t size)
{
	const struct scmp_version *(*version)(void) =
		(const struct scmp_version *(*)(void))dlsym(library, "seccomp_version");
	if (version != NULL)
		snprintf(text, size, "%u.%u.%u, ", version()->major, version()->minor,
			 version()->micro);
}

static const struct {
	const char *name;
	const char *soname; /* to open; NULL: linked with the program */
	const char *symbol; /* one of its functions */
	void (*version)(void *library, char *text, size_t size); /* NULL: it does not tell */
} LIBRARIES[] = {
	{"libcap-ng", NULL, "capng_clear", NULL},
	{"inih", NULL, "ini_parse_stream", NULL},
	{"jansson", NULL, "json_object", jansson_version},
	{"libjose", JOSE_SONAME, "jose_jws_ver", NULL},
	{"libcurl", CURL_SONAME, "curl_easy_init", curl_version_and_tls},
	{"libseccomp", SECCOMP_SONAME, "seccomp_init", libseccomp_version},
};

#define ROW "%-16s "

static void print_library(size_t number)
{
	char version[128] = "";
	char path[PATH_MAX];
	Dl_info found;
	printf(ROW, LIBRARIES[number].name);
	void *library = dlopen(LIBRARIES[number].soname, RTLD_NOW | RTLD_LOCAL);
	void *symbol = library != NULL ? dlsym(library, LIBRARIES[number].symbol) : NULL;
	if (symbol == NULL || dladdr(symbol, &found) == 0) {
		printf("cannot be used: %s\n", dlerror());
		return;
	}
	if (LIBRARIES[number].version != NULL)
		LIBRARIES[number].version(library, version, sizeof(version));
	printf("%s%s\n", version, realpath(found.dli_fname, path) != NULL ? path : found.dli_fname);
}

/* What the kernel has, and what it lacks; no row if there is nothing. */
static void print_features(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	bool has_keyrings =
		syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 ||
		errno != ENOSYS;
	const struct {
		const char *name;
		bool is_there;
	} features[] = {
		{"no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0},
		{"seccomp", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0},
		{"pidfd", pidfd >= 0},
		{"close_range", syscall(SYS_close_range, ~0U, ~0U, 0U) == 0},
		{"keyrings", has_keyrings},
		{"/proc children", access("/proc/thread-self/children", R_OK) == 0},
	};
	static const char *const titles[] = {"kernel has", "kernel lacks"};
	for (int lacks = 0; lacks <= 1; lacks++) {
		const char *before = NULL;
		for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
			if (features[i].is_there == (lacks == 1))
				continue;
			if (before == NULL)
				printf(ROW, titles[lacks]);
			printf("%s%s", before != NULL ? before : "", features[i].name);
			before = ", ";
		}
		if (before != NULL)
			printf("\n");
	}
}

/* How this process could change its account. The configuration is not known here. */
static const char *account_change(void)
{
	if (privilege_is_reserved())
		return geteuid() == 0 ? "root" : "file capabilities";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return "none (started with no_new_privs: file capabilities and sudo have no "
		       "effect)";
	return "sudo, or none (neither file capabilities nor root)";
}

int version_applet(const struct invocation *call)
{
	struct error err;
	struct utsname system;
	char c_library[64] = "unknown";
	printf("%s %s\n", call->program, JACAMAR_VERSION);
	if (!call->is_auth)
		return applet_printed(call);
	printf(ROW "%s\n", "account change", account_change());
	/* No library is opened while this process could change its account. */
	if (privilege_renounce(&err) != 0) {
		applet_say(call, "%s", err.detail);
		return call->system_failure;
	}
	if (uname(&system) == 0)
		printf(ROW "%s %s\n", "kernel", system.release, system.machine);
	print_features();
	confstr(_CS_GNU_LIBC_VERSION, c_library, sizeof(c_library));
	printf(ROW "%s\n", "C library", c_library);
	for (size_t i = 0; i < sizeof(LIBRARIES) / sizeof(LIBRARIES[0]); i++)
		print_library(i);
	return applet_printed(call);
}
