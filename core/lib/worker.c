#include "core/lib/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"

/* Time for the child to kill what it has started: run_unprivileged.c. */
#define GRACE_MS 6000

static void run_child(const struct worker *worker, pid_t parent, int answer)
{
	struct worker_verdict verdict = {.result = 0};
	if (worker->prepare != NULL) {
		verdict.result = worker->prepare(worker->context, answer, &verdict.error);
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The parent may have ended before that call. */
		if (getppid() != parent)
			_exit(1);
	}
	if (verdict.result == 0)
		verdict.result = worker->work(worker->argument, worker->reply, &verdict.error);
	bool sent = io_write_all(answer, &verdict, sizeof(verdict)) == 0 &&
		    io_write_all(answer, worker->reply, worker->reply_size) == 0;
	_exit(sent ? 0 : 1);
}

int worker_start(struct worker *worker, struct error *err)
{
	int ends[2];
	pid_t parent = getpid();
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	worker->child = fork();
	if (worker->child == 0) {
		close(ends[0]);
		run_child(worker, parent, ends[1]);
	}
	close(ends[1]);
	worker->answer = ends[0];
	if (worker->child > 0)
		return 0;
	close(ends[0]);
	return error_errno(err, ERROR_SYSTEM, "cannot fork");
}

/* Handles a signal that has arrived. False if this process no longer waits for the work. */
static bool handle_signal(struct worker *worker)
{
	if (!signals_read(worker->signals).end || worker->told)
		return true;
	worker->told = true;
	worker->deadline = io_now_ms() + worker->grace_ms;
	if (worker->grace_ms > 0)
		kill(worker->child, SIGTERM);
	errno = ECANCELED;
	return worker->grace_ms > 0;
}

/* Reads exactly `size` bytes of the answer. */
static int receive(struct worker *worker, void *bytes, size_t size)
{
	for (size_t used = 0; used < size;) {
		struct pollfd sources[] = {{.fd = worker->answer, .events = POLLIN},
					   {.fd = worker->signals, .events = POLLIN}};
		int64_t left = worker->deadline < 0 ? -1 : worker->deadline - io_now_ms();
		errno = ETIMEDOUT;
		if (worker->deadline >= 0 && left <= 0)
			return -1;
		if (poll(sources, 2, (int)left) < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (sources[1].revents != 0 && !handle_signal(worker))
			return -1;
		if (sources[0].revents == 0)
			continue;
		ssize_t got = read(worker->answer, (char *)bytes + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		used += (size_t)got;
	}
	return 0;
}

int worker_receive(struct worker *worker, struct worker_verdict *verdict)
{
	int result = receive(worker, verdict, sizeof(*verdict));
	if (result == 0)
		result = receive(worker, worker->reply, worker->reply_size);
	bool is_wanted = result == 0 && (verdict->result == 0 || worker->keeps_reply);
	/* It may have a part of the id token, which later children must not have. */
	if (!is_wanted && worker->reply_size > 0)
		explicit_bzero(worker->reply, worker->reply_size);
	return result;
}

void worker_close(struct worker *worker, bool kills)
{
	close(worker->answer);
	if (kills)
		kill(worker->child, SIGKILL);
	while (waitpid(worker->child, NULL, 0) < 0 && errno == EINTR)
		;
}

int worker_run(int (*work)(const void *argument, void *reply, struct error *err),
	       const void *argument, void *reply, size_t reply_size, struct error *err)
{
	struct worker_verdict verdict;
	cleanup_close int signals = signals_open(err);
	struct worker worker = {
		.work = work,
		.argument = argument,
		.reply = reply,
		.reply_size = reply_size,
		.keeps_reply = true,
		.signals = signals,
		.grace_ms = GRACE_MS,
		.deadline = -1,
	};
	if (signals < 0 || worker_start(&worker, err) != 0)
		return -1;
	bool received = worker_receive(&worker, &verdict) == 0;
	if (received) {
		worker_close(&worker, false);
	} else {
		/* Does not wait for a child that hangs in the kernel: this process ends soon. */
		close(worker.answer);
		kill(worker.child, SIGKILL);
		(void)waitpid(worker.child, NULL, WNOHANG);
	}
	if (worker.told)
		return error_cancelled(err);
	if (!received)
		return error_set(err, ERROR_SYSTEM, "the process that looks up accounts has died");
	if (verdict.result != 0)
		*err = verdict.error;
	return verdict.result;
}
