/*
 * config --check FILE: what is wrong with a site's settings, or what they are.
 *
 * It needs no job, no runner and no privilege, and reads the file as a job's config would.
 */
#include "applets/applet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/schema.h"
#include "config/settings.h"
#include "config/show.h"
#include "core/account.h"
#include "core/executor/arguments.h"
#include "core/io.h"
#include "core/seccomp.h"

/*
 * Whose file it may be. root looks at that of any account, as it stands; should it change hands
 * before it is opened, it is refused.
 */
static uid_t expected_owner(const char *path)
{
	struct stat status;
	return geteuid() == 0 && stat(path, &status) == 0 ? status.st_uid : geteuid();
}

/* What keeps these settings from being used the way the program was called; NULL where nothing. */
static const char *calling_fault(const struct invocation *call, enum downscope_kind downscope)
{
	if (call->is_auth && downscope == DOWNSCOPE_UNSET)
		return "auth.downscope is missing, without which jacamar-auth runs no job; set it "
		       "to \"setuid\", \"sudo\" or \"none\"";
	if (call->no_auth && downscope != DOWNSCOPE_UNSET && downscope != DOWNSCOPE_NONE)
		return "auth.downscope asks for a change of account, which --no-auth leaves out; "
		       "call jacamar-auth, or set it to \"none\"";
	return NULL;
}

static int say_messages(const struct invocation *call, const char *messages)
{
	fprintf(stderr, "%s\n", messages != NULL ? messages : "out of memory");
	/* root is used to reading everything, but what makes it so has been given up. */
	if (geteuid() == 0 && access(call->check, R_OK) != 0 && errno == EACCES)
		fprintf(stderr,
			"%s: not even root has capabilities here; ask as the runner's account: "
			"runuser -u ACCOUNT -- jacamar config --check FILE\n",
			call->check);
	return call->system_failure;
}

/* With the line of the key that is at fault, where it has one. */
static void say_fault(const struct invocation *call, const struct settings *settings,
		      const char *fault)
{
	const struct schema_row *row = schema_find_in(fault, settings->lines);
	size_t line = row != NULL ? settings->lines[row - SCHEMA] : 0;
	if (line > 0)
		fprintf(stderr, "%s:%zu: %s\n", call->check, line, fault);
	else
		fprintf(stderr, "%s: %s\n", call->check, fault);
}

/* What a job's own check would make of a file that root was let see. */
static void print_owner(uid_t owner)
{
	struct account account;
	struct error err;
	bool named =
		account_by_uid(owner, &account, &err) == 0 && account_name_is_valid(account.name);
	printf("# Owned by %s%suid %u: good for jobs of a runner of that account alone.\n\n",
	       named ? account.name : "", named ? ", " : "", owner);
}

static int print_settings(const struct invocation *call, const struct settings *settings,
			  uid_t owner)
{
	cleanup_free char *text = show_settings(settings);
	if (text == NULL)
		return say_messages(call, NULL);
	if (owner != geteuid())
		print_owner(owner);
	fputs(text, stdout);
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : call->system_failure;
}

int check_applet(struct invocation *call)
{
	cleanup_free char *messages = NULL;
	if (strcmp(call->check, "-") == 0)
		return say_messages(call, "-: name a file: whose it is, and who can write it, is "
					  "checked, too");
	uid_t owner = expected_owner(call->check);
	struct settings *settings = settings_load(call->check, owner, &messages);
	if (settings == NULL)
		return say_messages(call, messages);
	struct error err;
	const char *fault = calling_fault(call, settings->auth.downscope);
	if (fault == NULL && seccomp_check(&settings->auth.seccomp, &err) != 0)
		fault = err.detail;
	if (fault == NULL &&
	    arguments_check(settings->general.executor, &settings->batch, &err) != 0)
		fault = err.detail;
	int code = call->system_failure;
	if (fault != NULL)
		say_fault(call, settings, fault);
	else
		code = print_settings(call, settings, owner);
	settings_free(settings);
	return code;
}
