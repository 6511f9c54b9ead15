/*
 * Filters of system calls: what is blocked, and how. Each test runs in a child, because a filter
 * cannot be removed. They use calls of this architecture and, if the kernel runs its programs, of
 * the 32-bit one.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/privilege/downscope.h"
#include "core/privilege/seccomp.h"
#include "t/unit/process.h"
#include "t/unit/suites.h"

#ifndef SYS_clone3
#define SYS_clone3 435
#endif

#define USER_ID	   65532
#define GROUP_ID   65531
#define OTHER_ID   65530
#define UPPER_HALF 0xffffffff00000000UL

static const struct account USER = {.name = "nobody", .uid = USER_ID, .gid = GROUP_ID};

/* The words of `text`; good until the fourth call from then. */
static struct string_list words(const char *text)
{
	static struct {
		char text[2048];
		char *items[256];
	} pool[4];
	static size_t next;
	struct string_list list = {.items = pool[next].items};
	char *rest = pool[next].text;
	snprintf(rest, sizeof(pool[0].text), "%s", text);
	next = (next + 1) % 4;
	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		if (*word != '\0')
			list.items[list.count++] = word;
	return list;
}

static json_t *compile(const struct seccomp_settings *settings, bool no_new_privs,
		       struct error *err)
{
	const struct auth_settings auth = {.seccomp = *settings, .no_new_privs = no_new_privs};
	return seccomp_compile(&auth, &USER, err);
}

static void install(json_t *filters, const struct error *compiled)
{
	struct error err;
	if (filters == NULL)
		fprintf(stderr, "%s\n", compiled->detail);
	child_require(filters != NULL);
	child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	child_require(seccomp_install(filters, &err) == 0);
	json_decref(filters);
}

/* In a child: these settings are in force. */
static void enforce(const struct seccomp_settings *settings)
{
	struct error err = {.detail = ""};
	install(compile(settings, true, &err), &err);
}

#define refused(call, code) (errno = 0, (long)(call) == -1 && errno == (code))

#ifdef __x86_64__
/* A call as a 32-bit program makes it; its arguments must lie in the first 4 GiB. */
static long call32(long number, unsigned long first, unsigned long second, unsigned long third)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

enum {
	I386_WAITPID = 7,
	I386_MKNOD = 14,
	I386_GETPID = 20,
	I386_SETUID16 = 23,
	I386_IOCTL = 54,
	I386_SOCKETCALL = 102,
	I386_SETRESUID32 = 208,
	I386_SETUID32 = 213,
};

static void probe32(const void *argument)
{
	(void)argument;
	child_require(call32(I386_GETPID, 0, 0, 0) == getpid());
}

static bool runs_32_bit_programs(const char *test)
{
	if (process_run(probe32, NULL) == 0)
		return true;
	process_skip(test, "needs a kernel that runs 32-bit programs");
	return false;
}

/* Room that a 32-bit program could name. */
static void *low_memory(const void *bytes, size_t size)
{
	void *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	child_require(low != MAP_FAILED);
	memcpy(low, bytes, size);
	return low;
}
#endif

static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	child_require(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	child_require(terminal >= 0);
	return terminal;
}

/* Each kind of descriptor has its own answer to a command that it does not take, or takes. */
static void push_into_terminal(const void *argument)
{
	struct winsize size;
	int ends[2], waiting = -1;
	(void)argument;
	int terminal = open_terminal();
	child_require(pipe(ends) == 0);
	child_require(refused(ioctl(ends[0], TIOCSTI, "x"), ENOTTY));
	child_require(refused(ioctl(ends[0], TIOCLINUX, "\2"), ENOTTY));

	enforce(&(struct seccomp_settings){.disabled = false});
	child_require(refused(ioctl(terminal, TIOCSTI, "x"), EPERM));
	child_require(refused(ioctl(ends[0], TIOCSTI, "x"), EPERM));
	child_require(refused(ioctl(ends[0], TIOCLINUX, "\2"), EPERM));
	child_require(refused(syscall(SYS_ioctl, ends[0], TIOCSTI | UPPER_HALF, "x"), EPERM));
	child_require(refused(syscall(SYS_ioctl, ends[0], TIOCLINUX | 0x100000000UL, "\2"), EPERM));
	child_require(ioctl(terminal, TIOCGWINSZ, &size) == 0);
	child_require(ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting == 0);
}

START_TEST(nothing_is_typed_into_a_terminal)
{
	ck_assert_int_eq(process_run(push_into_terminal, NULL), 0);
}
END_TEST

