/*
 * The job's log, on the user's side. The script writes to two pipes that belong to the user, and
 * this process copies what arrives to its own standard output and standard error. No process of the
 * job has the runner's pipes open, so a process that the job leaves running cannot block the
 * runner.
 *
 * Nothing here blocks. The caller must ignore SIGPIPE.
 */
#ifndef JACAMAR_CORE_EXECUTOR_JOB_LOG_H
#define JACAMAR_CORE_EXECUTOR_JOB_LOG_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/lib/error.h"

#define JOB_LOG_STREAMS 2

struct job_log {
	struct job_log_stream {
		int from;    /* our end of the script's pipe; -1: every writer has closed it */
		int to;	     /* a standard descriptor of this process */
		bool full;   /* `to` takes nothing at present */
		bool copy;   /* splice(2) cannot write to `to` */
		size_t most; /* bytes that are still moved: job_log_finish */
	} streams[JOB_LOG_STREAMS];
	ino_t pipes[JOB_LOG_STREAMS]; /* inodes, to find processes that have them open */
	int error;		      /* why a stream was given up, an errno; 0: none was */
	int64_t last_byte;	      /* when the last byte was moved, on io_now_ms's clock */
};

/*
 * Makes the pipes. writers[0] and writers[1] become the script's standard output and standard
 * error; the caller closes its copies once the script has them. What comes from the script's
 * standard output goes to the descriptor `output`. The caller calls job_log_close also after a
 * failure.
 */
int job_log_open(struct job_log *log, int output, int writers[JOB_LOG_STREAMS], struct error *err);
void job_log_close(struct job_log *log);

/* What to wait for with poll(2), and what to do when that has returned. */
void job_log_prepare(const struct job_log *log, struct pollfd sources[JOB_LOG_STREAMS]);
void job_log_move(struct job_log *log, const struct pollfd sources[JOB_LOG_STREAMS]);

/* From now on, moves only the bytes that are already in the pipes, and then closes these. */
void job_log_finish(struct job_log *log);

/* True once all is moved: every writer has closed both pipes, or they are finished. */
bool job_log_is_at_end(const struct job_log *log);

/* Fails if the log could not be written: `error` is the errno, or 0. */
int job_log_check(int error, struct error *err);

/* True if a process still has one of the pipes open for writing. */
bool job_log_has_writers(const struct job_log *log);

/* True if bytes wait until this process's own standard output or standard error takes them. */
bool job_log_is_blocked(const struct job_log *log);

#endif
