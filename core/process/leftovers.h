/*
 * On the user's side: a list of the processes that a sub-stage leaves running. cleanup finds a
 * job's processes by the cookie in their environment, and by this list those whose environment
 * cannot be read (ssh-agent, programs with capabilities) or is empty.
 *
 * The list is a file of the user in the scripts directory. A job can change it, but can use it only
 * to kill processes of the user that are at least as restricted as those of the job: by
 * no_new_privs and by filters of system calls, which with auth.isolate each job has.
 */
#ifndef JACAMAR_CORE_PROCESS_LEFTOVERS_H
#define JACAMAR_CORE_PROCESS_LEFTOVERS_H

#include <stdbool.h>

#include "core/lib/error.h"
#include "core/process/process_tree.h"

/* Adds the living descendants of this process to the list; `scripts` is an open directory. */
int leftovers_record(int scripts, struct error *err);

/* False if no sub-stage has left a process running: there is no list in `scripts_dir`. */
bool leftovers_are_recorded(const char *scripts_dir);

/*
 * Adds the processes of the list in `scripts_dir` that still run to `found`, and their names to
 * `names` (may be NULL). A pid that another process has by now is left out, and so is a process
 * that is less restricted than this one.
 */
void leftovers_find(const char *scripts_dir, struct pid_list *found, char *names,
		    size_t names_size);

#endif
