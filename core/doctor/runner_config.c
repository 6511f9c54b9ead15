/*
 * GitLab Runner's config.toml: whether it calls us as it should.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/doctor/doctor.h"
#include "core/doctor/runner_file.h"
#include "core/io.h"

/* One [[runners]] that names us, and the file it stands in. */
struct reading {
	struct doctor *doctor;
	const struct runner *runner;
};

/* The remedy for a key of the runner's; `value` is what it must be, as TOML has it. */
__attribute__((format(printf, 4, 5))) static void mend_line(struct doctor *doctor, const char *key,
							    size_t line, const char *format, ...)
{
	char value[DOCTOR_WORD_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	doctor_mend(doctor, "set %s = %s at %s:%zu", key, value,
		    doctor_quote(doctor->runner_file).text, line);
}

/* The remedy for what only the administrator can write, in the runner's file. */
static void mend_by_hand(struct doctor *doctor, size_t line)
{
	doctor_mend(doctor, "\"${EDITOR:-vi}\" +%zu %s", line,
		    doctor_quote(doctor->runner_file).text);
}

/* It has the runner's token, and says what is executed. False where somebody else wrote it. */
static bool check_file(struct doctor *doctor)
{
	const char *path = doctor->runner_file;
	struct stat found;
	if (!doctor_check_way(doctor, "runner's file", path))
		return false;
	/* What reading it says is told. */
	if (stat(path, &found) != 0)
		return true;
	if (found.st_uid != 0 && found.st_uid != doctor->service.uid) {
		doctor_say(doctor, DOCTOR_FAIL, "runner's file", "%s belongs to uid %u, not to %s",
			   path, (unsigned int)found.st_uid, doctor->service.name);
		doctor_mend_copy(doctor, path, "0600", doctor->service.name);
		return false;
	}
	if ((found.st_mode & 077) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "runner's file",
			   "%s has the runner's token, and is for others, too (mode %04o)", path,
			   found.st_mode & 07777);
		doctor_mend(doctor, "chmod 0600 %s", doctor_quote(path).text);
	} else {
		doctor_say(doctor, DOCTOR_PASS, "runner's file", "%s is for its owner alone", path);
	}
	return true;
}

/* The runner reads nothing of a file that is not TOML. */
static void check_text(struct doctor *doctor)
{
	if (doctor->runner.fault_line == 0)
		return;
	doctor_say(doctor, DOCTOR_FAIL, "runner's file", "%s:%zu: %s", doctor->runner_file,
		   doctor->runner.fault_line, doctor->runner.fault);
	mend_by_hand(doctor, doctor->runner.fault_line);
}

/* As the sample has it, which is no token of any server. */
static void check_token(const struct reading *reading)
{
	const struct runner_value *token = &reading->runner->token;
	const char *text = runner_string(token);
	if (text != NULL && text[0] != '<' && text[0] != '\0')
		return;
	doctor_say(reading->doctor, DOCTOR_FAIL, "runner's file",
		   text != NULL && text[0] != '\0' ? "its token is still \"%s\", in place of the "
						     "runner's own"
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
		doctor_say(doctor, DOCTOR_PASS, "runner's executor", "it is \"custom\"");
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "runner's executor",
		   "it is \"%s\", so that the commands of [runners.custom] are not called",
		   name != NULL ? name : "");
	mend_line(doctor, "executor", executor->line != 0 ? executor->line : reading->runner->line,
		  "\"custom\"");
}

/* What is wrong with what a stage executes; NULL: nothing. */
static const char *exec_fault(const struct reading *reading, const char *path)
{
	struct stat found;
	if (path == NULL)
		return "is not set";
	if (path[0] != '/')
		return "is not an absolute path";
	if (stat(path, &found) != 0 && errno == ENOENT)
		return "is not there";
	return strcmp(path, reading->doctor->program) != 0 ? "is not what the other stages execute"
							   : NULL;
}

/* A jacamar-auth beside another jacamar than this one, which root calls only if it is root's. */
static void check_installation(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	struct trust_fault fault;
	struct error err;
	const char *slash = strrchr(doctor->program, '/');
	char beside[PATH_MAX];
	if (doctor_is_own(doctor) || slash == NULL)
		return;
	const struct trust_terms terms = {.what = "a program", .owner = 0};
	snprintf(beside, sizeof(beside), "%.*s/jacamar", (int)(slash - doctor->program),
		 doctor->program);
	cleanup_free char *own = doctor_find_own(doctor);
	cleanup_free char *trusted = trust_examine(beside, &terms, &fault, &err);
	doctor_say(doctor, DOCTOR_WARN, "runner's commands",
		   "%s is of another installation than this program, %s", doctor->program,
		   own != NULL ? own : "");
	if (trusted != NULL)
		doctor_mend(doctor, "%s doctor --runner-config %s", doctor_quote(beside).text,
			    doctor_quote(doctor->runner_file).text);
}

static void check_commands(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	bool good = true;
	/* That of this installation, where the other is not there. */
	cleanup_free char *own = doctor_find_own(doctor);
	bool there = access(doctor->program, F_OK) == 0 || errno != ENOENT;
	const char *right = there || own == NULL ? doctor->program : own;
	for (int stage = 0; stage < RUNNER_STAGES; stage++) {
		const struct runner_value *exec = &reading->runner->exec[stage];
		const char *path = runner_string(exec);
		const char *fault = exec_fault(reading, path);
		char key[32];
		if (fault == NULL)
			continue;
		good = false;
		snprintf(key, sizeof(key), "%s_exec", RUNNER_STAGE_NAMES[stage]);
		doctor_say(doctor, DOCTOR_FAIL, "runner's commands", "%s%s%s %s", key,
			   path != NULL ? " " : "", path != NULL ? path : "", fault);
		mend_line(doctor, key, exec->line != 0 ? exec->line : reading->runner->line,
			  "\"%s\"", right);
	}
	if (good)
		doctor_say(doctor, DOCTOR_PASS, "runner's commands", "all four are %s",
			   doctor->program);
	check_installation(reading);
}

