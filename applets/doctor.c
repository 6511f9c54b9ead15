/*
 * doctor: what is wrong with an installation, and the command that mends it.
 */
#include "applets/applet.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/doctor/doctor.h"
#include "core/io.h"
#include "core/text.h"
#include "core/version.h"

/* How a result is told; the colours are those of every terminal (ECMA-48). */
static const struct {
	const char *name;
	const char *colour;
} RESULTS[] = {
	[DOCTOR_PASS] = {"pass", "\033[32m"},
	[DOCTOR_SKIP] = {"skip", "\033[2m"},
	[DOCTOR_WARN] = {"warn", "\033[33m"},
	[DOCTOR_FAIL] = {"fail", "\033[31m"},
};

static void print_help(const char *program)
{
	printf("What is wrong with an installation, and the command that mends it:\n\n"
	       "  %s doctor [--configuration FILE] [--runner-config FILE] [--user NAME] [--json]\n"
	       "\n"
	       "      --configuration FILE  jacamar-config.toml; where it is not given, the one\n"
	       "                            that the runner's file names\n"
	       "      --runner-config FILE  the config.toml of GitLab Runner\n"
	       "      --user NAME           an account whose jobs should run\n"
	       "      --json                the same as JSON\n"
	       "  -h, --help                print this\n"
	       "  -V, --version             print the version\n"
	       "\n"
	       "Run it as the account of GitLab Runner. It changes nothing.\n"
	       "See jacamar-doctor(8).\n",
	       program);
}

static const char *text_of(const char *text)
{
	return text != NULL ? text : "out of memory";
}

static void print_table(const struct doctor *doctor)
{
	bool coloured = isatty(STDOUT_FILENO) == 1;
	int width = 0;
	for (size_t i = 0; i < doctor->count; i++)
		if ((int)strlen(doctor->findings[i].check) > width)
			width = (int)strlen(doctor->findings[i].check);
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->findings[i];
		printf("%s%s%s  %-*s  %s\n", coloured ? RESULTS[finding->result].colour : "",
		       RESULTS[finding->result].name, coloured ? "\033[0m" : "", width,
		       finding->check, text_of(finding->what));
		if (finding->remedy != NULL)
			printf("      %-*s  -> %s\n", width, "", finding->remedy);
	}
}

static int print_json(const struct doctor *doctor)
{
	json_auto_t *findings = json_array();
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->findings[i];
		json_t *row = json_pack("{s:s, s:s, s:s, s:s?}", "check", finding->check, "result",
					RESULTS[finding->result].name, "what",
					text_of(finding->what), "remedy", finding->remedy);
		if (json_array_append_new(findings, row) != 0)
			return -1;
	}
	json_auto_t *root = json_pack("{s:s, s:s, s:O}", "version", JACAMAR_VERSION, "result",
				      RESULTS[doctor_verdict(doctor)].name, "findings", findings);
	cleanup_free char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	return text != NULL && puts(text) >= 0 ? 0 : -1;
}

static int examine(const struct invocation *call, struct doctor *doctor, bool json)
{
	doctor_run(doctor);
	int printed = 0;
	if (json)
		printed = print_json(doctor);
	else
		print_table(doctor);
	if (printed != 0 || fflush(stdout) != 0 || ferror(stdout) != 0) {
		applet_say(call, "the findings cannot be printed");
		return call->system_failure;
	}
	return doctor_verdict(doctor) == DOCTOR_FAIL ? 1 : 0;
}

static int refuse(const struct invocation *call, const char *what, const char *which)
{
	char text[256];
	snprintf(text, sizeof(text), "%s%.100s; see: %s doctor --help", what, which, call->program);
	text_make_printable(text);
	applet_say(call, "%s", text);
	return call->system_failure;
}

/* The exit code of a call that only prints. */
static int printed(const struct invocation *call)
{
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : call->system_failure;
}

int doctor_applet(struct invocation *call, int argc, char **argv)
{
	enum { CONFIGURATION = 256, RUNNER_CONFIG_FILE, USER, JSON };
	static const struct option options[] = {
		{"configuration", required_argument, NULL, CONFIGURATION},
		{"runner-config", required_argument, NULL, RUNNER_CONFIG_FILE},
		{"user", required_argument, NULL, USER},
		{"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	cleanup_free struct doctor *doctor = calloc(1, sizeof(*doctor));
	if (doctor == NULL)
		return refuse(call, "out of memory", "");
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":hV", options, NULL)) != -1;) {
		switch (option) {
		case CONFIGURATION:
			doctor->configuration = optarg;
			break;
		case RUNNER_CONFIG_FILE:
			doctor->runner_file = optarg;
			break;
		case USER:
			doctor->user = optarg;
			break;
		case JSON:
			json = true;
			break;
		case 'h':
			print_help(call->program);
			return printed(call);
		case 'V':
			printf("%s %s\n", call->program, JACAMAR_VERSION);
			return printed(call);
		case ':':
			return refuse(call, "a value is missing behind ", argv[optind - 1]);
		default:
			return refuse(call, "there is no option ", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return refuse(call, "no operand belongs behind doctor: ", argv[optind]);
	int code = examine(call, doctor, json);
	doctor_free(doctor);
	return code;
}
