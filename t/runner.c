/*
 * Plays GitLab Runner's custom executor for one job: the calls it makes of a driver, in its order,
 * with its environment, its files, its scripts, and its way to end them. Here are the options and
 * the result; t/play/course.c tells the story of a job. What GitLab Runner does is taken from its
 * release 19.4.
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

#include "t/play/course.h"

static const char USAGE[] =
	"usage: runner [OPTION]... CONFIG.toml JOB.json\n"
	"  --cancel-after SECONDS  cancel the job that long after its begin\n"
	"  --cancel-on TEXT        cancel the job once a line of its log has TEXT\n"
	"                          (lines that announce a command do not count)\n"
	"  --abort                 a cancelled job ends at once, without after_script and the "
	"rest\n"
	"  --timeout SECONDS       of the whole job (default: the response's, or 3600)\n"
	"  --kill-grace SECONDS    from SIGTERM to SIGKILL (default: the configuration's, or 600)\n"
	"  --eof-timeout SECONDS   give up on pipes that stay open after their process ended\n"
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

static void set_option(struct options *options, struct watch *watch, int option)
{
	switch (option) {
	case 'a':
		watch->cancel_at = milliseconds_now() + milliseconds_of(optarg, 1000);
		return;
	case 'o':
		watch->cancel_text = optarg;
		return;
	case 'A':
		watch->abort = true;
		return;
	case 't':
		options->timeout = milliseconds_of(optarg, 1000);
		return;
	case 'g':
		options->grace = milliseconds_of(optarg, 1000);
		return;
	case 'e':
		watch->eof_timeout = milliseconds_of(optarg, 1000);
		return;
	case 'd':
		options->retry_delay = milliseconds_of(optarg, 1);
		return;
	case 'l':
		options->log = optarg;
		return;
	case 'r':
		options->result = optarg;
		return;
	case 'p':
		options->prepare_only = optarg;
		return;
	case 's':
		options->substage = optarg;
		return;
	case 'L':
		options->legacy = true;
		return;
	case 'k':
		options->keep = true;
		return;
	case 'S':
		options->show_stages = true;
		return;
	case 'h':
		fputs(USAGE, stdout);
		exit(EXIT_SUCCESS);
	default:
		usage();
	}
}

static struct options read_options(int argc, char **argv, struct watch *watch)
{
	static const struct option OPTIONS[] = {{"cancel-after", required_argument, NULL, 'a'},
						{"cancel-on", required_argument, NULL, 'o'},
						{"abort", no_argument, NULL, 'A'},
						{"timeout", required_argument, NULL, 't'},
						{"kill-grace", required_argument, NULL, 'g'},
						{"eof-timeout", required_argument, NULL, 'e'},
						{"retry-delay", required_argument, NULL, 'd'},
						{"log", required_argument, NULL, 'l'},
						{"result", required_argument, NULL, 'r'},
						{"prepare-only", required_argument, NULL, 'p'},
						{"substage", required_argument, NULL, 's'},
						{"legacy", no_argument, NULL, 'L'},
						{"keep", no_argument, NULL, 'k'},
						{"show-stages", no_argument, NULL, 'S'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct options options = {
		.substage = "build_script", .timeout = -1, .grace = -1, .retry_delay = 3000};
	int option;

	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
		set_option(&options, watch, option);
	if (argc - optind != 2)
		usage();
	options.config = argv[optind];
	options.job = argv[optind + 1];
	return options;
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
	watch->deadline = milliseconds_now() + options->timeout;
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
		.watch = {.log = -1, .deadline = -1, .cancel_at = -1, .eof_timeout = -1}};
	struct verdict verdict;

	session.options = read_options(argc, argv, &session.watch);
	open_session(&session);
	verdict = course_play(&session);
	say_verdict(&session, verdict);
	if (session.options.result != NULL)
		write_result(&session, verdict);
	close_session(&session);
	return OUTCOMES[verdict.outcome].exit_code;
}
