#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/lib/text.h"

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

bool scheduler_find_state(const struct batch_state *states, const char *text,
			  struct batch_answer *answer)
{
	size_t length = strspn(text, TEXT_WORD);
	while (states->name != NULL &&
	       (strncmp(states->name, text, length) != 0 || states->name[length] != '\0'))
		states++;
	answer->meaning = states->meaning;
	answer->why = states->why;
	return states->name != NULL;
}

/* With "all", Slurm chooses among its clusters. */
bool batch_is_cluster(const char *text)
{
	return text_is_made_of(text, TEXT_WORD, BATCH_CLUSTER_SIZE - 1) && text[0] != '-' &&
	       strcasecmp(text, "all") != 0;
}

void scheduler_find_hopeless(const struct hopeless_reason *reasons, struct batch_answer *answer)
{
	for (; answer->meaning == BATCH_WAITING && reasons->begins != NULL; reasons++) {
		if (strncmp(answer->reason, reasons->begins, strlen(reasons->begins)) != 0 ||
		    strstr(answer->reason, reasons->part) == NULL)
			continue;
		answer->meaning = BATCH_HOPELESS;
		answer->why = reasons->why;
	}
}

const char *scheduler_next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n' ? 1 : 0);
}

bool scheduler_find_number(const char *lines, const char *mark, char number[BATCH_NUMBER_SIZE])
{
	for (const char *line = lines; *line != '\0'; line = scheduler_next_line(line)) {
		size_t digits = strspn(line, TEXT_WORD ".");
		size_t length = strcspn(line, "\n");
		if (digits > 0 && digits < BATCH_NUMBER_SIZE && line[0] != '-' &&
		    line[digits] == ' ' && length - digits - 1 == strlen(mark) &&
		    strncmp(line + digits + 1, mark, strlen(mark)) == 0) {
			snprintf(number, BATCH_NUMBER_SIZE, "%.*s", (int)digits, line);
			return true;
		}
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
	const char *error =
		scheduler->last_line_counts ? scheduler_last_words(result) : result->errors;
	if (!WIFEXITED(result->status) || WEXITSTATUS(result->status) == 0 || error[0] == '\0')
		return false;
	/* The part that was dropped may show that the request was not judged. */
	if (result->errors_cut && !scheduler->last_line_counts)
		return false;
	for (const char *const *part = scheduler->unjudged; *part != NULL; part++)
		if (strcasestr(error, *part) != NULL)
			return false;
	return true;
}
