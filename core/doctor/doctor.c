#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/privilege/confined_uids.h"

/* In the order of the report. */
static void (*const SUBJECTS[])(struct doctor *) = {
	doctor_check_service,	doctor_check_program, doctor_check_configuration,
	doctor_check_runner,	doctor_check_kernel,  doctor_check_container,
	doctor_check_sudo,	doctor_check_server,  doctor_check_user,
	doctor_check_scheduler,
};

/* What the runner's file says of our runners; without it, the program is the one next to this. */
static void read_runners(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->runner.count; i++) {
		const struct runner *runner = &doctor->runner.runners[i];
		const char *path = runner_string(&runner->exec[RUNNER_CONFIG]);
		if (!runner_is_ours(runner))
			continue;
		if (doctor->program == NULL && path != NULL && path[0] == '/')
			doctor->program = strdup(path);
		if (doctor->runner_configuration == NULL)
			doctor->runner_configuration =
				runner_read_call(&runner->arguments[RUNNER_CONFIG]).configuration;
		if (doctor->runner_url == NULL && runner_string(&runner->url) != NULL)
			doctor->runner_url = &runner->url;
	}
	if (doctor->program == NULL)
		doctor->program = doctor_find_own(doctor);
	if (doctor->configuration == NULL)
		doctor->configuration = doctor->runner_configuration;
}

static void find_settings(struct doctor *doctor)
{
	if (doctor->configuration == NULL || !doctor->has_service)
		return;
	doctor->settings =
		settings_load(doctor->configuration, doctor->service.uid, &doctor->settings_error);
	if (doctor->settings == NULL)
		return;
	/* An invalid range is an error of the configuration. */
	struct error ignored;
	(void)confined_uids_set(doctor->settings->auth.confined_uids, true, &ignored);
	/* jacamar --no-auth changes no account, whatever the key says. */
	enum downscope_kind *downscope = &doctor->settings->auth.downscope;
	const char *name = doctor->program != NULL ? strrchr(doctor->program, '/') : NULL;
	if (name != NULL && strcmp(name, "/jacamar") == 0) {
		doctor->ignores_downscope =
			*downscope != DOWNSCOPE_UNSET && *downscope != DOWNSCOPE_NONE;
		*downscope = DOWNSCOPE_NONE;
	}
	doctor->downscope = *downscope;
}

void doctor_run(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	if (doctor->runner_file != NULL &&
	    runner_file_read(doctor->runner_file, &doctor->runner, &err) != 0)
		memcpy(doctor->runner_error, err.detail, sizeof(err.detail));
	doctor->asked_for_configuration = doctor->configuration != NULL;
	read_runners(doctor);
	doctor_find_service(doctor);
	if (geteuid() == 0 && doctor->has_service && !doctor->as_service &&
	    doctor_ask_as_service(doctor))
		return;
	find_settings(doctor);
	/* Without them: a program with capabilities changes accounts with them. */
	if (doctor->settings == NULL && doctor->program != NULL &&
	    capabilities_are_given(doctor->program))
		doctor->downscope = DOWNSCOPE_SETUID;
	doctor->has_account =
		doctor->user != NULL && account_by_name(doctor->user, &doctor->account, &err) == 0;
	/* All but the first need the service account. */
	for (size_t i = 0; i < (doctor->has_service ? sizeof(SUBJECTS) / sizeof(SUBJECTS[0]) : 1);
	     i++)
		SUBJECTS[i](doctor);
}

void doctor_free(struct doctor *doctor)
{
	doctor_clear(doctor);
	runner_file_free(&doctor->runner);
	settings_free(doctor->settings);
	free(doctor->settings_error);
	free(doctor->program);
	json_decref(doctor->answer);
}

enum doctor_result doctor_verdict(const struct doctor *doctor)
{
	enum doctor_result worst = DOCTOR_PASS;
	for (size_t i = 0; i < doctor->count; i++)
		if (doctor->findings[i].result > worst)
			worst = doctor->findings[i].result;
	return worst;
}
