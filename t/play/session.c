#include "t/play/session.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "t/play/script.h"

#define BUILD_FAILURE_EXIT_CODE	 1
#define SYSTEM_FAILURE_EXIT_CODE 2
#define AFTER_SCRIPT_TIMEOUT	 300000 /* milliseconds */

const struct outcome_row OUTCOMES[] = {
	[SUCCESS] = {"success", 0},
	[BUILD_FAILURE] = {"build_failure", 1},
	[SYSTEM_FAILURE] = {"system_failure", 2},
	[UNKNOWN_FAILURE] = {"unknown", 3},
	[STOPPED] = {"canceled", 4},
	[HUNG] = {"hung", 5},
};

void session_say(const struct session *session, const char *line)
{
	watch_log(&session->watch, line, strlen(line));
	watch_log(&session->watch, "\n", 1);
}

/* Files */

/* A new directory PREFIX + digits, as Go's MkdirTemp names them; 0700. */
static char *make_directory(const char *parent, const char *prefix)
{
	for (int i = 0; i < 100; i++) {
		unsigned int number;
		char *path;

		if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
			die(EXIT_FAILURE, "getrandom: %s", strerror(errno));
		path = formatted("%s/%s%u", parent, prefix, number);
		if (mkdir(path, 0700) == 0)
			return path;
		if (errno != EEXIST)
			die(EXIT_FAILURE, "%s: %s", path, strerror(errno));
		free(path);
	}
	die(EXIT_FAILURE, "%s: no free name", parent);
}

void write_new_file(const char *path, const char *bytes, size_t length, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0 || io_write_all(fd, bytes, length) != 0 || close(fd) != 0)
		die(EXIT_FAILURE, "%s: %s", path, strerror(errno));
}

void session_make_files(struct session *session)
{
	const char *parent = getenv("TMPDIR");
	const char *raw = json_string_value(json_object_get(session->job.file, "raw_response"));
	struct job_files *files = &session->files;
	char *response;

	if (session->options.prepare_only != NULL)
		parent = session->options.prepare_only;
	files->directory = make_directory(parent == NULL ? "/tmp" : parent, "custom-executor");
	files->response = formatted("%s/response.json", files->directory);
	files->exit_code = formatted("%s/build_exit_code", files->directory);
	job_expand_image(&session->job);
	response = raw == NULL ? json_dumps(session->job.response, JSON_COMPACT) : copied(raw);
	write_new_file(files->response, response, strlen(response), 0600);
	free(response);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type, (void)place;
	if (remove(path) != 0)
		fprintf(stderr, "runner: %s: %s\n", path, strerror(errno));
	return 0;
}

