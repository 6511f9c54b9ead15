#include "t/play/course.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/play/bench.h"

#define PREPARE_TRIES 3

/* config and prepare */

static void say_driver(const struct session *session, const char *answer)
{
	json_t *value = answer == NULL ? NULL : json_loads(answer, 0, NULL);
	json_t *driver = json_object_get(value, "driver");
	const char *name = json_string_value(json_object_get(driver, "name"));
	const char *version = json_string_value(json_object_get(driver, "version"));
	struct text line = {NULL, 0, 0};

	text_string(&line, "Using Custom executor");
	if (name != NULL)
		text_print(&line, " with driver %s", name);
	if (name != NULL && version != NULL)
		text_print(&line, " %s", version);
	text_string(&line, "...");
	session_say(session, line.data);
	text_free(&line);
	json_decref(value);
}

/* *final is set by a failure that the runner does not try again. */
static struct verdict configure(struct session *session, bool *final)
{
	struct verdict verdict = {SUCCESS, 0};
	struct text answer = {NULL, 0, 0};
	char *reason = NULL;

	job_forget_answer(&session->job);
	if (session->config.commands[STAGE_CONFIG].path != NULL)
		verdict = session_call(session, STAGE_CONFIG, PHASE_BEFORE, NULL, NULL, &answer);
	if (verdict.outcome == SUCCESS) {
		switch (job_configure(&session->job, answer.data, &reason)) {
		case CONFIGURED:
			say_driver(session, answer.data);
			break;
		case CONFIGURE_DIRECTORY_MISSING:
			*final = true;
			/* fallthrough */
		case CONFIGURE_NOT_AN_ANSWER:
			verdict.outcome = SYSTEM_FAILURE;
			fprintf(stderr, "runner: %s\n", reason);
		}
	}
	free(reason);
	text_free(&answer);
	return verdict;
}

static void clean_up(struct session *session)
{
	struct verdict verdict = {SUCCESS, 0};

	if (session->config.commands[STAGE_CLEANUP].path != NULL)
		verdict = session_call(session, STAGE_CLEANUP, PHASE_CLEANUP, NULL, NULL, NULL);
	if (verdict.outcome != SUCCESS)
		session_say(session, "WARNING: Cleanup script failed");
	session_remove_files(session);
}

static struct verdict try_to_prepare(struct session *session, bool *final)
{
	struct verdict verdict;

	session_make_files(session);
	verdict = configure(session, final);
	if (verdict.outcome == SUCCESS && session->config.commands[STAGE_PREPARE].path != NULL)
		verdict = session_call(session, STAGE_PREPARE, PHASE_BEFORE, NULL, NULL, NULL);
	return verdict;
}

/*
 * A try is config and prepare with files of its own, and cleanup if it failed. A failed build is
 * not tried again. After each other failure the runner waits, also after the last one.
 */
static struct verdict prepare(struct session *session)
{
	struct verdict verdict = {SUCCESS, 0};
	bool final = false;

	for (int i = 0; i < PREPARE_TRIES; i++) {
		if (session->watch.stopped != NULL)
			return (struct verdict){STOPPED, 0};
		verdict = try_to_prepare(session, &final);
		if (verdict.outcome == SUCCESS)
			return verdict;
		clean_up(session);
		if (session->watch.stopped != NULL)
			return (struct verdict){STOPPED, 0};
		if (verdict.outcome == BUILD_FAILURE || verdict.outcome == HUNG || final)
			return verdict;
		session_say(session, "ERROR: Preparation failed: exit status 2");
		session_say(session, "Will be retried in 3s ...");
		watch_sleep(&session->watch, session->options.retry_delay);
	}
	return session->watch.stopped != NULL ? (struct verdict){STOPPED, 0} : verdict;
}

/* run */

static struct verdict run_substage(struct session *session, enum phase phase, const char *substage)
{
	struct verdict verdict;
	char *script;

	if (!job_has_substage(&session->job, substage))
		return (struct verdict){SUCCESS, 0};
	watch_look(&session->watch, phase);
	if (session->watch.stopped != NULL)
		return (struct verdict){STOPPED, 0};
	script = session_make_script(session, substage);
	verdict = session_call(session, STAGE_RUN, phase, script, substage, NULL);
	free(script);
	return session->watch.stopped != NULL ? (struct verdict){STOPPED, 0} : verdict;
}

