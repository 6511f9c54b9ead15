/*
 * Where the audit log goes: files that can be the log and files that cannot, and sockets with and
 * without a listener.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "core/audit/audit_sink.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct error err;

static int write_text(const struct logging_settings *log, const char *text)
{
	struct audit_message message = {
		.program = "jacamar-auth", .priority = LOG_AUTHPRIV | LOG_INFO, .text = text};
	memset(&err, 0, sizeof(err));
	return audit_sink_write(log, &message, &err);
}

static struct logging_settings file_log(struct path *path)
{
	return (struct logging_settings){.enabled = true, .location = path->text};
}

static void expect_content(const char *path, const char *expected)
{
	size_t size;
	char *content = scratch_read(path, &size);
	ck_assert_str_eq(content, expected);
	free(content);
}

/* --- files --- */

START_TEST(a_file_is_made_for_the_service_account_and_its_group)
{
	struct path path = path_of("%s/log", scratch_make().text);
	struct logging_settings log = file_log(&path);
	struct stat found;
	umask(0);
	ck_assert_msg(audit_sink_check(&log, &err) == 0, "%s", err.detail);
	expect_content(path.text, "");
	ck_assert_int_eq(write_text(&log, "one"), 0);
	ck_assert_int_eq(write_text(&log, "two"), 0);
	ck_assert_int_eq(audit_sink_check(&log, &err), 0);
	expect_content(path.text, "one\ntwo\n");
	ck_assert_int_eq(stat(path.text, &found), 0);
	ck_assert_int_eq(found.st_mode & 07777, 0640);
}
END_TEST

START_TEST(a_file_that_is_there_keeps_what_it_has)
{
	struct path path = path_of("%s/log", scratch_make().text);
	struct logging_settings log = file_log(&path);
	scratch_write(path.text, "old\n", 0660);
	ck_assert_msg(write_text(&log, "new") == 0, "%s", err.detail);
	expect_content(path.text, "old\nnew\n");
	/* After a rename, the next record goes to a new file at once. */
	struct path old = path_of("%s.1", path.text);
	ck_assert_int_eq(rename(path.text, old.text), 0);
	ck_assert_int_eq(write_text(&log, "newer"), 0);
	expect_content(path.text, "newer\n");
	expect_content(old.text, "old\nnew\n");
}
END_TEST

START_TEST(a_line_that_was_cut_spoils_no_other)
{
	struct path path = path_of("%s/log", scratch_make().text);
	struct logging_settings log = file_log(&path);
	scratch_write(path.text, "whole\ncu", 0640);
	ck_assert_int_eq(write_text(&log, "next"), 0);
	expect_content(path.text, "whole\ncu\nnext\n");
}
END_TEST

static void make_link(const char *path)
{
	struct path target = path_of("%s.target", path);
	scratch_write(target.text, "", 0640);
	scratch_link(target.text, path);
}

static void make_dangling_link(const char *path)
{
	struct path target = path_of("%s.target", path);
	scratch_link(target.text, path);
}

static void make_fifo(const char *path)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_directory(const char *path)
{
	scratch_directory(path, 0700);
}

static void make_open_file(const char *path)
{
	scratch_write(path, "", 0646);
}

static void make_nothing(const char *path)
{
	(void)path;
}

/* Files that are no logs. "" stands for a new path, which `make` may fill. */
static const struct {
	const char *path;
	void (*make)(const char *path);
	const char *why;
} UNFIT[] = {
	{"", make_link, "it is a symbolic link"},
	{"", make_dangling_link, "it is a symbolic link"},
	{"", make_fifo, "it is not a regular file"},
	{"", make_directory, "cannot be opened: Is a directory"},
	{"", make_open_file, "others can write it"},
	{"/dev/full", make_nothing, "it is not a regular file"},
	{"/dev/null", make_nothing, "it is not a regular file"},
	{"/nonexistent/log", make_nothing, "cannot be opened: No such file or directory"},
	{"/etc/passwd/log", make_nothing, "cannot be opened: Not a directory"},
};

