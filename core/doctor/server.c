/*
 * The GitLab server: whether it answers and is trusted, its keys, and its clock. As for a job, one
 * confined child fetches the keys and another one parses them. They are not stored.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/doctor/checks.h"
#include "core/identity/jwks.h"
#include "core/identity/jwt.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/privilege/confine.h"

/* More than the limits of the network, as for a job. */
#define ASK_LIMIT_MS 30000

/* Seconds. Tokens live longer, but other protocols fail. */
#define SKEW_MOST 300

struct question {
	struct server server;
	int authorities; /* a descriptor, or -1 */
};

/* What the server has sent. A failure is an answer, too. */
struct fetched {
	bool got;
	struct http_answer answer;
	struct error err;
};

struct key_set {
	const char *bytes;
	size_t size;
};

/* In a confined child. */
static int fetch(const void *argument, void *reply, struct error *err)
{
	const struct question *question = argument;
	struct fetched *fetched = reply;
	(void)err;
	fetched->got = jwks_fetch(&question->server, question->authorities, &fetched->answer,
				  &fetched->err) == 0;
	return 0;
}

/* In another, which has no network: counts the keys that can verify a token. */
static int count_keys(const void *argument, void *reply, struct error *err)
{
	const struct key_set *keys = argument;
	uint64_t *count = reply;
	size_t index;
	json_t *key;
	json_auto_t *set = jwks_parse(keys->bytes, keys->size, err);
	*count = 0;
	json_array_foreach (json_object_get(set, "keys"), index, key)
		*count += json_is_string(json_object_get(key, "kty")) ? 1 : 0;
	return set != NULL ? 0 : -1;
}

static int count_confined(const char *bytes, size_t size, uint64_t *count, struct error *err)
{
	const struct key_set keys = {bytes, size};
	const struct confinement how = {.limit_ms = ASK_LIMIT_MS};
	return confine_run(&how, count_keys, &keys, count, sizeof(*count), err);
}

static void check_keys(struct doctor *doctor, uint64_t count, const char *whose)
{
	if (count > 0) {
		doctor_pass(doctor, "keys", "keys at %s: %" PRIu64, whose, count);
		return;
	}
	doctor_fail(doctor, "keys", "%s has no keys: no token can be verified", whose);
	if (whose[0] == '/')
		doctor_mend_key(doctor, "general.jwks_file", NULL);
}

