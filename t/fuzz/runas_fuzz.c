/*
 * libFuzzer: any bytes as the output of a validation script. An accepted answer is within its
 * bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy/runas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runas_reply reply;
	struct error err;
	/* Like in the program, a NUL follows, which is not part of the output. */
	char *text = calloc(1, size + 1);
	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (runas_parse(text, size, &reply, &err) == 0 &&
	    (strlen(reply.answer.username) >= sizeof(reply.answer.username) ||
	     strlen(reply.answer.data_dir) >= sizeof(reply.answer.data_dir) ||
	     strlen(reply.error_message) >= sizeof(reply.error_message)))
		abort();
	free(text);
	return 0;
}
