/*
 * The GitLab server: whether it can be reached and trusted, its keys, and its clock against ours.
 * What it answers is parsed in a confined child, as for a job, and kept nowhere.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/confine.h"
#include "core/doctor/doctor.h"
#include "core/io.h"
#include "core/keyset.h"
#include "core/token.h"
#include "core/trust.h"

/* Above what the network may take, as for a job. */
#define ASK_LIMIT_MS 30000

/* Seconds: tokens live longer, but what else goes by the time does not. */
#define SKEW_MOST 300

struct question {
	struct server server;
	int authorities; /* a descriptor, or -1 */
	int file;	 /* of the keys themselves, in place of the server's; or -1 */
};

struct answer {
	bool got; /* the keys, which then are counted */
	struct keyset_answer request;
	uint64_t keys;
	struct error err;
};

/* Those that a token could be signed with. */
static uint64_t count_keys(const json_t *set)
{
	size_t index;
	json_t *key;
	uint64_t count = 0;
	json_array_foreach (json_object_get(set, "keys"), index, key)
		count += json_is_string(json_object_get(key, "kty")) ? 1 : 0;
	return count;
}

/* In the confined child. A failure is an answer, too. */
static int ask(const void *argument, void *reply, struct error *err)
{
	const struct question *question = argument;
	struct answer *answer = reply;
	json_auto_t *set = NULL;
	(void)err;
	if (question->file >= 0) {
		size_t size;
		cleanup_free char *bytes = io_read_to_end(question->file, KEYSET_MOST_SIZE, &size);
		if (bytes != NULL)
			set = keyset_parse(bytes, size, &answer->err);
		else
			error_errno(&answer->err, ERROR_SYSTEM, "cannot read the key set");
	} else {
		cleanup_free struct keyset_bytes *bytes = calloc(1, sizeof(*bytes));
		if (bytes == NULL)
			return error_set(err, ERROR_SYSTEM, "out of memory");
		if (keyset_fetch(&question->server, question->authorities, bytes, &answer->request,
				 &answer->err) == 0)
			set = keyset_parse(bytes->bytes, bytes->size, &answer->err);
	}
	answer->got = set != NULL;
	answer->keys = set != NULL ? count_keys(set) : 0;
	return 0;
}

/* It is for the administrator to see what it answers. */
static void mend_server(struct doctor *doctor, const char *url)
{
	char full[URL_SIZE + 32];
	snprintf(full, sizeof(full), "%s/oauth/discovery/keys", url);
	doctor_mend(doctor, "curl -v %s", doctor_quote(full).text);
}

static void check_keys(struct doctor *doctor, const struct answer *answer, const char *whose)
{
	if (answer->keys > 0) {
		doctor_say(doctor, DOCTOR_PASS, "keys", "%s has %" PRIu64, whose, answer->keys);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "keys", "%s has none: no token can be verified", whose);
	if (whose[0] == '/')
		doctor_mend_key(doctor, "general", "jwks_file", NULL);
	else
		mend_server(doctor, whose);
}

