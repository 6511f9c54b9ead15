#include "core/executor/allocation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/executor/shell.h"
#include "core/io.h"
#include "core/text.h"

/* Names of files: a sub-stage's with a suffix. */
#define NAME_SIZE (SCRIPT_SUBSTAGE_MOST + 32)

/*
 * What the scheduler runs. The node writes into the log by itself, so that no scheduler needs to;
 * its own name for the log is for what it has to say itself. A file that is read elsewhere is
 * renamed when it is whole, and synchronized before: on NFS, what another file says is not true
 * for others until then. What tells the end has its place on the disk before the script may fill
 * that, or use up its quota. The signals by which schedulers end a job are noted, since who is told
 * to end has not ended by itself; the others are for the script to know what to do about. Some
 * schedulers feed it to a shell: within braces, it is read before it has another standard input.
 */
static const char WRAPPER[] =
	"#!/bin/bash\n"
	"# Made by jacamar: runs a sub-stage's script in this allocation, and tells how it ended.\n"
	"{\n"
	"terminated=\n"
	"trap 'terminated=\" terminated\"' TERM USR2 XCPU\n"
	"trap : HUP INT QUIT USR1\n"
	"here=%s\n"
	"exec >>\"$here.log\" 2>&1 </dev/null || exit 1\n"
	"command -p rm -f \"$here.exit\"\n"
	"printf '%%64s\\n' '' >\"$here.exit.new\"\n"
	"printf '%%64s\\n' '' >\"$here.report\"\n"
	"printf '%%s %%(%%s)T.%%s\\n' \"${%s:-$HOSTNAME}\" -1 \"$$\" >\"$here.start.new\"\n"
	"command -p mv -f \"$here.start.new\" \"$here.start\"\n"
	"%s %s <\"$here.feed\" 79<>\"$here.report\"\n"
	"status=$?\n"
	"code=\n"
	"read -r code <\"$here.report\"\n"
	"command -p sync \"$here.log\"\n"
	"size=$(command -p stat -c %%s \"$here.log\")\n"
	"printf '%%s %%s %%s%%s\\n' \"${code:--}\" \"${size:-0}\" \"$status\" \"$terminated\" "
	"1<>\"$here.exit.new\" &&\n"
	"command -p sync \"$here.exit.new\" &&\n"
	"command -p mv -f \"$here.exit.new\" \"$here.exit\" ||\n"
	"printf 'jacamar: cannot tell how the script ended; is the file system full?\\n'\n"
	"exit \"${code:-1}\"\n"
	"}\n";

static const char *const SUFFIXES[] = {"batch", "feed",	     "report",	"start",
				       "exit",	"start.new", "exit.new"};

static const char *name_of(const struct allocation *allocation, const char *suffix,
			   char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%s.%s", allocation->name, suffix);
	return name;
}

static void unlink_file(const struct allocation *allocation, const char *suffix)
{
	char name[NAME_SIZE];
	(void)unlinkat(allocation->directory, name_of(allocation, suffix, name), 0);
}

