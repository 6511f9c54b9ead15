#include "core/stage/sudo.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "core/lib/account.h"
#include "core/lib/secure_path.h"

/* Never from PATH, which is in the service's environment. */
static const char *const PLACES[] = {"/usr/bin/sudo", "/usr/local/bin/sudo", NULL};

static bool is_sudo(const char *path)
{
	struct stat found;
	return stat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == 0 &&
	       (found.st_mode & S_ISUID) != 0 && !secure_path_others_write(found.st_mode);
}

const char *sudo_find_among(const char *const *places, struct error *err)
{
	for (const char *const *place = places; *place != NULL; place++)
		if (is_sudo(*place))
			return *place;
	error_set_key(err, "auth.downscope", ERROR_SYSTEM,
		      "auth.downscope is \"sudo\", but %s is not a set-user-ID program that is "
		      "owned by root and that only root can write; install sudo",
		      places[0]);
	return NULL;
}

const char *sudo_find(struct error *err)
{
	return sudo_find_among(PLACES, err);
}

void sudo_arguments(const struct state *state, const char *arguments[SUDO_ARGUMENTS])
{
	const char *const before[SUDO_ARGUMENTS] = {"sudo", "-n", "-u", state->account.name, "--"};
	memcpy(arguments, before, sizeof(before));
}

void sudo_quote_name(const char *name, char out[SUDO_NAME_SIZE])
{
	size_t used = 0;
	for (; *name != '\0' && used < SUDO_NAME_SIZE - 2; name++) {
		if (*name == '\\')
			out[used++] = '\\';
		out[used++] = *name;
	}
	out[used] = '\0';
}

char *const *sudo_environment(void)
{
	static char path[] = "PATH=/usr/bin:/bin";
	static char language[] = "LC_ALL=C";
	static char *const environment[] = {path, language, NULL};
	return environment;
}

int sudo_explain(const struct state *state, const char *stage, int code, struct error *err)
{
	char service[ACCOUNT_NAME_SIZE] = "the service account";
	char service_word[SUDO_NAME_SIZE];
	char user_word[SUDO_NAME_SIZE];
	account_name_of_process(service);
	sudo_quote_name(service, service_word);
	sudo_quote_name(state->account.name, user_word);
	return error_set_key(
		err, "auth.downscope", ERROR_SYSTEM,
		"sudo ended with code %d before jacamar ran as %s; its message is above. "
		"sudoers must have: %s ALL = (%s) NOPASSWD: %s --no-auth %s "
		"env-script%s; see SUDO in jacamar-auth(8)",
		code, state->account.name, service_word, user_word, state->jacamar, stage,
		strcmp(stage, "run") == 0 ? " *" : "");
}
