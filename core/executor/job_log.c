#include "core/executor/job_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"

/* What one step moves at most: a script that floods its log must not delay a cancel. */
#define STEP_SIZE (1024 * 1024)

static int open_stream(struct job_log_stream *stream, ino_t *inode, int *writer, struct error *err)
{
	struct stat found;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe for the job's log");
	stream->from = ends[0];
	*writer = ends[1];
	if (fstat(ends[0], &found) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot set up the pipe of the job's log");
	*inode = found.st_ino;
	return 0;
}

static bool are_same_file(int a, int b)
{
	struct stat first;
	struct stat second;
	return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

int job_log_open(struct job_log *log, int output, int writers[JOB_LOG_STREAMS], struct error *err)
{
	*log = (struct job_log){.streams = {{.from = -1, .to = output, .most = SIZE_MAX},
					    {.from = -1, .to = STDERR_FILENO, .most = SIZE_MAX}},
				.last_byte = io_now_ms()};
	writers[0] = writers[1] = -1;
	if (open_stream(&log->streams[0], &log->pipes[0], &writers[0], err) != 0)
		return -1;
	/* Through one pipe, the lines of both keep their order. */
	if (!are_same_file(output, STDERR_FILENO))
		return open_stream(&log->streams[1], &log->pipes[1], &writers[1], err);
	writers[1] = fcntl(writers[0], F_DUPFD_CLOEXEC, 0);
	return writers[1] >= 0
		       ? 0
		       : error_errno(err, ERROR_SYSTEM, "cannot make a pipe for the job's log");
}

static void close_stream(struct job_log_stream *stream)
{
	if (stream->from >= 0)
		close(stream->from);
	stream->from = -1;
	stream->full = false;
}

void job_log_close(struct job_log *log)
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++)
		close_stream(&log->streams[i]);
}

void job_log_prepare(const struct job_log *log, struct pollfd sources[JOB_LOG_STREAMS])
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++) {
		const struct job_log_stream *stream = &log->streams[i];
		sources[i] = stream->full ? (struct pollfd){.fd = stream->to, .events = POLLOUT}
					  : (struct pollfd){.fd = stream->from, .events = POLLIN};
	}
}

/* A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking. */
static ssize_t copy_part(const struct job_log_stream *stream)
{
	char bytes[PIPE_BUF];
	size_t size = stream->most < sizeof(bytes) ? stream->most : sizeof(bytes);
	struct pollfd out = {.fd = stream->to, .events = POLLOUT};
	if (poll(&out, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t got = read(stream->from, bytes, size);
	return got > 0 && io_write_all(stream->to, bytes, (size_t)got) != 0 ? -1 : got;
}

/*
 * Large parts are moved by splice(2), without a copy. Small parts are copied: splice(2) moves whole
 * buffers, and 16 short lines would fill the 16 buffers of a pipe. It also cannot write to a
 * terminal, or to a file that was opened for appending.
 */
static ssize_t move_bytes(struct job_log_stream *stream)
{
	size_t size = stream->most < STEP_SIZE ? stream->most : STEP_SIZE;
	int waiting = 0;
	if (!stream->copy && ioctl(stream->from, FIONREAD, &waiting) == 0 && waiting > PIPE_BUF) {
		ssize_t moved = splice(stream->from, NULL, stream->to, NULL, size,
				       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (moved >= 0 || errno != EINVAL)
			return moved;
		stream->copy = true;
	}
	return copy_part(stream);
}

static void move_part(struct job_log *log, struct job_log_stream *stream)
{
	ssize_t moved = move_bytes(stream);
	if (moved > 0) {
		stream->full = false;
		stream->most -= stream->most == SIZE_MAX ? 0 : (size_t)moved;
		log->last_byte = io_now_ms();
	} else if (moved < 0 && errno == EAGAIN) {
		/* Either end may not be ready: wait for the one that poll(2) did not report. */
		stream->full = !stream->full;
	} else if (moved == 0 || errno != EINTR) {
		/* A script that goes on writing to a stream that was given up gets SIGPIPE. */
		if (moved < 0)
			log->error = errno;
		close_stream(stream);
	}
	if (stream->most == 0)
		close_stream(stream);
}

void job_log_move(struct job_log *log, const struct pollfd sources[JOB_LOG_STREAMS])
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++)
		if (sources[i].revents != 0 && log->streams[i].from >= 0)
			move_part(log, &log->streams[i]);
}

void job_log_finish(struct job_log *log)
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++) {
		struct job_log_stream *stream = &log->streams[i];
		int size = 0;
		if (stream->from >= 0 && ioctl(stream->from, FIONREAD, &size) == 0)
			stream->most = (size_t)size;
		if (stream->most == 0)
			close_stream(stream);
	}
}

bool job_log_is_at_end(const struct job_log *log)
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++)
		if (log->streams[i].from >= 0)
			return false;
	return true;
}

bool job_log_has_writers(const struct job_log *log)
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++) {
		struct pollfd pipe = {.fd = log->streams[i].from};
		if (pipe.fd >= 0 && (poll(&pipe, 1, 0) < 0 || (pipe.revents & POLLHUP) == 0))
			return true;
	}
	return false;
}

bool job_log_is_blocked(const struct job_log *log)
{
	for (int i = 0; i < JOB_LOG_STREAMS; i++)
		if (log->streams[i].full)
			return true;
	return false;
}

int job_log_check(int error, struct error *err)
{
	return error == 0 ? 0
			  : error_set(err, ERROR_SYSTEM, "cannot write the job's log: %s",
				      strerror(error));
}
