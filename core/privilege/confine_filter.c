#include "core/privilege/confine_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/lib/dynamic_libraries.h"

/* The flags of clone(2) are its first argument on most architectures. */
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Flags that open a file for more than reading. */
#define BEYOND_READING (O_ACCMODE | O_CREAT | O_TRUNC)

/* Flags that start a thread, not a process. */
#define OF_A_THREAD (CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)

/* Holds the name of a system call, with its NUL. */
#define CALL_SIZE 24

/* Allowed with any arguments. A name that this architecture lacks is skipped. */
/* clang-format off */
static const char COMMON[][CALL_SIZE] = {
	"access", "arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "close",
	"exit", "exit_group", "faccessat", "faccessat2", "fstat", "fstatat64", "fstatfs", "ftruncate",
	"futex", "getcwd", "getdents64", "getegid", "geteuid", "getgid", "getpid", "getppid",
	"getrandom", "getrlimit", "gettid", "gettimeofday", "getuid", "lseek", "lstat", "madvise",
	"membarrier", "memfd_create", "mmap", "mmap2", "mprotect", "mremap", "munmap", "nanosleep",
	"newfstatat", "pause", "poll", "ppoll", "pread64", "read", "readlink", "readlinkat", "readv",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
	"sched_getaffinity", "sched_yield", "seccomp", "set_robust_list", "set_tid_address",
	"sigaltstack", "stat", "statfs", "statx", "sysinfo", "time", "ugetrlimit", "uname", "write",
	"writev",
};

static const char NETWORK[][CALL_SIZE] = {
	"bind", "connect", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2",
	"getpeername", "getsockname", "getsockopt", "pipe", "pipe2", "pselect6", "recvfrom", "recvmmsg",
	"recvmsg", "select", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
};
/* clang-format on */

/* Allowed if the argument `index`, masked with `mask`, is `value`. */
static const struct narrowed {
	char name[CALL_SIZE];
	bool network; /* only for a child with the network */
	unsigned int index;
	uint64_t mask;
	uint64_t value;
} NARROWED[] = {
	{"open", false, 1, BEYOND_READING, O_RDONLY},
	{"openat", false, 2, BEYOND_READING, O_RDONLY},
	/* Not F_SETOWN and F_SETSIG, which make a descriptor send signals. */
	{"fcntl", false, 1, UINT32_MAX, F_GETFD},
	{"fcntl", false, 1, UINT32_MAX, F_SETFD},
	{"fcntl", false, 1, UINT32_MAX, F_GETFL},
	{"fcntl", false, 1, UINT32_MAX, F_SETFL},
	/* A new limit is the third argument: limits may be read, not set. */
	{"prlimit64", false, 2, UINT64_MAX, 0},
	{"socket", true, 0, UINT32_MAX, AF_UNIX}, /* to the daemons that resolve names */
	{"socket", true, 0, UINT32_MAX, AF_INET},
	{"socket", true, 0, UINT32_MAX, AF_INET6},
	{"socket", true, 0, UINT32_MAX, AF_NETLINK}, /* which addresses this host has */
	{"ioctl", true, 1, UINT32_MAX, FIONREAD},
	{"ioctl", true, 1, UINT32_MAX, FIONBIO},
	{"clone", true, CLONE_FLAGS, OF_A_THREAD, OF_A_THREAD},
};

struct filter {
	struct seccomp_library library;
	scmp_filter_ctx context;
	int code; /* 0, or the first error of libseccomp: a negative errno */
};

static void allow(struct filter *filter, const char *name, const struct scmp_arg_cmp *comparison)
{
	int call = filter->library.resolve_name_arch(SCMP_ARCH_NATIVE, name);
	/* A number below -1 means that only other architectures have the call. */
	if (filter->code != 0 || call < 0)
		return;
	filter->code = filter->library.rule_add_array(filter->context, SCMP_ACT_ALLOW, call,
						      comparison != NULL ? 1 : 0, comparison);
}

static void allow_list(struct filter *filter, const char (*names)[CALL_SIZE], size_t count)
{
	for (size_t i = 0; i < count; i++)
		allow(filter, names[i], NULL);
}

static void add_rules(struct filter *filter, bool network)
{
	allow_list(filter, COMMON, sizeof(COMMON) / sizeof(COMMON[0]));
	if (network)
		allow_list(filter, NETWORK, sizeof(NETWORK) / sizeof(NETWORK[0]));
	for (size_t i = 0; i < sizeof(NARROWED) / sizeof(NARROWED[0]); i++) {
		const struct narrowed *row = &NARROWED[i];
		const struct scmp_arg_cmp comparison =
			SCMP_CMP64(row->index, SCMP_CMP_MASKED_EQ, row->mask, row->value);
		if (network || !row->network)
			allow(filter, row->name, &comparison);
	}
	/* For abort(3), which signals a thread of this process. */
	const struct scmp_arg_cmp own =
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)getpid());
	allow(filter, "tgkill", &own);
}

int confine_filter_install(bool network, struct error *err)
{
	struct filter filter = {.code = 0};
	if (dynamic_libraries_open_seccomp(&filter.library, err) != 0)
		return -1;
	/* C libraries fall back to an older call after ENOSYS only. */
	filter.context = filter.library.init(SCMP_ACT_ERRNO(ENOSYS));
	if (filter.context == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	add_rules(&filter, network);
	if (filter.code == 0)
		filter.code = filter.library.load(filter.context);
	filter.library.release(filter.context);
	errno = -filter.code;
	if (filter.code != 0)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot filter the system calls of a confined process");
	/* Test the filter with getsid(2): it is not allowed, and would succeed without a filter. */
	if (syscall(SYS_getsid, 0) != -1 || errno != ENOSYS)
		return error_faked(err, "the filter of a confined process");
	return 0;
}
