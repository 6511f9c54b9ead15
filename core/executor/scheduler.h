/*
 * All that batch.c needs to know about a scheduler: a `const struct scheduler`, one for each
 * scheduler, in a file of its own (slurm.c, flux.c, ...).
 *
 * The scheduler's own commands are executed, without a shell. Each command is a template in that
 * structure. Functions that it names read the output of the commands; they use no processes or
 * files.
 */
#ifndef JACAMAR_CORE_EXECUTOR_SCHEDULER_H
#define JACAMAR_CORE_EXECUTOR_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"

#define BATCH_NUMBER_SIZE  64
#define BATCH_CLUSTER_SIZE 48

/*
 * A command: its name or path, and its arguments, ended by NULL. {wrapper}, {log}, {journal},
 * {name}, {account}, {number} and {cluster} are replaced. A word that is then empty is left out.
 * The word {arguments} is replaced by all arguments of the site and of the job's author.
 */
typedef const char *const command_template[];

/* What a command printed, and how it ended. */
struct command_result {
	int status; /* as waitpid has it */
	char output[16 * 1024];
	char errors[4096]; /* its end, if there was more */
	bool cut;	   /* there was more output */
	bool errors_cut;   /* there was more before `errors` */
};

/* What the state that a scheduler reports means for the result of the job. */
enum batch_meaning {
	BATCH_UNKNOWN,	 /* a state that is not in the table: only reported */
	BATCH_WAITING,	 /* in the queue, perhaps again */
	BATCH_HOPELESS,	 /* in the queue, for a reason that no waiting ends: `why` */
	BATCH_RUNNING,	 /* on its nodes */
	BATCH_ENDING,	 /* leaving its nodes, perhaps to be run again */
	BATCH_ENDED,	 /* the exit code of the script is the result */
	BATCH_KILLED,	 /* by a limit or by somebody: the job has failed */
	BATCH_LOST,	 /* ended by no fault of the job */
	BATCH_FORGOTTEN, /* the scheduler does not know the job, or not any more */
};

/* Why a job was killed or lost: what several schedulers report. */
#define REASON_TIME	 "it has reached its time limit; request more time"
#define REASON_CPU_TIME	 "it has reached its limit of processor time; request more time"
#define REASON_MEMORY	 "it needed more memory than it was given; request more memory"
#define REASON_CANCELLED "it was cancelled in the scheduler, not by GitLab"
#define REASON_NODE	 "one of its nodes has failed"
#define REASON_NO_START	 "it could not be started on its nodes"

/* Why an argument is refused: what holds for several schedulers. */
#define REFUSED_LOG	    "jacamar reads the job's log from a file of its own"
#define REFUSED_SCRIPT	    "jacamar submits the script of the CI job"
#define REFUSED_NAME	    "jacamar finds the job by its name"
#define REFUSED_QUIET	    "jacamar reads the number of the job"
#define REFUSED_WAIT	    "jacamar itself waits for the end of the job"
#define REFUSED_NO_JOB	    "no job would be submitted"
#define REFUSED_ARRAY	    "a CI job is exactly one batch job"
#define REFUSED_INTERACTIVE "a CI job has no terminal"
#define REFUSED_ACCOUNT	    "the site's rules decide the account of the job"

struct batch_state {
	char name[24]; /* "": the last row, for every other state */
	enum batch_meaning meaning;
	const char *why; /* for the job's log, if it was killed or lost, or is hopeless */
};

struct batch_answer {
	enum batch_meaning meaning;
	const char *why; /* of the state's row */
	/* Printable; "" if the scheduler does not report them. */
	char name[64];
	char reason[128];
	char expected[64]; /* when the job is expected to start */
	char node[64];	   /* that its script was to be started on */
};

/* A reason for waiting that no waiting ends. */
struct hopeless_reason {
	const char *pattern; /* of fnmatch(3); NULL ends the table */
	const char *why;
};

/*
 * Finds the row whose name is the first word of `text`, or else the last one, which has no name,
 * and copies it into the answer. True if there is a row of that name.
 */
bool scheduler_find_state(const struct batch_state *states, const char *text,
			  struct batch_answer *answer);

/* The beginning of the next line; the closing NUL after the last one. */
const char *scheduler_next_line(const char *line);

/*
 * Copies the number that `line` begins with: bytes of `set`, which one of `end` must follow. False
 * if there is none.
 */
bool scheduler_take_number(const char *line, const char *set, const char *end,
			   char number[BATCH_NUMBER_SIZE]);

/* Finds the line "NUMBER MARK" with this mark; false if there is none. */
bool scheduler_find_number(const char *lines, const char *mark, char number[BATCH_NUMBER_SIZE]);

/* Copies the text up to one of the bytes `end`, printable. */
void scheduler_take_field(const char *text, const char *end, char *value, size_t size);

