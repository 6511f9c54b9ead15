/*
 * The executable: its name makes it jacamar-auth, jacamar or jacamar-ci.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/downscope.h"

#define ENV_SCRIPT "env-script"

static const struct stage {
	const char *name;
	const char *operands; /* operands and options, for --help */
	user_stage *as_user;  /* the stage as the user, started by jacamar-auth */
	int count;	      /* of operands from the runner */
	int user_count;	      /* of operands from jacamar-auth, env-script included */
} stages[] = {
	{"config", "--configuration FILE", config_applet, 0, 1},
	{"prepare", "[--configuration FILE]", prepare_applet, 0, 1},
	{"run", "[--configuration FILE] SCRIPT SUBSTAGE", run_applet, 2, 2},
	{"cleanup", "[--configuration FILE]", cleanup_applet, 0, 1},
};

#define STAGE_COUNT (sizeof(stages) / sizeof(stages[0]))

/* Commands for administrators, with options of their own. */
static const struct tool {
	const char *name;
	int (*run)(struct invocation *call, int argc, char **argv);
} tools[] = {
	{"doctor", doctor_applet},
	{"explain", explain_applet},
};

#define TOOL_COUNT (sizeof(tools) / sizeof(tools[0]))

static void print_help(const struct invocation *call)
{
	const char *option = call->is_auth ? "[-u]" : "--no-auth [-u]";
	printf("The commands of a GitLab Runner's custom executor, one for each stage of a "
	       "job:\n\n");
	for (size_t i = 0; i < STAGE_COUNT; i++)
		printf("  %s %s %s %s\n", call->program, option, stages[i].name,
		       stages[i].operands);
	printf("  %s config --check FILE\n", call->program);
	for (size_t i = 0; !call->is_auth && i < TOOL_COUNT; i++)
		printf("  %s %s [OPTION...]\n", call->program, tools[i].name);
	printf("\n"
	       "      --configuration FILE  the site's settings; required by config\n"
	       "      --check FILE          print the settings in effect, or all errors in them\n"
	       "  -u, --unobfuscated        say in the job's log why the job was refused\n"
	       "      --no-auth             run jobs as this account (jacamar)\n"
	       "  -h, --help                print this\n"
	       "  -V, --version             print the version (jacamar-auth: also what the host "
	       "has)\n"
	       "\n"
	       "jacamar-auth finds out who triggered a job and starts jacamar as that person's\n"
	       "account; jacamar runs the job. Sites whose jobs all run as one account call\n"
	       "jacamar --no-auth instead. jacamar-ci --list prints the commands of this program.\n"
	       "jacamar doctor finds faults of an installation; jacamar explain shows which rule\n"
	       "admits or refuses a job.\n"
	       "See jacamar(8), jacamar-auth(8), jacamar-doctor(8), jacamar-explain(8) and\n"
	       "jacamar-config.toml(5).\n");
}

/*
 * The caller may have closed the standard descriptors, and a file that is opened later would take
 * their place. They are opened for reading, so that writing to them fails: a message must not seem
 * to be written.
 */
static int open_standard_descriptors(struct error *err)
{
	int fd;
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open /dev/null");
	close(fd);
	return 0;
}

/* The exit code that the runner has set in this variable; otherwise the runner's default. */
static int exit_code_from(const char *variable, int otherwise)
{
	const char *text = getenv(variable);
	uint64_t code;
	return text != NULL && text_to_u64(text, &code) && code >= 1 && code <= 255 ? (int)code
										    : otherwise;
}

/* Without the arguments that config.toml sets, a call has no command, or a script's path as one. */
#define SET_BY                                                                        \
	"the runner's config.toml sets it in config_args, prepare_args, run_args or " \
	"cleanup_args"

/* For a call with the arguments of another stage: run_args = ["prepare"]. */
#define ITS_PLACE "in the runner's config.toml, it must be the command in %s_args, and in no others"

static const struct stage *find_stage(const char *name)
{
	for (size_t i = 0; i < STAGE_COUNT; i++)
		if (strcmp(stages[i].name, name) == 0)
			return &stages[i];
	return NULL;
}