START_TEST(an_unfit_file_is_refused)
{
	struct path path = path_of("%s/log", scratch_make().text);
	if (UNFIT[_i].path[0] != '\0')
		path = path_of("%s", UNFIT[_i].path);
	struct path expected = path_of("the audit log cannot be written: %s: %s; repair it, or "
				       "change [auth.logging] in jacamar-config.toml",
				       path.text, UNFIT[_i].why);
	struct path target = path_of("%s.target", path.text);
	struct logging_settings log = file_log(&path);
	UNFIT[_i].make(path.text);
	ck_assert_int_eq(write_text(&log, "text"), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_str_eq(err.detail, expected.text);
	ck_assert_int_eq(audit_sink_check(&log, &err), -1);
	ck_assert_str_eq(err.detail, expected.text);
	if (UNFIT[_i].make == make_link)
		expect_content(target.text, "");
	if (UNFIT[_i].make == make_dangling_link)
		ck_assert_int_ne(access(target.text, F_OK), 0);
}
END_TEST

/* In a child: the owner of a file may be the service account, root, or a third account. */
static void write_as_another(const void *argument)
{
	struct path path = path_of("%s", (const char *)argument);
	struct logging_settings log = file_log(&path);
	child_require(setresuid(12345, 12345, 12345) == 0);
	child_require(write_text(&log, "text") == -1);
	child_require(strstr(err.detail, "it belongs to neither root nor the service account") !=
		      NULL);
}

static void write_as_owner(const void *argument)
{
	struct path path = path_of("%s", (const char *)argument);
	struct logging_settings log = file_log(&path);
	child_require(setresuid(54321, 54321, 54321) == 0);
	child_require(write_text(&log, "text") == 0);
}

static void write_to_roots(const void *argument)
{
	struct path path = path_of("%s", (const char *)argument);
	struct logging_settings log = file_log(&path);
	child_require(setresgid(54321, 54321, 54321) == 0);
	child_require(setresuid(12345, 12345, 12345) == 0);
	child_require(write_text(&log, "text") == 0);
}

START_TEST(a_file_of_another_account_is_refused)
{
	if (!process_is_root("a_file_of_another_account_is_refused"))
		return;
	struct path directory = scratch_make();
	struct path path = path_of("%s/log", directory.text);
	ck_assert_int_eq(chmod(directory.text, 0711), 0);
	scratch_write(path.text, "", 0660);
	ck_assert_int_eq(chown(path.text, 54321, 54321), 0);
	ck_assert_int_eq(process_run(write_as_owner, path.text), 0);
	/* Being able to write by the group is not enough. */
	ck_assert_int_eq(chown(path.text, 54321, 0), 0);
	ck_assert_int_eq(process_run(write_as_another, path.text), 0);
	ck_assert_int_eq(chown(path.text, 0, 54321), 0);
	ck_assert_int_eq(process_run(write_to_roots, path.text), 0);
	expect_content(path.text, "text\ntext\n");
}
END_TEST

/* A limit of a file's size, as a disk that becomes full. */
static void write_beyond_the_end(const void *argument)
{
	struct path path = path_of("%s", (const char *)argument);
	struct logging_settings log = file_log(&path);
	const struct rlimit limit = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	signal(SIGXFSZ, SIG_IGN);
	child_require(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	child_require(write_text(&log, "12345") == 0);
	child_require(write_text(&log, "67890") == -1);
	child_require(strstr(err.detail, "a record was cut; the disk may be full") != NULL);
	child_require(write_text(&log, "67890") == -1);
	child_require(strstr(err.detail, "a record was not written: File too large") != NULL);
	child_require(setrlimit(RLIMIT_FSIZE, &none) == 0);
	child_require(write_text(&log, "67890") == 0);
}

START_TEST(a_record_that_does_not_fit_is_an_error)
{
	struct path path = path_of("%s/log", scratch_make().text);
	ck_assert_int_eq(process_run(write_beyond_the_end, path.text), 0);
	expect_content(path.text, "12345\n6789\n67890\n");
}
END_TEST

#define WRITERS 4
#define LINES	200

static void write_many(const char *location, char letter)
{
	struct path path = path_of("%s", location);
	struct logging_settings log = file_log(&path);
	char line[3001];
	process_forget_check();
	memset(line, letter, sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		if (write_text(&log, line) != 0)
			_exit(1);
	_exit(0);
}

START_TEST(lines_of_several_writers_stay_whole)
{
	struct path path = path_of("%s/log", scratch_make().text);
	size_t size;
	size_t lines = 0;
	for (int i = 0; i < WRITERS; i++) {
		pid_t child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0)
			write_many(path.text, (char)('a' + i));
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = -1;
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	char *content = scratch_read(path.text, &size);
	for (char *line = content; *line != '\0'; lines++) {
		ck_assert_uint_eq(strcspn(line, "\n"), 3000);
		ck_assert_uint_eq(strspn(line, (char[]){line[0], '\0'}), 3000);
		line += 3001;
	}
	ck_assert_uint_eq(lines, (size_t)WRITERS * LINES);
	free(content);
}
END_TEST

START_TEST(who_keeps_the_file_locked_holds_nobody_up_for_long)
{
	struct path path = path_of("%s/log", scratch_make().text);
	struct logging_settings log = file_log(&path);
	scratch_write(path.text, "", 0640);
	int fd = open(path.text, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_msg(write_text(&log, "text") == 0, "%s", err.detail);
	expect_content(path.text, "text\n");
	close(fd);
}
END_TEST

/* --- sockets --- */

/* A socket on a port of its own; the address as the settings have it. */
static int bind_port(int family, int type, char *address, size_t size)
{
	struct sockaddr_in six_or_four = {.sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool is_six = family == AF_INET6;
	struct sockaddr *at = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&six_or_four;
	socklen_t length = is_six ? sizeof(six) : sizeof(six_or_four);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, at, length) != 0 || getsockname(fd, at, &length) != 0)
		return -1;
	snprintf(address, size, is_six ? "[::1]:%d" : "127.0.0.1:%d",
		 ntohs(is_six ? six.sin6_port : six_or_four.sin_port));
	return fd;
}

/* <86>Nov 23 14:05:06 [HOST ]jacamar-auth[PID]: TEXT, and `end`. */
static void expect_syslog(const char *got, bool with_host, const char *text, const char *end)
{
	char host[256] = "";
	char expected[512];
	int pid = 0, used = 0;
	if (with_host)
		gethostname(host, sizeof(host) - 2);
	if (with_host)
		host[strlen(host)] = ' ';
	int day, hour, minute, second;
	ck_assert_msg(sscanf(got, "<86>%*3[A-Za-z] %2d %2d:%2d:%2d %n", &day, &hour, &minute,
			     &second, &used) == 4,
		      "%s", got);
	ck_assert_int_eq(used, 20);
	ck_assert_ptr_nonnull(strstr(got, "jacamar-auth["));
	ck_assert_int_eq(sscanf(strstr(got, "jacamar-auth["), "jacamar-auth[%d]", &pid), 1);
	ck_assert_int_eq(pid, (int)getpid());
	snprintf(expected, sizeof(expected), "%sjacamar-auth[%d]: %s%s", host, pid, text, end);
	ck_assert_str_eq(got + used, expected);
}

static int bind_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	ck_assert(text_copy(address.sun_path, sizeof(address.sun_path), path));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

START_TEST(a_local_daemon_gets_one_datagram_a_record)
{
	char got[512];
	struct path path = path_of("%s/log", scratch_make().text);
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = LOG_NETWORK_UNIXGRAM,
				       .address = path.text};
	ck_assert_int_eq(write_text(&log, "text"), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "cannot connect: No such file or directory"));
	int fd = bind_path(path.text);
	ck_assert_int_eq(audit_sink_check(&log, &err), 0);
	ck_assert_msg(write_text(&log, "{\"one\":1}") == 0, "%s", err.detail);
	ck_assert_int_eq(write_text(&log, "two"), 0);
	ssize_t size = recv(fd, got, sizeof(got) - 1, 0);
	got[size] = '\0';
	expect_syslog(got, false, "{\"one\":1}", "");
	size = recv(fd, got, sizeof(got) - 1, 0);
	got[size] = '\0';
	expect_syslog(got, false, "two", "");
	close(fd);
	ck_assert_int_eq(write_text(&log, "text"), -1);
	struct path expected = path_of("the audit log cannot be written: syslog unixgram %s: "
				       "cannot connect: Connection refused",
				       path.text);
	ck_assert_int_eq(strncmp(err.detail, expected.text, strlen(expected.text)), 0);
}
END_TEST

START_TEST(a_local_daemon_that_does_not_read_is_not_waited_for_without_end)
{
	struct path path = path_of("%s/log", scratch_make().text);
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = LOG_NETWORK_UNIXGRAM,
				       .address = path.text};
	int fd = bind_path(path.text);
	int written = 0;
	while (written < 100000 && write_text(&log, "text") == 0)
		written++;
	ck_assert_int_gt(written, 0);
	ck_assert_int_lt(written, 100000);
	ck_assert_ptr_nonnull(strstr(err.detail, "Connection timed out"));
	close(fd);
}
END_TEST

