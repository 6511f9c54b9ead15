/*
 * OpenPBS and PBS Professional 18.1 and newer, with JSON from qstat; older releases and Torque in
 * the plain form: qsub, qstat, qdel; qselect for a job whose number was lost.
 *
 * The job's standard output is discarded: the server would overwrite the log at the job's end.
 */
#include "core/executor/scheduler.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/text.h"

/* -V: as with the other schedulers, the job gets the environment of the command. */
static command_template SUBMIT = {"qsub", "-N",	       "{name}",    "{arguments}", "-j",
				  "oe",	  "-o",	       "/dev/null", "-S",	   "/bin/bash",
				  "-V",	  "{wrapper}", NULL};
static command_template ASK = {"qstat", "-x", "-f", "-F", "json", "{number}", NULL};
static command_template ASK_PLAIN = {"qstat", "-x", "-f", "{number}", NULL};
/* For servers without a history, and for Torque, whose -x prints XML. */
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

static const char PROCESSORS[] = "it used more processors than it was given";
static const char HOOK[] = "a hook of the site has deleted it";
static const char RERUN[] = "the scheduler removed it from its nodes and cannot run it again";
static const char MOVED[] = "it was moved to another server";

/* Why the server ended a job: negative exit codes, which differ between PBS and Torque. */
struct special_end {
	int code; /* 0 ends the table */
	enum batch_meaning meaning;
	const char *why;
};
static const struct special_end PBS_ENDS[] = {
	{-11, BATCH_LOST, RERUN},
	{-14, BATCH_LOST, RERUN},
	{-16, BATCH_LOST, RERUN},
	{-18, BATCH_LOST, RERUN},
	{-17, BATCH_KILLED, HOOK},
	{-19, BATCH_KILLED, HOOK},
	{-24, BATCH_KILLED, PROCESSORS},
	{-25, BATCH_KILLED, PROCESSORS},
	{-26, BATCH_KILLED, REASON_MEMORY},
	{-27, BATCH_KILLED, REASON_MEMORY},
	{-28, BATCH_KILLED, REASON_CPU_TIME},
	{-29, BATCH_KILLED, REASON_TIME},
	{0, BATCH_LOST, REASON_NO_START},
};
static const struct special_end TORQUE_ENDS[] = {
	{-10, BATCH_KILLED, REASON_MEMORY},
	{-11, BATCH_KILLED, REASON_TIME},
	{-12, BATCH_KILLED, REASON_CPU_TIME},
	{0, BATCH_LOST, REASON_NO_START},
};

/* In the comment of the scheduler. */
static const struct hopeless_reason HOPELESS[] = {
	{"Can Never Run*", "the cluster does not have what it requests; request less"},
	{NULL, NULL},
};

/* Of a job that qdel has ended; Torque adds 256 to a signal. */
#define SUBSTATE_TERMINATED "91"
#define TORQUE_TERMINATED   "271"

static const char OWN_SHELL[] = "the script of jacamar needs bash";

static const struct refused_option REFUSED[] = {
	{"", 'o', "", REFUSED_LOG},
	{"", 'e', "", REFUSED_LOG},
	{"", 'j', "", REFUSED_LOG},
	{"", 'k', "", REFUSED_LOG},
	{"", 'N', "", REFUSED_NAME},
	{"", 'S', "", OWN_SHELL},
	{"", 'C', "", "PBS would read lines of the script as options"},
	{"", 'z', "", REFUSED_QUIET},
	{"", 'J', "", REFUSED_ARRAY},
	{"", 't', "", REFUSED_ARRAY},
	{"", 'I', "", REFUSED_INTERACTIVE},
	{"", 'X', "", REFUSED_INTERACTIVE},
	{"", 'u', "", REFUSED_ACCOUNT},
	{"help", 0, "", REFUSED_NO_JOB},
	{"about", 0, "", REFUSED_NO_JOB},
	{"version", 0, "", REFUSED_NO_JOB},
	/* -W sets any attribute of a job, by a name in any case. */
	{"", 'W', "block", REFUSED_WAIT},
	{"", 'W', "interactive", REFUSED_INTERACTIVE},
	{"", 'W', "Output_Path", REFUSED_LOG},
	{"", 'W', "Error_Path", REFUSED_LOG},
	{"", 'W', "Join_Path", REFUSED_LOG},
	{"", 'W', "Keep_Files", REFUSED_LOG},
	{"", 'W', "Job_Name", REFUSED_NAME},
	{"", 'W', "Shell_Path_List", OWN_SHELL},
	{"", 'W', "executable", REFUSED_SCRIPT},
	{"", 'W', "array_indices", REFUSED_ARRAY},
	{"", 'W', "User_List", REFUSED_ACCOUNT},
	{"", 'q', "@", "jacamar asks its own server about the job"},
	{.reason = NULL},
};

