/*
 * What a process of a job may try against those that started it. Each line of the output is
 * "refused: NAME" or "BROKEN: NAME".
 *
 *   attack PID UID GID [KEY]   PID: a process to attack; UID, GID: an identity to take;
 *                              KEY: the description of a key to find
 *   attack self                what this process holds: descriptors and capabilities
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t target;
static uid_t uid;
static gid_t gid;
static const char *key;

/* Each returns true where the attack has worked. */

static bool setuid_root(void)
{
	return setuid(0) == 0;
}
static bool seteuid_root(void)
{
	return seteuid(0) == 0;
}
static bool setuid_service(void)
{
	return setuid(uid) == 0;
}
static bool seteuid_service(void)
{
	return seteuid(uid) == 0;
}
static bool setreuid_service(void)
{
	return setreuid(uid, uid) == 0;
}
static bool setresuid_service(void)
{
	return setresuid((uid_t)-1, (uid_t)-1, uid) == 0;
}
static bool setgid_service(void)
{
	return setgid(gid) == 0;
}
static bool setegid_service(void)
{
	return setegid(gid) == 0;
}
static bool setresgid_service(void)
{
	return setresgid((gid_t)-1, (gid_t)-1, gid) == 0;
}
static bool drop_groups(void)
{
	return setgroups(0, NULL) == 0;
}
static bool take_group(void)
{
	return setgroups(1, &gid) == 0;
}
static bool setfsuid_service(void)
{
	setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid;
}
static bool setfsgid_service(void)
{
	setfsgid(gid);
	return (gid_t)setfsgid((gid_t)-1) == gid;
}

static bool set_capabilities(unsigned int effective, unsigned int permitted, unsigned int inherited)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = effective, .permitted = permitted, .inheritable = inherited}};
	return syscall(SYS_capset, &header, data) == 0;
}
#define SETID_BITS (1U << CAP_SETUID | 1U << CAP_SETGID)
static bool capset_effective(void)
{
	return set_capabilities(SETID_BITS, SETID_BITS, 0);
}
static bool capset_permitted(void)
{
	return set_capabilities(0, SETID_BITS, 0);
}
static bool capset_inheritable(void)
{
	return set_capabilities(0, 0, SETID_BITS);
}
static bool raise_ambient(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0) == 0;
}
static bool drop_bounding(void)
{
	return prctl(PR_CAPBSET_DROP, CAP_SYSLOG, 0, 0, 0) == 0;
}

