/*
 * GitLab Runner's config.toml: whether it calls our program correctly.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/doctor/checks.h"
#include "core/doctor/runner_file.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

/* A [[runners]] section that executes our program. */
struct reading {
	struct doctor *doctor;
	const struct runner *runner;
	bool is_auth; /* it is jacamar-auth, perhaps misspelt */
};

/*
 * The remedy for a key of the runner's file: its value, in TOML. A key without a line is added
 * after the line `above`, which is in its table.
 */
static void mend_key(struct doctor *doctor, const char *key, size_t line, size_t above,
		     const char *value)
{
	doctor_mend(doctor, line != 0 ? "set %s = " : "add %s = ", key);
	doctor_mend_text(doctor, value);
	doctor_mend(doctor, line != 0 ? " at %s:%zu" : " after %s:%zu", doctor->runner_file,
		    line != 0 ? line : above);
}

/*
 * A line of [runners.custom] after which a key can be added: the command of this stage, or else of
 * another one. It is not the arguments, whose array may continue on the next line.
 */
static size_t find_custom_line(const struct runner *runner, int stage)
{
	size_t line = runner->exec[stage].line;
	for (int i = 0; line == 0 && i < RUNNER_STAGES; i++)
		line = runner->exec[i].line;
	return line;
}

/* The same for a key of a stage, as run_exec. */
static void mend_stage(const struct reading *reading, int stage, const char *suffix, size_t line,
		       const char *value)
{
	char key[32];
	snprintf(key, sizeof(key), "%s%s", RUNNER_STAGE_NAMES[stage], suffix);
	mend_key(reading->doctor, key, line, find_custom_line(reading->runner, stage), value);
}

/* The remedy for a value in the runner's file that only the administrator knows. */
static void mend_by_hand(struct doctor *doctor, size_t line)
{
	doctor_mend(doctor, "\"${EDITOR:-vi}\" +%zu %s", line, doctor->runner_file);
}

/* It holds the runner's token. False if another account could have written it. */
static bool check_file(struct doctor *doctor)
{
	const char *path = doctor->runner_file;
	struct stat found;
	if (!doctor_check_way(doctor, "runner's file", path))
		return false;
	/* The error of reading it is reported. */
	if (stat(path, &found) != 0)
		return true;
	if (found.st_uid != 0 && found.st_uid != doctor->service.uid) {
		doctor_fail(doctor, "runner's file", "%s is owned by uid %u, not by %s", path,
			    (unsigned int)found.st_uid, doctor->service.name);
		doctor_mend_copy(doctor, path, "0600", doctor->service.name);
		return false;
	}
	if ((found.st_mode & 077) != 0) {
		doctor_fail(doctor, "runner's file",
			    "%s holds the runner's token, but other accounts have access to it "
			    "(mode %04o)",
			    path, found.st_mode & 07777);
		doctor_mend(doctor, "chmod 0600 %s", path);
	} else {
		doctor_pass(doctor, "runner's file", "only its owner has access to %s", path);
	}
	return true;
}

/* The sample has a placeholder, which is not a token. */
static void check_token(const struct reading *reading)
{
	const struct runner_value *token = &reading->runner->token;
	const char *text = runner_string(token);
	if (text != NULL && text[0] != '<' && text[0] != '\0')
		return;
	doctor_fail(reading->doctor, "runner's file",
		    text != NULL && text[0] != '\0' ? "its token is still the placeholder \"%s\""
						    : "it has no token%s",
		    text != NULL ? text : "");
	mend_by_hand(reading->doctor, token->line != 0 ? token->line : reading->runner->line);
}

static void check_executor(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	const struct runner_value *executor = &reading->runner->executor;
	const char *name = runner_string(executor);
	if (name != NULL && strcmp(name, "custom") == 0) {
		doctor_pass(doctor, "runner's executor", "the executor is \"custom\"");
		return;
	}
	const char *quote = name != NULL ? "\"" : "";
	doctor_fail(doctor, "runner's executor",
		    "the executor is %s%s%s, so the commands of [runners.custom] are not called",
		    quote, name != NULL ? name : "not set", quote);
	mend_key(doctor, "executor", executor->line, reading->runner->line, "\"custom\"");
}

/* What is wrong with the program of a stage, which should be `right`; NULL: nothing. */
static const char *exec_fault(const char *path, const char *right)
{
	struct stat found;
	if (path == NULL)
		return "is not set";
	if (path[0] != '/')
		return "is not an absolute path";
	if (stat(path, &found) != 0 && errno == ENOENT)
		return "does not exist";
	return strcmp(path, right) != 0 ? "is not the program of the other stages" : NULL;
}

