/*
 * LSF 10.1: bsub, bjobs, bkill; bhist for a job that mbatchd has forgotten. By its command
 * reference.
 *
 * LSF's report of the job is discarded: the log has all output of the script already. The error of
 * a shell that cannot execute the wrapper goes to the log.
 */
#include "core/executor/scheduler.h"

#include <string.h>

#include "core/lib/text.h"

/* -rn: otherwise LSF would run a job that has lost its host again, under another number. */
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

/*
 * Marks batch jobs as slurm.c does, but in the job's description, which LSF uses for nothing else.
 * A job with its own description is not marked, nor is one with -pack, which allows no other
 * option. Job groups (LSB_DEFAULT_JOBGROUP) would need no function, but some clusters never remove
 * an empty group, and a group binds its jobs to one service class.
 */
static const char MARK[] =
	"[ \"$(builtin type -t bsub)\" = file ] && bsub() { case \" $* \" in *\" -Jd \"* | *\" "
	"-pack \"*) "
	"command bsub \"$@\" ;; *) command bsub -Jd \"$JACAMAR_BATCH_MARK\" \"$@\" ;; esac; } && "
	"builtin export -f bsub\n";
static command_template LIST_MARKED = {
	"bjobs", "-noheader", "-u", "{account}", "-o", "jobid job_description", NULL};
static command_template CANCEL_MARKED = {"bkill", "{arguments}", NULL};

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
	/* Its host does not answer at present. */
	{"UNKWN", BATCH_RUNNING, NULL},
	{"DONE", BATCH_ENDED, NULL},
	{"EXIT", BATCH_ENDED, NULL},
	{"ZOMBI", BATCH_LOST, "its host cannot be reached"},
	{"", BATCH_UNKNOWN, NULL},
};

static const char LIMIT[] = "it has reached a limit of processes or threads";
static const char PREEMPTED[] = "another job was given its hosts";
static const char HOST[] = "LSF has lost one of its hosts";

/* "Termination reasons displayed by bacct, bhist, and bjobs": why a job is EXIT. */
static const struct batch_state REASONS[] = {
	{"TERM_RUNLIMIT", BATCH_KILLED, REASON_TIME},
	{"TERM_CPULIMIT", BATCH_KILLED, REASON_CPU_TIME},
	{"TERM_DEADLINE", BATCH_KILLED, "it has reached its deadline"},
	{"TERM_PROCESSLIMIT", BATCH_KILLED, LIMIT},
	{"TERM_THREADLIMIT", BATCH_KILLED, LIMIT},
	{"TERM_MEMLIMIT", BATCH_KILLED, REASON_MEMORY},
	{"TERM_SWAP", BATCH_KILLED, REASON_MEMORY},
	{"TERM_OWNER", BATCH_KILLED, REASON_CANCELLED},
	{"TERM_FORCE_OWNER", BATCH_KILLED, REASON_CANCELLED},
	{"TERM_ADMIN", BATCH_KILLED, REASON_CANCELLED},
	{"TERM_FORCE_ADMIN", BATCH_KILLED, REASON_CANCELLED},
	{"TERM_BUCKET_KILL", BATCH_KILLED, REASON_CANCELLED},
	{"TERM_CHKPNT", BATCH_KILLED, REASON_CANCELLED},
	{"TERM_ORPHAN_SYSTEM", BATCH_KILLED, "the condition of its -w can no longer become true"},
	{"TERM_PRE_EXEC_FAIL", BATCH_KILLED, "the command of -E has failed"},
	{"TERM_DATA", BATCH_KILLED, "its data could not be staged"},
	{"TERM_PREEMPT", BATCH_LOST, PREEMPTED},
	{"TERM_LOAD", BATCH_LOST, "its host was overloaded"},
	{"TERM_WINDOW", BATCH_LOST, "the run window of its queue was closed"},
	{"TERM_REQUEUE_OWNER", BATCH_LOST, "it was requeued"},
	{"TERM_REQUEUE_ADMIN", BATCH_LOST, "it was requeued"},
	{"TERM_REQUEUE_RC", BATCH_LOST, "it was requeued"},
	{"TERM_RC_RECLAIM", BATCH_LOST, HOST},
	{"TERM_MC_RECALL", BATCH_LOST, "another cluster has returned it"},
	{"TERM_ZOMBIE", BATCH_LOST, HOST},
	{"TERM_OTHER", BATCH_LOST, "it was switched to another queue"},
	{"TERM_CWD_NOTEXIST", BATCH_LOST, "its working directory does not exist on its host"},
	{"TERM_RMS", BATCH_LOST, "it could not be started on its hosts"},
	{"TERM_SLURM", BATCH_LOST, "it could not be started on its hosts"},
	{"TERM_CSM_ALLOC", BATCH_LOST, "it could not be started on its hosts"},
	{"TERM_KUBE", BATCH_LOST, "it could not be started on its hosts"},
	/* Otherwise the script ended by itself, or by a signal (TERM_EXTERNAL_SIGNAL). */
	{"", BATCH_ENDED, NULL},
};