static bool trace_with(int request)
{
	int status;
	if (syscall(SYS_ptrace, request, target, 0, 0) != 0)
		return false;
	if (request == PTRACE_ATTACH)
		waitpid(target, &status, __WALL);
	syscall(SYS_ptrace, PTRACE_DETACH, target, 0, 0);
	return true;
}
static bool trace_attach(void)
{
	return trace_with(PTRACE_ATTACH);
}
static bool trace_seize(void)
{
	return trace_with(PTRACE_SEIZE);
}
static bool read_memory(void)
{
	char byte;
	struct iovec here = {&byte, 1};
	/* An address that nobody has: a permission comes to be known before it. */
	struct iovec there = {(void *)16, 1};
	return process_vm_readv(target, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT;
}
static bool take_descriptor(int number)
{
	int process = (int)syscall(SYS_pidfd_open, target, 0);
	return process >= 0 && syscall(SYS_pidfd_getfd, process, number, 0) >= 0;
}
static bool take_input(void)
{
	return take_descriptor(0);
}
static bool take_output(void)
{
	return take_descriptor(1);
}
static bool compare_files(void)
{
	return syscall(SYS_kcmp, getpid(), target, KCMP_FILES, 0, 0) >= 0;
}

static bool in_proc(const char *name, int flags)
{
	char path[64];
	char byte;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)target, name);
	int fd = open(path, flags);
	if (fd < 0 || flags != O_RDONLY)
		return fd >= 0;
	/* Some are checked when they are read; an empty answer tells nothing either. */
	ssize_t got = read(fd, &byte, 1);
	return got > 0 || (got < 0 && (errno == EISDIR || errno == EIO));
}
static bool proc_environ(void)
{
	return in_proc("environ", O_RDONLY);
}
static bool proc_mem(void)
{
	return in_proc("mem", O_RDONLY);
}
static bool proc_mem_write(void)
{
	return in_proc("mem", O_RDWR);
}
static bool proc_maps(void)
{
	return in_proc("maps", O_RDONLY);
}
static bool proc_smaps(void)
{
	return in_proc("smaps", O_RDONLY);
}
static bool proc_auxv(void)
{
	return in_proc("auxv", O_RDONLY);
}
static bool proc_fd(void)
{
	return in_proc("fd", O_RDONLY | O_DIRECTORY);
}
static bool proc_fdinfo(void)
{
	return in_proc("fdinfo", O_RDONLY | O_DIRECTORY);
}
static bool proc_fd_0(void)
{
	return in_proc("fd/0", O_RDONLY | O_NONBLOCK);
}
static bool proc_fd_3(void)
{
	return in_proc("fd/3", O_RDWR | O_NONBLOCK);
}
static bool proc_cwd(void)
{
	return in_proc("cwd", O_RDONLY | O_DIRECTORY);
}
static bool proc_root(void)
{
	return in_proc("root", O_RDONLY | O_DIRECTORY);
}
static bool proc_exe(void)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)target);
	return readlink(path, text, sizeof(text)) > 0;
}
static bool proc_user_namespace(void)
{
	return in_proc("ns/user", O_RDONLY | O_NONBLOCK);
}
static bool proc_syscall(void)
{
	return in_proc("syscall", O_RDONLY);
}
static bool proc_score(void)
{
	return in_proc("oom_score_adj", O_WRONLY);
}

static bool signal_0(void)
{
	return kill(target, 0) == 0;
}
static bool signal_cont(void)
{
	return kill(target, SIGCONT) == 0;
}
static bool signal_usr1(void)
{
	return kill(target, SIGUSR1) == 0;
}
static bool change_limit(void)
{
	return prlimit(target, RLIMIT_NOFILE, &(struct rlimit){64, 64}, NULL) == 0;
}

static bool find_key(void)
{
	return key != NULL &&
	       (syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", key, 0) > 0 ||
		syscall(SYS_request_key, "user", key, NULL, 0) > 0);
}

#define ANY_TARGET    1
#define OTHER_ACCOUNT 2 /* one's own processes may be signalled */

