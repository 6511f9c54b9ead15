/*
 * libFuzzer: any text as the state from config. A state that is accepted is the same after it was
 * encoded and decoded once more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/protocol/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct state *state)
{
	struct state back;
	struct error err;
	json_t *first = state_encode(state);
	json_t *copy = json_deep_copy(first);
	if (copy == NULL || state_decode(copy, &back, &err) != 0)
		abort();
	json_t *second = state_encode(&back);
	if (!json_equal(first, second) || state->account.uid != back.account.uid ||
	    strcmp(state->scripts_dir, back.scripts_dir) != 0)
		abort();
	json_decref(second);
	state_free(&back);
	json_decref(copy);
	json_decref(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state;
	struct error err;
	char *text = malloc(size + 1);
	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (state_parse(text, &state, &err) == 0)
		check_round_trip(&state);
	state_free(&state);
	free(text);
	return 0;
}