/* Of several pending reasons, LSF may print any one first. */
static const struct hopeless_reason HOPELESS[] = {
	{"*Dependency condition invalid or never satisfied*",
	 "the condition of its -w can no longer become true"},
	{NULL, NULL},
};

static const char AGAIN[] = "LSF would run the job again after jacamar has reported its end";
static const char FROM_FILE[] = "jacamar cannot check the options in the file";

static const struct refused_option REFUSED[] = {
	{"o", 0, "", REFUSED_LOG},
	{"oo", 0, "", REFUSED_LOG},
	{"e", 0, "", REFUSED_LOG},
	{"eo", 0, "", REFUSED_LOG},
	{"i", 0, "", REFUSED_SCRIPT},
	{"is", 0, "", REFUSED_SCRIPT},
	{"Zs", 0, "", REFUSED_SCRIPT},
	{"J", 0, "", "jacamar finds the job by its name, and a CI job is exactly one batch job"},
	{"Q", 0, "", AGAIN},
	{"r", 0, "", AGAIN},
	{"I", 0, "", REFUSED_INTERACTIVE},
	{"Ip", 0, "", REFUSED_INTERACTIVE},
	{"Is", 0, "", REFUSED_INTERACTIVE},
	{"IS", 0, "", REFUSED_INTERACTIVE},
	{"ISp", 0, "", REFUSED_INTERACTIVE},
	{"ISs", 0, "", REFUSED_INTERACTIVE},
	{"IX", 0, "", REFUSED_INTERACTIVE},
	{"XF", 0, "", REFUSED_INTERACTIVE},
	{"tty", 0, "", REFUSED_INTERACTIVE},
	{"K", 0, "", REFUSED_INTERACTIVE},
	{"pack", 0, "", FROM_FILE},
	{"json", 0, "", FROM_FILE},
	{"yaml", 0, "", FROM_FILE},
	{"jsdl", 0, "", FROM_FILE},
	{"jsdl_strict", 0, "", FROM_FILE},
	{"h", 0, "", REFUSED_NO_JOB},
	{"help", 0, "", REFUSED_NO_JOB},
	{"V", 0, "", REFUSED_NO_JOB},
	{.reason = NULL},
};

/* "bsub: Categories and options" */
static const char FLAGS[] = "B H N Ne Nd ar datachk rn ul x hl ti";
static const char VALUED[] =
	"ptl eptl a alloc_flags app b C c clusters cn_cu cn_mem core_isolation csm cwd D data "
	"datagrp E Ep env ext extsched F f freq G g gpu hostfile Jd jsm k L Lp ln_mem "
	"ln_slots M m mig n network nnodes notify outdir P plan p q R rcacct rnc S s sla smt "
	"sp stage step_cgroup T t U u v W We w wa wt";