static const struct {
	const char *name;
	bool (*works)(void);
	int kind;
} ATTACKS[] = {
	{"setuid 0", setuid_root, ANY_TARGET},
	{"seteuid 0", seteuid_root, ANY_TARGET},
	{"setuid service", setuid_service, ANY_TARGET},
	{"seteuid service", seteuid_service, ANY_TARGET},
	{"setreuid service", setreuid_service, ANY_TARGET},
	{"setresuid saved service", setresuid_service, ANY_TARGET},
	{"setgid service", setgid_service, ANY_TARGET},
	{"setegid service", setegid_service, ANY_TARGET},
	{"setresgid saved service", setresgid_service, ANY_TARGET},
	{"setgroups none", drop_groups, ANY_TARGET},
	{"setgroups service", take_group, ANY_TARGET},
	{"setfsuid service", setfsuid_service, ANY_TARGET},
	{"setfsgid service", setfsgid_service, ANY_TARGET},
	{"capset effective", capset_effective, ANY_TARGET},
	{"capset permitted", capset_permitted, ANY_TARGET},
	{"capset inheritable", capset_inheritable, ANY_TARGET},
	{"raise ambient", raise_ambient, ANY_TARGET},
	{"drop bounding", drop_bounding, ANY_TARGET},
	{"find key", find_key, ANY_TARGET},
	{"PTRACE_ATTACH", trace_attach, ANY_TARGET},
	{"PTRACE_SEIZE", trace_seize, ANY_TARGET},
	{"process_vm_readv", read_memory, ANY_TARGET},
	{"pidfd_getfd 0", take_input, ANY_TARGET},
	{"pidfd_getfd 1", take_output, ANY_TARGET},
	{"kcmp", compare_files, ANY_TARGET},
	{"/proc environ", proc_environ, ANY_TARGET},
	{"/proc mem", proc_mem, ANY_TARGET},
	{"/proc mem for writing", proc_mem_write, ANY_TARGET},
	{"/proc maps", proc_maps, ANY_TARGET},
	{"/proc smaps", proc_smaps, ANY_TARGET},
	{"/proc auxv", proc_auxv, ANY_TARGET},
	{"/proc fd", proc_fd, ANY_TARGET},
	{"/proc fdinfo", proc_fdinfo, ANY_TARGET},
	{"/proc fd/0", proc_fd_0, ANY_TARGET},
	{"/proc fd/3", proc_fd_3, ANY_TARGET},
	{"/proc cwd", proc_cwd, ANY_TARGET},
	{"/proc root", proc_root, ANY_TARGET},
	{"/proc exe", proc_exe, ANY_TARGET},
	{"/proc ns/user", proc_user_namespace, ANY_TARGET},
	{"/proc syscall", proc_syscall, ANY_TARGET},
	{"/proc oom_score_adj", proc_score, OTHER_ACCOUNT},
	{"prlimit", change_limit, OTHER_ACCOUNT},
	{"signal 0", signal_0, OTHER_ACCOUNT},
	{"SIGCONT", signal_cont, OTHER_ACCOUNT},
	{"SIGUSR1", signal_usr1, OTHER_ACCOUNT},
};

/* In a child of its own, so that one that works does not change what the next one finds. */
static bool try(bool (*works)(void))
{
	int status = 0;
	pid_t child = fork();
	if (child == 0)
		_exit(works() ? 1 : 0);
	waitpid(child, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void show_descriptors(void)
{
	DIR *listing = opendir("/proc/self/fd");
	const struct dirent *entry;
	while (listing != NULL && (entry = readdir(listing)) != NULL) {
		char link[320], text[4096] = "";
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(listing))
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
		if (readlink(link, text, sizeof(text) - 1) > 0)
			printf("descriptor %s %s\n", entry->d_name, text);
	}
}

static void show_lines(const char *path, const char *const *starts)
{
	char line[8192];
	FILE *file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		for (const char *const *start = starts; *start != NULL; start++)
			if (strncmp(line, *start, strlen(*start)) == 0)
				fputs(line, stdout);
}

int main(int argc, char **argv)
{
	static const char *const LINES[] = {"Uid:",	   "Gid:",     "Groups:", "Cap",
					    "NoNewPrivs:", "Seccomp:", "Sig",	  NULL};
	if (argc == 2) {
		show_descriptors();
		show_lines("/proc/self/status", LINES);
		return 0;
	}
	if (argc < 4)
		return 64;
	target = atoi(argv[1]);
	uid = (uid_t)atoi(argv[2]);
	gid = (gid_t)atoi(argv[3]);
	key = argv[4];

	char path[32];
	snprintf(path, sizeof(path), "/proc/%d", (int)target);
	char text[64] = "";
	char status[64];
	snprintf(status, sizeof(status), "%s/status", path);
	FILE *file = fopen(status, "r");
	unsigned int real = 0;
	while (file != NULL && fgets(text, sizeof(text), file) != NULL)
		if (sscanf(text, "Uid: %u", &real) == 1)
			break;
	for (size_t i = 0; i < sizeof(ATTACKS) / sizeof(ATTACKS[0]); i++) {
		if (ATTACKS[i].kind == OTHER_ACCOUNT && real == getuid() && getuid() != 0)
			continue;
		if (ATTACKS[i].works == find_key && key == NULL)
			continue;
		printf("%s: %s\n", try(ATTACKS[i].works) ? "BROKEN" : "refused", ATTACKS[i].name);
		fflush(stdout);
	}
	return 0;
}
