#include "core/process/cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"

#define ADVICE "set Delegate=yes in the systemd unit of the runner, or remove " CGROUP_KEY

#define PATHS_MOST_SIZE (1024 * 1024)
#define PIDS_MOST_SIZE	(64 * 1024 * 1024)

/* How often a step is repeated if other processes of the service can disturb it. */
#define ATTEMPTS 100

/* The places where a cgroup v2 hierarchy is mounted: alone, or beside v1 hierarchies. */
static const char *const MOUNTS[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

static const struct {
	const char *key; /* of a job; for all jobs of an account, with "user_" before it */
	const char *file;
	const char *controller;
} LIMITS[CGROUP_LIMIT_COUNT] = {
	[CGROUP_MEMORY_MAX] = {"memory_max", "memory.max", "memory"},
	[CGROUP_MEMORY_HIGH] = {"memory_high", "memory.high", "memory"},
	[CGROUP_CPU_MAX] = {"cpu_max", "cpu.max", "cpu"},
	[CGROUP_CPU_WEIGHT] = {"cpu_weight", "cpu.weight", "cpu"},
	[CGROUP_PIDS_MAX] = {"pids_max", "pids.max", "pids"},
};

/* A cgroup on the path from <base> to the job's cgroup. */
struct level {
	char path[64]; /* relative to <base> */
	char *const *limits;
	const char *prefix; /* of their keys */
	bool is_new;	    /* it must not exist */
	bool was_created;
};

int cgroup_tree_write(int base, const char *name, const char *file, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", name, file);
	cleanup_close int fd = openat(base, path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 ? io_write_all(fd, text, strlen(text)) : -1;
}

char *cgroup_tree_read_pids(int directory)
{
	size_t size;
	cleanup_close int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? io_read_to_end(fd, PIDS_MOST_SIZE, &size) : NULL;
}

int cgroup_tree_path(const char *process, char path[CGROUP_PATH_SIZE], struct error *err)
{
	char file[32];
	size_t size;
	snprintf(file, sizeof(file), "/proc/%s/cgroup", process);
	cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = fd >= 0 ? io_read_to_end(fd, PATHS_MOST_SIZE, &size) : NULL;
	if (text == NULL)
		return error_errno(err, ERROR_SYSTEM, "cannot read %s", file);
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (strncmp(line, "0::/", 4) == 0 && text_copy(path, CGROUP_PATH_SIZE, line + 3))
			return 0;
	return error_set_key(err, CGROUP_KEY, ERROR_SYSTEM,
			     CGROUP_KEY " needs cgroup v2, which this host does not use");
}

int cgroup_tree_open(char path[CGROUP_PATH_SIZE], struct error *err)
{
	char *last = strrchr(path, '/');
	if (strcmp(last, "/" CGROUP_SERVICE) == 0 || last[1] == '\0')
		*last = '\0';
	for (size_t i = 0; i < sizeof(MOUNTS) / sizeof(MOUNTS[0]); i++) {
		struct statfs system;
		cleanup_free char *full = text_format("%s%s", MOUNTS[i], path);
		int fd = full != NULL ? open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		if (fd >= 0 && fstatfs(fd, &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return error_set_key(err, CGROUP_KEY, ERROR_SYSTEM,
			     CGROUP_KEY " is set, but the cgroup %.400s of the runner's service "
					"is not there below %s or %s",
			     path, MOUNTS[0], MOUNTS[1]);
}

/* The error is about the key of the limit; errno stays. */
static int refuse_limit(const char *prefix, int limit, const char *value, const char *why,
			struct error *err)
{
	int saved = errno;
	char key[ERROR_KEY_SIZE];
	snprintf(key, sizeof(key), "auth.cgroup.%s%s", prefix, LIMITS[limit].key);
	error_set_key(err, key, ERROR_SYSTEM, "cannot apply %s = \"%s\": %s", key, value, why);
	errno = saved;
	return -1;
}

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = text; (at = strstr(at, word)) != NULL; at += length)
		if ((at == text || at[-1] == ' ') && strchr(" \n", at[length]) != NULL)
			return true;
	return false;
}

/* `has` are the controllers of the service. */
static int check_controllers(const char *has, char *const *limits, const char *prefix,
			     struct error *err)
{
	for (int i = 0; i < CGROUP_LIMIT_COUNT; i++) {
		if (limits[i] == NULL || has_word(has, LIMITS[i].controller))
			continue;
		cleanup_free char *why =
			text_format("the runner's service does not have the cgroup controller "
				    "\"%s\": set Delegate=yes in its systemd unit, on a host that "
				    "uses cgroup v2 alone",
				    LIMITS[i].controller);
		return refuse_limit(prefix, i, limits[i], why != NULL ? why : "out of memory", err);
	}
	return 0;
}

/* No other account may be able to move a process out of the cgroup. */
static int check_owner(int base, const char *name, const char *path, uid_t owner, struct error *err)
{
	struct stat found;
	if (fstatat(base, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot examine the cgroup %s", path);
	if (found.st_uid == owner && !secure_path_others_write(found.st_mode))
		return 0;
	return error_set_key(err, CGROUP_KEY, ERROR_SYSTEM,
			     CGROUP_KEY " is set, but the cgroup %.400s is not delegated to the "
					"service account alone (owner uid %u, mode %04o): " ADVICE,
			     path[0] != '\0' ? path : "/", (unsigned int)found.st_uid,
			     found.st_mode & 07777U);
}

int cgroup_tree_check(int base, const char *path, uid_t owner,
		      const struct cgroup_settings *settings, struct error *err)
{
	char has[CGROUP_FILE_SIZE];
	if (check_owner(base, ".", path, owner, err) != 0)
		return -1;
	if (io_read_text(base, "cgroup.controllers", has, sizeof(has)) < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot read cgroup.controllers of %s", path);
	return check_controllers(has, settings->user, "user_", err) == 0
		       ? check_controllers(has, settings->job, "", err)
		       : -1;
}

/* Moves all processes from <base> to CGROUP_SERVICE; 0, or -1 with errno. */
static int move_service(int base)
{
	if (mkdirat(base, CGROUP_SERVICE, 0755) != 0 && errno != EEXIST)
		return -1;
	/* A process may fork before it is moved. */
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		cleanup_free char *pids = cgroup_tree_read_pids(base);
		if (pids == NULL || pids[0] == '\0')
			return pids != NULL ? 0 : -1;
		char *rest = pids;
		for (char *pid; (pid = strsep(&rest, "\n")) != NULL;)
			if (pid[0] != '\0' &&
			    cgroup_tree_write(base, CGROUP_SERVICE, "cgroup.procs", pid) != 0 &&
			    errno != ESRCH)
				return -1;
	}
	errno = EBUSY;
	return -1;
}

/* Makes the kernel apply limits in the cgroups below `name`; 0, or -1 with errno. */
static int enable_controllers(int base, const char *name, const struct cgroup_settings *settings)
{
	char text[CGROUP_LIMIT_COUNT * 16] = "";
	for (int i = 0; i < CGROUP_LIMIT_COUNT; i++) {
		size_t used = strlen(text);
		if (settings->job[i] != NULL || settings->user[i] != NULL)
			snprintf(text + used, sizeof(text) - used, "+%s ", LIMITS[i].controller);
	}
	if (text[0] == '\0' || cgroup_tree_write(base, name, "cgroup.subtree_control", text) == 0)
		return 0;
	if (errno != EBUSY || strcmp(name, ".") != 0 || move_service(base) != 0)
		return -1;
	return cgroup_tree_write(base, name, "cgroup.subtree_control", text);
}

/* Everyone may read the directory: programs of a job read their limits there. */
static int make_directory(int base, struct level *level)
{
	mode_t private = umask(0022);
	level->was_created = mkdirat(base, level->path, 0755) == 0;
	umask(private);
	return level->was_created || (errno == EEXIST && !level->is_new) ? 0 : -1;
}

/*
 * The number of a job is unique only within one GitLab server. An empty cgroup may still be in use:
 * between two sub-stages a job has no process.
 */
static int refuse_second(const char *path, struct error *err)
{
	return error_set_key(
		err, CGROUP_KEY, ERROR_SYSTEM,
		"the cgroup %s of the runner's service exists already: another job of this account "
		"has the same number; jobs of several GitLab servers need a service for each "
		"server, or a runner without " CGROUP_KEY ". If no such job runs, remove what it "
		"has left: rmdir that directory",
		path);
}

/* -1 with *err, and with errno. */
static int make_level(int base, const struct level *above, struct level *level,
		      const struct cgroup_settings *settings, struct error *err)
{
	if (enable_controllers(base, above->path, settings) != 0 ||
	    make_directory(base, level) != 0) {
		int saved = errno;
		if (saved == EEXIST)
			(void)refuse_second(level->path, err);
		else
			error_set_key(
				err, CGROUP_KEY, ERROR_SYSTEM,
				"cannot create the cgroup %s of the runner's service: %s; " ADVICE,
				level->path, strerror(saved));
		errno = saved;
		return -1;
	}
	for (int i = 0; level->limits != NULL && i < CGROUP_LIMIT_COUNT; i++)
		if (level->limits[i] != NULL &&
		    cgroup_tree_write(base, level->path, LIMITS[i].file, level->limits[i]) != 0)
			return refuse_limit(level->prefix, i, level->limits[i], strerror(errno),
					    err);
	return 0;
}

/*
 * After a failure, removes the cgroup of a new job, and that of its account unless other jobs are
 * in it. Keeps errno.
 */
static void remove_new(int base, const struct level *account, struct level *job)
{
	int saved = errno;
	if (job->was_created)
		(void)unlinkat(base, job->path, AT_REMOVEDIR);
	job->was_created = false;
	if (job->is_new)
		(void)unlinkat(base, account->path, AT_REMOVEDIR);
	errno = saved;
}

int cgroup_tree_make(int base, const char *name, bool is_new,
		     const struct cgroup_settings *settings, struct error *err)
{
	struct level levels[] = {
		{.path = "."},
		{.path = CGROUP_TREE},
		{.limits = settings->user, .prefix = "user_"},
		{.limits = settings->job, .prefix = "", .is_new = is_new},
	};
	const size_t count = sizeof(levels) / sizeof(levels[0]);
	struct level *account = &levels[2];
	struct level *job = &levels[3];
	size_t done = 1;
	snprintf(job->path, sizeof(job->path), "%s", name);
	snprintf(account->path, sizeof(account->path), "%.*s", (int)(strrchr(name, '/') - name),
		 name);
	for (int attempt = 0; done < count && attempt < ATTEMPTS; attempt++) {
		done = 1;
		while (done < count &&
		       make_level(base, &levels[done - 1], &levels[done], settings, err) == 0)
			done++;
		if (done < count)
			remove_new(base, account, job);
		/*
		 * Another job of the account may have ended, and removed the account's cgroup: try
		 * again.
		 */
		if (done < count && errno != ENOENT && errno != ENODEV)
			return -1;
	}
	bool sound = done == count;
	for (size_t i = 1; sound && i < count; i++)
		sound = check_owner(base, levels[i].path, levels[i].path, geteuid(), err) == 0;
	if (!sound)
		remove_new(base, account, job);
	return sound ? 0 : -1;
}