/* What is wrong with how a stage is called; NULL: nothing. */
static const char *call_fault(const struct reading *reading, int stage,
			      const struct runner_call *call)
{
	const char *examined = reading->doctor->configuration;
	const char *name = strrchr(reading->doctor->program, '/');
	bool is_auth = name == NULL || strcmp(name, "/jacamar-auth") == 0;
	if (call->stage == NULL || strcmp(call->stage, RUNNER_STAGE_NAMES[stage]) != 0)
		return "does not name the stage";
	if (call->odd != NULL)
		return "has what does not belong there";
	if (call->no_auth == is_auth)
		return is_auth ? "has --no-auth, which is for jacamar"
			       : "lacks --no-auth, without which jacamar runs no stage";
	if (call->configuration == NULL)
		return stage == RUNNER_CONFIG ? "lacks --configuration" : NULL;
	if (access(call->configuration, F_OK) != 0 && errno == ENOENT)
		return "names a configuration that is not there";
	if (examined != NULL && !doctor_is_same_file(call->configuration, examined))
		return "names another configuration than the one examined";
	return NULL;
}

static void check_arguments(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	const char *name = strrchr(doctor->program, '/');
	bool is_auth = name == NULL || strcmp(name, "/jacamar-auth") == 0;
	const char *configuration = doctor->configuration != NULL && !doctor->refused_configuration
					    ? doctor->configuration
					    : "FILE";
	bool good = true;
	for (int stage = 0; stage < RUNNER_STAGES; stage++) {
		const struct runner_value *arguments = &reading->runner->arguments[stage];
		struct runner_call call = runner_read_call(arguments);
		const char *fault = call_fault(reading, stage, &call);
		bool named = stage == RUNNER_CONFIG || call.configuration != NULL;
		char key[32];
		if (fault == NULL)
			continue;
		good = false;
		snprintf(key, sizeof(key), "%s_args", RUNNER_STAGE_NAMES[stage]);
		doctor_say(doctor, DOCTOR_FAIL, "runner's arguments", "%s %s", key, fault);
		mend_line(doctor, key,
			  arguments->line != 0 ? arguments->line : reading->runner->line,
			  "[%s\"%s\"%s%s%s]", is_auth ? "" : "\"--no-auth\", ",
			  RUNNER_STAGE_NAMES[stage], named ? ", \"--configuration\", \"" : "",
			  named ? configuration : "", named ? "\"" : "");
	}
	if (good)
		doctor_say(doctor, DOCTOR_PASS, "runner's arguments",
			   "each stage is called as it should be");
}

/* Within general.kill_timeout a job is ended; who is killed before cannot do that. */
static void check_timeouts(const struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	const struct {
		const char *key;
		const struct runner_value *value;
	} timeouts[] = {
		{"graceful_kill_timeout", &reading->runner->graceful_kill_timeout},
		{"cleanup_exec_timeout", &reading->runner->cleanup_exec_timeout},
		{"shutdown_timeout", &doctor->runner.shutdown_timeout},
	};
	bool good = true;
	if (doctor->settings == NULL)
		return;
	int64_t least = doctor->settings->general.kill_timeout_ms / 1000;
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		const struct runner_value *value = timeouts[i].value;
		/* What is not positive is the runner's own default. */
		if (value->line == 0 || value->value.integer <= 0 || value->value.integer > least)
			continue;
		good = false;
		doctor_say(doctor, DOCTOR_WARN, "runner's timeouts",
			   "%s is %" PRId64 " s, which must be more than general.kill_timeout, "
			   "%" PRId64 " s",
			   timeouts[i].key, value->value.integer, least);
		mend_line(doctor, timeouts[i].key, value->line, "%" PRId64, least + 60);
	}
	if (good)
		doctor_say(doctor, DOCTOR_PASS, "runner's timeouts",
			   "a job can be ended before the runner kills");
}

static void say_unread(struct doctor *doctor)
{
	const char *path = doctor->runner_file;
	bool shut = access(path, R_OK) != 0 && errno == EACCES;
	bool there = access(path, F_OK) == 0;
	doctor_say(doctor, DOCTOR_FAIL, "runner's file", "%s", doctor->runner_error);
	if (shut && there)
		doctor_mend(doctor, "chmod u+r %s", doctor_quote(path).text);
	else if (shut)
		doctor_mend_closed(doctor, path);
	else
		doctor_mend(doctor, "jacamar doctor --runner-config FILE");
}

void doctor_check_runner(struct doctor *doctor)
{
	struct reading reading = {.doctor = doctor};
	const char *path = doctor->runner_file;
	if (path == NULL || !check_file(doctor))
		return;
	if (doctor->runner_error[0] != '\0') {
		if (!doctor->as_service && access(path, R_OK) != 0 && errno == EACCES)
			doctor_leave_to_service(doctor, "runner's file", "the file is not for you");
		else
			say_unread(doctor);
		return;
	}
	check_text(doctor);
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
	doctor_say(doctor, DOCTOR_FAIL, "runner's commands",
		   "no [[runners]] of %s executes jacamar-auth or jacamar", path);
	mend_line(doctor, "config_exec",
		  doctor->runner.count > 0 ? doctor->runner.runners[0].line : 1, "\"%s\"",
		  doctor->program != NULL ? doctor->program : "/opt/jacamar/bin/jacamar-auth");
}
