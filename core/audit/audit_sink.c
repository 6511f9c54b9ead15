#include "core/audit/audit_sink.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/privilege/confine.h"

/*
 * The limit for the network is longer than that for one address, so that the child can report its
 * own error.
 */
#define SEND_LIMIT_SECONDS 5
#define NETWORK_LIMIT_MS   6000
#define LOCK_PAUSE_US	   1000

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

const char *audit_sink_file_fault(const struct stat *found)
{
	if (!S_ISREG(found->st_mode))
		return "it is not a regular file";
	if (found->st_uid != 0 && found->st_uid != geteuid())
		return "it belongs to neither root nor the service account";
	if ((found->st_mode & S_IWOTH) != 0)
		return "others can write it";
	return NULL;
}

static int open_file(const char *path, struct error *err)
{
	struct stat found;
	/* O_NONBLOCK: opening a FIFO would wait. */
	int fd = open(path,
		      O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		      0640);
	if (fd < 0 && errno == ELOOP)
		return error_set(err, ERROR_SYSTEM, "it is a symbolic link");
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot be opened");
	const char *fault =
		fstat(fd, &found) == 0 ? audit_sink_file_fault(&found) : strerror(errno);
	if (fault == NULL)
		return fd;
	close(fd);
	return error_set(err, ERROR_SYSTEM, "%s", fault);
}

/*
 * Locks the file, so that no lines are mixed. If the file system has no locks, or another process
 * keeps the lock, O_APPEND must be enough: a record must not be lost because of that.
 */
static void lock_file(int fd)
{
	int64_t end = io_now_ms() + SEND_LIMIT_SECONDS * 1000;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK && io_now_ms() < end)
		usleep(LOCK_PAUSE_US);
}

/* False if the last line was cut, because the disk was full. */
static bool ends_whole(int fd)
{
	char last;
	struct stat found;
	return fstat(fd, &found) != 0 || found.st_size == 0 ||
	       pread(fd, &last, 1, found.st_size - 1) != 1 || last == '\n';
}

static int append(int fd, const char *text, struct error *err)
{
	lock_file(fd);
	cleanup_free char *line = text_format("%s%s\n", ends_whole(fd) ? "" : "\n", text);
	if (line == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	ssize_t written = write(fd, line, strlen(line));
	if (written < 0)
		return error_errno(err, ERROR_SYSTEM, "a record was not written");
	if ((size_t)written != strlen(line))
		return error_set(err, ERROR_SYSTEM, "a record was cut; the disk may be full");
	return 0;
}

static int write_file(const char *path, const struct audit_message *message, struct error *err)
{
	int fd = open_file(path, err);
	if (fd < 0)
		return -1;
	int result = message != NULL ? append(fd, message->text, err) : 0;
	/* Some file systems report that they are full only at close(2). */
	if (close(fd) != 0 && result == 0)
		return error_errno(err, ERROR_SYSTEM, "a record was not written");
	return result;
}

/* The message in the form of RFC 3164, in new memory. `host` is "", or ends in a space. */
static char *frame(const struct audit_message *message, const char *host)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm local;
	localtime_r(&now, &local);
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &local);
	return text_format("<%d>%s %s%s[%d]: %s", message->priority, stamp, host, message->program,
			   (int)getpid(), message->text);
}

/* A connected socket, which waits for a receiver until the limit. */
static int open_socket(int type, const struct sockaddr *address, socklen_t size)
{
	const struct timeval limit = {.tv_sec = SEND_LIMIT_SECONDS};
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect(fd, address, size) == 0)
		return fd;
	int saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved == EINPROGRESS || saved == EAGAIN ? ETIMEDOUT : saved;
	return -1;
}