/* The runner may execute another installation. Only a program that root owns is a remedy. */
static void check_installation(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	struct secure_path_fault fault;
	struct error err;
	const struct secure_path_terms terms = {.what = "a program", .owner = 0};
	cleanup_free char *beside = doctor_find_beside(doctor);
	if (doctor_is_own(doctor) || beside == NULL)
		return;
	cleanup_free char *own = doctor_find_own(doctor);
	cleanup_free char *trusted = secure_path_examine(beside, &terms, &fault, &err);
	doctor_warn(doctor, "runner's commands",
		    "%s belongs to another installation than this program, %s", doctor->program,
		    own != NULL ? own : "");
	if (trusted != NULL)
		doctor_mend(doctor, "%s doctor --runner-config %s", beside, doctor->runner_file);
}

static void check_commands(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	size_t before = doctor->count;
	/* The program of this installation, if the other one does not exist. */
	cleanup_free char *own = doctor_find_own(doctor);
	bool there = access(doctor->program, F_OK) == 0 || errno != ENOENT;
	const char *right = there || own == NULL ? doctor->program : own;
	cleanup_free char *quoted = text_format("\"%s\"", right);
	for (int stage = 0; stage < RUNNER_STAGES; stage++) {
		const struct runner_value *exec = &reading->runner->exec[stage];
		const char *path = runner_string(exec);
		const char *fault = exec_fault(path, right);
		if (fault == NULL)
			continue;
		doctor_fail(doctor, "runner's commands", "%s_exec%s%s %s",
			    RUNNER_STAGE_NAMES[stage], path != NULL ? " " : "",
			    path != NULL ? path : "", fault);
		mend_stage(reading, stage, "_exec", exec->line, quoted);
	}
	if (doctor->count == before)
		doctor_pass(doctor, "runner's commands", "all four stages execute %s",
			    doctor->program);
	if (there)
		check_installation(reading);
}

/* What is wrong with how a stage is called; NULL: nothing. */
static const char *call_fault(const struct reading *reading, int stage,
			      const struct runner_call *call)
{
	const char *examined = reading->doctor->configuration;
	if (call->stage == NULL || strcmp(call->stage, RUNNER_STAGE_NAMES[stage]) != 0)
		return "does not name the stage";
	if (call->odd != NULL)
		return "has an argument that does not belong there";
	if (call->no_auth == reading->is_auth)
		return reading->is_auth ? "has --no-auth, which only jacamar accepts"
					: "lacks --no-auth, which jacamar needs";
	if (call->configuration == NULL)
		return stage == RUNNER_CONFIG ? "lacks --configuration" : NULL;
	if (access(call->configuration, F_OK) != 0 && errno == ENOENT)
		return "names a configuration file that does not exist";
	/* A missing file that the caller has named may be a misspelling of the caller's. */
	if (examined != NULL && access(examined, F_OK) == 0 &&
	    !doctor_is_same_file(call->configuration, examined))
		return "names another configuration file than the one that is checked";
	return NULL;
}

static void check_arguments(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	bool usable = doctor->configuration != NULL && !doctor->refused_configuration;
	cleanup_free char *absolute =
		usable ? secure_path_make_absolute(doctor->configuration) : NULL;
	const char *configuration = absolute != NULL ? absolute : "FILE";
	size_t before = doctor->count;
	for (int stage = 0; stage < RUNNER_STAGES; stage++) {
		const struct runner_value *arguments = &reading->runner->arguments[stage];
		struct runner_call call = runner_read_call(arguments);
		const char *fault = call_fault(reading, stage, &call);
		bool named = stage == RUNNER_CONFIG || call.configuration != NULL;
		if (fault == NULL)
			continue;
		cleanup_free char *right = text_format(
			"[%s\"%s\"%s%s%s]", reading->is_auth ? "" : "\"--no-auth\", ",
			RUNNER_STAGE_NAMES[stage], named ? ", \"--configuration\", \"" : "",
			named ? configuration : "", named ? "\"" : "");
		doctor_fail(doctor, "runner's arguments", "%s_args %s", RUNNER_STAGE_NAMES[stage],
			    fault);
		mend_stage(reading, stage, "_args", arguments->line, right);
	}
	if (doctor->count == before)
		doctor_pass(doctor, "runner's arguments", "each stage has the right arguments");
}

