/* libFuzzer: any text as a job's state. What is accepted can be written and read once more. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err;
	struct state state;
	struct state again = {.root = NULL};
	char *text = strndup((const char *)data, size);

	if (text != NULL && state_parse(text, &state, &err) == 0) {
		json_t *encoded = state_encode(&state);
		if (encoded == NULL || state_decode(encoded, &again, &err) != 0 ||
		    again.account.uid != state.account.uid || again.job_id != state.job_id)
			abort();
		state_free(&again);
		json_decref(encoded);
	}
	if (text != NULL)
		state_free(&state);
	free(text);
	return 0;
}
