#include "applets/outcome.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/audit.h"
#include "core/io.h"
#include "core/policy.h"
#include "core/version.h"

void outcome_say_lines(const struct invocation *call, const char *lines)
{
	cleanup_free char *copy = strdup(lines != NULL ? lines : "out of memory");
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		applet_say(call, "%s", line);
}

/* What every record of this call says. */
static struct audit_record record_of(const struct invocation *call, const struct state *job,
				     enum audit_decision decision)
{
	return (struct audit_record){
		.decision = decision,
		.program = call->is_auth ? "jacamar-auth" : "jacamar",
		.job = job,
		.stage = call->stage,
		.substage = call->operands[0] != NULL ? call->operands[1] : NULL,
		.duration_ms = io_now_ms() - call->started,
		.exit = -1,
		.script_exit = -1,
	};
}

int outcome_begin(const struct invocation *call, const struct state *job, struct error *err)
{
	struct audit_record record = record_of(call, job, AUDIT_STARTED);
	return audit_begin(&record, err);
}

int outcome_warn(const struct invocation *call, const struct state *job, const char *warning,
		 struct error *err)
{
	struct audit_record record = record_of(call, job, AUDIT_WARNING);
	record.reason = warning;
	if (warning[0] == '\0')
		return 0;
	applet_say(call, "warning: %s", warning);
	return audit_write(&record, err);
}

static void say_failure(const struct invocation *call, const struct state *job,
			const struct error *err)
{
	const char *reference = job->reference != NULL ? job->reference : "";
	if (err->kind == ERROR_DENIED && !call->unobfuscated && err->notice[0] != '\0')
		applet_say(call, "this job was refused (reference %s): %s", reference, err->notice);
	else if (err->kind == ERROR_DENIED && !call->unobfuscated)
		applet_say(call,
			   "this job was refused by the rules of this site; its staff finds the "
			   "reason under reference %s",
			   reference);
	else if (err->kind == ERROR_DENIED)
		applet_say(call, "this job was refused (reference %s): %s", reference, err->detail);
	else if (err->detail[0] != '\0')
		applet_say(call, "%s", err->detail);
}

int outcome_failure(const struct invocation *call, const struct state *job, const struct error *err)
{
	struct error unwritten;
	struct audit_record record = record_of(call, job,
					       err->kind == ERROR_DENIED      ? AUDIT_REFUSED
					       : err->kind == ERROR_CANCELLED ? AUDIT_CANCELLED
									      : AUDIT_FAILED);
	record.reason =
		err->detail[0] != '\0' ? err->detail : "the reason is in the log of the job";
	record.exit = call->system_failure;
	say_failure(call, job, err);
	/* That may be the very failure which has just been said. */
	if (audit_write(&record, &unwritten) != 0 && strcmp(unwritten.detail, err->detail) != 0)
		applet_say(call, "%s", unwritten.detail);
	return call->system_failure;
}

/* New JSON of config's answer. */
static json_t *make_answer(const struct state *job, struct error *err)
{
	char host[256] = "localhost";
	(void)gethostname(host, sizeof(host) - 1);
	json_auto_t *encoded = state_encode(job);
	cleanup_free char *text = json_dumps(encoded, JSON_COMPACT);
	json_t *answer = NULL;
	if (text != NULL && strlen(text) <= STATE_MOST_SIZE)
		answer = json_pack("{s:s,s:s,s:b,s:s,s:s,s:{s:s,s:s},s:{s:s}}", "builds_dir",
				   job->builds_dir, "cache_dir", job->cache_dir,
				   "builds_dir_is_shared", 0, "hostname", host, "shell", "bash",
				   "driver", "name", JACAMAR_NAME, "version", JACAMAR_VERSION,
				   "job_env", STATE_VARIABLE, text);
	if (answer == NULL)
		error_set(err, ERROR_SYSTEM,
			  "the job's state is too large, or has text that is not UTF-8: is "
			  "general.job_message?");
	return answer;
}

int outcome_allow(const struct invocation *call, const struct state *job)
{
	struct error err;
	struct audit_record record = record_of(call, job, AUDIT_ALLOWED);
	record.exit = 0;
	record.reason = job->applicant->admitted;
	json_auto_t *answer = make_answer(job, &err);
	/* Nothing is allowed that cannot be recorded. */
	if (answer == NULL || audit_write(&record, &err) != 0)
		return outcome_failure(call, job, &err);
	if (json_dumpf(answer, stdout, JSON_COMPACT) != 0 || puts("") == EOF ||
	    fflush(stdout) != 0) {
		error_errno(&err, ERROR_SYSTEM, "cannot answer the runner");
		return outcome_failure(call, job, &err);
	}
	return 0;
}

int outcome_skip(const struct invocation *call, const struct state *job)
{
	struct error err;
	struct audit_record record = record_of(call, job, AUDIT_SKIPPED);
	record.exit = 0;
	applet_say(call, "warning: %s is not run: it is not in this site's run_stage_allowlist",
		   call->operands[1]);
	return audit_write(&record, &err) == 0 ? 0 : outcome_failure(call, job, &err);
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

int outcome_end(const struct invocation *call, const struct state *job, int exit_code)
{
	struct error err;
	const char *path = getenv("BUILD_EXIT_CODE_FILE");
	bool is_run = strcmp(call->stage, "run") == 0;
	if (exit_code != 0 && !is_run) {
		error_set(&err, ERROR_SYSTEM, "%s as the user ended with code %d", call->stage,
			  exit_code);
		return outcome_failure(call, job, &err);
	}
	/* Runners before 17 do not ask for the script's own code. */
	if (exit_code != 0 && path != NULL && write_exit_code(path, exit_code, &err) != 0)
		return outcome_failure(call, job, &err);

	struct audit_record record =
		record_of(call, job, exit_code == 0 ? AUDIT_OK : AUDIT_JOB_FAILED);
	record.exit = exit_code == 0 ? 0 : call->build_failure;
	record.script_exit = is_run ? exit_code : -1;
	return audit_write(&record, &err) == 0 ? record.exit : outcome_failure(call, job, &err);
}
