/*
 * Plays GitLab Runner's custom executor for one job, as release 19.4 does: it makes the same calls
 * of a driver, in the same order, with the same environment, files and scripts, and ends them the
 * same way. This file has the options and the result; t/play/course.c has the course of a job.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "core/lib/io.h"
#include "t/play/course.h"

static const char USAGE[] =
	"usage: runner [OPTION]... CONFIG.toml JOB.json\n"
	"  --cancel-after SECONDS  cancel the job that long after its begin\n"
	"  --cancel-on TEXT        cancel the job once a line of its log has TEXT\n"
	"                          (lines that announce a command do not count)\n"
	"  --abort                 a cancelled job ends at once, without after_script and the "
	"rest\n"
	"  --out-of-time           where it would be cancelled, the job's time is over instead\n"
	"  --timeout SECONDS       of the whole job (default: the response's, or 3600)\n"
	"  --kill-grace SECONDS    from SIGTERM to SIGKILL (default: the configuration's, or 600)\n"
	"  --eof-timeout SECONDS   give up on pipes that stay open after their process ended\n"
	"  --report-late FIFO      of a call that lives 10 s after SIGTERM, or whose output is "
	"open\n"
	"                          10 s after its end: write its pid and its pipes' inodes there\n"
	"  --retry-delay MS        between two tries to prepare (default: 3000)\n"
	"  --log FILE              copy of the job's log, which is on standard output\n"
	"  --result FILE           every call and what came of it, as JSON\n"
	"  --prepare-only DIR      config and prepare, then leave in DIR what a single run call "
	"needs:\n"
	"                          call.sh (makes it), cleanup.sh (cleanup, removes the files), "
	"env\n"
	"                          (NAME=VALUE, ended by zero bytes), script\n"
	"  --substage NAME         the one that --prepare-only is for (default: build_script)\n"
	"  --legacy                script files and scripts as before release 17.3 (\": | eval\")\n"
	"  --keep                  leave the temporary directory\n"
	"  --show-stages           a line on standard error for every call\n"
	"exit: 0 success, 1 build failure, 2 system failure, 3 the driver broke the contract,\n"
	"4 cancelled or out of time, 5 hung, 64 wrong usage\n";

static const char *why_stopped(const struct session *session)
{
	return session->watch.stopped != NULL ? session->watch.stopped : "canceled";
}

static void say_verdict(const struct session *session, struct verdict verdict)
{
	static const char *const REASONS[] = {[SYSTEM_FAILURE] = "system failure",
					      [UNKNOWN_FAILURE] = "unknown failure code",
					      [HUNG] = "hung"};
	char *line;

	if (verdict.outcome == SUCCESS)
		line = copied("job succeeded");
	else if (verdict.outcome == BUILD_FAILURE)
		line = formatted("job failed: exit code %d", verdict.code);
	else
		line = formatted("job failed: %s", verdict.outcome == STOPPED
							   ? why_stopped(session)
							   : REASONS[verdict.outcome]);
	session_say(session, line);
	free(line);
}

static void write_result(const struct session *session, struct verdict verdict)
{
	const char *path = session->options.result;
	json_t *result = json_object();

	json_object_set_new(result, "result",
			    json_string(verdict.outcome == STOPPED
						? why_stopped(session)
						: OUTCOMES[verdict.outcome].name));
	if (verdict.outcome == BUILD_FAILURE)
		json_object_set_new(result, "exit_code", json_integer(verdict.code));
	json_object_set(result, "calls", session->calls);
	if (json_dump_file(result, path, JSON_INDENT(2)) != 0)
		die(EXIT_FAILURE, "%s: cannot write", path);
	json_decref(result);
}

/* Options */

static _Noreturn void usage(void)
{
	fputs(USAGE, stderr);
	exit(EXIT_USAGE);
}

static int64_t milliseconds_of(const char *text, double factor)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0 && value < 1e9))
		die(EXIT_USAGE, "not a time: %s", text);
	return (int64_t)(value * factor);
}

enum kind { FLAG, TEXT, SECONDS, MILLISECONDS };

