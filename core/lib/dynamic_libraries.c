#include "core/lib/dynamic_libraries.h"

#include <dlfcn.h>
#include <string.h>

/* A function of a library, and the member of the library's struct that gets its address. */
struct symbol {
	const char *name;
	size_t offset;
};

static const struct symbol jose_symbols[] = {
	{"jose_b64_dec", offsetof(struct jose_library, b64_dec)},
	{"jose_jws_ver", offsetof(struct jose_library, jws_ver)},
	{"SHA256", offsetof(struct jose_library, sha256)},
	{NULL, 0},
};

static const struct symbol curl_symbols[] = {
	{"curl_easy_init", offsetof(struct curl_library, init)},
	{"curl_easy_setopt", offsetof(struct curl_library, setopt)},
	{"curl_easy_perform", offsetof(struct curl_library, perform)},
	{"curl_easy_getinfo", offsetof(struct curl_library, getinfo)},
	{"curl_easy_strerror", offsetof(struct curl_library, strerror)},
	{"curl_easy_cleanup", offsetof(struct curl_library, cleanup)},
	{NULL, 0},
};

static const struct symbol seccomp_symbols[] = {
	{"seccomp_init", offsetof(struct seccomp_library, init)},
	{"seccomp_release", offsetof(struct seccomp_library, release)},
	{"seccomp_arch_native", offsetof(struct seccomp_library, arch_native)},
	{"seccomp_arch_add", offsetof(struct seccomp_library, arch_add)},
	{"seccomp_attr_set", offsetof(struct seccomp_library, attr_set)},
	{"seccomp_syscall_resolve_name_arch", offsetof(struct seccomp_library, resolve_name_arch)},
	{"seccomp_rule_add_array", offsetof(struct seccomp_library, rule_add_array)},
	{"seccomp_export_bpf", offsetof(struct seccomp_library, export_bpf)},
	{"seccomp_load", offsetof(struct seccomp_library, load)},
	{NULL, 0},
};

static const struct symbol pam_symbols[] = {
	{"pam_start", offsetof(struct pam_library, start)},
	{"pam_acct_mgmt", offsetof(struct pam_library, acct_mgmt)},
	{"pam_setcred", offsetof(struct pam_library, setcred)},
	{"pam_open_session", offsetof(struct pam_library, open_session)},
	{"pam_close_session", offsetof(struct pam_library, close_session)},
	{"pam_strerror", offsetof(struct pam_library, strerror)},
	{"pam_end", offsetof(struct pam_library, end)},
	{NULL, 0},
};

/* The library stays open until the process ends. */
static int open_library(const char *soname, const struct symbol *symbols, void *table,
			struct error *err)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return error_set(err, ERROR_SYSTEM, "cannot open a library: %s; install %.*s",
				 dlerror(), (int)strcspn(soname, "."), soname);
	for (; symbols->name != NULL; symbols++) {
		void *address = dlsym(library, symbols->name);
		if (address == NULL)
			return error_set(err, ERROR_SYSTEM, "%s has no %s", soname, symbols->name);
		memcpy((char *)table + symbols->offset, &address, sizeof(address));
	}
	return 0;
}

int dynamic_libraries_open_jose(struct jose_library *jose, struct error *err)
{
	return open_library(JOSE_SONAME, jose_symbols, jose, err);
}

int dynamic_libraries_open_curl(struct curl_library *curl, struct error *err)
{
	return open_library(CURL_SONAME, curl_symbols, curl, err);
}

int dynamic_libraries_open_seccomp(struct seccomp_library *seccomp, struct error *err)
{
	return open_library(SECCOMP_SONAME, seccomp_symbols, seccomp, err);
}

int dynamic_libraries_open_pam(struct pam_library *pam, struct error *err)
{
	return open_library(PAM_SONAME, pam_symbols, pam, err);
}
