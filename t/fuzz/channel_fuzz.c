/* libFuzzer: any bytes as the channel's header. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/channel.h"
#include "core/environment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err;
	struct channel_header header;

	if (channel_decode_header((const char *)data, size, &header, &err) == 0) {
		char **environment = environment_vector(header.environment);
		char *line = channel_encode_header(&header);
		if (environment == NULL || line == NULL)
			abort();
		free(environment);
		free(line);
	}
	channel_free_header(&header);
	return 0;
}
