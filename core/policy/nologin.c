#include "core/policy/policy.h"

#include <errno.h>
#include <fcntl.h>

#include "core/lib/io.h"

const char *policy_nologin_file(char *text, size_t size)
{
	static const char *const files[] = {"/var/run/nologin", "/etc/nologin"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		cleanup_close int fd = open(files[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		/* A file that exists but cannot be read closes the host, too. */
		if (fd < 0 && errno == ENOENT)
			continue;
		ssize_t got = fd < 0 ? -1 : io_read_full(fd, text, size - 1);
		text[got > 0 ? got : 0] = '\0';
		for (char *at = text; *at != '\0'; at++)
			if (*at == '\n')
				*at = at[1] != '\0' ? ' ' : '\0';
		return files[i];
	}
	return NULL;
}
