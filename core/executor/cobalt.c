/*
 * Cobalt 1.0.33, its last release: qsub, qstat, qdel; by its manual pages and its clients' output.
 *
 * Cobalt forgets a job when it ends. Only the job's cobaltlog, a file of the user, has the reason.
 * With [batch] skip_cobalt_log there is none, and only the exit code of the script is known.
 */
#include "core/executor/scheduler.h"

#include <string.h>

#include "core/lib/text.h"

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
/* The reason is at the end. */
static command_template HISTORY = {"/usr/bin/tail", "-c", "16000", "{journal}", NULL};
static command_template LIST = {"qstat", "-l", "--header=JobID:Command", "--user={account}", NULL};
static command_template CANCEL = {"qdel", "{number}", NULL};

/* Cobalt's cqm.py, "qstat-friendly states" */
static const struct batch_state STATES[] = {
	{"queued", BATCH_WAITING, NULL},
	{"user_hold", BATCH_WAITING, NULL},
	{"admin_hold", BATCH_WAITING, NULL},
	{"dep_hold", BATCH_WAITING, NULL},
	{"dep_fail", BATCH_HOPELESS, "a job that it depends on has failed"},
	{"maxrun_hold", BATCH_WAITING, NULL},
	{"preempted", BATCH_WAITING, NULL},
	{"starting", BATCH_RUNNING, NULL},
	{"running", BATCH_RUNNING, NULL},
	{"preempting", BATCH_RUNNING, NULL},
	{"killing", BATCH_RUNNING, NULL},
	{"exiting", BATCH_ENDING, NULL},
	/* qstat does not report how it ended. */
	{"done", BATCH_FORGOTTEN, NULL},
	{"", BATCH_UNKNOWN, NULL},
};

/* Lines of the cobaltlog; if there are several, the first in this table counts. */
static const struct log_line {
	const char *text;
	enum batch_meaning meaning;
	const char *why;
} ENDS[] = {
	{"maximum execution time exceeded", BATCH_KILLED, REASON_TIME},
	{"user delete requested", BATCH_KILLED, REASON_CANCELLED},
	{"user delete with signal", BATCH_KILLED, REASON_CANCELLED},
	{"pending user delete;", BATCH_KILLED, REASON_CANCELLED},
	{"forced delete requested", BATCH_KILLED, REASON_CANCELLED},
	{"execution failure;", BATCH_LOST, REASON_NO_START},
	{"task completed normally", BATCH_ENDED, NULL},
	{NULL, BATCH_UNKNOWN, NULL},
};

static const struct refused_option REFUSED[] = {
	{"output", 'o', "", REFUSED_LOG},
	{"error", 'e', "", REFUSED_LOG},
	{"outputprefix", 'O', "", REFUSED_LOG},
	{"debuglog", 0, "", REFUSED_LOG},
	{"interactive", 'I', "", REFUSED_INTERACTIVE},
	{"mode", 0, "", REFUSED_SCRIPT},
	{"help", 0, "", REFUSED_NO_JOB},
	{"version", 0, "", REFUSED_NO_JOB},
	{.reason = NULL},
};

static const char BARE[] = "verbose held preemptable run_project disable_preboot";

/* The last line that begins with a number. */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	bool found = false;
	for (const char *line = output; *line != '\0'; line = scheduler_next_line(line)) {
		if (scheduler_take_number(line, TEXT_DIGIT, "\n ", number))
			found = true;
	}
	return found;
}

/* The value of a line "    Name   : value"; false if it is another line. */
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
	scheduler_take_field(line, "\n", value, size);
	return true;
}

/* For each job "JobID: 1234", "    Command : /home/me/a.batch" and an empty line; newest last. */
static bool read_list(const char *output, const char *mark, char number[BATCH_NUMBER_SIZE])
{
	char job[BATCH_NUMBER_SIZE] = "";
	char command[4096] = "";
	bool found = false;
	for (const char *line = output; *line != '\0'; line = scheduler_next_line(line)) {
		(void)take_value(line, "JobID", job, sizeof(job));
		if (take_value(line, "Command", command, sizeof(command)) &&
		    strcmp(command, mark) == 0 &&
		    text_is_made_of(job, TEXT_DIGIT, BATCH_NUMBER_SIZE - 1)) {
			memcpy(number, job, BATCH_NUMBER_SIZE);
			found = true;
		}
	}
	return found;
}

static bool read_answer(const char *output, struct batch_answer *answer)
{
	for (const char *line = output; *line != '\0'; line = scheduler_next_line(line)) {
		(void)take_value(line, "State", answer->name, sizeof(answer->name));
		(void)take_value(line, "Est_Start_Time", answer->expected,
				 sizeof(answer->expected));
	}
	(void)scheduler_find_state(STATES, answer->name, answer);
	bool waits = answer->meaning == BATCH_WAITING || answer->meaning == BATCH_HOPELESS;
	if (!waits || strcmp(answer->expected, "-") == 0)
		answer->expected[0] = '\0';
	return answer->name[0] != '\0';
}

/* Without such a line, the log is not complete yet. */
static bool read_history(const char *output, struct batch_answer *answer)
{
	const struct log_line *end = ENDS;
	while (end->text != NULL && strstr(output, end->text) == NULL)
		end++;
	answer->meaning = end->meaning;
	answer->why = end->why;
	return end->text != NULL;
}

/* The queue manager did not judge the request. */
static const char UNJUDGED[] = "Failed to connect to\n"
			       "Following exception occurred\n"
			       "Connection refused\n"
			       "Connection reset\n"
			       "timed out\n"
			       "FATAL EXCEPTION\n"
			       "ComponentLookupError\n"
			       "Traceback\n"
			       "cobalt.conf\n";

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
	.listed_by_wrapper = true,
	.read_answer = read_answer,
	.read_history = read_history,
	/* No .forgotten: for a job that it does not know, qstat prints nothing. */
	.unjudged = UNJUDGED,
	.options = {.refused = REFUSED, .letters = "nAqMtuOeoiK", .flags = "dhv", .bare = BARE},
};
