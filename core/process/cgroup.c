#include "core/process/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/process/process_scan.h"

/* Linux 5.3; one number on every architecture. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif

#define INTO_CGROUP UINT64_C(0x200000000) /* CLONE_INTO_CGROUP, Linux 5.7 */

/* How long a child may take to start before it counts as alive. */
#define CHILD_START_MS 5000

int cgroup_open(const struct cgroup_settings *settings, uid_t uid, uint64_t job_id,
		enum cgroup_how how, struct cgroup *cgroup, struct error *err)
{
	*cgroup = (struct cgroup)CGROUP_NONE;
	if (!settings->enabled)
		return 0;
	char *path = cgroup->path;
	char base[CGROUP_PATH_SIZE];
	if (cgroup_tree_path("self", base, err) != 0)
		return -1;
	cgroup->base = cgroup_tree_open(base, err);
	if (cgroup->base < 0)
		return -1;
	snprintf(cgroup->name, sizeof(cgroup->name), CGROUP_TREE "/%u/%" PRIu64, (unsigned int)uid,
		 job_id);
	if (snprintf(path, sizeof(cgroup->path), "%s/%s", base, cgroup->name) >=
	    (int)sizeof(cgroup->path))
		return error_set(err, ERROR_SYSTEM, "the path of the job's cgroup is too long");
	if (how != CGROUP_FIND &&
	    (cgroup_tree_check(cgroup->base, base, geteuid(), settings, err) != 0 ||
	     cgroup_tree_make(cgroup->base, cgroup->name, how == CGROUP_CREATE, settings, err) !=
		     0))
		return -1;
	cgroup->directory = openat(cgroup->base, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->directory < 0 && (how != CGROUP_FIND || errno != ENOENT))
		return error_errno(err, ERROR_SYSTEM, "cannot open the cgroup %s", path);
	if (cgroup->directory >= 0)
		cgroup->kill = openat(cgroup->directory, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	return 0;
}

void cgroup_close(struct cgroup *cgroup)
{
	const int descriptors[] = {cgroup->kill, cgroup->directory, cgroup->base};
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	*cgroup = (struct cgroup)CGROUP_NONE;
}

void cgroup_remove(const struct cgroup *cgroup)
{
	char account[sizeof(cgroup->name)];
	if (cgroup->base < 0)
		return;
	memcpy(account, cgroup->name, sizeof(account));
	*strrchr(account, '/') = '\0';
	if (unlinkat(cgroup->base, cgroup->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		(void)unlinkat(cgroup->base, account, AT_REMOVEDIR);
}

/* The arguments of clone3(2); older headers do not have them. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

/* False if a child of cgroup_fork was killed at its start. One that is frozen counts as alive. */
static bool is_alive(int alive)
{
	char byte;
	struct pollfd source = {.fd = alive, .events = POLLIN};
	return poll(&source, 1, CHILD_START_MS) == 0 || io_read_full(alive, &byte, 1) == 1;
}

/*
 * The child is not moved into the cgroup, because a move waits for all CPUs, often for 10 ms. But
 * Linux 6.18, among others, kills a child that starts in a cgroup in which all processes were once
 * killed. So the child reports that it is alive; if it does not, another one is moved.
 */
pid_t cgroup_fork(const struct cgroup *cgroup)
{
	const struct clone_arguments arguments = {.flags = INTO_CGROUP,
						  .exit_signal = SIGCHLD,
						  .cgroup = (uint64_t)cgroup->directory};
	int alive[2];
	if (cgroup->directory < 0 || pipe2(alive, O_CLOEXEC) != 0)
		return fork();
	pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (child == 0)
		(void)io_write_all(alive[1], "", 1);
	close(alive[1]);
	bool runs = child == 0 || (child > 0 && is_alive(alive[0]));
	close(alive[0]);
	if (child > 0 && !runs)
		(void)waitpid(child, NULL, 0);
	return runs ? child : fork();
}

int cgroup_check_own(const char *path, struct error *err)
{
	char own[CGROUP_PATH_SIZE];
	if (cgroup_tree_path("self", own, err) != 0)
		return -1;
	if (strcmp(own, path) == 0)
		return 0;
	return error_set_key(err, CGROUP_KEY, ERROR_SYSTEM,
			     "this process is in the cgroup %.400s, and not in that of the job: "
			     "does PAM (pam_systemd in /etc/pam.d/sudo) move what sudo starts?",
			     own);
}

int cgroup_enter(const struct cgroup *cgroup, struct error *err)
{
	if (cgroup->directory < 0 || cgroup_check_own(cgroup->path, err) == 0)
		return 0;
	if (cgroup_tree_write(cgroup->directory, ".", "cgroup.procs", "0") != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot enter the cgroup %s", cgroup->path);
	return cgroup_check_own(cgroup->path, err);
}

void cgroup_take_out(const struct cgroup *cgroup, pid_t pid)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", (int)pid);
	if (cgroup_tree_write(cgroup->base, CGROUP_SERVICE, "cgroup.procs", text) != 0 &&
	    errno == ENOENT)
		(void)cgroup_tree_write(cgroup->base, ".", "cgroup.procs", text);
}

bool cgroup_can_kill(const struct cgroup *cgroup)
{
	return cgroup->kill >= 0;
}

void cgroup_kill(const struct cgroup *cgroup)
{
	if (cgroup->kill >= 0)
		(void)io_write_all(cgroup->kill, "1", 1);
}

bool cgroup_wait_until_empty(const struct cgroup *cgroup, int64_t limit_ms)
{
	char text[CGROUP_FILE_SIZE];
	int64_t deadline = io_now_ms() + limit_ms;
	if (cgroup->directory < 0)
		return true;
	cleanup_close int events = openat(cgroup->directory, "cgroup.events", O_RDONLY | O_CLOEXEC);
	for (;;) {
		struct pollfd change = {.fd = events, .events = POLLPRI};
		/* A cgroup that was removed was empty. */
		if (io_read_text(cgroup->directory, "cgroup.events", text, sizeof(text)) < 0)
			return errno == ENODEV || errno == ENOENT;
		if (strstr(text, "populated 0") != NULL)
			return true;
		int64_t left = deadline - io_now_ms();
		if (left <= 0)
			return false;
		(void)poll(&change, 1, (int)left);
	}
}

void cgroup_add_names(const struct cgroup *cgroup, char *names, size_t size)
{
	if (cgroup->directory < 0)
		return;
	cleanup_free char *pids = cgroup_tree_read_pids(cgroup->directory);
	char *rest = pids;
	for (char *word; (word = strsep(&rest, "\n")) != NULL;) {
		uint64_t pid;
		if (text_to_u64(word, &pid))
			process_scan_add_name((pid_t)pid, names, size);
	}
}

/*
 * Returns the number that follows `name` on a line of the file, or -1 if the file has no such line.
 * If `name` is "", the file consists of a number.
 */
static int64_t read_number(const struct cgroup *cgroup, const char *file, const char *name)
{
	char text[CGROUP_FILE_SIZE];
	char *rest = text;
	size_t length = strlen(name);
	if (cgroup->directory < 0 || io_read_text(cgroup->directory, file, text, sizeof(text)) < 0)
		return -1;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		uint64_t number;
		if (strncmp(line, name, length) == 0 && text_to_u64(line + length, &number) &&
		    number <= INT64_MAX)
			return (int64_t)number;
	}
	return -1;
}

struct cgroup_usage cgroup_read_usage(const struct cgroup *cgroup)
{
	int64_t cpu_us = read_number(cgroup, "cpu.stat", "usage_usec ");
	return (struct cgroup_usage){
		.cpu_ms = cpu_us >= 0 ? cpu_us / 1000 : -1,
		.memory_peak = read_number(cgroup, "memory.peak", ""),
		.oom_kills = read_number(cgroup, "memory.events", "oom_kill "),
	};
}