static int send_whole(int fd, const char *packet, size_t size, struct error *err)
{
	ssize_t sent = send(fd, packet, size, MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		errno = ETIMEDOUT;
	if (sent < 0)
		return error_errno(err, ERROR_SYSTEM, "a record was not sent");
	if ((size_t)sent != size)
		return error_set(err, ERROR_SYSTEM, "a record was sent in part");
	return 0;
}

static int connect_local(const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!text_copy(address.sun_path, sizeof(address.sun_path), path))
		return error_set(err, ERROR_SYSTEM, "its path is too long for a socket");
	int fd = open_socket(SOCK_DGRAM, (const struct sockaddr *)&address, sizeof(address));
	return fd >= 0 ? fd : error_errno(err, ERROR_SYSTEM, "cannot connect");
}

static int write_local(const char *path, const struct audit_message *message, struct error *err)
{
	cleanup_close int fd = connect_local(path, err);
	if (fd < 0)
		return -1;
	if (message == NULL)
		return 0;
	cleanup_free char *packet = frame(message, "");
	if (packet == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	return send_whole(fd, packet, strlen(packet), err);
}

/*
 * Adds a field to a datagram for journald, in the form that has the length before the value: no
 * value can end its field and begin another one.
 */
static void add_field(FILE *datagram, const char *name, const char *value)
{
	uint64_t size = htole64(strlen(value));
	fprintf(datagram, "%s\n", name);
	fwrite(&size, sizeof(size), 1, datagram);
	fprintf(datagram, "%s\n", value);
}

static void add_number_field(FILE *datagram, const char *name, int64_t number)
{
	char value[32];
	snprintf(value, sizeof(value), "%lld", (long long)number);
	add_field(datagram, name, value);
}

/* JACAMAR_ and the name of the member in capitals; the account of the job is JACAMAR_USER. */
static void add_member(FILE *datagram, const char *member, const json_t *value)
{
	char name[64];
	snprintf(name, sizeof(name), "JACAMAR_%s",
		 strcmp(member, "account") == 0 ? "user" : member);
	for (char *at = name; *at != '\0'; at++)
		*at = (char)toupper((unsigned char)*at);
	if (json_is_integer(value))
		add_number_field(datagram, name, json_integer_value(value));
	else
		add_field(datagram, name, json_string_value(value));
}

static int send_to_journal(int fd, const struct audit_message *message, struct error *err)
{
	cleanup_free char *bytes = NULL;
	size_t size = 0;
	const char *member;
	json_t *value;
	struct error why;
	FILE *datagram = open_memstream(&bytes, &size);
	if (datagram == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	add_field(datagram, "MESSAGE", message->text);
	add_field(datagram, "SYSLOG_IDENTIFIER", message->program);
	add_number_field(datagram, "SYSLOG_FACILITY", LOG_FAC(message->priority));
	add_number_field(datagram, "PRIORITY", LOG_PRI(message->priority));
	json_object_foreach (message->members, member, value) {
		add_member(datagram, member, value);
	}
	if (fclose(datagram) != 0)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (send_whole(fd, bytes, size, &why) != 0)
		return error_set(err, ERROR_SYSTEM, "%s: %s", JOURNAL_SOCKET, why.detail);
	return 0;
}

/* journald, where it runs, can find a record by its members. Any other daemon reads /dev/log. */
static int write_local_daemon(const struct audit_message *message, struct error *err)
{
	cleanup_close int journal = connect_local(JOURNAL_SOCKET, err);
	if (journal < 0)
		return write_local(_PATH_LOG, message, err);
	return message != NULL ? send_to_journal(journal, message, err) : 0;
}

struct remote {
	bool stream;
	const char *address;
	const char *packet; /* NULL: only connect */
};

/* A socket that is connected to the first address of the host that can be reached. */
static int connect_remote(const struct remote *remote, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = remote->stream ? SOCK_STREAM : SOCK_DGRAM};
	struct addrinfo *found = NULL;
	char host[256];
	const char *colon = strrchr(remote->address, ':');
	bool bracketed = remote->address[0] == '[';
	if (colon == NULL || (bracketed && colon[-1] != ']'))
		return error_set(err, ERROR_SYSTEM, "its address is not host:port");
	snprintf(host, sizeof(host), "%.*s", (int)(colon - remote->address) - 2 * bracketed,
		 remote->address + bracketed);
	int code = getaddrinfo(host, colon + 1, &hints, &found);
	if (code != 0)
		return error_set(err, ERROR_SYSTEM, "%s: %s", host, gai_strerror(code));
	int fd = -1;
	for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
		fd = open_socket(at->ai_socktype, at->ai_addr, at->ai_addrlen);
	if (fd < 0)
		error_errno(err, ERROR_SYSTEM, "cannot connect");
	freeaddrinfo(found);
	return fd;
}

/* In the confined child. */
static int send_remote(const void *argument, void *reply, struct error *err)
{
	const struct remote *remote = argument;
	(void)reply;
	cleanup_close int fd = connect_remote(remote, err);
	if (fd < 0)
		return -1;
	if (remote->packet == NULL)
		return 0;
	return send_whole(fd, remote->packet, strlen(remote->packet), err);
}

static int write_remote(const struct logging_settings *log, const struct audit_message *message,
			struct error *err)
{
	char host[256] = "";
	if (gethostname(host, sizeof(host) - 2) != 0)
		host[0] = '-';
	host[strlen(host)] = ' ';
	cleanup_free char *framed = message != NULL ? frame(message, host) : NULL;
	/* On a connection a newline separates messages (RFC 6587, 3.4.2). */
	cleanup_free char *line = framed != NULL ? text_format("%s\n", framed) : NULL;
	if (message != NULL && line == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	struct remote remote = {
		.stream = log->network == LOG_NETWORK_TCP,
		.address = log->address,
		.packet = log->network == LOG_NETWORK_TCP ? line : framed,
	};
	const struct confinement how = {.network = true, .limit_ms = NETWORK_LIMIT_MS};
	return confine_run(&how, send_remote, &remote, NULL, 0, err);
}

static bool is_syslog(const struct logging_settings *log)
{
	return strcmp(log->location, "syslog") == 0;
}

/* The log's name in messages. */
static void name_log(const struct logging_settings *log, char *name, size_t size)
{
	static const char *const networks[] = {[LOG_NETWORK_UDP] = "udp ",
					       [LOG_NETWORK_TCP] = "tcp ",
					       [LOG_NETWORK_UNIXGRAM] = "unixgram "};
	bool remote = is_syslog(log) && log->network != LOG_NETWORK_UNSET;
	const char *at = is_syslog(log) ? _PATH_LOG : log->location;
	snprintf(name, size, "%s%s%s", is_syslog(log) ? "syslog " : "",
		 remote ? networks[log->network] : "", remote ? log->address : at);
}

static int write_log(const struct logging_settings *log, const struct audit_message *message,
		     struct error *err)
{
	if (!is_syslog(log))
		return write_file(log->location, message, err);
	if (log->network == LOG_NETWORK_UNSET)
		return write_local_daemon(message, err);
	if (log->address == NULL)
		return error_set(err, ERROR_SYSTEM, "it has no address");
	if (log->network == LOG_NETWORK_UNIXGRAM)
		return write_local(log->address, message, err);
	return write_remote(log, message, err);
}

int audit_sink_write(const struct logging_settings *log, const struct audit_message *message,
		     struct error *err)
{
	char name[300];
	struct error why;
	if (write_log(log, message, &why) == 0)
		return 0;
	name_log(log, name, sizeof(name));
	return error_set(err, ERROR_SYSTEM,
			 "the audit log cannot be written: %s: %s; repair it, or change "
			 "[auth.logging] in jacamar-config.toml",
			 name, why.detail);
}

int audit_sink_check(const struct logging_settings *log, struct error *err)
{
	return audit_sink_write(log, NULL, err);
}
