/*
 * The engine of batch jobs against stand-ins for Slurm's commands: shell scripts that do what the
 * test tells them, so that the scheduler can be down, slow, or wrong at the right moment.
 *
 * The user's side runs in a child, its log being a pipe as the runner's is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/executor/batch.h"
#include "core/io.h"
#include "core/workspace.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path home;
static struct path bin;
static struct test_header made;
static json_t *argument_list;

/* Runs what is submitted, as the node would; [submit] may do otherwise. */
static const char SBATCH[] = "#!/bin/bash\n"
			     "printf '%s\\n' \"$@\" >\"${0%/*}/submitted\"\n"
			     "wrapper=${!#}\n"
			     "run() { setsid bash \"$wrapper\" >/dev/null 2>&1 & }\n"
			     ". \"${0%/*}/submit\"\n";

/* Each other command notes its call, and then does what its own file says. */
static const char OTHER[] =
	"#!/bin/bash\n"
	"echo \"${0##*/} $*\" >>\"${0%/*}/calls\"\n"
	"state() { printf 'JobId=4242\\n   JobState=%s Reason=%s Dependency=x\\n' "
	"\"$1\" \"${2:-None}\"; }\n"
	". \"${0%/*}/${0##*/}.does\"\n";

static void does(const char *name, const char *script)
{
	struct path path = path_of("%s/%s", bin.text, name);
	(void)unlink(path.text);
	scratch_write(path.text, script, 0600);
}

static void setup(void)
{
	static const char *const others[] = {"scontrol", "scancel", "squeue", "sacct",
					     "bsub",	 "bjobs",   "bkill"};
	home = scratch_make();
	bin = path_of("%s/bin", home.text);
	scratch_directory(bin.text, 0700);
	scratch_write(path_of("%s/sbatch", bin.text).text, SBATCH, 0700);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		scratch_write(path_of("%s/%s", bin.text, others[i]).text, OTHER, 0700);
		does(path_of("%s.does", others[i]).text, "exit 1\n");
	}
	does("submit", "run; echo 4242\n");
	does("calls", "");
	test_header_init(&made, home.text);
	argument_list = json_array();
	made.header.arguments = argument_list;
	made.header.state.executor = EXECUTOR_SLURM;
	made.header.state.scheduler_bin = bin.text;
	made.header.state.command_delay_ms = 0;
	made.header.state.nfs_timeout_ms = 1500;
	made.header.state.kill_timeout_ms = 2000;
}

static void teardown(void)
{
	json_decref(argument_list);
	test_header_free(&made);
}

struct outcome {
	int result;
	int exit_code;
	struct error err;
	char log[64 * 1024];
};

static void say(const void *context, const char *line)
{
	(void)context;
	dprintf(STDOUT_FILENO, "%s\n", line);
}

static void play_user_side(int channel, int outcome)
{
	struct outcome said;
	struct script script;
	struct rlimit core;
	struct channel_reader reader = {.fd = channel};
	memset(&said, 0, sizeof(said));
	getrlimit(RLIMIT_CORE, &core);
	said.result = script_receive(&reader, &made.header, "build_script", &script, &said.err);
	struct batch_call call = {
		.substage = "build_script",
		.script = &script,
		.header = &made.header,
		.channel = &reader,
		.core_limit = core.rlim_cur,
		.voice = {say, NULL},
	};
	if (said.result == 0)
		said.result = batch_run(&call, &said.exit_code, &said.err);
	script_free(&script);
	_exit(io_write_all(outcome, &said, sizeof(said)) == 0 ? 0 : 1);
}

/* The script to its end; the channel is closed, as for a cancel, `cancel_after_ms` later (0: not).
 */
