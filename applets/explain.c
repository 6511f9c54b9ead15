/*
 * explain: which rule and key of a configuration admits or refuses a token, and as which account.
 *
 * It calls the checks that decide about jobs, and nothing is run as the user. What cannot be known
 * without the server, the job or the RunAs script is reported as not checked.
 */
#include "applets/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/doctor/as_service.h"
#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"

static void print_help(const struct invocation *call)
{
	const char *program = call->program;
	printf("Explain which rule of a configuration admits or refuses a job, without running "
	       "it:\n\n"
	       "  %s explain --configuration FILE --token FILE [--jwks FILE] [--run-script]\n"
	       "  %s explain --configuration FILE --response FILE [--jwks FILE] [--run-script]\n"
	       "  %s explain --configuration FILE --replay FILE\n"
	       "\n"
	       "      --configuration FILE  jacamar-config.toml\n"
	       "      --token FILE          an id token\n"
	       "      --response FILE       a job response, which has the token\n"
	       "      --replay FILE         an audit log: print each decision that would differ\n"
	       "      --jwks FILE           check the signature with this key set\n"
	       "      --run-script          run the RunAs script (as the service account only)\n"
	       "      --no-auth             jobs are run by jacamar --no-auth\n"
	       "  -h, --help                print this help\n"
	       "  -V, --version             print the version\n"
	       "\n"
	       "A FILE that is - is standard input, except for the first and for --jwks. Run it "
	       "as\n"
	       "the account of GitLab Runner, or as root. See jacamar-explain(8).\n",
	       program, program, program);
}

static const char *const INPUTS[] = {[EXPLAIN_TOKEN] = "--token",
				     [EXPLAIN_RESPONSE] = "--response",
				     [EXPLAIN_REPLAY] = "--replay"};

