/*
 * Slurm: sbatch, scontrol, scancel; squeue where a job's number was lost; sacct, where a site has
 * it, for what the controller has forgotten. Written for Slurm 20.11 and newer.
 *
 * --local keeps scontrol and squeue from asking for the federation: one request to the controller
 * is enough. scontrol needs one where squeue needs two.
 */
#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* --parsable once more: an option of the author's that takes a value may take it for that. */
static command_template SUBMIT = {
	"sbatch",	  "--parsable",		"--job-name={name}", "{arguments}", "--parsable",
	"--output={log}", "--open-mode=append", "{wrapper}",	     NULL};
static command_template ASK = {"scontrol", "--local", "show", "job", "{number}", NULL};
static command_template HISTORY = {"sacct",	    "--noheader", "--parsable2",
				   "--allocations", "--jobs",	  "{number}",
				   "--format",	    "State",	  NULL};
static command_template LIST = {"squeue",    "--local",	 "--noheader", "--user={account}",
				"--sort=-i", "--format", "%A %o",      NULL};
static command_template CANCEL = {"scancel", "{number}", NULL};

static const char TIME[] = "it has reached its time limit";
static const char MEMORY[] = "it needed more memory than it was given";

/* slurm.schedmd.com/squeue.html, "JOB STATE CODES" */
static const struct batch_state STATES[] = {
	{"PENDING", BATCH_WAITING, NULL},
	{"CONFIGURING", BATCH_WAITING, NULL},
	{"REQUEUED", BATCH_WAITING, NULL},
	{"REQUEUE_FED", BATCH_WAITING, NULL},
	{"REQUEUE_HOLD", BATCH_WAITING, NULL},
	{"SPECIAL_EXIT", BATCH_WAITING, NULL},
	{"RESV_DEL_HOLD", BATCH_WAITING, NULL},
	{"RUNNING", BATCH_RUNNING, NULL},
	{"SUSPENDED", BATCH_RUNNING, NULL},
	{"STOPPED", BATCH_RUNNING, NULL},
	{"SIGNALING", BATCH_RUNNING, NULL},
	{"RESIZING", BATCH_RUNNING, NULL},
	{"STAGE_OUT", BATCH_RUNNING, NULL},
	{"COMPLETING", BATCH_ENDING, NULL},
	{"COMPLETED", BATCH_ENDED, NULL},
	{"FAILED", BATCH_ENDED, NULL},
	{"TIMEOUT", BATCH_CONDEMNED, TIME},
	{"DEADLINE", BATCH_CONDEMNED, "it has reached its deadline"},
	{"OUT_OF_MEMORY", BATCH_CONDEMNED, MEMORY},
	{"CANCELLED", BATCH_CONDEMNED, "it was cancelled in the scheduler, not by GitLab"},
	{"NODE_FAIL", BATCH_LOST, "one of its nodes has failed"},
	{"BOOT_FAIL", BATCH_LOST, "one of its nodes could not be started"},
	{"LAUNCH_FAILED", BATCH_LOST, "it could not be started on its nodes"},
	{"RECONFIG_FAIL", BATCH_LOST, "one of its nodes could not be set up"},
	{"PREEMPTED", BATCH_LOST, "another job was given its nodes"},
	{"REVOKED", BATCH_LOST, "another cluster has taken it"},
	{NULL, BATCH_UNKNOWN, NULL},
};

/* Why a job is COMPLETING: what its state will be then. One that is requeued has none of these. */
static const struct batch_state REASONS[] = {
	{"OutOfMemory", BATCH_CONDEMNED, MEMORY},
	{"TimeLimit", BATCH_CONDEMNED, TIME},
	{"NonZeroExitCode", BATCH_ENDED, NULL},
	{"RaisedSignal", BATCH_ENDED, NULL},
	{NULL, BATCH_ENDING, NULL},
};

static const char OWN_LOG[] = "the job's log is read from a file of the driver's own";
static const char NO_JOB[] = "no job would be submitted";
static const char WAITS[] = "the driver itself waits for the job's end";
static const char ACCOUNT[] = "the job's account is decided by the site's rules";

static const struct refused_option REFUSED[] = {
	{"output", 'o', OWN_LOG},
	{"error", 'e', OWN_LOG},
	{"open-mode", 0, OWN_LOG},
	{"wait", 'W', WAITS},
	{"wrap", 0, "the job's script is what is run"},
	{"parsable", 0, "the driver sets it"},
	{"array", 'a', "a CI job is one job"},
	{"uid", 0, ACCOUNT},
	{"gid", 0, ACCOUNT},
	{"clusters", 'M', "the driver asks its own cluster about the job"},
	{"test-only", 0, NO_JOB},
	{"external", 0, "the job's script would not be run"},
	{"autocomplete", 0, NO_JOB},
	{"help", 'h', NO_JOB},
	{"usage", 0, NO_JOB},
	{"version", 'V', NO_JOB},
	{NULL, 0, NULL},
};