static const struct tool *find_tool(const char *name)
{
	for (size_t i = 0; i < TOOL_COUNT; i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	return NULL;
}

/* Dispatches a parsed command line. */
static int dispatch(struct invocation *call)
{
	const struct stage *stage = find_stage(call->stage);
	int count = 0;
	while (call->operands[count] != NULL)
		count++;

	if (stage == NULL)
		return applet_usage(call, "unknown command \"%.100s\"; " SET_BY "%s", call->stage,
				    strchr(call->stage, ' ') != NULL
					    ? ", where each word needs quotes of its own"
					    : "");
	if (call->is_auth && call->no_auth)
		return applet_usage(call, "--no-auth is an option of jacamar");
	if (call->check != NULL)
		return strcmp(stage->name, "config") == 0 && call->configuration == NULL &&
				       count == 0
			       ? check_applet(call)
			       : applet_usage(call, "--check FILE is an option of config only, and "
						    "excludes other arguments");
	if (!call->is_auth && !call->no_auth) {
		applet_say(call,
			   "jobs that run as the person who triggered them are started by "
			   "jacamar-auth; to run all jobs as this account, call: jacamar "
			   "--no-auth %s",
			   stage->name);
		return call->system_failure;
	}
	if (call->behind_channel && count > 0 && strcmp(call->operands[0], ENV_SCRIPT) == 0)
		return count == stage->user_count
			       ? applet_run_as_user(call, stage->as_user)
			       : applet_usage(call, "wrong arguments for env-script");
	if (count != stage->count)
		return applet_usage(call,
				    stage->count == 0
					    ? "%s takes no arguments; " ITS_PLACE
					    : "%s needs two arguments, SCRIPT and SUBSTAGE, which "
					      "GitLab Runner adds; " ITS_PLACE,
				    stage->name, stage->name);
	return auth_applet(call);
}

/* Parses the options. Returns an exit code, or -1 with call->stage set. */
static int parse_options(struct invocation *call, int argc, char **argv)
{
	bool lists = false;
	const struct applet_option options[] = {
		{"unobfuscated", .flag = &call->unobfuscated, .letter = 'u'},
		{"no-auth", .flag = &call->no_auth},
		{"configuration", .value = &call->configuration},
		{"check", .value = &call->check},
		{"list", .flag = &lists},
		{.name = NULL},
	};
	int code = applet_parse(call, argc, argv, options, print_help);
	if (code >= 0)
		return code;
	if (lists) {
		printf("auth\n");
		for (size_t i = 0; i < STAGE_COUNT; i++)
			printf("%s\n", stages[i].name);
		for (size_t i = 0; i < TOOL_COUNT; i++)
			printf("%s\n", tools[i].name);
		return applet_printed(call);
	}
	if (optind == argc)
		return applet_usage(
			call, "the command is missing: config, prepare, run or cleanup; " SET_BY);
	call->stage = argv[optind];
	call->operands = argv + optind + 1;
	return -1;
}

int main(int argc, char **argv)
{
	struct error err;
	/* A program starts with the capabilities of its file in effect; that ends here. */
	bool lowered = privilege_lower(&err) == 0;
	const char *path = argc > 0 ? argv[0] : "";
	const char *slash = strrchr(path, '/');
	struct invocation call = {.program = slash != NULL ? slash + 1 : path};

	if (strcmp(call.program, "jacamar-ci") == 0 && argc > 1 && strcmp(argv[1], "auth") == 0) {
		call.program = "jacamar-auth";
		argc--;
		argv++;
	}
	call.is_auth = strcmp(call.program, "jacamar-auth") == 0;
	/* Before an argument is read: only jacamar-auth keeps capabilities, in reserve. */
	bool ready =
		lowered && (call.is_auth ? privilege_reserve(&err) : privilege_drop(&err)) == 0;
	call.system_failure = exit_code_from("SYSTEM_FAILURE_EXIT_CODE", 2);
	call.build_failure = exit_code_from("BUILD_FAILURE_EXIT_CODE", 1);
	for (int i = 1; i < argc && !call.is_auth; i++)
		call.behind_channel = call.behind_channel || strcmp(argv[i], ENV_SCRIPT) == 0;
	/* Descriptors that the caller left open would only help someone who takes over a parser. */
	if (!ready || open_standard_descriptors(&err) != 0 ||
	    io_close_from(STDERR_FILENO + 1, &err) != 0)
		return applet_give_up(&call, &err);
	if (argc < 1)
		return applet_usage(&call, "the program was called without its own name");
	const struct tool *tool = argc > 1 ? find_tool(argv[1]) : NULL;
	if (tool != NULL && call.is_auth)
		return applet_usage(&call, "%s is a command of jacamar", tool->name);
	if (tool != NULL) {
		call.tool = tool->name;
		return tool->run(&call, argc - 1, argv + 1);
	}
	int done = parse_options(&call, argc, argv);
	return call.stage != NULL ? dispatch(&call) : done;
}
