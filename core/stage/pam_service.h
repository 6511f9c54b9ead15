/*
 * A service of PAM: what auth.pam_account and auth.pam_session share. Each key is the name of a
 * service, a file of /etc/pam.d.
 */
#ifndef JACAMAR_CORE_STAGE_PAM_SERVICE_H
#define JACAMAR_CORE_STAGE_PAM_SERVICE_H

#include "config/settings.h"
#include "core/lib/dynamic_libraries.h"
#include "core/lib/error.h"

struct pam_service {
	struct pam_library library;
	pam_handle_t *handle;
	struct pam_conv conversation;
	char words[512]; /* the messages of modules to the user */
	const char *key; /* the setting that names the service */
	const char *name;
	const char *account;
};

/*
 * Fails if a service that the settings name has no file of its own. PAM would apply the rules of
 * the service "other" then.
 */
int pam_service_check(const struct auth_settings *settings, struct error *err);

/* The same for one service. */
int pam_service_check_file(const char *key, const char *name, struct error *err);

/*
 * Opens libpam and starts PAM with the service `name` for `account`. If a module asks a question,
 * it gets no answer. All strings are borrowed, and *pam must stay where it is. After success the
 * caller calls pam_service_end or pam_service_fail once.
 */
int pam_service_start(struct pam_service *pam, const char *key, const char *name,
		      const char *account, struct error *err);

/* Ends PAM after success. */
int pam_service_end(struct pam_service *pam, struct error *err);

/*
 * Ends PAM after a failure with that code. `what` begins the text: "PAM <what> <account>, by the
 * service ...", with the messages of PAM and of the modules. Returns -1.
 */
int pam_service_fail(struct pam_service *pam, int code, enum error_kind kind, const char *what,
		     struct error *err);

#endif
