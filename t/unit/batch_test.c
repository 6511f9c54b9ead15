/*
 * Batch jobs with stand-ins for Slurm's commands: shell scripts that let the scheduler be down,
 * slow or wrong at the right moment.
 *
 * The user's side runs in a child, whose log is a pipe, as in the runner.
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
#include "core/executor/batch_files.h"
#include "core/lib/io.h"
#include "core/workspace/workspace.h"
#include "core/workspace/workspace_directories.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path home;
static struct path bin;
static struct test_header made;
static json_t *argument_list;

/* Sources `submit`, which usually runs the wrapper as a node would. */
static const char SBATCH[] = "#!/bin/bash\n"
			     "printf '%s\\n' \"$@\" >\"${0%/*}/submitted\"\n"
			     "wrapper=${!#}\n"
			     "run() { setsid bash \"$wrapper\" >/dev/null 2>&1 & }\n"
			     ". \"${0%/*}/submit\"\n";

/* Every other command records its call, and sources COMMAND.does. */
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

/* Where the log goes, if not back to the test. */
static const char *log_file;

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
	log_file = NULL;
	does("submit", "run; echo 4242\n");
	does("calls", "");
	test_header_init(&made, home.text);
	argument_list = json_array();
	made.header.arguments = argument_list;
	made.header.state.settings.general.executor = EXECUTOR_SLURM;
	made.header.state.settings.batch.scheduler_bin = bin.text;
	made.header.state.settings.batch.command_delay_ms = 0;
	made.header.state.settings.batch.nfs_timeout_ms = 1500;
	made.header.state.settings.general.kill_timeout_ms = 2000;
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
	struct channel_reader reader = {.fd = channel};
	memset(&said, 0, sizeof(said));
	said.result = script_receive(&reader, &made.header, "build_script", &script, &said.err);
	struct batch_call call = {
		.substage = "build_script",
		.script = &script,
		.header = &made.header,
		.channel = &reader,
		.reporter = {say, NULL},
	};
	if (said.result == 0)
		said.result = batch_run(&call, &said.exit_code, &said.err);
	script_free(&script);
	_exit(io_write_all(outcome, &said, sizeof(said)) == 0 ? 0 : 1);
}

static void wait_for_start(void)
{
	const struct path start = path_of("%s/build_script.start", made.scripts_dir);
	while (access(start.text, F_OK) != 0)
		usleep(10000);
}

/* Runs the script to its end; with `cancel` the channel is closed once it runs. */
static struct outcome *run(const char *script, bool cancel)
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
		int out = log_file != NULL ? open(log_file, O_WRONLY) : log[1];
		if (dup2(out, STDOUT_FILENO) < 0 || dup2(log[1], STDERR_FILENO) < 0)
			_exit(1);
		play_user_side(channel[0], report[1]);
	}
	close(channel[0]);
	close(report[1]);
	close(log[1]);
	ck_assert_int_eq(io_write_all(channel[1], script, strlen(script)), 0);
	if (cancel) {
		wait_for_start();
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
	if (!cancel)
		close(channel[1]);
	return &outcome;
}

/* The calls of the stand-ins. */
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

static int calls_of(const char *name)
{
	int count = 0;
	char *text = calls();
	for (const char *at = text; (at = strstr(at, name)) != NULL; at++)
		count++;
	free(text);
	return count;
}

/*
 * As run(), with an scontrol that does this. After the script's end it has 5 s for its answer: if
 * the machine was too busy for that, the script is run again.
 */
static struct outcome *run_with_answer(const char *scontrol, const char *script)
{
	for (;;) {
		does("scontrol.does",
		     path_of("trap ': >\"${0%%/*}/answered\"' EXIT\n%s", scontrol).text);
		struct outcome *outcome = run(script, false);
		if (access(path_of("%s/answered", bin.text).text, F_OK) == 0)
			return outcome;
		teardown();
		setup();
	}
}

/* How scontrol explains a script that was killed. */
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
	/* A state that is never final counts in the end; output that is no answer does not. */
	{"state COMPLETING", 137, ""},
	{"echo garbage", -1, "does not report why it was killed"},
	{"echo 'Unable to contact slurm controller' >&2; exit 1", -1,
	 "slurm does not report the state of the job: Unable to contact slurm controller"},
	{"exec sleep 600", -1, "does not report why it was killed"},
	{"yes >&2", -1, "does not report why it was killed"},
	/* A slow answer. */
	{"sleep 2.5; state OUT_OF_MEMORY", 1, "it needed more memory than it was given"},
};

START_TEST(the_scheduler_explains_a_script_that_was_killed)
{
	does("scontrol.does", ENDS[_i].scontrol);
	struct outcome *outcome = run("echo here; kill -KILL $$\n", false);
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

/* A script that got one of these signals has not ended by itself, whatever its exit code. */
static const char *const SIGNALS[] = {"TERM", "USR2", "XCPU"};

START_TEST(the_scheduler_explains_a_script_that_got_a_signal)
{
	char script[256];
	snprintf(script, sizeof(script), "kill -%s $(ps -o ppid= $PPID); exit 0\n", SIGNALS[_i]);
	does("scontrol.does", "state CANCELLED");
	struct outcome *outcome = run(script, false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "it was cancelled in the scheduler"));
}
END_TEST

