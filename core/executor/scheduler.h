/*
 * What the engine of batch jobs knows of a scheduler: one `const struct scheduler` each.
 *
 * A scheduler is spoken to by its own commands, without a shell. How they are called is data; how
 * their answers are read are functions that know nothing of processes or files.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SCHEDULER_H
#define JACAMAR_CORE_EXECUTOR_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"
#include "core/executor/options.h"

#define BATCH_NUMBER_SIZE 64

/*
 * A command: its bare name or path, and its arguments, NULL at their end. In each, {wrapper},
 * {log}, {journal}, {name}, {account} and {number} are filled in; {arguments} stands alone, for the
 * author's.
 */
typedef const char *const command_template[];

/* What a command printed, and how it ended. */
struct command_result {
	int status; /* as waitpid has it */
	char output[16 * 1024];
	char errors[4096]; /* the end */
	bool cut;	   /* there was more output */
	bool errors_cut;   /* there was more of these, before */
};

/* What a job's state means to the one who waits for its end. */
enum batch_meaning {
	BATCH_UNKNOWN,	 /* no such state is known: it is told, and waited for the next */
	BATCH_WAITING,	 /* in the queue, perhaps once more */
	BATCH_RUNNING,	 /* on its nodes */
	BATCH_ENDING,	 /* leaves them, perhaps to be run again */
	BATCH_ENDED,	 /* the script's end decides */
	BATCH_CONDEMNED, /* ended by a limit or by somebody: the job has failed */
	BATCH_LOST,	 /* ended by no fault of the job */
	BATCH_FORGOTTEN, /* the scheduler knows no such job, or no more */
};

struct batch_state {
	const char *name;
	enum batch_meaning meaning;
	const char *words; /* for the job's log; NULL: the name says it */
};

struct batch_answer {
	enum batch_meaning meaning;
	const char *words; /* of the state; NULL: the name says it */
	char name[64];	   /* printable, as is: */
	char reason[128];  /* "" where there is none */
	char expected[64]; /* when it is expected to start; "" where nobody knows */
};

/* By what a job is known whose number is not. */
struct batch_marks {
	const char *wrapper;
	const char *name;
};

/* Takes the row of that name, else the last one, which has none; true where it has that name. */
bool scheduler_find_state(const struct batch_state *states, const char *name, size_t length,
			  struct batch_answer *answer);

/* Finds the one of the lines "NUMBER MARK" that has this mark; false where there is none. */
bool scheduler_find_number(const char *lines, const char *mark, char number[BATCH_NUMBER_SIZE]);

struct scheduler {
	const char *name;
	const char *node_variable; /* names the node, in a job's environment */

	const char *const *submit;
	const char *const *ask;
	const char *const *const *ask_otherwise; /* other forms of it, the best first, NULL at their
						    end; NULL: there are none */
	const char *const *ask_history; /* NULL: nobody remembers what the scheduler forgot */
	const char *const *list; /* of the account's jobs, with what they execute, newest first */
	const char *const *cancel;
	const char *none;    /* what `list` says, failing, where there are no jobs; NULL: nothing */
	bool hands_to_shell; /* the words of the job's command become a line for a shell */

	/* Each is given a command that ended with status 0; false where it is no answer. */
	bool (*read_number)(const char *output, char number[BATCH_NUMBER_SIZE]);
	bool (*read_list)(const char *output, const struct batch_marks *marks,
			  char number[BATCH_NUMBER_SIZE]);
	bool (*read_history)(const char *output, struct batch_answer *answer);

	/* Whatever became of the command; false where it is no answer. */
	bool (*read_answer)(const struct command_result *result, struct batch_answer *answer);
	/* True where this form of the question is not known, and another is; NULL: has but one. */
	bool (*is_unfit)(const struct command_result *result);
	/*
	 * Parts of what a failed submit says, whatever their case, where nobody has judged the
	 * request; NULL at their end.
	 */
	const char *const *unjudged;
	bool last_line_counts; /* of what it says: the lines before tell of attempts */

	struct option_rules options;
};

extern const struct scheduler COBALT; /* cobalt.c */
extern const struct scheduler FLUX;   /* flux.c */
extern const struct scheduler LSF;    /* lsf.c */
extern const struct scheduler PBS;    /* pbs.c */
extern const struct scheduler SLURM;  /* slurm.c */

/* True where a failed submit says that the request was wrong, not that nobody has judged it. */
bool scheduler_is_refusal(const struct scheduler *scheduler, const struct command_result *result);

/* The last line of what a command said to its standard error that is not empty, and on. */
const char *scheduler_last_words(const struct command_result *result);

/* NULL for an executor that is none. */
const struct scheduler *scheduler_of(enum executor_kind executor);

/* The name that the site's configuration has for it. */
const char *scheduler_name_of(enum executor_kind executor);

#endif
