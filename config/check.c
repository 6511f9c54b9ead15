#include "config/check.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config/settings.h"
#include "core/lib/image_name.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/lib/url.h"

/* The bounds of a range of uids, and the uids of unknown accounts, which it must not include. */
#define UIDS_FIRST     1000
#define UIDS_LAST      INT64_C(0xfffffffe)
#define OVERFLOW_FIRST 65534
#define OVERFLOW_LAST  65535

/* True if the text has a control character (C0, DEL, C1) that is not in `allowed`. */
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

/* Returns the length of the variable name with which `text` begins; 0 if it begins with no name. */
static size_t variable_name_length(const char *text)
{
	return strspn(text, TEXT_DIGIT) > 0 ? 0 : strspn(text, TEXT_NAME);
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

/* podman and apptainer separate the paths by colons and commas. */
const char *check_bind(const char *text)
{
	static const char rule[] =
		"must be \"/path\", \"/path:/path-in-container\" or "
		"\"/path:/path-in-container:ro\", absolute paths without a comma";
	const char *inside = strchr(text, ':');
	const char *option = inside != NULL ? strchr(inside + 1, ':') : NULL;
	if (check_absolute_path(text) != NULL || strchr(text, ',') != NULL ||
	    text_has_parent_component(text) || (inside != NULL && inside[1] != '/') ||
	    (option != NULL && strcmp(option, ":ro") != 0))
		return rule;
	return NULL;
}

const char *check_image(const char *text)
{
	return image_name_is_entry(text)
		       ? NULL
		       : "must be an image with its registry, such as \"docker.io/library/python\" "
			 "or \"registry.example.com/group/app:1\", a part of such a name that ends "
			 "with a slash, or a digest, \"sha256:...\"";
}

/* The minimum of memory and processes for a login shell and the process above it. */
#define JOB_MEMORY_MIN	  (UINT64_C(16) << 20)
#define JOB_PROCESSES_MIN 16

/* Microseconds, as the kernel bounds them. */
#define CPU_QUOTA_MIN  1000
#define CPU_PERIOD_MAX 1000000

const char *check_memory_size(const char *text)
{
	static const char units[] = "KMGT";
	size_t length = strspn(text, TEXT_DIGIT);
	const char *unit = text[length] != '\0' ? strchr(units, text[length]) : NULL;
	cleanup_free char *digits = strndup(text, length);
	int shift = unit != NULL ? 10 * (int)(unit - units + 1) : 0;
	uint64_t number = 0;
	if (strcmp(text, "max") == 0)
		return NULL;
	if (digits == NULL || !text_to_u64(digits, &number) || strlen(text + length) > 1 ||
	    (unit == NULL && text[length] != '\0') || number > (uint64_t)INT64_MAX >> shift ||
	    number << shift < JOB_MEMORY_MIN)
		return "must be \"max\", or a number of bytes, at least 16M, that may end in K, M, "
		       "G or T";
	return NULL;
}

const char *check_process_count(const char *text)
{
	uint64_t number = 0;
	if (strcmp(text, "max") != 0 &&
	    (!text_to_u64(text, &number) || number < JOB_PROCESSES_MIN || number > INT32_MAX))
		return "must be \"max\", or a number of processes, at least 16";
	return NULL;
}

const char *check_cpu_weight(const char *text)
{
	uint64_t number = 0;
	if (!text_to_u64(text, &number) || number < 1 || number > 10000)
		return "must be from 1 to 10000";
	return NULL;
}

/* "QUOTA", or "QUOTA PERIOD". */
const char *check_cpu_max(const char *text)
{
	size_t length = strcspn(text, " ");
	cleanup_free char *first = strndup(text, length);
	uint64_t quota = CPU_QUOTA_MIN;
	uint64_t period = CPU_QUOTA_MIN;
	bool is_number = first != NULL && strcmp(first, "max") != 0;
	if (first == NULL || (is_number && !text_to_u64(first, &quota)) ||
	    (text[length] != '\0' && !text_to_u64(text + length + 1, &period)) ||
	    quota < CPU_QUOTA_MIN || quota > UINT32_MAX || period < CPU_QUOTA_MIN ||
	    period > CPU_PERIOD_MAX)
		return "must be \"QUOTA PERIOD\", microseconds of at least 1000, the period at "
		       "most 1000000; \"200000 100000\" is two CPUs";
	return NULL;
}

const char *check_data_dir(const char *text)
{
	/* A user's shell expands the name, so nothing else of the text may be for the shell. */
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
		return "must not have a $ after its beginning";
	if (text_has_parent_component(rest))
		return "must not have a component \"..\"";
	/* GitLab Runner reads a backslash as a slash. */
	if (strchr(rest, '\\') != NULL)
		return "must not have a backslash";
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

const char *check_id(const char *text)
{
	uint64_t id;
	return *text != '0' && text_to_u64(text, &id) ? NULL : "must be a number, such as \"12\"";
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

const char *check_protected_path(const char *text)
{
	const char *rest = *text == '~' ? text + 1 : text;
	bool is_home = *text == '~' && *rest == '\0';
	if (!is_home && (*rest != '/' || has_control(text, "") || strlen(text) >= PATH_MAX))
		return "must be an absolute path, \"~\", or begin with \"~/\"";
	while (*rest != '\0') {
		size_t length = strcspn(++rest, "/");
		if (length == 0 || (rest[0] == '.' && length == 1) ||
		    (rest[0] == '.' && rest[1] == '.' && length == 2))
			return "must not have an empty component, \".\" or \"..\"";
		rest += length;
	}
	return NULL;
}

/* It must fit into the line that reports a refused job. */
const char *check_support(const char *text)
{
	return strlen(text) > 200 ? "must be at most 200 bytes long" : check_line(text);
}

const char *check_project_glob(const char *text)
{
	static const char rule[] = "must be the path of a project, such as \"group/project\", "
				   "\"group/*\" or \"group/**\"";
	for (const char *name = text;; name++) {
		size_t length = strcspn(name, "/");
		bool is_last = name[length] == '\0';
		const char *stars = strstr(name, "**");
		bool has_stars = stars != NULL && stars < name + length;
		if (length == 0 || strspn(name, TEXT_WORD ".*") != length ||
		    (name[0] == '.' && strspn(name, ".") == length) ||
		    (has_stars && !(is_last && length == 2)))
			return rule;
		/* Each project is in a group or in the namespace of a user. */
		if (is_last)
			return name != text ? NULL : rule;
		name += length;
	}
}

const char *check_provider(const char *text)
{
	return text_is_made_of(text, TEXT_WORD ".", 63)
		       ? NULL
		       : "must be a provider's name as GitLab has it ([A-Za-z0-9_.-], at most 63)";
}

const char *check_rule_name(const char *text)
{
	return text_is_made_of(text, TEXT_WORD ".", RULE_NAME_MAX)
		       ? NULL
		       : "must be made of [A-Za-z0-9_.-], at most 32 characters";
}

const char *check_pam_service(const char *text)
{
	return text_is_made_of(text, TEXT_WORD, 63)
		       ? NULL
		       : "must be the name of a file in /etc/pam.d ([A-Za-z0-9_-], at most 63)";
}

const char *check_sha256(const char *text)
{
	if (!text_is_made_of(text, TEXT_DIGIT "abcdefABCDEF", 64) || strlen(text) != 64)
		return "must be 64 hexadecimal digits";
	return NULL;
}

bool check_is_socket_path(const char *text)
{
	return check_absolute_path(text) == NULL &&
	       strlen(text) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

const char *check_option(const char *text)
{
	return text[0] == '-' && text[strspn(text, "-")] != '\0' &&
			       text_is_made_of(text, TEXT_WORD "-", 64)
		       ? NULL
		       : "must be an option with its dashes, such as \"--name\", without a value";
}

const char *check_substage(const char *text)
{
	return text_is_made_of(text, TEXT_WORD, 64)
		       ? NULL
		       : "must be the name of a sub-stage ([A-Za-z0-9_-], at most 64)";
}

const char *check_system_call(const char *text)
{
	return text_is_made_of(text, TEXT_NAME, strlen(text)) ? NULL
							      : "must be the name of a system call";
}

const char *check_variable_name(const char *text)
{
	size_t length = variable_name_length(text);

	if (length == 0 || text[length] != '\0')
		return "must be the name of a variable ([A-Za-z_][A-Za-z0-9_]*)";
	return NULL;
}

bool check_is_host_port(const char *text)
{
	struct server server;
	struct error ignored;
	const char *port = strrchr(text, ':');
	cleanup_free char *url = text_format("https://%s", text);
	return port != NULL && strpbrk(port, "]/") == NULL && url != NULL &&
	       url_server(url, &server, &ignored) == 0;
}

const char *check_script_setting(const char *text)
{
	if (strncmp(text, "JWT_", 4) == 0)
		return "must not begin with JWT_, as the token's claims do";
	return check_environment_setting(text);
}

const char *check_server_url(const char *text)
{
	struct server server;
	struct error err;

	if (url_server(text, &server, &err) == 0 && !text_has_parent_component(text))
		return NULL;
	bool plain = strncmp(text, "http://", 7) == 0;
	cleanup_free char *secure = plain ? text_format("https%s", text + 4) : NULL;
	if (secure != NULL && url_server(secure, &server, &err) == 0)
		return "must begin with https://, because http is for this machine alone "
		       "(127.0.0.0/8, [::1], localhost)";
	return "must be https://host, with :port or /path where needed";
}

bool project_glob_matches(const char *glob, const char *path)
{
	const char *after = NULL; /* in the glob: after the last star */
	const char *next = NULL;  /* in the path: where its part ends */

	while (strncmp(glob, "**", 2) != 0) {
		if (*glob == '*') {
			after = ++glob;
			next = path;
		} else if (*glob != '\0' &&
			   tolower((unsigned char)*glob) == tolower((unsigned char)*path)) {
			glob++;
			path++;
		} else if (*glob == '\0' && *path == '\0') {
			return true;
		} else if (after == NULL || *next == '/' || *next == '\0') {
			return false;
		} else {
			glob = after;
			path = ++next;
		}
	}
	return *path != '\0';
}

const char *parse_uid_range(const char *text, uid_t *first, uid_t *last)
{
	uint64_t from = 0, to = 0;
	const char *dash = strchr(text, '-');
	cleanup_free char *low = strndup(text, dash != NULL ? (size_t)(dash - text) : 0);
	/* Lower uids are the system's own; no account has the largest uid_t. */
	if (low == NULL || !text_to_u64(low, &from) || !text_to_u64(dash + 1, &to) ||
	    from < UIDS_FIRST || to > UIDS_LAST || from > to)
		return "must be FIRST-LAST, two uids from 1000 to 4294967294";
	if (from <= OVERFLOW_LAST && to >= OVERFLOW_FIRST)
		return "must be a range without 65534 and 65535";
	*first = (uid_t)from;
	*last = (uid_t)to;
	return NULL;
}

const char *check_uid_range(const char *text)
{
	uid_t first;
	uid_t last;
	return parse_uid_range(text, &first, &last);
}
