/*
 * Flux: flux batch, flux jobs, flux cancel. Written for flux-core 0.48 and newer, of which these
 * commands have their names.
 *
 * The script is the initial program of an instance of Flux's own on the job's nodes. What the
 * shell that starts it has to say goes to the job's KVS (--output=none): as a file it would be
 * truncated at the start, and written over what the script has to say.
 */
#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

static command_template SUBMIT = {
	"flux", "batch", "--job-name={name}", "{arguments}", "--output=none", "{wrapper}", NULL};
/* First what Flux itself has set, last what may hold any text. */
static const char FORMAT[] = "--format={status}|{exception.severity}|{exception.type}|{contextual_"
			     "info}|{exception.note}";
static command_template ASK = {"flux", "jobs", "--no-header", FORMAT, "{number}", NULL};
/* {name} is filled in: only jobs of this name are listed. */
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
	{"TIMEOUT", BATCH_CONDEMNED, "it has reached its time limit"},
	{"CANCELED", BATCH_CONDEMNED, "it was cancelled in the scheduler, not by GitLab"},
	{NULL, BATCH_UNKNOWN, NULL},
};

/* RFC 21: exceptions of severity 0 end a job, which then is FAILED. */
static const struct batch_state EXCEPTIONS[] = {
	{"alloc", BATCH_CONDEMNED, "the resources that it asks for cannot be had"},
	{"dependency", BATCH_CONDEMNED, "what it depends on cannot be had"},
	{"exec", BATCH_LOST, "it could not be executed, or its shell was killed"},
	{"node-failure", BATCH_LOST, "one of its nodes has failed"},
	{"prolog", BATCH_LOST, "its nodes could not be prepared"},
	{"epilog", BATCH_ENDED, NULL},
	{NULL, BATCH_CONDEMNED, "an exception was raised for it in the scheduler"},
};

static const char OWN_LOG[] = "the job's log is read from a file of the driver's own";
static const char NO_JOB[] = "no job would be submitted";
static const char OWN_SCRIPT[] = "the job's script is what is run";
static const char OWN_NAME[] = "the driver finds its job by its name";

static const struct refused_option REFUSED[] = {
	{"output", 0, OWN_LOG},	   {"error", 0, OWN_LOG},
	{"wrap", 0, OWN_SCRIPT},   {"broker-opts", 0, OWN_SCRIPT},
	{"job-name", 0, OWN_NAME}, {"quiet", 0, "the driver reads the job's number"},
	{"dry-run", 0, NO_JOB},	   {"list-plugins", 0, NO_JOB},
	{"help", 'h', NO_JOB},	   {NULL, 0, NULL},
};

/* The script is a file of the jobspec's, and the name an attribute. */
static const struct refused_value REFUSED_VALUES[] = {
	{"add-file", 0, "script", OWN_SCRIPT},
	{"setattr", 'S', "files.", OWN_SCRIPT},
	{"setattr", 'S', "files=", OWN_SCRIPT},
	{"setattr", 'S', "system=", OWN_SCRIPT},
	{"setattr", 'S', "job.name", OWN_NAME},
	{"setattr", 'S', "job=", OWN_NAME},
	{"", 0, NULL, NULL},
};

static const char *const BARE[] = {"debug-emulate", "dump",	  "exclusive",
				   "label-io",	    "unbuffered", NULL};

/* "f2oLkTbqw", in UTF-8 with a LATIN SMALL LETTER F WITH HOOK; what is stored is ASCII. */
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

static bool read_list(const char *output, const struct batch_marks *marks,
		      char number[BATCH_NUMBER_SIZE])
{
	return scheduler_find_number(output, marks->name, number);
}

static void find_state(struct batch_answer *answer, const struct batch_state *states,
		       const char *name)
{
	(void)scheduler_find_state(states, name, strlen(name), answer);
}

/* How a job ended that has FAILED: by its script, or by an exception. */
static void read_failure(struct batch_answer *answer, const char *severity, const char *type,
			 const char *note)
{
	if (strcmp(severity, "0") != 0)
		return;
	if (strcmp(type, "exec") == 0 &&
	    (strstr(note, "node failure") != NULL || strstr(note, "lost contact") != NULL))
		type = "node-failure";
	find_state(answer, EXCEPTIONS, type);
}

/* Why it waits, or when it is expected not to. */
static void read_context(struct batch_answer *answer, const char *context)
{
	static const char eta[] = "eta:";
	if (strncmp(context, eta, strlen(eta)) != 0)
		snprintf(answer->reason, sizeof(answer->reason), "%s", context);
	else if (strcmp(context + strlen(eta), "now") != 0)
		snprintf(answer->expected, sizeof(answer->expected), "in %s",
			 context + strlen(eta));
	text_make_printable(answer->reason);
	text_make_printable(answer->expected);
}

static void read_exception(struct batch_answer *answer, const char *type, const char *note)
{
	snprintf(answer->reason, sizeof(answer->reason), "%s%s%s", type,
		 note[0] != '\0' ? ": " : "", note);
	text_make_printable(answer->reason);
}

static bool read_answer(const struct command_result *result, struct batch_answer *answer)
{
	char line[1024];
	char *rest = line;
	const char *fields[5] = {"", "", "", "", ""};
	memset(answer, 0, sizeof(*answer));
	/* "JobID f2oLk unknown", with which some releases end as if nothing was wrong. */
	const char *unknown = strstr(result->errors, " unknown\n");
	if (unknown != NULL && strncmp(result->errors, "JobID ", 6) == 0) {
		answer->meaning = BATCH_FORGOTTEN;
		return true;
	}
	if (result->status != 0)
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(result->output, "\n"), result->output);
	for (size_t i = 0; i < 5; i++) {
		if (rest == NULL)
			return false;
		/* The last one is what is left. */
		fields[i] = i < 4 ? strsep(&rest, "|") : rest;
	}
	snprintf(answer->name, sizeof(answer->name), "%s", fields[0]);
	text_make_printable(answer->name);
	find_state(answer, STATES, answer->name);
	if (strcmp(answer->name, "FAILED") == 0)
		read_failure(answer, fields[1], fields[2], fields[4]);
	if (answer->meaning == BATCH_WAITING)
		read_context(answer, fields[3]);
	else if (fields[2][0] != '\0')
		read_exception(answer, fields[2], fields[4]);
	return answer->name[0] != '\0';
}

/* What the instance did not come to judge. */
static const char *const UNJUDGED[] = {
	"Unable to connect to Flux",
	"Function not implemented",
	"No service matching",
	"No route to host",
	"Host is unreachable",
	"Connection refused",
	"Connection reset",
	"Broken pipe",
	"timed out",
	"is disabled",
	"munge",
	"Traceback",
	NULL,
};

const struct scheduler FLUX = {
	.name = "flux",
	.node_variable = "HOSTNAME", /* Flux has none of its own for it */
	.submit = SUBMIT,
	.ask = ASK,
	.list = LIST,
	.cancel = CANCEL,
	.read_number = read_number,
	.read_list = read_list,
	.read_answer = read_answer,
	.unjudged = UNJUDGED,
	.options = {.refused = REFUSED,
		    .values = REFUSED_VALUES,
		    .letters = "BcgNnoqSt",
		    .flags = "lux",
		    .bare = BARE,
		    .plugins = true},
};
