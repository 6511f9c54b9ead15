/*
 * The executor "shell", with real shells: the script's own code comes back whatever the user's
 * profiles do, or an error does, and a process that holds the log open does not delay it for long.
 *
 * The user's side runs in a child, its log being a pipe as the runner's is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/executor/shell.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct path home;
static struct test_header made;

/* The other word for the end, beside the end of the channel itself. */
#define CANCEL "cancel\n"

/* The result of the user's side. */
struct outcome {
	int result;
	int exit_code;
	struct error err;
	struct login_shell_end end;
};

/* The user's side as it runs. */
struct play {
	pid_t child;
	int channel; /* ours to close, or to say CANCEL on */
	int outcome;
	int log;
};

static void setup(void)
{
	home = scratch_make();
	test_header_init(&made, home.text);
}

static void teardown(void)
{
	test_header_free(&made);
}

static void write_profile(const char *text)
{
	scratch_write(path_of("%s/.bash_profile", home.text).text, text, 0600);
}

/* In the child: what `jacamar run` does with what comes over the channel. */
static void play_user_side(int channel, int outcome)
{
	struct outcome said;
	struct script script;
	struct channel_reader reader = {.fd = channel};
	memset(&said, 0, sizeof(said));
	said.result = script_receive(&reader, &made.header, "step_script", &script, &said.err);
	if (said.result == 0)
		said.result = shell_run(&script, &made.header, &reader, &said.exit_code, &said.end,
					&said.err);
	script_free(&script);
	_exit(io_write_all(outcome, &said, sizeof(said)) == 0 ? 0 : 1);
}

