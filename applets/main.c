/*
 * The one executable: by its name it is jacamar-auth, jacamar or jacamar-ci.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applets/applet.h"
#include "core/downscope.h"
#include "core/text.h"
#include "core/version.h"

#define ENV_SCRIPT "env-script"

static const struct stage {
	const char *name;
	const char *operands;		     /* and options, as the usage shows them */
	int (*as_user)(struct invocation *); /* behind the channel */
	int count;			     /* of operands from the runner */
	int user_count;			   /* of operands from jacamar-auth, env-script included */
	int (*check)(struct invocation *); /* what --check FILE asks for; NULL: it does not go */
} stages[] = {
	{"config", "--configuration FILE", config_applet, 0, 1, check_applet},
	{"prepare", "[--configuration FILE]", prepare_applet, 0, 1, NULL},
	{"run", "[--configuration FILE] SCRIPT SUBSTAGE", run_applet, 2, 2, NULL},
	{"cleanup", "[--configuration FILE]", cleanup_applet, 0, 1, NULL},
};

#define STAGE_COUNT (sizeof(stages) / sizeof(stages[0]))

static void print_help(const struct invocation *call)
{
	const char *option = call->is_auth ? "[-u]" : "--no-auth [-u]";
	printf("The commands of a GitLab Runner's custom executor, one for each stage of a "
	       "job:\n\n");
	for (size_t i = 0; i < STAGE_COUNT; i++)
		printf("  %s %s %s %s\n", call->program, option, stages[i].name,
		       stages[i].operands);
	printf("  %s config --check FILE\n", call->program);
	if (!call->is_auth)
		printf("  %s doctor [OPTION...]\n", call->program);
	printf("\n"
	       "      --configuration FILE  the site's settings; config needs them\n"
	       "      --check FILE          print these settings, or all that is wrong with them\n"
	       "  -u, --unobfuscated        tell the job's log why it was refused\n"
	       "      --no-auth             run jobs as this account (jacamar)\n"
	       "  -h, --help                print this\n"
	       "  -V, --version             print the version\n"
	       "\n"
	       "jacamar-auth finds out who triggered a job and becomes that person; jacamar runs\n"
	       "the job, and is its own way in on sites whose jobs all run as one account.\n"
	       "jacamar-ci --list prints the names under which this program can be called.\n"
	       "jacamar doctor finds what is wrong with an installation.\n"
	       "See jacamar(8), jacamar-auth(8), jacamar-doctor(8) and jacamar-config.toml(5).\n");
}

static void print_list(void)
{
	printf("auth\n");
	for (size_t i = 0; i < STAGE_COUNT; i++)
		printf("%s\n", stages[i].name);
	printf("doctor\n");
}

/* The exit code of a call that only prints. */
static int printed(const struct invocation *call)
{
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : call->system_failure;
}

/*
 * A caller may have closed them; a file opened later would take their place. They can only be read:
 * what somebody is to be told must not seem to have been said.
 */
static void open_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		_exit(2);
	close(fd);
}

static const char *base_name(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	return slash != NULL ? slash + 1 : path != NULL ? path : "";
}

/* The runner says which exit codes it understands; these are what it says today. */
static int exit_code_from(const char *variable, int otherwise)
{
	const char *text = getenv(variable);
	uint64_t code;
	return text != NULL && text_to_u64(text, &code) && code >= 1 && code <= 255 ? (int)code
										    : otherwise;
}

/* Behind the channel every exit code is a script's; a failure is said by a signal. */
static int fail(const struct invocation *call, const char *text)
{
	struct error err;
	if (call->behind_channel) {
		error_set(&err, ERROR_USAGE, "%s", text);
		applet_fail(call, &err);
	}
	applet_say(call, "%s", text);
	return call->system_failure;
}

static int advise(const struct invocation *call, const char *what, const char *which,
		  const char *advice)
{
	char text[512];
	snprintf(text, sizeof(text), "%s%.100s; %ssee: %s --help", what, which, advice,
		 call->program);
	text_make_printable(text);
	return fail(call, text);
}

static int usage(const struct invocation *call, const char *what, const char *which)
{
	return advise(call, what, which, "");
}

/* Without its arguments from config.toml the runner's call has none, or a script's path alone. */
static int no_stage(const struct invocation *call, const char *what, const char *which)
{
	return advise(call, what, which,
		      "in the runner's config.toml it stands in config_args, prepare_args, "
		      "run_args or cleanup_args; ");
}

static bool is_behind_channel(char **argv)
{
	for (; argv[0] != NULL; argv++)
		if (strcmp(argv[0], ENV_SCRIPT) == 0)
			return true;
	return false;
}