/* A script that ended by itself has its exit code, unless it ran out of memory. */
static const struct {
	int code;
	const char *scontrol;
	int expected;
	const char *said;
	bool is_done; /* nothing is left to cleanup */
} OWN_ENDS[] = {
	{0, "state COMPLETED", 0, "", true},
	{3, "state FAILED NonZeroExitCode", 3, "", true},
	{128, "state COMPLETING NonZeroExitCode", 128, "", true},
	{3, "state COMPLETING", 3, "", true},
	{0, "state OUT_OF_MEMORY", 1, "failed: it needed more memory than it was given", true},
	{2, "state OUT_OF_MEMORY", 1, "failed: it needed more memory than it was given", true},
	{2, "state COMPLETING OutOfMemory", 1, "failed: it needed more memory", true},
	{0, "echo 'Invalid job id specified' >&2; exit 1", 0, "", true},
	/* The scheduler has not noticed the end yet. */
	{3, "state RUNNING", 3, "", true},
	/* The job was requeued: cleanup has to cancel it. */
	{3, "state PENDING", 3, "", false},
	/* The script had ended before. */
	{3, "state NODE_FAIL", 3, "", true},
	{0, "exit 1", 0, "", true},
	{3, ": >\"${0%/*}/answered\"; exec sleep 600", 3, "", true},
};

START_TEST(the_scheduler_is_asked_once_about_a_script_that_ended_by_itself)
{
	const struct path script = path_of("exit %d\n", OWN_ENDS[_i].code);
	struct outcome *outcome = run_with_answer(OWN_ENDS[_i].scontrol, script.text);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_msg(outcome->exit_code == OWN_ENDS[_i].expected, "%s", outcome->log);
	ck_assert_msg(strstr(outcome->log, OWN_ENDS[_i].said) != NULL, "%s", outcome->log);
	ck_assert_ptr_null(strstr(outcome->log, "does not report"));
	ck_assert_int_eq(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK) != 0,
			 OWN_ENDS[_i].is_done);
	size_t size;
	char *text = scratch_read(path_of("%s/calls", bin.text).text, &size);
	const char *call = strstr(text, "scontrol");
	ck_assert_ptr_nonnull(call);
	ck_assert_ptr_null(strstr(call + 1, "scontrol"));
	free(text);
}
END_TEST

START_TEST(a_message_begins_a_new_line)
{
	struct outcome *outcome = run_with_answer("state OUT_OF_MEMORY", "printf 'half a line'\n");
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_msg(strstr(outcome->log, "half a line\nslurm job 4242 failed: ") != NULL, "%s",
		      outcome->log);
}
END_TEST

/* On NFS, the scheduler may know of the end before the last bytes of the log are seen here. */
START_TEST(why_a_job_failed_comes_after_all_that_it_has_printed)
{
	does("submit", "echo 4242\n");
	does("scontrol.does", path_of("setsid bash -c 'sleep 0.3; echo last words >>%s' "
				      ">/dev/null 2>&1 &\nstate OUT_OF_MEMORY\n",
				      path_of("%s/build_script.log", made.scripts_dir).text)
				      .text);
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_msg(strstr(outcome->log, "last words\nslurm job 4242 failed: ") != NULL, "%s",
		      outcome->log);
}
END_TEST

/* kill_timeout is 2 s here: a quarter of it is less than a second. */
START_TEST(a_consumer_of_the_log_has_time_also_with_a_short_kill_timeout)
{
	struct outcome *outcome =
		run("exec > >(sleep 0.2; exec cat)\nprintf 'the last words'; exit 3\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 3);
	ck_assert_msg(strstr(outcome->log, "the last words") != NULL &&
			      strstr(outcome->log, "still held") == NULL,
		      "%s", outcome->log);
}
END_TEST

START_TEST(who_holds_the_log_is_named_on_a_line_of_its_own)
{
	struct outcome *outcome = run("sleep 600 & printf 'half a line'; exit 3\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 3);
	ck_assert_msg(strstr(outcome->log, "half a line\njacamar: the job log is still held ") !=
			      NULL,
		      "%s", outcome->log);
	ck_assert_msg(strstr(outcome->log, " (sleep) (1 in all); ") != NULL, "%s", outcome->log);
}
END_TEST

/* A scheduler that ends a job may signal all of its processes, also those of the wrapper. */
START_TEST(a_signal_to_the_commands_of_the_wrapper_is_not_in_the_log)
{
	does("submit",
	     "run\n"
	     "wrapper=$!\n"
	     "while read -r -a children <\"/proc/$wrapper/task/$wrapper/children\"; do\n"
	     "	for child in \"${children[@]}\"; do\n"
	     "		read -r name <\"/proc/$child/comm\" && [ \"$name\" = sleep ] &&\n"
	     "			kill -TERM \"$child\"\n"
	     "	done\n"
	     "done >/dev/null 2>&1 &\n"
	     "echo 4242\n");
	struct outcome *outcome = run("sleep 4 & echo hello; exit 5\n", false);
	ck_assert_msg(outcome->result == 0, "%s", outcome->err.detail);
	ck_assert_int_eq(outcome->exit_code, 5);
	ck_assert_ptr_nonnull(strstr(outcome->log, "hello\n"));
	ck_assert_ptr_null(strstr(outcome->log, "Terminated"));
}
END_TEST

START_TEST(a_log_that_cannot_be_written_fails_the_job)
{
	log_file = "/dev/full";
	struct outcome *outcome = run("echo here\n", false);
	ck_assert_int_ne(outcome->result, 0);
	ck_assert_int_eq(outcome->err.kind, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "cannot write the job's log: "));
}
END_TEST

START_TEST(a_script_that_ended_by_itself_does_not_wait_for_command_delay)
{
	made.header.state.settings.batch.command_delay_ms = 60000;
	struct outcome *outcome = run("echo here; exit 3\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 3);
	ck_assert_ptr_nonnull(strstr(outcome->log, "slurm job 4242\n"));
	ck_assert(!is_called("scontrol"));
	/* The caller of batch_run removes the script. */
	ck_assert_int_ne(access(path_of("%s/build_script.job", made.scripts_dir).text, F_OK), 0);
	ck_assert_int_ne(access(path_of("%s/build_script.log", made.scripts_dir).text, F_OK), 0);
}
END_TEST

START_TEST(a_job_that_vanishes_is_searched_in_the_history)
{
	does("submit", "echo 4242\n");
	does("scontrol.does", "echo 'Invalid job id specified' >&2; exit 1\n");
	does("sacct.does", "echo OUT_OF_MEMORY\n");
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "it needed more memory than it was given"));
}
END_TEST

