/*
 * LSF: bsub, bjobs, bkill; bhist for what mbatchd has forgotten. Written for LSF 10.1, by its
 * command reference.
 *
 * LSF's job report goes nowhere: its copy of the output has nothing that our log has not. What
 * the job's shell has to say where it cannot run the wrapper goes to the log.
 */
#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* -rn: LSF would run a job again that lost its host under another number. */
static command_template SUBMIT = {"bsub",      "-J", "{name}", "-rn",	    "{arguments}", "-o",
				  "/dev/null", "-e", "{log}",  "/bin/bash", "{wrapper}",   NULL};
static command_template ASK = {
	"bjobs",    "-noheader",
	"-o",	    "stat exit_code estimated_start_time exit_reason pend_reason delimiter='|'",
	"{number}", NULL};
static command_template HISTORY = {"bhist", "-UF", "{number}", NULL};
static command_template LIST = {"bjobs", "-noheader",	   "-u", "{account}",
				"-o",	 "jobid job_name", NULL};
static command_template CANCEL = {"bkill", "{number}", NULL};

enum field { STAT, EXIT_CODE, EXPECTED, EXIT_REASON, PEND_REASON, FIELDS };

/* "About job states" */
static const struct batch_state STATES[] = {
	{"PEND", BATCH_WAITING, NULL},
	{"PROV", BATCH_WAITING, NULL},
	{"WAIT", BATCH_WAITING, NULL},
	{"PSUSP", BATCH_WAITING, NULL},
	{"RUN", BATCH_RUNNING, NULL},
	{"USUSP", BATCH_RUNNING, NULL},
	{"SSUSP", BATCH_RUNNING, NULL},
	/* Its host does not answer; it may do so again. */
	{"UNKWN", BATCH_RUNNING, NULL},
	{"DONE", BATCH_ENDED, NULL},
	{"EXIT", BATCH_ENDED, NULL},
	{"ZOMBI", BATCH_LOST, "its host cannot be reached"},
	{NULL, BATCH_UNKNOWN, NULL},
};

static const char LIMIT[] = "it has reached a limit of processes or threads";
static const char MEMORY[] = "it needed more memory than it was given";
static const char CANCELLED[] = "it was cancelled in the scheduler, not by GitLab";
static const char PREEMPTED[] = "another job was given its hosts";
static const char HOST[] = "LSF has lost one of its hosts";

/* "Termination reasons displayed by bacct, bhist, and bjobs": why a job is EXIT. */
static const struct batch_state REASONS[] = {
	{"TERM_RUNLIMIT", BATCH_CONDEMNED, "it has reached its time limit"},
	{"TERM_CPULIMIT", BATCH_CONDEMNED, "it has reached its limit of processor time"},
	{"TERM_DEADLINE", BATCH_CONDEMNED, "it has reached its deadline"},
	{"TERM_PROCESSLIMIT", BATCH_CONDEMNED, LIMIT},
	{"TERM_THREADLIMIT", BATCH_CONDEMNED, LIMIT},
	{"TERM_MEMLIMIT", BATCH_CONDEMNED, MEMORY},
	{"TERM_SWAP", BATCH_CONDEMNED, MEMORY},
	{"TERM_OWNER", BATCH_CONDEMNED, CANCELLED},
	{"TERM_FORCE_OWNER", BATCH_CONDEMNED, CANCELLED},
	{"TERM_ADMIN", BATCH_CONDEMNED, CANCELLED},
	{"TERM_FORCE_ADMIN", BATCH_CONDEMNED, CANCELLED},
	{"TERM_BUCKET_KILL", BATCH_CONDEMNED, CANCELLED},
	{"TERM_CHKPNT", BATCH_CONDEMNED, CANCELLED},
	{"TERM_ORPHAN_SYSTEM", BATCH_CONDEMNED, "what it depends on can no more become true"},
	{"TERM_PRE_EXEC_FAIL", BATCH_CONDEMNED, "the command of -E has failed"},
	{"TERM_DATA", BATCH_CONDEMNED, "its data could not be staged"},
	{"TERM_PREEMPT", BATCH_LOST, PREEMPTED},
	{"TERM_LOAD", BATCH_LOST, "its host had too much to do"},
	{"TERM_WINDOW", BATCH_LOST, "the run window of its queue was closed"},
	{"TERM_REQUEUE_OWNER", BATCH_LOST, "it was requeued"},
	{"TERM_REQUEUE_ADMIN", BATCH_LOST, "it was requeued"},
	{"TERM_REQUEUE_RC", BATCH_LOST, "it was requeued"},
	{"TERM_RC_RECLAIM", BATCH_LOST, HOST},
	{"TERM_MC_RECALL", BATCH_LOST, "another cluster has given it back"},
	{"TERM_ZOMBIE", BATCH_LOST, HOST},
	{"TERM_OTHER", BATCH_LOST, "it was switched to another queue"},
	{"TERM_CWD_NOTEXIST", BATCH_LOST, "its directory is not there on its host"},
	{"TERM_RMS", BATCH_LOST, "it could not be started on its hosts"},
	{"TERM_SLURM", BATCH_LOST, "it could not be started on its hosts"},
	{"TERM_CSM_ALLOC", BATCH_LOST, "it could not be started on its hosts"},
	{"TERM_KUBE", BATCH_LOST, "it could not be started on its hosts"},
	/* Any other is the script's own end: TERM_EXTERNAL_SIGNAL is an exit code above 128. */
	{NULL, BATCH_ENDED, NULL},
};

