/*
 * doctor: checks an installation and prints how to repair it.
 */
#include "applets/applet.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/version.h"

/* Every terminal has these colours (ECMA-48). */
static const char *const COLOURS[DOCTOR_RESULTS] = {
	[DOCTOR_PASS] = "\033[32m",
	[DOCTOR_SKIP] = "\033[2m",
	[DOCTOR_WARN] = "\033[33m",
	[DOCTOR_FAIL] = "\033[31m",
};

static void print_help(const struct invocation *call)
{
	printf("Check an installation, and print how to repair it:\n\n"
	       "  %s doctor [--configuration FILE] [--runner-config FILE] [--user NAME] [--json]\n"
	       "\n"
	       "      --configuration FILE  jacamar-config.toml (default: the file that the\n"
	       "                            runner's file passes to the stage config)\n"
	       "      --runner-config FILE  the config.toml of GitLab Runner\n"
	       "      --user NAME           the account of a user whose jobs should run\n"
	       "      --json                print JSON instead of a table\n"
	       "  -h, --help                print this help\n"
	       "  -V, --version             print the version\n"
	       "\n"
	       "Run it as the account of GitLab Runner, or as root. It changes nothing.\n"
	       "See jacamar-doctor(8).\n",
	       call->program);
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
		printf("%s%s%s  %-*s  %s\n", coloured ? COLOURS[finding->result] : "",
		       DOCTOR_RESULT_NAMES[finding->result], coloured ? "\033[0m" : "", width,
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
					DOCTOR_RESULT_NAMES[finding->result], "what",
					text_of(finding->what), "remedy", finding->remedy);
		if (json_array_append_new(findings, row) != 0)
			return -1;
	}
	json_auto_t *root =
		json_pack("{s:s, s:s, s:O}", "version", JACAMAR_VERSION, "result",
			  DOCTOR_RESULT_NAMES[doctor_verdict(doctor)], "findings", findings);
	cleanup_free char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	return text != NULL && puts(text) >= 0 ? 0 : -1;
}

int doctor_applet(struct invocation *call, int argc, char **argv)
{
	bool json = false;
	cleanup_free struct doctor *doctor = calloc(1, sizeof(*doctor));
	if (doctor == NULL)
		return applet_usage(call, "out of memory");
	const struct applet_option options[] = {
		{"configuration", .value = &doctor->configuration},
		{"runner-config", .value = &doctor->runner_file},
		{"user", .value = &doctor->user},
		{"json", .flag = &json},
		{.name = NULL},
	};
	int code = applet_parse(call, argc, argv, options, print_help);
	if (code >= 0)
		return code;
	doctor_run(doctor);
	int printed = 0;
	if (json)
		printed = print_json(doctor);
	else
		print_table(doctor);
	code = doctor_verdict(doctor) == DOCTOR_FAIL ? 1 : 0;
	if (printed != 0 || fflush(stdout) != 0 || ferror(stdout) != 0) {
		applet_say(call, "the findings cannot be printed");
		code = call->system_failure;
	}
	doctor_free(doctor);
	return code;
}