static struct outcome *run(const char *script, int cancel_after_ms)
{
	static struct outcome outcome;
	int channel[2];
	int report[2];
	int log[2];
	int status;
	made.header.script_size = strlen(script);
	ck_assert_int_eq(pipe2(channel, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(report, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		process_forget_check();
		close(channel[1]);
		if (dup2(log[1], STDOUT_FILENO) < 0 || dup2(log[1], STDERR_FILENO) < 0)
			_exit(1);
		play_user_side(channel[0], report[1]);
	}
	close(channel[0]);
	close(report[1]);
	close(log[1]);
	ck_assert_int_eq(io_write_all(channel[1], script, strlen(script)), 0);
	if (cancel_after_ms > 0) {
		usleep((useconds_t)cancel_after_ms * 1000);
		close(channel[1]);
	}
	ssize_t size = io_read_full(report[0], &outcome, sizeof(outcome));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(size, (ssize_t)sizeof(outcome));
	fcntl(log[0], F_SETFL, O_NONBLOCK);
	size = io_read_full(log[0], outcome.log, sizeof(outcome.log) - 1);
	outcome.log[size > 0 ? size : 0] = '\0';
	close(log[0]);
	close(report[0]);
	if (cancel_after_ms == 0)
		close(channel[1]);
	return &outcome;
}

/* What the stand-ins were called with. */
static char *calls(void)
{
	size_t size;
	return scratch_read(path_of("%s/calls", bin.text).text, &size);
}

static bool is_called(const char *name)
{
	char *text = calls();
	bool found = strstr(text, name) != NULL;
	free(text);
	return found;
}

/* The end of a script that cannot be its own is explained by what scontrol prints. */
static const struct {
	const char *scontrol;
	int code;	  /* -1: an error */
	const char *said; /* in the log or the error */
} ENDS[] = {
	{"state TIMEOUT TimeLimit", 1, "slurm job 4242 failed: it has reached its time limit"},
	{"state OUT_OF_MEMORY", 1, "it needed more memory than it was given"},
	{"state CANCELLED", 1, "it was cancelled in the scheduler"},
	{"state DEADLINE", 1, "it has reached its deadline"},
	{"state PREEMPTED", -1, "has no result: another job was given its nodes"},
	{"state NODE_FAIL", -1, "has no result: one of its nodes has failed"},
	{"state BOOT_FAIL", -1, "has no result: one of its nodes could not be started"},
	{"state FAILED RaisedSignal:9", 137, "FAILED (RaisedSignal:9)"},
	{"state COMPLETED", 137, "COMPLETED"},
	{"echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", 137, ""},
	/* What never becomes final is believed in the end; what is no answer is not. */
	{"state COMPLETING", 137, ""},
	{"echo garbage", -1, "does not tell whether it ended by itself"},
	{"echo 'Unable to contact slurm controller' >&2; exit 1", -1,
	 "slurm does not tell how the job is: Unable to contact slurm controller"},
	{"exec sleep 600", -1, "does not tell whether it ended by itself"},
	{"yes >&2", -1, "does not tell whether it ended by itself"},
	/* Who is slow is waited for. */
	{"sleep 2.5; state OUT_OF_MEMORY", 1, "it needed more memory than it was given"},
};

START_TEST(who_was_ended_is_asked_about)
{
	does("scontrol.does", ENDS[_i].scontrol);
	struct outcome *outcome = run("echo here; kill -KILL $$\n", 0);
	ck_assert_msg(outcome->result == (ENDS[_i].code < 0 ? -1 : 0), "%s\n%s",
		      outcome->err.detail, outcome->log);
	if (ENDS[_i].code >= 0)
		ck_assert_int_eq(outcome->exit_code, ENDS[_i].code);
	ck_assert_msg(strstr(outcome->log, ENDS[_i].said) != NULL ||
			      strstr(outcome->err.detail, ENDS[_i].said) != NULL,
		      "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_ptr_nonnull(strstr(outcome->log, "here\n"));
}
END_TEST

/* Who is told to end has not ended by itself, whatever its code. */
static const char *const SIGNALS[] = {"TERM", "USR2", "XCPU"};

START_TEST(who_was_told_to_end_is_asked_about)
{
	char script[256];
	snprintf(script, sizeof(script), "kill -%s $(ps -o ppid= $PPID); exit 0\n", SIGNALS[_i]);
	does("scontrol.does", "state CANCELLED");
	struct outcome *outcome = run(script, 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "it was cancelled in the scheduler"));
}
END_TEST

/* Who ends by itself is asked about once, and has its code unless it was short of memory. */
static const struct {
	int code;
	const char *scontrol;
	int expected;
	const char *said;
	bool over; /* cleanup has nothing to do */
} OWN_ENDS[] = {
	{0, "state COMPLETED", 0, "", true},
	{3, "state FAILED NonZeroExitCode", 3, "", true},
	{128, "state COMPLETING NonZeroExitCode", 128, "", true},
	{3, "state COMPLETING", 3, "", true},
	{0, "state OUT_OF_MEMORY", 1, "failed: it needed more memory than it was given", true},
	{2, "state OUT_OF_MEMORY", 1, "failed: it needed more memory than it was given", true},
	{2, "state COMPLETING OutOfMemory", 1, "failed: it needed more memory", true},
	{0, "echo 'Invalid job id specified' >&2; exit 1", 0, "", true},
	/* It has not heard of it yet. */
	{3, "state RUNNING", 3, "", true},
	/* Somebody has requeued it: cleanup is to cancel that. */
	{3, "state PENDING", 3, "", false},
	/* It has its code, whatever else is taken from it. */
	{3, "state NODE_FAIL", 3, "", true},
	{0, "exit 1", 0, "", true},
	{3, "exec sleep 600", 3, "", true},
};

START_TEST(who_ends_by_itself_is_asked_about_once)
{
	does("scontrol.does", OWN_ENDS[_i].scontrol);
	struct outcome *outcome = run(path_of("exit %d\n", OWN_ENDS[_i].code).text, 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_msg(outcome->exit_code == OWN_ENDS[_i].expected, "%s", outcome->log);
	ck_assert_msg(strstr(outcome->log, OWN_ENDS[_i].said) != NULL, "%s", outcome->log);
	ck_assert_ptr_null(strstr(outcome->log, "does not tell how"));
	ck_assert_int_eq(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK) != 0,
			 OWN_ENDS[_i].over);
	size_t size;
	char *text = scratch_read(path_of("%s/calls", bin.text).text, &size);
	const char *call = strstr(text, "scontrol");
	ck_assert_ptr_nonnull(call);
	ck_assert_ptr_null(strstr(call + 1, "scontrol"));
	free(text);
}
END_TEST

START_TEST(what_is_said_stands_on_a_line_of_its_own)
{
	does("scontrol.does", "state OUT_OF_MEMORY\n");
	struct outcome *outcome = run("printf 'half a line'\n", 0);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "half a line\nslurm job 4242 failed: "));
}
END_TEST

