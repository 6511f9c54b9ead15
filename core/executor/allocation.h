/*
 * One sub-stage's job in the scheduler, as files in the scripts directory. By them the login node
 * and the nodes of the allocation speak to each other, whatever the scheduler does meanwhile.
 *
 *   NAME.batch   what the scheduler runs
 *   NAME.feed    what the login shell in there is fed
 *   NAME.job     there from before the submit until the end; holds the job's number
 *   NAME.log     the job's standard output and standard error
 *   NAME.journal what the scheduler notes of the job, where it does
 *   NAME.start   the node, once it runs
 *   NAME.report  the code that the login shell reported
 *   NAME.exit    how it ended, whole as soon as it is there
 */
#ifndef JACAMAR_CORE_EXECUTOR_ALLOCATION_H
#define JACAMAR_CORE_EXECUTOR_ALLOCATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/channel.h"
#include "core/error.h"
#include "core/executor/scheduler.h"
#include "core/script.h"

struct allocation {
	int directory; /* borrowed */
	char *here;    /* the path of the files, without what follows the name; owned, as is: */
	char *name;    /* of the sub-stage */
	char *wrapper;
	char *log;
	char *journal;
	char number[BATCH_NUMBER_SIZE]; /* "" while it is not known */
};

/*
 * `directory` is open on the scripts directory. The caller calls allocation_free also after a
 * failure.
 */
int allocation_init(struct allocation *allocation, int directory, const char *scripts_dir,
		    const char *substage, struct error *err);
void allocation_free(struct allocation *allocation);

/* Before the submit: makes the wrapper, the feed, and the job's file without a number. */
int allocation_write(const struct allocation *allocation, const struct scheduler *scheduler,
		     const struct channel_header *header, const struct script *script,
		     struct error *err);

/* After it: the number is on the disk when this returns. */
int allocation_record(const struct allocation *allocation, struct error *err);

/* Reads it; false where there is no job's file. */
bool allocation_recall(struct allocation *allocation);

struct allocation_exit {
	int code;	 /* of the script: 0-255; -1: the login shell ended before it did */
	int status;	 /* of the login shell */
	uint64_t size;	 /* of the log until then */
	bool terminated; /* somebody told it to end */
	ino_t file;	 /* that tells it: each start has its own */
};

/* True where it is there, and what it should be. */
bool allocation_read_exit(const struct allocation *allocation, struct allocation_exit *ended);

/* The node that it runs on; true where that is news: another start than `seen` tells. */
struct allocation_start {
	char node[256];
	char since[32];
};
bool allocation_read_start(const struct allocation *allocation, struct allocation_start *seen);

/* True where a node has it, or had it. */
bool allocation_has_started(const struct allocation *allocation);

/* Forgets how a start ended that is not the last, unless the next one has ended as well by now. */
void allocation_forget_exit(const struct allocation *allocation,
			    const struct allocation_exit *ended);

/* The scheduler has nothing more to do with it: removes its files, the logs only on demand. */
void allocation_close(const struct allocation *allocation, bool keep_logs);

/*
 * Opens one of its files to be read, -1 where there is none. NFS: opening the directory anew is
 * what makes a name be looked for that was not there a moment ago.
 */
int allocation_open(const struct allocation *allocation, const char *suffix);

#endif
