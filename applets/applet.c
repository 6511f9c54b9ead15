#include "applets/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/schema.h"
#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/text.h"
#include "core/privilege/downscope.h"
#include "core/process/cgroup.h"
#include "core/process/leftovers.h"
#include "core/protocol/environment.h"
#include "core/workspace/script.h"

void applet_say(const struct invocation *call, const char *format, ...)
{
	char line[2048];
	/* The caller chooses the name, which may be longer than the line. */
	int used = snprintf(line, sizeof(line), "%.100s: ", call->program);
	va_list args;
	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	va_end(args);
	/* One write, so that lines of other processes in the same log do not get into it. */
	size_t length = strlen(line);
	if (length == sizeof(line) - 1)
		length--;
	line[length] = '\n';
	(void)io_write_all(STDERR_FILENO, line, length + 1);
}

void applet_note_leftovers(const struct invocation *call, const struct login_shell_end *end,
			   int scripts)
{
	struct error err;
	if (end->ended_forking)
		applet_say(call, "killed processes that kept forking with the job log open");
	if (end->in_profiles)
		applet_say(call,
			   "the login shell was still reading its profiles (/etc/profile, "
			   "~/.bash_profile, ~/.profile, ~/.bashrc); if one of them hangs, correct "
			   "it, or set the CI/CD variable JACAMAR_NO_BASH_PROFILE to true");
	if (end->log_is_held)
		applet_say(call,
			   "the job log is still held open by %s (%zu in all); what is written to "
			   "it from here on is lost; start a daemon with </dev/null >FILE 2>&1",
			   end->holder_count > 0 ? end->holders
						 : "processes that cannot be examined",
			   end->holder_count);
	if (leftovers_record(scripts, &err) != 0)
		applet_say(call, "%s", err.detail);
}

/*
 * sudo stops when its child stops, and does not continue on its own: it would not notice our end.
 * In the same session SIGCONT is permitted, and it does no harm to any other parent.
 */
static void wake_sudo(void)
{
	(void)kill(getppid(), SIGCONT);
}

/*
 * On the user's side: writes the error to the job's log, tells jacamar-auth so over the channel,
 * and ends by a signal, since any exit code can be a script's. jacamar-auth itself reports
 * ERROR_CANCELLED.
 */
__attribute__((noreturn)) static void fail(const struct invocation *call, const struct error *err)
{
	struct stat input;
	struct error ignored;
	if (err->kind != ERROR_CANCELLED)
		applet_say(call, "%s", err->detail);
	/* Before the channel: if jacamar-auth is gone, sending ends this process by SIGPIPE. */
	wake_sudo();
	/* If somebody calls jacamar by hand, standard input may be a terminal. */
	if (err->kind != ERROR_CANCELLED && fstat(STDIN_FILENO, &input) == 0 &&
	    S_ISSOCK(input.st_mode))
		(void)channel_send_number(STDIN_FILENO, CHANNEL_FAILED, &ignored);
	signals_reset();
	abort();
}

int applet_give_up(const struct invocation *call, const struct error *err)
{
	if (call->behind_channel)
		fail(call, err);
	applet_say(call, "%s%s", err->detail, err->place);
	return call->system_failure;
}

int applet_usage(const struct invocation *call, const char *format, ...)
{
	char text[512];
	struct error err;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	error_set(&err, ERROR_USAGE, "%s; see: %.100s %s%s--help", text, call->program,
		  call->tool != NULL ? call->tool : "", call->tool != NULL ? " " : "");
	return applet_give_up(call, &err);
}

/* What getopt_long(3) returns for the option of this index. */
static int number_of(const struct applet_option *options, size_t i)
{
	return options[i].letter != 0 ? options[i].letter : 256 + (int)i;
}

/*
 * The word that getopt_long(3) has read last. At an unknown letter, optind stays at the word until
 * all of its letters are read.
 */
static const char *last_word(char **argv, int given, const char *letters)
{
	const char *word = argv[optind - 1];
	bool unknown_letter =
		given == '?' && optopt != 0 && optopt < 256 && strchr(letters, optopt) == NULL;
	if (unknown_letter && (word[0] != '-' || word[strlen(word) - 1] != (char)optopt))
		return argv[optind];
	return word;
}

/* --help, --version, or a fault. */
static int end_parsing(const struct invocation *call, int given, const char *word,
		       void (*print_help)(const struct invocation *))
{
	if (given == 'V')
		return version_applet(call);
	if (given != 'h')
		return applet_usage(call,
				    given == ':' ? "%.100s needs a value" : "unknown option %.100s",
				    word);
	print_help(call);
	return applet_printed(call);
}

