#include "core/privilege/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/lib/dynamic_libraries.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/id_filter.h"

/* The kernel's limit for one filter. */
#define FILTER_MOST_SIZE (BPF_MAXINSNS * sizeof(struct sock_filter))

/* The limit for /proc/self/status, which lists all groups of the process. */
#define STATUS_MOST_SIZE (2 * 1024 * 1024)

/*
 * The system calls that jacamar(8) and any version of the C library make as the user, except those
 * whose failure they handle. A name that this architecture lacks is skipped. t/e2e/t5400-seccomp.sh
 * runs a job with these calls only, and fails if one is missing here.
 */
/* clang-format off */
static const char OUR_CALLS[][24] = {
	"access", "arch_prctl", "brk", "capget", "capset", "chmod", "clock_nanosleep", "clone",
	"close", "dup2", "dup3", "execve", "exit_group", "faccessat", "fchmod", "fchmodat",
	"fcntl", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getdents64", "getegid", "geteuid",
	"getgid", "getpid", "getppid", "gettid", "getuid", "kill", "lseek", "lstat", "mkdirat", "mmap",
	"mprotect", "munmap", "nanosleep", "newfstatat", "openat", "pipe2", "poll", "ppoll",
	"prctl", "pread64", "prlimit64", "pwrite64", "read", "readlinkat", "renameat",
	"renameat2", "restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"set_tid_address", "setitimer", "setsid", "signalfd4", "stat", "tgkill", "umask", "uname",
	"unlinkat", "utimensat", "wait4", "write",
};
/* clang-format on */

/* The input, the library and the result of one compilation. */
struct compiler {
	const struct seccomp_settings *settings;
	struct seccomp_library library;
	uint32_t architectures[2]; /* the native one, and its 32-bit variant or 0 */
	json_t *filters;	   /* the result */
};

static const struct {
	uint32_t native;
	uint32_t other;
} COMPATIBLE[] = {
	{SCMP_ARCH_X86_64, SCMP_ARCH_X86},
	{SCMP_ARCH_AARCH64, SCMP_ARCH_ARM},
	{SCMP_ARCH_S390X, SCMP_ARCH_S390},
};

static void find_architectures(struct compiler *compiler)
{
	uint32_t native = compiler->library.arch_native();
	compiler->architectures[0] = native;
	for (size_t i = 0; i < sizeof(COMPATIBLE) / sizeof(COMPATIBLE[0]); i++)
		if (COMPATIBLE[i].native == native)
			compiler->architectures[1] = COMPATIBLE[i].other;
}

/* The number of the call. A number below -1 means that only other architectures have it. */
static int resolve(const struct compiler *compiler, const char *name)
{
	return compiler->library.resolve_name_arch(SCMP_ARCH_NATIVE, name);
}

static int check_names(const struct compiler *compiler, const char *key,
		       const struct string_list *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (resolve(compiler, list->items[i]) == __NR_SCMP_ERROR)
			return error_set_key(err, key, ERROR_SYSTEM,
					     "%s names \"%s\", a system call that "
					     "libseccomp does not know",
					     key, list->items[i]);
	return 0;
}

/* jacamar makes these calls as the user. Without them no job could be run or ended. */
static int check_our_calls(const struct compiler *compiler, struct error *err)
{
	const struct seccomp_settings *settings = compiler->settings;
	char missing[ERROR_TEXT_SIZE / 4 * 3] = "";
	size_t used = 0;
	for (size_t i = 0; i < sizeof(OUR_CALLS) / sizeof(OUR_CALLS[0]); i++) {
		const char *name = OUR_CALLS[i];
		if (resolve(compiler, name) < 0)
			continue;
		if (string_list_has(&settings->block_calls, name))
			return error_set_key(err, "auth.seccomp.block_calls", ERROR_SYSTEM,
					     "auth.seccomp.block_calls names \"%s\", a system call "
					     "without which jacamar cannot run and end jobs",
					     name);
		if (settings->block_all && !string_list_has(&settings->allow_calls, name) &&
		    used < sizeof(missing))
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, " %s",
						 name);
	}
	if (missing[0] != '\0')
		return error_set_key(
			err, "auth.seccomp.allow_calls", ERROR_SYSTEM,
			"auth.seccomp.allow_calls lacks system calls without which jacamar "
			"cannot run and end jobs:%s",
			missing);
	return 0;
}

