#include "applets/outcome.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/audit/audit.h"
#include "core/lib/io.h"
#include "core/lib/version.h"
#include "core/policy/policy.h"

void outcome_say_lines(const struct invocation *call, const char *lines)
{
	cleanup_free char *copy = strdup(lines != NULL ? lines : "out of memory");
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		applet_say(call, "%s", line);
}

/* The members that every record of this call has. */
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
		.usage = &call->usage,
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

/* One line: what the job's author may know, and whom to ask. */
static void say_with_reference(const struct invocation *call, const struct state *job,
			       const char *what, const char *reason)
{
	const char *reference = job->reference != NULL ? job->reference : "";
	const char *support = job->settings.general.support;
	applet_say(call, "%s (reference %s): %s (for help, with this reference: %s)", what,
		   reference, reason,
		   support != NULL ? support : "ask the administrators of this runner");
}

/*
 * True if only the site's staff can repair it. The author of the job must not read its paths and
 * lists, but may read what the author's own server has answered, or that it has not.
 */
static bool is_fault_of_setup(const struct error *err)
{
	return err->kind == ERROR_SYSTEM && err->key[0] != '\0' &&
	       strcmp(err->key, "general.gitlab_server") != 0 &&
	       strcmp(err->key, "auth.confirm_job") != 0;
}

static void say_failure(const struct invocation *call, const struct state *job,
			const struct error *err, const char *complete)
{
	const char *reason = call->unobfuscated ? complete : err->notice;
	if (err->kind == ERROR_DENIED)
		say_with_reference(call, job, "this job was refused",
				   reason[0] != '\0' ? reason : "it is not permitted here");
	else if (is_fault_of_setup(err) && !call->unobfuscated)
		say_with_reference(call, job, "this stage failed",
				   "the setup of this runner has a fault");
	else if (err->detail[0] != '\0')
		applet_say(call, "%s", call->unobfuscated ? complete : err->detail);
}

int outcome_failure(const struct invocation *call, const struct state *job, const struct error *err)
{
	struct error unwritten;
	struct audit_record record = record_of(call, job,
					       err->kind == ERROR_DENIED      ? AUDIT_REFUSED
					       : err->kind == ERROR_CANCELLED ? AUDIT_CANCELLED
									      : AUDIT_FAILED);
	bool is_final = err->kind == ERROR_DENIED && strcmp(call->stage, "config") == 0;
	char complete[ERROR_TEXT_SIZE + ERROR_PLACE_SIZE];
	snprintf(complete, sizeof(complete), "%s%s", err->detail, err->place);
	record.reason = err->detail[0] != '\0' ? complete : "the reason is in the log of the job";
	/* After a system failure the runner would call config twice more. */
	record.exit = is_final ? call->build_failure : call->system_failure;
	say_failure(call, job, err, complete);
	if (audit_write(&record, &unwritten) == 0)
		return record.exit;
	/* A failure of the audit log may have been reported just now. */
	if (strcmp(unwritten.detail, err->detail) != 0)
		applet_say(call, "%s", unwritten.detail);
	return call->system_failure;
}

/* config's answer to the runner, in new JSON. */
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
		error_set(
			err, ERROR_SYSTEM,
			"the job's state is larger than %d bytes, or has text that is not UTF-8: "
			"shorten general.job_message, the lists of [auth.seccomp], or the list of "
			"the account's groups (%zu)",
			STATE_MOST_SIZE, json_array_size(job->groups));
	return answer;
}

int outcome_allow(const struct invocation *call, const struct state *job)
{
	struct error err;
	struct audit_record record = record_of(call, job, AUDIT_ALLOWED);
	record.exit = 0;
	record.reason = job->applicant->admitted;
	json_auto_t *answer = make_answer(job, &err);
	/* A job that cannot be recorded does not run. */
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
		return error_errno(err, ERROR_SYSTEM, "cannot create BUILD_EXIT_CODE_FILE %s",
				   path);
	int written = io_write_all(fd, line, (size_t)length);
	/* Some file systems report that they are full only at close(2). */
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
	/* Runners before release 17 do not set the variable. */
	if (exit_code != 0 && path != NULL && write_exit_code(path, exit_code, &err) != 0)
		return outcome_failure(call, job, &err);

	struct audit_record record =
		record_of(call, job, exit_code == 0 ? AUDIT_OK : AUDIT_JOB_FAILED);
	record.exit = exit_code == 0 ? 0 : call->build_failure;
	record.script_exit = is_run ? exit_code : -1;
	return audit_write(&record, &err) == 0 ? record.exit : outcome_failure(call, job, &err);
}