START_TEST(who_ends_by_itself_does_not_wait_for_what_may_be_asked_later)
{
	made.header.state.command_delay_ms = 60000;
	struct outcome *outcome = run("echo here; exit 3\n", 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 3);
	ck_assert_ptr_nonnull(strstr(outcome->log, "slurm job 4242\n"));
	ck_assert(!is_called("scontrol"));
	/* No file of it is left but the script's own, which its caller removes. */
	ck_assert_int_ne(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK), 0);
	ck_assert_int_ne(access(path_of("%s/build_script.log", made.scripts_dir).text, F_OK), 0);
}
END_TEST

START_TEST(a_job_that_vanishes_is_looked_for_in_the_history)
{
	does("submit", "echo 4242\n");
	does("scontrol.does", "echo 'Invalid job id specified' >&2; exit 1\n");
	does("sacct.does", "echo OUT_OF_MEMORY\n");
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "it needed more memory than it was given"));
}
END_TEST

START_TEST(who_remembers_is_asked_before_a_forgotten_end_is_believed)
{
	does("scontrol.does", "echo 'Invalid job id specified' >&2; exit 1\n");
	does("sacct.does", "sleep 0.3; echo TIMEOUT\n");
	struct outcome *outcome = run("kill $(ps -o ppid= $PPID); exit 0\n", 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "it has reached its time limit"));
}
END_TEST

/* Whatever was asked before the end does not explain it; what was asked since may take its time. */
START_TEST(an_answer_that_takes_long_is_waited_for)
{
	does("scontrol.does", "sleep 1.8; state TIMEOUT\n");
	struct outcome *outcome = run("echo here; kill -KILL $$\n", 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
}
END_TEST

START_TEST(a_job_that_ends_without_a_word_has_no_result)
{
	does("submit", "echo 4242\n");
	does("scontrol.does", "state COMPLETED\n");
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "its end was not told by its script"));
}
END_TEST