/* What journald gets, with its newlines as '|' and each length as "<LENGTH>". */
static void flatten(const char *bytes, size_t size, char *text)
{
	for (size_t at = 0; at < size;) {
		size_t line = strcspn(bytes + at, "\n");
		uint64_t length;
		child_require(at + line + 1 + sizeof(length) <= size);
		memcpy(&length, bytes + at + line + 1, sizeof(length));
		length = le64toh(length);
		text += sprintf(text, "%.*s<%d>", (int)line, bytes + at, (int)length);
		at += line + 1 + sizeof(length);
		child_require(at + length + 1 <= size && bytes[at + length] == '\n');
		for (size_t i = 0; i < length; i++)
			*text++ = bytes[at + i] == '\n' ? '|' : bytes[at + i];
		*text++ = ' ';
		at += length + 1;
	}
	*text = '\0';
}

static void leave_mount_namespace(const void *argument)
{
	(void)argument;
	child_require(unshare(CLONE_NEWNS) == 0);
}

/* A stand-in for journald, in a /run that this process alone has. */
static void write_to_journal(const void *argument)
{
	char got[512];
	char text[1024];
	json_auto_t *members = json_pack("{s:s, s:i, s:s}", "reason", "one\nJACAMAR_UID=0\n",
					 "duration_ms", 12, "account", "usr");
	struct logging_settings log = {.enabled = true, .location = (char *)"syslog"};
	struct audit_message message = {.program = "jacamar-auth",
					.priority = LOG_AUTHPRIV | LOG_WARNING,
					.text = "{}",
					.members = members};
	leave_mount_namespace(argument);
	child_require(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		      mount("none", "/run", "tmpfs", 0, NULL) == 0);
	child_require(mkdir("/run/systemd", 0755) == 0 && mkdir("/run/systemd/journal", 0755) == 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX,
				      .sun_path = "/run/systemd/journal/socket"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	child_require(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	child_require(audit_sink_check(&log, &err) == 0);
	child_require(audit_sink_write(&log, &message, &err) == 0);
	ssize_t size = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	child_require(size > 0);
	flatten(got, (size_t)size, text);
	child_require(strcmp(text, "MESSAGE<2>{} SYSLOG_IDENTIFIER<12>jacamar-auth "
				   "SYSLOG_FACILITY<2>10 PRIORITY<1>4 "
				   "JACAMAR_REASON<18>one|JACAMAR_UID=0| "
				   "JACAMAR_DURATION_MS<2>12 JACAMAR_USER<3>usr ") == 0);
}

START_TEST(journald_gets_the_members_as_fields_which_no_newline_can_end)
{
	const char *name = "journald_gets_the_members_as_fields_which_no_newline_can_end";
	if (!process_is_root(name))
		return;
	if (process_run(leave_mount_namespace, NULL) != 0) {
		process_skip(name, "no mount namespace");
		return;
	}
	ck_assert_int_eq(process_run(write_to_journal, NULL), 0);
}
END_TEST

static const struct {
	int family;
	int type;
	enum log_network network;
} NETWORKS[] = {
	{AF_INET, SOCK_DGRAM, LOG_NETWORK_UDP},
	{AF_INET, SOCK_STREAM, LOG_NETWORK_TCP},
	{AF_INET6, SOCK_DGRAM, LOG_NETWORK_UDP},
	{AF_INET6, SOCK_STREAM, LOG_NETWORK_TCP},
};

/* The next message; a connection is one for each. */
static void receive(int fd, int type, char *got, size_t size)
{
	int from = fd;
	if (type == SOCK_STREAM)
		from = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(from, 0);
	ssize_t length = type == SOCK_STREAM ? io_read_full(from, got, size - 1)
					     : recv(from, got, size - 1, 0);
	ck_assert_int_ge(length, 0);
	got[length] = '\0';
	if (type == SOCK_STREAM)
		close(from);
}

START_TEST(a_daemon_on_the_network_gets_what_syslog_daemons_read)
{
	char address[64];
	char got[512];
	int type = NETWORKS[_i].type;
	int fd = bind_port(NETWORKS[_i].family, type, address, sizeof(address));
	if (fd < 0 && NETWORKS[_i].family == AF_INET6) {
		process_skip("a_daemon_on_the_network_gets_what_syslog_daemons_read", "no IPv6");
		return;
	}
	ck_assert_int_ge(fd, 0);
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = NETWORKS[_i].network,
				       .address = address};
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 5), 0);
	/* A check leaves an empty connection, or nothing. */
	ck_assert_msg(audit_sink_check(&log, &err) == 0, "%s", err.detail);
	if (type == SOCK_STREAM) {
		receive(fd, type, got, sizeof(got));
		ck_assert_str_eq(got, "");
	}
	ck_assert_msg(write_text(&log, "one") == 0, "%s", err.detail);
	ck_assert_msg(write_text(&log, "two") == 0, "%s", err.detail);
	receive(fd, type, got, sizeof(got));
	expect_syslog(got, true, "one", type == SOCK_STREAM ? "\n" : "");
	receive(fd, type, got, sizeof(got));
	expect_syslog(got, true, "two", type == SOCK_STREAM ? "\n" : "");
	close(fd);
}
END_TEST

