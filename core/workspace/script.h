/*
 * On the user's side: writes the script of a sub-stage to a file that belongs to the user.
 */
#ifndef JACAMAR_CORE_WORKSPACE_SCRIPT_H
#define JACAMAR_CORE_WORKSPACE_SCRIPT_H

#include <stdbool.h>

#include "core/lib/error.h"
#include "core/protocol/channel.h"

#define SCRIPT_SUBSTAGE_MOST 64

struct script {
	char *path;    /* absolute */
	char *name;    /* in the scripts directory */
	int directory; /* its descriptor; -1: not open */
	bool in_image; /* it runs in the image of the job's state */
};

/* True for the name of a sub-stage: 1-64 bytes of [A-Za-z0-9_-]. */
bool script_is_substage(const char *name);

/* True for the sub-stages with the commands of the job's author; the others are the runner's own.
 */
bool script_is_of_author(const char *substage);

/*
 * Keeps the job's token out of command lines, which every user of a node can read: shell functions
 * (command_line.bash) replace the commands to which the runner's own scripts pass the token. The
 * bash code to put before the runner's script of that sub-stage; "": none.
 */
const char *script_prelude(const char *substage);

/*
 * Writes that code and the script that comes over the channel to
 * <scripts dir>/<substage>.bash, a new file of mode 0600. The caller calls script_free also after a
 * failure.
 */
int script_receive(struct channel_reader *channel, const struct channel_header *header,
		   const char *substage, struct script *script, struct error *err);

/* Removes the file. */
int script_remove(const struct script *script, struct error *err);
void script_free(struct script *script);

#endif