/* Whatever the scheduler's commands do, a cancel comes to its end. */
static const struct {
	const char *scancel, *scontrol;
	bool gone;
} CANCELS[] = {
	{"exit 0", "state CANCELLED", true},
	{"exit 1", "state CANCELLED", true},
	{"exit 0", "echo 'Invalid job id specified' >&2; exit 1", true},
	{"exit 0", "state COMPLETING", false},
	{"exec sleep 600", "exec sleep 600", false},
	{"echo 'scancel: error: Unable to contact slurm controller' >&2; exit 1", "exit 1", false},
	{"yes", "yes", false},
};

START_TEST(a_cancel_ends_in_time)
{
	does("scancel.does", CANCELS[_i].scancel);
	does("scontrol.does", CANCELS[_i].scontrol);
	struct outcome *outcome = run("sleep 60\n", 700);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_msg((strstr(outcome->err.detail, "may still be in the queue") == NULL) ==
			      CANCELS[_i].gone,
		      "%s", outcome->err.detail);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "the job was cancelled"));
	ck_assert_int_eq(strstr(outcome->log, "4242 is gone from the queue") != NULL,
			 CANCELS[_i].gone);
	ck_assert(is_called("scancel 4242\n"));
	/* cleanup is left to do what could not be done. */
	ck_assert_int_eq(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK) == 0,
			 !CANCELS[_i].gone);
}
END_TEST

