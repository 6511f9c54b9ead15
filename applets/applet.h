/*
 * What main() tells an applet, and what applets share in speaking to the runner.
 */
#ifndef JACAMAR_APPLETS_APPLET_H
#define JACAMAR_APPLETS_APPLET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "core/error.h"
#include "core/session.h"

/* One call of the program, its command line taken apart. */
struct invocation {
	const char *program; /* as messages name it: jacamar-auth, jacamar, jacamar-ci */
	bool is_auth;	     /* called as jacamar-auth: may hold capabilities */
	bool no_auth;
	bool behind_channel; /* env-script: started by jacamar-auth, as the user */
	bool unobfuscated;
	const char *configuration; /* NULL where not given */
	const char *check;	   /* the file to be checked, likewise */
	const char *stage;
	char **operands;   /* behind the stage, NULL at their end */
	int build_failure; /* the runner's exit codes */
	int system_failure;
	rlim_t core_limit; /* downscope.h: privilege_hide_memory */
	int64_t started;   /* on io_now_ms's clock; auth alone */
};

/* The stages, told from the service's side: auth.c. */
int auth_applet(struct invocation *call);

/* config --check: check.c. */
int check_applet(struct invocation *call);

/* doctor: doctor.c. `argv` begins with that word; the rest of the command line is its own. */
int doctor_applet(struct invocation *call, int argc, char **argv);

/* The stages as the user, started by auth over the channel; each returns its exit status. */
int config_applet(struct invocation *call);
int prepare_applet(struct invocation *call);
int run_applet(struct invocation *call);
int cleanup_applet(struct invocation *call);

/* One line on standard error, with the program's name before it. */
void applet_say(const struct invocation *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * On the user's side: gives up what a service may have over a login, reads the channel's header,
 * and where sudo brought us here, proves that it did so wholly. The caller calls
 * channel_free_header in any case.
 */
int applet_open_channel(struct invocation *call, struct channel_reader *channel,
			struct channel_header *header, struct error *err);

/* The end of it: says over the channel how the stage has ended, and returns that. */
int applet_close_channel(int exit_code);

/* On the user's side: says the error in the job's log and ends with SESSION_FAILED. */
__attribute__((noreturn)) void applet_fail(const struct invocation *call, const struct error *err);

#endif
