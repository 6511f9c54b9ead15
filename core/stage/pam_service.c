#include "core/stage/pam_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"

int pam_service_check_file(const char *key, const char *name, struct error *err)
{
	static const char *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		cleanup_free char *path = text_format("%s/%s", directories[i], name);
		if (path == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");
		if (access(path, R_OK) == 0)
			return 0;
		if (errno != ENOENT)
			return error_set_key(err, key, ERROR_SYSTEM, "cannot read %s: %s", path,
					     strerror(errno));
	}
	return error_set_key(err, key, ERROR_SYSTEM,
			     "%s names the PAM service %s, but neither /etc/pam.d/%s nor "
			     "/usr/lib/pam.d/%s exists: create the file, or correct the name",
			     key, name, name, name);
}

int pam_service_check(const struct auth_settings *settings, struct error *err)
{
	const char *account = settings->pam_account;
	const char *session = settings->pam_session;
	if (account != NULL && pam_service_check_file("auth.pam_account", account, err) != 0)
		return -1;
	return session != NULL ? pam_service_check_file("auth.pam_session", session, err) : 0;
}

/*
 * A conversation of PAM (pam_conv(3)): keeps the messages of modules. It cannot answer questions.
 */
static int keep_messages(int count, const struct pam_message **messages,
			 struct pam_response **responses, void *service)
{
	char *text = ((struct pam_service *)service)->words;
	const size_t size = sizeof(((struct pam_service *)service)->words);
	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	*responses = calloc((size_t)count, sizeof(**responses));
	if (*responses == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		size_t used = strlen(text);
		if (messages[i]->msg_style != PAM_ERROR_MSG &&
		    messages[i]->msg_style != PAM_TEXT_INFO) {
			free(*responses);
			*responses = NULL;
			return PAM_CONV_ERR;
		}
		snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "",
			 messages[i]->msg != NULL ? messages[i]->msg : "");
	}
	return PAM_SUCCESS;
}

int pam_service_start(struct pam_service *pam, const char *key, const char *name,
		      const char *account, struct error *err)
{
	memset(pam, 0, sizeof(*pam));
	pam->key = key;
	pam->name = name;
	pam->account = account;
	pam->conversation = (struct pam_conv){.conv = keep_messages, .appdata_ptr = pam};
	if (dynamic_libraries_open_pam(&pam->library, err) != 0)
		return -1;
	int code = pam->library.start(name, account, &pam->conversation, &pam->handle);
	return code == PAM_SUCCESS ? 0
				   : error_set_key(err, key, ERROR_SYSTEM,
						   "PAM cannot read the service %s of %s (code %d)",
						   name, key, code);
}

int pam_service_end(struct pam_service *pam, struct error *err)
{
	return pam->library.end(pam->handle, PAM_SUCCESS) == PAM_SUCCESS
		       ? 0
		       : error_set_key(err, pam->key, ERROR_SYSTEM, "PAM cannot end");
}

int pam_service_fail(struct pam_service *pam, int code, enum error_kind kind, const char *what,
		     struct error *err)
{
	char *words = pam->words;
	for (char *at = words; *at != '\0'; at++)
		if (*at == '\n')
			*at = at[1] != '\0' ? ' ' : '\0';
	error_set_key(err, pam->key, kind, "PAM %s %s, by the service %s of %s: %s%s%s", what,
		      pam->account, pam->name, pam->key, pam->library.strerror(pam->handle, code),
		      words[0] != '\0' ? ": " : "", words);
	(void)pam->library.end(pam->handle, code);
	return -1;
}
