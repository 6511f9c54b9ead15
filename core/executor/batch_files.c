#include "core/executor/batch_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/executor/shell.h"
#include "core/lib/io.h"
#include "core/lib/text.h"

/* The name of a file: the sub-stage and a suffix. */
#define NAME_SIZE (SCRIPT_SUBSTAGE_MOST + 32)

/* The variables that batch_wrapper.bash needs; it follows without its comments. */
static const char WRAPPER[] =
	"#!/bin/bash\n"
	"# Made by jacamar: runs the script of a CI job, and writes how it ended into a file.\n"
	"here=%s feed=%s node=${%s:-$HOSTNAME} shell=%s login=%s patience=%lld\n"
	"%s";
static const char WRAPPER_BODY[] =
#include "batch_wrapper.text.h"
	;

static const char *const SUFFIXES[] = {"report", "start", "exit", "start.new", "exit.new"};

/* In the job's file, before the number of the attempt. cleanup knows no higher number. */
#define ATTEMPT	      "attempt "
#define ATTEMPTS_MOST 999

#define TAKEN "feed.taken"

/* The suffix of a file that each attempt to submit the job has. */
struct suffix {
	char text[24];
};
static struct suffix of_attempt(const struct batch_files *files, const char *suffix)
{
	struct suffix own;
	if (files->attempt > 1)
		snprintf(own.text, sizeof(own.text), "%u.%s", files->attempt, suffix);
	else
		snprintf(own.text, sizeof(own.text), "%s", suffix);
	return own;
}

static const char *name_of(const struct batch_files *files, const char *suffix,
			   char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%s.%s", strrchr(files->here, '/') + 1, suffix);
	return name;
}

void batch_files_remove(const struct batch_files *files, const char *suffix)
{
	char name[NAME_SIZE];
	(void)unlinkat(files->directory, name_of(files, suffix, name), 0);
}