static int check_settings(const struct compiler *compiler, struct error *err)
{
	const struct seccomp_settings *settings = compiler->settings;
	if (check_names(compiler, "auth.seccomp.block_calls", &settings->block_calls, err) != 0 ||
	    check_names(compiler, "auth.seccomp.allow_calls", &settings->allow_calls, err) != 0)
		return -1;
	return check_our_calls(compiler, err);
}

static int fail(int code, struct error *err)
{
	errno = -code;
	return error_errno(err, ERROR_SYSTEM, "cannot make a filter of system calls");
}

/* Appends the filter in hexadecimal digits. */
static int add_filter(const struct compiler *compiler, const void *filter, size_t size,
		      struct error *err)
{
	cleanup_free char *text = size <= FILTER_MOST_SIZE ? malloc(2 * size + 1) : NULL;
	if (text == NULL)
		return fail(-ENOMEM, err);
	text_hex(filter, size, text);
	if (json_array_append_new(compiler->filters, json_string(text)) != 0)
		return fail(-ENOMEM, err);
	return 0;
}

/*
 * A new filter, or NULL. A call for another architecture fails with ENOSYS, as on a kernel that was
 * built without that architecture.
 */
static scmp_filter_ctx begin(const struct compiler *compiler, uint32_t default_action)
{
	const struct seccomp_library *library = &compiler->library;
	uint32_t other = compiler->architectures[1];
	scmp_filter_ctx context = library->init(default_action);
	if (context != NULL &&
	    (library->attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) != 0 ||
	     (other != 0 && library->arch_add(context, other) != 0))) {
		library->release(context);
		return NULL;
	}
	return context;
}

/* Appends the filter to the result, unless `code` is the error of a rule. Frees `context`. */
static int end(const struct compiler *compiler, scmp_filter_ctx context, int code,
	       struct error *err)
{
	size_t size = 0;
	cleanup_close int file = memfd_create("filter", MFD_CLOEXEC);
	if (code == 0)
		code = file < 0 ? -errno : compiler->library.export_bpf(context, file);
	compiler->library.release(context);
	if (code != 0)
		return fail(code, err);
	cleanup_free char *filter = lseek(file, 0, SEEK_SET) == 0
					    ? io_read_to_end(file, FILTER_MOST_SIZE, &size)
					    : NULL;
	if (filter == NULL)
		return fail(-errno, err);
	return add_filter(compiler, filter, size, err);
}

/*
 * TIOCSTI and TIOCLINUX put text into the input of a terminal, as if somebody had typed it: the
 * shell that reads this terminal next could execute it.
 */
static int add_terminal_filter(const struct compiler *compiler, struct error *err)
{
	static const unsigned long commands[] = {TIOCSTI, TIOCLINUX};
	scmp_filter_ctx context = begin(compiler, SCMP_ACT_ALLOW);
	int code = 0;
	if (context == NULL)
		return fail(-ENOMEM, err);
	for (size_t i = 0; code == 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		/*
		 * Compare only the lower 32 bits: the kernel ignores the others, so a job could set
		 * them to evade a comparison of all 64.
		 */
		const struct scmp_arg_cmp is_command =
			SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, commands[i]);
		code = compiler->library.rule_add_array(context, SCMP_ACT_ERRNO(EPERM),
							resolve(compiler, "ioctl"), 1, &is_command);
	}
	return end(compiler, context, code, err);
}

