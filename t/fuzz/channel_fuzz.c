/*
 * libFuzzer: any line as the channel's header. A header that is accepted is safe to execute with.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/protocol/channel.h"
#include "core/protocol/environment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The service's side could have sent it. */
static void check_line(const struct channel_header *header)
{
	char *line = channel_encode_header(header);
	if (line == NULL || strchr(line, '\n') != line + strlen(line) - 1)
		abort();
	free(line);
}

static void check_environment(const json_t *environment)
{
	char **vector = environment_vector(environment);
	size_t count = 0;
	if (vector == NULL)
		return;
	for (; vector[count] != NULL; count++)
		if (strchr(vector[count], '=') == NULL)
			abort();
	if (count != json_array_size(environment))
		abort();
	free(vector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel_header header;
	struct error err;
	if (channel_decode_header((const char *)data, size, &header, &err) == 0) {
		check_environment(header.environment);
		check_line(&header);
		if (header.profile < PROFILE_LOGIN || header.profile > PROFILE_ETC_ONLY ||
		    header.state.account.uid == (uid_t)-1 || header.state.job_id == 0)
			abort();
	}
	channel_free_header(&header);
	return 0;
}