static const char OWN_LOG[] = "the job's log is read from a file of the driver's own";
static const char OWN_SCRIPT[] = "the job's script is what is run";
static const char AGAIN[] = "the job would be run again after its end was told";
static const char INTERACTIVE[] = "the driver has no terminal, and itself waits for the job's end";
static const char FROM_FILE[] = "what a file says cannot be judged";
static const char NO_JOB[] = "no job would be submitted";

static const struct refused_option REFUSED[] = {
	{"o", 0, OWN_LOG},
	{"oo", 0, OWN_LOG},
	{"e", 0, OWN_LOG},
	{"eo", 0, OWN_LOG},
	{"i", 0, OWN_SCRIPT},
	{"is", 0, OWN_SCRIPT},
	{"Zs", 0, OWN_SCRIPT},
	{"J", 0, "the driver finds the job by its name, and a CI job is one job"},
	{"Q", 0, AGAIN},
	{"r", 0, AGAIN},
	{"I", 0, INTERACTIVE},
	{"Ip", 0, INTERACTIVE},
	{"Is", 0, INTERACTIVE},
	{"IS", 0, INTERACTIVE},
	{"ISp", 0, INTERACTIVE},
	{"ISs", 0, INTERACTIVE},
	{"IX", 0, INTERACTIVE},
	{"XF", 0, INTERACTIVE},
	{"tty", 0, INTERACTIVE},
	{"K", 0, INTERACTIVE},
	{"pack", 0, FROM_FILE},
	{"json", 0, FROM_FILE},
	{"yaml", 0, FROM_FILE},
	{"jsdl", 0, FROM_FILE},
	{"jsdl_strict", 0, FROM_FILE},
	{"h", 0, NO_JOB},
	{"help", 0, NO_JOB},
	{"V", 0, NO_JOB},
	{NULL, 0, NULL},
};

/* "bsub: Categories and options" */
static const struct word_option KNOWN[] = {
	{"B", false},	       {"H", false},
	{"N", false},	       {"Ne", false},
	{"Nd", false},	       {"ar", false},
	{"datachk", false},    {"ptl", true},
	{"eptl", true},	       {"rn", false},
	{"ul", false},	       {"x", false},
	{"a", true},	       {"alloc_flags", true},
	{"app", true},	       {"b", true},
	{"C", true},	       {"c", true},
	{"clusters", true},    {"cn_cu", true},
	{"cn_mem", true},      {"core_isolation", true},
	{"csm", true},	       {"cwd", true},
	{"D", true},	       {"data", true},
	{"datagrp", true},     {"E", true},
	{"Ep", true},	       {"env", true},
	{"ext", true},	       {"extsched", true},
	{"F", true},	       {"f", true},
	{"freq", true},	       {"G", true},
	{"g", true},	       {"gpu", true},
	{"hl", false},	       {"hostfile", true},
	{"Jd", true},	       {"jsm", true},
	{"k", true},	       {"L", true},
	{"Lp", true},	       {"ln_mem", true},
	{"ln_slots", true},    {"M", true},
	{"m", true},	       {"mig", true},
	{"n", true},	       {"network", true},
	{"nnodes", true},      {"notify", true},
	{"outdir", true},      {"P", true},
	{"plan", true},	       {"p", true},
	{"q", true},	       {"R", true},
	{"rcacct", true},      {"rnc", true},
	{"S", true},	       {"s", true},
	{"sla", true},	       {"smt", true},
	{"sp", true},	       {"stage", true},
	{"step_cgroup", true}, {"T", true},
	{"t", true},	       {"ti", false},
	{"U", true},	       {"u", true},
	{"v", true},	       {"W", true},
	{"We", true},	       {"w", true},
	{"wa", true},	       {"wt", true},
	{NULL, false},
};

