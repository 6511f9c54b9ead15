/*
 * The list of findings and their remedies, what all checks know about the installation, and
 * functions on files and paths that several checks use.
 */
#ifndef JACAMAR_CORE_DOCTOR_FINDINGS_H
#define JACAMAR_CORE_DOCTOR_FINDINGS_H

#include <jansson.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "core/doctor/runner_file.h"
#include "core/lib/account.h"
#include "core/lib/error.h"
#include "core/lib/secure_path.h"

/* How doctor knows which account runs GitLab Runner. */
enum service_source {
	SERVICE_UNKNOWN,
	SERVICE_OF_GROUP,	/* the account whose group may execute the program */
	SERVICE_OF_CALLER,	/* the account that runs doctor */
	SERVICE_OF_RUNNER_FILE, /* the owner of the runner's file */
};

enum doctor_result {
	DOCTOR_PASS,
	DOCTOR_SKIP, /* the caller lacks permission, or it does not matter here */
	DOCTOR_WARN,
	DOCTOR_FAIL,
	DOCTOR_RESULTS,
};

/* "pass", "skip", "warn" and "fail". */
extern const char *const DOCTOR_RESULT_NAMES[DOCTOR_RESULTS];

struct doctor_finding {
	enum doctor_result result;
	const char *check;
	/* Printable ASCII, in one line; NULL if memory was short. */
	char *what;
	char *remedy; /* NULL if there is none */
};

#define DOCTOR_FINDINGS_MAX 128

struct doctor {
	/* What the caller has named; NULL: nothing. */
	const char *configuration;
	const char *runner_file;
	const char *user;
	const char *runner_configuration;      /* the one that the runner's file passes to the stage
						  config */
	const struct runner_value *runner_url; /* of the GitLab server; NULL: the file has none */
	bool asked_for_configuration;	       /* otherwise the runner's file may have named it */
	bool refused_configuration;	       /* it is missing, or its owner or mode is wrong */

	/* What the checks share; doctor_run sets it. */
	struct runner_file runner; /* has no runner if the file was not read */
	char runner_error[ERROR_TEXT_SIZE];
	enum service_source source;    /* how the service account was found */
	struct account service;	       /* that account */
	char group[ACCOUNT_NAME_SIZE]; /* the name of its own group, or the gid */
	bool has_service;	       /* it is known, and it exists */
	bool as_service;	       /* it is the caller */
	struct settings *settings;     /* NULL if they cannot be read */
	char *settings_error;	       /* the reason, from settings_load; or NULL */
	enum downscope_kind downscope; /* DOWNSCOPE_UNSET: not known */
	bool ignores_downscope; /* the file asks for accounts, but the runner has --no-auth */
	char *program; /* the runner executes this program; its path as the runner has it */
	struct account account; /* of `user` */
	bool has_account;
	char service_error[ERROR_TEXT_SIZE]; /* why no process of the service account has made the
						checks; or "" */

	json_t *answer; /* of such a process: the findings borrow their names from it */
	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
	size_t count;
	bool is_full; /* there was no room for the last one, or no memory for its remedy */
};

/* Adds a finding without a remedy. */
void doctor_say(struct doctor *doctor, enum doctor_result result, const char *check,
		const char *format, ...) __attribute__((format(printf, 4, 5)));
#define doctor_pass(doctor, ...) doctor_say(doctor, DOCTOR_PASS, __VA_ARGS__)
#define doctor_skip(doctor, ...) doctor_say(doctor, DOCTOR_SKIP, __VA_ARGS__)
#define doctor_warn(doctor, ...) doctor_say(doctor, DOCTOR_WARN, __VA_ARGS__)
#define doctor_fail(doctor, ...) doctor_say(doctor, DOCTOR_FAIL, __VA_ARGS__)

/*
 * Adds the finding of a check: a pass with this text if it is `good`, else a failure with the
 * reason in *err. Returns `good`.
 */