/* The node starts the script after that. */
START_TEST(a_job_that_the_scheduler_forgets_for_a_while_goes_on)
{
	does("submit", "printf '%s\\n' \"$wrapper\" >\"${0%/*}/wrapper\"; echo 4242\n");
	does("scontrol.does", "case $(grep -c '^scontrol' \"${0%/*}/calls\") in\n"
			      "1) echo 'Invalid job id specified' >&2; exit 1 ;;\n"
			      "2) setsid bash \"$(cat \"${0%/*}/wrapper\")\" >/dev/null 2>&1 & ;;\n"
			      "esac\n"
			      "state PENDING\n");
	struct outcome *outcome = run("exit 3\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 3);
	ck_assert_ptr_nonnull(strstr(outcome->log, "slurm job 4242: PENDING"));
}
END_TEST

START_TEST(the_history_explains_the_end_of_a_forgotten_job)
{
	does("scontrol.does", "echo 'Invalid job id specified' >&2; exit 1\n");
	does("sacct.does", "sleep 0.3; echo TIMEOUT\n");
	struct outcome *outcome = run("kill $(ps -o ppid= $PPID); exit 0\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
	ck_assert_ptr_nonnull(strstr(outcome->log, "it has reached its time limit"));
}
END_TEST

START_TEST(a_slow_answer_is_waited_for)
{
	does("scontrol.does", "sleep 1.8; state TIMEOUT\n");
	struct outcome *outcome = run("echo here; kill -KILL $$\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, BATCH_FAILED);
}
END_TEST

START_TEST(a_job_without_an_exit_file_has_no_result)
{
	does("submit", "echo 4242\n");
	does("scontrol.does", "state COMPLETED\n");
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "its node wrote no exit code"));
}
END_TEST

/* A cancel ends in time, whatever the scheduler's commands do. */
static const struct {
	const char *scancel, *scontrol;
	bool gone;
} CANCELS[] = {
	{"exit 0", "state CANCELLED", true},
	{"exit 1", "state CANCELLED", true},
	{"exit 0", "echo 'Invalid job id specified' >&2; exit 1", true},
	/* The first cancel is lost. */
	{"exit 0",
	 "[ \"$(grep -c '^scancel' \"${0%/*}/calls\")\" -ge 2 ] && state CANCELLED || state "
	 "RUNNING",
	 true},
	{"exit 0", "state COMPLETING", false},
	{"exec sleep 600", "exec sleep 600", false},
	{"echo 'scancel: error: Unable to contact slurm controller' >&2; exit 1", "exit 1", false},
	{"yes", "yes", false},
};

START_TEST(a_cancel_ends_in_time)
{
	/* On a busy machine, a success may take longer. */
	if (CANCELS[_i].gone)
		made.header.state.settings.general.kill_timeout_ms = 16000;
	does("scancel.does", CANCELS[_i].scancel);
	does("scontrol.does", CANCELS[_i].scontrol);
	struct outcome *outcome = run("sleep 60\n", true);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_msg((strstr(outcome->err.detail, "may still be in the queue") == NULL) ==
			      CANCELS[_i].gone,
		      "%s", outcome->err.detail);
	ck_assert_int_eq(outcome->err.kind, CANCELS[_i].gone ? ERROR_CANCELLED : ERROR_SYSTEM);
	ck_assert_int_eq(strstr(outcome->log, "4242 is gone from the queue") != NULL,
			 CANCELS[_i].gone);
	ck_assert(is_called("scancel 4242\n"));
	/* Otherwise cleanup has to cancel the job. */
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
	 "the job was not submitted: sbatch: error: Invalid partition"},
	/* There may be a job all the same. */
	{"echo 'sbatch: error: Invalid partition' >&2; exit 1", "-p x", "exit 1", -1, 0,
	 "the job was not submitted: sbatch: error: Invalid partition"},
	{"run; echo 'sbatch: error: of a new kind' >&2; exit 1", "-p x",
	 "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"", 0, 5, "slurm job 77\n"},
	/* The error is the last line. */
	{"seq 9999 >&2; echo 'sbatch: error: Invalid partition' >&2; exit 1", "-p x", "exit 0", 0,
	 1, "the job was not submitted: sbatch: error: Invalid partition"},
	{"seq 9999 >&2; echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 0", -1,
	 0, "not submitted: sbatch: error: Socket timed out"},
	/* The job has ended before it is searched for. */
	{"bash \"$wrapper\"; echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 0",
	 0, 5, "slurm job of unknown number"},
	{"bash \"$wrapper\"; echo 'sbatch: error: of a new kind' >&2; exit 1", "-p x", "exit 1", -1,
	 0, "not submitted: sbatch: error: of a new kind"},
	{"echo 'sbatch: error: Invalid account' >&2; exit 1", NULL, "exit 1", -1, 0,
	 "the job was not submitted: sbatch: error: Invalid account"},
	{"echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 1", -1, 0,
	 "sbatch: error: Socket timed out"},
	{"printf 'a\\nsbatch: Socket timed out\\n\\n' >&2; exit 1", "-p x", "exit 1", -1, 0,
	 "not submitted: sbatch: Socket timed out"},
	{"echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x", "exit 0", -1, 0,
	 "sbatch: error: Socket timed out"},
	{"run; echo 'sbatch: error: Socket timed out' >&2; exit 1", "-p x",
	 "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"", 0, 5, "slurm job 77\n"},
	{"run; echo Submitted.", NULL, "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"", 0, 5,
	 "slurm job 77\n"},
	{"exit 0", NULL, "exit 0", -1, 0, "exit code 0, and no output"},
	/* A scheduler may feed the wrapper to a shell. */
	{"setsid bash <\"$wrapper\" >/dev/null 2>&1 & echo 4242", NULL, "exit 1", 0, 5,
	 "slurm job 4242\n"},
	{"run; echo 4242", "'unclosed", "exit 1", 0, 1, "a single quote is not closed"},
	{"run; echo 4242", "--wrap=id", "exit 1", 0, 1, "--wrap=id is refused: "},
};

START_TEST(a_failed_submit_is_reported_and_a_lost_one_is_found)
{
	if (SUBMITS[_i].argument != NULL)
		json_array_append_new(argument_list, json_string(SUBMITS[_i].argument));
	does("submit", SUBMITS[_i].submit);
	does("squeue.does", SUBMITS[_i].squeue);
	struct outcome *outcome = run("exit 5\n", false);
	ck_assert_msg(outcome->result == SUBMITS[_i].result, "%s\n%s", outcome->err.detail,
		      outcome->log);
	if (outcome->result == 0)
		ck_assert_int_eq(outcome->exit_code, SUBMITS[_i].code);
	ck_assert_msg(strstr(outcome->log, SUBMITS[_i].said) != NULL ||
			      strstr(outcome->err.detail, SUBMITS[_i].said) != NULL,
		      "%s\n%s", outcome->err.detail, outcome->log);
}
END_TEST

static bool is_left(const char *suffix)
{
	return access(path_of("%s/build_script.%s", made.scripts_dir, suffix).text, F_OK) == 0;
}

/* The first attempt fails as `first` says, with the queue in `squeue`; the second one succeeds. */
static const struct {
	const char *first, *squeue;
	const char *said; /* in the log */
	int submits;
} RESUBMITS[] = {
	{"echo 'sbatch: error: Socket timed out' >&2; exit 1", "exit 0",
	 "the job was not submitted: sbatch: error: Socket timed out; jacamar keeps trying for up "
	 "to ",
	 2},
	/* Until the queue has been searched, nothing is submitted again. */
	{"echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1",
	 "[ \"$(grep -c '^squeue' \"${0%/*}/calls\")\" -gt 2 ]", "slurm job 4242\n", 2},
	{"echo 'sbatch: error: Socket timed out' >&2; exit 1",
	 "[ \"$(grep -c '^squeue' \"${0%/*}/calls\")\" -gt 2 ] || exit 1; "
	 "echo \"77 $(tail -n 1 \"${0%/*}/submitted\")\"; "
	 "setsid bash \"$(tail -n 1 \"${0%/*}/submitted\")\" >/dev/null 2>&1 &",
	 "slurm job 77\n", 1},
	/* The job of the first attempt starts when the second one is made: it runs no script. */
	{"cp \"$wrapper\" \"${0%/*}/late\"; echo 'sbatch: error: Socket timed out' >&2; exit 1",
	 "exit 0", "slurm job 4242\n", 2},
};

START_TEST(a_submit_that_was_not_judged_is_made_again)
{
	made.header.state.settings.batch.submit_timeout_ms = 60000;
	does("submit",
	     path_of("echo >>\"${0%%/*}/submits\"\n"
		     "if [ ! -e \"${0%%/*}/first\" ]; then touch \"${0%%/*}/first\"; %s; fi\n"
		     "if [ -e \"${0%%/*}/late\" ]; then bash \"${0%%/*}/late\"; fi\n"
		     "[ ! -e \"${0%%/*}/ran\" ] || touch \"${0%%/*}/twice\"\n"
		     "run; echo 4242\n",
		     RESUBMITS[_i].first)
		     .text);
	does("squeue.does", RESUBMITS[_i].squeue);
	struct outcome *outcome =
		run(path_of("echo it ran; touch %s/ran; exit 5\n", bin.text).text, false);
	size_t size;
	char *submits = scratch_read(path_of("%s/submits", bin.text).text, &size);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 5);
	ck_assert_msg(strstr(outcome->log, RESUBMITS[_i].said) != NULL, "%s", outcome->log);
	ck_assert_int_eq((int)strlen(submits), RESUBMITS[_i].submits);
	const char *ran = strstr(outcome->log, "it ran\n");
	ck_assert_ptr_nonnull(ran);
	ck_assert_ptr_null(strstr(ran + 1, "it ran\n"));
	const char *told = strstr(outcome->log, "keeps trying");
	ck_assert_ptr_nonnull(told);
	ck_assert_ptr_null(strstr(told + 1, "keeps trying"));
	ck_assert_int_ne(access(path_of("%s/twice", bin.text).text, F_OK), 0);
	free(submits);
}
END_TEST

/*
 * The first job takes its feed after the last search and before the feed is removed. It starts only
 * when the queue is searched again: however long that takes, no other job is submitted. Whoever
 * cannot find it by its wrapper neither asks about it nor cancels it.
 */
START_TEST(a_job_that_starts_at_the_last_moment_is_found_by_its_own_wrapper)
{
	made.header.state.settings.batch.submit_timeout_ms = 60000;
	does("submit", "echo >>\"${0%/*}/submits\"; cp \"$wrapper\" \"${0%/*}/late\"\n"
		       "echo 'sbatch: error: Socket timed out' >&2; exit 1\n");
	does("squeue.does", path_of("here=${0%%/*} feed=%s/build_script.feed\n"
				    "case $(grep -c '^squeue' \"$here/calls\") in\n"
				    "1) ;;\n"
				    "2) mv \"$feed\" \"$feed.taken\" ;;\n"
				    "3) setsid bash \"$here/late\" >/dev/null 2>&1 & ;;&\n"
				    "*) echo \"77 ${feed%%.feed}.batch\" ;;\n"
				    "esac\n",
				    made.scripts_dir)
				    .text);
	struct outcome *outcome = run("echo it ran; exit 5\n", false);
	size_t size;
	char *submits = scratch_read(path_of("%s/submits", bin.text).text, &size);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 5);
	ck_assert_msg(strstr(outcome->log, "slurm job 77\n") != NULL, "%s", outcome->log);
	ck_assert_int_eq((int)strlen(submits), 1);
	free(submits);
}
END_TEST

