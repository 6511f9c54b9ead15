/*
 * Slurm 20.11 and newer: sbatch, scontrol, scancel; squeue for a job whose number was lost; sacct,
 * if a site has it, for a job that the controller has forgotten.
 *
 * --local keeps scontrol and squeue from asking the federation. scontrol is used instead of squeue
 * because it sends one request to the controller, and squeue two.
 */
#include "core/executor/scheduler.h"

#include <string.h>

#include "core/lib/text.h"

/* --parsable twice: an option of the author's whose value is missing takes the second one. */
static command_template SUBMIT = {
	"sbatch",	  "--parsable",		"--job-name={name}", "{arguments}", "--parsable",
	"--output={log}", "--open-mode=append", "{wrapper}",	     NULL};
static command_template ASK = {"scontrol", "{cluster}", "--local", "show", "job", "{number}", NULL};
static command_template HISTORY = {"sacct",	    "{cluster}", "--noheader", "--parsable2",
				   "--allocations", "--jobs",	 "{number}",   "--format",
				   "State",	    NULL};
static command_template LIST = {
	"squeue",    "{cluster}", "--local", "--noheader", "--user={account}",
	"--sort=-i", "--format",  "%A %o",   NULL};
static command_template CANCEL = {"scancel", "{cluster}", "{number}", NULL};

/*
 * Before release 23, no variable sets a comment for sbatch. This function reaches every bash, even
 * in the jobs that the script submits. A --comment of the script replaces this one. If the profiles
 * define an sbatch themselves, theirs is kept.
 */
static const char MARK[] =
	"[ \"$(builtin type -t sbatch)\" = file ] && "
	"sbatch() { command sbatch --comment=\"$JACAMAR_BATCH_MARK\" \"$@\"; } && "
	"builtin export -f sbatch\n";
static command_template LIST_MARKED = {"squeue",
				       "{cluster}",
				       "--local",
				       "--noheader",
				       "--user={account}",
				       "--states=PENDING,CONFIGURING,RUNNING,SUSPENDED",
				       "--format",
				       "%A %k",
				       NULL};
static command_template CANCEL_MARKED = {"scancel", "{cluster}", "{arguments}", NULL};

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
	{"TIMEOUT", BATCH_KILLED, REASON_TIME},
	{"DEADLINE", BATCH_KILLED, "it has reached its deadline"},
	{"OUT_OF_MEMORY", BATCH_KILLED, REASON_MEMORY},
	{"CANCELLED", BATCH_KILLED, REASON_CANCELLED},
	{"NODE_FAIL", BATCH_LOST, REASON_NODE},
	{"BOOT_FAIL", BATCH_LOST, "one of its nodes could not be started"},
	{"LAUNCH_FAILED", BATCH_LOST, REASON_NO_START},
	{"RECONFIG_FAIL", BATCH_LOST, "one of its nodes could not be set up"},
	{"PREEMPTED", BATCH_LOST, "another job was given its nodes"},
	{"REVOKED", BATCH_LOST, "another cluster has taken it"},
	{"", BATCH_UNKNOWN, NULL},
};

/* Why a job is COMPLETING: the state that follows. A job that is requeued has none of these. */
static const struct batch_state REASONS[] = {
	{"OutOfMemory", BATCH_KILLED, REASON_MEMORY},
	{"TimeLimit", BATCH_KILLED, REASON_TIME},
	{"NonZeroExitCode", BATCH_ENDED, NULL},
	{"RaisedSignal", BATCH_ENDED, NULL},
	{"", BATCH_ENDING, NULL},
};

/*
 * slurm.schedmd.com/job_reason_codes.html. Not in the table: limits of a user, an account, a group
 * or a QOS that the end of other jobs makes room in (AssocMaxJobsLimit, QOSGrpCpuLimit), a hold
 * that somebody releases, a partition or a node that is down, and an account or a QOS that is
 * invalid: Slurm reports that also while it has no data from its database.
 */
static const char PARTITION[] = "its partition does not have what it requests; request less, or "
				"another partition";
static const char PER_JOB[] = "it requests more than one job may have; request less";
static const char NOT_ALLOWED[] = "it may not run in its partition; request another one";
static const struct hopeless_reason HOPELESS[] = {
	{"DependencyNeverSatisfied*", "a job that it depends on did not end as --dependency asks"},
	{"PartitionConfig*", PARTITION},
	{"PartitionTimeLimit*", "its partition does not allow this time limit; request less time"},
	{"BadConstraints*", "no node satisfies its constraints; change --constraint"},
	{"AccountNotAllowed*", NOT_ALLOWED},
	{"QOSNotAllowed*", NOT_ALLOWED},
	{"ReservationDeleted*", "its reservation was deleted; change --reservation"},
	{"AssocMax*PerJob*", PER_JOB},
	{"AssocMax*PerNode*", PER_JOB},
	{"QOSMax*PerJob*", PER_JOB},
	{"QOSMax*PerNode*", PER_JOB},
	{"QOSMin*", "it requests less than its QOS demands; request more, or another QOS"},
	{"MaxMemPerLimit*", "it requests more memory than a job may have; request less"},
	{NULL, NULL},
};

static const char TWO_LINES[] =
	"its value has a newline, which could imitate the output of scontrol";
