/*
 * The unit tests. Check's own variables choose among them: CK_RUN_SUITE, CK_RUN_CASE, CK_FORK=no,
 * CK_VERBOSITY; CK_EXCLUDE_TAGS=slow leaves out those that mostly wait. A choice without a test is
 * a failure.
 *
 * Each suite runs in a child: with sanitizers, a process that grows makes each of its tests slower.
 * This process outlives them: it adopts and ends the processes that the tests have left running,
 * and removes the directory that they work in.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

struct counts {
	int run;
	int failed;
};

/* Of all suites; shared with the children. */
static struct counts *counts;

static void run_suite(Suite *suite)
{
	SRunner *tests = srunner_create(suite);
	srunner_run_all(tests, CK_SILENT);
	int failed = srunner_ntests_failed(tests);
	if (failed > 0 || getenv("CK_VERBOSITY") != NULL)
		srunner_print(tests, CK_ENV);
	counts->run += srunner_ntests_run(tests);
	counts->failed += failed;
	srunner_free(tests);
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

static int start_suite(Suite *(*suite)(void))
{
	fflush(stdout);
	runner = fork();
	if (runner == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		run_suite(suite());
		exit(EXIT_SUCCESS);
	}
	return runner > 0 ? wait_for_runner() : EXIT_FAILURE;
}

int main(void)
{
	char root[SCRATCH_SIZE];
	int code = EXIT_SUCCESS;
	/* Only against a hang: nothing here is measured, and valgrind is slow. */
	setenv("CK_DEFAULT_TIMEOUT", "600", 0);
	unsetenv("CDPATH");
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (counts == MAP_FAILED || scratch_open_root(root) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		fprintf(stderr, "unit: cannot prepare: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	signal(SIGINT, hand_on);
	signal(SIGTERM, hand_on);
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]) && code == EXIT_SUCCESS; i++)
		code = start_suite(suites[i]);
	process_end_children();
	scratch_remove(root);
	if (code == EXIT_SUCCESS && counts->run == 0)
		fprintf(stderr, "unit: no test has been chosen; is the suite's name right?\n");
	if (code == EXIT_SUCCESS)
		printf("%d checks, %d failed\n", counts->run, counts->failed);
	return code == EXIT_SUCCESS && counts->run > 0 && counts->failed == 0 ? EXIT_SUCCESS
									      : EXIT_FAILURE;
}
