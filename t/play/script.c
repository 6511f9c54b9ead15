#include "t/play/script.h"

#include <stdlib.h>
#include <string.h>

#include "t/play/variables.h"

#define GREEN  "\033[32;1m"
#define YELLOW "\033[0;33m"
#define RESET  "\033[0;m"

/* Adds the word, in bash's $'...' if a byte needs it. */
static void add_word(struct text *text, const char *word)
{
	static const char PLAIN[] = ",-./@_0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char NAMED[] = "\a\b\t\n\v\f\r'\\", NAMES[] = "abtnvfr'\\";

	if (word[0] == '\0') {
		text_string(text, "''");
		return;
	}
	if (word[strspn(word, PLAIN)] == '\0') {
		text_string(text, word);
		return;
	}
	text_string(text, "$'");
	for (; *word != '\0'; word++) {
		const char *named = strchr(NAMED, *word);

		if (named != NULL)
			text_print(text, "\\%c", NAMES[named - NAMED]);
		else if ((unsigned char)*word < ' ' || (unsigned char)*word > '~')
			text_print(text, "\\x%02x", (unsigned char)*word);
		else
			text_add(text, word, 1);
	}
	text_string(text, "'");
}

static void add_echo(struct text *text, const char *color, const char *message)
{
	char *line = formatted("%s%s" RESET, color, message);

	text_string(text, "echo ");
	add_word(text, line);
	text_string(text, "\n");
	free(line);
}

static void add_export(struct text *text, const char *key, const char *value)
{
	text_string(text, "export ");
	add_word(text, key);
	text_string(text, "=");
	add_word(text, value);
	text_string(text, "\n");
}

/* The last sub-stage does not write the files of file variables. */
static void add_exports(struct text *text, const struct job *job, bool write_files)
{
	struct variables variables = job_variables(job);
	const char *project = job->project_dir;
	char *settings = formatted("%s.tmp/gitlab_runner_env", project);

	for (size_t i = 0; i < variables.count; i++) {
		const struct variable *variable = &variables.items[i];

		if (!variable->file) {
			add_export(text, variable->key, variable->value);
			continue;
		}
		if (write_files) {
			text_print(text, "mkdir -p \"%s.tmp\"\nprintf '%%s' ", project);
			add_word(text, variable->value);
			text_print(text, " > \"%s.tmp/%s\"\n", project, variable->key);
		}
		text_print(text, "export %s=\"%s.tmp/%s\"\n", variable->key, project,
			   variable->key);
	}
	add_export(text, "GITLAB_ENV", settings);
	text_print(text, "mkdir -p \"%s.tmp\"\ntouch \"%s\"\n", project, settings);
	text_print(text, "while read -r line; do export \"$line\"; done < \"%s\"\n", settings);
	free(settings);
	variables_free(&variables);
}

static void add_change_directory(struct text *text, const struct job *job)
{
	if (job->sources_skipped) {
		text_string(text, "mkdir -p ");
		add_word(text, job->project_dir);
		text_string(text, "\n");
	}
	text_string(text, "cd ");
	add_word(text, job->project_dir);
	text_string(text, "\n");
}

static void add_commands(struct text *text, json_t *commands)
{
	json_t *item;
	size_t i;

	json_array_foreach (commands, i, item) {
		const char *command = json_string_value(item);
		size_t first;
		char *notice;

		if (command == NULL)
			die(EXIT_USAGE, "scripts: a command is not a string");
		first = strcspn(command, "\n");
		notice = formatted("$ %.*s%s", (int)first, command,
				   command[first] == '\0' ? "" : " # collapsed multi-line command");
		add_echo(text, GREEN, notice);
		text_print(text, "%s\n", command);
		free(notice);
	}
}

static void add_prepare(struct text *text, const struct job *job)
{
	if (job->hostname != NULL && job->hostname[0] != '\0')
		text_print(text, "echo \"Running on $(hostname) via %s...\"\n", job->hostname);
	else
		text_string(text, "echo \"Running on $(hostname)...\"\n");
	text_print(text, "rm -f \"%s.tmp/gitlab_runner_env\"\n", job->project_dir);
	text_print(text, "rm -f \"%s.tmp/masking.db\"\n", job->project_dir);
}