START_TEST(a_name_is_an_address_as_well)
{
	char address[64];
	char name[64];
	char got[512];
	int fd = bind_port(AF_INET, SOCK_STREAM, address, sizeof(address));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	/* Where it has an address of IPv6 as well, nobody listens there. */
	snprintf(name, sizeof(name), "localhost%s", strchr(address, ':'));
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = LOG_NETWORK_TCP,
				       .address = name};
	ck_assert_msg(write_text(&log, "one") == 0, "%s", err.detail);
	receive(fd, SOCK_STREAM, got, sizeof(got));
	expect_syslog(got, true, "one", "\n");
	close(fd);
}
END_TEST

START_TEST(a_connection_that_is_refused_is_an_error)
{
	char address[64];
	int fd = bind_port(AF_INET, SOCK_STREAM, address, sizeof(address));
	ck_assert_int_ge(fd, 0);
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = LOG_NETWORK_TCP,
				       .address = address};
	struct path expected = path_of("the audit log cannot be written: syslog tcp %s: cannot "
				       "connect: Connection refused; ",
				       address);
	ck_assert_int_eq(write_text(&log, "text"), -1);
	ck_assert_int_eq(strncmp(err.detail, expected.text, strlen(expected.text)), 0);
	ck_assert_int_eq(audit_sink_check(&log, &err), -1);
	ck_assert_int_eq(strncmp(err.detail, expected.text, strlen(expected.text)), 0);
	close(fd);
}
END_TEST