int applet_parse(const struct invocation *call, int argc, char **argv,
		 const struct applet_option *options,
		 void (*print_help)(const struct invocation *call))
{
	struct option rows[APPLET_OPTIONS_MOST + 3] = {{"help", no_argument, NULL, 'h'},
						       {"version", no_argument, NULL, 'V'}};
	char letters[APPLET_OPTIONS_MOST + 4] = ":hV";
	for (size_t i = 0; options[i].name != NULL; i++) {
		int has_value = options[i].value != NULL ? required_argument : no_argument;
		rows[i + 2] =
			(struct option){options[i].name, has_value, NULL, number_of(options, i)};
		letters[strlen(letters)] = options[i].letter;
	}
	opterr = 0;
	for (int given; (given = getopt_long(argc, argv, letters, rows, NULL)) != -1;) {
		const struct applet_option *found = options;
		while (found->name != NULL &&
		       number_of(options, (size_t)(found - options)) != given)
			found++;
		if (found->name == NULL)
			return end_parsing(call, given, last_word(argv, given, letters),
					   print_help);
		if (found->value != NULL)
			*found->value = optarg;
		else
			*found->flag = true;
	}
	if (call->tool != NULL && optind < argc)
		return applet_usage(call, "%s takes no argument: %.100s", call->tool, argv[optind]);
	return -1;
}

void applet_add_place(const char *path, const struct settings *settings, struct error *err)
{
	size_t line = schema_line(settings, err->key);
	if (line > 0)
		snprintf(err->place, sizeof(err->place), " (%s:%zu)", path, line);
	else if (schema_find_key(err->key) != NULL)
		snprintf(err->place, sizeof(err->place), " (not set in %s)", path);
	text_make_printable(err->place);
}

int applet_printed(const struct invocation *call)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return 0;
	applet_say(call, "cannot write to standard output: %s", strerror(errno));
	return call->system_failure;
}

/* The kernel may spare a service when memory is short; its jobs must not inherit that. */
static void level_out_of_memory_score(void)
{
	char text[16] = "";
	cleanup_close int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && io_read_full(fd, text, sizeof(text) - 1) > 0 && text[0] == '-')
		(void)io_write_all(fd, "0", 1);
}

/*
 * After sudo: makes everything as if jacamar-auth itself had changed the account, and replaces the
 * environment, which sudo has set.
 */
static int arrive(const struct invocation *call, const struct channel_header *header,
		  struct error *err)
{
	const struct state *state = &header->state;
	struct downscope_rules rules =
		downscope_rules_of(state, strcmp(call->stage, "cleanup") == 0);
	if (downscope_arrive(&state->account, &rules, err) != 0)
		return -1;
	/* PAM may have moved this process to another cgroup. */
	if (header->cgroup != NULL && cgroup_check_own(header->cgroup, err) != 0)
		return -1;
	if (environment_adopt(header->environment) != 0)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	umask(0077);
	return privilege_hide_memory(err);
}

/*
 * A process of the user may stop this one (SIGSTOP). The kernel then wakes it when the channel
 * ends, even if jacamar-auth was killed, and it ends the job.
 */
static void wake_at_end_of_channel(void)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);
	if (flags >= 0 && fcntl(STDIN_FILENO, F_SETOWN, getpid()) == 0 &&
	    fcntl(STDIN_FILENO, F_SETSIG, SIGCONT) == 0)
		(void)fcntl(STDIN_FILENO, F_SETFL, flags | O_ASYNC);
}

static int open_channel(const struct invocation *call, struct channel_reader *channel,
			struct channel_header *header, struct error *err)
{
	level_out_of_memory_score();
	if (privilege_hide_memory(err) != 0)
		return -1;
	umask(0077);
	/*
	 * stage_process.c has set this signal, and the kernel clears it only if the account
	 * changes. If jacamar-auth dies, this process must first end the job.
	 */
	(void)prctl(PR_SET_PDEATHSIG, 0);
	wake_at_end_of_channel();
	if (fcntl(STDIN_FILENO, F_SETFD, FD_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "standard input");
	if (channel_read_header(channel, header, err) != 0)
		return -1;
	if (header->state.settings.auth.downscope == DOWNSCOPE_SUDO &&
	    arrive(call, header, err) != 0)
		return -1;
	return channel_send_number(STDIN_FILENO, getpid(), err);
}

int applet_run_as_user(const struct invocation *call, user_stage *stage)
{
	struct error err;
	struct error ignored; /* then jacamar-auth has ended */
	struct channel_reader channel = {.fd = STDIN_FILENO};
	struct channel_header header = {.root = NULL};
	const char *substage = call->operands[1];
	int exit_code = -1;

	if ((substage == NULL || applet_check_substage(substage, &err) == 0) &&
	    open_channel(call, &channel, &header, &err) == 0)
		exit_code = stage(call, &channel, &header, &err);
	if (exit_code < 0)
		fail(call, &err);
	channel_free_header(&header);
	wake_sudo();
	(void)channel_send_number(STDIN_FILENO, exit_code, &ignored);
	return exit_code;
}

int applet_check_substage(const char *name, struct error *err)
{
	if (script_is_substage(name))
		return 0;
	return error_set(err, ERROR_USAGE,
			 "'%.64s' is not the name of a sub-stage: 1 to 64 characters of "
			 "[A-Za-z0-9_-]",
			 name);
}

bool applet_is_ended(const struct channel_reader *channel, int wait_ms)
{
	struct pollfd end = {.fd = channel->fd, .events = POLLIN};
	return channel_was_ended(channel) || poll(&end, 1, wait_ms) > 0;
}