/*
 * For auth.isolate: the kernel lets a process lower the limits of any other with its uid, and then
 * kills that one for its processor time. With this filter it can set only its own (pid 0).
 */
static int add_limits_filter(const struct compiler *compiler, struct error *err)
{
	const struct scmp_arg_cmp sets_others[] = {SCMP_A0(SCMP_CMP_NE, 0, 0),
						   SCMP_A2(SCMP_CMP_NE, 0, 0)};
	scmp_filter_ctx context = begin(compiler, SCMP_ACT_ALLOW);
	if (context == NULL)
		return fail(-ENOMEM, err);
	int code = compiler->library.rule_add_array(context, SCMP_ACT_ERRNO(EPERM),
						    resolve(compiler, "prlimit64"), 2, sets_others);
	return end(compiler, context, code, err);
}

static int add_id_filter(const struct compiler *compiler, const struct account *account,
			 struct error *err)
{
	struct id_filter filter;
	if (!compiler->settings->limit_setuid)
		return 0;
	id_filter_build(&compiler->library, compiler->architectures, account, &filter);
	return add_filter(compiler, filter.code, filter.count * sizeof(filter.code[0]), err);
}

/*
 * The errno of a blocked call is the setting's, except for clone3: the C library falls back to
 * clone only after ENOSYS.
 */
static uint32_t action_of_blocked(const char *name, int64_t error_number)
{
	return SCMP_ACT_ERRNO(strcmp(name, "clone3") == 0 ? ENOSYS : (uint32_t)error_number);
}

/*
 * With block_all, a call that is not in allow_calls fails with ENOSYS, as on a kernel that is older
 * than the call: the C library tries a newer call first, and falls back to the older one only after
 * ENOSYS.
 */
static int add_list_filter(const struct compiler *compiler, struct error *err)
{
	const struct seccomp_settings *settings = compiler->settings;
	bool all = settings->block_all;
	const struct string_list *list = all ? &settings->allow_calls : &settings->block_calls;
	/*
	 * If several filters allow a call, one that logs it is enough: the kernel takes the
	 * strictest action, and "log" is stricter than "allow".
	 */
	uint32_t allow = settings->log_allowed_actions ? SCMP_ACT_LOG : SCMP_ACT_ALLOW;
	int code = 0;
	if (!all && list->count == 0 && !settings->log_allowed_actions)
		return 0;
	scmp_filter_ctx context = begin(compiler, all ? SCMP_ACT_ERRNO(ENOSYS) : allow);
	if (context == NULL)
		return fail(-ENOMEM, err);
	for (size_t i = 0; i < list->count && (code == 0 || code == -EEXIST); i++)
		code = compiler->library.rule_add_array(
			context,
			all ? allow : action_of_blocked(list->items[i], settings->error_number),
			resolve(compiler, list->items[i]), 0, NULL);
	return end(compiler, context, code == -EEXIST ? 0 : code, err);
}

static int open_compiler(struct compiler *compiler, struct error *err)
{
	if (dynamic_libraries_open_seccomp(&compiler->library, err) != 0)
		return -1;
	find_architectures(compiler);
	return compiler->settings->disabled ? 0 : check_settings(compiler, err);
}

int seccomp_check(const struct seccomp_settings *settings, struct error *err)
{
	struct compiler compiler = {.settings = settings};
	bool lists = settings->block_all || settings->block_calls.count > 0;
	return settings->disabled || !lists ? 0 : open_compiler(&compiler, err);
}

json_t *seccomp_compile(const struct auth_settings *auth, const struct account *account,
			struct error *err)
{
	const struct seccomp_settings *settings = &auth->seccomp;
	json_auto_t *filters = json_array();
	struct compiler compiler = {.settings = settings, .filters = filters};
	bool asked = settings->block_all || settings->limit_setuid ||
		     settings->block_calls.count > 0 || settings->log_allowed_actions;
	/* The service's unit may set no_new_privs, which this process has inherited then. */
	bool possible = auth->no_new_privs || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	bool filters_calls = !settings->disabled && (asked || possible);

