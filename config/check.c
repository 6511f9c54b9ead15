#include "config/check.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define DIGITS	"0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* True for C0, DEL and C1 (in UTF-8), less the bytes in `allowed`. */
static bool has_control(const char *text, const char *allowed)
{
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		if ((*at < 0x20 || *at == 0x7f) && strchr(allowed, *at) == NULL)
			return true;
		if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
			return true;
	}
	return false;
}

/* The length of the variable's name that `text` begins with; 0 where it is none. */
static size_t variable_name_length(const char *text)
{
	return strspn(text, DIGITS) > 0 ? 0 : strspn(text, LETTERS DIGITS "_");
}

static bool has_parent_component(const char *path)
{
	for (const char *at = strstr(path, ".."); at != NULL; at = strstr(at + 1, "..")) {
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	}
	return false;
}

const char *check_absolute_path(const char *text)
{
	if (*text != '/' || strlen(text) >= PATH_MAX || has_control(text, ""))
		return "must be an absolute path without control characters";
	return NULL;
}

const char *check_account(const char *text)
{
	if (*text == '\0' || has_control(text, ""))
		return "must be a name without control characters";
	return NULL;
}

const char *check_data_dir(const char *text)
{
	/* The name is all that a user's shell will be asked to expand: nothing else may follow. */
	const char *rest = text;
	if (strcmp(text, "~") == 0)
		return NULL;
	if (*text == '$') {
		size_t length = variable_name_length(text + 1);
		rest = text + 1 + length;
		if (length == 0 || (*rest != '/' && *rest != '\0'))
			return "must have a variable as $NAME before any /";
	} else if (*text != '/') {
		return "must be \"$HOME\", \"~\", an absolute path, or begin with $NAME";
	}
	if (strchr(rest, '$') != NULL)
		return "must not have a $ behind its beginning";
	if (has_parent_component(rest))
		return "must not have a component \"..\"";
	if (has_control(text, "") || strlen(text) >= PATH_MAX)
		return "must be a path without control characters";
	return NULL;
}

const char *check_environment_setting(const char *text)
{
	size_t length = variable_name_length(text);

	if (length == 0 || text[length] != '=' || has_control(text, "\t"))
		return "must be of the form NAME=value without control characters";
	return NULL;
}

const char *check_line(const char *text)
{
	if (*text == '\0' || has_control(text, "\t"))
		return "must be one line of text, not empty, without control characters";
	return NULL;
}

const char *check_log_location(const char *text)
{
	if (strcmp(text, "syslog") != 0 && check_absolute_path(text) != NULL)
		return "must be \"syslog\" or an absolute path without control characters";
	return NULL;
}

const char *check_login_setting(const char *text)
{
	static const char *const made_of[] = {
		"HOME=", "USER=", "LOGNAME=", "SHELL=", "JACAMAR_CI_JOB="};

	for (size_t i = 0; i < sizeof(made_of) / sizeof(made_of[0]); i++) {
		if (strncmp(text, made_of[i], strlen(made_of[i])) == 0)
			return "must not be one of HOME, USER, LOGNAME, SHELL and JACAMAR_CI_JOB";
	}
	return check_environment_setting(text);
}

const char *check_message(const char *text)
{
	return has_control(text, "\t\n") ? "must be text without control characters" : NULL;
}

const char *check_sha256(const char *text)
{
	if (strlen(text) != 64 || strspn(text, DIGITS "abcdefABCDEF") != 64)
		return "must be 64 hexadecimal digits";
	return NULL;
}

bool check_is_socket_path(const char *text)
{
	return check_absolute_path(text) == NULL &&
	       strlen(text) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

const char *check_substage(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > 64 || strspn(text, LETTERS DIGITS "_-") != length)
		return "must be the name of a sub-stage ([A-Za-z0-9_-], at most 64)";
	return NULL;
}

const char *check_system_call(const char *text)
{
	if (*text == '\0' || text[strspn(text, LETTERS DIGITS "_")] != '\0')
		return "must be the name of a system call";
	return NULL;
}

const char *check_variable_name(const char *text)
{
	size_t length = variable_name_length(text);

	if (length == 0 || text[length] != '\0')
		return "must be the name of a variable ([A-Za-z_][A-Za-z0-9_]*)";
	return NULL;
}

/* True for what can only be this machine: keys that came from elsewhere need TLS. */
static bool is_loopback(const char *host)
{
	struct in_addr address;
	struct in6_addr address6;

	if (strcmp(host, "localhost") == 0)
		return true;
	/* inet_pton takes four decimal numbers and nothing else: no 127.1, no 127.0.0.1.site. */
	if (inet_pton(AF_INET, host, &address) == 1)
		return ntohl(address.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &address6) == 1 && IN6_IS_ADDR_LOOPBACK(&address6);
}

