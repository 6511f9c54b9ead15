/*
 * PBS: qsub, qstat, qdel; qselect where a job's number was lost. Written for OpenPBS and PBS
 * Professional 18.1 and newer, the qstat of which can print JSON; older releases, and Torque, are
 * asked for the plain form.
 *
 * The job's standard output is discarded: the server would copy it over the log at the job's end.
 */
#include "core/executor/scheduler.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* -V: as with the other schedulers, a job has the environment that it would have here. */
static command_template SUBMIT = {"qsub", "-N",	       "{name}",    "{arguments}", "-j",
				  "oe",	  "-o",	       "/dev/null", "-S",	   "/bin/bash",
				  "-V",	  "{wrapper}", NULL};
static command_template ASK = {"qstat", "-x", "-f", "-F", "json", "{number}", NULL};
static command_template ASK_PLAIN = {"qstat", "-x", "-f", "{number}", NULL};
/* Without a history, and of Torque, where -x is XML. */
static command_template ASK_ALIVE = {"qstat", "-f", "{number}", NULL};
static const char *const *const ASK_OTHERWISE[] = {ASK_PLAIN, ASK_ALIVE, NULL};
static command_template LIST = {"qselect", "-u", "{account}", "-N", "{name}", NULL};
static command_template CANCEL = {"qdel", "{number}", NULL};

/* qstat(1B), "Job States"; C is Torque's. */
static const struct letter {
	const char *letter;
	const char *name;
	enum batch_meaning meaning;
} LETTERS[] = {
	{"Q", "queued", BATCH_WAITING},	   {"H", "held", BATCH_WAITING},
	{"W", "waiting", BATCH_WAITING},   {"T", "in transit", BATCH_WAITING},
	{"R", "running", BATCH_RUNNING},   {"S", "suspended", BATCH_RUNNING},
	{"U", "suspended", BATCH_RUNNING}, {"E", "exiting", BATCH_ENDING},
	{"F", "finished", BATCH_ENDED},	   {"X", "finished", BATCH_ENDED},
	{"C", "completed", BATCH_ENDED},   {"M", "moved", BATCH_LOST},
	{NULL, NULL, BATCH_UNKNOWN},
};

static const char TIME[] = "it has reached its time limit";
static const char PROCESSOR_TIME[] = "it has reached its limit of processor time";
static const char PROCESSORS[] = "it used more processors than it was given";
static const char MEMORY[] = "it needed more memory than it was given";
static const char CANCELLED[] = "it was cancelled in the scheduler, not by GitLab";
static const char HOOK[] = "a hook of the site has deleted it";
static const char NODE[] = "one of its nodes has failed";
static const char RERUN[] = "the scheduler took it from its nodes, and may not run it again";
static const char NO_START[] = "it could not be started on its nodes";
static const char MOVED[] = "it was moved to another server";

/* How the server itself ended a job: negative exit codes, by which PBS and Torque differ. */
struct special_end {
	int code; /* 0 ends the table */
	enum batch_meaning meaning;
	const char *words;
};
static const struct special_end PBS_ENDS[] = {
	{-11, BATCH_LOST, RERUN},
	{-14, BATCH_LOST, RERUN},
	{-16, BATCH_LOST, RERUN},
	{-18, BATCH_LOST, RERUN},
	{-17, BATCH_CONDEMNED, HOOK},
	{-19, BATCH_CONDEMNED, HOOK},
	{-24, BATCH_CONDEMNED, PROCESSORS},
	{-25, BATCH_CONDEMNED, PROCESSORS},
	{-26, BATCH_CONDEMNED, MEMORY},
	{-27, BATCH_CONDEMNED, MEMORY},
	{-28, BATCH_CONDEMNED, PROCESSOR_TIME},
	{-29, BATCH_CONDEMNED, TIME},
	{0, BATCH_LOST, NO_START},
};
static const struct special_end TORQUE_ENDS[] = {
	{-10, BATCH_CONDEMNED, MEMORY},
	{-11, BATCH_CONDEMNED, TIME},
	{-12, BATCH_CONDEMNED, PROCESSOR_TIME},
	{0, BATCH_LOST, NO_START},
};

