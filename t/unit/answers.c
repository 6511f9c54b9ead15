#include "t/unit/answers.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/executor/arguments.h"
#include "core/lib/argv.h"

static void expect_read(bool read, const char *number, const struct number_row *row)
{
	ck_assert_msg(read == (row->number != NULL), "%s", row->output);
	ck_assert_str_eq(number, row->number != NULL ? row->number : "");
}

void expect_number(const struct scheduler *scheduler, const struct number_row *row)
{
	char number[BATCH_NUMBER_SIZE] = "";
	bool read = scheduler->read_number(row->output, number);
	expect_read(read, number, row);
}

void expect_in_list(const struct scheduler *scheduler, const struct number_row *row)
{
	const char *mark = scheduler->listed_by_wrapper ? "/s/x.batch" : "ci-7";
	char number[BATCH_NUMBER_SIZE] = "";
	bool read = scheduler->read_list(row->output, mark, number);
	expect_read(read, number, row);
}

void expect_no_answer(const struct scheduler *scheduler, const struct garbage_row *row)
{
	struct command_result result = {.status = row->status};
	struct batch_answer answer;
	snprintf(result.output, sizeof(result.output), "%s", row->output);
	snprintf(result.errors, sizeof(result.errors), "%s", row->errors);
	ck_assert_msg(!scheduler_read_answer(scheduler, &result, &answer), "%s", row->output);
}

void expect_history(const struct scheduler *scheduler, const struct history_row *row)
{
	struct batch_answer answer = {.name = ""};
	bool read = scheduler->read_history(row->output, &answer);
	ck_assert_msg(read == (row->meaning != BATCH_UNKNOWN), "%s", row->output);
	if (!read)
		return;
	ck_assert_int_eq(answer.meaning, row->meaning);
	/* An end other than that of the script itself has an explanation. */
	ck_assert_int_eq(answer.why != NULL,
			 answer.meaning == BATCH_KILLED || answer.meaning == BATCH_LOST);
}

void expect_failure(const struct scheduler *scheduler, const struct failure_row *row)
{
	struct command_result result = {.status = row->status};
	snprintf(result.errors, sizeof(result.errors), "%s", row->errors);
	ck_assert_msg(scheduler_is_refusal(scheduler, &result) == row->refusal, "%s", row->errors);
}

static bool is_taken(const struct scheduler *scheduler, const char *arguments, char fault[320])
{
	struct arguments read = {.of_author = 0};
	ck_assert_ptr_null(argv_split(&read.words, arguments));
	bool taken = arguments_are_allowed(&scheduler->options, &(struct string_list){.count = 0},
					   &read);
	snprintf(fault, sizeof(read.fault), "%s", read.fault);
	string_list_free(&read.words);
	return taken;
}

void expect_taken(const struct scheduler *scheduler, const char *arguments)
{
	char fault[320] = "";
	ck_assert_msg(is_taken(scheduler, arguments, fault), "%s: %s", arguments, fault);
}

void expect_refused(const struct scheduler *scheduler, const char *arguments)
{
	char fault[320] = "";
	ck_assert_msg(!is_taken(scheduler, arguments, fault), "%s", arguments);
	ck_assert_msg(strstr(fault, " is refused: ") != NULL, "%s: %s", arguments, fault);
}