START_TEST(there_is_a_last_attempt_to_submit)
{
	struct batch_files files;
	struct error err;
	int last = 1;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	ck_assert_int_eq(
		batch_files_init(&files, directory, made.scripts_dir, "build_script", &err), 0);
	error_set(&err, ERROR_SYSTEM, "the job was not submitted: sbatch: error: Socket timed out");
	while (last < 2000 && batch_files_begin_next(&files, &err) == 0)
		last++;
	ck_assert_int_eq(last, 999);
	ck_assert_ptr_nonnull(strstr(err.detail, "Socket timed out; attempt 999 was the last one"));
	/* cleanup must find the job of that attempt. */
	ck_assert_int_eq(batch_files_record(&files, &err), 0);
	struct batch_files again;
	ck_assert_int_eq(
		batch_files_init(&again, directory, made.scripts_dir, "build_script", &err), 0);
	ck_assert(batch_files_recall(&again));
	ck_assert_str_eq(again.wrapper, files.wrapper);
	batch_files_free(&files);
	batch_files_free(&again);
	close(directory);
}
END_TEST

/* cleanup finds the job by the wrapper of the attempt that has made it. */
START_TEST(a_job_without_a_number_keeps_its_attempt)
{
	struct batch_files files;
	struct batch_files again;
	struct error err;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	ck_assert_int_eq(
		batch_files_init(&files, directory, made.scripts_dir, "build_script", &err), 0);
	ck_assert_int_eq(batch_files_begin_next(&files, &err), 0);
	ck_assert_int_eq(batch_files_record(&files, &err), 0);
	ck_assert_int_eq(
		batch_files_init(&again, directory, made.scripts_dir, "build_script", &err), 0);
	ck_assert(batch_files_recall(&again));
	ck_assert_str_eq(again.wrapper, files.wrapper);
	batch_files_free(&files);
	batch_files_free(&again);
	close(directory);
}
END_TEST

