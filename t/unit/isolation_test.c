/* Isolating a process, and what happens if the kernel cannot. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/privilege/isolation.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

#define CREATE_RULESET 444
#define RESTRICT_SELF  446

static const struct auth_settings ISOLATE = {.isolate = true};

static bool kernel_can(const char *test)
{
	struct error err;
	if (isolation_check(&ISOLATE, &err) == 0)
		return true;
	process_skip(test, err.detail);
	return false;
}

static int enter(struct error *err)
{
	const struct state state = {.reference = ""};
	int ruleset = isolation_open(&state, err);
	child_require(ruleset >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return isolation_enter(&ruleset, err);
}

static void expect_isolated(const void *argument)
{
	struct error err = {.detail = ""};
	(void)argument;
	child_require(kill(getppid(), 0) == 0);
	child_require(enter(&err) == 0);
	child_require(kill(getppid(), 0) == -1 && errno == EPERM);
	child_require(kill(getpid(), 0) == 0);
}

START_TEST(an_isolated_process_cannot_signal_its_parent)
{
	if (kernel_can(__func__))
		ck_assert_int_eq(process_run(expect_isolated, NULL), 0);
}
END_TEST

static void expect_no_faked_success(const void *argument)
{
	struct error err = {.detail = ""};
	(void)argument;
	process_fake_call(RESTRICT_SELF, 0);
	child_require(enter(&err) == -1);
	child_require(strstr(err.detail, "auth.isolate is not in effect") != NULL);
	child_require(strcmp(err.key, "auth.isolate") == 0);
}

START_TEST(a_kernel_that_only_claims_to_isolate_is_noticed)
{
	if (process_is_root(__func__) && kernel_can(__func__))
		ck_assert_int_eq(process_run(expect_no_faked_success, NULL), 0);
}
END_TEST

/* The call returns 0: a stand-in for an older version, of which no kernel is at hand. */
static void expect_older(const void *argument)
{
	const struct auth_settings off = {.isolate = false};
	struct error err = {.detail = ""};
	(void)argument;
	process_fake_call(CREATE_RULESET, 2);
	child_require(isolation_check(&ISOLATE, &err) == -1);
	child_require(strstr(err.detail, "Linux 6.12 or later") != NULL);
	child_require(strstr(err.detail, ": its Landlock is older") != NULL);
	child_require(isolation_check(&off, &err) == 0);
}

START_TEST(an_older_landlock_is_refused_where_it_is_needed)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(expect_older, NULL), 0);
}
END_TEST

Suite *isolation_suite(void)
{
	Suite *suite = suite_create("isolation");
	TCase *tcase = tcase_create("isolation");

	tcase_add_test(tcase, an_isolated_process_cannot_signal_its_parent);
	tcase_add_test(tcase, a_kernel_that_only_claims_to_isolate_is_noticed);
	tcase_add_test(tcase, an_older_landlock_is_refused_where_it_is_needed);
	suite_add_tcase(suite, tcase);
	return suite;
}
