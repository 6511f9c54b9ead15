#include "core/doctor/as_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"
#include "core/privilege/trusted_program.h"

/* Longer than the checks take if the server, sudo and the account directory all time out. */
#define CHECKS_LIMIT_MS 180000

static const char SETPRIV[] = "/usr/bin/setpriv";

/*
 * These variables decide how the server is reached. The rest of root's environment is not passed
 * on.
 */
static const char *const PROXIES[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
				      "ALL_PROXY",  "no_proxy",	   "NO_PROXY"};

/* False if memory is short. */
static bool make_environment(struct string_list *environment, const struct account *service)
{
	cleanup_free char *home = text_format("HOME=%s", service->home);
	bool made = home != NULL &&
		    string_list_add(environment, "PATH=/usr/sbin:/usr/bin:/sbin:/bin") &&
		    string_list_add(environment, home);
	for (size_t i = 0; i < sizeof(PROXIES) / sizeof(PROXIES[0]); i++) {
		const char *value = getenv(PROXIES[i]);
		cleanup_free char *setting =
			value != NULL ? text_format("%s=%s", PROXIES[i], value) : NULL;
		if (value != NULL)
			made = made && setting != NULL && string_list_add(environment, setting);
	}
	return made;
}

/* False if memory is short. */
static bool make_call(struct string_list *call, const struct account *service,
		      const struct string_list *arguments)
{
	struct error err;
	char uid[16];
	char gid[16];
	cleanup_free char *self = trusted_program_find(NULL, &err);
	bool made = self != NULL;
	snprintf(uid, sizeof(uid), "%u", (unsigned int)service->uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned int)service->gid);
	const char *const before[] = {"setpriv", "--reuid",	  uid,	"--regid",
				      gid,	 "--init-groups", "--", self};
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		made = made && string_list_add(call, before[i]);
	for (size_t i = 0; i < arguments->count; i++)
		made = made && string_list_add(call, arguments->items[i]);
	return made;
}

bool as_service_add_file(struct string_list *arguments, const char *option, const char *path)
{
	cleanup_free char *absolute = path != NULL ? secure_path_make_absolute(path) : NULL;
	return path == NULL || (absolute != NULL && string_list_add(arguments, option) &&
				string_list_add(arguments, absolute));
}

int as_service_run(const struct account *service, const struct string_list *arguments,
		   const int *input, struct unprivileged_output *captured, struct error *err)
{
	struct string_list call = {.count = 0};
	struct string_list environment = {.count = 0};
	bool made = make_call(&call, service, arguments) && make_environment(&environment, service);
	const struct unprivileged_run run = {
		.program = SETPRIV,
		.descriptor = -1,
		.arguments = call.items,
		.environment = environment.items,
		.limit_ms = CHECKS_LIMIT_MS,
		/* An exec gives root its capabilities back: setpriv can change the account. */
		.may_gain = true,
		.input = input,
	};
	int result = made ? run_unprivileged(&run, captured, err)
			  : error_set(err, ERROR_SYSTEM, "out of memory");
	string_list_free(&call);
	string_list_free(&environment);
	return result;
}

/* False if `row` is not a finding. */
static bool add_finding(struct doctor *doctor, json_t *row)
{
	const char *check = json_string_value(json_object_get(row, "check"));
	const char *result = json_string_value(json_object_get(row, "result"));
	const char *what = json_string_value(json_object_get(row, "what"));
	const char *remedy = json_string_value(json_object_get(row, "remedy"));
	int known = 0;
	if (check == NULL || result == NULL || what == NULL || !text_is_printable(check))
		return false;
	while (known < DOCTOR_RESULTS && strcmp(result, DOCTOR_RESULT_NAMES[known]) != 0)
		known++;
	if (known == DOCTOR_RESULTS)
		return false;
	doctor_say(doctor, (enum doctor_result)known, check, "%s", what);
	if (remedy != NULL)
		doctor_mend_text(doctor, remedy);
	return true;
}

/* Adds all findings of the answer, or none. */
static int read_answer(struct doctor *doctor, const struct unprivileged_output *captured,
		       struct error *err)
{
	size_t index;
	json_t *row;
	bool ended = WIFEXITED(captured->status) && WEXITSTATUS(captured->status) <= 1;
	doctor->answer = ended ? json_loadb(captured->output, captured->size, 0, NULL) : NULL;
	json_t *rows = json_object_get(doctor->answer, "findings");
	bool good = json_array_size(rows) > 0;
	doctor_pass(doctor, "identity", "the checks were made as %s", doctor->service.name);
	json_array_foreach (rows, index, row)
		good = good && add_finding(doctor, row);
	if (good)
		return 0;
	doctor_clear(doctor);
	return error_set(err, ERROR_SYSTEM, "%s",
			 captured->errors[0] != '\0' ? captured->errors
						     : "its process gave no answer");
}

bool doctor_ask_as_service(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	struct string_list arguments = {.count = 0};
	cleanup_free struct unprivileged_output *captured = calloc(1, sizeof(*captured));
	const char *named = doctor->asked_for_configuration ? doctor->configuration : NULL;
	bool made = string_list_add(&arguments, "doctor") &&
		    string_list_add(&arguments, "--json") &&
		    as_service_add_file(&arguments, "--configuration", named) &&
		    as_service_add_file(&arguments, "--runner-config", doctor->runner_file);
	if (doctor->user != NULL)
		made = made && string_list_add(&arguments, "--user") &&
		       string_list_add(&arguments, doctor->user);
	int result = -1;
	if (captured == NULL || !made)
		error_set(&err, ERROR_SYSTEM, "out of memory");
	else if (as_service_run(&doctor->service, &arguments, NULL, captured, &err) == 0)
		result = read_answer(doctor, captured, &err);
	string_list_free(&arguments);
	memcpy(doctor->service_error, err.detail, sizeof(err.detail));
	return result == 0;
}