static void check_clock(struct doctor *doctor, const struct answer *answer)
{
	int64_t date = answer->request.date;
	/* The child may have been taken over: nothing that it says is far from any time. */
	if (date < 0 || date > UINT32_MAX) {
		doctor_say(doctor, DOCTOR_SKIP, "clock", "the server does not say the time");
		return;
	}
	int64_t ahead = (int64_t)time(NULL) - date;
	/* A token that is not valid yet is refused; one from before is good for a while. */
	enum doctor_result result = ahead < -TOKEN_LEEWAY || ahead > SKEW_MOST ? DOCTOR_FAIL
				    : ahead > TOKEN_LEEWAY		       ? DOCTOR_WARN
									       : DOCTOR_PASS;
	doctor_say(doctor, result, "clock", "this host is %" PRId64 " s %s the server",
		   ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
	if (result != DOCTOR_PASS)
		doctor_mend(doctor, "timedatectl set-ntp true");
}

static void say_unreachable(struct doctor *doctor, const char *why, bool untrusted, const char *url)
{
	bool set = doctor->settings != NULL && doctor->settings->general.tls_ca_file != NULL;
	if (untrusted) {
		doctor_say(doctor, DOCTOR_FAIL, "TLS", "%s", why);
		if (doctor->configuration != NULL)
			doctor_mend_key(doctor, "general", "tls-ca-file",
					set ? NULL : "\"/PATH/OF/THE/AUTHORITY.pem\"");
		else
			mend_server(doctor, url);
		return;
	}
	doctor_say(doctor, DOCTOR_FAIL, "server", "%s", why);
	mend_server(doctor, url);
}

static void ask_server(struct doctor *doctor, struct question *question)
{
	struct error err = {.detail = ""};
	struct answer answer = {.got = false};
	const char *url = question->server.url;
	if (confine_run(ask, question, &answer, sizeof(answer), ASK_LIMIT_MS, &err) != 0) {
		doctor_say(doctor, DOCTOR_FAIL, "server", "%s", err.detail);
		mend_server(doctor, url);
		return;
	}
	/* The child may have been taken over by what it parsed: its text is made fit to be shown.
	 */
	if (!answer.got) {
		error_accept(&err, &answer.err);
		say_unreachable(doctor, err.detail, answer.request.untrusted, url);
		return;
	}
	doctor_say(doctor, DOCTOR_PASS, "server", "%s answers", url);
	doctor_say(doctor, DOCTOR_PASS, "TLS", "%s",
		   strncmp(url, "https:", 6) == 0 ? "its certificate is trusted"
						  : "it is this host, without TLS");
	check_keys(doctor, &answer, url);
	check_clock(doctor, &answer);
}

/* A file that the settings name must be root's or the service account's, and nobody else's. */
static int open_file(struct doctor *doctor, const char *check, const char *key, const char *path)
{
	struct error err = {.detail = ""};
	struct stat found;
	char name[64];
	snprintf(name, sizeof(name), "general.%s", key);
	int fd = trust_open(name, path, &err);
	if (fd >= 0)
		return fd;
	if (!doctor->as_service) {
		doctor_leave_to_service(doctor, check, "a file that it takes is not for you");
		return -1;
	}
	if (!doctor_check_way(doctor, check, path))
		return -1;
	doctor_say(doctor, DOCTOR_FAIL, check, "%s", err.detail);
	bool there = stat(path, &found) == 0 && S_ISREG(found.st_mode);
	if (there && found.st_uid != 0 && found.st_uid != doctor->service.uid)
		doctor_mend_copy(doctor, path, "0644", "root");
	else if (there && (found.st_mode & 022) != 0)
		doctor_mend(doctor, "chmod go-w %s", doctor_quote(path).text);
	else
		doctor_mend_key(doctor, "general", key, NULL);
	return -1;
}

static void check_key_file(struct doctor *doctor, const char *path)
{
	struct error err = {.detail = ""};
	struct answer answer = {.got = false};
	struct question question = {.authorities = -1};
	question.file = open_file(doctor, "keys", "jwks_file", path);
	if (question.file < 0)
		return;
	int result = confine_run(ask, &question, &answer, sizeof(answer), ASK_LIMIT_MS, &err);
	close(question.file);
	if (result == 0 && answer.got) {
		check_keys(doctor, &answer, path);
		return;
	}
	if (result == 0)
		error_accept(&err, &answer.err);
	doctor_say(doctor, DOCTOR_FAIL, "keys", "%s: %s", path, err.detail);
	doctor_mend_key(doctor, "general", "jwks_file", NULL);
}

/* Of our runner; NULL: its file says none. */
static const struct runner_value *find_url(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->runner.count; i++) {
		const struct runner_value *url = &doctor->runner.runners[i].url;
		if (runner_string(url) != NULL && runner_is_ours(&doctor->runner.runners[i]))
			return url;
	}
	return NULL;
}

/* As set, else that of the runner, which is where its jobs come from. */
static const char *server_of(const struct doctor *doctor)
{
	const struct runner_value *url = find_url(doctor);
	if (doctor->settings != NULL && doctor->settings->general.gitlab_server != NULL)
		return doctor->settings->general.gitlab_server;
	return url != NULL ? runner_string(url) : NULL;
}

/* Neither http: nor https:, or no name of a host in it. */
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
	struct question question = {.authorities = -1, .file = -1};
	const struct general_settings *general =
		doctor->settings != NULL ? &doctor->settings->general : NULL;
	const char *url = server_of(doctor);
	if (general == NULL && doctor->configuration != NULL) {
		doctor_say(doctor, DOCTOR_SKIP, "server", "the configuration was not read");
		return;
	}
	if (general != NULL && general->jwks_file != NULL) {
		check_key_file(doctor, general->jwks_file);
		return;
	}
	if (url == NULL) {
		doctor_say(doctor, DOCTOR_SKIP, "server",
			   "neither general.gitlab_server nor a runner's file names it");
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