#ifdef __x86_64__
static void push_by_32_bits(const void *argument)
{
	int ends[2];
	(void)argument;
	child_require(pipe(ends) == 0);
	unsigned long in = (unsigned long)ends[0];
	child_require(call32(I386_IOCTL, in, TIOCSTI, 0) == -ENOTTY);
	enforce(&(struct seccomp_settings){.disabled = false});
	child_require(call32(I386_IOCTL, in, TIOCSTI, 0) == -EPERM);
	child_require(call32(I386_IOCTL, in, TIOCLINUX, 0) == -EPERM);
	child_require(call32(I386_IOCTL, in, TCGETS, 0) == -ENOTTY);
	child_require(call32(I386_GETPID, 0, 0, 0) == getpid());
	/* x32, which next to no kernel has. */
	child_require(refused(syscall(0x40000000L + SYS_getpid), ENOSYS));
}

START_TEST(nor_by_a_32_bit_program)
{
	if (runs_32_bit_programs(__func__))
		ck_assert_int_eq(process_run(push_by_32_bits, NULL), 0);
}
END_TEST

static void call_blocked_by_32_bits(const void *argument)
{
	const unsigned long socket_arguments[] = {AF_UNIX, SOCK_STREAM, 0};
	unsigned int narrow[3];
	(void)argument;
	for (int i = 0; i < 3; i++)
		narrow[i] = (unsigned int)socket_arguments[i];
	unsigned long name = (unsigned long)low_memory("/nonexistent/fifo", 18);
	unsigned long in = (unsigned long)low_memory(narrow, sizeof(narrow));
	child_require(call32(I386_WAITPID, (unsigned long)-1, 0, 0) == -ECHILD);
	child_require(call32(I386_MKNOD, name, S_IFIFO, 0) == -ENOENT);
	enforce(&(struct seccomp_settings){.block_calls = words("mknod socket waitpid"),
					   .error_number = EPERM});
	child_require(call32(I386_WAITPID, (unsigned long)-1, 0, 0) == -EPERM);
	child_require(call32(I386_MKNOD, name, S_IFIFO, 0) == -EPERM);
	child_require(call32(I386_SOCKETCALL, 1, in, 0) == -EPERM);
	/* Only that other architecture has it. */
	child_require(refused(waitpid(-1, NULL, 0), ECHILD));
}

START_TEST(a_call_is_blocked_for_32_bit_programs)
{
	if (runs_32_bit_programs(__func__))
		ck_assert_int_eq(process_run(call_blocked_by_32_bits, NULL), 0);
}
END_TEST

static void take_ids_by_32_bits(const void *argument)
{
	(void)argument;
	enforce(&(struct seccomp_settings){.limit_setuid = true});
	child_require(call32(I386_SETUID32, OTHER_ID, 0, 0) == -EPERM);
	child_require(call32(I386_SETRESUID32, USER_ID, OTHER_ID, USER_ID) == -EPERM);
	child_require(call32(I386_SETRESUID32, USER_ID, 0xffffffff, 0xffffffff) == 0);
	/* This one would cut its argument to 16 bits. */
	child_require(call32(I386_SETUID16, USER_ID, 0, 0) == -EPERM);
	child_require(call32(I386_SETUID32, USER_ID, 0, 0) == 0);
}

START_TEST(ids_are_limited_for_32_bit_programs)
{
	if (process_is_root(__func__) && runs_32_bit_programs(__func__))
		ck_assert_int_eq(process_run(take_ids_by_32_bits, NULL), 0);
}
END_TEST
#endif

static void call_blocked(const void *argument)
{
	(void)argument;
	child_require(refused(mkfifo("/nonexistent/fifo", 0600), ENOENT));
	enforce(&(struct seccomp_settings){
		.block_calls = words("mknod mknodat socket mknodat clone3 waitpid"),
		.error_number = EACCES});
	child_require(refused(mkfifo("/nonexistent/fifo", 0600), EACCES));
	child_require(refused(socket(AF_UNIX, SOCK_STREAM, 0), EACCES));
	/* The C library falls back to clone only after this error. */
	child_require(refused(syscall(SYS_clone3, NULL, 0UL), ENOSYS));
	child_require(refused(mkdir("/nonexistent/directory", 0700), ENOENT));
	child_require(refused(ioctl(STDIN_FILENO, TIOCSTI, "x"), EPERM));
}

START_TEST(a_call_is_blocked)
{
	ck_assert_int_eq(process_run(call_blocked, NULL), 0);
}
END_TEST