/* What `scontrol show job` prints before the state. */
static const char TWO_LINES[] = "it would be a line of its own in what Slurm says of the job";
static const struct refused_value REFUSED_VALUES[] = {
	{"job-name", 'J', "\n", TWO_LINES}, {"account", 'A', "\n", TWO_LINES},
	{"qos", 'q', "\n", TWO_LINES},	    {"wckey", 0, "\n", TWO_LINES},
	{"mcs-label", 0, "\n", TWO_LINES},  {NULL, 0, NULL, NULL},
};

static const char *const BARE[] = {
	"consolidate-segments",
	"contiguous",
	"exclusive",
	"get-user-env",
	"hold",
	"ignore-pbs",
	"nice",
	"no-kill",
	"no-requeue",
	"oom-kill-step",
	"overcommit",
	"overlap",
	"oversubscribe",
	"propagate",
	"quiet",
	"reboot",
	"requeue",
	"resv-ports",
	"share",
	"spread-job",
	"spread-segments",
	"stepmgr",
	"use-min-nodes",
	"verbose",
	NULL,
};

/* "1234", or "1234;cluster". */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	size_t length = strspn(output, TEXT_DIGIT);
	if (length == 0 || length >= BATCH_NUMBER_SIZE ||
	    (output[length] != ';' && output[length] != '\n'))
		return false;
	memcpy(number, output, length);
	number[length] = '\0';
	return true;
}

static bool read_list(const char *output, const struct batch_marks *marks,
		      char number[BATCH_NUMBER_SIZE])
{
	return scheduler_find_number(output, marks->wrapper, number);
}

/* The word behind `name`, "" where it is none that says something. */
static void take_field(const char *output, const char *name, char *value, size_t size)
{
	static const char *const empty[] = {"None", "(null)", "Unknown", "N/A"};
	value[0] = '\0';
	const char *at = strstr(output, name);
	if (at == NULL)
		return;
	at += strlen(name);
	snprintf(value, size, "%.*s", (int)strcspn(at, " \n"), at);
	text_make_printable(value);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		if (strcmp(value, empty[i]) == 0)
			value[0] = '\0';
}

/* By the word that a name begins with: "CANCELLED+", "RaisedSignal:9". */
static void find_state(struct batch_answer *answer, const struct batch_state *states,
		       const char *name)
{
	(void)scheduler_find_state(states, name, strspn(name, TEXT_WORD), answer);
}

/*
 * Of what comes before, the author says some: no more than a line of it, by REFUSED_VALUES. Could
 * it look like a field, the author's own job would be misread.
 */
static bool read_answer(const struct command_result *result, struct batch_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (strstr(result->errors, "Invalid job id specified") != NULL) {
		answer->meaning = BATCH_FORGOTTEN;
		return true;
	}
	if (result->status != 0)
		return false;
	take_field(result->output, "\n   JobState=", answer->name, sizeof(answer->name));
	take_field(result->output, " Reason=", answer->reason, sizeof(answer->reason));
	if (answer->name[0] == '\0')
		return false;
	find_state(answer, STATES, answer->name);
	if (answer->meaning == BATCH_ENDING)
		find_state(answer, REASONS, answer->reason);
	if (answer->meaning == BATCH_WAITING)
		take_field(result->output, " StartTime=", answer->expected,
			   sizeof(answer->expected));
	return true;
}

static bool read_history(const char *output, struct batch_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	snprintf(answer->name, sizeof(answer->name), "%.*s", (int)strcspn(output, "\n|"), output);
	text_make_printable(answer->name);
	find_state(answer, STATES, answer->name);
	answer->name[strcspn(answer->name, " +")] = '\0';
	return answer->meaning != BATCH_UNKNOWN;
}

/* What the controller did not come to judge. */
static const char *const UNJUDGED[] = {
	"Unable to contact slurm controller",
	"Communication connection failure",
	"Communication shutdown failure",
	"Connection refused",
	"Connection reset",
	"Connection timed out",
	"Socket timed out",
	"Transport endpoint",
	"Unexpected message received",
	"Unexpected missing socket error",
	"Message receive failure",
	"Message send failure",
	"Zero Bytes were transmitted",
	"Resource temporarily unavailable",
	"temporarily unable",
	"standby mode",
	"System submissions disabled",
	"Slurm internal error",
	"Unspecified error",
	"No error",
	"Unable to create job record, try again",
	"I/O error writing script/environment to file",
	"Protocol authentication error",
	"Failed to connect to authentication agent",
	"Plugin initialization failed",
	"configuration source",
	"Unable to process configuration",
	"munge",
	NULL,
};

const struct scheduler SLURM = {
	.name = "slurm",
	.node_variable = "SLURMD_NODENAME",
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
	/* With -v, more than it has to say of its failure. */
	.last_line_counts = true,
	.options = {.refused = REFUSED,
		    .values = REFUSED_VALUES,
		    .letters = "aAbBcCdDeFGiJLmMnNopqStwx",
		    .flags = "HkOQsv",
		    .attached = "k",
		    .bare = BARE,
		    .plugins = true},
};