static const struct stage *find_stage(const char *name)
{
	for (size_t i = 0; i < STAGE_COUNT; i++)
		if (strcmp(stages[i].name, name) == 0)
			return &stages[i];
	return NULL;
}

/* Dispatches a command line that has been taken apart. */
static int dispatch(struct invocation *call)
{
	const struct stage *stage = find_stage(call->stage);
	int count = 0;
	while (call->operands[count] != NULL)
		count++;

	if (stage == NULL)
		return no_stage(call, "there is no stage ", call->stage);
	if (call->is_auth && call->no_auth)
		return usage(call, "--no-auth is an option of jacamar", "");
	if (call->check != NULL)
		return stage->check != NULL && call->configuration == NULL && count == 0
			       ? stage->check(call)
			       : usage(call, "--check FILE belongs to config alone", "");
	if (!call->is_auth && !call->no_auth) {
		applet_say(call,
			   "jobs that run as the person who triggered them are started by "
			   "jacamar-auth; "
			   "to run them all as this account, call: jacamar --no-auth %s",
			   stage->name);
		return call->system_failure;
	}
	if (call->behind_channel && count > 0 && strcmp(call->operands[0], ENV_SCRIPT) == 0)
		return count == stage->user_count
			       ? applet_close_channel(stage->as_user(call))
			       : usage(call, "wrong operands for env-script", "");
	if (count != stage->count)
		return usage(call,
			     stage->count == 0 ? "no operand belongs behind "
					       : "a SCRIPT and a SUBSTAGE belong behind ",
			     stage->name);
	return auth_applet(call);
}

/* Takes the options; a result of 0 or more is the exit code, -1 means: go on. */
static int parse_options(struct invocation *call, int argc, char **argv)
{
	enum { NO_AUTH = 256, CONFIGURATION, CHECK, LIST };
	static const struct option options[] = {
		{"unobfuscated", no_argument, NULL, 'u'},
		{"no-auth", no_argument, NULL, NO_AUTH},
		{"configuration", required_argument, NULL, CONFIGURATION},
		{"check", required_argument, NULL, CHECK},
		{"list", no_argument, NULL, LIST},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":uhV", options, NULL)) != -1;) {
		switch (option) {
		case 'u':
			call->unobfuscated = true;
			break;
		case NO_AUTH:
			call->no_auth = true;
			break;
		case CONFIGURATION:
			call->configuration = optarg;
			break;
		case CHECK:
			call->check = optarg;
			break;
		case LIST:
			print_list();
			return printed(call);
		case 'h':
			print_help(call);
			return printed(call);
		case 'V':
			printf("%s %s\n", call->program, JACAMAR_VERSION);
			return printed(call);
		case ':':
			return usage(call, "a value is missing behind ", argv[optind - 1]);
		default:
			return usage(call, "there is no option ", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return no_stage(call, "a stage is missing: config, prepare, run or cleanup", "");
	call->stage = argv[optind];
	call->operands = argv + optind + 1;
	return -1;
}

int main(int argc, char **argv)
{
	struct error err;
	struct invocation call = {.program = base_name(argc > 0 ? argv[0] : NULL)};

	open_standard_descriptors();
	if (strcmp(call.program, "jacamar-ci") == 0 && argc > 1 && strcmp(argv[1], "auth") == 0) {
		call.program = "jacamar-auth";
		argc--;
		argv++;
	}
	call.is_auth = strcmp(call.program, "jacamar-auth") == 0;
	call.system_failure = exit_code_from("SYSTEM_FAILURE_EXIT_CODE", 2);
	call.build_failure = exit_code_from("BUILD_FAILURE_EXIT_CODE", 1);

	/* Before anything else is looked at: no name but jacamar-auth ever holds a capability. */
	if ((call.is_auth ? privilege_reserve(&err) : privilege_drop(&err)) != 0)
		return fail(&call, err.detail);
	/* What the caller left open is of no use here, and would be to who takes over a parser. */
	if (downscope_close_from(STDERR_FILENO + 1, &err) != 0)
		return fail(&call, err.detail);
	call.behind_channel = !call.is_auth && is_behind_channel(argv);
	if (argc < 1)
		return call.system_failure;
	if (argc > 1 && strcmp(argv[1], "doctor") == 0)
		return call.is_auth ? usage(&call, "doctor is a command of jacamar", "")
				    : doctor_applet(&call, argc - 1, argv + 1);
	int done = parse_options(&call, argc, argv);
	return done >= 0 ? done : dispatch(&call);
}
