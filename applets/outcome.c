#include "applets/outcome.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/audit.h"
#include "core/io.h"
#include "core/version.h"

void outcome_say_lines(const struct invocation *call, const char *lines)
{
	cleanup_free char *copy = strdup(lines != NULL ? lines : "out of memory");
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		applet_say(call, "%s", line);
}

int outcome_failure(const struct invocation *call, const char *reference, const struct error *err)
{
	if (err->kind == ERROR_DENIED && !call->unobfuscated && err->notice[0] != '\0')
		applet_say(call, "this job was refused (reference %s): %s", reference, err->notice);
	else if (err->kind == ERROR_DENIED && !call->unobfuscated)
		applet_say(call,
			   "this job was refused by the rules of this site; its staff finds the "
			   "reason "
			   "under reference %s",
			   reference);
	else if (err->kind == ERROR_DENIED)
		applet_say(call, "this job was refused (reference %s): %s", reference, err->detail);
	else if (err->detail[0] != '\0')
		applet_say(call, "%s", err->detail);

	/* config's failures are recorded with all that it had found out. */
	if (err->kind == ERROR_DENIED && strcmp(call->stage, "config") != 0) {
		struct audit_record record = {.reference = reference,
					      .stage = call->stage,
					      .decision = "refused",
					      .reason = err->detail};
		audit_write(&record);
	}
	return call->system_failure;
}

void outcome_record(const struct invocation *call, const struct decision *decision,
		    const struct error *err)
{
	const struct claims *claims = &decision->identity.claims;
	struct audit_record record = {
		.reference = decision->reference,
		.stage = call->stage,
		.decision = err == NULL			? "allowed"
			    : err->kind == ERROR_DENIED ? "refused"
							: "failed",
		.reason = err != NULL ? err->detail : NULL,
		.login = claims->user_login,
		.account = decision->account.name,
		.uid = decision->account.uid,
		.job_id = decision->job.id,
		.pipeline_id =
			claims->pipeline_id != 0 ? claims->pipeline_id : decision->job.pipeline_id,
		.project = claims->project_path[0] != '\0' ? claims->project_path
							   : decision->job.project_path,
	};
	audit_write(&record);
	if (decision->identity.warning[0] != '\0') {
		applet_say(call, "warning: %s", decision->identity.warning);
		record.decision = "warning";
		record.reason = decision->identity.warning;
		audit_write(&record);
	}
}

int outcome_answer(const struct state *state, struct error *err)
{
	char host[256] = "localhost";
	(void)gethostname(host, sizeof(host) - 1);
	json_auto_t *encoded = state_encode(state);
	cleanup_free char *text = json_dumps(encoded, JSON_COMPACT);
	if (text == NULL || strlen(text) > STATE_MOST_SIZE)
		return error_set(err, ERROR_SYSTEM,
				 "the job's state is too large, or has text that is not UTF-8: is "
				 "general.job_message?");
	json_auto_t *answer =
		json_pack("{s:s,s:s,s:b,s:s,s:s,s:{s:s,s:s},s:{s:s}}", "builds_dir",
			  state->builds_dir, "cache_dir", state->cache_dir, "builds_dir_is_shared",
			  0, "hostname", host, "shell", "bash", "driver", "name", JACAMAR_NAME,
			  "version", JACAMAR_VERSION, "job_env", STATE_VARIABLE, text);
	if (answer == NULL || json_dumpf(answer, stdout, JSON_COMPACT) != 0 || puts("") == EOF ||
	    fflush(stdout) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot answer the runner");
	return 0;
}

static int write_exit_code(const char *path, int exit_code, struct error *err)
{
	char line[16];
	int length = snprintf(line, sizeof(line), "%d\n", exit_code);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make BUILD_EXIT_CODE_FILE %s", path);
	int written = io_write_all(fd, line, (size_t)length);
	/* A file system may keep its word that it is full until the file is closed. */
	if (close(fd) != 0 || written != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot write BUILD_EXIT_CODE_FILE %s", path);
	return 0;
}

int outcome_exit(const struct invocation *call, const char *reference, int exit_code)
{
	struct error err;
	const char *path = getenv("BUILD_EXIT_CODE_FILE");
	if (exit_code == 0)
		return 0;
	if (strcmp(call->stage, "run") != 0) {
		error_set(&err, ERROR_SYSTEM, "%s as the user ended with code %d", call->stage,
			  exit_code);
		return outcome_failure(call, reference, &err);
	}
	/* Runners before 17 do not ask for the script's own code. */
	if (path != NULL && write_exit_code(path, exit_code, &err) != 0)
		return outcome_failure(call, reference, &err);
	return call->build_failure;
}
