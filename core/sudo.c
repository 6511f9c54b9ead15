#include "core/sudo.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "core/account.h"

/* Never by way of PATH, which the service's environment has. */
static const char *const PLACES[] = {"/usr/bin/sudo", "/usr/local/bin/sudo", NULL};

/* What could not change the account, or belongs to another than root, is not the system's sudo. */
static bool is_sudo(const char *path)
{
	struct stat found;
	return stat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == 0 &&
	       (found.st_mode & S_ISUID) != 0 && (found.st_mode & 022) == 0;
}

const char *sudo_find_among(const char *const *places, struct error *err)
{
	for (const char *const *place = places; *place != NULL; place++)
		if (is_sudo(*place))
			return *place;
	error_set(
		err, ERROR_SYSTEM,
		"auth.downscope is \"sudo\", but %s is no set-user-id program of root's that only "
		"root can write; install sudo",
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

char *const *sudo_environment(void)
{
	static char path[] = "PATH=/usr/bin:/bin";
	static char language[] = "LC_ALL=C";
	static char *const environment[] = {path, language, NULL};
	return environment;
}

int sudo_explain(const struct state *state, const char *stage, int code, struct error *err)
{
	struct account service = {.name = "the service account"};
	struct error ignored;
	(void)account_of_process(&service, &ignored);
	return error_set(err, ERROR_SYSTEM,
			 "sudo ended with code %d before jacamar ran as %s; what it said stands "
			 "above. sudoers must have: %s ALL = (%s) NOPASSWD: %s --no-auth %s "
			 "env-script%s; see SUDO in jacamar-auth(8)",
			 code, state->account.name, service.name, state->account.name,
			 state->jacamar, stage, strcmp(stage, "run") == 0 ? " *" : "");
}