/* An option that is refused if its value contains `part`, in any case. */
struct refused_option {
	char name[16];	    /* "": there is no long form */
	char letter;	    /* 0: there is no short form */
	char part[20];	    /* "": it is always refused */
	const char *reason; /* NULL ends the table */
};

/*
 * Options are read as by getopt_long(3): long ones may be abbreviated, short ones combined, and
 * values attached. Or, with `word_flags`, they are words after one dash, as `-Is`.
 *
 * An unknown short option or word is refused: it could be one or two arguments, or, as `-1`, no
 * option at all but a command to run.
 */
struct option_rules {
	const struct refused_option *refused;
	/* Words without a value, and with one; spaces separate them. */
	const char *word_flags; /* NULL: options are read as by getopt_long(3) */
	const char *valued_words;

	/* For getopt_long(3). */
	const char *letters;  /* short options with a value */
	const char *flags;    /* short options without a value */
	const char *attached; /* short options with an optional value; NULL: none */
	const char *bare;     /* long options without a value, or only after "="; as words */
	/* The option that names another cluster; NULL if the scheduler has no such option. */
	const char *cluster;
	char cluster_letter;
	/*
	 * Plugins of the site add long options. The last argument may be one that lacks its value,
	 * and takes the next word of the command for it: `submit` must work without that word.
	 */
	bool plugins;
};

struct scheduler {
	const char *name;
	const char *node_variable; /* in the environment of a job, has the name of its node */

	const char *const *submit;
	const char *const *ask;
	const char *const *const *ask_otherwise; /* older forms of it, the best first, ended by
						    NULL; NULL: there are none */
	const char *const
		*ask_history;	 /* for a job that was forgotten; NULL: there is no history */
	const char *const *list; /* the jobs of the account, the newest first */
	const char *const *cancel;
	/*
	 * Batch jobs that the script of a job submits itself: what its shell reads after the
	 * profiles, to have them marked with the variable JACAMAR_BATCH_MARK; lists those of the
	 * account that have not ended, as "NUMBER MARK"; cancels those of {arguments}. NULL: they
	 * cannot be marked, or need not be.
	 */
	const char *mark;
	const char *const *list_marked;
	const char *const *cancel_marked;
	/* The error of `list` and `list_marked` if there are no jobs; NULL: they do not fail. */
	const char *none;
	bool hands_to_shell; /* the words of the job's command become a line for a shell */

	/*
	 * Each reads the output of a command that ended with status 0; false if it is no answer. An
	 * answer is zero before. In a list, a job whose number is not known is found by its `mark`:
	 * the path of its wrapper or its name.
	 */
	bool (*read_number)(const char *output, char number[BATCH_NUMBER_SIZE]);
	bool (*read_list)(const char *output, const char *mark, char number[BATCH_NUMBER_SIZE]);
	bool (*read_answer)(const char *output, struct batch_answer *answer);
	bool (*read_history)(const char *output, struct batch_answer *answer);
	bool listed_by_wrapper;
	/*
	 * The error of `ask` for a job that the scheduler does not know, and for one that has ended
	 * and that this form does not show: patterns of fnmatch(3). NULL: for an unknown job it
	 * prints nothing, and ends with 1; there is no such error.
	 */
	const char *forgotten;
	const char *finished;
	const struct hopeless_reason *hopeless; /* NULL: none are known */
	/* True if the command does not know this form of `ask`; NULL: there is only one. */
	bool (*is_unfit)(const struct command_result *result);
	/*
	 * Parts of the error of a failed submit which show that the scheduler did not judge the
	 * request; in any case, one on each line.
	 */
	const char *unjudged;
	bool last_line_counts; /* only the last line of the error: others are about retries */

	struct option_rules options;
};

extern const struct scheduler COBALT; /* cobalt.c */
extern const struct scheduler FLUX;   /* flux.c */
extern const struct scheduler LSF;    /* lsf.c */
extern const struct scheduler PBS;    /* pbs.c */
extern const struct scheduler SLURM;  /* slurm.c */

/* Reads what `ask` has printed, also if it has failed; false if it is no answer. */
bool scheduler_read_answer(const struct scheduler *scheduler, const struct command_result *result,
			   struct batch_answer *answer);

/* True if the scheduler has judged the request of a failed submit, and refused it. */
bool scheduler_is_refusal(const struct scheduler *scheduler, const struct command_result *result);

/*
 * The last line of a command's standard error that is not empty and does not only point to --help;
 * and what follows it.
 */
const char *scheduler_last_words(const struct command_result *result);

/* True if `text` is the name of one cluster. */
bool batch_is_cluster(const char *text);

/* NULL for an executor that is no scheduler. */
const struct scheduler *scheduler_of(enum executor_kind executor);

/* The executor's name in the configuration. */
const char *scheduler_name_of(enum executor_kind executor);

#endif
