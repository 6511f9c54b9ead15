#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/text.h"

static const struct scheduler *const SCHEDULERS[] = {
	[EXECUTOR_COBALT] = &COBALT, [EXECUTOR_LSF] = &LSF, [EXECUTOR_SLURM] = &SLURM,
	[EXECUTOR_FLUX] = &FLUX,     [EXECUTOR_PBS] = &PBS,
};

const struct scheduler *scheduler_of(enum executor_kind executor)
{
	size_t index = (size_t)executor;
	return index < sizeof(SCHEDULERS) / sizeof(SCHEDULERS[0]) ? SCHEDULERS[index] : NULL;
}

const char *scheduler_name_of(enum executor_kind executor)
{
	const struct scheduler *scheduler = scheduler_of(executor);
	return scheduler != NULL ? scheduler->name : "shell";
}

bool scheduler_find_state(const struct batch_state *states, const char *name, size_t length,
			  struct batch_answer *answer)
{
	while (states->name != NULL &&
	       (strncmp(states->name, name, length) != 0 || states->name[length] != '\0'))
		states++;
	answer->meaning = states->meaning;
	answer->words = states->words;
	return states->name != NULL;
}

bool scheduler_find_number(const char *lines, const char *mark, char number[BATCH_NUMBER_SIZE])
{
	for (const char *line = lines; *line != '\0';) {
		size_t digits = strspn(line, TEXT_WORD ".");
		size_t length = strcspn(line, "\n");
		if (digits > 0 && digits < BATCH_NUMBER_SIZE && line[0] != '-' &&
		    line[digits] == ' ' && length - digits - 1 == strlen(mark) &&
		    strncmp(line + digits + 1, mark, strlen(mark)) == 0) {
			snprintf(number, BATCH_NUMBER_SIZE, "%.*s", (int)digits, line);
			return true;
		}
		line += length + (line[length] == '\n' ? 1 : 0);
	}
	return false;
}

const char *scheduler_last_words(const struct command_result *result)
{
	const char *line = result->errors;
	for (const char *at = line; *at != '\0'; at += *at == '\n' ? 1 : 0) {
		line = *at != '\n' ? at : line;
		at += strcspn(at, "\n");
	}
	return line;
}

bool scheduler_is_refusal(const struct scheduler *scheduler, const struct command_result *result)
{
	const char *said =
		scheduler->last_line_counts ? scheduler_last_words(result) : result->errors;
	if (!WIFEXITED(result->status) || WEXITSTATUS(result->status) == 0 || said[0] == '\0')
		return false;
	/* What is not there might have told otherwise. */
	if (result->errors_cut && !scheduler->last_line_counts)
		return false;
	for (const char *const *part = scheduler->unjudged; *part != NULL; part++)
		if (strcasestr(said, *part) != NULL)
			return false;
	return true;
}
