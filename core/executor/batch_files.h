/*
 * The files of one batch job in the scripts directory, through which the login node and the nodes
 * of the job communicate without the scheduler. NAME is the sub-stage.
 *
 *   NAME.batch   the wrapper, which the scheduler runs
 *   NAME.feed    the standard input of the login shell in the wrapper; for the second attempt to
 *                submit the job both are called NAME.2.batch and NAME.2.feed, and so on
 *   NAME.feed.taken  the same, once a job has taken it
 *   NAME.job     the number and the cluster of the job; exists from before the submit until the
 *                end
 *   NAME.log     the job's standard output and standard error
 *   NAME.journal the scheduler's own log of the job (Cobalt)
 *   NAME.start   the node, written when the script starts
 *   NAME.report  the exit code of the script, from the login shell
 *   NAME.exit    how the script ended; renamed into place when it is complete
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_FILES_H
#define JACAMAR_CORE_EXECUTOR_BATCH_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/executor/scheduler.h"
#include "core/lib/error.h"
#include "core/protocol/channel.h"
#include "core/workspace/script.h"

struct batch_files {
	int directory;			  /* borrowed */
	char *here;			  /* the path of the files without a suffix; owned */
	char *wrapper;			  /* its path; owned */
	bool silent;			  /* the job prints nothing, and has no log */
	unsigned int attempt;		  /* to submit the job, the first one is 1 */
	char number[BATCH_NUMBER_SIZE];	  /* "": not known */
	char cluster[BATCH_CLUSTER_SIZE]; /* the cluster that has the job; "": this host's */
};

/*
 * `directory` is open on the scripts directory. The caller calls batch_files_free also after a
 * failure.
 */
int batch_files_init(struct batch_files *files, int directory, const char *scripts_dir,
		     const char *substage, struct error *err);
void batch_files_free(struct batch_files *files);

/* Replaces a file: afterwards it is complete and on the disk, or not there. */
int batch_files_put(const struct batch_files *files, const char *suffix, mode_t mode,
		    const char *text, struct error *err);

/* Writes a wrapper, the feed that it takes, and the job's file without a number. */
int batch_files_put_wrapper(const struct batch_files *files, const char *wrapper, const char *feed,
			    struct error *err);

/* The path of the feed of this attempt, in new memory; NULL without memory. */
char *batch_files_feed(const struct batch_files *files);

void batch_files_remove(const struct batch_files *files, const char *suffix);

/*
 * Before the submit: writes the wrapper, the feed, and the job's file without a number. A job in a
 * shared allocation (allocation.h) has no such file.
 */
int batch_files_write(const struct batch_files *files, const struct scheduler *scheduler,
		      const struct channel_header *header, const struct script *script,
		      struct error *err);

/*
 * Before another submit: removes the feed and the wrapper of this attempt. A job takes the feed by
 * a rename before it does anything else, and ends if there is none: so either this function or the
 * job has it, however slow the node is. Returns 0 if no job of this attempt can run the script any
 * more, 1 if one has taken its feed, or -1 with *err.
 */
int batch_files_give_up(const struct batch_files *files, struct error *err);

/*
 * Begins the next attempt, whose wrapper and feed have other names. Fails after the last attempt,
 * and adds that to *err, which has the scheduler's message.
 */
int batch_files_begin_next(struct batch_files *files, struct error *err);

/* Writes the number, once it is known; the file is on the disk when this returns. */
int batch_files_record(const struct batch_files *files, struct error *err);

/* Reads the number; false if there is no such file. */
bool batch_files_recall(struct batch_files *files);

struct batch_files_exit {
	int code;	 /* exit code of the script, 0-255; -1: the login shell ended before it */
	int status;	 /* exit code of the login shell */
	uint64_t size;	 /* of the log at the end */
	bool terminated; /* a signal asked the script to end */
	bool log_incomplete; /* the rest of the log could not be written */
	ino_t file;	     /* inode of the file: each start of the job has its own */
};

/* False if there is no such file, or an invalid one. */
bool batch_files_read_exit(const struct batch_files *files, struct batch_files_exit *ended);

/* True if the job has started on a node, and this is another start than `seen` has. */
struct batch_files_start {
	char node[256];
	char since[32];
};
bool batch_files_read_start(const struct batch_files *files, struct batch_files_start *seen);

/* True if there is that file. "start": the job has started on a node, even if it has ended. */
bool batch_files_has(const struct batch_files *files, const char *suffix);

/* Removes the exit file of a start that is followed by another, unless that one has ended, too. */
void batch_files_forget_exit(const struct batch_files *files, const struct batch_files_exit *ended);

/* Removes the files of a job that the scheduler does not have any more. */
void batch_files_close(const struct batch_files *files, bool keep_logs);

/*
 * Opens one of the files for reading; -1 if there is none. The directory is opened again: an NFS
 * client may remember that a name did not exist a moment ago.
 */
int batch_files_open(const struct batch_files *files, const char *suffix);

#endif