START_TEST(a_submit_that_is_never_judged_fails_with_its_words)
{
	made.header.state.settings.batch.submit_timeout_ms = 3000;
	does("submit", "echo 'sbatch: error: Socket timed out' >&2; exit 1\n");
	does("squeue.does", "exit 0\n");
	struct outcome *outcome = run("exit 5\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_str_eq(outcome->err.detail,
			 "the job was not submitted: sbatch: error: Socket timed out");
	/* cleanup searches the queue once more. */
	ck_assert(is_left("job"));
}
END_TEST

/* Cancelling the CI job ends the attempts. */
START_TEST(a_cancel_ends_the_attempts_to_submit)
{
	made.header.state.settings.batch.submit_timeout_ms = 600000;
	does("submit", path_of("touch %s/build_script.start; "
			       "echo 'sbatch: error: Socket timed out' >&2; exit 1\n",
			       made.scripts_dir)
			       .text);
	does("squeue.does", "exit 1\n");
	struct outcome *outcome = run("exit 5\n", true);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "may still be in the queue"));
}
END_TEST

START_TEST(arguments_reach_the_command_unchanged)
{
	json_array_append_new(argument_list, json_string("--comment 'a  b;$(id)' -p\nx"));
	json_array_append_new(argument_list, json_string("--time=1"));
	struct outcome *outcome = run("exit 0\n", false);
	size_t size;
	ck_assert_int_eq(outcome->result, 0);
	char *submitted = scratch_read(path_of("%s/submitted", bin.text).text, &size);
	ck_assert_ptr_nonnull(strstr(
		submitted, "\n--comment\na  b;$(id)\n-p\nx\n--time=1\n--parsable\n--output="));
	free(submitted);
}
END_TEST