int allocation_init(struct allocation *allocation, int directory, const char *scripts_dir,
		    const char *substage, struct error *err)
{
	*allocation = (struct allocation){.directory = directory};
	allocation->name = strdup(substage);
	allocation->here = text_format("%s/%s", scripts_dir, substage);
	allocation->wrapper = text_format("%s/%s.batch", scripts_dir, substage);
	allocation->log = text_format("%s/%s.log", scripts_dir, substage);
	allocation->journal = text_format("%s/%s.journal", scripts_dir, substage);
	if (allocation->name == NULL || allocation->here == NULL || allocation->wrapper == NULL ||
	    allocation->log == NULL || allocation->journal == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	/* Schedulers fill in such names by themselves. */
	if (strpbrk(scripts_dir, "%\\") != NULL)
		return error_set(
			err, ERROR_SYSTEM,
			"the job's directory has a %% or a \\, which a scheduler would not "
			"take as it is: %s",
			scripts_dir);
	return 0;
}

void allocation_free(struct allocation *allocation)
{
	free(allocation->name);
	free(allocation->here);
	free(allocation->wrapper);
	free(allocation->log);
	free(allocation->journal);
}

/* Writes a file anew: whole, on the disk, or not there. */
static int write_file(const struct allocation *allocation, const char *suffix, mode_t mode,
		      const char *text, struct error *err)
{
	char name[NAME_SIZE];
	char new_name[NAME_SIZE + 8];
	snprintf(new_name, sizeof(new_name), "%s.new", name_of(allocation, suffix, name));
	(void)unlinkat(allocation->directory, new_name, 0);
	int fd = openat(allocation->directory, new_name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make %s.%s", allocation->here,
				   suffix);
	int failed = io_write_all(fd, text, strlen(text)) != 0 || fsync(fd) != 0;
	if (close(fd) != 0 || failed ||
	    renameat(allocation->directory, new_name, allocation->directory, name) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot write %s.%s", allocation->here,
				   suffix);
	return fsync(allocation->directory) == 0
		       ? 0
		       : error_errno(err, ERROR_SYSTEM, "cannot write %s.%s", allocation->here,
				     suffix);
}

static char *compose_wrapper(const struct allocation *allocation, const struct scheduler *scheduler,
			     const struct channel_header *header)
{
	const char *shell = header->state.shell_path;
	cleanup_free char *here = login_shell_quote(allocation->here);
	cleanup_free char *bash = login_shell_quote(shell != NULL ? shell : "/bin/bash");
	if (here == NULL || bash == NULL)
		return NULL;
	return text_format(WRAPPER, here, scheduler->node_variable, bash,
			   header->profile == PROFILE_LOGIN ? "--login" : "--noprofile");
}

int allocation_write(const struct allocation *allocation, const struct scheduler *scheduler,
		     const struct channel_header *header, const struct script *script,
		     struct error *err)
{
	cleanup_free char *feed = shell_compose_lines(script, header);
	cleanup_free char *wrapper = compose_wrapper(allocation, scheduler, header);
	if (feed == NULL || wrapper == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	/* A sub-stage that is tried again may find the files of its first attempt. */
	allocation_close(allocation, false);
	/* Some schedulers execute it where it is. */
	if (write_file(allocation, "feed", 0600, feed, err) != 0 ||
	    write_file(allocation, "batch", 0700, wrapper, err) != 0)
		return -1;
	return write_file(allocation, "job", 0600, "\n", err);
}

int allocation_record(const struct allocation *allocation, struct error *err)
{
	char line[BATCH_NUMBER_SIZE + 2];
	snprintf(line, sizeof(line), "%s\n", allocation->number);
	return write_file(allocation, "job", 0600, line, err);
}

int allocation_open(const struct allocation *allocation, const char *suffix)
{
	char name[NAME_SIZE];
	struct stat found;
	cleanup_close int directory =
		openat(allocation->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -1;
	int fd = openat(directory, name_of(allocation, suffix, name),
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A file's first line; false where there is no whole one. */
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

bool allocation_recall(struct allocation *allocation)
{
	char line[BATCH_NUMBER_SIZE + 1];
	allocation->number[0] = '\0';
	cleanup_close int fd = allocation_open(allocation, "job");
	/*
	 * What is no number, the job's author has put there; it is then looked for in the queue.
	 * Torque's qdel takes "all", and LSF's bkill 0, for all of the account's jobs.
	 */
	if (read_line(fd, line, sizeof(line)) &&
	    (line[0] == 'f' || (line[0] >= '0' && line[0] <= '9')) &&
	    line[strspn(line, "0")] != '\0' &&
	    text_is_made_of(line, TEXT_WORD ".", BATCH_NUMBER_SIZE - 1))
		(void)text_copy(allocation->number, sizeof(allocation->number), line);
	return fd >= 0;
}

bool allocation_read_exit(const struct allocation *allocation, struct allocation_exit *ended)
{
	char line[128];
	uint64_t code = 0;
	uint64_t status = 0;
	struct stat file;
	cleanup_close int fd = allocation_open(allocation, "exit");
	if (fd < 0 || fstat(fd, &file) != 0 || !read_line(fd, line, sizeof(line)))
		return false;
	char *rest = line;
	const char *words[4] = {"", "", "", ""};
	for (size_t i = 0; i < 4 && rest != NULL; i++)
		words[i] = strsep(&rest, " ");
	bool reported = strcmp(words[0], "-") != 0;
	*ended = (struct allocation_exit){.code = -1, .file = file.st_ino};
	if ((reported && (!text_to_u64(words[0], &code) || code > 255)) ||
	    !text_to_u64(words[1], &ended->size) || !text_to_u64(words[2], &status) || status > 255)
		return false;
	ended->code = reported ? (int)code : -1;
	ended->status = (int)status;
	ended->terminated = strcmp(words[3], "terminated") == 0;
	return true;
}

bool allocation_read_start(const struct allocation *allocation, struct allocation_start *seen)
{
	char line[sizeof(seen->node) + sizeof(seen->since)];
	cleanup_close int fd = allocation_open(allocation, "start");
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

bool allocation_has_started(const struct allocation *allocation)
{
	cleanup_close int fd = allocation_open(allocation, "start");
	return fd >= 0;
}

void allocation_forget_exit(const struct allocation *allocation,
			    const struct allocation_exit *ended)
{
	struct allocation_exit found;
	if (allocation_read_exit(allocation, &found) && found.file == ended->file)
		unlink_file(allocation, "exit");
}

void allocation_close(const struct allocation *allocation, bool keep_logs)
{
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++)
		unlink_file(allocation, SUFFIXES[i]);
	if (!keep_logs) {
		unlink_file(allocation, "log");
		unlink_file(allocation, "journal");
	}
	/* Last: as long as it is there, cleanup looks after the rest. */
	unlink_file(allocation, "job");
}