/* Runs it even after a failure; the first failure remains the job's. */
static void run_anyway(struct session *session, const char *substage, struct verdict *first)
{
	struct verdict verdict = run_substage(session, PHASE_AFTER, substage);

	if (first->outcome == SUCCESS)
		*first = verdict;
}

static bool is_fixed_substage(const char *name)
{
	static const char *const FIXED[] = {
		"prepare_script",
		"get_sources",
		"restore_cache",
		"download_artifacts",
		"build_script",
		"after_script",
		"archive_cache",
		"archive_cache_on_failure",
		"upload_artifacts_on_success",
		"upload_artifacts_on_failure",
		"cleanup_file_variables",
	};

	for (size_t i = 0; i < sizeof(FIXED) / sizeof(FIXED[0]); i++)
		if (strcmp(FIXED[i], name) == 0)
			return true;
	return false;
}

/* build_script, then the job's other steps: those of its scripts, or of its list of sub-stages. */
static struct verdict run_steps(struct session *session)
{
	json_t *scripts = json_object_get(session->job.file, "scripts");
	json_t *chosen = json_object_get(session->job.file, "substages");
	struct verdict verdict = run_substage(session, PHASE_SCRIPT, "build_script");
	const char *name;
	json_t *item;
	size_t i;

	json_array_foreach (chosen, i, item) {
		name = json_string_value(item);
		if (verdict.outcome == SUCCESS && name != NULL && !is_fixed_substage(name))
			verdict = run_substage(session, PHASE_SCRIPT, name);
	}
	if (chosen != NULL)
		return verdict;
	json_object_foreach (scripts, name, item) {
		if (verdict.outcome == SUCCESS && strncmp(name, "step_", 5) == 0)
			verdict = run_substage(session, PHASE_SCRIPT, name);
	}
	return verdict;
}

static struct verdict run_user_scripts(struct session *session)
{
	struct verdict verdict = run_steps(session);
	struct verdict after;

	if (session->watch.script_cancelled && session->watch.stopped == NULL)
		verdict.outcome = STOPPED;
	if (verdict.outcome == SUCCESS)
		session->job.status = "success";
	else
		session->job.status = verdict.outcome == STOPPED ? "canceled" : "failed";
	after = run_substage(session, PHASE_AFTER, "after_script");
	if (after.outcome != SUCCESS && after.outcome != STOPPED)
		session_say(session,
			    "WARNING: after_script failed, but job will continue unaffected");
	return verdict;
}

static struct verdict run(struct session *session)
{
	static const char *const BEFORE[] = {"get_sources", "restore_cache", "download_artifacts"};
	struct verdict verdict = run_substage(session, PHASE_BEFORE, "prepare_script");
	bool failed;

	if (verdict.outcome != SUCCESS)
		return verdict;
	for (size_t i = 0; i < sizeof(BEFORE) / sizeof(BEFORE[0]); i++)
		if (verdict.outcome == SUCCESS)
			verdict = run_substage(session, PHASE_BEFORE, BEFORE[i]);
	if (verdict.outcome == SUCCESS)
		verdict = run_user_scripts(session);
	failed = verdict.outcome != SUCCESS;
	run_anyway(session, failed ? "archive_cache_on_failure" : "archive_cache", &verdict);
	run_anyway(session, failed ? "upload_artifacts_on_failure" : "upload_artifacts_on_success",
		   &verdict);
	run_substage(session, PHASE_AFTER, "cleanup_file_variables");
	return verdict;
}

struct verdict course_play(struct session *session)
{
	struct verdict verdict = prepare(session);

	if (verdict.outcome == SUCCESS && session->options.prepare_only != NULL) {
		bench_leave(session);
		return verdict;
	}
	if (verdict.outcome == SUCCESS) {
		verdict = run(session);
		clean_up(session);
	}
	if (session->hung)
		verdict.outcome = HUNG;
	else if (session->violated)
		verdict.outcome = UNKNOWN_FAILURE;
	return verdict;
}
