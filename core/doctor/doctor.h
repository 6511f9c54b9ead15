/*
 * What keeps an installation from running jobs, or makes it weaker than it should be: a list of
 * checks, each of which adds what it finds, and the one command that mends it.
 *
 * Nothing is changed, on disk or elsewhere, no privilege is used, and no program is executed but
 * sudo, for what it lists. What the rest of the program refuses is judged by the functions that
 * refuse it; what the caller may not see is left out, and says who could.
 */
#ifndef JACAMAR_CORE_DOCTOR_DOCTOR_H
#define JACAMAR_CORE_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "core/account.h"
#include "core/doctor/runner_file.h"
#include "core/doctor/service.h"
#include "core/error.h"
#include "core/trust.h"

enum doctor_result {
	DOCTOR_PASS,
	DOCTOR_SKIP, /* the caller may not see it, or it does not matter here */
	DOCTOR_WARN,
	DOCTOR_FAIL,
};

struct doctor_finding {
	enum doctor_result result;
	const char *check;
	/* Printable ASCII, in one line; NULL where memory was short. */
	char *what;
	char *remedy; /* NULL where there is none */
};

#define DOCTOR_FINDINGS_MAX 128

struct doctor {
	/* What was asked for; NULL: it was not. */
	const char *configuration;
	const char *runner_file;
	const char *user;
	bool asked_for_configuration; /* otherwise the runner's file may have named it */
	bool refused_configuration;   /* whose it is, or who may write it, was found wrong */

	/* What all checks go by; doctor_run finds it out. */
	struct runner_file runner; /* with no runner where it was not read */
	char runner_error[ERROR_TEXT_SIZE];
	enum service_source source;    /* what tells whom the runner runs as */
	struct account service;	       /* that account */
	bool has_service;	       /* it is known, and there is one */
	bool as_service;	       /* that is who asks */
	struct settings *settings;     /* NULL where they cannot be read */
	char *settings_error;	       /* why not, as settings_load says it, or NULL */
	enum downscope_kind downscope; /* DOWNSCOPE_UNSET: not known */
	char *program;		       /* that the runner executes, as it names it */
	struct account account;	       /* of `user` */
	bool has_account;

	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
	size_t count;
	bool is_full; /* the last one found no place */
};

/* Finds it all out. The caller calls doctor_free. */
void doctor_run(struct doctor *doctor);
void doctor_free(struct doctor *doctor);

/* The worst of the findings. */
enum doctor_result doctor_verdict(const struct doctor *doctor);

/* --- for the checks --- */

/* Finds out the service account: service.h. The program and the files that are named are known. */
void doctor_find_service(struct doctor *doctor);

/* The checks of one subject, in the order in which they are told. */
void doctor_check_program(struct doctor *doctor);
void doctor_check_jacamar(struct doctor *doctor); /* of a program with a good way to it */
void doctor_check_service(struct doctor *doctor);
void doctor_check_configuration(struct doctor *doctor);
void doctor_check_runner(struct doctor *doctor);
void doctor_check_server(struct doctor *doctor);
void doctor_check_sudo(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_user(struct doctor *doctor);
void doctor_check_data_dir(struct doctor *doctor, const struct account *account); /* of a user */
void doctor_check_scheduler(struct doctor *doctor);

/* Adds a finding without a remedy. */
void doctor_say(struct doctor *doctor, enum doctor_result result, const char *check,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Gives the last finding its remedy. */
void doctor_mend(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for a setting: `value` is what to set, as TOML has it, or NULL: another one. */
void doctor_mend_key(struct doctor *doctor, const char *table, const char *key, const char *value);

/*
 * The same for another's file: a copy, which nobody changes any more while it is read, in its
 * place. The way to it must have been found good.
 */
void doctor_mend_copy(struct doctor *doctor, const char *path, const char *mode, const char *owner);

/* The same for what the service account, who asks, may not come to. */
void doctor_mend_closed(struct doctor *doctor, const char *path);

/* A finding that the service account alone can come to; DOCTOR_SKIP, and the call that does. */
void doctor_leave_to_service(struct doctor *doctor, const char *check, const char *what);

/*
 * A word for a POSIX shell, which every such shell takes for these very bytes; what would be an
 * option of a command is made a path.
 */
#define DOCTOR_WORD_SIZE 4096
struct doctor_word {
	char text[DOCTOR_WORD_SIZE];
};
struct doctor_word doctor_quote(const char *text);

/* The service account's own group, for a command. */
struct doctor_word doctor_group(const struct doctor *doctor);

/* Of the account's permissions on a file, those that its mode gives: 4 read, 2 write, 1 execute. */
unsigned int doctor_permissions(const struct stat *file, const struct account *account);

/* `jacamar` as a stage would find it: as set, else beside the program. New memory, or NULL. */
char *doctor_find_jacamar(const struct doctor *doctor);

/*
 * The program of this installation that does what the runner's does, whether it is there or not.
 * New memory, or NULL.
 */
char *doctor_find_own(const struct doctor *doctor);

/* By whatever names. */
bool doctor_is_same_file(const char *one, const char *other);

/* True where the runner's program lies beside this one. */
bool doctor_is_own(const struct doctor *doctor);

/* The first directory above `path` that is closed to the caller. New memory, or NULL. */
char *doctor_find_closed(const char *path);

/*
 * The first directory or link on the way to `path` by which others than root and `owner` could put
 * another file in its place; fault->entry is "" where there is none, as far as the way can be seen.
 */
void doctor_examine_way(const char *path, uid_t owner, struct trust_fault *fault);

/* Adds that as a finding, with its remedy. */
void doctor_say_fault(struct doctor *doctor, const char *check, const char *path,
		      const struct trust_fault *fault);

/* Both, for the service account. True where nothing was found. */
bool doctor_check_way(struct doctor *doctor, const char *check, const char *path);

/* The remedy for what trust_examine has found. */
void doctor_mend_fault(struct doctor *doctor, const struct trust_fault *fault);

#endif
