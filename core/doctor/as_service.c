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

/* How the connection to the server is made. Nothing else of root's environment is handed on. */
static const char *const PROXIES[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
				      "ALL_PROXY",  "no_proxy",	   "NO_PROXY"};

#define PROXY_COUNT (sizeof(PROXIES) / sizeof(PROXIES[0]))

/* The call, as execve(2) takes it; the arguments borrow from the other members. */
struct call {
	char uid[16];
	char gid[16];
	char *self;
	const char *arguments[AS_SERVICE_ARGUMENTS + 8];
	char *environment[PROXY_COUNT + 3];
};

static void free_call(struct call *call)
{
	free(call->self);
	for (size_t i = 0; call->environment[i] != NULL; i++)
		free(call->environment[i]);
}

/* False if memory is short. */
static bool set_environment(struct call *call, const struct account *service)
{
	size_t count = 0;
	call->environment[count++] = strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	if (call->environment[0] != NULL)
		call->environment[count++] = text_format("HOME=%s", service->home);
	for (size_t i = 0; i < PROXY_COUNT && call->environment[count - 1] != NULL; i++) {
		const char *value = getenv(PROXIES[i]);
		if (value != NULL)
			call->environment[count++] = text_format("%s=%s", PROXIES[i], value);
	}
	return call->environment[count - 1] != NULL;
}

/* False if memory is short. */
static bool make_call(struct call *call, const struct account *service,
		      const char *const *arguments)
{
	struct error err;
	call->self = trusted_program_find(NULL, &err);
	snprintf(call->uid, sizeof(call->uid), "%u", (unsigned int)service->uid);
	snprintf(call->gid, sizeof(call->gid), "%u", (unsigned int)service->gid);
	const char *const fixed[] = {"setpriv", "--reuid",	 call->uid, "--regid",
				     call->gid, "--init-groups", "--",	    call->self};
	const size_t count = sizeof(fixed) / sizeof(fixed[0]);
	memcpy(call->arguments, fixed, sizeof(fixed));
	for (size_t i = 0; i < AS_SERVICE_ARGUMENTS && arguments[i] != NULL; i++)
		call->arguments[count + i] = arguments[i];
	return call->self != NULL && set_environment(call, service);
}

int as_service_run(const struct account *service, const char *const *arguments, const int *input,
		   struct unprivileged_output *captured, struct error *err)
{
	struct call call = {.self = NULL};
	const struct unprivileged_run run = {
		.program = SETPRIV,
		.descriptor = -1,
		.arguments = (char *const *)call.arguments,
		.environment = call.environment,
		.limit_ms = CHECKS_LIMIT_MS,
		/* An exec gives root its capabilities back: setpriv can change the account. */
		.may_gain = true,
		.input = input,
	};
	int result = make_call(&call, service, arguments)
			     ? run_unprivileged(&run, captured, err)
			     : error_set(err, ERROR_SYSTEM, "out of memory");
	free_call(&call);
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
		doctor_mend(doctor, "%s", remedy);
	return true;
}

/* The findings, or none of them. */
static int read_answer(struct doctor *doctor, const struct unprivileged_output *captured,
		       struct error *err)
{
	size_t index;
	json_t *row;
	bool ended = WIFEXITED(captured->status) && WEXITSTATUS(captured->status) <= 1;
	doctor->answer = ended ? json_loadb(captured->output, captured->size, 0, NULL) : NULL;
	json_t *rows = json_object_get(doctor->answer, "findings");
	bool good = json_array_size(rows) > 0;
	doctor_say(doctor, DOCTOR_PASS, "identity", "the checks were made as %s",
		   doctor->service.name);
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
	const bool asked = doctor->asked_for_configuration;
	cleanup_free struct unprivileged_output *captured = calloc(1, sizeof(*captured));
	/* The other process starts in another directory. */
	cleanup_free char *configuration =
		asked ? secure_path_make_absolute(doctor->configuration) : NULL;
	cleanup_free char *runner_file =
		doctor->runner_file != NULL ? secure_path_make_absolute(doctor->runner_file) : NULL;
	const char *const options[][2] = {{"--configuration", configuration},
					  {"--runner-config", runner_file},
					  {"--user", doctor->user}};
	const char *arguments[AS_SERVICE_ARGUMENTS] = {"doctor", "--json"};
	size_t count = 2;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i][1] != NULL) {
			arguments[count++] = options[i][0];
			arguments[count++] = options[i][1];
		}
	int result = -1;
	if (captured == NULL || (configuration == NULL && asked) ||
	    (runner_file == NULL && doctor->runner_file != NULL))
		error_set(&err, ERROR_SYSTEM, "out of memory");
	else if (as_service_run(&doctor->service, arguments, NULL, captured, &err) == 0)
		result = read_answer(doctor, captured, &err);
	memcpy(doctor->service_error, err.detail, sizeof(err.detail));
	return result == 0;
}
