/*
 * The commands of the executor's scheduler: found as a job finds them, and not executed.
 */
#include <string.h>

#include "core/channel.h"
#include "core/doctor/doctor.h"
#include "core/environment.h"
#include "core/executor/command.h"
#include "core/executor/scheduler.h"
#include "core/io.h"
#include "core/json.h"

/* True where it is there, and nobody else can exchange it. */
static bool check_command(struct doctor *doctor, const struct command_site *site, const char *name)
{
	struct error err = {.detail = ""};
	cleanup_free char *path = command_find(site, name, &err);
	if (path != NULL)
		return doctor_check_way(doctor, "scheduler", path);
	doctor_say(doctor, DOCTOR_FAIL, "scheduler", "%s", err.detail);
	doctor_mend_key(doctor, "batch", "scheduler_bin",
			site->directory != NULL ? NULL : "\"/DIRECTORY/OF/ITS/COMMANDS\"");
	return false;
}

static void check_commands(struct doctor *doctor, const struct scheduler *scheduler,
			   const struct command_site *site)
{
	const char *const *const needed[] = {scheduler->submit, scheduler->ask, scheduler->list,
					     scheduler->cancel};
	struct error ignored;
	bool good = true;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		/* One command may do for several. */
		bool seen = false;
		for (size_t k = 0; k < i; k++)
			seen = seen || strcmp(needed[k][0], needed[i][0]) == 0;
		good = (seen || check_command(doctor, site, needed[i][0])) && good;
	}
	if (good)
		doctor_say(doctor, DOCTOR_PASS, "scheduler", "the commands of %s are there",
			   scheduler->name);
	if (!good || scheduler->ask_history == NULL)
		return;
	cleanup_free char *history = command_find(site, scheduler->ask_history[0], &ignored);
	if (history == NULL)
		doctor_say(doctor, DOCTOR_SKIP, "scheduler",
			   "%s is not there: how a job ended that %s has forgotten stays unknown",
			   scheduler->ask_history[0], scheduler->name);
}

void doctor_check_scheduler(struct doctor *doctor)
{
	const struct settings *settings = doctor->settings;
	struct channel_header header = {.environment = NULL};
	struct command_site site;
	struct error err = {.detail = ""};
	if (settings == NULL)
		return;
	const struct scheduler *scheduler = scheduler_of(settings->general.executor);
	if (scheduler == NULL) {
		doctor_say(doctor, DOCTOR_PASS, "scheduler", "the executor \"%s\" needs none",
			   scheduler_name_of(settings->general.executor));
		return;
	}
	/* As where a job is submitted, the user's own profile plays no part. */
	json_auto_t *environment =
		environment_of_login(doctor->has_account ? &doctor->account : &doctor->service);
	json_auto_t *added = json_from_list(&settings->batch.env_vars);
	header.environment = environment;
	header.state.scheduler_bin = settings->batch.scheduler_bin;
	header.state.scheduler_environment = added;
	if (environment != NULL && command_site_make(&site, &header, 0, &err) == 0)
		check_commands(doctor, scheduler, &site);
	else
		doctor_say(doctor, DOCTOR_SKIP, "scheduler", "out of memory");
	if (environment != NULL)
		command_site_free(&site);
}