/* As with GIT_STRATEGY=none: creates the same directories without a server to clone from. */
static void add_get_sources(struct text *text, const struct job *job)
{
	add_exports(text, job, true);
	add_export(text, "GIT_TERMINAL_PROMPT", "0");
	add_export(text, "GCM_INTERACTIVE", "Never");
	add_export(text, "GIT_LFS_SKIP_SMUDGE", "1");
	add_echo(text, GREEN, "Skipping Git repository setup");
	text_string(text, "mkdir -p ");
	add_word(text, job->project_dir);
	text_string(text, "\n");
	add_echo(text, GREEN, "Skipping Git checkout");
	add_echo(text, GREEN, "Skipping Git submodules setup");
}

/* The cache and artifact sub-stages call the runner's own program where the job runs. */
static void add_transfer(struct text *text, const struct job *job, const char *notice,
			 const char *name)
{
	char *warning = formatted("Missing gitlab-runner. %s is disabled.", name);

	add_exports(text, job, true);
	add_change_directory(text, job);
	text_string(text, "if gitlab-runner --version >/dev/null 2>&1; then\n  ");
	add_echo(text, GREEN, notice);
	text_string(text, "else\n  ");
	add_echo(text, YELLOW, warning);
	text_string(text, "fi\n");
	free(warning);
}

static void add_cleanup(struct text *text, const struct job *job)
{
	struct variables variables = job_variables(job);

	add_exports(text, job, false);
	text_print(text, "rm -f \"%s.tmp/gitlab_runner_env\"\n", job->project_dir);
	text_print(text, "rm -f \"%s.tmp/masking.db\"\n", job->project_dir);
	for (size_t i = 0; i < variables.count; i++)
		if (variables.items[i].file)
			text_print(text, "rm -f \"%s.tmp/%s\"\n", job->project_dir,
				   variables.items[i].key);
	variables_free(&variables);
}

static void add_payload(struct text *text, const struct job *job, const char *substage)
{
	static const struct {
		const char *substage;
		const char *notice;
		const char *name;
	} TRANSFERS[] = {
		{"restore_cache", "Checking cache for default...", "Extracting cache"},
		{"download_artifacts", "Downloading artifacts...", "Artifacts downloading"},
		{"archive_cache", "Creating cache default...", "Creating cache"},
		{"archive_cache_on_failure", "Creating cache default...", "Creating cache"},
		{"upload_artifacts_on_success", "Uploading artifacts...", "Uploading artifacts"},
		{"upload_artifacts_on_failure", "Uploading artifacts...", "Uploading artifacts"},
	};

	for (size_t i = 0; i < sizeof(TRANSFERS) / sizeof(TRANSFERS[0]); i++) {
		if (strcmp(TRANSFERS[i].substage, substage) != 0)
			continue;
		add_transfer(text, job, TRANSFERS[i].notice, TRANSFERS[i].name);
		return;
	}
	if (strcmp(substage, "prepare_script") == 0) {
		add_prepare(text, job);
	} else if (strcmp(substage, "get_sources") == 0) {
		add_get_sources(text, job);
	} else if (strcmp(substage, "cleanup_file_variables") == 0) {
		add_cleanup(text, job);
	} else {
		add_exports(text, job, true);
		add_change_directory(text, job);
		if (strcmp(substage, "after_script") == 0)
			add_echo(text, GREEN, "Running after script...");
	}
}

struct text script_for(const struct job *job, const char *substage, bool legacy)
{
	struct text payload = {NULL, 0, 0}, script = {NULL, 0, 0};

	add_payload(&payload, job, substage);
	add_commands(&payload, job_script(job, substage));
	text_string(&script, "#!/usr/bin/env bash\n\n");
	if (legacy) {
		text_string(&script, "trap exit 1 TERM\n\n"
				     "if set -o | grep pipefail > /dev/null; then "
				     "set -o pipefail; fi; set -o errexit\n"
				     "set +o noclobber\n: | eval ");
		add_word(&script, payload.data);
	} else {
		text_string(&script,
			    "trap 'exit 1' TERM\n\n"
			    "case \"$(set -o)\" in *\"pipefail\"*) set -o pipefail;; esac; "
			    "set -o errexit\n"
			    "set +o noclobber\n(trap 'exit 1' TERM; eval ");
		add_word(&script, payload.data);
		text_string(&script, ") < /dev/null");
	}
	text_string(&script, "\nexit 0\n");
	text_free(&payload);
	return script;
}