	if ((filters_calls || auth->isolate) && open_compiler(&compiler, err) != 0)
		return NULL;
	if (auth->isolate && add_limits_filter(&compiler, err) != 0)
		return NULL;
	/* The filter of the lists is last: it may block the calls that install filters. */
	if (filters_calls &&
	    (add_terminal_filter(&compiler, err) != 0 ||
	     add_id_filter(&compiler, account, err) != 0 || add_list_filter(&compiler, err) != 0))
		return NULL;
	return json_incref(filters);
}

/*
 * Decodes hexadecimal digits. Returns the number of bytes; -1 if these are not whole instructions,
 * or more than `room`.
 */
static ssize_t decode(const char *text, unsigned char *bytes, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = strlen(text);
	if (length == 0 || length % (2 * sizeof(struct sock_filter)) != 0 || length / 2 > room)
		return -1;
	for (size_t i = 0; i < length; i++) {
		const char *digit = strchr(digits, text[i]);
		if (digit == NULL)
			return -1;
		bytes[i / 2] = (unsigned char)(bytes[i / 2] << 4 | (digit - digits));
	}
	return (ssize_t)(length / 2);
}

static int load(const char *text, struct error *err)
{
	cleanup_free struct sock_filter *code = calloc(1, FILTER_MOST_SIZE);
	if (code == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	ssize_t size = text != NULL ? decode(text, (unsigned char *)code, FILTER_MOST_SIZE) : -1;
	if (size < 0)
		return error_set(err, ERROR_SYSTEM, "a filter of system calls is damaged");
	struct sock_fprog program = {.len = (unsigned short)((size_t)size / sizeof(*code)),
				     .filter = code};
	/*
	 * Without this flag, kernels before 5.16 turn on mitigations for speculative execution,
	 * which slow the process down. They are meant for programs that run untrusted code in their
	 * own address space, as browsers do. A job does not need them: it is a separate process.
	 */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &program) != 0)
		return error_errno(
			err, ERROR_SYSTEM,
			"cannot filter system calls, as [auth.seccomp] or auth.isolate asks for");
	return 0;
}

/* What /proc reports about the filters of this process. */
struct installed {
	long mode;
	long count; /* the number of filters; -1 before Linux 5.9, which does not report it */
};

/* The number after `start` at the beginning of a line; -1 if there is no such line. */
static long read_number(const char *status, const char *start)
{
	const char *line = strstr(status, start);
	return line != NULL ? strtol(line + strlen(start), NULL, 10) : -1;
}

static int read_installed(struct installed *installed, struct error *err)
{
	size_t size;
	cleanup_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	cleanup_free char *status = fd >= 0 ? io_read_to_end(fd, STATUS_MOST_SIZE, &size) : NULL;
	if (status == NULL)
		return error_errno(err, ERROR_SYSTEM, "cannot read /proc/self/status");
	installed->mode = read_number(status, "\nSeccomp:");
	installed->count = read_number(status, "\nSeccomp_filters:");
	return 0;
}

int seccomp_install(const json_t *filters, struct error *err)
{
	struct installed before = {.mode = -1};
	struct installed after = {.mode = -1};
	size_t index;
	json_t *filter;
	if (json_array_size(filters) == 0)
		return 0;
	if (read_installed(&before, err) != 0)
		return -1;
	json_array_foreach (filters, index, filter) {
		if (load(json_string_value(filter), err) != 0)
			return -1;
	}
	/* An older filter, such as a container's, can skip the system call and report success. */
	if (read_installed(&after, err) != 0)
		return -1;
	if (after.mode == SECCOMP_MODE_FILTER &&
	    (after.count < 0 || after.count == before.count + (long)json_array_size(filters)))
		return 0;
	return error_faked(err, "the list of filters of [auth.seccomp]");
}
