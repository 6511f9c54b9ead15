#include "core/process/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"

/* One step reads at most this much of a pipe: more than a pipe holds. */
#define READ_ROUNDS 64
#define PART_SIZE   2048

/* In the child: returns only if it fails. */
static int execute(const struct subprocess_program *program, struct error *err)
{
	/* A descriptor of this process, and which one it becomes; a negative one is left out. */
	const struct {
		int from;
		int to;
	} pairs[] = {
		{program->input, STDIN_FILENO},
		{program->other, program->other_as},
		{program->output, STDOUT_FILENO},
		{program->errors, STDERR_FILENO},
	};
	setsid();
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].from >= 0 && pairs[i].from != pairs[i].to &&
		    dup2(pairs[i].from, pairs[i].to) < 0)
			return error_errno(err, ERROR_SYSTEM, "cannot execute %s", program->path);
	if (program->prepare != NULL && program->prepare(program->context, err) != 0)
		return -1;
	signals_reset();
	execve(program->path, program->arguments, program->environment);
	return error_errno(err, ERROR_SYSTEM, "cannot execute %s", program->path);
}

/*
 * A failure comes back through a pipe, which closes on exec. The child inherits the umask of a
 * login, which this process does not have.
 */
pid_t subprocess_spawn(const struct subprocess_program *program, struct error *err)
{
	struct error said = {.kind = ERROR_NONE};
	int report[2];
	if (pipe2(report, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	mode_t private = umask(0022);
	pid_t child = fork();
	if (child == 0) {
		(void)execute(program, &said);
		(void)io_write_all(report[1], &said, sizeof(said));
		_exit(1);
	}
	int why = errno;
	umask(private);
	close(report[1]);
	ssize_t size = child > 0 ? io_read_full(report[0], &said, sizeof(said)) : 0;
	close(report[0]);
	errno = why;
	if (child < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot execute %s", program->path);
	if (size != (ssize_t)sizeof(said))
		return child;
	(void)waitpid(child, NULL, 0);
	*err = said;
	return -1;
}

static bool open_pipe(struct subprocess_stream *stream, int *writer)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	stream->pipe = ends[0];
	*writer = ends[1];
	/* Only our end: flags belong to each end of a pipe. */
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all(struct subprocess *process)
{
	close_end(&process->output.pipe);
	close_end(&process->errors.pipe);
	process->child = 0;
}

int subprocess_start(struct subprocess *process, int64_t limit_ms,
		     pid_t (*start)(const void *argument, int output, int errors,
				    struct error *err),
		     const void *argument, struct error *err)
{
	int output = -1;
	int errors = -1;
	pid_t child = -1;
	process->output.pipe = process->errors.pipe = -1;
	process->deadline = io_now_ms() + limit_ms;
	process->in_time = true;
	if (open_pipe(&process->output, &output) && open_pipe(&process->errors, &errors))
		child = start(argument, output, errors, err);
	else
		error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	close_end(&output);
	close_end(&errors);
	if (child < 0)
		close_all(process);
	else
		process->child = child;
	return child < 0 ? -1 : 0;
}

/* Adds a part, which is not longer than the room. */
static void keep(struct subprocess_stream *stream, const char *part, size_t size)
{
	size_t left = stream->room - stream->size;
	bool fits = size <= left;
	stream->was_cut = stream->was_cut || !fits;
	if (!fits && stream->keeps_end) {
		stream->size -= size - left;
		memmove(stream->text, stream->text + size - left, stream->size);
	} else if (!fits) {
		size = left;
	}
	memcpy(stream->text + stream->size, part, size);
	stream->size += size;
	stream->text[stream->size] = '\0';
}

static void read_stream(struct subprocess_stream *stream)
{
	char part[PART_SIZE];
	size_t most = stream->room < sizeof(part) ? stream->room : sizeof(part);
	/* Bounded, so that the deadline is seen of a program that prints without end. */
	for (int round = 0; stream->pipe >= 0 && round < READ_ROUNDS; round++) {
		ssize_t got = read(stream->pipe, part, most);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got > 0)
			keep(stream, part, (size_t)got);
		else
			close_end(&stream->pipe);
	}
}

bool subprocess_step(struct subprocess *process)
{
	if (process->in_time && io_now_ms() >= process->deadline) {
		process->in_time = false;
		kill(-process->child, SIGKILL);
	}
	/* Before reading, so that all that the child has printed is read. Processes that it leaves
	 * running may hold the pipes open, and are not waited for. */
	bool has_ended = waitpid(process->child, &process->status, WNOHANG) == process->child;
	read_stream(&process->output);
	read_stream(&process->errors);
	if (has_ended)
		close_all(process);
	return has_ended;
}

void subprocess_poll(const struct subprocess *process, struct pollfd sources[2])
{
	bool runs = process->child > 0;
	sources[0] = (struct pollfd){.fd = runs ? process->output.pipe : -1, .events = POLLIN};
	sources[1] = (struct pollfd){.fd = runs ? process->errors.pipe : -1, .events = POLLIN};
}

void subprocess_abort(struct subprocess *process)
{
	if (process->child <= 0)
		return;
	kill(-process->child, SIGKILL);
	/* Not waited for: it may hang in the kernel. */
	(void)waitpid(process->child, &process->status, WNOHANG);
	close_all(process);
}