/* What seccomp_compile says is missing, of settings that allow nothing. */
static char *our_calls(void)
{
	struct error err = {.detail = ""};
	const struct seccomp_settings nothing = {.block_all = true};
	ck_assert_ptr_null(compile(&nothing, true, &err));
	const char *list = strstr(err.detail, "run and end jobs: ");
	ck_assert_ptr_nonnull(list);
	return strdup(list + strlen("run and end jobs: "));
}

static void call_allowed(const void *argument)
{
	char allowed[2048];
	/* The last one is for a sanitizer, at the end of the process. */
	snprintf(allowed, sizeof(allowed), "%s ioctl read getppid sigaltstack",
		 (const char *)argument);
	enforce(&(struct seccomp_settings){.block_all = true, .allow_calls = words(allowed)});
	child_require(getppid() > 0 && syscall(SYS_getpid) == getpid());
	child_require(refused(mkfifo("/nonexistent/fifo", 0600), ENOSYS));
	child_require(refused(syscall(999), ENOSYS));
	child_require(refused(syscall(SYS_clone3, NULL, 0UL), ENOSYS));
	child_require(refused(socket(AF_UNIX, SOCK_STREAM, 0), ENOSYS));
	/* The terminal filter stays in effect, whatever is allowed. */
	child_require(refused(ioctl(STDIN_FILENO, TIOCSTI, "x"), EPERM));
	/* No filter that was loaded before kept this one from being loaded. */
	child_require(process_status("Seccomp", 10) == 2);
}

START_TEST(only_what_is_allowed_is)
{
	char *ours = our_calls();
	ck_assert_int_eq(process_run(call_allowed, ours), 0);
	free(ours);
}
END_TEST

/* As root, who could: what is refused is refused by the filter. */
static void take_ids(const void *argument)
{
	const uid_t keep = (uid_t)-1;
	(void)argument;
	enforce(&(struct seccomp_settings){.limit_setuid = true});
	child_require(refused(setuid(0), EPERM) && refused(setuid(OTHER_ID), EPERM));
	child_require(refused(setuid(GROUP_ID), EPERM) && refused(setgid(USER_ID), EPERM));
	child_require(refused(setreuid(OTHER_ID, USER_ID), EPERM));
	child_require(refused(setreuid(USER_ID, OTHER_ID), EPERM));
	child_require(refused(setregid(OTHER_ID, keep), EPERM));
	child_require(refused(setregid(keep, OTHER_ID), EPERM));
	child_require(refused(setresuid(OTHER_ID, USER_ID, USER_ID), EPERM));
	child_require(refused(setresuid(keep, OTHER_ID, keep), EPERM));
	child_require(refused(setresuid(USER_ID, keep, OTHER_ID), EPERM));
	child_require(refused(setresgid(OTHER_ID, keep, keep), EPERM));
	child_require(refused(setresgid(GROUP_ID, OTHER_ID, GROUP_ID), EPERM));
	child_require(refused(setresgid(keep, keep, OTHER_ID), EPERM));
	child_require(refused(seteuid(OTHER_ID), EPERM) && refused(setegid(OTHER_ID), EPERM));
	child_require(refused(syscall(SYS_setfsuid, OTHER_ID), EPERM));
	child_require(refused(syscall(SYS_setfsgid, OTHER_ID), EPERM));
	child_require(refused(setgroups(0, NULL), EPERM));
	child_require(refused(syscall(SYS_setuid, OTHER_ID | UPPER_HALF), EPERM));

	child_require(syscall(SYS_setfsuid, USER_ID) == 0 &&
		      syscall(SYS_setfsuid, keep) == USER_ID);
	child_require(setresuid(keep, keep, keep) == 0 && setregid(keep, keep) == 0);
	child_require(syscall(SYS_setresuid, ~0UL, ~0UL, ~0UL) == 0);
	child_require(setegid(GROUP_ID) == 0 && setregid(GROUP_ID, keep) == 0);
	child_require(setresgid(GROUP_ID, GROUP_ID, GROUP_ID) == 0 && setgid(GROUP_ID) == 0);
	child_require(seteuid(USER_ID) == 0 && setreuid(USER_ID, keep) == 0);
	/* The kernel uses the lower half as the id, and so does the filter. */
	child_require(syscall(SYS_setuid, USER_ID | UPPER_HALF) == 0 && setuid(USER_ID) == 0);
	child_require(getuid() == USER_ID && getegid() == GROUP_ID);
}

START_TEST(no_ids_but_its_own_are_left)
{
	if (process_is_root(__func__))
		ck_assert_int_eq(process_run(take_ids, NULL), 0);
}
END_TEST

