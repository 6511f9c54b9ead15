#include "core/stage/ask_user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/stage/stage.h"

int ask_user(const struct state *state, const char *data_dir, char *text, size_t size,
	     struct error *err)
{
	int answer[2];
	struct stage_end end;
	text[0] = '\0';
	if (pipe2(answer, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	cleanup_close int in = answer[0];
	struct stage side = {
		.state = state, .stage = "config", .data_dir = data_dir, .output = answer[1]};
	int result = stage_run(&side, &end, err);
	if (result == 0)
		result = stage_check(&end, err);
	close(answer[1]);
	/* Another process may still have the write end, but the answer is complete. */
	fcntl(in, F_SETFL, O_NONBLOCK);
	ssize_t got = read(in, text, size);
	/*
	 * One more try: if the answer were lost, nobody would remove the lock file that it names.
	 */
	if (got < 0 && errno != EAGAIN)
		got = read(in, text, size);
	bool whole = got > 0 && text[got - 1] == '\n';
	text[whole ? got - 1 : 0] = '\0';
	if (result != 0)
		return -1;
	if (!whole)
		return error_set(err, ERROR_SYSTEM, "jacamar as the user did not report %s",
				 data_dir != NULL ? data_dir : "the job's builds directory");
	return strlen(text) == (size_t)got - 1
		       ? 0
		       : error_set(err, ERROR_SYSTEM,
				   "jacamar as the user answered with a NUL byte");
}