/* Of a job that qdel ended; a signal has 256 added. */
#define SUBSTATE_TERMINATED "91"
#define TORQUE_TERMINATED   "271"

static const char OWN_LOG[] = "the job's log is read from a file of the driver's own";
static const char NO_NUMBER[] = "the driver reads the job's number";
static const char ONE_JOB[] = "a CI job is one job";
static const char INTERACTIVE[] = "a CI job is not interactive";
static const char NO_JOB[] = "no job would be submitted";
static const char OWN_NAME[] = "the driver finds its job by its name";
static const char OWN_SHELL[] = "the driver's script is for bash";
static const char ACCOUNT[] = "the job's account is decided by the site's rules";

static const struct refused_option REFUSED[] = {
	{"", 'o', OWN_LOG},
	{"", 'e', OWN_LOG},
	{"", 'j', OWN_LOG},
	{"", 'k', OWN_LOG},
	{"", 'N', OWN_NAME},
	{"", 'S', OWN_SHELL},
	{"", 'C', "lines of the driver's script would be read as options"},
	{"", 'z', NO_NUMBER},
	{"", 'J', ONE_JOB},
	{"", 't', ONE_JOB},
	{"", 'I', INTERACTIVE},
	{"", 'X', INTERACTIVE},
	{"", 'u', ACCOUNT},
	{"help", 0, NO_JOB},
	{"about", 0, NO_JOB},
	{"version", 0, NO_JOB},
	{NULL, 0, NULL},
};

/* -W takes any of a job's attributes, by names that the server reads in any case. */
static const struct refused_value REFUSED_VALUES[] = {
	{"", 'W', "block", "the driver itself waits for the job's end"},
	{"", 'W', "interactive", INTERACTIVE},
	{"", 'W', "Output_Path", OWN_LOG},
	{"", 'W', "Error_Path", OWN_LOG},
	{"", 'W', "Join_Path", OWN_LOG},
	{"", 'W', "Keep_Files", OWN_LOG},
	{"", 'W', "Job_Name", OWN_NAME},
	{"", 'W', "Shell_Path_List", OWN_SHELL},
	{"", 'W', "executable", "the job's script is what is run"},
	{"", 'W', "array_indices", ONE_JOB},
	{"", 'W', "User_List", ACCOUNT},
	{"", 'q', "@", "the driver asks its own server about the job"},
	{"", 0, NULL, NULL},
};

static const char *const BARE[] = {NULL};

/* "1234.server", perhaps with a domain. */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	size_t length = strspn(output, TEXT_WORD ".");
	if (strspn(output, TEXT_DIGIT) == 0 || length >= BATCH_NUMBER_SIZE ||
	    output[length] != '\n')
		return false;
	snprintf(number, BATCH_NUMBER_SIZE, "%.*s", (int)length, output);
	return true;
}

/* Only jobs of this name are listed; Torque lists the ended ones, too: the newest is meant. */
static bool read_list(const char *output, const struct batch_marks *marks,
		      char number[BATCH_NUMBER_SIZE])
{
	(void)marks;
	char candidate[BATCH_NUMBER_SIZE];
	unsigned long long newest = 0;
	for (const char *line = output; *line != '\0'; line += strcspn(line, "\n") + 1) {
		if (read_number(line, candidate) && strtoull(candidate, NULL, 10) > newest) {
			newest = strtoull(candidate, NULL, 10);
			(void)text_copy(number, BATCH_NUMBER_SIZE, candidate);
		}
		if (strchr(line, '\n') == NULL)
			break;
	}
	return newest > 0;
}

