/*
 * The programs that are executed: which one it is, as the user, and whether only root could have
 * put it there.
 */
#ifndef JACAMAR_CORE_PROGRAM_H
#define JACAMAR_CORE_PROGRAM_H

#include <sys/stat.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/error.h"

/*
 * The path of `jacamar`, in new memory: the setting [auth] jacamar_path (a file, or a directory
 * with `jacamar` in it; NULL: unset), else the one beside the running executable, else the
 * installed one. It is not checked yet.
 */
char *program_find(const char *setting, struct error *err);

/* Who executes it: what is checked follows from that. */
enum program_use {
	PROGRAM_OF_SAME_ACCOUNT, /* whoever could exchange it gains nothing by it */
	PROGRAM_OF_SERVICE,	 /* the service account */
	PROGRAM_OF_USERS,	 /* accounts that may not be trusted to choose another one */
};

/* For what is executed as the job's user. */
enum program_use program_use_of(enum downscope_kind downscope);

/*
 * The file that `path` leads to, in new memory and free of links: what to execute. But for the
 * same account, nobody else may have had a hand in that: trust.h. `jacamar` has no set-id bit.
 */
char *program_resolve(const char *path, enum program_use use, struct error *err);

/*
 * The halves of what follows, for any file: fail where everyone may execute it, and refuse an
 * account that may by way of its group. `path` is for the error's text.
 */
int program_check_everyone(const struct stat *file, const char *path, struct error *err);
int program_check_group(const struct stat *file, const char *path, const struct account *account,
			struct error *err);

/*
 * Fails where everyone may execute the running file, whose capabilities would be everyone's: with
 * a state of one's own making they would do for any account.
 */
int program_check_closed(struct error *err);

/*
 * The same, and refuses an account that may execute the running file, where that file's
 * capabilities make it jacamar-auth: with a configuration of its own it would let whoever calls it
 * be anybody.
 */
int program_check_reach(const struct account *account, struct error *err);

/* The error of a file that has no capabilities here: what keeps it from them; returns -1. */
int program_explain_privilege(struct error *err);

#endif