/* "Job <1234> is submitted to queue <normal>.", perhaps after lines of the site's esub. */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	static const char before[] = "Job <";
	static const char after[] = "> is submitted to ";
	bool found = false;
	for (const char *line = output; *line != '\0'; line = scheduler_next_line(line)) {
		if (strncmp(line, before, strlen(before)) != 0)
			continue;
		const char *digits = line + strlen(before);
		const char *rest = digits + strspn(digits, TEXT_DIGIT);
		if (strncmp(rest, after, strlen(after)) == 0 &&
		    scheduler_take_number(digits, TEXT_DIGIT, ">", number))
			found = true;
	}
	return found;
}

/* A field up to its `end`; "" if LSF prints "-". */
static void take_field(const char *field, const char *end, char *value, size_t size)
{
	scheduler_take_field(field, end, value, size);
	if (strcmp(value, "-") == 0)
		value[0] = '\0';
}

/* The answer is the line that begins with a state: LSF also prints lines while it waits. */
static const char *find_answer(const char *output)
{
	struct batch_answer ignored;
	for (const char *line = output; *line != '\0'; line = scheduler_next_line(line)) {
		size_t length = strcspn(line, "|\n");
		if (line[length] == '|' && scheduler_find_state(STATES, line, &ignored))
			return line;
	}
	return NULL;
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
	(void)scheduler_find_state(STATES, line, answer);
	take_field(fields[STAT], "|", answer->name, sizeof(answer->name));
	if (answer->meaning == BATCH_WAITING) {
		take_field(fields[EXPECTED], "|", answer->expected, sizeof(answer->expected));
		take_field(fields[PEND_REASON], "\n", answer->reason, sizeof(answer->reason));
	} else if (strcmp(answer->name, "EXIT") == 0) {
		take_field(fields[EXIT_REASON], "|", answer->reason, sizeof(answer->reason));
		(void)scheduler_find_state(REASONS, answer->reason, answer);
	}
	return true;
}

static bool read_answer(const char *output, struct batch_answer *answer)
{
	const char *line = find_answer(output);
	return line != NULL && read_fields(line, answer);
}

/* The last of "Done successfully." and "Completed <exit>; TERM_OWNER: job killed by owner;". */
static bool read_history(const char *output, struct batch_answer *answer)
{
	static const char completed[] = "Completed <exit>";
	const char *exited = NULL;
	for (const char *at = output; (at = strstr(at, completed)) != NULL; at += strlen(completed))
		exited = at + strlen(completed);
	if (strstr(exited != NULL ? exited : output, "Done successfully") != NULL) {
		answer->meaning = BATCH_ENDED;
		return true;
	}
	if (exited == NULL)
		return false;
	(void)scheduler_find_state(REASONS, exited + strspn(exited, "; "), answer);
	return true;
}

/*
 * LSF did not judge the request. bsub waits for an LSF that does not answer, unless LSB_NTRIES is
 * set, and prints lines about that.
 */
static const char UNJUDGED[] = "Please wait\n"
			       "Cannot connect to LSF\n"
			       "LSF is down\n"
			       "not responding\n"
			       "LSF library call\n"
			       "Communication timeout\n"
			       "Timeout on connect\n"
			       "Connection refused\n"
			       "Connection reset\n"
			       "Batch service not registered\n"
			       "daemon internal error\n"
			       "Batch library internal error\n"
			       "System call failed\n"
			       "Cannot allocate memory\n"
			       "protocol error\n"
			       "eauth\n"
			       "lsf.conf\n";

const struct scheduler LSF = {
	.name = "lsf",
	.node_variable = "HOSTNAME",
	.submit = SUBMIT,
	.ask = ASK,
	.ask_history = HISTORY,
	.list = LIST,
	.cancel = CANCEL,
	.mark = MARK,
	.list_marked = LIST_MARKED,
	.cancel_marked = CANCEL_MARKED,
	.none = "No unfinished job found",
	.hands_to_shell = true,
	.read_number = read_number,
	.read_list = scheduler_find_number,
	.read_answer = read_answer,
	.read_history = read_history,
	.forgotten = "*Job <*> is not found*",
	.hopeless = HOPELESS,
	.unjudged = UNJUDGED,
	.last_line_counts = true,
	.options = {.refused = REFUSED, .word_flags = FLAGS, .valued_words = VALUED},
};