/* In a child: `jacamar cleanup`. */
static void clean_up(const void *result)
{
	struct channel_reader reader = {.fd = STDIN_FILENO};
	struct error err = {.detail = ""};
	struct batch_call call = {
		.header = &made.header, .channel = &reader, .reporter = {say, NULL}};
	process_forget_check();
	reader.fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* never readable */
	child_require(batch_clean_up(&call, &err) == *(const int *)result);
}

static const struct {
	const char *file; /* the text of the job's file; NULL: there is none */
	const char *squeue, *scontrol;
	const char *cancelled; /* NULL: there is no cancel */
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
	{"4242;far\n", "exit 1", "state CANCELLED", "scancel --clusters=far 4242\n", 0},
	{"4242;-x\n", "exit 1", "state CANCELLED", "scancel 4242\n", 0},
	{";far\n", "[ \"$1\" = --clusters=far ] && echo \"77 $W\"", "state CANCELLED",
	 "scancel --clusters=far 77\n", 0},
	{"attempt 2;far\n", "echo \"77 ${W%.batch}.2.batch\"", "state CANCELLED",
	 "scancel --clusters=far 77\n", 0},
	/* The second attempt to submit it has a wrapper of its own. */
	{"attempt 2\n", "echo \"77 ${W%.batch}.2.batch\"", "state CANCELLED", "scancel 77\n", 0},
	{"attempt 0\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	{"attempt 1000\n", "echo \"77 $W\"", "state CANCELLED", "scancel 77\n", 0},
	/* The job may be in the part of a long list that was dropped. */
	{"\n", "yes '1 /elsewhere' | head -n 5000", "exit 1", NULL, -1},
	{"\n", "echo \"77 $W\"; yes '1 /elsewhere' | head -n 5000", "state CANCELLED",
	 "scancel 77\n", 0},
};

START_TEST(cleanup_cancels_the_jobs_that_are_left)
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

/* The scheduler reports that the first job does not exist, and then does not answer. */
START_TEST(cleanup_ends_in_time_with_any_number_of_jobs)
{
	struct error err;
	int left = 0;
	const int failed = -1;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	close(directory);
	for (int i = 0; i < 100; i++)
		scratch_write(path_of("%s/step_%d.job", made.scripts_dir, i).text, "\n", 0600);
	does("squeue.does",
	     "[ \"$(grep -c '^squeue' \"${0%/*}/calls\")\" -gt 2 ] && exec sleep 600; exit 0\n");
	ck_assert_int_eq(process_run(clean_up, &failed), 0);
	for (int i = 0; i < 100; i++)
		if (access(path_of("%s/step_%d.job", made.scripts_dir, i).text, F_OK) == 0)
			left++;
	/* The first one takes two questions. The second one takes the rest of the time. */
	ck_assert_int_ge(left, 99);
	ck_assert_int_le(calls_of("squeue"), 3);
}
END_TEST

/* The wrapper got SIGTERM: the job may have been requeued. */
START_TEST(a_job_whose_end_is_not_explained_is_left_to_cleanup)
{
	does("scontrol.does", "echo garbage\n");
	struct outcome *outcome = run("kill -TERM $(ps -o ppid= -p $PPID); exit 0\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "why it was killed"));
	ck_assert(is_left("job"));
}
END_TEST

/* A process that an ended job has left writes start files, and no exit file. */
START_TEST(a_start_after_the_end_is_ignored)
{
	struct path here = path_of("%s/build_script", made.scripts_dir);
	does("submit",
	     path_of("setsid bash -c 'while [ -e %s.job ]; do i=$((i + 1)); rm -f %s.exit; "
		     "echo node 1.$i >%s.start; sleep 0.1; done' >/dev/null 2>&1 & "
		     "echo 4242\n",
		     here.text, here.text, here.text)
		     .text);
	does("scontrol.does", "state COMPLETED\n");
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "its node wrote no exit code"));
}
END_TEST