/* An option's value goes to the member of struct session at `offset`. */
#define MEMBER(member) offsetof(struct session, member)
static const struct {
	const char *name;
	enum kind kind;
	size_t offset;
} OPTIONS[] = {
	{"cancel-after", SECONDS, MEMBER(watch.cancel_at)}, /* made a time of the clock later */
	{"cancel-on", TEXT, MEMBER(watch.cancel_text)},
	{"abort", FLAG, MEMBER(watch.abort)},
	{"out-of-time", FLAG, MEMBER(watch.out_of_time)},
	{"timeout", SECONDS, MEMBER(options.timeout)},
	{"kill-grace", SECONDS, MEMBER(options.grace)},
	{"eof-timeout", SECONDS, MEMBER(watch.eof_timeout)},
	{"report-late", TEXT, MEMBER(watch.late_fifo)},
	{"retry-delay", MILLISECONDS, MEMBER(options.retry_delay)},
	{"log", TEXT, MEMBER(options.log)},
	{"result", TEXT, MEMBER(options.result)},
	{"prepare-only", TEXT, MEMBER(options.prepare_only)},
	{"substage", TEXT, MEMBER(options.substage)},
	{"legacy", FLAG, MEMBER(options.legacy)},
	{"keep", FLAG, MEMBER(options.keep)},
	{"show-stages", FLAG, MEMBER(options.show_stages)},
};
#define OPTION_COUNT (sizeof(OPTIONS) / sizeof(OPTIONS[0]))

static void read_options(int argc, char **argv, struct session *session)
{
	struct option options[OPTION_COUNT + 2] = {{"help", no_argument, NULL, 'h'}};
	int option;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		options[i + 1] = (struct option){
			OPTIONS[i].name, OPTIONS[i].kind == FLAG ? no_argument : required_argument,
			NULL, (int)i};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(USAGE, stdout);
			exit(EXIT_SUCCESS);
		}
		if (option == '?')
			usage();
		void *member = (char *)session + OPTIONS[option].offset;
		if (OPTIONS[option].kind == FLAG)
			*(bool *)member = true;
		else if (OPTIONS[option].kind == TEXT)
			*(const char **)member = optarg;
		else
			*(int64_t *)member =
				milliseconds_of(optarg, OPTIONS[option].kind == SECONDS ? 1000 : 1);
	}
	if (argc - optind != 2)
		usage();
	session->options.config = argv[optind];
	session->options.job = argv[optind + 1];
}

static void open_session(struct session *session)
{
	struct options *options = &session->options;
	struct watch *watch = &session->watch;

	session->config = runner_config_load(options->config);
	session->job = job_load(options->job, &session->config);
	session->calls = json_array();
	if (options->timeout >= 0)
		session->job.timeout = (long)(options->timeout / 1000);
	else
		options->timeout = (int64_t)session->job.timeout * 1000;
	if (options->prepare_only != NULL) {
		options->prepare_only = realpath(options->prepare_only, NULL);
		if (options->prepare_only == NULL)
			die(EXIT_USAGE, "--prepare-only: %s", strerror(errno));
	}
	if (watch->cancel_at >= 0)
		watch->cancel_at += io_now_ms();
	watch->deadline = io_now_ms() + options->timeout;
	watch->grace = options->grace >= 0 ? options->grace
					   : (int64_t)session->config.graceful_kill_timeout * 1000;
	watch->force = (int64_t)session->config.force_kill_timeout * 1000;
	if (options->log != NULL) {
		watch->log = open(options->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (watch->log < 0)
			die(EXIT_USAGE, "%s: %s", options->log, strerror(errno));
	}
	watch_start(watch);
}

static void close_session(struct session *session)
{
	if (session->watch.log >= 0)
		close(session->watch.log);
	close(session->watch.signals);
	free(session->options.prepare_only);
	json_decref(session->calls);
	job_free(&session->job);
	runner_config_free(&session->config);
}

int main(int argc, char **argv)
{
	struct session session = {
		.options = {.substage = "build_script",
			    .timeout = -1,
			    .grace = -1,
			    .retry_delay = 3000},
		.watch = {.log = -1, .deadline = -1, .cancel_at = -1, .eof_timeout = -1}};
	struct verdict verdict;

	read_options(argc, argv, &session);
	open_session(&session);
	verdict = course_play(&session);
	say_verdict(&session, verdict);
	if (session.options.result != NULL)
		write_result(&session, verdict);
	close_session(&session);
	return OUTCOMES[verdict.outcome].exit_code;
}
