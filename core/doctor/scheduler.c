/*
 * The commands of the executor's scheduler. They are found as for a job, and not executed.
 */
#include <string.h>

#include "core/doctor/checks.h"
#include "core/executor/scheduler.h"
#include "core/executor/scheduler_command.h"
#include "core/lib/io.h"
#include "core/protocol/environment.h"

static void check_commands(struct doctor *doctor, const struct scheduler *scheduler,
			   const json_t *environment)
{
	const char *const *const needed[] = {scheduler->submit, scheduler->ask, scheduler->list,
					     scheduler->cancel};
	const char *const *history = scheduler->ask_history;
	const char *directory = doctor->settings->batch.scheduler_bin;
	size_t before = doctor->count;
	struct error err = {.detail = ""};
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		/* One command may have several uses. */
		bool seen = false;
		for (size_t k = 0; k < i; k++)
			seen = seen || strcmp(needed[k][0], needed[i][0]) == 0;
		cleanup_free char *path =
			seen ? NULL
			     : scheduler_command_find(needed[i][0], directory, environment, &err);
		if (path != NULL) {
			(void)doctor_check_way(doctor, "scheduler", path);
		} else if (!seen) {
			doctor_fail(doctor, "scheduler", "%s", err.detail);
			doctor_mend_key(doctor, "batch.scheduler_bin",
					directory != NULL ? NULL
							  : "\"/DIRECTORY/OF/ITS/COMMANDS\"");
		}
	}
	if (doctor->count > before)
		return;
	doctor_pass(doctor, "scheduler", "the commands of %s are installed", scheduler->name);
	cleanup_free char *found =
		history != NULL ? scheduler_command_find(history[0], directory, environment, &err)
				: NULL;
	if (history != NULL && found == NULL)
		doctor_skip(doctor, "scheduler",
			    "%s is not installed: the result of a job that %s has forgotten stays "
			    "unknown",
			    history[0], scheduler->name);
}

void doctor_check_scheduler(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;
	if (settings == NULL)
		return;
	const struct scheduler *scheduler = scheduler_of(settings->general.executor);
	if (scheduler == NULL) {
		doctor_pass(doctor, "scheduler", "the executor \"%s\" needs no commands",
			    scheduler_name_of(settings->general.executor));
		return;
	}
	/* As when a job is submitted, the user's own profile is not read. */
	json_auto_t *of_user =
		environment_of_login(doctor->has_account ? &doctor->account : &doctor->service);
	json_auto_t *environment =
		scheduler_command_environment(of_user, &settings->batch.env_vars);
	if (environment != NULL)
		check_commands(doctor, scheduler, environment);
	else
		doctor_skip(doctor, "scheduler", "out of memory");
}
