/*
 * libFuzzer: any bytes as the arguments of a job's author, and as what a scheduler's commands print
 * of jobs, whose names and comments are their authors'. The first byte chooses the scheduler and
 * how its command ended. What is taken can go on a command line, and on a terminal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/executor/arguments.h"
#include "core/executor/scheduler.h"
#include "core/lib/argv.h"
#include "core/lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_number(bool read, const char *number)
{
	if (read && (number[0] == '-' || number[0] == '\0' ||
		     !text_is_made_of(number, TEXT_WORD ".", BATCH_NUMBER_SIZE - 1)))
		abort();
}

static void check_text(const char *text)
{
	if (text[0] != '\0' && !text_is_printable(text))
		abort();
}

static void check_answer(bool read, const struct batch_answer *answer)
{
	if (!read)
		return;
	check_text(answer->name);
	check_text(answer->reason);
	check_text(answer->expected);
}

static void try_arguments(const struct scheduler *scheduler, const char *text)
{
	struct arguments arguments = {.of_author = 0};
	if (argv_split(&arguments.words, text) == NULL &&
	    !arguments_are_allowed(&scheduler->options, &(struct string_list){.count = 0},
				   &arguments) &&
	    arguments.fault[0] == '\0')
		abort();
	string_list_free(&arguments.words);
}

static void try_output(const struct scheduler *scheduler, const struct command_result *result)
{
	const char *mark = scheduler->listed_by_wrapper ? "/s/x.batch" : "ci-42";
	struct batch_answer answer = {.name = ""};
	char number[BATCH_NUMBER_SIZE] = "";
	check_number(scheduler->read_number(result->output, number), number);
	number[0] = '\0';
	check_number(scheduler->read_list(result->output, mark, number), number);
	if (scheduler->read_history != NULL)
		check_answer(scheduler->read_history(result->output, &answer), &answer);
	check_answer(scheduler_read_answer(scheduler, result, &answer), &answer);
	if (scheduler->is_unfit != NULL)
		(void)scheduler->is_unfit(result);
	(void)scheduler_is_refusal(scheduler, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scheduler *const schedulers[] = {&COBALT, &FLUX, &LSF, &PBS, &SLURM};
	static const int statuses[] = {0, 1 << 8, 35 << 8, 9};
	static struct command_result result;
	if (size == 0 || size > sizeof(result.output) / 2)
		return 0;
	const struct scheduler *scheduler = schedulers[data[0] % 5];
	char *text = calloc(1, size);
	if (text == NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	try_arguments(scheduler, text);
	memset(&result, 0, sizeof(result));
	result.status = statuses[data[0] / 5 % 4];
	text_copy(result.output, sizeof(result.output), text);
	snprintf(result.errors, sizeof(result.errors), "%s", text);
	try_output(scheduler, &result);
	free(text);
	return 0;
}