/* The service account is found as by doctor, which also explains what to do if it is not. */
static int find_service(struct explain *explain, struct error *err)
{
	cleanup_free struct doctor *doctor = calloc(1, sizeof(*doctor));
	if (doctor == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	doctor->configuration = explain->configuration;
	doctor->program = doctor_find_own(doctor);
	doctor_find_service(doctor);
	explain->service = doctor->service;
	explain->program = doctor->program;
	if (explain->program == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	return doctor->has_service
		       ? 0
		       : error_set(
				 err, ERROR_SYSTEM,
				 "cannot determine the account of GitLab Runner; run this as that "
				 "account: runuser -u ACCOUNT -- jacamar explain ...");
}

/* Prints what another process has said, which may be forged. */
static void print_lines(char *text)
{
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		text_make_printable(line);
		if (line[0] != '\0' || text != NULL)
			printf("%s\n", line);
	}
}

/* False if memory is short. */
static bool make_arguments(const struct explain *explain, struct string_list *arguments)
{
	const char *option = INPUTS[explain->kind];
	return string_list_add(arguments, "explain") &&
	       as_service_add_file(arguments, "--configuration", explain->configuration) &&
	       /* What root cannot open without capabilities, the service account may be able to. */
	       (explain->input >= 0
			? string_list_add(arguments, option) && string_list_add(arguments, "-")
			: as_service_add_file(arguments, option, explain->path)) &&
	       as_service_add_file(arguments, "--jwks", explain->keys) &&
	       (!explain->runs_script || string_list_add(arguments, "--run-script")) &&
	       (!explain->no_auth || string_list_add(arguments, "--no-auth"));
}

/*
 * What messages call the input. The process that root starts as the service account has only a
 * descriptor of it, whose file the kernel names.
 */
static void name_input(struct explain *explain)
{
	char target[sizeof(explain->name)];
	bool is_standard = strcmp(explain->path, "-") == 0;
	ssize_t size = is_standard ? readlink("/proc/self/fd/0", target, sizeof(target) - 1) : -1;
	target[size > 0 ? size : 0] = '\0';
	const char *name = target[0] == '/' ? target : "standard input";
	snprintf(explain->name, sizeof(explain->name), "%s", is_standard ? name : explain->path);
	text_make_printable(explain->name);
}

/* For root: the service account's own process sees what a job would see. */
static int run_as_service(const struct explain *explain, struct error *err)
{
	const char *service = explain->service.name;
	const int *input = explain->input >= 0 ? &explain->input : NULL;
	struct string_list arguments = {.count = 0};
	cleanup_free struct unprivileged_output *captured = calloc(1, sizeof(*captured));
	int result = -1;
	if (captured == NULL || !make_arguments(explain, &arguments))
		error_set(err, ERROR_SYSTEM, "out of memory");
	else
		result = as_service_run(&explain->service, &arguments, input, captured, err);
	string_list_free(&arguments);
	if (result != 0)
		return error_set(err, err->kind,
				 "as %s: %s; run this as that account: runuser -u %s -- jacamar "
				 "explain ...",
				 service, err->detail, service);
	if (captured->errors[0] != '\0')
		fprintf(stderr, "%s\n", captured->errors);
	print_lines(captured->output);
	int printed = applet_printed(explain->call);
	return printed != 0 || !WIFEXITED(captured->status) ? explain->call->system_failure
							    : WEXITSTATUS(captured->status);
}

static int load_settings(struct explain *explain, struct error *err)
{
	cleanup_free char *messages = NULL;
	explain->settings = settings_load(explain->configuration, explain->service.uid, &messages);
	if (explain->settings == NULL) {
		fprintf(stderr, "%s\n", messages != NULL ? messages : "out of memory");
		return error_set(err, ERROR_SYSTEM, "the configuration cannot be used: %s",
				 explain->configuration);
	}
	enum downscope_kind *downscope = &explain->settings->auth.downscope;
	if (confined_uids_set(explain->settings->auth.confined_uids, true, err) != 0 ||
	    (!explain->no_auth && applet_check_downscope(*downscope, err) != 0)) {
		applet_add_place(explain->configuration, explain->settings, err);
		return -1;
	}
	if (explain->no_auth || *downscope == DOWNSCOPE_UNSET)
		*downscope = DOWNSCOPE_NONE;
	return 0;
}

static int run(struct explain *explain, struct error *err)
{
	name_input(explain);
	/* This process will have the token in its memory. */
	if (privilege_hide_memory(err) != 0 || find_service(explain, err) != 0)
		return -1;
	bool is_service = explain->service.uid == geteuid();
	bool delegates = geteuid() == 0 && !is_service;
	/* A confined child has no standard input. */
	explain->input = strcmp(explain->path, "-") == 0
				 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
				 : open(explain->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (explain->input < 0 && !(delegates && errno == EACCES))
		return error_errno(err, ERROR_SYSTEM, "cannot open %s", explain->name);
	if (delegates)
		return run_as_service(explain, err);
	if (explain->runs_script && !is_service)
		return error_set(err, ERROR_USAGE, "only %s can run the RunAs script",
				 explain->service.name);
	if (load_settings(explain, err) != 0)
		return -1;
	return explain->kind == EXPLAIN_REPLAY ? explain_replay(explain, err)
					       : explain_job(explain, err);
}

/* Returns an exit code, or -1 with the options in *explain. */
static int parse_options(struct explain *explain, int argc, char **argv)
{
	const char *paths[EXPLAIN_INPUTS] = {NULL};
	const struct applet_option options[] = {
		{"configuration", .value = &explain->configuration},
		{"token", .value = &paths[EXPLAIN_TOKEN]},
		{"response", .value = &paths[EXPLAIN_RESPONSE]},
		{"replay", .value = &paths[EXPLAIN_REPLAY]},
		{"jwks", .value = &explain->keys},
		{"run-script", .flag = &explain->runs_script},
		{"no-auth", .flag = &explain->no_auth},
		{.name = NULL},
	};
	const struct invocation *call = explain->call;
	int inputs = 0;
	int code = applet_parse(call, argc, argv, options, print_help);
	if (code >= 0)
		return code;
	for (int kind = 0; kind < EXPLAIN_INPUTS; kind++)
		if (paths[kind] != NULL) {
			explain->kind = (enum explain_input)kind;
			explain->path = paths[kind];
			inputs++;
		}
	if (explain->configuration == NULL || inputs != 1)
		return applet_usage(call, "explain needs --configuration and one of --token, "
					  "--response and --replay");
	if (explain->kind == EXPLAIN_REPLAY && (explain->keys != NULL || explain->runs_script))
		return applet_usage(call, "--replay excludes --jwks and --run-script");
	return -1;
}

int explain_applet(struct invocation *call, int argc, char **argv)
{
	struct explain explain = {.call = call, .path = "", .input = -1};
	struct error err;
	int code = parse_options(&explain, argc, argv);
	if (code >= 0)
		return code;
	code = run(&explain, &err);
	if (code < 0)
		code = applet_give_up(call, &err);
	if (explain.input >= 0)
		close(explain.input);
	settings_free(explain.settings);
	free(explain.program);
	return code;
}