START_TEST(a_server_that_accepts_and_does_not_read_holds_nobody_up)
{
	char address[64];
	int fd = bind_port(AF_INET, SOCK_STREAM, address, sizeof(address));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = LOG_NETWORK_TCP,
				       .address = address};
	ck_assert_msg(write_text(&log, "text") == 0, "%s", err.detail);
	close(fd);
}
END_TEST

/* Connects until no further connection is accepted. */
static void fill_backlog(const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1))};
	for (int i = 0; i < 16; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(fd, 0);
		if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
			continue;
		struct pollfd wait_for = {.fd = fd, .events = POLLOUT};
		if (poll(&wait_for, 1, 200) == 0)
			return;
	}
}

START_TEST(a_server_that_never_accepts_is_not_waited_for_without_end)
{
	char address[64];
	int fd = bind_port(AF_INET, SOCK_STREAM, address, sizeof(address));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	fill_backlog(address);
	struct logging_settings log = {.enabled = true,
				       .location = (char *)"syslog",
				       .network = LOG_NETWORK_TCP,
				       .address = address};
	ck_assert_int_eq(write_text(&log, "text"), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "Connection timed out"));
	close(fd);
}
END_TEST

static const char *const NO_ADDRESSES[] = {"", "host", "[::1]", "[::1:514", ":514", "[]:514"};

