#include "core/executor/log_follower.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"

/* One step: the bytes of one read, and the number of reads. */
#define CHUNK_SIZE  (64 * 1024)
#define STEP_CHUNKS 16

/* A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking. */
static size_t write_part(struct log_follower *follower, const char *bytes, size_t size,
			 bool *blocked)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t written = 0;
	while (written < size && !*blocked && follower->error == 0) {
		if (poll(&out, 1, 0) <= 0) {
			*blocked = true;
			break;
		}
		size_t part = size - written < PIPE_BUF ? size - written : PIPE_BUF;
		ssize_t done = write(STDOUT_FILENO, bytes + written, part);
		if (done >= 0)
			written += (size_t)done;
		else if (errno == EAGAIN)
			*blocked = true;
		else if (errno != EINTR)
			follower->error = errno;
	}
	if (written > 0)
		follower->in_line = bytes[written - 1] != '\n';
	return follower->error != 0 ? size : written;
}

void log_follower_end_line(struct log_follower *follower)
{
	bool blocked = false;
	if (follower->in_line)
		(void)write_part(follower, "\n", 1, &blocked);
}

uint64_t log_follower_size(const struct log_follower *follower)
{
	struct stat found;
	cleanup_close int fd = batch_files_open(follower->files, "log");
	return fd >= 0 && fstat(fd, &found) == 0 ? (uint64_t)found.st_size : 0;
}

enum log_follower_result log_follower_step(struct log_follower *follower)
{
	char *chunk = malloc(CHUNK_SIZE);
	/* Opened at each step: NFS shows what another node has written only after an open. */
	cleanup_close int fd = batch_files_open(follower->files, "log");
	enum log_follower_result result = fd >= 0 && chunk != NULL ? FOLLOW_MORE : FOLLOW_IDLE;
	for (int round = 0; round < STEP_CHUNKS && result == FOLLOW_MORE; round++) {
		bool blocked = false;
		ssize_t got = pread(fd, chunk, CHUNK_SIZE, (off_t)follower->position);
		if (got <= 0) {
			result = FOLLOW_IDLE;
			break;
		}
		follower->position += write_part(follower, chunk, (size_t)got, &blocked);
		if (blocked)
			result = FOLLOW_BLOCKED;
	}
	free(chunk);
	return result;
}
