/* What main() passes to an applet, and how applets report to the runner. */
#ifndef JACAMAR_APPLETS_APPLET_H
#define JACAMAR_APPLETS_APPLET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/executor/login_shell.h"
#include "core/lib/error.h"
#include "core/process/cgroup.h"

/* One call of the program, with its command line parsed. */
struct invocation {
	const char *program; /* as messages name it: jacamar-auth, jacamar, jacamar-ci */
	bool is_auth;	     /* called as jacamar-auth: may hold capabilities */
	bool no_auth;
	bool behind_channel; /* env-script: started by jacamar-auth, as the user */
	bool unobfuscated;
	const char *configuration; /* NULL if not given */
	const char *check;	   /* the file to check; NULL if not given */
	const char *tool;	   /* doctor or explain; NULL: a stage */
	const char *stage;
	char **operands;   /* after the stage; ends in NULL */
	int build_failure; /* the runner's exit codes */
	int system_failure;
	/* Only for auth: */
	int64_t started;	   /* on io_now_ms's clock */
	struct cgroup_usage usage; /* of the job; CGROUP_USAGE_UNKNOWN before a stage has run */
};

/* The stages on the service's side: auth.c. */
int auth_applet(struct invocation *call);

/* config --check: check.c. */
int check_applet(struct invocation *call);

/* Whether jacamar-auth can use these settings. */
int applet_check_downscope(enum downscope_kind downscope, struct error *err);

/* doctor: doctor.c, and explain: explain.c. `argv` begins with that word. */
int doctor_applet(struct invocation *call, int argc, char **argv);
int explain_applet(struct invocation *call, int argc, char **argv);

/* -V: version.c. */
int version_applet(const struct invocation *call);

/*
 * The stages as the user, started by auth over the channel. Each returns its exit code, or -1 with
 * *err.
 */
typedef int user_stage(const struct invocation *call, struct channel_reader *channel,
		       const struct channel_header *header, struct error *err);
user_stage config_applet;
user_stage prepare_applet;
user_stage run_applet;
user_stage cleanup_applet;

/*
 * On the user's side: gives up what a service may have, but not a login. Reads the channel's header
 * and, after sudo, proves that the account has changed completely. Then runs the stage, sends its
 * exit code over the channel, and returns it. If anything fails, this process ends by a signal.
 */
int applet_run_as_user(const struct invocation *call, user_stage *stage);

/* The runner may pass any name of a sub-stage. */
int applet_check_substage(const char *name, struct error *err);

/*
 * Reports what a shell has left running, and records it for cleanup in the open directory of the
 * job's scripts. Failures are only reported: they do not change the result of the shell.
 */
void applet_note_leftovers(const struct invocation *call, const struct login_shell_end *end,
			   int scripts);

/* One line on standard error, with the program's name before it. */
void applet_say(const struct invocation *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Reports the error; returns the exit code. On the user's side of the channel it does not return.
 */
int applet_give_up(const struct invocation *call, const struct error *err);

/* Reports a wrong call. */
int applet_usage(const struct invocation *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* An option of a command line: it has a value, or sets a flag. */
struct applet_option {
	const char *name; /* NULL: the end of the options */
	const char **value;
	bool *flag;
	char letter; /* its short form; 0: none */
};

#define APPLET_OPTIONS_MOST 8

/*
 * Reads options up to `optind` of getopt_long(3), with --help and --version. A tool takes nothing
 * but options. Returns an exit code, or -1 if there is more to do.
 */
int applet_parse(const struct invocation *call, int argc, char **argv,
		 const struct applet_option *options,
		 void (*print_help)(const struct invocation *call));

/* Adds to the error where the configuration at `path` sets the key that the error is about. */
void applet_add_place(const char *path, const struct settings *settings, struct error *err);

/*
 * The exit code of a call that only prints: 0, or that of a system failure, with a message, if
 * standard output could not be written.
 */
int applet_printed(const struct invocation *call);

/*
 * On the user's side: true if jacamar-auth has ended the stage, or has ended itself, which this
 * function waits `wait_ms` for. The runner may then have ended as well.
 */
bool applet_is_ended(const struct channel_reader *channel, int wait_ms);

#endif