/* The runner kills a stage after these timeouts, but ending a job may take kill_timeout. */
static void check_timeouts(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	const struct {
		const char *key;
		const struct runner_value *value;
		int64_t preset; /* seconds, the runner's default; 0: only a set value is checked */
	} timeouts[] = {
		{"graceful_kill_timeout", &reading->runner->graceful_kill_timeout, 600},
		{"cleanup_exec_timeout", &reading->runner->cleanup_exec_timeout, 3600},
		/* It matters only to a runner that is stopped by force. */
		{"shutdown_timeout", &doctor->runner.shutdown_timeout, 0},
	};
	size_t before = doctor->count;
	if (doctor->settings == NULL)
		return;
	int64_t least = doctor->settings->general.kill_timeout_ms / 1000;
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		const struct runner_value *value = timeouts[i].value;
		/* The runner ignores a value that is not positive. */
		int64_t set = json_integer_value(value->value);
		int64_t seconds = set > 0 ? set : timeouts[i].preset;
		if (seconds == 0 || seconds > least)
			continue;
		doctor_warn(doctor, "runner's timeouts",
			    "%s is %" PRId64 " s%s; it must be greater than general.kill_timeout, "
			    "%" PRId64 " s",
			    timeouts[i].key, seconds, set > 0 ? "" : " by default", least);
		cleanup_free char *right = text_format("%" PRId64, least + 60);
		mend_key(doctor, timeouts[i].key, value->line,
			 find_custom_line(reading->runner, RUNNER_CLEANUP), right);
	}
	if (doctor->count == before)
		doctor_pass(doctor, "runner's timeouts",
			    "the runner waits longer than general.kill_timeout");
}

static void say_unread(struct doctor *doctor)
{
	const char *path = doctor->runner_file;
	const char *service = doctor->service.name;
	struct stat found;
	bool is_denied = access(path, R_OK) != 0 && errno == EACCES;
	if (is_denied && !doctor->as_service) {
		doctor_leave_to_service(doctor, "runner's file",
					"you have no permission to read the file");
		return;
	}
	if (!is_denied) {
		doctor_fail(doctor, "runner's file", "%s", doctor->runner_error);
		doctor_mend(doctor, "jacamar doctor --runner-config FILE");
		return;
	}
	doctor_fail(doctor, "runner's file", "%s is not readable by %s", path, service);
	if (lstat(path, &found) != 0)
		doctor_mend_closed(doctor, path);
	else if (found.st_uid == doctor->service.uid)
		doctor_mend(doctor, "chmod u+r %s", path);
	/* A link may lead to any file of the system. */
	else if (S_ISREG(found.st_mode) && found.st_nlink == 1)
		doctor_mend(doctor, "chown -h %s %s", service, path);
}

void doctor_check_runner(struct doctor *doctor)
{
	const char *path = doctor->runner_file;
	const char *name = doctor->program != NULL ? strrchr(doctor->program, '/') : NULL;
	struct reading reading = {.doctor = doctor,
				  .is_auth = name == NULL || (strcmp(name, "/jacamar") != 0 &&
							      strcmp(name, "/jacamar-ci") != 0)};
	if (path == NULL || !check_file(doctor))
		return;
	if (doctor->runner_error[0] != '\0') {
		say_unread(doctor);
		return;
	}
	/* The runner rejects a file that is not TOML. */
	if (doctor->runner.fault_line != 0) {
		doctor_fail(doctor, "runner's file", "%s:%zu: %s", path, doctor->runner.fault_line,
			    doctor->runner.fault);
		mend_by_hand(doctor, doctor->runner.fault_line);
	}
	for (size_t i = 0; i < doctor->runner.count && doctor->program != NULL; i++) {
		if (!runner_is_ours(&doctor->runner.runners[i]))
			continue;
		reading.runner = &doctor->runner.runners[i];
		check_token(&reading);
		check_executor(&reading);
		check_commands(&reading);
		check_arguments(&reading);
		check_timeouts(&reading);
	}
	if (reading.runner != NULL)
		return;
	doctor_fail(doctor, "runner's commands",
		    "no [[runners]] section of %s executes jacamar-auth or jacamar", path);
	doctor_mend(doctor, "set config_exec = \"");
	doctor_mend_text(doctor, doctor->program != NULL ? doctor->program
							 : "/opt/jacamar/bin/jacamar-auth");
	doctor_mend(doctor, "\" in [runners.custom] of %s", path);
}
