/*
 * Finds processes of this process's effective uid that have a pipe open or a variable in their
 * environment. It works also if /proc is mounted with hidepid.
 */
#ifndef JACAMAR_CORE_PROCESS_PROCESS_SCAN_H
#define JACAMAR_CORE_PROCESS_PROCESS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/process/process_tree.h"

/* What process_scan looks for. A process must match all members that are set. */
struct process_scan_mark {
	ino_t pipes[2];	      /* it can write to one of these pipes, by inode; 0: none */
	const char *variable; /* it has this "NAME=value" in its environment; NULL: any */
	int signal_number;    /* sent at once, before the pid can be reused; 0: none */
};

/*
 * True if a process has this real uid. The kernel itself looks through all processes, also those
 * that hidepid hides: this is much faster than to read /proc.
 */
bool process_scan_has_uid(uid_t uid);

/*
 * Adds the pids of the processes with that mark, other than this one, to `found`, and their names
 * to `names` (for a line in the log; may be NULL). -1 with errno if /proc cannot be read, or if
 * this process lacks descriptors or memory: then it is unknown whether there are others.
 */
int process_scan(const struct process_scan_mark *mark, struct pid_list *found, char *names,
		 size_t names_size);

/* Appends "PID (name)" to a line for the log, if it fits. */
void process_scan_add_name(pid_t pid, char *names, size_t size);

#endif
