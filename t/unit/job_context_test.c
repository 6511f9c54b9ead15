/*
 * What a process of the user has that a login would have, and the limits that the site sets.
 */
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "core/privilege/job_context.h"
#include "core/privilege/seccomp.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

#define NONE (-1)

static const struct limits_case {
	rlim_t soft, hard; /* of the service */
	int64_t set;	   /* by [auth.limits]; NONE: nothing is */
	bool cleans_up;
	rlim_t becomes_soft, becomes_hard;
} PROCESSES[] = {
	{400, 500, NONE, false, 400, 492}, {500, 500, NONE, false, 492, 492},
	{400, 500, NONE, true, 500, 500},  {400, 500, 300, false, 300, 300},
	{400, 500, 300, true, 308, 308},   {400, 500, 496, false, 492, 492},
	{400, 500, 496, true, 500, 500},   {32, 32, NONE, false, 24, 24},
	{32, 32, NONE, true, 32, 32},	   {31, 31, NONE, false, 31, 31},
	{31, 31, NONE, true, 31, 31},	   {31, 31, 30, false, 30, 30},
	{31, 31, 30, true, 31, 31},	   {31, 31, 3, true, 11, 11},
};

static void settle_processes(const void *argument)
{
	const struct limits_case *each = argument;
	const struct account account = {.home = "/"};
	struct downscope_rules rules = {.cleans_up = each->cleans_up};
	struct rlimit limit = {.rlim_cur = each->soft, .rlim_max = each->hard};
	struct error err = {.detail = ""};
	rules.limits[LIMIT_NPROC] =
		(struct limit_setting){.set = each->set != NONE, .value = each->set};
	child_require(setrlimit(RLIMIT_NPROC, &limit) == 0);
	child_require(job_context_apply(&account, &rules, &err) == 0);
	child_require(getrlimit(RLIMIT_NPROC, &limit) == 0);
	child_require(limit.rlim_cur == each->becomes_soft && limit.rlim_max == each->becomes_hard);
}

static void settle_above(const void *argument)
{
	const struct account account = {.home = "/"};
	struct downscope_rules rules = {.cleans_up = *(const bool *)argument};
	struct rlimit limit = {.rlim_cur = 40, .rlim_max = 50};
	struct error err = {.detail = ""};
	static const int64_t values[] = {51, LIMIT_UNLIMITED};
	child_require(setrlimit(RLIMIT_NPROC, &limit) == 0);
	for (int i = 0; i < 2; i++) {
		rules.limits[LIMIT_NPROC] = (struct limit_setting){.set = true, .value = values[i]};
		child_require(job_context_apply(&account, &rules, &err) == -1);
		child_require(strstr(err.detail, "auth.limits.nproc above the 50 ") != NULL);
	}
}

START_TEST(no_more_processes_than_the_service_has_can_be_set)
{
	const bool cleans_up = _i == 1;
	ck_assert_int_eq(process_run(settle_above, &cleans_up), 0);
}
END_TEST

START_TEST(some_processes_are_kept_for_cleanup)
{
	ck_assert_int_eq(process_run(settle_processes, &PROCESSES[_i]), 0);
}
END_TEST

static void settle_stack(const void *argument)
{
	const bool *raised = argument;
	const struct account account = {.home = "/"};
	struct downscope_rules rules = {.raise_stack = *raised};
	struct rlimit limit = {.rlim_cur = 8 << 20, .rlim_max = 64 << 20};
	struct error err = {.detail = ""};
	child_require(setrlimit(RLIMIT_STACK, &limit) == 0);
	child_require(job_context_apply(&account, &rules, &err) == 0);
	child_require(getrlimit(RLIMIT_STACK, &limit) == 0);
	child_require(limit.rlim_cur == (*raised ? 64 << 20 : 8 << 20));
	child_require(limit.rlim_max == 64 << 20);

	/* What the site sets holds instead. */
	rules.limits[LIMIT_STACK] = (struct limit_setting){.set = true, .value = 16 << 20};
	child_require(job_context_apply(&account, &rules, &err) == 0);
	child_require(getrlimit(RLIMIT_STACK, &limit) == 0);
	child_require(limit.rlim_cur == 16 << 20 && limit.rlim_max == 16 << 20);
}

START_TEST(the_stack_is_raised_where_it_is_asked_for)
{
	const bool raised = _i == 1;
	ck_assert_int_eq(process_run(settle_stack, &raised), 0);
}
END_TEST

/* What a filter of system calls may report as done, and leave out. */
static const struct {
	unsigned int call;
	int argument; /* that is not 0 in the calls that are faked */
	const char *says;
} FAKES[] = {
	{SYS_prlimit64, 2, "auth.limits.cpu is not in effect"},
	{SYS_prctl, 1, "auth.no_new_privs is not in effect"},
	{SYS_seccomp, 2, "the list of filters of [auth.seccomp] is not in effect"},
	{0, 0, NULL},
};

static void settle_with_fake(const void *argument)
{
	int row = *(const int *)argument;
	const struct account account = {.home = "/"};
	const struct auth_settings settings = {.no_new_privs = true};
	struct downscope_rules rules = {.no_new_privs = true};
	struct error err = {.detail = ""};
	rules.limits[LIMIT_CPU] = (struct limit_setting){.set = true, .value = 123456};
	rules.filters = seccomp_compile(&settings, &account, &err);
	child_require(rules.filters != NULL && json_array_size(rules.filters) > 0);
	if (FAKES[row].says != NULL)
		process_fake_call(FAKES[row].call, FAKES[row].argument);
	int result = job_context_apply(&account, &rules, &err);
	child_require(result == (FAKES[row].says == NULL ? 0 : -1));
	child_require(result == 0 || strstr(err.detail, FAKES[row].says) != NULL);
}

START_TEST(what_was_asked_for_is_in_effect_or_nothing_goes_on)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(settle_with_fake, &_i), 0);
}
END_TEST

Suite *job_context_suite(void)
{
	Suite *suite = suite_create("job_context");
	TCase *tcase = tcase_create("settle");

	tcase_add_loop_test(tcase, some_processes_are_kept_for_cleanup, 0, ROWS(PROCESSES));
	tcase_add_loop_test(tcase, no_more_processes_than_the_service_has_can_be_set, 0, 2);
	tcase_add_loop_test(tcase, the_stack_is_raised_where_it_is_asked_for, 0, 2);
	tcase_add_loop_test(tcase, what_was_asked_for_is_in_effect_or_nothing_goes_on, 0,
			    ROWS(FAKES));
	suite_add_tcase(suite, tcase);
	return suite;
}
