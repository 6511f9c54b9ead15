/*
 * Cobalt: qsub, qstat, qdel. Written for Cobalt 1.0.33, its last release, by its manual pages and
 * what its clients print.
 *
 * Cobalt knows no job that has ended, and tells why one did in the job's cobaltlog alone, a file
 * of the user's. Without it, as [batch] skip_cobalt_log has it, an end is known by its exit code.
 */
#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/text.h"

static command_template SUBMIT = {"qsub",
				  "--jobname={name}",
				  "{arguments}",
				  "--mode=script",
				  "--output={log}",
				  "--error={log}",
				  "--debuglog={journal}",
				  "{wrapper}",
				  NULL};
static command_template ASK = {"qstat", "-l", "--header=JobID:State:Est_Start_Time", "{number}",
			       NULL};
/* What is told last is what counts. */
static command_template HISTORY = {"/usr/bin/tail", "-c", "16000", "{journal}", NULL};
static command_template LIST = {"qstat", "-l", "--header=JobID:Command", "--user={account}", NULL};
static command_template CANCEL = {"qdel", "{number}", NULL};

/* Cobalt's cqm.py, "qstat-friendly states" */
static const struct batch_state STATES[] = {
	{"queued", BATCH_WAITING, NULL},
	{"user_hold", BATCH_WAITING, NULL},
	{"admin_hold", BATCH_WAITING, NULL},
	{"dep_hold", BATCH_WAITING, NULL},
	{"dep_fail", BATCH_WAITING, NULL},
	{"maxrun_hold", BATCH_WAITING, NULL},
	{"preempted", BATCH_WAITING, NULL},
	{"starting", BATCH_RUNNING, NULL},
	{"running", BATCH_RUNNING, NULL},
	{"preempting", BATCH_RUNNING, NULL},
	{"killing", BATCH_RUNNING, NULL},
	{"exiting", BATCH_ENDING, NULL},
	/* It does not say how. */
	{"done", BATCH_FORGOTTEN, NULL},
	{NULL, BATCH_UNKNOWN, NULL},
};

static const char CANCELLED[] = "it was cancelled in the scheduler, not by GitLab";

/* What the cobaltlog says; of many, the first in this table. */
static const struct batch_state ENDS[] = {
	{"maximum execution time exceeded", BATCH_CONDEMNED, "it has reached its time limit"},
	{"user delete requested", BATCH_CONDEMNED, CANCELLED},
	{"user delete with signal", BATCH_CONDEMNED, CANCELLED},
	{"pending user delete;", BATCH_CONDEMNED, CANCELLED},
	{"forced delete requested", BATCH_CONDEMNED, CANCELLED},
	{"execution failure;", BATCH_LOST, "it could not be started on its nodes"},
	{"task completed normally", BATCH_ENDED, NULL},
	{NULL, BATCH_UNKNOWN, NULL},
};

static const char OWN_LOG[] = "the job's log is read from a file of the driver's own";
static const char INTERACTIVE[] = "the driver has no terminal";
static const char NO_JOB[] = "no job would be submitted";

static const struct refused_option REFUSED[] = {
	{"output", 'o', OWN_LOG},
	{"error", 'e', OWN_LOG},
	{"outputprefix", 'O', OWN_LOG},
	{"debuglog", 0, OWN_LOG},
	{"interactive", 'I', INTERACTIVE},
	{"mode", 0, "the job's script is what is run"},
	{"help", 0, NO_JOB},
	{"version", 0, NO_JOB},
	{NULL, 0, NULL},
};

static const char *const BARE[] = {
	"verbose", "held", "preemptable", "run_project", "disable_preboot", NULL,
};

/* The last line that is a number, perhaps with a message behind it. */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	bool found = false;
	for (const char *line = output; *line != '\0';) {
		size_t length = strspn(line, TEXT_DIGIT);
		if (length > 0 && length < BATCH_NUMBER_SIZE &&
		    (line[length] == '\n' || line[length] == ' ')) {
			snprintf(number, BATCH_NUMBER_SIZE, "%.*s", (int)length, line);
			found = true;
		}
		line += strcspn(line, "\n");
		line += *line == '\n' ? 1 : 0;
	}
	return found;
}