/* Takes the host from *rest, without the brackets of an IPv6 address, to `host`. */
static bool take_host(const char **rest, char *host, size_t room)
{
	const char *begin = *rest;
	bool bracketed = *begin == '[';

	begin += bracketed;
	size_t length = strspn(begin, bracketed ? DIGITS "abcdefABCDEF:." : LETTERS DIGITS "-.");
	if (length == 0 || length >= room || (bracketed && begin[length] != ']'))
		return false;
	memcpy(host, begin, length);
	host[length] = '\0';
	*rest = begin + length + bracketed;
	struct in6_addr address;
	if (bracketed)
		return inet_pton(AF_INET6, host, &address) == 1;
	return *host != '.' && *host != '-' && strstr(host, "..") == NULL;
}

static bool take_port(const char **rest)
{
	if (**rest != ':')
		return true;
	const char *begin = *rest + 1;
	size_t length = strspn(begin, DIGITS);
	if (length < 1 || length > 5)
		return false;
	unsigned long port = strtoul(begin, NULL, 10);
	*rest = begin + length;
	return port >= 1 && port <= 65535;
}

bool check_is_host_port(const char *text)
{
	char host[254];
	return take_host(&text, host, sizeof(host)) && *text == ':' && take_port(&text) &&
	       *text == '\0';
}

const char *check_script_setting(const char *text)
{
	if (strncmp(text, "JWT_", 4) == 0)
		return "must not begin with JWT_, as the token's claims do";
	return check_environment_setting(text);
}

const char *check_server_url(const char *text)
{
	static const char form[] = "must be https://host, with :port or /path where needed";
	bool secure = strncmp(text, "https://", 8) == 0;
	char host[254];

	if (!secure && strncmp(text, "http://", 7) != 0)
		return form;
	const char *rest = text + (secure ? 8 : 7);
	if (!take_host(&rest, host, sizeof(host)) || !take_port(&rest))
		return form;
	if (*rest != '\0' && *rest != '/')
		return form;
	if (rest[strspn(rest, LETTERS DIGITS "/._~-")] != '\0' || has_parent_component(rest))
		return form;
	if (!secure && !is_loopback(host))
		return "must begin with https://, because http is for this machine alone "
		       "(127.0.0.0/8, [::1], localhost)";
	return NULL;
}

static const struct {
	const char *name; /* a unit before any that it begins with */
	int64_t nanoseconds;
} UNITS[] = {
	{"ns", 1},	 {"us", 1000},	    {"\u00b5s", 1000},	{"\u03bcs", 1000},
	{"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
};

/* The unit that *text begins with, in nanoseconds; 0 where it is none. Moves *text behind it. */
static int64_t take_unit(const char **text)
{
	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
		size_t length = strlen(UNITS[i].name);
		if (strncmp(*text, UNITS[i].name, length) == 0) {
			*text += length;
			return UNITS[i].nanoseconds;
		}
	}
	return 0;
}

static const char NO_DURATION[] = "must be a duration such as \"90s\", \"1m30s\" or \"500ms\"";
static const char LONG_DURATION[] = "must be at most a week (\"168h\")";
static const char FINE_DURATION[] =
	"must be a whole number of milliseconds, with at most six digits behind a point";

/* Reads one `number unit`, moves *text behind it, and adds it to *nanoseconds. */
static const char *take_term(const char **text, int64_t *nanoseconds)
{
	static const int64_t limit = DURATION_MAX_MS * 1000000;
	const char *at = *text;
	int64_t whole = 0, fraction = 0, scale = 1;
	size_t digits = 0;
	bool fine = false;

	for (; *at >= '0' && *at <= '9'; at++, digits++)
		whole = whole > limit ? whole : whole * 10 + (*at - '0');
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9'; at++, digits++) {
			/* Six digits of an hour still fit in 64 bits as nanoseconds. */
			if (scale == 1000000) {
				fine = fine || *at != '0';
				continue;
			}
			fraction = fraction * 10 + (*at - '0');
			scale *= 10;
		}
	}
	int64_t unit = digits > 0 ? take_unit(&at) : 0;
	if (unit == 0)
		return NO_DURATION;
	if (whole > limit / unit)
		return LONG_DURATION;
	if (fine || fraction * unit % scale != 0)
		return FINE_DURATION;
	*nanoseconds += whole * unit + fraction * unit / scale;
	*text = at;
	return *nanoseconds > limit ? LONG_DURATION : NULL;
}

const char *parse_duration(const char *text, int64_t *milliseconds)
{
	int64_t nanoseconds = 0;

	if (*text == '\0')
		return NO_DURATION;
	if (strcmp(text, "0") == 0)
		text = "";
	while (*text != '\0') {
		const char *fault = take_term(&text, &nanoseconds);
		if (fault != NULL)
			return fault;
	}
	if (nanoseconds % 1000000 != 0)
		return FINE_DURATION;
	*milliseconds = nanoseconds / 1000000;
	return NULL;
}
