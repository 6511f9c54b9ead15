/*
 * One sub-stage's script as a file of the user, on the user's side.
 */
#ifndef JACAMAR_CORE_SCRIPT_H
#define JACAMAR_CORE_SCRIPT_H

#include <stdbool.h>

#include "core/channel.h"
#include "core/error.h"

#define SCRIPT_SUBSTAGE_MOST 64

struct script {
	char *path;    /* absolute */
	char *name;    /* in the scripts directory */
	int directory; /* open on it; -1 where none is */
};

/* True for a name that a sub-stage can have: 1-64 bytes of [A-Za-z0-9_-]. */
bool script_is_substage(const char *name);

/*
 * Writes the script that comes over the channel to <scripts dir>/<substage>.bash, a new file of
 * mode 0600, behind what keeps the job's token out of command lines (command_line.h). The caller
 * calls script_free also after a failure.
 */
int script_receive(struct channel_reader *channel, const struct channel_header *header,
		   const char *substage, struct script *script, struct error *err);

/* Removes the file. */
int script_remove(const struct script *script, struct error *err);
void script_free(struct script *script);

#endif