/* "Job <1234> is submitted to queue <normal>.", perhaps behind what the site's esub has to say. */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	static const char before[] = "Job <";
	static const char behind[] = "> is submitted to ";
	bool found = false;
	for (const char *line = output; *line != '\0';) {
		const char *digits = line + strlen(before);
		if (strncmp(line, before, strlen(before)) == 0) {
			size_t length = strspn(digits, TEXT_DIGIT);
			if (length > 0 && length < BATCH_NUMBER_SIZE &&
			    strncmp(digits + length, behind, strlen(behind)) == 0) {
				snprintf(number, BATCH_NUMBER_SIZE, "%.*s", (int)length, digits);
				found = true;
			}
		}
		line += strcspn(line, "\n");
		line += *line == '\n' ? 1 : 0;
	}
	return found;
}

static bool read_list(const char *output, const struct batch_marks *marks,
		      char number[BATCH_NUMBER_SIZE])
{
	return scheduler_find_number(output, marks->name, number);
}

/* A field up to its `end`, "" where it is none that says something. */
static void take_field(const char *field, const char *end, char *value, size_t size)
{
	snprintf(value, size, "%.*s", (int)strcspn(field, end), field);
	text_make_printable(value);
	if (strcmp(value, "-") == 0)
		value[0] = '\0';
}

/* The line that is the answer begins with a state; what LSF says while it waits does not. */
static const char *find_answer(const char *output)
{
	struct batch_answer ignored;
	for (const char *line = output; line != NULL;) {
		size_t length = strcspn(line, "|\n");
		if (line[length] == '|' && scheduler_find_state(STATES, line, length, &ignored))
			return line;
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return NULL;
}

static void explain_exit(struct batch_answer *answer, const char *reason)
{
	(void)scheduler_find_state(REASONS, reason, strspn(reason, TEXT_WORD), answer);
}

static bool read_fields(const char *line, struct batch_answer *answer)
{
	const char *fields[FIELDS] = {line};
	for (size_t i = 1; i < FIELDS; i++) {
		const char *before = fields[i - 1] + strcspn(fields[i - 1], "|\n");
		if (*before != '|')
			return false;
		fields[i] = before + 1;
	}
	(void)scheduler_find_state(STATES, line, strcspn(line, "|"), answer);
	take_field(fields[STAT], "|", answer->name, sizeof(answer->name));
	if (answer->meaning == BATCH_WAITING) {
		take_field(fields[EXPECTED], "|", answer->expected, sizeof(answer->expected));
		take_field(fields[PEND_REASON], "\n", answer->reason, sizeof(answer->reason));
	} else if (strcmp(answer->name, "EXIT") == 0) {
		take_field(fields[EXIT_REASON], "|", answer->reason, sizeof(answer->reason));
		explain_exit(answer, answer->reason);
	}
	return true;
}

static bool read_answer(const struct command_result *result, struct batch_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	const char *error = strstr(result->errors, "Job <");
	if (error != NULL && strstr(error, "> is not found") != NULL) {
		answer->meaning = BATCH_FORGOTTEN;
		return true;
	}
	const char *line = result->status == 0 ? find_answer(result->output) : NULL;
	return line != NULL && read_fields(line, answer);
}

/* The last of "Done successfully." and "Completed <exit>; TERM_OWNER: job killed by owner;". */
static bool read_history(const char *output, struct batch_answer *answer)
{
	static const char completed[] = "Completed <exit>";
	const char *exited = NULL;
	memset(answer, 0, sizeof(*answer));
	for (const char *at = output; (at = strstr(at, completed)) != NULL; at += strlen(completed))
		exited = at + strlen(completed);
	if (strstr(exited != NULL ? exited : output, "Done successfully") != NULL) {
		answer->meaning = BATCH_ENDED;
		return true;
	}
	if (exited == NULL)
		return false;
	explain_exit(answer, exited + strspn(exited, "; "));
	return true;
}

/* bsub waits for an LSF that is away, unless LSB_NTRIES says otherwise; its last line counts. */
static const char *const UNJUDGED[] = {
	"Please wait",
	"Cannot connect to LSF",
	"LSF is down",
	"not responding",
	"LSF library call",
	"Communication timeout",
	"Timeout on connect",
	"Connection refused",
	"Connection reset",
	"Batch service not registered",
	"daemon internal error",
	"Batch library internal error",
	"System call failed",
	"Cannot allocate memory",
	"protocol error",
	"eauth",
	"lsf.conf",
	NULL,
};

const struct scheduler LSF = {
	.name = "lsf",
	.node_variable = "HOSTNAME",
	.submit = SUBMIT,
	.ask = ASK,
	.ask_history = HISTORY,
	.list = LIST,
	.cancel = CANCEL,
	.none = "No unfinished job found",
	.hands_to_shell = true,
	.read_number = read_number,
	.read_list = read_list,
	.read_history = read_history,
	.read_answer = read_answer,
	.unjudged = UNJUDGED,
	.last_line_counts = true,
	.options = {.refused = REFUSED, .known = KNOWN},
};
