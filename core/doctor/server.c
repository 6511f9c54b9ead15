/*
 * The GitLab server: whether it answers and is trusted, its keys, and its clock. As for a job, one
 * confined child fetches the keys and another one parses them. They are not stored.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* Where the key set is: in a file, or in what the server has sent. */
struct source {
	int file;			/* a descriptor, or -1 */
	const struct http_answer *keys; /* its body */
};

struct answer {
	bool got; /* the key set is valid, and its keys are counted */
	uint64_t keys;
	struct error err;
};

/* The keys that can verify a token. */
static uint64_t count_keys(const json_t *set)
{
	size_t index;
	json_t *key;
	uint64_t count = 0;
	json_array_foreach (json_object_get(set, "keys"), index, key)
		count += json_is_string(json_object_get(key, "kty")) ? 1 : 0;
	return count;
}

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

/* In another, which has no network. A failure is an answer, too. */
static int parse(const void *argument, void *reply, struct error *err)
{
	const struct source *source = argument;
	struct answer *answer = reply;
	size_t size = source->keys != NULL ? source->keys->size : 0;
	(void)err;
	cleanup_free char *bytes =
		source->file >= 0 ? io_read_to_end(source->file, KEYSET_MOST_SIZE, &size) : NULL;
	const char *text = source->file >= 0 ? bytes : source->keys->bytes;
	json_auto_t *set = NULL;
	if (text == NULL)
		error_errno(&answer->err, ERROR_SYSTEM, "cannot read the key set");
	else
		set = jwks_parse(text, size, &answer->err);
	answer->got = set != NULL;
	answer->keys = set != NULL ? count_keys(set) : 0;
	return 0;
}

static int parse_confined(const struct source *source, struct answer *answer, struct error *err)
{
	const int files[CONFINE_FILES] = {source->file, -1};
	const struct confinement how = {.limit_ms = ASK_LIMIT_MS, .files = files};
	memset(answer, 0, sizeof(*answer));
	if (confine_run(&how, parse, source, answer, sizeof(*answer), err) != 0)
		return -1;
	return answer->got ? 0 : error_accept(err, &answer->err);
}

static void check_keys(struct doctor *doctor, const struct answer *answer, const char *whose)
{
	if (answer->keys > 0) {
		doctor_say(doctor, DOCTOR_PASS, "keys", "keys at %s: %" PRIu64, whose,
			   answer->keys);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "keys", "%s has no keys: no token can be verified", whose);
	if (whose[0] == '/')
		doctor_mend_key(doctor, "general", "jwks_file", NULL);
}