static const struct {
	const char *submit;
	const char *argument; /* NULL: none */
	const char *squeue;
	int result;
	int code;
	const char *said;
} SUBMITS[] = {
	{"echo 'sbatch: error: Invalid partition' >&2; exit 1", "-p x", "exit 0", 0, 1,
	 "the job was not submitted: sbatch: sbatch: error: Invalid partition"},
	/* Unless nobody knows, or there is one all the same. */
	{"echo 'sbatch: error: Invalid partition' >&2; exit 1", "-p x", "exit 1", -1, 0,
	 "the job was not submitted: sbatch: sbatch: error: Invalid partition"},
	{"run; echo 'sbatch: error: of a new kind' >&2; exit 1", "-p x",
	 "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"", 0, 5, "slurm job 77\n"},
	/* What it has to say of its failure comes last. */
	{"seq 9999 >&2; echo 'sbatch: error: Invalid partition' >&2; exit 1", "-p x", "exit 0", 0,
	 1, "the job was not submitted: sbatch: sbatch: error: Invalid partition"},
	{"seq 9999 >&2; echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 0", -1,
	 0, "not submitted: sbatch: sbatch: error: Socket timed out"},
	/* It has ended before anybody could look for it. */
	{"bash \"$wrapper\"; echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 0",
	 0, 5, "slurm job of unknown number"},
	{"bash \"$wrapper\"; echo 'sbatch: error: of a new kind' >&2; exit 1", "-p x", "exit 1", -1,
	 0, "not submitted: sbatch: sbatch: error: of a new kind"},
	{"echo 'sbatch: error: Invalid account' >&2; exit 1", NULL, "exit 1", -1, 0,
	 "the job was not submitted: sbatch: sbatch: error: Invalid account"},
	{"echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 1", -1, 0,
	 "sbatch: error: Socket timed out"},
	{"printf 'a\\nsbatch: Socket timed out\\n\\n' >&2; exit 1", "-p x", "exit 1", -1, 0,
	 "not submitted: sbatch: sbatch: Socket timed out"},
	{"echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 0", -1, 0,
	 "sbatch: error: Socket timed out"},
	{"run; echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x",
	 "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"", 0, 5, "slurm job 77\n"},
	{"run; echo Submitted.", NULL, "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"", 0, 5,
	 "slurm job 77\n"},
	{"exit 0", NULL, "exit 0", -1, 0, "ended with code 0 and no answer"},
	/* A scheduler may feed the wrapper to a shell. */
	{"setsid bash <\"$wrapper\" >/dev/null 2>&1 & echo 4242", NULL, "exit 1", 0, 5,
	 "slurm job 4242\n"},
	{"run; echo 4242", "'unclosed", "exit 1", 0, 1, "a single quote is not closed"},
	{"run; echo 4242", "--wrap=id", "exit 1", 0, 1, "--wrap=id is refused: "},
};

START_TEST(a_submit_that_fails_is_told_and_one_that_was_lost_is_found)
{
	if (SUBMITS[_i].argument != NULL)
		json_array_append_new(argument_list, json_string(SUBMITS[_i].argument));
	does("submit", SUBMITS[_i].submit);
	does("squeue.does", SUBMITS[_i].squeue);
	struct outcome *outcome = run("exit 5\n", 0);
	ck_assert_msg(outcome->result == SUBMITS[_i].result, "%s\n%s", outcome->err.detail,
		      outcome->log);
	if (outcome->result == 0)
		ck_assert_int_eq(outcome->exit_code, SUBMITS[_i].code);
	ck_assert_msg(strstr(outcome->log, SUBMITS[_i].said) != NULL ||
			      strstr(outcome->err.detail, SUBMITS[_i].said) != NULL,
		      "%s\n%s", outcome->err.detail, outcome->log);
}
END_TEST

START_TEST(arguments_stay_words)
{
	json_array_append_new(argument_list, json_string("--comment 'a  b;$(id)' -p\nx"));
	json_array_append_new(argument_list, json_string("--time=1"));
	struct outcome *outcome = run("exit 0\n", 0);
	size_t size;
	ck_assert_int_eq(outcome->result, 0);
	char *submitted = scratch_read(path_of("%s/submitted", bin.text).text, &size);
	ck_assert_ptr_nonnull(strstr(
		submitted, "\n--comment\na  b;$(id)\n-p\nx\n--time=1\n--parsable\n--output="));
	free(submitted);
}
END_TEST

/* In a child: what `jacamar cleanup` does. */
static void clean_up(const void *result)
{
	struct channel_reader reader = {.fd = STDIN_FILENO};
	struct error err = {.detail = ""};
	struct batch_call call = {.header = &made.header, .channel = &reader, .voice = {say, NULL}};
	process_forget_check();
	reader.fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* never readable */
	child_require(batch_clean_up(&call, &err) == *(const int *)result);
}

static const struct {
	const char *file; /* of the job; NULL: none */
	const char *squeue, *scontrol;
	const char *cancelled; /* NULL: nothing is */
	int result;
} CLEANUPS[] = {
	{NULL, "exit 1", "exit 1", NULL, 0},
	{"4242\n", "exit 1", "state CANCELLED", "scancel 4242\n", 0},
	{"4242\n", "exit 1", "exit 1", "scancel 4242\n", -1},
	{"\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"\n", "echo \"77 $W.other\"", "exit 1", NULL, 0},
	{"\n", "exit 1", "exit 1", NULL, -1},
	{"--user=root\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"1 2\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"0\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"00\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"all\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"4242", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	/* What is not in a list of which there is more, may be in the rest. */
	{"\n", "yes '1 /elsewhere' | head -n 5000", "exit 1", NULL, -1},
	{"\n", "echo \"77 $W\"; yes '1 /elsewhere' | head -n 5000", "state CANCELLED",
	 "scancel 77\n", 0},
};

START_TEST(cleanup_cancels_what_is_left)
{
	struct error err;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	close(directory);
	if (CLEANUPS[_i].file != NULL)
		scratch_write(path_of("%s/build_script.job", made.scripts_dir).text,
			      CLEANUPS[_i].file, 0600);
	does("squeue.does",
	     path_of("W=%s/build_script.batch; %s\n", made.scripts_dir, CLEANUPS[_i].squeue).text);
	does("scontrol.does", CLEANUPS[_i].scontrol);
	does("scancel.does", "exit 0\n");
	ck_assert_int_eq(process_run(clean_up, &CLEANUPS[_i].result), 0);
	ck_assert_int_eq(is_called("scancel"), CLEANUPS[_i].cancelled != NULL);
	if (CLEANUPS[_i].cancelled != NULL)
		ck_assert(is_called(CLEANUPS[_i].cancelled));
	else if (CLEANUPS[_i].file == NULL)
		ck_assert(!is_called("s"));
	ck_assert_int_eq(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK) == 0,
			 CLEANUPS[_i].result != 0);
}
END_TEST

/* Each costs a question or two. */
START_TEST(cleanup_ends_however_many_jobs_there_seem_to_be)
{
	struct error err;
	int left = 0;
	const int failed = -1;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	close(directory);
	/* For some of them, also on a busy machine, and never for all. */
	made.header.state.kill_timeout_ms = 8000;
	for (int i = 0; i < 100; i++)
		scratch_write(path_of("%s/step_%d.job", made.scripts_dir, i).text, "\n", 0600);
	does("squeue.does", "exit 0\n");
	ck_assert_int_eq(process_run(clean_up, &failed), 0);
	for (int i = 0; i < 100; i++)
		if (access(path_of("%s/step_%d.job", made.scripts_dir, i).text, F_OK) == 0)
			left++;
	ck_assert_int_gt(left, 0);
	ck_assert_int_lt(left, 100);
}
END_TEST

static bool is_left(const char *suffix)
{
	return access(path_of("%s/build_script.%s", made.scripts_dir, suffix).text, F_OK) == 0;
}

/* Its wrapper was told to end, and it may have been requeued. */
START_TEST(a_job_whose_end_nobody_explains_is_left_to_cleanup)
{
	does("scontrol.does", "echo garbage\n");
	struct outcome *outcome = run("kill -TERM $(ps -o ppid= -p $PPID); exit 0\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "whether it ended by itself"));
	ck_assert(is_left("job"));
}
END_TEST

/* What is left of a job that has ended tells of starts, one after the other, and of no end. */
START_TEST(a_start_after_the_end_is_none)
{
	struct path here = path_of("%s/build_script", made.scripts_dir);
	does("submit",
	     path_of("setsid bash -c 'while [ -e %s.job ]; do i=$((i + 1)); rm -f %s.exit; "
		     "echo node 1.$i >%s.start; sleep 0.1; done' >/dev/null 2>&1 & "
		     "echo 4242\n",
		     here.text, here.text, here.text)
		     .text);
	does("scontrol.does", "state COMPLETED\n");
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "its end was not told by its script"));
}
END_TEST

/* The next start ends while the scheduler still says that it waits for that. */
START_TEST(the_end_of_a_next_start_is_not_forgotten)
{
	does("scontrol.does",
	     path_of("echo '5 0 5' >%s/build_script.exit; state PENDING\n", made.scripts_dir).text);
	struct outcome *outcome = run("echo here; kill -KILL $$\n", 0);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 5);
}
END_TEST