void session_remove_files(struct session *session)
{
	struct job_files *files = &session->files;

	if (files->directory != NULL && !session->options.keep)
		nftw(files->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(files->directory);
	free(files->response);
	free(files->exit_code);
	*files = (struct job_files){NULL, NULL, NULL};
}

char *session_make_script(struct session *session, const char *substage)
{
	struct text script = script_for(&session->job, substage, session->options.legacy);
	char *directory = make_directory(session->files.directory, "script");
	char *path = formatted("%s/%s", directory, session->options.legacy ? "script." : "script");

	write_new_file(path, script.data, script.length, 0700);
	free(directory);
	text_free(&script);
	return path;
}

/* Calls */

/* The first line of BUILD_EXIT_CODE_FILE; a driver need not write one. -1: not a code. */
static int read_exit_code(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[32] = "";
	char *end;
	long code;

	if (file == NULL)
		return BUILD_FAILURE_EXIT_CODE;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	code = strtol(line, &end, 10);
	return line[0] == '\0' || *end != '\0' || code < 1 || code > 255 ? -1 : (int)code;
}

static struct verdict verdict_of(const struct session *session, const struct call *call)
{
	int code;

	if (call->hung)
		return (struct verdict){HUNG, 0};
	if (call->error != 0 || call->given_up)
		return (struct verdict){SYSTEM_FAILURE, 0};
	if (!WIFEXITED(call->status))
		return (struct verdict){UNKNOWN_FAILURE, 0};
	if (WEXITSTATUS(call->status) == 0)
		return (struct verdict){SUCCESS, 0};
	if (WEXITSTATUS(call->status) == SYSTEM_FAILURE_EXIT_CODE)
		return (struct verdict){SYSTEM_FAILURE, 0};
	if (WEXITSTATUS(call->status) != BUILD_FAILURE_EXIT_CODE)
		return (struct verdict){UNKNOWN_FAILURE, 0};
	code = read_exit_code(session->files.exit_code);
	return code < 0 ? (struct verdict){UNKNOWN_FAILURE, 0}
			: (struct verdict){BUILD_FAILURE, code};
}

static void record(struct session *session, const struct call *call, enum stage stage,
		   const char *substage, struct verdict verdict)
{
	json_t *entry = json_object(), *argv = json_array();

	for (char **argument = call->argv; *argument != NULL; argument++)
		json_array_append_new(argv, json_string(*argument));
	json_object_set_new(entry, "stage", json_string(STAGE_NAMES[stage]));
	if (substage != NULL)
		json_object_set_new(entry, "substage", json_string(substage));
	json_object_set_new(entry, "argv", argv);
	json_object_set_new(entry, "pid", json_integer(call->pid));
	json_object_set_new(entry, "milliseconds", json_integer(call->duration));
	if (call->error != 0)
		json_object_set_new(entry, "error", json_string(strerror(call->error)));
	else if (WIFSIGNALED(call->status))
		json_object_set_new(entry, "signal", json_integer(WTERMSIG(call->status)));
	else
		json_object_set_new(entry, "exit", json_integer(WEXITSTATUS(call->status)));
	json_object_set_new(entry, "classification", json_string(OUTCOMES[verdict.outcome].name));
	if (verdict.outcome == BUILD_FAILURE)
		json_object_set_new(entry, "build_exit_code", json_integer(verdict.code));
	if (call->signalled != 0)
		json_object_set_new(entry, "sent", json_integer(call->signalled));
	if (call->hung || call->given_up)
		json_object_set_new(entry, "hung", json_true());
	if (call->keep_stdout)
		json_object_set_new(entry, "stdout",
				    json_stringn(call->output.data, call->output.length));
	if (call->keep_stderr)
		json_object_set_new(entry, "stderr",
				    json_stringn(call->errors.data, call->errors.length));
	json_array_append_new(session->calls, entry);
}

char **session_arguments(const struct session *session, enum stage stage, const char *script,
			 const char *substage)
{
	const struct driver_command *command = &session->config.commands[stage];
	size_t count = 0, n = 0;
	char **argv;

	while (command->arguments[count] != NULL)
		count++;
	argv = resized(NULL, count + 4, sizeof(*argv));
	argv[n++] = copied(command->path);
	for (size_t i = 0; i < count; i++)
		argv[n++] = copied(command->arguments[i]);
	if (script != NULL) {
		argv[n++] = copied(script);
		argv[n++] = copied(substage);
	}
	argv[n] = NULL;
	return argv;
}

static void note_faults(struct session *session, const struct call *call, enum outcome outcome)
{
	bool ours = call->signalled != 0 && call->error == 0 && WIFSIGNALED(call->status);

	if (outcome == UNKNOWN_FAILURE && !ours)
		session->violated = true;
	if (call->hung || call->given_up) {
		session->hung = true;
		session_say(session, "HUNG: standard output or error of the call is still held");
	}
	if (call->error != 0)
		fprintf(stderr, "runner: failed to start command: %s: %s\n", call->argv[0],
			strerror(call->error));
}

struct verdict session_call(struct session *session, enum stage stage, enum phase phase,
			    const char *script, const char *substage, struct text *answer)
{
	long timeout = session->config.commands[stage].timeout;
	struct call call = {
		.phase = phase,
		.argv = session_arguments(session, stage, script, substage),
		.environment = job_environment(&session->job, &session->files),
		.directory = session->files.directory,
		.timeout = timeout > 0 ? (int64_t)timeout * 1000 : -1,
		.keep_stdout = stage == STAGE_CONFIG || stage == STAGE_CLEANUP,
		.keep_stderr = stage == STAGE_CLEANUP,
	};
	struct verdict verdict;

	if (substage != NULL && strcmp(substage, "after_script") == 0)
		call.timeout = AFTER_SCRIPT_TIMEOUT;
	if (session->options.show_stages)
		fprintf(stderr, "== %s%s%s ==\n", STAGE_NAMES[stage], substage == NULL ? "" : " ",
			substage == NULL ? "" : substage);
	call_run(&call, &session->watch);
	verdict = verdict_of(session, &call);
	record(session, &call, stage, substage, verdict);
	note_faults(session, &call, verdict.outcome);
	if (answer != NULL)
		*answer = call.output;
	else
		text_free(&call.output);
	text_free(&call.errors);
	strings_free(call.argv);
	strings_free(call.environment);
	return verdict;
}
