/*
 * libFuzzer: any bytes as a configuration file. Finds reads out of bounds, leaks, undefined
 * behaviour, and files that are neither accepted nor refused with a message.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *messages = NULL;
	struct settings *settings = settings_parse("f", (const char *)data, size, &messages);

	if ((settings == NULL) == (messages == NULL))
		abort();
	settings_free(settings);
	free(messages);
	return 0;
}
