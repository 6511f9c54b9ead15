/*
 * On the user's side: `image:` of .gitlab-ci.yml. The scripts of the job's author run in a
 * container, started as the user by podman (rootless) or apptainer; all other scripts run on the
 * host. The container is the author's environment, and protects nothing from the author.
 *
 * A container of podman has the name jacamar-REFERENCE. The script's shell is not the container's
 * first process: a signal without a handler would not end that one.
 */
#ifndef JACAMAR_CORE_EXECUTOR_CONTAINER_H
#define JACAMAR_CORE_EXECUTOR_CONTAINER_H

#include "config/settings.h"
#include "core/lib/error.h"
#include "core/process/process_tree.h"
#include "core/protocol/state.h"

/* The path of the runtime. */
const char *container_program(const struct container_settings *settings);

/*
 * The command, for a shell, that runs the script at the path `script` in the state's image; in new
 * memory, NULL without.
 */
char *container_command(const struct state *state, const char *script);

/* The command with which prepare gets the image, likewise; "" if there is nothing to get. */
char *container_pull_command(const struct state *state);

/*
 * Kills what a command of the runtime has left running: podman keeps a process that holds the
 * user's namespaces. Spares the children of this process that are in `others`.
 */
void container_end_helpers(const struct pid_list *others);

/* Removes the container that is left if the podman of a job was killed. */
int container_remove(const struct state *state, struct error *err);

#endif