static void expect_none(const struct seccomp_settings *settings, bool no_new_privs)
{
	struct error err = {.detail = ""};
	json_t *filters = compile(settings, no_new_privs, &err);
	ck_assert_msg(filters != NULL, "%s", err.detail);
	ck_assert(json_is_array(filters));
	ck_assert_uint_eq(json_array_size(filters), 0);
	ck_assert_int_eq(seccomp_install(filters, &err), 0);
	json_decref(filters);
}

START_TEST(disabled_is_disabled)
{
	const struct seccomp_settings disabled = {.disabled = true,
						  .block_all = true,
						  .limit_setuid = true,
						  .block_calls = words("nonsense kill"),
						  .allow_calls = words("kill")};
	expect_none(&disabled, true);
	expect_none(&disabled, false);
}
END_TEST

START_TEST(without_no_new_privs_the_default_is_left_out)
{
	expect_none(&(struct seccomp_settings){.disabled = false}, false);
}
END_TEST

static void inherit(const void *argument)
{
	struct error err;
	(void)argument;
	child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	const struct seccomp_settings settings = {.disabled = false};
	json_t *filters = compile(&settings, false, &err);
	child_require(json_array_size(filters) == 1);
	json_decref(filters);
}

START_TEST(an_inherited_no_new_privs_will_do)
{
	ck_assert_int_eq(process_run(inherit, NULL), 0);
}
END_TEST

static const struct {
	bool block_all;
	const char *list; /* what is blocked; with block_all, allowed beside our own calls */
	const char *says;
} REFUSED[] = {
	{false, "ptrace nonsense",
	 "auth.seccomp.block_calls names \"nonsense\", a system call that libseccomp does not "
	 "know"},
	{true, "nonsense",
	 "auth.seccomp.allow_calls names \"nonsense\", a system call that libseccomp does not "
	 "know"},
	{false, "ptrace kill",
	 "auth.seccomp.block_calls names \"kill\", a system call without which jacamar cannot "
	 "run and end jobs"},
};

START_TEST(lists_that_make_no_sense_are_refused)
{
	struct error err = {.detail = ""}, checked = {.detail = ""};
	struct seccomp_settings settings = {.block_all = REFUSED[_i].block_all};
	if (REFUSED[_i].block_all) {
		char allowed[2048];
		char *ours = our_calls();
		snprintf(allowed, sizeof(allowed), "%s %s", ours, REFUSED[_i].list);
		free(ours);
		settings.allow_calls = words(allowed);
	} else {
		settings.block_calls = words(REFUSED[_i].list);
	}
	ck_assert_ptr_null(compile(&settings, true, &err));
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_str_eq(err.detail, REFUSED[_i].says);
	ck_assert_int_eq(seccomp_check(&settings, &checked), -1);
	ck_assert_str_eq(checked.detail, err.detail);
	settings.disabled = true;
	ck_assert_int_eq(seccomp_check(&settings, &checked), 0);
}
END_TEST

/* Only one call is missing; a list that is cut could hide it. */
START_TEST(the_calls_that_are_missing_are_named)
{
	struct error err = {.detail = ""};
	char *ours = our_calls();
	ck_assert_ptr_nonnull(strstr(ours, "access"));
	ck_assert_str_eq(ours + strlen(ours) - 5, "write");
	struct seccomp_settings settings = {.block_all = true, .allow_calls = words(ours)};
	json_t *filters = compile(&settings, true, &err);
	ck_assert_msg(filters != NULL, "%s", err.detail);
	ck_assert_int_eq(seccomp_check(&settings, &err), 0);
	json_decref(filters);
	settings.allow_calls.count--;
	ck_assert_ptr_null(compile(&settings, true, &err));
	ck_assert_str_eq(err.detail, "auth.seccomp.allow_calls lacks system calls without which "
				     "jacamar cannot run and end jobs: write");
	free(ours);
}
END_TEST

/* An instruction that returns, and one that nothing knows. */
#define ALLOW_ALL "060000000000ff7f"
#define UNKNOWN	  "ffff000000000000"

static const char *const DAMAGED[] = {
	"[\"\"]",
	"[\"0600\"]",
	"[\"" ALLOW_ALL "0\"]",
	"[\"060000000000FF7F\"]",
	"[\" 60000000000ff7f\"]",
	"[7]",
	"[\"" ALLOW_ALL UNKNOWN "\"]",
};

static void install_damaged(const void *argument)
{
	struct error err = {.detail = ""};
	json_t *filters = json_loads(argument, 0, NULL);
	child_require(filters != NULL);
	child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	child_require(seccomp_install(filters, &err) == -1 && err.kind == ERROR_SYSTEM);
	child_require(process_status("Seccomp", 10) == 0);
	json_decref(filters);
}

