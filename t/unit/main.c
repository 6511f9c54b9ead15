/*
 * The unit tests. Check's own variables choose among them: CK_RUN_SUITE, CK_RUN_CASE, CK_FORK=no,
 * CK_VERBOSITY; CK_EXCLUDE_TAGS=slow leaves out those that mostly wait. A choice without a test is
 * a failure.
 *
 * The tests run in a child. This process outlives it: it adopts and ends the processes that the
 * tests have left running, and removes the directory that they work in.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static Suite *(*const suites[])(void) = {
	/* config/ */
	toml_suite,
	settings_suite,
	rules_suite,
	show_suite,
	/* core/, what knows of nothing else first */
	text_suite,
	image_name_suite,
	error_suite,
	io_suite,
	url_suite,
	json_suite,
	account_suite,
	external_name_suite,
	lsf_suite,
	policy_suite,
	auth_rule_suite,
	claims_suite,
	builds_lock_suite,
	run_unprivileged_suite,
	runas_suite,
	seccomp_suite,
	doctor_suite,
	downscope_suite,
	confine_suite,
	confirmation_suite,
	job_processes_suite,
	job_suite,
	jwt_suite,
	jwks_suite,
	jwks_cache_suite,
	identity_suite,
	job_status_suite,
	trusted_program_suite,
	environment_suite,
	state_suite,
	sudo_suite,
	channel_suite,
	audit_sink_suite,
	arguments_suite,
	audit_suite,
	remove_tree_suite,
	worker_suite,
	workspace_suite,
	writers_suite,
	static_builds_suite,
	root_directory_suite,
	cobalt_suite,
	command_line_suite,
	script_suite,
	process_tree_suite,
	leftovers_suite,
	login_shell_suite,
	isolation_suite,
	job_context_suite,
	shell_suite,
	argv_suite,
	slurm_suite,
	flux_suite,
	pbs_suite,
	batch_suite,
};

static volatile sig_atomic_t runner;

static int run_suites(void)
{
	SRunner *tests = srunner_create(NULL);
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		srunner_add_suite(tests, suites[i]());
	srunner_run_all(tests, CK_ENV);
	int run = srunner_ntests_run(tests);
	int failed = srunner_ntests_failed(tests);
	srunner_free(tests);
	if (run == 0)
		fprintf(stderr, "unit: no test has been chosen; is the suite's name right?\n");
	return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Check passes it on to the test that runs. */
static void hand_on(int number)
{
	if (runner > 0)
		kill((pid_t)runner, number);
}

static int wait_for_runner(void)
{
	int status;
	for (;;) {
		pid_t ended = wait(&status);
		if (ended == (pid_t)runner)
			break;
		if (ended < 0 && errno != EINTR)
			return EXIT_FAILURE;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "unit: ended by signal %d\n", WTERMSIG(status));
	return EXIT_FAILURE;
}

int main(void)
{
	char root[SCRATCH_SIZE];
	/* Only against a hang: nothing here is measured, and valgrind is slow. */
	setenv("CK_DEFAULT_TIMEOUT", "600", 0);
	unsetenv("CDPATH");
	if (scratch_open_root(root) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		fprintf(stderr, "unit: cannot prepare: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	signal(SIGINT, hand_on);
	signal(SIGTERM, hand_on);
	fflush(stdout);
	runner = fork();
	if (runner == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		exit(run_suites());
	}
	int code = runner > 0 ? wait_for_runner() : EXIT_FAILURE;
	process_end_children();
	scratch_remove(root);
	return code;
}