/* Sends `script`, of which the header says `size` bytes; what is more is word behind it. */
static struct play start(const char *script, size_t size)
{
	struct play play;
	int channel[2];
	int outcome[2];
	int log[2];
	made.header.script_size = size;
	ck_assert_int_eq(pipe2(channel, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(outcome, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
	fflush(NULL);
	play.child = fork();
	ck_assert_int_ge(play.child, 0);
	if (play.child == 0) {
		process_forget_check();
		close(channel[1]);
		close(log[0]);
		if (dup2(log[1], STDOUT_FILENO) < 0 || dup2(log[1], STDERR_FILENO) < 0)
			_exit(1);
		close(log[1]);
		play_user_side(channel[0], outcome[1]);
	}
	close(channel[0]);
	close(outcome[1]);
	close(log[1]);
	play.channel = channel[1];
	play.outcome = outcome[0];
	play.log = log[0];
	ck_assert_int_eq(io_write_all(play.channel, script, strlen(script)), 0);
	return play;
}

/* Waits for the end. `log` (or NULL) gets what was written until then, at most a pipe of it. */
static struct outcome finish(struct play *play, char *log, size_t log_size)
{
	struct outcome outcome;
	int status;
	ssize_t size = io_read_full(play->outcome, &outcome, sizeof(outcome));
	ck_assert_int_eq(waitpid(play->child, &status, 0), play->child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(size, (ssize_t)sizeof(outcome));
	if (log != NULL) {
		/* Whoever is left holding it is for the test to find, not to wait for. */
		fcntl(play->log, F_SETFL, O_NONBLOCK);
		size = io_read_full(play->log, log, log_size - 1);
		log[size > 0 ? size : 0] = '\0';
	}
	close(play->log);
	close(play->outcome);
	if (play->channel >= 0)
		close(play->channel);
	return outcome;
}

static struct outcome run(const char *script, char *log, size_t log_size)
{
	struct play play = start(script, strlen(script));
	return finish(&play, log, log_size);
}

static void expect_code(const char *script, int code)
{
	char log[4096];
	struct outcome outcome = run(script, log, sizeof(log));
	ck_assert_msg(outcome.result == 0, "%s\n%s", outcome.err.detail, log);
	ck_assert_msg(outcome.exit_code == code, "'%s' gave %d, not %d\n%s", script,
		      outcome.exit_code, code, log);
	ck_assert(!outcome.end.cancelled);
}

static const struct {
	const char *script;
	int code;
} CODES[] = {
	{"", 0},
	{"exit 0\n", 0},
	{"true", 0},
	{"exit 1\n", 1},
	{"false\n", 1},
	{"exit 2\n", 2},
	{"exit 125\n", 125},
	{"exit 255\n", 255},
	{"exit 256\n", 0},
	{"no-such-command-anywhere\n", 127},
	{"/dev/null\n", 126},
	{"if\n", 2},
	{"kill -KILL $$\n", 137},
	{"kill -SEGV $$\n", 139},
	{"kill -TERM $$\n", 143},
	{"kill -PIPE $$\n", 141},
	{"bash -c 'kill -KILL $$'\n", 137},
	/* Its input is empty, whatever is in the channel. */
	{"read -r line; exit $((10 + $?))\n", 11},
	{"cat; exit 5\n", 5},
	/* Signals and umask as a login has them. */
	{"trap 'exit 9' PIPE; kill -PIPE $$; exit 1\n", 9},
	{"trap 'exit 9' TERM; kill -TERM $$; exit 1\n", 9},
	{"test \"$(umask)\" = 0022 && exit 8\n", 8},
	/* The script cannot report in the place of the shell. */
	{"echo 0 >&" LOGIN_SHELL_REPORT "; exit 6\n", 6},
	/* A script that ends its whole process group does not end who reports on it. */
	{"trap 'exit 7' TERM; kill 0; sleep 1000000\n", 7},
	{"kill -TERM 0; sleep 1000000\n", 143},
	{"exec true\n", 0},
	{"exec bash -c 'exit 4'\n", 4},
	{"set -e; false; exit 0\n", 1},
};

START_TEST(the_scripts_own_code_comes_back)
{
	expect_code(CODES[_i].script, CODES[_i].code);
}
END_TEST

START_TEST(the_job_writes_into_the_log_itself)
{
	char log[4096];
	struct outcome outcome =
		run("echo out; echo err >&2; echo \"$JACAMAR_CI_JOB\"", log, sizeof(log));
	struct path expected = path_of("out\nerr\n%s\n", made.cookie);
	ck_assert_int_eq(outcome.result, 0);
	ck_assert_str_eq(log, expected.text);
}
END_TEST

START_TEST(it_is_a_login_of_the_user)
{
	char log[4096];
	write_profile("export FROM_PROFILE=yes\n");
	struct outcome outcome =
		run("echo \"$HOME $FROM_PROFILE ${CUSTOM_ENV_X-none}\"", log, sizeof(log));
	ck_assert_int_eq(outcome.result, 0);
	ck_assert_str_eq(log, path_of("%s yes none\n", home.text).text);
}
END_TEST

/* Profiles that let the script come to its end, and its own code must come back. */
static const char *const FAIR_PROFILES[] = {
	"set -e\n",
	"set -eu -o pipefail\n",
	"set -o noclobber -o noglob\n",
	"bash() { return 0; }\n",
	"echo() { :; }\nprintf() { :; }\nkill() { :; }\n",
	"command() { :; }\nbuiltin() { :; }\nunset() { :; }\ntrap() { :; }\n",
	"alias bash=true command=true builtin=true\nshopt -s expand_aliases\n",
	"exec bash --noprofile --norc\n",
	"trap 'exit 0' EXIT\n",
	"trap 'exit 0' ERR\n",
	"echo chatter; echo chatter >&2\n",
	"exec >/dev/null 2>&1\n",
	"sleep 1000000 </dev/null >/dev/null 2>&1 &\n",
	"cd /; umask 077; unset PATH; PATH=/usr/bin:/bin\n",
	"false\n",
	"set -u; echo $unset_anywhere\n",
	"IFS=/\n",
	"BASH_ENV=/nonexistent; ENV=/nonexistent; export BASH_ENV ENV\n",
};

START_TEST(a_profile_does_not_change_the_code)
{
	write_profile(FAIR_PROFILES[_i]);
	expect_code("exit 3\n", 3);
}
END_TEST

START_TEST(a_profile_does_not_change_success)
{
	write_profile(FAIR_PROFILES[_i]);
	expect_code("exit 0\n", 0);
}
END_TEST

/* Profiles that end the shell before the script was done. */
static const struct {
	const char *profile;
	const char *reason;
} UNFAIR_PROFILES[] = {
	{"exit 0\n", "ended with code 0 before the script was done"},
	{"exit 7\n", "ended with code 7 before the script was done"},
	{"cat >/dev/null\n", "ended with code 0 before the script was done"},
	{"trap 'exit 0' CHLD\n", "ended with code 0 before the script was done"},
	{"exec true\n", "ended with code 0 before the script was done"},
	{"exec cat >/dev/null\n", "ended with code 0 before the script was done"},
	{"exec false\n", "ended with code 1 before the script was done"},
	{"exec 0</dev/null\n", "ended with code 0 before the script was done"},
	{"exec 79>&-\n", "before the script was done"},
	{"kill -KILL $$\n",
	 "killed by signal 9 (SIGKILL) before the script was done; the usual cause is"},
	{"set -n\n", "ended with code"},
	{"set -e; false\n", "ended with code 1 before the script was done"},
};

START_TEST(a_profile_that_ends_the_shell_is_no_success)
{
	struct path ran = path_of("%s/ran", home.text);
	char *script = text_format("touch %s\n", ran.text);
	char log[4096];
	write_profile(UNFAIR_PROFILES[_i].profile);
	struct outcome outcome = run(script, log, sizeof(log));
	ck_assert_msg(outcome.result == -1, "'%s' gave %d\n%s", UNFAIR_PROFILES[_i].profile,
		      outcome.exit_code, log);
	ck_assert_int_eq(outcome.err.kind, ERROR_SYSTEM);
	ck_assert_msg(strstr(outcome.err.detail, UNFAIR_PROFILES[_i].reason) != NULL, "%s",
		      outcome.err.detail);
	if (strstr(outcome.err.detail, "signal") == NULL)
		ck_assert_ptr_nonnull(strstr(outcome.err.detail, "profile"));
	free(script);
}
END_TEST

/* How far these get depends on how much of the shell's input they read. */
static const char *const GREEDY_PROFILES[] = {
	"read -r line\n",
	"read -r -N 1 byte\n",
	"head -c 20 >/dev/null\n",
	"head -n 1 >/dev/null\n",
	"for i in 1 2 3 4 5; do read -r line; done\n",
	"while read -r line; do :; done\n",
	"read -r -N 100 bytes; exit 0\n",
};

START_TEST(a_profile_that_reads_its_input_leads_to_no_false_code)
{
	char log[4096];
	write_profile(GREEDY_PROFILES[_i]);
	struct outcome outcome = run("exit 3\n", log, sizeof(log));
	ck_assert_msg(outcome.result == -1 || outcome.exit_code == 3, "'%s' gave %d\n%s",
		      GREEDY_PROFILES[_i], outcome.exit_code, log);
}
END_TEST

START_TEST(profiles_can_be_left_out)
{
	static const enum profile_choice choices[] = {PROFILE_NONE, PROFILE_ETC_ONLY};
	write_profile("exit 0\n");
	made.header.profile = choices[_i];
	expect_code("exit 3\n", 3);
}
END_TEST

START_TEST(another_shell_can_be_named)
{
	struct path shell = path_of("%s/it's a shell", home.text);
	scratch_write(shell.text, "#!/bin/sh\necho other >&2\nexec bash \"$@\"\n", 0700);
	made.header.state.settings.general.shell_path = shell.text;
	char log[4096];
	struct outcome outcome = run("exit 3\n", log, sizeof(log));
	ck_assert_int_eq(outcome.result, 0);
	ck_assert_int_eq(outcome.exit_code, 3);
	ck_assert_str_eq(log, "other\nother\n");
	made.header.state.settings.general.shell_path = "/nonexistent/bash";
	outcome = run("exit 3\n", log, sizeof(log));
	ck_assert_int_eq(outcome.result, -1);
}
END_TEST

START_TEST(a_large_script_is_run_whole)
{
	char *script = text_format("x=1\n%0300000d\nexit 42\n", 0);
	script[4] = '#';
	expect_code(script, 42);
	free(script);
}
END_TEST

/* --- processes left behind --- */

static pid_t read_pid(const char *name)
{
	size_t size;
	struct path file = path_of("%s/%s", home.text, name);
	char *text = scratch_read(file.text, &size);
	pid_t pid = (pid_t)atoi(text);
	free(text);
	ck_assert_int_gt(pid, 1);
	return pid;
}

/* Each writes its pid to the file "pid" in the home, and holds the log open. */
static const char *const HOLDERS[] = {
	"sleep 1000000 &\necho $! >~/pid\n",
	"(setsid sleep 1000000 & echo $! >~/pid)\n",
	"nohup sleep 1000000 >&2 &\necho $! >~/pid\n",
	"sleep 1000000 2>/dev/null &\necho $! >~/pid\n",
	"sleep 1000000 >/dev/null &\necho $! >~/pid\n",
	"sleep 1000000 &\necho $! >~/pid; kill -STOP $!\n",
	"(trap '' TERM HUP INT; exec sleep 1000000) &\necho $! >~/pid\n",
	"env -i sleep 1000000 &\necho $! >~/pid\n",
};

START_TEST(a_process_that_holds_the_log_is_named_and_lives_on)
{
	char log[4096];
	char *script = text_format("%sexit 3\n", HOLDERS[_i]);
	struct outcome outcome = run(script, log, sizeof(log));
	free(script);
	ck_assert_msg(outcome.result == 0, "%s", outcome.err.detail);
	ck_assert_int_eq(outcome.exit_code, 3);
	pid_t holder = read_pid("pid");
	bool alive = process_is_alive(holder);
	if (alive)
		kill(holder, SIGKILL);
	ck_assert_msg(alive, "%s has ended", HOLDERS[_i]);
	struct path name = path_of("%d (", (int)holder);
	ck_assert(outcome.end.log_is_held);
	ck_assert_uint_eq(outcome.end.holder_count, 1);
	ck_assert_msg(strstr(outcome.end.holders, name.text) != NULL, "'%s' does not name %s",
		      outcome.end.holders, name.text);
}
END_TEST

START_TEST(a_process_that_floods_the_log_is_waited_for_a_limited_time)
{
	made.header.state.settings.general.kill_timeout_ms = 400;
	struct play play = start("yes &\necho $! >~/pid\n", strlen("yes &\necho $! >~/pid\n"));
	/* The runner reads on meanwhile. */
	pid_t reader = fork();
	if (reader == 0) {
		char bytes[65536];
		while (read(play.log, bytes, sizeof(bytes)) > 0)
			;
		_exit(0);
	}
	struct outcome outcome = finish(&play, NULL, 0);
	kill(read_pid("pid"), SIGKILL);
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	ck_assert_msg(outcome.result == 0, "%s", outcome.err.detail);
	ck_assert(outcome.end.log_is_held);
}
END_TEST

/* Scripts whose log goes through a program that they start and do not wait for. */
static const char *const CONSUMERS[] = {
	"exec > >(while read -r l; do sleep 0.01; echo \"$l\"; done) 2>&1\n",
	"exec > >(cat) 2> >(cat >&2)\n",
	"exec 2>/dev/null > >(sleep 0.5; cat)\n",
};

START_TEST(what_a_slow_consumer_still_writes_is_not_lost)
{
	char log[65536];
	char *script = text_format("%sseq 1 100; echo the reason\nexit 7\n", CONSUMERS[_i]);
	struct outcome outcome = run(script, log, sizeof(log));
	free(script);
	ck_assert_msg(outcome.result == 0, "%s", outcome.err.detail);
	ck_assert_int_eq(outcome.exit_code, 7);
	ck_assert(!outcome.end.log_is_held);
	ck_assert_msg(strncmp(log, "1\n2\n", 4) == 0, "%s", log);
	ck_assert_msg(strstr(log, "\n100\nthe reason\n") != NULL, "%s", log);
}
END_TEST

/* Daemons that close the log continue to run in the next sub-stage. */
static const char *const DAEMONS[] = {
	"sleep 1000000 </dev/null >/dev/null 2>&1 &\necho $! >~/pid\n",
	"(setsid sleep 1000000 </dev/null >/dev/null 2>&1 & echo $! >~/pid)\n",
};

START_TEST(who_does_not_hold_the_log_may_go_on)
{
	char *script = text_format("%sexit 3\n", DAEMONS[_i]);
	char log[4096];
	struct outcome outcome = run(script, log, sizeof(log));
	free(script);
	ck_assert_int_eq(outcome.result, 0);
	pid_t daemon = read_pid("pid");
	bool alive = process_is_alive(daemon);
	kill(daemon, SIGKILL);
	ck_assert(alive);
	ck_assert(!outcome.end.log_is_held);
}
END_TEST

/* --- the job is ended from outside --- */

/* What runs when the end comes; each says its pid on the pipe "up" in the home. */
static const char *const LONG_JOBS[] = {
	"echo $$ >~/up; sleep 1000000\n",
	"echo $$ >~/up; read -r line <~/up2\n",
	"trap '' TERM INT HUP QUIT; echo $$ >~/up; while :; do sleep 1000000; done\n",
	("(setsid bash -c 'trap \"\" TERM; echo $$ >~/up; while :; do sleep 1000000; done' &);"
	 " sleep 1000000\n"),
	"echo $$ >~/up; kill -STOP $$; sleep 1000000\n",
	"env -i bash -c 'echo $$ >'\"$HOME\"'/up; sleep 1000000'\n",
};

/* Starts the script and waits until it runs; its pid. */
static pid_t start_long_job(const char *script, struct play *play)
{
	char text[32];
	struct path up = path_of("%s/up", home.text);
	ck_assert_int_eq(mkfifo(up.text, 0600), 0);
	ck_assert_int_eq(mkfifo(path_of("%s/up2", home.text).text, 0600), 0);
	int fd = open(up.text, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	*play = start(script, strlen(script));
	struct pollfd sources[] = {{.fd = fd, .events = POLLIN},
				   {.fd = play->outcome, .events = POLLIN}};
	while (poll(sources, 2, -1) < 0)
		ck_assert_int_eq(errno, EINTR);
	ck_assert_msg(sources[0].revents != 0, "the job ended by itself");
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	ck_assert_int_gt(size, 0);
	text[size] = '\0';
	return (pid_t)atoi(text);
}

static void expect_cancelled(struct play *play, pid_t job)
{
	struct outcome outcome = finish(play, NULL, 0);
	bool alive = process_is_alive(job);
	if (alive)
		kill(job, SIGKILL);
	ck_assert_int_eq(outcome.result, -1);
	ck_assert(outcome.end.cancelled);
	ck_assert_int_eq(outcome.err.kind, ERROR_CANCELLED);
	ck_assert(!alive);
}

START_TEST(the_end_of_the_channel_ends_the_job)
{
	struct play play;
	made.header.state.settings.general.kill_timeout_ms = 200;
	pid_t job = start_long_job(LONG_JOBS[_i], &play);
	close(play.channel);
	play.channel = -1;
	expect_cancelled(&play, job);
}
END_TEST

START_TEST(the_word_on_the_channel_ends_the_job)
{
	struct play play;
	made.header.state.settings.general.kill_timeout_ms = 200;
	pid_t job = start_long_job(LONG_JOBS[_i], &play);
	ck_assert_int_eq(io_write_all(play.channel, CANCEL, sizeof(CANCEL) - 1), 0);
	expect_cancelled(&play, job);
}
END_TEST

START_TEST(a_signal_ends_the_job)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	struct play play;
	made.header.state.settings.general.kill_timeout_ms = 200;
	pid_t job = start_long_job(LONG_JOBS[0], &play);
	kill(play.child, signals[_i]);
	expect_cancelled(&play, job);
}
END_TEST

START_TEST(a_job_has_time_to_end_by_itself)
{
	struct play play;
	/*
	 * The limit of the header: nobody is killed before. The shell waits by `wait`, which a
	 * signal ends: one that comes right before a `read` is noticed only behind it.
	 */
	pid_t job = start_long_job("trap 'echo bye >~/bye; exit' TERM; echo $$ >~/up;"
				   " sleep 1000000 & wait\n",
				   &play);
	close(play.channel);
	play.channel = -1;
	expect_cancelled(&play, job);
	ck_assert_int_eq(access(path_of("%s/bye", home.text).text, F_OK), 0);
}
END_TEST

START_TEST(a_profile_that_hangs_can_be_ended)
{
	struct play play;
	made.header.state.settings.general.kill_timeout_ms = 200;
	write_profile("echo $$ >~/up; sleep 1000000\n");
	pid_t shell = start_long_job("exit 0\n", &play);
	close(play.channel);
	play.channel = -1;
	expect_cancelled(&play, shell);
}
END_TEST

START_TEST(a_word_that_came_with_the_script_ends_the_job_at_once)
{
	static const char script[] = "sleep 1000000\n";
	char *both = text_format("%s%s", script, CANCEL);
	struct play play = start(both, sizeof(script) - 1);
	free(both);
	struct outcome outcome = finish(&play, NULL, 0);
	ck_assert_int_eq(outcome.result, -1);
	ck_assert(outcome.end.cancelled);
}
END_TEST

static TCase *code_tests(void)
{
	TCase *tcase = tcase_create("codes");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, the_scripts_own_code_comes_back, 0, ROWS(CODES));
	tcase_add_test(tcase, the_job_writes_into_the_log_itself);
	tcase_add_test(tcase, it_is_a_login_of_the_user);
	tcase_add_test(tcase, another_shell_can_be_named);
	tcase_add_test(tcase, a_large_script_is_run_whole);
	return tcase;
}

static TCase *profile_tests(void)
{
	TCase *tcase = tcase_create("profiles");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_profile_does_not_change_the_code, 0, ROWS(FAIR_PROFILES));
	tcase_add_loop_test(tcase, a_profile_does_not_change_success, 0, ROWS(FAIR_PROFILES));
	tcase_add_loop_test(tcase, a_profile_that_ends_the_shell_is_no_success, 0,
			    ROWS(UNFAIR_PROFILES));
	tcase_add_loop_test(tcase, a_profile_that_reads_its_input_leads_to_no_false_code, 0,
			    ROWS(GREEDY_PROFILES));
	tcase_add_loop_test(tcase, profiles_can_be_left_out, 0, 2);
	return tcase;
}

static TCase *left_behind_tests(void)
{
	TCase *tcase = tcase_create("left_behind");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_process_that_holds_the_log_is_named_and_lives_on, 0,
			    ROWS(HOLDERS));
	tcase_add_test(tcase, a_process_that_floods_the_log_is_waited_for_a_limited_time);
	tcase_add_loop_test(tcase, what_a_slow_consumer_still_writes_is_not_lost, 0,
			    ROWS(CONSUMERS));
	tcase_add_loop_test(tcase, who_does_not_hold_the_log_may_go_on, 0, ROWS(DAEMONS));
	return tcase;
}

Suite *shell_suite(void)
{
	Suite *suite = suite_create("shell");
	TCase *cancel = tcase_create("cancel");

	suite_add_tcase(suite, code_tests());
	suite_add_tcase(suite, profile_tests());
	suite_add_tcase(suite, left_behind_tests());
	tcase_add_checked_fixture(cancel, setup, teardown);
	tcase_add_loop_test(cancel, the_end_of_the_channel_ends_the_job, 0, ROWS(LONG_JOBS));
	tcase_add_loop_test(cancel, the_word_on_the_channel_ends_the_job, 0, ROWS(LONG_JOBS));
	tcase_add_loop_test(cancel, a_signal_ends_the_job, 0, 4);
	tcase_add_test(cancel, a_job_has_time_to_end_by_itself);
	tcase_add_test(cancel, a_profile_that_hangs_can_be_ended);
	tcase_add_test(cancel, a_word_that_came_with_the_script_ends_the_job_at_once);
	suite_add_tcase(suite, cancel);
	return suite;
}