START_TEST(a_damaged_filter_is_refused)
{
	ck_assert_int_eq(process_run(install_damaged, DAMAGED[_i]), 0);
}
END_TEST

START_TEST(a_filter_of_too_many_instructions_is_refused)
{
	size_t digits = strlen(ALLOW_ALL);
	char *text = calloc(BPF_MAXINSNS + 2, digits);
	text[0] = '[';
	text[1] = '"';
	for (size_t i = 0; i <= BPF_MAXINSNS; i++)
		memcpy(text + 2 + i * digits, ALLOW_ALL, digits);
	strcpy(text + 2 + (BPF_MAXINSNS + 1) * digits, "\"]");
	ck_assert_int_eq(process_run(install_damaged, text), 0);
	free(text);
}
END_TEST

/*
 * If settings evade the rule that they need no_new_privs, the job fails: it does not run
 * unfiltered.
 */
static void install_without_right(const void *argument)
{
	struct error err = {.detail = ""};
	const struct seccomp_settings *settings = argument;
	json_t *filters = compile(settings, false, &err);
	child_require(json_array_size(filters) > 1);
	child_require(privilege_drop(&err) == 0);
	child_require(seccomp_install(filters, &err) == -1);
	child_require(strstr(err.detail, "cannot filter system calls") != NULL);
	json_decref(filters);
}

START_TEST(what_the_kernel_does_not_take_is_an_error)
{
	const struct seccomp_settings asked[] = {{.limit_setuid = true},
						 {.block_calls = words("ptrace")}};
	for (int i = 0; i < ROWS(asked); i++)
		ck_assert_int_eq(process_run(install_without_right, &asked[i]), 0);
}
END_TEST

/* Of an isolated process, whether or not [auth.seccomp] is disabled. */
static void limit_others(const void *argument)
{
	struct error err = {.detail = ""};
	struct rlimit limit;
	const pid_t other = getppid();
	const struct auth_settings *auth = argument;
	child_require(prlimit(other, RLIMIT_CPU, NULL, &limit) == 0);
	child_require(prlimit(other, RLIMIT_CPU, &limit, NULL) == 0);
	install(seccomp_compile(auth, &USER, &err), &err);
	child_require(refused(prlimit(other, RLIMIT_CPU, &limit, NULL), EPERM));
	child_require(refused(prlimit(other, RLIMIT_NOFILE, &limit, &limit), EPERM));
	child_require(prlimit(other, RLIMIT_CPU, NULL, &limit) == 0);
	child_require(setrlimit(RLIMIT_CPU, &limit) == 0 &&
		      prlimit(0, RLIMIT_CPU, &limit, NULL) == 0);
}

START_TEST(an_isolated_process_sets_no_limits_of_others)
{
	const struct auth_settings settings[] = {
		{.isolate = true, .no_new_privs = true},
		{.isolate = true, .no_new_privs = true, .seccomp.disabled = true},
	};
	for (int i = 0; i < ROWS(settings); i++)
		ck_assert_int_eq(process_run(limit_others, &settings[i]), 0);
}
END_TEST

Suite *seccomp_suite(void)
{
	Suite *suite = suite_create("seccomp");
	TCase *calls = tcase_create("calls");
	TCase *settings = tcase_create("settings");

	tcase_add_test(calls, nothing_is_typed_into_a_terminal);
	tcase_add_test(calls, a_call_is_blocked);
	tcase_add_test(calls, only_what_is_allowed_is);
	tcase_add_test(calls, no_ids_but_its_own_are_left);
	tcase_add_test(calls, an_isolated_process_sets_no_limits_of_others);
#ifdef __x86_64__
	tcase_add_test(calls, nor_by_a_32_bit_program);
	tcase_add_test(calls, a_call_is_blocked_for_32_bit_programs);
	tcase_add_test(calls, ids_are_limited_for_32_bit_programs);
#endif
	tcase_add_test(settings, disabled_is_disabled);
	tcase_add_test(settings, without_no_new_privs_the_default_is_left_out);
	tcase_add_test(settings, an_inherited_no_new_privs_will_do);
	tcase_add_loop_test(settings, lists_that_make_no_sense_are_refused, 0, ROWS(REFUSED));
	tcase_add_test(settings, the_calls_that_are_missing_are_named);
	tcase_add_loop_test(settings, a_damaged_filter_is_refused, 0, ROWS(DAMAGED));
	tcase_add_test(settings, a_filter_of_too_many_instructions_is_refused);
	tcase_add_test(settings, what_the_kernel_does_not_take_is_an_error);
	suite_add_tcase(suite, calls);
	suite_add_tcase(suite, settings);
	return suite;
}
