#include "core/executor/scheduler.h"

#include <fnmatch.h>
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
	while (states->name[0] != '\0' &&
	       (strncmp(states->name, text, length) != 0 || states->name[length] != '\0'))
		states++;
	answer->meaning = states->meaning;
	answer->why = states->why;
	return states->name[0] != '\0';
}

/* With "all", Slurm chooses among its clusters. */
bool batch_is_cluster(const char *text)
{
	return text_is_made_of(text, TEXT_WORD, BATCH_CLUSTER_SIZE - 1) && text[0] != '-' &&
	       strcasecmp(text, "all") != 0;
}

const char *scheduler_next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n' ? 1 : 0);
}

bool scheduler_take_number(const char *line, const char *set, const char *end,
			   char number[BATCH_NUMBER_SIZE])
{
	size_t length = strspn(line, set);
	if (length == 0 || length >= BATCH_NUMBER_SIZE || line[length] == '\0' ||
	    strchr(end, line[length]) == NULL)
		return false;
	snprintf(number, BATCH_NUMBER_SIZE, "%.*s", (int)length, line);
	return true;
}

bool scheduler_find_number(const char *lines, const char *mark, char number[BATCH_NUMBER_SIZE])
{
	for (const char *line = lines; *line != '\0'; line = scheduler_next_line(line)) {
		const char *second = line + strcspn(line, " \n") + 1;
		size_t length = strcspn(line, "\n");
		if (line + length == second + strlen(mark) &&
		    strncmp(second, mark, strlen(mark)) == 0 && line[0] != '-' &&
		    scheduler_take_number(line, TEXT_WORD ".", " ", number))
			return true;
	}
	return false;
}

void scheduler_take_field(const char *text, const char *end, char *value, size_t size)
{
	snprintf(value, size, "%.*s", (int)strcspn(text, end), text);
	text_make_printable(value);
}

static bool has_forgotten(const struct scheduler *scheduler, const struct command_result *result)
{
	if (scheduler->forgotten != NULL)
		return fnmatch(scheduler->forgotten, result->errors, 0) == 0;
	return result->output[0] == '\0' && result->errors[0] == '\0' &&
	       WIFEXITED(result->status) && WEXITSTATUS(result->status) == 1;
}

static void find_hopeless(const struct hopeless_reason *reason, struct batch_answer *answer)
{
	while (reason->pattern != NULL && fnmatch(reason->pattern, answer->reason, 0) != 0)
		reason++;
	if (reason->pattern == NULL)
		return;
	answer->meaning = BATCH_HOPELESS;
	answer->why = reason->why;
}

bool scheduler_read_answer(const struct scheduler *scheduler, const struct command_result *result,
			   struct batch_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (has_forgotten(scheduler, result)) {
		answer->meaning = BATCH_FORGOTTEN;
		return true;
	}
	if (scheduler->finished != NULL && fnmatch(scheduler->finished, result->errors, 0) == 0) {
		*answer = (struct batch_answer){.meaning = BATCH_ENDED, .name = "finished"};
		return true;
	}
	if (result->status != 0 || !scheduler->read_answer(result->output, answer))
		return false;
	if (answer->meaning == BATCH_WAITING && scheduler->hopeless != NULL)
		find_hopeless(scheduler->hopeless, answer);
	return true;
}

/* Commands that use getopt_long(3) end with such a line, after the one that says what is wrong. */
static bool is_hint(const char *line)
{
	size_t size = strcspn(line, "\n");
	return memmem(line, size, "Try ", 4) != NULL && memmem(line, size, "--help", 6) != NULL;
}

const char *scheduler_last_words(const struct command_result *result)
{
	const char *line = result->errors;
	for (const char *at = line; *at != '\0'; at += *at == '\n' ? 1 : 0) {
		line = *at != '\n' && !is_hint(at) ? at : line;
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
	for (const char *line = scheduler->unjudged; *line != '\0';
	     line = scheduler_next_line(line)) {
		char part[64];
		scheduler_take_field(line, "\n", part, sizeof(part));
		if (strcasestr(error, part) != NULL)
			return false;
	}
	return true;
}
