#include "t/play/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_quoted(struct text *text, const char *word)
{
	text_string(text, "'");
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			text_string(text, "'\\''");
		else
			text_add(text, word, 1);
	}
	text_string(text, "'");
}

/* Writes a script for sh that makes one call, with only that call's environment. */
static void write_call(const struct session *session, const char *name, char **argv,
		       char **environment, bool last)
{
	struct text text = {NULL, 0, 0};
	char *path = formatted("%s/%s", session->options.prepare_only, name);

	text_string(&text, "#!/bin/sh\ncd ");
	add_quoted(&text, session->files.directory);
	text_string(&text, last ? " || exit\nenv -i" : " || exit\nexec env -i");
	for (char **setting = environment; *setting != NULL; setting++) {
		text_string(&text, " ");
		add_quoted(&text, *setting);
	}
	for (char **argument = argv; *argument != NULL; argument++) {
		text_string(&text, " ");
		add_quoted(&text, *argument);
	}
	text_string(&text, " </dev/null\n");
	if (last) {
		text_string(&text, "code=$?\nrm -rf ");
		add_quoted(&text, session->files.directory);
		text_string(&text, "\nexit $code\n");
	}
	write_new_file(path, text.data, text.length, 0700);
	free(path);
	text_free(&text);
}

void bench_leave(struct session *session)
{
	const char *substage = session->options.substage;
	char **environment = job_environment(&session->job, &session->files);
	char *script, *path, **argv;
	struct text text = {NULL, 0, 0};

	session->job.sources_skipped = true;
	script = session_make_script(session, substage);
	argv = session_arguments(session, STAGE_RUN, script, substage);
	path = formatted("%s/script", session->options.prepare_only);
	if (symlink(script, path) != 0)
		die(EXIT_FAILURE, "%s: %s", path, strerror(errno));
	free(path);
	for (char **setting = environment; *setting != NULL; setting++)
		text_add(&text, *setting, strlen(*setting) + 1);
	path = formatted("%s/env", session->options.prepare_only);
	write_new_file(path, text.data, text.length, 0600);
	write_call(session, "call.sh", argv, environment, false);
	strings_free(argv);
	if (session->config.commands[STAGE_CLEANUP].path != NULL) {
		argv = session_arguments(session, STAGE_CLEANUP, NULL, NULL);
		write_call(session, "cleanup.sh", argv, environment, true);
		strings_free(argv);
	}
	text_free(&text);
	free(path);
	free(script);
	strings_free(environment);
	/* cleanup.sh removes them. */
	session->options.keep = true;
	session_remove_files(session);
}
