#include "core/workspace/builds_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/workspace/workspace_directories.h"

/* Allows for two missed renewals, and for clocks that differ by the rest. */
#define MOST_IDLE_S 600

/* Another job may lock the file for a moment to examine it, or remove an old one. */
#define TRIES	 100
#define PAUSE_US 20000

/* How many tries the process that made an empty file has to write its line. */
#define UNWRITTEN_TRIES 50

enum lock_owner { OURS, OTHERS, BUSY, GONE, FAILED };

static void describe_us(const struct state *state, struct builds_holder *us)
{
	*us = (struct builds_holder){.job = state->job_id,
				     .timeout_ms = state->settings.general.kill_timeout_ms};
	if (gethostname(us->host, sizeof(us->host) - 1) != 0 || us->host[0] == '\0')
		us->host[0] = '?';
	for (char *at = us->host; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~')
			*at = '?';
}

/* Both phases have the same length, so that no rest of a longer line is left. */
static int write_phase(const struct builds_lock *lock, const char *phase)
{
	char line[160];
	const struct builds_holder *us = &lock->holder;
	int size = snprintf(line, sizeof(line), "%" PRIu64 " %s %" PRId64 " %s\n", us->job,
			    us->host, us->timeout_ms, phase);
	ssize_t written = pwrite(lock->fd, line, (size_t)size, 0);
	(void)futimens(lock->fd, NULL);
	return written == size ? 0 : -1;
}

/* The length of the part of the builds directory's path that is the lock file's directory. */
static int above(const struct state *state)
{
	return (int)(strrchr(state->builds_dir, '/') - state->builds_dir) + 1;
}

static int begin_stage(struct builds_lock *lock, int fd, const struct state *state,
		       struct error *err)
{
	lock->fd = fd;
	describe_us(state, &lock->holder);
	if (write_phase(lock, "running") != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot write the lock file %.*s%s",
				   above(state), state->builds_dir, lock->name);
	return 0;
}

void builds_lock_pause(const struct builds_lock *lock)
{
	if (lock->fd >= 0)
		(void)write_phase(lock, "between");
}

/* A file with other contents locks the directory as well, for 10 minutes. */
static void read_holder(int fd, struct builds_holder *holder)
{
	char text[160] = "";
	char job[24] = "";
	char timeout[24] = "";
	char phase[8] = "";
	uint64_t number;
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	text[size > 0 ? size : 0] = '\0';
	*holder = (struct builds_holder){.host = "?", .unwritten = size == 0};
	if (sscanf(text, "%23s %64s %23s %7s", job, holder->host, timeout, phase) == 4 &&
	    text_to_u64(job, &holder->job) && text_to_u64(timeout, &number) && number < INT64_MAX)
		holder->timeout_ms = (int64_t)number;
	holder->running = strcmp(phase, "running") == 0;
	text_make_printable(holder->host);
}

/* Opens the lock file, which must be the user's own; -1, with errno ENOENT if there is none. */
static int open_file(const struct builds_lock *lock, const struct state *state, struct stat *found,
		     struct error *err)
{
	int fd = openat(lock->directory, lock->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0) {
		int why = errno;
		error_errno(err, ERROR_SYSTEM, "cannot open the lock file %.*s%s", above(state),
			    state->builds_dir, lock->name);
		errno = why;
		return -1;
	}
	if (fstat(fd, found) == 0 && S_ISREG(found->st_mode) && found->st_uid == geteuid() &&
	    found->st_nlink <= 1)
		return fd;
	close(fd);
	error_set(err, ERROR_SYSTEM,
		  "the lock file %.*s%s is not a regular file that only the user owns; remove it",
		  above(state), state->builds_dir, lock->name);
	errno = EINVAL;
	return -1;
}

/* True if `opened` is still the file of that name. */
static bool is_in_place(const struct builds_lock *lock, const struct stat *opened)
{
	struct stat named;
	return fstatat(lock->directory, lock->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == opened->st_dev && named.st_ino == opened->st_ino;
}

/*
 * Examines a file that exists, and removes an old one. Without flock(2), two jobs may find the same
 * old file at the same moment, and the second may remove the new file of the first. The first job
 * notices that in prepare, before it builds anything.
 */
static enum lock_owner examine(struct builds_lock *lock, const struct state *state, bool impatient,
			       bool remove_unwritten, struct error *err)
{
	struct stat found;
	int fd = open_file(lock, state, &found, err);
	if (fd < 0)
		return errno == ENOENT ? GONE : FAILED;
	struct builds_holder us;
	bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
	bool busy = !locked && errno == EWOULDBLOCK;
	enum lock_owner seen = OTHERS;

	describe_us(state, &us);
	read_holder(fd, &lock->holder);
	lock->holder.interrupted =
		locked && lock->holder.running && strcmp(lock->holder.host, us.host) == 0;
	/* Read under the lock: before it, the process that made the file may have written it. */
	lock->holder.unwritten = locked && lock->holder.unwritten;
	bool out_of_date = time(NULL) - found.st_mtime >= MOST_IDLE_S ||
			   (impatient && lock->holder.interrupted) ||
			   (remove_unwritten && lock->holder.unwritten);
	if (!is_in_place(lock, &found))
		seen = GONE;
	else if (lock->holder.job == state->job_id)
		seen = busy ? BUSY : OURS;
	else if (!busy && out_of_date)
		seen = unlinkat(lock->directory, lock->name, 0) == 0 || errno == ENOENT ? GONE
											: OTHERS;
	if (seen == OURS)
		return begin_stage(lock, fd, state, err) == 0 ? OURS : FAILED;
	close(fd);
	return seen;
}

static int explain_busy(const struct builds_lock *lock, const struct state *state,
			struct error *err)
{
	return error_set(err, ERROR_SYSTEM,
			 "another process keeps the lock file %.*s%s locked, or keeps removing it",
			 above(state), state->builds_dir, lock->name);
}

/*
 * Makes the file, and writes its line. If that takes long, a job that finds the file empty may lock
 * and remove it: then this job does not have the file (GONE).
 */
static enum lock_owner create(struct builds_lock *lock, const struct state *state,
			      struct error *err)
{
	struct stat made;
	int fd = openat(lock->directory, lock->name,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return OTHERS;
	if (fd < 0) {
		error_errno(err, ERROR_SYSTEM, "cannot create the lock file %.*s%s", above(state),
			    state->builds_dir, lock->name);
		return FAILED;
	}
	bool busy = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (busy || fstat(fd, &made) != 0 || !is_in_place(lock, &made)) {
		close(fd);
		return GONE;
	}
	if (begin_stage(lock, fd, state, err) == 0)
		return OURS;
	/* Without a line it would lock out this job, too. */
	(void)unlinkat(lock->directory, lock->name, 0);
	return FAILED;
}

int builds_lock_take_file(int directory, const char *name, const struct state *state,
			  bool impatient, struct builds_lock *lock, struct error *err)
{
	*lock = (struct builds_lock){.directory = directory, .fd = -1};
	snprintf(lock->name, sizeof(lock->name), "%s", name);
	for (int i = 0; i < TRIES; i++) {
		bool late = i >= UNWRITTEN_TRIES;
		enum lock_owner seen = create(lock, state, err);
		if (seen == OTHERS)
			seen = examine(lock, state, impatient, late, err);
		if (seen == BUSY || (seen == OTHERS && lock->holder.unwritten && !late))
			usleep(PAUSE_US);
		else if (seen != GONE)
			return seen == OURS ? 0 : seen == OTHERS ? 1 : -1;
	}
	return explain_busy(lock, state, err);
}

static void name_file(const struct state *state, char *name, size_t size)
{
	const char *builds = strrchr(state->builds_dir, '/') + 1;
	if (state->settings.general.static_builds_dir && state->custom_builds == NULL)
		snprintf(name, size, "%.64s.job", builds);
	else
		snprintf(name, size, "%.32s-%" PRIu64 ".job", builds, state->project_id);
}

int builds_lock_take(const struct state *state, bool impatient, struct builds_lock *lock,
		     struct error *err)
{
	char name[sizeof(lock->name)];
	int directory;
	*lock = (struct builds_lock){.directory = -1, .fd = -1};
	if (workspace_open_above_builds(state, true, &directory, err) != 0)
		return -1;
	name_file(state, name, sizeof(name));
	return builds_lock_take_file(directory, name, state, impatient, lock, err);
}

/*
 * Records that this job has used its project's directory. A new file replaces that of earlier jobs,
 * even if the user has put something else in its place. If this fails, an older file makes the
 * directory look older than it is; without any file, the directory is never removed.
 */
static void mark_checkout(const struct state *state, int directory)
{
	char name[64];
	char new_name[80];
	const char *builds = strrchr(state->builds_dir, '/') + 1;
	snprintf(name, sizeof(name), "%.32s-%" PRIu64 BUILDS_LOCK_USED, builds, state->project_id);
	snprintf(new_name, sizeof(new_name), "%s.new", name);
	(void)unlinkat(directory, new_name, 0);
	cleanup_close int fd = openat(directory, new_name,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t size = (ssize_t)strlen(state->checkout);
	if (fd < 0 || write(fd, state->checkout, (size_t)size) != size ||
	    renameat(directory, new_name, directory, name) != 0)
		(void)unlinkat(directory, new_name, 0);
}

/* Renews the directory's time of modification, by which static_builds_clean removes directories. */
static void touch_builds(const struct state *state, int directory)
{
	const struct general_settings *general = &state->settings.general;
	(void)utimensat(directory, strrchr(state->builds_dir, '/') + 1, NULL, AT_SYMLINK_NOFOLLOW);
	if (general->static_builds_days > 0 && !general->static_builds_dir &&
	    state->custom_builds == NULL && state->checkout != NULL)
		mark_checkout(state, directory);
}

/* The descriptor of the file that the timer renews; -1: none. */
static volatile sig_atomic_t renewed = -1;

static void renew(int signal_number)
{
	int before = errno;
	(void)signal_number;
	(void)futimens(renewed, NULL);
	errno = before;
}

static void set_timer(int interval_s)
{
	const struct itimerval timer = {.it_interval = {.tv_sec = interval_s},
					.it_value = {.tv_sec = interval_s}};
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void start_renewing(int fd, int interval_s)
{
	struct sigaction action = {.sa_handler = renew, .sa_flags = SA_RESTART};
	renewed = fd;
	if (sigaction(SIGALRM, &action, NULL) == 0)
		set_timer(interval_s);
}

int builds_lock_keep(const struct state *state, int interval_s, struct builds_lock *lock,
		     struct error *err)
{
	*lock = (struct builds_lock){.directory = -1, .fd = -1};
	if (workspace_open_above_builds(state, true, &lock->directory, err) != 0)
		return -1;
	name_file(state, lock->name, sizeof(lock->name));
	for (int i = 0; i < TRIES; i++) {
		enum lock_owner seen = examine(lock, state, false, false, err);
		if (seen == OURS) {
			touch_builds(state, lock->directory);
			start_renewing(lock->fd, interval_s);
		}
		if (seen == OURS || seen == FAILED)
			return seen == OURS ? 0 : -1;
		if (seen == OTHERS && lock->holder.job != 0)
			return error_set(err, ERROR_SYSTEM,
					 "the builds directory %s is no longer this job's: it has "
					 "passed to job %" PRIu64 " on %s",
					 state->builds_dir, lock->holder.job, lock->holder.host);
		if (seen != BUSY)
			return error_set(
				err, ERROR_SYSTEM,
				"the builds directory %s is no longer this job's: its lock "
				"file %s was %s",
				state->builds_dir, lock->name,
				seen == GONE ? "removed" : "changed");
		usleep(PAUSE_US);
	}
	return explain_busy(lock, state, err);
}

void builds_lock_remove(struct builds_lock *lock)
{
	if (lock->fd >= 0)
		(void)unlinkat(lock->directory, lock->name, 0);
	builds_lock_close(lock);
}

void builds_lock_close(struct builds_lock *lock)
{
	if (lock->fd >= 0 && lock->fd == renewed) {
		set_timer(0);
		renewed = -1;
	}
	if (lock->fd >= 0)
		close(lock->fd);
	if (lock->directory >= 0)
		close(lock->directory);
	lock->directory = lock->fd = -1;
}

int builds_lock_leave(const struct state *state, struct error *err)
{
	struct builds_lock lock = {.directory = -1, .fd = -1};
	if (workspace_open_above_builds(state, false, &lock.directory, err) != 0)
		return -1;
	/* Missing if prepare has never made it: there is no lock then. */
	if (lock.directory < 0)
		return 0;
	name_file(state, lock.name, sizeof(lock.name));
	enum lock_owner seen = BUSY;
	for (int i = 0; i < TRIES && seen == BUSY; i++) {
		seen = examine(&lock, state, false, false, err);
		if (seen == BUSY)
			usleep(PAUSE_US);
	}
	if (seen == OURS)
		touch_builds(state, lock.directory);
	builds_lock_remove(&lock);
	return seen == FAILED ? -1 : seen == BUSY ? explain_busy(&lock, state, err) : 0;
}
