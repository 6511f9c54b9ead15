/*
 * The channel: a pair of sockets, of which one is the standard input of the user's side. It works
 * through fork and through sudo.
 *
 * One line of JSON (the header), then the script's bytes, `script_size` of them; then it stays
 * open while the stage runs. Its end, or a line `cancel`, means: end the job now.
 *
 * Two numbers come back, and nothing else: the pid of the user's side, once it has read the
 * header, and the exit code of a stage that came to its own end. An exit status alone would not do:
 * each code is a script's, and sudo has some of its own.
 */
#ifndef JACAMAR_CORE_CHANNEL_H
#define JACAMAR_CORE_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/state.h"

#define CHANNEL_HEADER_MOST_SIZE (1024 * 1024)

/* Which profiles the login shell reads. */
enum profile_choice { PROFILE_LOGIN, PROFILE_NONE, PROFILE_ETC_ONLY };

struct channel_header {
	uint64_t script_size;
	enum profile_choice profile;
	json_t *environment;  /* array of "NAME=value": environment.h */
	const char *data_dir; /* config alone: what the user's shell shall resolve; else NULL */
	/* cleanup alone: kill these processes, and what is below the first one; else NULL */
	json_t *sweep;	   /* array of pids, the first one jacamar-auth's: sweep.h */
	json_t *arguments; /* array of strings, the author's for the scheduler; NULL: none */
	struct state state;
	json_t *root; /* owns what is borrowed above, in a header that was read */
};

/* The header's line, its newline included, in new memory; NULL without memory. */
char *channel_encode_header(const struct channel_header *header);

/* The reading end, with what was read beyond the part asked for. */
struct channel_reader {
	int fd;
	size_t start;
	size_t end;
	char bytes[16 * 1024];
};

/* The caller calls channel_free_header also after a failure. */
int channel_read_header(struct channel_reader *reader, struct channel_header *header,
			struct error *err);
void channel_free_header(struct channel_header *header);

/* The header's decoder alone: what the reader, the tests and the fuzzer call. */
int channel_decode_header(const char *line, size_t size, struct channel_header *header,
			  struct error *err);

/* Copies the script into `out`, a descriptor of the file `path`. */
int channel_copy_script(struct channel_reader *reader, uint64_t size, int out, const char *path,
			struct error *err);

/* What the user's side says in its turn, as bytes of this machine's int. */
struct channel_words {
	int pid;
	int exit_code;
};

/* Says one of them. */
int channel_say(int fd, int number, struct error *err);

/*
 * Adds what has come of them to `words`, which has the first `held` bytes already; how many there
 * are now. It does not wait.
 */
size_t channel_hear(int fd, struct channel_words *words, size_t held);

/*
 * True where something came right behind the script. Nothing but the end of the job is ever said
 * there, so that, and anything that makes the descriptor readable later, means it.
 */
bool channel_was_ended(const struct channel_reader *reader);

#endif
