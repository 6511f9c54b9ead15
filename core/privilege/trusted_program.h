/*
 * Checks the programs that jacamar-auth executes: which file is `jacamar`, and whether other
 * accounts can change that file or the path to it.
 */
#ifndef JACAMAR_CORE_PRIVILEGE_TRUSTED_PROGRAM_H
#define JACAMAR_CORE_PRIVILEGE_TRUSTED_PROGRAM_H

#include <stdbool.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

/*
 * The path of `jacamar`, in new memory: `setting` ([auth] jacamar_path: a file, or a directory with
 * `jacamar` in it); if that is NULL, the file beside the running executable; else the installed
 * one. The path is not checked.
 */
char *trusted_program_find(const char *setting, struct error *err);

/* The account that executes a program decides what is checked. */
enum trusted_program_use {
	PROGRAM_OF_SAME_ACCOUNT, /* no check of the path: replacing the program gains nothing */
	PROGRAM_OF_SERVICE,	 /* the service account */
	PROGRAM_OF_USERS,	 /* any account */
	PROGRAM_PREPARE_HOOK,	 /* any account, for [general] prepare_hook */
};

/* The use of `jacamar`, which is executed as the job's user. */
enum trusted_program_use trusted_program_use_of(enum downscope_kind downscope);

/*
 * Resolves `path` to the file to execute, in new memory, and checks it. Unless the same account
 * executes it, only root and the service account may be able to change the path (secure_path.h).
 * `jacamar` must have no set-id bit.
 */
char *trusted_program_resolve(const char *path, enum trusted_program_use use, struct error *err);

/*
 * For a file with capabilities. The first fails if everyone may execute it. The second fails if the
 * account may: by one of its groups, or as a member of the file's group in the group database. An
 * account that may execute it could become any other account, with a configuration or a state that
 * it has written itself. `path` is for errors.
 */
int trusted_program_check_everyone(const struct stat *file, const char *path, struct error *err);
int trusted_program_check_group(const struct stat *file, const char *path,
				const struct account *account, const struct account_groups *groups,
				struct error *err);

/*
 * Both for the running file. Without `looks_up`, the members of the file's group are not looked up.
 * With NULL for account and groups, only the first is checked.
 */
int trusted_program_check_own(const struct account *account, const struct account_groups *groups,
			      bool looks_up, struct error *err);

/* Sets the error of a process without capabilities, with the cause; returns -1. */
int trusted_program_explain_privilege(struct error *err);

#endif
