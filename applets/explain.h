/*
 * What the files of `jacamar explain` share: the call, and the site that it is about.
 */
#ifndef JACAMAR_APPLETS_EXPLAIN_H
#define JACAMAR_APPLETS_EXPLAIN_H

#include "applets/applet.h"
#include "config/settings.h"
#include "core/lib/account.h"

enum explain_input { EXPLAIN_TOKEN, EXPLAIN_RESPONSE, EXPLAIN_REPLAY, EXPLAIN_INPUTS };

struct explain {
	const struct invocation *call;
	/* Options; NULL: not given. */
	const char *configuration;
	enum explain_input kind;
	const char *path; /* of the token, response or log */
	const char *keys;
	bool no_auth;	  /* jacamar --no-auth runs the jobs */
	bool runs_script; /* of auth.runas */

	struct settings *settings;
	struct account service; /* GitLab Runner runs as this account */
	char *program;		/* the path of jacamar-auth */
	int input;		/* a descriptor of `path` */
	char name[1024];	/* what messages call it */
};

/* --token, --response: explain_job.c, --replay: replay.c. Return the exit code, or -1 with *err. */
int explain_job(const struct explain *explain, struct error *err);
int explain_replay(const struct explain *explain, struct error *err);

#endif
