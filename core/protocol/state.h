/*
 * The state of a job: what the stage config decided, for the later stages of the same job.
 *
 * It is passed on as one JSON value: to later stages in the environment variable JACAMAR_CI_STATE,
 * which only the runner's process can set, and to the user's side in the channel's header
 * (channel.h). It has no secrets.
 */
#ifndef JACAMAR_CORE_PROTOCOL_STATE_H
#define JACAMAR_CORE_PROTOCOL_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/lib/account.h"
#include "core/lib/error.h"

#define STATE_VARIABLE	     "JACAMAR_CI_STATE"
#define STATE_MOST_SIZE	     (96 * 1024) /* below what the kernel takes as one variable */
#define STATE_COOKIE_SIZE    33
#define STATE_REFERENCE_SIZE 13

struct applicant; /* policy.h */

/*
 * A new member gets a row in state.c. A setting needs none there: with `.later = true` in its row
 * of config/schema.c it is passed on; the others are unset after config.
 */
struct state {
	uint64_t job_id;
	uint64_t pipeline_id; /* 0: unknown */
	uint64_t project_id;  /* likewise */
	const char *project_path;
	const char *short_token; /* of the runner */
	const char *concurrent;
	const char *login;     /* of the person who triggered the job; "" if no token says it */
	const char *reference; /* ties the job's log to the audit log */
	const char *cookie;    /* marks the job's processes, in their environment */

	struct account account;
	const json_t *groups; /* array of gids; empty if the account does not change */

	/* Absolute paths. All are below base, except the builds if custom_builds is set. */
	const char *base;
	const char *custom_builds; /* NULL: the job has none */
	const char *builds_dir;
	const char *checkout; /* where the runner puts the project, in builds_dir; NULL: unknown */
	const char *cache_dir;
	const char *scripts_dir;

	const char *jacamar; /* the program that is executed as the user */
	const char *image;   /* in which the job's scripts run: image_name.h; NULL: on the host */
	const char *entrypoint; /* of it, a JSON array of strings; NULL: the image's own */
	bool root_creates_base; /* root_directory.h */
	const json_t *filters;	/* of system calls: seccomp.h */

	struct settings settings; /* auth.downscope is never DOWNSCOPE_UNSET */

	/* Only in config, for its audit records; later stages do not get it. NULL: unknown. */
	const struct applicant *applicant;

	/*
	 * Of a state that was decoded: the JSON of `groups` and `filters`; all texts are the
	 * state's own. NULL in one that borrows everything.
	 */
	json_t *root;
};

/* The gids of a state's `groups`, which state_decode has checked, and back. */
json_t *state_encode_groups(const struct account_groups *groups);
void state_decode_groups(const json_t *list, struct account_groups *groups);

/* New JSON of the state, or NULL without memory. */
json_t *state_encode(const struct state *state);

/*
 * The reverse. Keeps `root`, without the members that *state has copies of. The caller calls
 * state_free also after a failure.
 */
int state_decode(json_t *root, struct state *state, struct error *err);
void state_free(struct state *state);

/* The same from text; the fuzzer's entry. */
int state_parse(const char *text, struct state *state, struct error *err);

#endif