/* "1234.server", perhaps with a domain. */
static bool read_number(const char *output, char number[BATCH_NUMBER_SIZE])
{
	return strspn(output, TEXT_DIGIT) > 0 &&
	       scheduler_take_number(output, TEXT_WORD ".", "\n", number);
}

/* Only jobs of this name are listed. The newest counts: Torque also lists ended ones. */
static bool read_list(const char *output, const char *mark, char number[BATCH_NUMBER_SIZE])
{
	(void)mark;
	char candidate[BATCH_NUMBER_SIZE];
	unsigned long long newest = 0;
	for (const char *line = output; *line != '\0'; line = scheduler_next_line(line)) {
		if (read_number(line, candidate) && strtoull(candidate, NULL, 10) > newest) {
			newest = strtoull(candidate, NULL, 10);
			(void)text_copy(number, BATCH_NUMBER_SIZE, candidate);
		}
	}
	return newest > 0;
}

/* A job in an answer of either form. */
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

/* The line of a field begins with four spaces; a long one continues on lines with a tab. */
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

/* "name" or "name.resource"; "" if there is no such field. */
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

/* "10:30:00" in seconds; -1 if it is no time. */
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

/* Releases before 22 have no exit code for the time limit. */
static bool reached_its_limit(const struct job *job)
{
	char used[32];
	char limit[32];
	take(job, "resources_used.walltime", used, sizeof(used));
	take(job, "Resource_List.walltime", limit, sizeof(limit));
	return seconds_of(limit) > 0 && seconds_of(used) >= seconds_of(limit);
}

static void set(struct batch_answer *answer, enum batch_meaning meaning, const char *why)
{
	answer->meaning = meaning;
	answer->why = why;
}

static void find_special(struct batch_answer *answer, const struct special_end *end, long code)
{
	while (end->code != 0 && end->code != code)
		end++;
	set(answer, end->meaning, end->why);
}

/*
 * True if qdel has ended the job. Torque reports only the signal, and no exit status for a job that
 * had not started.
 */
static bool was_deleted(const struct job *job, bool is_torque, const char *status)
{
	char substate[16];
	take(job, "substate", substate, sizeof(substate));
	if (is_torque)
		return status[0] == '\0' ||
		       (strcmp(status, TORQUE_TERMINATED) == 0 && !reached_its_limit(job));
	return strcmp(substate, SUBSTATE_TERMINATED) == 0;
}

/* Why the job has ended: because its script has, unless a field shows another reason. */
static void read_end(struct batch_answer *answer, const struct job *job, bool is_torque)
{
	char status[16];
	take(job, is_torque ? "exit_status" : "Exit_status", status, sizeof(status));
	long code = strtol(status, NULL, 10);
	if (was_deleted(job, is_torque, status))
		set(answer, BATCH_KILLED, REASON_CANCELLED);
	else if (status[0] == '\0')
		set(answer, BATCH_LOST, REASON_NODE);
	else if (code < 0)
		find_special(answer, is_torque ? TORQUE_ENDS : PBS_ENDS, code);
	else if (code > 128 && reached_its_limit(job))
		set(answer, BATCH_KILLED, REASON_TIME);
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

static bool read_answer(const char *output, struct batch_answer *answer)
{
	struct job job;
	bool read = open_job(&job, output) && read_job(answer, &job);
	json_decref(job.root);
	return read;
}

/*
 * Some releases print invalid JSON if a value has quotes; a usage message means that an option is
 * not known; -x fails on a server without a history.
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
	json_decref(job.root);
	return !opened;
}

/* The server did not judge the request. */
static const char UNJUDGED[] = "cannot connect to server\n"
			       "Communication failure\n"
			       "Connection refused\n"
			       "timed out\n"
			       "No free connections\n"
			       "End of File\n"
			       "shutting down\n"
			       "Server shutdown\n"
			       "Invalid credential\n"
			       "munge\n"
			       "authenticat\n"
			       "security library\n"
			       "is not enabled\n"
			       "Batch Protocol\n"
			       "cannot send environment\n";

const struct scheduler PBS = {
	.name = "pbs",
	.node_variable = "HOSTNAME", /* PBS has no variable for it */
	.submit = SUBMIT,
	.ask = ASK,
	.ask_otherwise = ASK_OTHERWISE,
	.list = LIST,
	.cancel = CANCEL,
	.read_number = read_number,
	.read_list = read_list,
	.read_answer = read_answer,
	.forgotten = "*Unknown Job Id*",
	.finished = "*Job has finished*", /* only the history has it */
	.hopeless = HOPELESS,
	.is_unfit = is_unfit,
	.unjudged = UNJUDGED,
	.options = {.refused = REFUSED,
		    .letters = "AaBbcdDFKlLmMPpqQrRTvwW",
		    .flags = "EfGhnVx",
		    .bare = ""},
};
