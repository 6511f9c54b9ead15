#include "core/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/downscope.h"
#include "core/io.h"
#include "core/supervise.h"

/* How long a child may take to exit once it has answered. */
#define EXIT_PAUSE_US 200
#define EXIT_ROUNDS   1000

struct verdict {
	int result;
	struct error error;
};

/* The child's whole life. */
static void run_child(int (*work)(const void *, void *, struct error *), const void *argument,
		      void *reply, size_t reply_size, int out)
{
	struct verdict verdict = {.result = -1};
	/*
	 * config's answer to the runner goes to standard output; nothing else may. And the runner
	 * waits for the end of both, while nobody may be left to end this child.
	 */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		error_errno(&verdict.error, ERROR_SYSTEM, "cannot open /dev/null");
	else
		verdict.result = privilege_confine(&verdict.error);
	if (verdict.result == 0)
		verdict.result = work(argument, reply, &verdict.error);
	bool sent = io_write_all(out, &verdict, sizeof(verdict)) == 0 &&
		    (verdict.result != 0 || io_write_all(out, reply, reply_size) == 0);
	_exit(sent ? 0 : 1);
}

/* Reads exactly `size` bytes before the deadline, and before a signal (-1: none is waited for). */
static int receive(int fd, int signals, void *bytes, size_t size, int64_t deadline)
{
	size_t used = 0;
	while (used < size) {
		int64_t left = deadline - io_now_ms();
		struct pollfd wait_for[] = {{.fd = fd, .events = POLLIN},
					    {.fd = signals, .events = POLLIN}};
		int ready = left <= 0 ? 0 : poll(wait_for, 2, (int)left);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready > 0 && wait_for[1].revents != 0 && supervise_read_signals(signals).end) {
			errno = ECANCELED;
			return -1;
		}
		if (ready > 0 && wait_for[0].revents == 0)
			continue;
		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready <= 0)
			return -1;
		ssize_t got = read(fd, (char *)bytes + used, size - used);
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		used += (size_t)got;
	}
	return 0;
}

/* Who parses hostile bytes may not wish to end, even after a proper answer. */
static void end_child(pid_t child, bool patient)
{
	int rounds = patient ? EXIT_ROUNDS : 0;
	while (waitpid(child, NULL, WNOHANG) == 0) {
		if (rounds-- == 0)
			downscope_kill_confined(child);
		usleep(EXIT_PAUSE_US);
	}
}

static int run(int (*work)(const void *argument, void *reply, struct error *err),
	       const void *argument, void *reply, size_t reply_size, int64_t limit_ms, int signals,
	       struct error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	pid_t child = fork();
	if (child == 0)
		run_child(work, argument, reply, reply_size, ends[1]);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return error_errno(err, ERROR_SYSTEM, "cannot fork");
	}

	struct verdict verdict;
	int64_t deadline = io_now_ms() + limit_ms;
	int received = receive(ends[0], signals, &verdict, sizeof(verdict), deadline);
	if (received == 0 && verdict.result == 0)
		received = receive(ends[0], signals, reply, reply_size, deadline);
	if (received != 0 && errno == ECANCELED)
		error_set(err, ERROR_CANCELLED, "the job was cancelled");
	else if (received != 0)
		error_errno(err, ERROR_SYSTEM, "a confined process has failed");
	close(ends[0]);
	end_child(child, received == 0);
	if (received != 0)
		return -1;
	return verdict.result == 0 ? 0 : error_accept(err, &verdict.error);
}

int confine_run(int (*work)(const void *argument, void *reply, struct error *err),
		const void *argument, void *reply, size_t reply_size, int64_t limit_ms,
		struct error *err)
{
	return run(work, argument, reply, reply_size, limit_ms, -1, err);
}

int confine_run_unless_told(int (*work)(const void *argument, void *reply, struct error *err),
			    const void *argument, void *reply, size_t reply_size, int64_t limit_ms,
			    struct error *err)
{
	cleanup_close int signals = supervise_open_signals(err);
	return signals < 0 ? -1 : run(work, argument, reply, reply_size, limit_ms, signals, err);
}
