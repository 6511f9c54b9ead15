#include "core/identity/jwks_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/account.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/lib/text.h"

#define FILE_NAME_SIZE (3 * URL_SIZE + 8)

/* The server's URL as a file name. Every byte but letters, digits and ".-" becomes _XX, so that no
 * two servers have the same file. */
static void file_name(const struct server *server, char out[FILE_NAME_SIZE])
{
	size_t used = 0;
	for (const char *c = server->url; *c != '\0'; c++) {
		bool plain = strchr(TEXT_WORD ".", *c) != NULL && *c != '_';
		used += (size_t)snprintf(out + used, FILE_NAME_SIZE - used, plain ? "%c" : "_%02x",
					 (unsigned char)*c);
	}
	snprintf(out + used, FILE_NAME_SIZE - used, ".json");
}

/* True if only this account can change the file or directory. */
static bool is_ours(const struct stat *found)
{
	return found->st_uid == geteuid() && !secure_path_others_write(found->st_mode);
}

/* Opens the cache's directory; creates it if `make` is set. */
static int open_directory(bool make, struct error *err)
{
	static const char *const parts[] = {".cache", "jacamar-ci"};
	struct account service;
	if (account_of_process(&service, err) != 0)
		return -1;
	int at = open(service.home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot open %s", service.home);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (make)
			mkdirat(at, parts[i], 0700);
		int next = openat(at, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct stat found;
		close(at);
		if (next < 0)
			return error_errno(err, ERROR_SYSTEM, "cannot open %s/.cache/jacamar-ci",
					   service.home);
		at = next;
		if (fstat(at, &found) != 0 || !is_ours(&found)) {
			close(at);
			return error_set(err, ERROR_SYSTEM,
					 "%s/.cache/jacamar-ci can be changed by other accounts",
					 service.home);
		}
	}
	return at;
}

int jwks_cache_open(const struct server *server, int64_t *age)
{
	struct error ignored;
	char name[FILE_NAME_SIZE];
	cleanup_close int directory = open_directory(false, &ignored);
	if (directory < 0)
		return -1;
	file_name(server, name);
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat found;
	if (fd < 0)
		return -1;
	if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) || !is_ours(&found)) {
		close(fd);
		return -1;
	}
	*age = (int64_t)time(NULL) - (int64_t)found.st_mtime;
	return fd;
}

int jwks_cache_store(const struct server *server, const char *bytes, size_t size, struct error *err)
{
	char name[FILE_NAME_SIZE];
	char fresh[64];
	cleanup_close int directory = open_directory(true, err);
	if (directory < 0)
		return -1;
	file_name(server, name);
	snprintf(fresh, sizeof(fresh), "new-%ld", (long)getpid());
	unlinkat(directory, fresh, 0);
	cleanup_close int fd = openat(directory, fresh,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || io_write_all(fd, bytes, size) != 0 ||
	    renameat(directory, fresh, directory, name) != 0) {
		error_errno(err, ERROR_SYSTEM, "cannot keep the server's keys");
		unlinkat(directory, fresh, 0);
		return -1;
	}
	return 0;
}
