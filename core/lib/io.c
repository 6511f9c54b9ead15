#include "core/lib/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>

#include "core/lib/text.h"

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9; the number is the same on every architecture */
#endif

int io_write_all(int fd, const void *bytes, size_t size)
{
	const char *next = bytes;
	while (size > 0) {
		ssize_t written = write(fd, next, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		next += written;
		size -= (size_t)written;
	}
	return 0;
}

ssize_t io_read_full(int fd, void *bytes, size_t size)
{
	size_t used = 0;
	while (used < size) {
		ssize_t got = read(fd, (char *)bytes + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

char *io_read_to_end(int fd, size_t most, size_t *size)
{
	size_t room = 4096;
	size_t used = 0;
	char *text = NULL;

	for (;;) {
		char *grown = realloc(text, room + 1);
		if (grown == NULL)
			break;
		text = grown;
		ssize_t got = io_read_full(fd, text + used, room - used);
		if (got < 0)
			break;
		used += (size_t)got;
		if (used > most) {
			errno = EFBIG;
			break;
		}
		if (used < room) {
			text[used] = '\0';
			*size = used;
			return text;
		}
		room *= 2;
	}
	free(text);
	return NULL;
}

/* Before Linux 5.9 there is no close_range(2); /proc lists the open descriptors. */
static int close_listed(int first, struct error *err)
{
	cleanup_listing DIR *listing = opendir("/proc/self/fd");
	if (listing == NULL)
		return error_errno(err, ERROR_SYSTEM,
				   "cannot list the open files in /proc/self/fd");
	const struct dirent *entry;
	while ((entry = readdir(listing)) != NULL) {
		uint64_t fd;
		if (text_to_u64(entry->d_name, &fd) && fd >= (uint64_t)first &&
		    (int)fd != dirfd(listing))
			close((int)fd);
	}
	return 0;
}

ssize_t io_read_text(int directory, const char *path, char *text, size_t size)
{
	cleanup_close int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? io_read_full(fd, text, size - 1) : -1;
	text[got > 0 ? got : 0] = '\0';
	return got;
}

DIR *io_list(int directory, const char *path)
{
	int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	if (listing == NULL && fd >= 0)
		close(fd);
	return listing;
}

int io_close_standard(struct error *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open /dev/null");
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}

int io_close_from(int first, struct error *err)
{
	if (syscall(SYS_close_range, (unsigned int)first, ~0U, 0U) == 0)
		return 0;
	return close_listed(first, err);
}

int64_t io_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
