#include "core/protocol/channel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/json.h"

char *channel_encode_header(const struct channel_header *header)
{
	json_auto_t *root =
		json_pack("{s:I,s:i,s:O,s:s*,s:O*,s:O*,s:s*,s:b,s:s*,s:o*}", "script_size",
			  (json_int_t)header->script_size, "profile", (int)header->profile,
			  "environment", header->environment, "data_dir", header->data_dir, "kill",
			  header->kill_list, "arguments", header->arguments, "allocation",
			  header->allocation, "release", (int)header->release, "cgroup",
			  header->cgroup, "state", state_encode(&header->state));
	size_t size = json_dumpb(root, NULL, 0, JSON_COMPACT);
	char *line = size > 0 ? malloc(size + 2) : NULL;
	if (line == NULL)
		return NULL;
	(void)json_dumpb(root, line, size, JSON_COMPACT);
	memcpy(line + size, "\n", 2);
	return line;
}

static bool is_environment(const json_t *list)
{
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		const char *variable = json_string_value(entry);
		if (variable == NULL || strchr(variable, '=') == NULL)
			return false;
	}
	return json_is_array(list);
}

/* Only pids of single processes: kill(2) takes 0 and negative numbers for many. */
static bool is_kill_list(const json_t *list)
{
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		json_int_t pid = json_integer_value(entry);
		if (pid <= 1 || pid > INT_MAX)
			return false;
	}
	return json_array_size(list) > 0;
}

int channel_decode_header(const char *line, size_t size, struct channel_header *header,
			  struct error *err)
{
	json_error_t where;
	json_int_t script_size = -1;
	int profile = -1;
	int release = 0;
	json_t *state = NULL;

	memset(header, 0, sizeof(*header));
	header->root = json_loadb(line, size, JSON_REJECT_DUPLICATES, &where);
	if (header->root == NULL ||
	    json_unpack_ex(header->root, &where, 0, "{s:I,s:i,s:o,s?s,s?o,s?o,s?s,s?b,s?s,s:o}",
			   "script_size", &script_size, "profile", &profile, "environment",
			   &header->environment, "data_dir", &header->data_dir, "kill",
			   &header->kill_list, "arguments", &header->arguments, "allocation",
			   &header->allocation, "release", &release, "cgroup", &header->cgroup,
			   "state", &state) != 0)
		return error_set(err, ERROR_SYSTEM, "the channel's header is damaged: %s",
				 where.text);
	if (script_size < 0 || profile < PROFILE_LOGIN || profile > PROFILE_ETC_ONLY ||
	    !is_environment(header->environment) ||
	    (header->kill_list != NULL && !is_kill_list(header->kill_list)) ||
	    (header->arguments != NULL && !json_is_string_array(header->arguments)))
		return error_set(err, ERROR_SYSTEM, "the channel's header is damaged");
	header->script_size = (uint64_t)script_size;
	header->profile = (enum profile_choice)profile;
	header->release = release != 0;
	return state_decode(state, &header->state, err);
}

void channel_free_header(struct channel_header *header)
{
	state_free(&header->state);
	json_decref(header->root);
	memset(header, 0, sizeof(*header));
}

/* Refills an empty reader; the number of bytes that it then holds, 0 at the end, -1 with errno. */
static ssize_t refill(struct channel_reader *reader)
{
	ssize_t got;
	do
		got = read(reader->fd, reader->bytes, sizeof(reader->bytes));
	while (got < 0 && errno == EINTR);
	reader->start = 0;
	reader->end = got > 0 ? (size_t)got : 0;
	return got;
}

/* The bytes up to the first newline, without it, in new memory. */
static char *read_line(struct channel_reader *reader, size_t *size)
{
	char *line = NULL;
	*size = 0;
	for (;;) {
		if (reader->start == reader->end && refill(reader) <= 0)
			break;
		const char *from = reader->bytes + reader->start;
		size_t held = reader->end - reader->start;
		const char *newline = memchr(from, '\n', held);
		size_t part = newline != NULL ? (size_t)(newline - from) : held;
		if (part > CHANNEL_HEADER_MOST_SIZE - *size)
			break;
		char *grown = realloc(line, *size + part + 1);
		if (grown == NULL)
			break;
		line = grown;
		memcpy(line + *size, from, part);
		*size += part;
		reader->start += part + (newline != NULL ? 1 : 0);
		if (newline != NULL)
			return line;
	}
	free(line);
	return NULL;
}

/* If somebody calls jacamar by hand, standard input may be anything. */
static bool is_socket(int fd)
{
	struct stat found;
	return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

int channel_read_header(struct channel_reader *reader, struct channel_header *header,
			struct error *err)
{
	size_t size;
	memset(header, 0, sizeof(*header));
	cleanup_free char *line = read_line(reader, &size);
	/* jacamar-auth has cancelled the stage at its beginning. */
	if (line == NULL && reader->start == reader->end && is_socket(reader->fd))
		return error_cancelled(err);
	if (line == NULL)
		return error_set(
			err, ERROR_SYSTEM,
			"there is no job on standard input: only jacamar-auth calls env-script");
	return channel_decode_header(line, size, header, err);
}

int channel_copy_script(struct channel_reader *reader, uint64_t size, int out, const char *path,
			struct error *err)
{
	while (size > 0) {
		if (reader->start == reader->end && refill(reader) <= 0)
			return error_cancelled(err);
		size_t part = reader->end - reader->start;
		if (part > size)
			part = (size_t)size;
		if (io_write_all(out, reader->bytes + reader->start, part) != 0)
			return error_errno(err, ERROR_SYSTEM, "cannot write %s", path);
		reader->start += part;
		size -= part;
	}
	return 0;
}

bool channel_was_ended(const struct channel_reader *reader)
{
	return reader->start != reader->end;
}

int channel_send_number(int fd, int number, struct error *err)
{
	if (io_write_all(fd, &number, sizeof(number)) != 0)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot answer jacamar-auth over standard input; does sudo log "
				   "it (log_input)?");
	return 0;
}

size_t channel_receive_answer(int fd, struct channel_answer *answer, size_t held)
{
	ssize_t got = 1;
	while (held < sizeof(*answer) && got > 0) {
		got = recv(fd, (char *)answer + held, sizeof(*answer) - held, MSG_DONTWAIT);
		held += got > 0 ? (size_t)got : 0;
	}
	return held;
}