/* The next start ends while the scheduler still reports that the job waits. */
START_TEST(the_exit_file_of_the_next_start_is_kept)
{
	does("scontrol.does",
	     path_of("echo '5 0 5' >%s/build_script.exit; state PENDING\n", made.scripts_dir).text);
	struct outcome *outcome = run("echo here; kill -KILL $$\n", false);
	ck_assert_msg(outcome->result == 0, "%s\n%s", outcome->err.detail, outcome->log);
	ck_assert_int_eq(outcome->exit_code, 5);
}
END_TEST

/* A sub-stage is tried again: job 4242 is left of the first attempt. */
static const struct {
	const char *scontrol;
	int result;
} ATTEMPTS[] = {
	{"state CANCELLED", 0},
	{"state RUNNING", -1},
};

START_TEST(a_first_attempt_is_cancelled_before_the_next)
{
	struct error err;
	int directory = workspace_open_scripts(&made.header.state, &err);
	ck_assert_int_ge(directory, 0);
	close(directory);
	scratch_write(path_of("%s/build_script.job", made.scripts_dir).text, "4242\n", 0600);
	does("submit", "echo sbatch >>\"${0%/*}/calls\"; run; echo 77\n");
	does("scancel.does", "exit 0\n");
	does("scontrol.does", ATTEMPTS[_i].scontrol);
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->result, ATTEMPTS[_i].result);
	ck_assert(is_called("scancel 4242\n"));
	ck_assert_int_eq(is_called("\nsbatch\n"), ATTEMPTS[_i].result == 0);
	ck_assert_int_eq(is_left("job"), ATTEMPTS[_i].result != 0);
}
END_TEST

/* A process outside of the allocation writes as long as there is a log. */
#define WRITER \
	"setsid bash -c 'while [ -e %s ]; do echo x; sleep 0.01; done' </dev/null >>%s 2>&1 &"

START_TEST(a_log_that_grows_for_ever_does_not_delay_the_result)
{
	struct path log = path_of("%s/build_script.log", made.scripts_dir);
	does("submit",
	     path_of("touch %s; " WRITER " echo 4242\n", log.text, log.text, log.text).text);
	does("scontrol.does", "state COMPLETED\n");
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "its node wrote no exit code"));
}
END_TEST

/* The command may be a script of the site, which starts others. */
START_TEST(a_command_that_does_not_answer_is_killed_with_its_children)
{
	size_t size;
	does("scontrol.does", "sleep 600 & echo $! >\"${0%/*}/pid\"; wait\n");
	struct outcome *outcome = run("kill -KILL $$\n", false);
	ck_assert_int_eq(outcome->result, -1);
	char *pid = scratch_read(path_of("%s/pid", bin.text).text, &size);
	process_wait_until_dead((pid_t)atoi(pid));
	free(pid);
}
END_TEST

/* What the script does to the files of its own job. */
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

START_TEST(a_job_ends_even_if_its_script_changes_its_files)
{
	does("scontrol.does", "state FAILED\n");
	struct outcome *outcome =
		run(path_of("S=%s/build_script; %s\n", made.scripts_dir, SABOTAGES[_i].script).text,
		    false);
	ck_assert_msg(outcome->result == (SABOTAGES[_i].code < 0 ? -1 : 0), "%s\n%s",
		      outcome->err.detail, outcome->log);
	if (SABOTAGES[_i].code >= 0)
		ck_assert_int_eq(outcome->exit_code, SABOTAGES[_i].code);
}
END_TEST

START_TEST(a_missing_submit_command_leaves_no_job)
{
	ck_assert_int_eq(unlink(path_of("%s/sbatch", bin.text).text), 0);
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "cannot find the scheduler's command"));
	ck_assert(!is_left("job"));
}
END_TEST