/* A sub-stage is tried again: 4242 is what is left of the first attempt. */
static const struct {
	const char *scontrol;
	int result;
} ATTEMPTS[] = {
	{"state CANCELLED", 0},
	{"state RUNNING", -1},
};

START_TEST(a_first_attempt_is_ended_before_the_next)
{
	struct error err;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	close(directory);
	scratch_write(path_of("%s/build_script.job", made.scripts_dir).text, "4242\n", 0600);
	does("submit", "echo sbatch >>\"${0%/*}/calls\"; run; echo 77\n");
	does("scancel.does", "exit 0\n");
	does("scontrol.does", ATTEMPTS[_i].scontrol);
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_int_eq(outcome->result, ATTEMPTS[_i].result);
	ck_assert(is_called("scancel 4242\n"));
	ck_assert_int_eq(is_called("\nsbatch\n"), ATTEMPTS[_i].result == 0);
	ck_assert_int_eq(is_left("job"), ATTEMPTS[_i].result != 0);
}
END_TEST

/* A process that has escaped the allocation writes for as long as there is a log. */
#define WRITER \
	"setsid bash -c 'while [ -e %s ]; do echo x; sleep 0.01; done' </dev/null >>%s 2>&1 &"

START_TEST(a_log_that_never_ends_does_not_hold_a_job_without_an_end)
{
	struct path log = path_of("%s/build_script.log", made.scripts_dir);
	does("submit",
	     path_of("touch %s; " WRITER " echo 4242\n", log.text, log.text, log.text).text);
	does("scontrol.does", "state COMPLETED\n");
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "its end was not told by its script"));
}
END_TEST