static void check_clock(struct doctor *doctor, int64_t date)
{
	/* The child may be under the control of an attacker: the number must be a plausible time.
	 */
	if (date < 0 || date > UINT32_MAX) {
		doctor_skip(doctor, "clock", "the server does not send the time");
		return;
	}
	int64_t ahead = (int64_t)time(NULL) - date;
	/* A token that is not valid yet is refused. An older one is valid for some time. */
	enum doctor_result result = ahead < -TOKEN_LEEWAY || ahead > SKEW_MOST ? DOCTOR_FAIL
				    : ahead > TOKEN_LEEWAY		       ? DOCTOR_WARN
									       : DOCTOR_PASS;
	doctor_say(doctor, result, "clock", "this host is %" PRId64 " s %s the server",
		   ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
}

/* -1 with *err, also if the server has refused or was not trusted: fetched->answer says why. */
static int fetch_confined(const struct question *question, struct fetched *fetched,
			  struct error *err)
{
	const struct confinement how = {
		.network = true, .limit_ms = ASK_LIMIT_MS, .file = &question->authorities};
	if (confine_run(&how, fetch, question, fetched, sizeof(*fetched), err) != 0)
		return -1;
	if (fetched->got && fetched->answer.size <= sizeof(fetched->answer.bytes))
		return 0;
	/*
	 * The child may have been taken over by what it was sent: error_accept makes its text
	 * printable.
	 */
	return error_accept(err, &fetched->err);
}

static void ask_server(struct doctor *doctor, const struct question *question)
{
	const struct settings *settings = doctor->settings;
	const char *url = question->server.url;
	struct error err = {.detail = "out of memory"};
	uint64_t count;
	cleanup_free struct fetched *fetched = calloc(1, sizeof(*fetched));
	if (fetched == NULL || fetch_confined(question, fetched, &err) != 0 ||
	    count_confined(fetched->answer.bytes, fetched->answer.size, &count, &err) != 0) {
		enum http_distrust distrust =
			fetched != NULL ? fetched->answer.distrust : HTTP_TRUSTED;
		doctor_fail(doctor, distrust != HTTP_TRUSTED ? "TLS" : "server", "%s", err.detail);
		if (distrust == HTTP_UNKNOWN_AUTHORITY && settings != NULL)
			doctor_mend_key(doctor, "general.tls-ca-file",
					settings->general.tls_ca_file != NULL
						? NULL
						: "\"/PATH/OF/THE/AUTHORITY.pem\"");
		else if (distrust == HTTP_OTHER_HOST && settings != NULL &&
			 settings->general.gitlab_server != NULL)
			doctor_mend_key(doctor, "general.gitlab_server", NULL);
		return;
	}
	doctor_pass(doctor, "server", "%s answers", url);
	doctor_pass(doctor, "TLS", "%s",
		    strncmp(url, "https:", 6) == 0 ? "its certificate is trusted"
						   : "not used, because the server is this host");
	check_keys(doctor, count, url);
	check_clock(doctor, fetched->answer.date);
}

/* root or the service account must own a file that the setting `key` names. */
static int open_file(struct doctor *doctor, const char *check, const char *key, const char *path)
{
	struct error err = {.detail = ""};
	struct stat found;
	int fd = secure_path_open(key, path, &err);
	if (fd >= 0)
		return fd;
	if (!doctor->as_service) {
		doctor_leave_to_service(
			doctor, check,
			"you have no permission to read a file that this check needs");
		return -1;
	}
	if (!doctor_check_way(doctor, check, path))
		return -1;
	bool there = stat(path, &found) == 0 && S_ISREG(found.st_mode);
	if (there && found.st_uid != 0 && found.st_uid != doctor->service.uid) {
		doctor_fail(doctor, check, "%s %s is owned by uid %u, not by root or %s", key, path,
			    (unsigned int)found.st_uid, doctor->service.name);
		doctor_mend_copy(doctor, path, "0644", "root");
	} else if (there && secure_path_others_write(found.st_mode)) {
		doctor_fail(doctor, check, "%s %s is writable by %s", key, path,
			    doctor_writers(found.st_mode));
		doctor_mend(doctor, "chmod go-w %s", path);
	} else {
		doctor_fail(doctor, check, "%s", err.detail);
		doctor_mend_key(doctor, key, NULL);
	}
	return -1;
}

static void check_key_file(struct doctor *doctor, const char *path)
{
	struct error err = {.detail = ""};
	uint64_t count;
	size_t size;
	cleanup_close int file = open_file(doctor, "keys", "general.jwks_file", path);
	if (file < 0)
		return;
	cleanup_free char *bytes = io_read_to_end(file, KEYSET_MOST_SIZE, &size);
	if (bytes == NULL)
		error_errno(&err, ERROR_SYSTEM, "cannot read the key set");
	if (bytes != NULL && count_confined(bytes, size, &count, &err) == 0) {
		check_keys(doctor, count, path);
		return;
	}
	doctor_fail(doctor, "keys", "%s: %s", path, err.detail);
	doctor_mend_key(doctor, "general.jwks_file", NULL);
}

void doctor_check_server(struct doctor *doctor)
{
	const struct general_settings *general =
		doctor->settings != NULL ? &doctor->settings->general : NULL;
	struct error err = {.detail = ""};
	struct question question = {.authorities = -1};
	const struct runner_value *of_runner = doctor->runner_url;
	bool is_configured = general != NULL && general->gitlab_server != NULL;
	const char *url = is_configured	      ? general->gitlab_server
			  : of_runner != NULL ? runner_string(of_runner)
					      : NULL;
	if (general == NULL && doctor->configuration != NULL) {
		doctor_skip(doctor, "server",
			    "not checked, because the configuration could not be read");
		return;
	}
	if (general != NULL && general->jwks_file != NULL) {
		check_key_file(doctor, general->jwks_file);
		return;
	}
	if (url == NULL) {
		doctor_skip(doctor, "server",
			    "the server is unknown: neither general.gitlab_server nor the runner's "
			    "file names it");
		doctor_mend(doctor, "jacamar doctor --runner-config FILE");
		return;
	}
	if (url_server(url, &question.server, &err) != 0) {
		doctor_fail(doctor, "server", "%s: %s", url, err.detail);
		if (is_configured)
			doctor_mend_key(doctor, "general.gitlab_server", NULL);
		else
			doctor_mend(doctor, "set url at %s:%zu", doctor->runner_file,
				    of_runner->line);
		return;
	}
	const char *authorities = general != NULL ? general->tls_ca_file : NULL;
	cleanup_close int file =
		authorities != NULL ? open_file(doctor, "TLS", "general.tls-ca-file", authorities)
				    : -1;
	question.authorities = file;
	if (authorities == NULL || file >= 0)
		ask_server(doctor, &question);
}
