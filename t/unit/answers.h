/*
 * What the tests of all schedulers have in common: a row of a table, and what is expected of it.
 */
#ifndef JACAMAR_T_UNIT_ANSWERS_H
#define JACAMAR_T_UNIT_ANSWERS_H

#include "core/executor/scheduler.h"

struct number_row {
	const char *output, *number; /* NULL: there is none */
};
void expect_number(const struct scheduler *scheduler, const struct number_row *row);

/* Expects the number of the job in a list that is named ci-7 and executes /s/x.batch. */
void expect_in_list(const struct scheduler *scheduler, const struct number_row *row);

struct garbage_row {
	int status;
	const char *output, *errors;
};
void expect_no_answer(const struct scheduler *scheduler, const struct garbage_row *row);

struct history_row {
	const char *output;
	enum batch_meaning meaning; /* UNKNOWN: no answer */
};
void expect_history(const struct scheduler *scheduler, const struct history_row *row);

struct failure_row {
	int status;
	const char *errors;
	bool refusal;
};
void expect_failure(const struct scheduler *scheduler, const struct failure_row *row);

/* Expects that a job's arguments are accepted, or refused by name. */
void expect_taken(const struct scheduler *scheduler, const char *arguments);
void expect_refused(const struct scheduler *scheduler, const char *arguments);

#endif