/* A site's own script around the command is ended with all of it. */
START_TEST(a_command_that_does_not_answer_leaves_nothing_behind)
{
	size_t size;
	does("scontrol.does", "sleep 600 & echo $! >\"${0%/*}/pid\"; wait\n");
	struct outcome *outcome = run("kill -KILL $$\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	char *pid = scratch_read(path_of("%s/pid", bin.text).text, &size);
	process_wait_until_dead((pid_t)atoi(pid));
	free(pid);
}
END_TEST

/* What its author makes of the job's files is the author's own loss; it ends all the same. */
static const struct {
	const char *script; /* NAME.log, NAME.exit... are $S.log, $S.exit... */
	int code;	    /* -1: an error */
} SABOTAGES[] = {
	{"rm -f $S.log; mkfifo $S.log; exit 3", 3},
	{"rm -f $S.log; ln -s /dev/zero $S.log; exit 3", 3},
	{"rm -f $S.log; mkdir $S.log; exit 3", 3},
	{"head -c 9999 /dev/zero; : >$S.log; exit 3", 3},
	{"mkfifo $S.exit; exit 3", 3},
	{"echo '0 99999999999999 0' >$S.exit; sleep 1; exit 3", 0},
	{"head -c 99999 /dev/zero | tr '\\0' x >$S.exit; exit 3", 3},
	{"echo 7 >$S.report; exit 3", 3},
	{"rm -rf ${S%/*}; exit 3", -1},
};

START_TEST(a_job_ends_whatever_its_files_become)
{
	does("scontrol.does", "state FAILED\n");
	struct outcome *outcome = run(
		path_of("S=%s/build_script; %s\n", made.scripts_dir, SABOTAGES[_i].script).text, 0);
	ck_assert_msg(outcome->result == (SABOTAGES[_i].code < 0 ? -1 : 0), "%s\n%s",
		      outcome->err.detail, outcome->log);
	if (SABOTAGES[_i].code >= 0)
		ck_assert_int_eq(outcome->exit_code, SABOTAGES[_i].code);
}
END_TEST

START_TEST(without_a_command_to_submit_there_is_no_job_to_look_for)
{
	ck_assert_int_eq(unlink(path_of("%s/sbatch", bin.text).text), 0);
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "cannot find the scheduler's command"));
	ck_assert(!is_left("job"));
}
END_TEST

/* Some commands fail where they have nothing to list. */
START_TEST(an_empty_list_may_be_a_failure)
{
	struct error err;
	const int gone = 0;
	made.header.state.executor = EXECUTOR_LSF;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	close(directory);
	scratch_write(path_of("%s/build_script.job", made.scripts_dir).text, "\n", 0600);
	does("bjobs.does", "echo 'No unfinished job found' >&2; exit 255\n");
	ck_assert_int_eq(process_run(clean_up, &gone), 0);
	ck_assert(is_called("bjobs "));
	ck_assert(!is_called("bkill "));
	ck_assert_int_ne(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK), 0);
}
END_TEST

START_TEST(a_path_that_a_shell_would_not_take_as_it_is_is_refused)
{
	struct path odd = path_of("%s;id", made.scripts_dir);
	made.header.state.scripts_dir = odd.text;
	made.header.state.executor = EXECUTOR_LSF;
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "which lsf does not take as it is: "));
	ck_assert(!is_called("bsub"));
}
END_TEST

static const struct {
	const char *setting, *value;
} SETTINGS[] = {
	{"A=b", "b"},
	{"A=$HOME/x", "HOME/x"},
	{"A=${USER}y", "usry"},
	{"A=$NOBODY.${NOBODY}", "."},
	{"A=$ $1 ${ ${1} ${USER $", "$ $1 ${ ${1} ${USER $"},
	{"A=$(id)`id`", "$(id)`id`"},
	{"PATH=/x:$PATH", NULL},
};

START_TEST(variables_of_the_site_are_set_for_the_commands)
{
	json_t *settings = json_pack("[s]", SETTINGS[_i].setting);
	made.header.state.scheduler_environment = settings;
	does("submit", "echo \"$A\" >\"${0%/*}/value\"; run; echo 4242\n");
	struct outcome *outcome = run("exit 0\n", 0);
	ck_assert_msg(outcome->result == 0, "%s", outcome->err.detail);
	size_t size;
	char *value = scratch_read(path_of("%s/value", bin.text).text, &size);
	const char *expected = SETTINGS[_i].value;
	if (expected != NULL && strncmp(expected, "HOME", 4) == 0)
		ck_assert_str_eq(value, path_of("%s%s\n", home.text, expected + 4).text);
	else if (expected != NULL)
		ck_assert_str_eq(value, path_of("%s\n", expected).text);
	free(value);
	json_decref(settings);
}
END_TEST