/* One job of an answer, in either form. */
struct job {
	json_t *root;	      /* owned; NULL: the plain form */
	const json_t *fields; /* borrowed from it */
	const char *plain;
};

static bool open_job(struct job *job, const char *output)
{
	*job = (struct job){.plain = output};
	if (output[0] != '{')
		return strncmp(output, "Job Id: ", 8) == 0;
	job->root = json_loads(output, 0, NULL);
	json_t *jobs = json_object_get(job->root, "Jobs");
	job->fields = json_object_iter_value(json_object_iter(jobs));
	return json_is_object(job->fields);
}

static void close_job(struct job *job)
{
	json_decref(job->root);
}

/* The line of a field, which begins with four spaces; what does not fit follows behind tabs. */
static void take_plain(const char *plain, const char *name, char *value, size_t size)
{
	char start[64];
	size_t length = 0;
	snprintf(start, sizeof(start), "\n    %s = ", name);
	const char *at = strstr(plain, start);
	if (at == NULL)
		return;
	for (at += strlen(start); *at != '\0' && length < size - 1; at++) {
		if (at[0] == '\n' && at[1] != '\t')
			break;
		if (at[0] == '\n')
			at++;
		else
			value[length++] = *at;
	}
	value[length] = '\0';
}

/* "name" or "name.resource"; "" where it is not there. */
static void take(const struct job *job, const char *name, char *value, size_t size)
{
	value[0] = '\0';
	if (job->fields == NULL) {
		take_plain(job->plain, name, value, size);
	} else {
		char outer[64];
		const char *inner = strchr(name, '.');
		snprintf(outer, sizeof(outer), "%.*s", (int)strcspn(name, "."), name);
		const json_t *field = json_object_get(job->fields, outer);
		if (inner != NULL)
			field = json_object_get(field, inner + 1);
		if (json_is_string(field))
			snprintf(value, size, "%s", json_string_value(field));
		else if (json_is_integer(field))
			snprintf(value, size, "%lld", (long long)json_integer_value(field));
	}
	text_make_printable(value);
}

/* "10:30:00" in seconds; -1 where it is no time. */
static long seconds_of(const char *text)
{
	long seconds = 0;
	for (int part = 0; part < 3; part++) {
		char *end;
		long value = strtol(text, &end, 10);
		if (end == text || value < 0 || value > 1000000)
			return -1;
		seconds = seconds * 60 + value;
		if (*end == '\0')
			return seconds;
		text = *end == ':' ? end + 1 : "";
	}
	return -1;
}

/* Releases before 22 end a job at its limit without a code for that. */
static bool reached_its_limit(const struct job *job)
{
	char used[32];
	char limit[32];
	take(job, "resources_used.walltime", used, sizeof(used));
	take(job, "Resource_List.walltime", limit, sizeof(limit));
	return seconds_of(limit) > 0 && seconds_of(used) >= seconds_of(limit);
}

static void set(struct batch_answer *answer, enum batch_meaning meaning, const char *words)
{
	answer->meaning = meaning;
	answer->words = words;
}

static void find_special(struct batch_answer *answer, const struct special_end *end, long code)
{
	while (end->code != 0 && end->code != code)
		end++;
	set(answer, end->meaning, end->words);
}

/* By qdel. Torque has no word for that but the signal, and none for who had not begun. */
static bool was_deleted(const struct job *job, bool is_torque, const char *status)
{
	char substate[16];
	take(job, "substate", substate, sizeof(substate));
	if (is_torque)
		return status[0] == '\0' ||
		       (strcmp(status, TORQUE_TERMINATED) == 0 && !reached_its_limit(job));
	return strcmp(substate, SUBSTATE_TERMINATED) == 0;
}

