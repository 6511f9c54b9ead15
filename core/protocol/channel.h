/*
 * The channel between the service's side (jacamar-auth) and the user's side (the process that runs
 * as the user): a pair of sockets. One of them is the standard input of the user's side.
 *
 * The service's side sends one line of JSON (the header), then the script (`script_size` bytes),
 * and keeps the channel open while the stage runs. If it closes the channel or sends a line
 * `cancel`, the user's side ends the job at once.
 *
 * The user's side sends back two numbers: its pid, when it has read the header, and the exit code
 * of the stage, if the stage came to its own end. The exit status of the process is not enough: any
 * value can be the exit code of the script, and sudo has exit codes of its own. In place of either
 * number, CHANNEL_FAILED says that the stage has failed and that the reason is in the job's log.
 */
#ifndef JACAMAR_CORE_PROTOCOL_CHANNEL_H
#define JACAMAR_CORE_PROTOCOL_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/error.h"
#include "core/protocol/state.h"

#define CHANNEL_HEADER_MOST_SIZE (1024 * 1024)

/* Which profiles the login shell reads. */
enum profile_choice { PROFILE_LOGIN, PROFILE_NONE, PROFILE_ETC_ONLY };

struct channel_header {
	uint64_t script_size;
	enum profile_choice profile;
	json_t *environment;  /* array of "NAME=value": environment.h */
	const char *data_dir; /* of config: what the user's shell must resolve; else NULL */
	/* of cleanup: kill these processes, and the descendants of the first one; else NULL */
	json_t *kill_list; /* array of pids, the first one jacamar-auth's: kill_leftovers.h */
	json_t *arguments; /* array of strings, the author's for the scheduler; NULL: none */
	/* The author's choice of an allocation (allocation.h): any printable text; NULL: none. */
	const char *allocation;
	bool release; /* the allocation ends with this job */
	/* The path of the job's cgroup, whose processes jacamar-auth kills: cgroup.h; NULL: none */
	const char *cgroup;
	struct state state;
	json_t *root; /* owns what is borrowed above, in a header that was read */
};

/* The header's line, its newline included, in new memory; NULL without memory. */
char *channel_encode_header(const struct channel_header *header);

/* The reading end, with bytes that were read but not yet used. */
struct channel_reader {
	int fd;
	size_t start;
	size_t end;
	char bytes[4 * 1024];
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

/* The answer of the user's side, as bytes of this machine's int. */
struct channel_answer {
	int pid;
	int exit_code;
};

#define CHANNEL_FAILED (-1)

/* Sends one of the numbers. */
int channel_send_number(int fd, int number, struct error *err);

/*
 * Adds the bytes that have arrived to `answer`, which has `held` bytes already. Returns how many it
 * has now. Does not wait.
 */
size_t channel_receive_answer(int fd, struct channel_answer *answer, size_t held);

/*
 * True if bytes came after the script. jacamar-auth sends nothing there except the end of the job.
 * If the descriptor becomes readable later, that means the same.
 */
bool channel_was_ended(const struct channel_reader *reader);

#endif