START_TEST(only_the_script_of_the_job_goes_there)
{
	static const char *const elsewhere[] = {"prepare_script", "get_sources", "after_script",
						"steps",	  "xstep_a",	 "build_script2"};
	ck_assert(batch_takes(EXECUTOR_SLURM, "build_script"));
	ck_assert(batch_takes(EXECUTOR_SLURM, "step_script"));
	ck_assert(batch_takes(EXECUTOR_SLURM, "step_release"));
	ck_assert(!batch_takes(EXECUTOR_SHELL, "build_script"));
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		ck_assert(!batch_takes(EXECUTOR_SLURM, elsewhere[i]));
}
END_TEST

Suite *batch_suite(void)
{
	Suite *suite = suite_create("batch");
	TCase *jobs = tcase_create("jobs");
	/* Some scheduler or other is slow in each: who has no time leaves them out. */
	tcase_set_tags(jobs, "slow");
	tcase_add_checked_fixture(jobs, setup, teardown);
	tcase_add_loop_test(jobs, who_was_ended_is_asked_about, 0, ROWS(ENDS));
	tcase_add_loop_test(jobs, who_was_told_to_end_is_asked_about, 0, ROWS(SIGNALS));
	tcase_add_loop_test(jobs, who_ends_by_itself_is_asked_about_once, 0, ROWS(OWN_ENDS));
	tcase_add_test(jobs, what_is_said_stands_on_a_line_of_its_own);
	tcase_add_test(jobs, who_ends_by_itself_does_not_wait_for_what_may_be_asked_later);
	tcase_add_test(jobs, a_job_that_vanishes_is_looked_for_in_the_history);
	tcase_add_test(jobs, who_remembers_is_asked_before_a_forgotten_end_is_believed);
	tcase_add_test(jobs, an_answer_that_takes_long_is_waited_for);
	tcase_add_test(jobs, a_job_that_ends_without_a_word_has_no_result);
	tcase_add_loop_test(jobs, a_cancel_ends_in_time, 0, ROWS(CANCELS));
	tcase_add_loop_test(jobs, a_submit_that_fails_is_told_and_one_that_was_lost_is_found, 0,
			    ROWS(SUBMITS));
	tcase_add_test(jobs, arguments_stay_words);
	tcase_add_loop_test(jobs, cleanup_cancels_what_is_left, 0, ROWS(CLEANUPS));
	tcase_add_test(jobs, cleanup_ends_however_many_jobs_there_seem_to_be);
	tcase_add_test(jobs, a_job_whose_end_nobody_explains_is_left_to_cleanup);
	tcase_add_test(jobs, a_start_after_the_end_is_none);
	tcase_add_test(jobs, the_end_of_a_next_start_is_not_forgotten);
	tcase_add_loop_test(jobs, a_first_attempt_is_ended_before_the_next, 0, ROWS(ATTEMPTS));
	tcase_add_test(jobs, a_log_that_never_ends_does_not_hold_a_job_without_an_end);
	tcase_add_test(jobs, a_command_that_does_not_answer_leaves_nothing_behind);
	tcase_add_loop_test(jobs, a_job_ends_whatever_its_files_become, 0, ROWS(SABOTAGES));
	tcase_add_test(jobs, without_a_command_to_submit_there_is_no_job_to_look_for);
	tcase_add_test(jobs, an_empty_list_may_be_a_failure);
	tcase_add_test(jobs, a_path_that_a_shell_would_not_take_as_it_is_is_refused);
	tcase_add_loop_test(jobs, variables_of_the_site_are_set_for_the_commands, 0,
			    ROWS(SETTINGS));
	tcase_add_test(jobs, only_the_script_of_the_job_goes_there);
	suite_add_tcase(suite, jobs);
	return suite;
}