START_TEST(a_list_command_may_fail_if_there_are_no_jobs)
{
	struct error err;
	const int gone = 0;
	made.header.state.settings.general.executor = EXECUTOR_LSF;
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

START_TEST(a_path_that_a_shell_would_change_is_refused)
{
	struct path odd = path_of("%s;id", made.scripts_dir);
	made.header.state.scripts_dir = odd.text;
	made.header.state.settings.general.executor = EXECUTOR_LSF;
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_int_eq(outcome->result, -1);
	ck_assert_ptr_nonnull(strstr(outcome->err.detail, "which lsf would replace: "));
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
	made.header.state.settings.batch.env_vars = STRING_LIST((char *)SETTINGS[_i].setting);
	does("submit", "echo \"$A\" >\"${0%/*}/value\"; run; echo 4242\n");
	struct outcome *outcome = run("exit 0\n", false);
	ck_assert_msg(outcome->result == 0, "%s", outcome->err.detail);
	size_t size;
	char *value = scratch_read(path_of("%s/value", bin.text).text, &size);
	const char *expected = SETTINGS[_i].value;
	if (expected != NULL && strncmp(expected, "HOME", 4) == 0)
		ck_assert_str_eq(value, path_of("%s%s\n", home.text, expected + 4).text);
	else if (expected != NULL)
		ck_assert_str_eq(value, path_of("%s\n", expected).text);
	free(value);
}
END_TEST

START_TEST(only_the_scripts_of_the_job_run_in_a_batch_job)
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

/* Some scheduler or other is slow in each: who has no time leaves out what is tagged slow. */
static TCase *add_case(Suite *suite, const char *name, const char *tags)
{
	TCase *tcase = tcase_create(name);
	tcase_set_tags(tcase, tags);
	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

Suite *batch_suite(void)
{
	Suite *suite = suite_create("batch");
	TCase *ended = add_case(suite, "ended", "slow waits-1");
	TCase *own_end = add_case(suite, "own_end", "slow waits-2");
	TCase *commands = add_case(suite, "commands", "slow waits-3");
	TCase *leftovers = add_case(suite, "leftovers", "slow waits-4");
	tcase_add_loop_test(ended, the_scheduler_explains_a_script_that_was_killed, 0, ROWS(ENDS));
	tcase_add_loop_test(ended, the_scheduler_explains_a_script_that_got_a_signal, 0,
			    ROWS(SIGNALS));
	tcase_add_loop_test(own_end,
			    the_scheduler_is_asked_once_about_a_script_that_ended_by_itself, 0,
			    ROWS(OWN_ENDS));
	tcase_add_test(own_end, a_message_begins_a_new_line);
	tcase_add_test(own_end, why_a_job_failed_comes_after_all_that_it_has_printed);
	tcase_add_test(own_end, a_consumer_of_the_log_has_time_also_with_a_short_kill_timeout);
	tcase_add_test(own_end, who_holds_the_log_is_named_on_a_line_of_its_own);
	tcase_add_test(own_end, a_signal_to_the_commands_of_the_wrapper_is_not_in_the_log);
	tcase_add_test(own_end, a_log_that_cannot_be_written_fails_the_job);
	tcase_add_test(own_end, a_script_that_ended_by_itself_does_not_wait_for_command_delay);
	tcase_add_test(own_end, a_job_that_vanishes_is_searched_in_the_history);
	tcase_add_test(own_end, a_job_that_the_scheduler_forgets_for_a_while_goes_on);
	tcase_add_test(own_end, the_history_explains_the_end_of_a_forgotten_job);
	tcase_add_test(own_end, a_slow_answer_is_waited_for);
	tcase_add_test(own_end, a_job_without_an_exit_file_has_no_result);
	tcase_add_loop_test(commands, a_cancel_ends_in_time, 0, ROWS(CANCELS));
	tcase_add_loop_test(commands, a_failed_submit_is_reported_and_a_lost_one_is_found, 0,
			    ROWS(SUBMITS));
	tcase_add_test(commands, arguments_reach_the_command_unchanged);
	tcase_add_loop_test(commands, a_submit_that_was_not_judged_is_made_again, 0,
			    ROWS(RESUBMITS));
	tcase_add_test(commands, a_submit_that_is_never_judged_fails_with_its_words);
	tcase_add_test(commands, a_job_that_starts_at_the_last_moment_is_found_by_its_own_wrapper);
	tcase_add_test(commands, there_is_a_last_attempt_to_submit);
	tcase_add_test(commands, a_job_without_a_number_keeps_its_attempt);
	tcase_add_test(commands, a_cancel_ends_the_attempts_to_submit);
	tcase_add_loop_test(commands, cleanup_cancels_the_jobs_that_are_left, 0, ROWS(CLEANUPS));
	tcase_add_test(leftovers, cleanup_ends_in_time_with_any_number_of_jobs);
	tcase_add_test(leftovers, a_job_whose_end_is_not_explained_is_left_to_cleanup);
	tcase_add_test(leftovers, a_start_after_the_end_is_ignored);
	tcase_add_test(leftovers, the_exit_file_of_the_next_start_is_kept);
	tcase_add_loop_test(leftovers, a_first_attempt_is_cancelled_before_the_next, 0,
			    ROWS(ATTEMPTS));
	tcase_add_test(leftovers, a_log_that_grows_for_ever_does_not_delay_the_result);
	tcase_add_test(leftovers, a_command_that_does_not_answer_is_killed_with_its_children);
	tcase_add_loop_test(leftovers, a_job_ends_even_if_its_script_changes_its_files, 0,
			    ROWS(SABOTAGES));
	tcase_add_test(leftovers, a_missing_submit_command_leaves_no_job);
	tcase_add_test(leftovers, a_list_command_may_fail_if_there_are_no_jobs);
	tcase_add_test(leftovers, a_path_that_a_shell_would_change_is_refused);
	tcase_add_loop_test(leftovers, variables_of_the_site_are_set_for_the_commands, 0,
			    ROWS(SETTINGS));
	tcase_add_test(leftovers, only_the_scripts_of_the_job_run_in_a_batch_job);
	return suite;
}