START_TEST(what_is_no_address_is_an_error)
{
	for (int network = LOG_NETWORK_UDP; network <= LOG_NETWORK_UNIXGRAM; network++) {
		struct logging_settings log = {.enabled = true,
					       .location = (char *)"syslog",
					       .network = (enum log_network)network,
					       .address = (char *)NO_ADDRESSES[_i]};
		ck_assert_int_eq(write_text(&log, "text"), -1);
		log.address = NULL;
		ck_assert_int_eq(write_text(&log, "text"), -1);
	}
}
END_TEST

Suite *audit_sink_suite(void)
{
	Suite *suite = suite_create("audit_sink");
	TCase *files = tcase_create("files");
	TCase *sockets = tcase_create("sockets");
	TCase *waits = tcase_create("waits");

	tcase_add_test(files, a_file_is_made_for_the_service_account_and_its_group);
	tcase_add_test(files, a_file_that_is_there_keeps_what_it_has);
	tcase_add_test(files, a_line_that_was_cut_spoils_no_other);
	tcase_add_loop_test(files, an_unfit_file_is_refused, 0, ROWS(UNFIT));
	tcase_add_test(files, a_file_of_another_account_is_refused);
	tcase_add_test(files, a_record_that_does_not_fit_is_an_error);
	tcase_add_test(files, lines_of_several_writers_stay_whole);
	suite_add_tcase(suite, files);

	tcase_add_test(sockets, a_local_daemon_gets_one_datagram_a_record);
	tcase_add_test(sockets, journald_gets_the_members_as_fields_which_no_newline_can_end);
	tcase_add_loop_test(sockets, a_daemon_on_the_network_gets_what_syslog_daemons_read, 0,
			    ROWS(NETWORKS));
	tcase_add_test(sockets, a_name_is_an_address_as_well);
	tcase_add_test(sockets, a_connection_that_is_refused_is_an_error);
	tcase_add_test(sockets, a_server_that_accepts_and_does_not_read_holds_nobody_up);
	tcase_add_loop_test(sockets, what_is_no_address_is_an_error, 0, ROWS(NO_ADDRESSES));
	suite_add_tcase(suite, sockets);

	/* Each takes as long as a record may. */
	tcase_set_tags(waits, "slow waits-5");
	tcase_add_test(waits, who_keeps_the_file_locked_holds_nobody_up_for_long);
	tcase_add_test(waits, a_local_daemon_that_does_not_read_is_not_waited_for_without_end);
	tcase_add_test(waits, a_server_that_never_accepts_is_not_waited_for_without_end);
	suite_add_tcase(suite, waits);
	return suite;
}