/* Who has ended the job that has ended: its script, unless there is a sign of somebody else. */
static void read_end(struct batch_answer *answer, const struct job *job, bool is_torque)
{
	char status[16];
	take(job, is_torque ? "exit_status" : "Exit_status", status, sizeof(status));
	long code = strtol(status, NULL, 10);
	if (was_deleted(job, is_torque, status))
		set(answer, BATCH_CONDEMNED, CANCELLED);
	else if (status[0] == '\0')
		set(answer, BATCH_LOST, NODE);
	else if (code < 0)
		find_special(answer, is_torque ? TORQUE_ENDS : PBS_ENDS, code);
	else if (code > 128 && reached_its_limit(job))
		set(answer, BATCH_CONDEMNED, TIME);
}

static bool read_job(struct batch_answer *answer, const struct job *job)
{
	char state[8];
	take(job, "job_state", state, sizeof(state));
	const struct letter *letter = LETTERS;
	while (letter->letter != NULL && strcmp(letter->letter, state) != 0)
		letter++;
	snprintf(answer->name, sizeof(answer->name), "%s",
		 letter->name != NULL ? letter->name : state);
	set(answer, letter->meaning, letter->meaning == BATCH_LOST ? MOVED : NULL);
	take(job, "comment", answer->reason, sizeof(answer->reason));
	if (answer->meaning == BATCH_WAITING)
		take(job, "estimated.start_time", answer->expected, sizeof(answer->expected));
	if (strcmp(answer->expected, "UNKNOWN") == 0)
		answer->expected[0] = '\0';
	if (answer->meaning == BATCH_ENDED)
		read_end(answer, job, state[0] == 'C');
	return state[0] != '\0';
}

static bool read_answer(const struct command_result *result, struct batch_answer *answer)
{
	struct job job;
	memset(answer, 0, sizeof(*answer));
	if (strstr(result->errors, "Unknown Job Id") != NULL) {
		answer->meaning = BATCH_FORGOTTEN;
		return true;
	}
	/* It is in a history that this form does not show. */
	if (strstr(result->errors, "Job has finished") != NULL) {
		answer->meaning = BATCH_ENDED;
		snprintf(answer->name, sizeof(answer->name), "finished");
		return true;
	}
	bool read = result->status == 0 && open_job(&job, result->output) && read_job(answer, &job);
	if (result->status == 0)
		close_job(&job);
	return read;
}

/*
 * JSON of some releases is none where a value has quotes; a usage tells that an option is not
 * known; without a history -x fails.
 */
static bool is_unfit(const struct command_result *result)
{
	struct job job;
	if (strcasestr(result->errors, "usage:") != NULL ||
	    strstr(result->errors, "invalid option") != NULL ||
	    strstr(result->errors, "maintain job history") != NULL)
		return true;
	if (result->status != 0 || result->output[0] == '\0')
		return false;
	bool opened = open_job(&job, result->output);
	close_job(&job);
	return !opened;
}

/* What the server did not come to judge. */
static const char *const UNJUDGED[] = {
	"cannot connect to server",
	"Communication failure",
	"Connection refused",
	"timed out",
	"No free connections",
	"End of File",
	"shutting down",
	"Server shutdown",
	"Invalid credential",
	"munge",
	"authenticat",
	"security library",
	"is not enabled",
	"Batch Protocol",
	"cannot send environment",
	NULL,
};

const struct scheduler PBS = {
	.name = "pbs",
	.node_variable = "HOSTNAME", /* PBS has none of its own for it */
	.submit = SUBMIT,
	.ask = ASK,
	.ask_otherwise = ASK_OTHERWISE,
	.list = LIST,
	.cancel = CANCEL,
	.read_number = read_number,
	.read_list = read_list,
	.read_answer = read_answer,
	.is_unfit = is_unfit,
	.unjudged = UNJUDGED,
	.options = {.refused = REFUSED,
		    .values = REFUSED_VALUES,
		    .letters = "AaBbcdDFKlLmMPpqQrRTvwW",
		    .flags = "EfGhnVx",
		    .bare = BARE},
};
