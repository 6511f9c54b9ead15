/*
 * config --check FILE: prints the errors in a site's settings, or the settings in effect.
 *
 * It needs no job, no runner and no privilege, and reads the file as a job's config would.
 */
#include "applets/applet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/schema.h"
#include "config/settings.h"
#include "core/executor/arguments.h"
#include "core/lib/account.h"
#include "core/lib/io.h"
#include "core/privilege/downscope.h"
#include "core/privilege/isolation.h"
#include "core/privilege/seccomp.h"
#include "core/stage/pam_service.h"
#include "core/stage/pam_session.h"

int applet_check_downscope(enum downscope_kind downscope, struct error *err)
{
	if (downscope != DOWNSCOPE_UNSET)
		return 0;
	return error_set_key(err, "auth.downscope", ERROR_SYSTEM,
			     "auth.downscope is missing, and jacamar-auth runs no job without it; "
			     "set it to \"setuid\", \"sudo\" or \"none\"");
}

/* error_set replaces what is not printable in the name of the file. A `line` of 0 is none. */
static void say_of_file(const struct invocation *call, size_t line, const char *text)
{
	struct error err;
	if (line > 0)
		error_set(&err, ERROR_SYSTEM, "%s:%zu: %s", call->check, line, text);
	else
		error_set(&err, ERROR_SYSTEM, "%s: %s", call->check, text);
	fprintf(stderr, "%s\n", err.detail);
}

static int say_messages(const struct invocation *call, const char *messages)
{
	fprintf(stderr, "%s\n", messages != NULL ? messages : "out of memory");
	/* root expects to read every file, but this process has given up that capability. */
	if (geteuid() == 0 && access(call->check, R_OK) != 0 && errno == EACCES)
		say_of_file(call, 0,
			    "even as root this program has no capabilities; check the file as the "
			    "runner's account: runuser -u ACCOUNT -- jacamar config --check FILE");
	return call->system_failure;
}

/* If root has checked another account's file, prints for which runner it is valid. */
static void print_owner(uid_t owner)
{
	struct account account;
	struct error err;
	bool named =
		account_by_uid(owner, &account, &err) == 0 && account_name_is_valid(account.name);
	printf("# Owned by %s%suid %u: valid only for a runner of that account.\n\n",
	       named ? account.name : "", named ? ", " : "", owner);
}

/*
 * Without --no-auth, `jacamar` does not know which program the runner will call: a file may be
 * right for one of them only.
 */
static void print_warnings(const struct invocation *call, enum downscope_kind downscope)
{
	struct error err;
	if (!call->is_auth && !call->no_auth && applet_check_downscope(downscope, &err) != 0)
		printf("# jacamar-auth refuses this file: %s.\n\n", err.detail);
	if (!call->is_auth && downscope != DOWNSCOPE_UNSET && downscope != DOWNSCOPE_NONE)
		printf("# %sjacamar --no-auth ignores auth.downscope: with it all jobs run as the "
		       "service account.\n\n",
		       call->no_auth ? "Warning: " : "");
}

static int print_settings(const struct invocation *call, const struct settings *settings,
			  uid_t owner)
{
	cleanup_free char *text = show_settings(settings);
	if (text == NULL)
		return say_messages(call, NULL);
	if (owner != geteuid())
		print_owner(owner);
	print_warnings(call, settings->auth.downscope);
	fputs(text, stdout);
	return applet_printed(call);
}

int check_applet(struct invocation *call)
{
	cleanup_free char *messages = NULL;
	struct stat found;
	struct error err;
	if (strcmp(call->check, "-") == 0)
		return say_messages(call, "-: name a file: its owner and permissions are checked, "
					  "too");
	if (privilege_drop(&err) != 0)
		return applet_give_up(call, &err);
	/*
	 * The account that must own the file. root may check the file of any account; if its owner
	 * changes before it is opened, it is refused.
	 */
	bool is_root = geteuid() == 0 && stat(call->check, &found) == 0;
	uid_t owner = is_root ? found.st_uid : geteuid();
	struct settings *settings = settings_load(call->check, owner, &messages);
	if (settings == NULL)
		return say_messages(call, messages);
	int code = call->system_failure;
	if ((call->is_auth && applet_check_downscope(settings->auth.downscope, &err) != 0) ||
	    seccomp_check(&settings->auth.seccomp, &err) != 0 ||
	    isolation_check(&settings->auth, &err) != 0 ||
	    pam_service_check(&settings->auth, &err) != 0 ||
	    pam_session_check(&settings->auth, owner, &err) != 0 ||
	    arguments_check(settings->general.executor, &settings->batch, &err) != 0) {
		say_of_file(call, schema_line(settings, err.key), err.detail);
	} else {
		code = print_settings(call, settings, owner);
	}
	settings_free(settings);
	return code;
}