/* The value of a line "    Name   : value"; false where it is another. */
static bool take_value(const char *line, const char *name, char *value, size_t size)
{
	line += strspn(line, " ");
	if (strncmp(line, name, strlen(name)) != 0)
		return false;
	line += strlen(name);
	line += strspn(line, " ");
	if (line[0] != ':' || line[1] != ' ')
		return false;
	line += 2 + strspn(line + 2, " ");
	snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
	return true;
}

/* Jobs, as in "JobID: 1234", "    Command : /home/me/a.batch", and an empty line; the newest last.
 */
static bool read_list(const char *output, const struct batch_marks *marks,
		      char number[BATCH_NUMBER_SIZE])
{
	char job[BATCH_NUMBER_SIZE] = "";
	char command[4096] = "";
	bool found = false;
	for (const char *line = output; line != NULL;) {
		(void)take_value(line, "JobID", job, sizeof(job));
		if (take_value(line, "Command", command, sizeof(command)) &&
		    strcmp(command, marks->wrapper) == 0 &&
		    text_is_made_of(job, TEXT_DIGIT, BATCH_NUMBER_SIZE - 1)) {
			memcpy(number, job, BATCH_NUMBER_SIZE);
			found = true;
		}
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return found;
}

static void read_lines(const char *output, struct batch_answer *answer)
{
	for (const char *line = output; line != NULL;) {
		(void)take_value(line, "State", answer->name, sizeof(answer->name));
		(void)take_value(line, "Est_Start_Time", answer->expected,
				 sizeof(answer->expected));
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	text_make_printable(answer->name);
	text_make_printable(answer->expected);
}

/* qstat says nothing at all of a job that there is no more. */
static bool read_answer(const struct command_result *result, struct batch_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	bool silent = result->output[0] == '\0' && result->errors[0] == '\0';
	if (silent && WIFEXITED(result->status) && WEXITSTATUS(result->status) == 1) {
		answer->meaning = BATCH_FORGOTTEN;
		return true;
	}
	if (result->status != 0)
		return false;
	read_lines(result->output, answer);
	if (answer->name[0] == '\0')
		return false;
	(void)scheduler_find_state(STATES, answer->name, strlen(answer->name), answer);
	if (answer->meaning != BATCH_WAITING || strcmp(answer->expected, "-") == 0)
		answer->expected[0] = '\0';
	return true;
}

/* A log that holds no such thing is none, or not whole yet. */
static bool read_history(const char *output, struct batch_answer *answer)
{
	const struct batch_state *end = ENDS;
	memset(answer, 0, sizeof(*answer));
	while (end->name != NULL && strstr(output, end->name) == NULL)
		end++;
	answer->meaning = end->meaning;
	answer->words = end->words;
	return end->name != NULL;
}

/* What the queue manager did not come to judge. */
static const char *const UNJUDGED[] = {
	"Failed to connect to",
	"Following exception occurred",
	"Connection refused",
	"Connection reset",
	"timed out",
	"FATAL EXCEPTION",
	"ComponentLookupError",
	"Traceback",
	"cobalt.conf",
	NULL,
};

const struct scheduler COBALT = {
	.name = "cobalt",
	.node_variable = "COBALT_PARTNAME",
	.submit = SUBMIT,
	.ask = ASK,
	.ask_history = HISTORY,
	.list = LIST,
	.cancel = CANCEL,
	.read_number = read_number,
	.read_list = read_list,
	.read_history = read_history,
	.read_answer = read_answer,
	.unjudged = UNJUDGED,
	.options = {.refused = REFUSED, .letters = "nAqMtuOeoiK", .flags = "dhv", .bare = BARE},
};