int batch_files_init(struct batch_files *files, int directory, const char *scripts_dir,
		     const char *substage, struct error *err)
{
	*files = (struct batch_files){.directory = directory, .attempt = 1};
	files->here = text_format("%s/%s", scripts_dir, substage);
	files->wrapper = text_format("%s/%s.batch", scripts_dir, substage);
	if (files->here == NULL || files->wrapper == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	/* Schedulers replace such characters in paths. */
	if (strpbrk(scripts_dir, "%\\") != NULL)
		return error_set(err, ERROR_SYSTEM,
				 "the job's directory has a %% or a \\, which a scheduler would "
				 "replace: %s",
				 scripts_dir);
	return 0;
}

void batch_files_free(struct batch_files *files)
{
	free(files->here);
	free(files->wrapper);
}

int batch_files_put(const struct batch_files *files, const char *suffix, mode_t mode,
		    const char *text, struct error *err)
{
	char name[NAME_SIZE];
	char new_name[NAME_SIZE + 8];
	snprintf(new_name, sizeof(new_name), "%s.new", name_of(files, suffix, name));
	(void)unlinkat(files->directory, new_name, 0);
	int fd = openat(files->directory, new_name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot create %s.%s", files->here, suffix);
	int failed = io_write_all(fd, text, strlen(text)) != 0 || fsync(fd) != 0;
	if (close(fd) != 0 || failed ||
	    renameat(files->directory, new_name, files->directory, name) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot write %s.%s", files->here, suffix);
	return fsync(files->directory) == 0
		       ? 0
		       : error_errno(err, ERROR_SYSTEM, "cannot write %s.%s", files->here, suffix);
}

char *batch_files_feed(const struct batch_files *files)
{
	return text_format("%s.%s", files->here, of_attempt(files, "feed").text);
}

static char *compose_wrapper(const struct batch_files *files, const struct scheduler *scheduler,
			     const struct channel_header *header)
{
	const char *shell = header->state.settings.general.shell_path;
	cleanup_free char *here = login_shell_quote(files->here);
	cleanup_free char *path = batch_files_feed(files);
	cleanup_free char *feed = path != NULL ? login_shell_quote(path) : NULL;
	cleanup_free char *bash = login_shell_quote(shell != NULL ? shell : "/bin/bash");
	if (here == NULL || feed == NULL || bash == NULL)
		return NULL;
	return text_format(WRAPPER, here, feed, scheduler->node_variable, bash,
			   header->profile == PROFILE_LOGIN ? "--login" : "--noprofile",
			   ((long long)header->state.settings.general.kill_timeout_ms + 3999) /
				   4000,
			   WRAPPER_BODY);
}

/* A shell must read the path as one word. */
static int check_path(const struct batch_files *files, const struct scheduler *scheduler,
		      struct error *err)
{
	const char *path = files->wrapper;
	if (!scheduler->hands_to_shell || text_is_made_of(path, TEXT_WORD "/.,:=@+", PATH_MAX))
		return 0;
	return error_set(err, ERROR_SYSTEM,
			 "the job's directory has a character that is not a letter, a digit or one "
			 "of _-/.,:=@+, which %s would replace: %s",
			 scheduler->name, path);
}

/* "NUMBER" or, while that is not known, "attempt N" from the second on; then ";CLUSTER". */
int batch_files_record(const struct batch_files *files, struct error *err)
{
	const char *number = files->number;
	char line[BATCH_NUMBER_SIZE + BATCH_CLUSTER_SIZE + 2];
	char attempt[BATCH_NUMBER_SIZE];
	/* With the attempt, cleanup knows the wrapper that the job is found by. */
	snprintf(attempt, sizeof(attempt), ATTEMPT "%u", files->attempt);
	if (number[0] == '\0' && files->attempt > 1)
		number = attempt;
	snprintf(line, sizeof(line), "%s%s%s\n", number, files->cluster[0] != '\0' ? ";" : "",
		 files->cluster);
	return batch_files_put(files, "job", 0600, line, err);
}

int batch_files_put_wrapper(const struct batch_files *files, const char *wrapper, const char *feed,
			    struct error *err)
{
	if (batch_files_put(files, of_attempt(files, "feed").text, 0600, feed, err) != 0)
		return -1;
	/* Executable: some schedulers do not copy it. */
	if (batch_files_put(files, of_attempt(files, "batch").text, 0700, wrapper, err) != 0)
		return -1;
	return batch_files_record(files, err);
}

int batch_files_write(const struct batch_files *files, const struct scheduler *scheduler,
		      const struct channel_header *header, const struct script *script,
		      struct error *err)
{
	cleanup_free char *feed = shell_compose_lines(script, header);
	cleanup_free char *wrapper = compose_wrapper(files, scheduler, header);
	if (feed == NULL || wrapper == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (check_path(files, scheduler, err) != 0)
		return -1;
	/* The files of an earlier attempt at this sub-stage may still be there. */
	batch_files_close(files, false);
	/* cleanup cancels the jobs that have a job's file: not an allocation that others use. */
	if (header->allocation == NULL)
		return batch_files_put_wrapper(files, wrapper, feed, err);
	return batch_files_put(files, "feed", 0600, feed, err) == 0
		       ? batch_files_put(files, "batch", 0700, wrapper, err)
		       : -1;
}

static bool set_attempt(struct batch_files *files, unsigned int attempt)
{
	files->attempt = attempt;
	free(files->wrapper);
	files->wrapper = text_format("%s.%s", files->here, of_attempt(files, "batch").text);
	return files->wrapper != NULL;
}

int batch_files_give_up(const struct batch_files *files, struct error *err)
{
	char name[NAME_SIZE];
	const struct suffix feed = of_attempt(files, "feed");
	if (unlinkat(files->directory, name_of(files, feed.text, name), 0) != 0) {
		if (errno != ENOENT)
			return error_errno(err, ERROR_SYSTEM, "cannot remove %s.%s", files->here,
					   feed.text);
		if (batch_files_has(files, of_attempt(files, TAKEN).text))
			return 1;
	}
	batch_files_remove(files, of_attempt(files, "batch").text);
	return 0;
}

int batch_files_begin_next(struct batch_files *files, struct error *err)
{
	if (files->attempt >= ATTEMPTS_MOST)
		return error_set(err, ERROR_SYSTEM,
				 "%s; attempt %d was the last one: ask the "
				 "administrators of the scheduler, and run the CI job again",
				 err->detail, ATTEMPTS_MOST);
	return set_attempt(files, files->attempt + 1)
		       ? 0
		       : error_set(err, ERROR_SYSTEM, "out of memory");
}

int batch_files_open(const struct batch_files *files, const char *suffix)
{
	char name[NAME_SIZE];
	struct stat found;
	cleanup_close int directory =
		openat(files->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -1;
	int fd = openat(directory, name_of(files, suffix, name),
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Reads the first line of a file; false if it is not complete. */
static bool read_line(int fd, char *line, size_t size)
{
	ssize_t got = fd >= 0 ? io_read_full(fd, line, size - 1) : -1;
	line[got > 0 ? got : 0] = '\0';
	char *end = strchr(line, '\n');
	if (end == NULL)
		return false;
	*end = '\0';
	return true;
}

bool batch_files_recall(struct batch_files *files)
{
	char line[BATCH_NUMBER_SIZE + BATCH_CLUSTER_SIZE + 2];
	uint64_t attempt;
	files->number[0] = files->cluster[0] = '\0';
	cleanup_close int fd = batch_files_open(files, "job");
	/*
	 * The job's author can write this file. If it has no number, the queue is searched for the
	 * job: Torque's qdel would read "all", and LSF's bkill 0, as all jobs of the account.
	 */
	if (!read_line(fd, line, sizeof(line)))
		return fd >= 0;
	char *cluster = line;
	(void)strsep(&cluster, ";");
	if (cluster != NULL && batch_is_cluster(cluster))
		(void)text_copy(files->cluster, sizeof(files->cluster), cluster);
	if (strncmp(line, ATTEMPT, strlen(ATTEMPT)) == 0 &&
	    text_to_u64(line + strlen(ATTEMPT), &attempt) && attempt > 0 &&
	    attempt <= ATTEMPTS_MOST)
		return set_attempt(files, (unsigned int)attempt);
	if ((line[0] == 'f' || (line[0] >= '0' && line[0] <= '9')) &&
	    line[strspn(line, "0")] != '\0' &&
	    text_is_made_of(line, TEXT_WORD ".", BATCH_NUMBER_SIZE - 1))
		(void)text_copy(files->number, sizeof(files->number), line);
	return fd >= 0;
}

bool batch_files_read_exit(const struct batch_files *files, struct batch_files_exit *ended)
{
	char line[128];
	uint64_t code = 0;
	uint64_t status = 0;
	struct stat file;
	cleanup_close int fd = batch_files_open(files, "exit");
	if (fd < 0 || fstat(fd, &file) != 0 || !read_line(fd, line, sizeof(line)))
		return false;
	char *rest = line;
	const char *words[3] = {"", "", ""};
	for (size_t i = 0; i < 3 && rest != NULL; i++)
		words[i] = strsep(&rest, " ");
	bool reported = strcmp(words[0], "-") != 0;
	*ended = (struct batch_files_exit){.code = -1, .file = file.st_ino};
	if ((reported && (!text_to_u64(words[0], &code) || code > 255)) ||
	    !text_to_u64(words[1], &ended->size) || !text_to_u64(words[2], &status) || status > 255)
		return false;
	ended->code = reported ? (int)code : -1;
	ended->status = (int)status;
	const char *word;
	while ((word = strsep(&rest, " ")) != NULL) {
		ended->terminated |= strcmp(word, "terminated") == 0;
		ended->log_incomplete |= strcmp(word, "incomplete") == 0;
	}
	return true;
}

bool batch_files_read_start(const struct batch_files *files, struct batch_files_start *seen)
{
	char line[sizeof(seen->node) + sizeof(seen->since)];
	cleanup_close int fd = batch_files_open(files, "start");
	if (!read_line(fd, line, sizeof(line)))
		return false;
	text_make_printable(line);
	char *since = strchr(line, ' ');
	if (since == NULL || strcmp(seen->since, since + 1) == 0)
		return false;
	*since++ = '\0';
	return text_copy(seen->node, sizeof(seen->node), line) &&
	       text_copy(seen->since, sizeof(seen->since), since);
}

bool batch_files_has(const struct batch_files *files, const char *suffix)
{
	cleanup_close int fd = batch_files_open(files, suffix);
	return fd >= 0;
}

void batch_files_forget_exit(const struct batch_files *files, const struct batch_files_exit *ended)
{
	struct batch_files_exit found;
	if (batch_files_read_exit(files, &found) && found.file == ended->file)
		batch_files_remove(files, "exit");
}

void batch_files_close(const struct batch_files *files, bool keep_logs)
{
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++)
		batch_files_remove(files, SUFFIXES[i]);
	batch_files_remove(files, of_attempt(files, "feed").text);
	batch_files_remove(files, of_attempt(files, TAKEN).text);
	batch_files_remove(files, of_attempt(files, "batch").text);
	if (!keep_logs) {
		batch_files_remove(files, "log");
		batch_files_remove(files, "journal");
	}
	/* Last: with this file, cleanup finds the others. */
	batch_files_remove(files, "job");
}