static const struct refused_option REFUSED[] = {
	{"output", 'o', "", REFUSED_LOG},
	{"error", 'e', "", REFUSED_LOG},
	{"open-mode", 0, "", REFUSED_LOG},
	{"wait", 'W', "", REFUSED_WAIT},
	{"wrap", 0, "", REFUSED_SCRIPT},
	{"parsable", 0, "", "jacamar sets it"},
	{"array", 'a', "", REFUSED_ARRAY},
	{"uid", 0, "", REFUSED_ACCOUNT},
	{"gid", 0, "", REFUSED_ACCOUNT},
	{"test-only", 0, "", REFUSED_NO_JOB},
	{"external", 0, "", "the job's script would not be run"},
	{"autocomplete", 0, "", REFUSED_NO_JOB},
	{"help", 'h', "", REFUSED_NO_JOB},
	{"usage", 0, "", REFUSED_NO_JOB},
	{"version", 'V', "", REFUSED_NO_JOB},
	/* `scontrol show job` prints these before the state. */
	{"job-name", 'J', "\n", TWO_LINES},
	{"account", 'A', "\n", TWO_LINES},
	{"qos", 'q', "\n", TWO_LINES},
	{"wckey", 0, "\n", TWO_LINES},
	{"mcs-label", 0, "\n", TWO_LINES},
	{.reason = NULL},
};

static const char BARE[] =
	"consolidate-segments contiguous exclusive get-user-env hold ignore-pbs nice no-kill "
	"no-requeue oom-kill-step overcommit overlap oversubscribe propagate quiet reboot "
	"requeue resv-ports share spread-job spread-segments stepmgr use-min-nodes verbose";

/* "1234", or "1234;cluster". */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	return scheduler_take_number(output, TEXT_DIGIT, ";\n", number);
}

/* The word after `name`; "" if it has no meaning. */
static void take_field(const char *output, const char *name, char *value, size_t size)
{
	static const char *const empty[] = {"None", "(null)", "Unknown", "N/A"};
	value[0] = '\0';
	const char *at = strstr(output, name);
	if (at == NULL)
		return;
	scheduler_take_field(at + strlen(name), " \n", value, size);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		if (strcmp(value, empty[i]) == 0)
			value[0] = '\0';
}

/*
 * Some of the fields before the state are the author's. None has a second line (REFUSED_VALUES),
 * so that none can look like the state.
 */
static bool read_answer(const char *output, struct batch_answer *answer)
{
	take_field(output, "\n   JobState=", answer->name, sizeof(answer->name));
	take_field(output, " Reason=", answer->reason, sizeof(answer->reason));
	take_field(output, "\n   BatchHost=", answer->node, sizeof(answer->node));
	(void)scheduler_find_state(STATES, answer->name, answer);
	if (answer->meaning == BATCH_ENDING)
		(void)scheduler_find_state(REASONS, answer->reason, answer);
	if (answer->meaning == BATCH_WAITING)
		take_field(output, " StartTime=", answer->expected, sizeof(answer->expected));
	return answer->name[0] != '\0';
}

static bool read_history(const char *output, struct batch_answer *answer)
{
	scheduler_take_field(output, "\n|", answer->name, sizeof(answer->name));
	(void)scheduler_find_state(STATES, answer->name, answer);
	answer->name[strcspn(answer->name, " +")] = '\0';
	return answer->meaning != BATCH_UNKNOWN;
}

/* The controller did not judge the request. */
static const char UNJUDGED[] = "Unable to contact slurm controller\n"
			       "Communication connection failure\n"
			       "Communication shutdown failure\n"
			       "Connection refused\n"
			       "Connection reset\n"
			       "Connection timed out\n"
			       "Socket timed out\n"
			       "Transport endpoint\n"
			       "Unexpected message received\n"
			       "Unexpected missing socket error\n"
			       "Message receive failure\n"
			       "Message send failure\n"
			       "Zero Bytes were transmitted\n"
			       "Resource temporarily unavailable\n"
			       "temporarily unable\n"
			       "standby mode\n"
			       "System submissions disabled\n"
			       "Slurm internal error\n"
			       "Unspecified error\n"
			       "No error\n"
			       "Unable to create job record, try again\n"
			       "I/O error writing script/environment to file\n"
			       "Protocol authentication error\n"
			       "Failed to connect to authentication agent\n"
			       "Plugin initialization failed\n"
			       "configuration source\n"
			       "Unable to process configuration\n"
			       "munge\n";

const struct scheduler SLURM = {
	.name = "slurm",
	.node_variable = "SLURMD_NODENAME",
	.submit = SUBMIT,
	.ask = ASK,
	.ask_history = HISTORY,
	.list = LIST,
	.cancel = CANCEL,
	.mark = MARK,
	.list_marked = LIST_MARKED,
	.cancel_marked = CANCEL_MARKED,
	.read_number = read_number,
	.read_list = scheduler_find_number,
	.listed_by_wrapper = true,
	.read_answer = read_answer,
	.read_history = read_history,
	.forgotten = "*Invalid job id specified*",
	.hopeless = HOPELESS,
	.unjudged = UNJUDGED,
	/* With -v, sbatch prints more than its error. */
	.last_line_counts = true,
	.options = {.refused = REFUSED,
		    .letters = "aAbBcCdDeFGiJLmMnNopqStwx",
		    .flags = "HkOQsv",
		    .attached = "k",
		    .bare = BARE,
		    .cluster = "clusters",
		    .cluster_letter = 'M',
		    .plugins = true},
};
