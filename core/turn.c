#include "core/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"

/* The runner begins the next stage within seconds; after this long it never will. */
#define MOST_IDLE_S 600

/* How often a file may be removed between being opened and locked. */
#define TRIES 100

/* True where `fd` is still the file of that name. */
static bool is_in_place(int parent, const char *name, int fd)
{
	struct stat own;
	struct stat named;
	return fstat(fd, &own) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == own.st_dev && named.st_ino == own.st_ino;
}

static int open_file(int parent, const char *name, struct error *err)
{
	struct stat found;
	int fd = openat(parent, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open %s", name);
	if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == geteuid() &&
	    found.st_nlink <= 1)
		return fd;
	close(fd);
	return error_set(err, ERROR_SYSTEM, "%s is not a file of the user alone; remove it", name);
}

static void read_file(struct turn *turn)
{
	struct stat found;
	char text[sizeof(turn->holder)] = "";
	ssize_t size = pread(turn->fd, text, sizeof(text) - 1, 0);
	text[size > 0 ? size : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	text_make_printable(text);
	memcpy(turn->holder, text, sizeof(text));
	turn->idle_s = fstat(turn->fd, &found) == 0 ? (int64_t)(time(NULL) - found.st_mtime) : 0;
}

int turn_open(int parent, const char *name, struct turn *turn, struct error *err)
{
	*turn = (struct turn){.fd = -1};
	for (int i = 0; i < TRIES; i++) {
		turn->fd = open_file(parent, name, err);
		if (turn->fd < 0)
			return -1;
		bool locked = flock(turn->fd, LOCK_EX | LOCK_NB) == 0;
		if (!locked && errno != EWOULDBLOCK) {
			error_errno(err, ERROR_SYSTEM, "cannot lock %s", name);
			turn_close(turn);
			return -1;
		}
		if (is_in_place(parent, name, turn->fd)) {
			read_file(turn);
			if (!locked)
				turn_close(turn);
			return locked ? 0 : 1;
		}
		turn_close(turn);
	}
	return error_set(err, ERROR_SYSTEM, "%s is removed again and again", name);
}

bool turn_is_of(const struct turn *turn, uint64_t job)
{
	uint64_t holder;
	return text_to_u64(turn->holder, &holder) && holder == job;
}

bool turn_is_of_other(const struct turn *turn, uint64_t job)
{
	return turn->holder[0] != '\0' && !turn_is_of(turn, job) && turn->idle_s < MOST_IDLE_S;
}

int turn_write(const struct turn *turn, uint64_t job, struct error *err)
{
	char line[sizeof(turn->holder)] = "";
	if (job != 0)
		snprintf(line, sizeof(line), "%" PRIu64 "\n", job);
	if (ftruncate(turn->fd, 0) != 0 ||
	    pwrite(turn->fd, line, strlen(line), 0) != (ssize_t)strlen(line))
		return error_errno(err, ERROR_SYSTEM, "cannot note which job uses the builds");
	turn_touch(turn);
	return 0;
}

void turn_touch(const struct turn *turn)
{
	(void)futimens(turn->fd, NULL);
}

void turn_close(struct turn *turn)
{
	if (turn->fd >= 0)
		close(turn->fd);
	turn->fd = -1;
}
