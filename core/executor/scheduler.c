#include "core/executor/scheduler.h"

#include <stdio.h>
#include <string.h>

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