bool doctor_judge(struct doctor *doctor, const char *check, bool good, const struct error *err,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Removes all findings. */
void doctor_clear(struct doctor *doctor);

/*
 * Adds to the remedy of the last finding. Of printf(3) it knows %u, %zu, and %s, for which it
 * writes a word for a POSIX shell that stands for exactly these bytes. A name that a command would
 * take for an option is made a path.
 */
void doctor_mend(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for a text that is not a word, as it is; NULL: out of memory. */
void doctor_mend_text(struct doctor *doctor, const char *text);

/*
 * The remedy is to change the setting `key`, "table.name", to `value`, in TOML, or if it is NULL,
 * to another value. None if there is no such key: an error may be about something else.
 */
void doctor_mend_key(struct doctor *doctor, const char *key, const char *value);

/* The remedy is to install these packages, as Debian and as RHEL-like systems name them. */
void doctor_mend_install(struct doctor *doctor, const char *debian, const char *red_hat);

/*
 * The remedy for a file of another account: a copy, which that account cannot change while it is
 * read, replaces the file. The directories above it must have been checked.
 */
void doctor_mend_copy(struct doctor *doctor, const char *path, const char *mode, const char *owner);

/* The remedy for a path that the service account, which is the caller, cannot reach. */
void doctor_mend_closed(struct doctor *doctor, const char *path);

/* The remedy for what only the service account can check: the call to make as that account. */
void doctor_mend_as_service(struct doctor *doctor);

/* Adds a finding that only the service account could check, as DOCTOR_SKIP, and that call. */
void doctor_leave_to_service(struct doctor *doctor, const char *check, const char *what);

/* What a process gets when it executes a file: capabilities(7), "File capabilities". */
struct file_capabilities {
	uint64_t permitted; /* one bit each, numbered as in linux/capability.h; 0: none */
	uint64_t inheritable;
};

/* A process needs both to change its account. */
#define CAPABILITIES_NEEDED (UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_SETUID)

/* 0, also if the file has none; -1 with *err if they cannot be read. */
int capabilities_of_file(const char *path, struct file_capabilities *found, struct error *err);

/* True if the file is known to give a process a capability. */
bool capabilities_are_given(const char *path);

/* What the mode of a file permits the account: 4 read, 2 write, 1 execute. */
unsigned int doctor_permissions(const struct stat *file, const struct account *account);

/* `jacamar` as a stage finds it: as configured, or beside the program. New memory, or NULL. */
char *doctor_find_jacamar(const struct doctor *doctor);

/*
 * The path at which this installation has the program that the runner executes, even if there is
 * no file. New memory, or NULL.
 */
char *doctor_find_own(const struct doctor *doctor);

/* Who can write to a file, by its mode: "its group", "others" or "its group and others". */
const char *doctor_writers(mode_t mode);

/* True if both paths lead to the same file. */
bool doctor_is_same_file(const char *one, const char *other);

/* The directory that `path` is in. New memory, or NULL: out of memory, or a path without a slash.
 */
char *doctor_directory_of(const char *path);

/* True if the runner's program is in the same directory as this one. */
bool doctor_is_own(const struct doctor *doctor);

/* `jacamar` in the directory of the runner's program. New memory, or NULL. */
char *doctor_find_beside(const struct doctor *doctor);

/* The first directory above `path` that the caller cannot enter. New memory, or NULL. */
char *doctor_find_closed(const char *path);

/*
 * The first directory or link on the path through which an account other than root and `owner`
 * could replace the file. fault->entry is "" if there is none, as far as the caller can see.
 */
void doctor_examine_way(const char *path, uid_t owner, struct secure_path_fault *fault);

/* Adds that as a finding; doctor_mend_fault has its remedy. */
void doctor_say_fault(struct doctor *doctor, const char *check, const char *path,
		      const struct secure_path_fault *fault);

/* All of that, with the service account as the owner. True if there is no fault. */
bool doctor_check_way(struct doctor *doctor, const char *check, const char *path);

/* The remedy for a fault that secure_path_examine has found. */
void doctor_mend_fault(struct doctor *doctor, const struct secure_path_fault *fault);

#endif
