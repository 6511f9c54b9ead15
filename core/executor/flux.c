/*
 * flux-core 0.48 and newer: flux batch, flux jobs, flux cancel.
 *
 * The script is the initial program of a new Flux instance on the nodes of the job. The output of
 * the Flux shell goes to the KVS of the job (--output=none): Flux would truncate a file at the
 * start of the job, and overwrite the output of the script.
 */
#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>

#include "core/lib/text.h"

static command_template SUBMIT = {
	"flux", "batch", "--job-name={name}", "{arguments}", "--output=none", "{wrapper}", NULL};
/* Fields that Flux itself sets come first; the last one may have any text. */
static const char FORMAT[] = "--format={status}|{exception.severity}|{exception.type}|{contextual_"
			     "info}|{exception.note}";
static command_template ASK = {"flux", "jobs", "--no-header", FORMAT, "{number}", NULL};
/* Only jobs of this name are listed. */
static command_template LIST = {
	"flux", "jobs", "--no-header", "--name={name}", "--format={id.dec} {name}", NULL};
static command_template CANCEL = {"flux", "cancel", "{number}", NULL};

/* flux-jobs(1), JOB STATUS */
static const struct batch_state STATES[] = {
	{"DEPEND", BATCH_WAITING, NULL},
	{"PRIORITY", BATCH_WAITING, NULL},
	{"SCHED", BATCH_WAITING, NULL},
	{"RUN", BATCH_RUNNING, NULL},
	{"CLEANUP", BATCH_ENDING, NULL},
	{"COMPLETED", BATCH_ENDED, NULL},
	{"FAILED", BATCH_ENDED, NULL},
	{"TIMEOUT", BATCH_KILLED, REASON_TIME},
	{"CANCELED", BATCH_KILLED, REASON_CANCELLED},
	{"", BATCH_UNKNOWN, NULL},
};

/* RFC 21: an exception of severity 0 ends a job, whose state is FAILED then. */
static const struct batch_state EXCEPTIONS[] = {
	{"alloc", BATCH_KILLED, "the scheduler cannot provide the resources that it requests"},
	{"dependency", BATCH_KILLED, "a job that it depends on has failed"},
	{"exec", BATCH_LOST, "it could not be executed, or its Flux shell was killed"},
	{"node-failure", BATCH_LOST, REASON_NODE},
	{"prolog", BATCH_LOST, "its nodes could not be prepared"},
	{"epilog", BATCH_ENDED, NULL},
	{"", BATCH_KILLED, "Flux raised an exception for it"},
};

static const struct refused_option REFUSED[] = {
	{"output", 0, "", REFUSED_LOG},
	{"error", 0, "", REFUSED_LOG},
	{"wrap", 0, "", REFUSED_SCRIPT},
	{"broker-opts", 0, "", REFUSED_SCRIPT},
	{"job-name", 0, "", REFUSED_NAME},
	{"quiet", 0, "", REFUSED_QUIET},
	{"dry-run", 0, "", REFUSED_NO_JOB},
	{"list-plugins", 0, "", REFUSED_NO_JOB},
	{"help", 'h', "", REFUSED_NO_JOB},
	/* In the jobspec, the script is a file and the name an attribute. */
	{"add-file", 0, "script", REFUSED_SCRIPT},
	{"setattr", 'S', "files.", REFUSED_SCRIPT},
	{"setattr", 'S', "files=", REFUSED_SCRIPT},
	{"setattr", 'S', "system=", REFUSED_SCRIPT},
	{"setattr", 'S', "job.name", REFUSED_NAME},
	{"setattr", 'S', "job=", REFUSED_NAME},
	{.reason = NULL},
};

static const char BARE[] = "debug-emulate dump exclusive label-io unbuffered";

/* "f2oLkTbqw"; in UTF-8 it begins with a LATIN SMALL LETTER F WITH HOOK, which becomes "f". */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	static const char hooked[] = "\xc6\x92";
	bool is_hooked = strncmp(output, hooked, strlen(hooked)) == 0;
	const char *digits = output + (is_hooked ? strlen(hooked) : 1);
	if (!is_hooked && output[0] != 'f')
		return false;
	size_t length = strspn(digits, TEXT_WORD);
	if (length == 0 || length >= BATCH_NUMBER_SIZE - 1 || digits[length] != '\n')
		return false;
	snprintf(number, BATCH_NUMBER_SIZE, "f%.*s", (int)length, digits);
	return true;
}

/* Why the state is FAILED: because of the script, or of an exception. */
static void read_failure(struct batch_answer *answer, const char *severity, const char *type,
			 const char *note)
{
	if (strcmp(severity, "0") != 0)
		return;
	if (strcmp(type, "exec") == 0 &&
	    (strstr(note, "node failure") != NULL || strstr(note, "lost contact") != NULL))
		type = "node-failure";
	(void)scheduler_find_state(EXCEPTIONS, type, answer);
}

/* Why the job waits, or when it is expected to start. */
static void read_context(struct batch_answer *answer, const char *context)
{
	static const char eta[] = "eta:";
	if (strncmp(context, eta, strlen(eta)) != 0)
		snprintf(answer->reason, sizeof(answer->reason), "%s", context);
	else if (strcmp(context + strlen(eta), "now") != 0)
		snprintf(answer->expected, sizeof(answer->expected), "in %s",
			 context + strlen(eta));
}

static bool read_answer(const char *output, struct batch_answer *answer)
{
	char line[1024];
	char *rest = line;
	const char *fields[5] = {"", "", "", "", ""};
	scheduler_take_field(output, "\n", line, sizeof(line));
	for (size_t i = 0; i < 5; i++) {
		if (rest == NULL)
			return false;
		/* The last field is the rest of the line. */
		fields[i] = i < 4 ? strsep(&rest, "|") : rest;
	}
	snprintf(answer->name, sizeof(answer->name), "%s", fields[0]);
	(void)scheduler_find_state(STATES, answer->name, answer);
	if (strcmp(answer->name, "FAILED") == 0)
		read_failure(answer, fields[1], fields[2], fields[4]);
	if (answer->meaning == BATCH_WAITING)
		read_context(answer, fields[3]);
	else if (fields[2][0] != '\0')
		snprintf(answer->reason, sizeof(answer->reason), "%s%s%s", fields[2],
			 fields[4][0] != '\0' ? ": " : "", fields[4]);
	return answer->name[0] != '\0';
}

/* The instance did not judge the request. */
static const char UNJUDGED[] = "Unable to connect to Flux\n"
			       "Function not implemented\n"
			       "No service matching\n"
			       "No route to host\n"
			       "Host is unreachable\n"
			       "Connection refused\n"
			       "Connection reset\n"
			       "Broken pipe\n"
			       "timed out\n"
			       "is disabled\n"
			       "munge\n"
			       "Traceback\n";

const struct scheduler FLUX = {
	.name = "flux",
	.node_variable = "HOSTNAME", /* Flux has no variable for it */
	.submit = SUBMIT,
	.ask = ASK,
	.list = LIST,
	.cancel = CANCEL,
	.read_number = read_number,
	.read_list = scheduler_find_number,
	.read_answer = read_answer,
	/* "JobID f2oLk unknown": some releases print it and exit with 0. */
	.forgotten = "JobID * unknown\n*",
	.unjudged = UNJUDGED,
	.options = {.refused = REFUSED,
		    .letters = "BcgNnoqSt",
		    .flags = "lux",
		    .bare = BARE,
		    .plugins = true},
};
