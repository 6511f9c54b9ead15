#include "core/executor/arguments.h"

#include <stdio.h>
#include <string.h>

#include "core/executor/options.h"
#include "core/json.h"

/* Adds the words of each text in `list`, and checks all that are there; else false, with `fault`.
 */
static bool add_words(const struct scheduler *scheduler, const struct channel_header *header,
		      const json_t *list, struct words *words, char fault[ARGUMENTS_FAULT_SIZE])
{
	size_t index;
	json_t *text;
	json_array_foreach (list, index, text) {
		const char *reason = words_split(words, json_string_value(text));
		if (reason == NULL)
			continue;
		snprintf(fault, ARGUMENTS_FAULT_SIZE, "%s", reason);
		return false;
	}
	return header->state.allow_illegal_args ||
	       options_check(&scheduler->options, words, fault, ARGUMENTS_FAULT_SIZE);
}

int arguments_read(const struct scheduler *scheduler, const struct channel_header *header,
		   struct arguments *arguments, struct error *err)
{
	memset(arguments, 0, sizeof(*arguments));
	struct words *words = &arguments->words;
	char *fault = arguments->fault;
	if (!add_words(scheduler, header, header->state.default_arguments, words, fault))
		return error_set(err, ERROR_SYSTEM, "batch.default_args cannot be used for %s: %s",
				 scheduler->submit[0], fault);
	size_t of_site = words->count;
	(void)add_words(scheduler, header, header->arguments, words, fault);
	arguments->of_author = words->count - of_site;
	return 0;
}

int arguments_check(enum executor_kind executor, const struct batch_settings *settings,
		    struct error *err)
{
	const struct scheduler *scheduler = scheduler_of(executor);
	struct channel_header header = {.state.allow_illegal_args = settings->allow_illegal_args};
	json_auto_t *site = json_from_list(&settings->default_args);
	struct arguments arguments;
	if (scheduler == NULL)
		return 0;
	header.state.default_arguments = site;
	int result = arguments_read(scheduler, &header, &arguments, err);
	words_free(&arguments.words);
	return result;
}