static void check_clock(struct doctor *doctor, int64_t date)
{
	/* The child may be under the control of an attacker: the number must be a plausible time.
	 */
	if (date < 0 || date > UINT32_MAX) {
		doctor_say(doctor, DOCTOR_SKIP, "clock", "the server does not send the time");
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

static void say_unreachable(struct doctor *doctor, const char *why, enum http_distrust distrust)
{
	bool set = doctor->settings != NULL && doctor->settings->general.tls_ca_file != NULL;
	bool named = doctor->settings != NULL && doctor->settings->general.gitlab_server != NULL;
	bool by_key = doctor->configuration != NULL;
	doctor_say(doctor, DOCTOR_FAIL, distrust != HTTP_TRUSTED ? "TLS" : "server", "%s", why);
	if (distrust == HTTP_UNKNOWN_AUTHORITY && by_key)
		doctor_mend_key(doctor, "general", "tls-ca-file",
				set ? NULL : "\"/PATH/OF/THE/AUTHORITY.pem\"");
	else if (distrust == HTTP_OTHER_HOST && named)
		doctor_mend_key(doctor, "general", "gitlab_server", NULL);
}

static void ask_server(struct doctor *doctor, const struct question *question)
{
	struct error err = {.detail = ""};
	struct answer answer;
	const char *url = question->server.url;
	const int files[CONFINE_FILES] = {question->authorities, -1};
	const struct confinement how = {.network = true, .limit_ms = ASK_LIMIT_MS, .files = files};
	cleanup_free struct fetched *fetched = calloc(1, sizeof(*fetched));
	if (fetched == NULL)
		error_set(&err, ERROR_SYSTEM, "out of memory");
	if (fetched == NULL ||
	    confine_run(&how, fetch, question, fetched, sizeof(*fetched), &err) != 0) {
		say_unreachable(doctor, err.detail, HTTP_TRUSTED);
		return;
	}
	/* The child may have been taken over by what it was sent: its text is made fit to be shown.
	 */
	if (!fetched->got || fetched->answer.size > sizeof(fetched->answer.bytes)) {
		error_accept(&err, &fetched->err);
		say_unreachable(doctor, err.detail, fetched->answer.distrust);
		return;
	}
	const struct source source = {.file = -1, .keys = &fetched->answer};
	if (parse_confined(&source, &answer, &err) != 0) {
		say_unreachable(doctor, err.detail, HTTP_TRUSTED);
		return;
	}
	doctor_say(doctor, DOCTOR_PASS, "server", "%s answers", url);
	doctor_say(doctor, DOCTOR_PASS, "TLS", "%s",
		   strncmp(url, "https:", 6) == 0 ? "its certificate is trusted"
						  : "not used, because the server is this host");
	check_keys(doctor, &answer, url);
	check_clock(doctor, fetched->answer.date);
}

/* root or the service account must own a file that the settings name. */
static int open_file(struct doctor *doctor, const char *check, const char *key, const char *path)
{
	struct error err = {.detail = ""};
	struct stat found;
	char name[64];
	snprintf(name, sizeof(name), "general.%s", key);
	int fd = secure_path_open(name, path, &err);
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
		doctor_say(doctor, DOCTOR_FAIL, check,
			   "%s %s is owned by uid %u, not by root or %s", name, path,
			   (unsigned int)found.st_uid, doctor->service.name);
		doctor_mend_copy(doctor, path, "0644", "root");
	} else if (there && secure_path_others_write(found.st_mode)) {
		doctor_say(doctor, DOCTOR_FAIL, check, "%s %s is writable by %s", name, path,
			   doctor_writers(found.st_mode));
		doctor_mend(doctor, "chmod go-w %s", doctor_quote(path).text);
	} else {
		doctor_say(doctor, DOCTOR_FAIL, check, "%s", err.detail);
		doctor_mend_key(doctor, "general", key, NULL);
	}
	return -1;
}

static void check_key_file(struct doctor *doctor, const char *path)
{
	struct error err = {.detail = ""};
	struct answer answer;
	struct source source = {.file = open_file(doctor, "keys", "jwks_file", path)};
	if (source.file < 0)
		return;
	int result = parse_confined(&source, &answer, &err);
	close(source.file);
	if (result == 0) {
		check_keys(doctor, &answer, path);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "keys", "%s: %s", path, err.detail);
	doctor_mend_key(doctor, "general", "jwks_file", NULL);
}

/* The URL of our runner; NULL if its file has none. */
static const struct runner_value *find_url(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->runner.count; i++) {
		const struct runner_value *url = &doctor->runner.runners[i].url;
		if (runner_string(url) != NULL && runner_is_ours(&doctor->runner.runners[i]))
			return url;
	}
	return NULL;
}

/* The configured server, or else that of the runner. */
static const char *server_of(const struct doctor *doctor)
{
	const struct runner_value *url = find_url(doctor);
	if (doctor->settings != NULL && doctor->settings->general.gitlab_server != NULL)
		return doctor->settings->general.gitlab_server;
	return url != NULL ? runner_string(url) : NULL;
}

/* Not a URL of http: or https: with the name of a host. */
static void say_wrong(struct doctor *doctor, const char *url, const char *why)
{
	const struct runner_value *place = find_url(doctor);
	doctor_say(doctor, DOCTOR_FAIL, "server", "%s: %s", url, why);
	if (place == NULL || url != runner_string(place))
		doctor_mend_key(doctor, "general", "gitlab_server", NULL);
	else
		doctor_mend(doctor, "set url at %s:%zu", doctor_quote(doctor->runner_file).text,
			    place->line);
}

void doctor_check_server(struct doctor *doctor)
{
	struct error err = {.detail = ""};
	struct question question = {.authorities = -1};
	const struct general_settings *general =
		doctor->settings != NULL ? &doctor->settings->general : NULL;
	const char *url = server_of(doctor);
	if (general == NULL && doctor->configuration != NULL) {
		doctor_say(doctor, DOCTOR_SKIP, "server",
			   "not checked, because the configuration could not be read");
		return;
	}
	if (general != NULL && general->jwks_file != NULL) {
		check_key_file(doctor, general->jwks_file);
		return;
	}
	if (url == NULL) {
		doctor_say(doctor, DOCTOR_SKIP, "server",
			   "the server is unknown: neither general.gitlab_server nor the runner's "
			   "file names it");
		doctor_mend(doctor, "jacamar doctor --runner-config FILE");
		return;
	}
	if (url_server(url, &question.server, &err) != 0) {
		say_wrong(doctor, url, err.detail);
		return;
	}
	if (general != NULL && general->tls_ca_file != NULL) {
		question.authorities =
			open_file(doctor, "TLS", "tls-ca-file", general->tls_ca_file);
		if (question.authorities < 0)
			return;
	}
	ask_server(doctor, &question);
	if (question.authorities >= 0)
		close(question.authorities);
}
