/*
 * Who triggered the job, from a token to an answer, with a local key file: no network, no cache.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/identity/identity.h"
#include "core/lib/text.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/signing.h"
#include "t/unit/suites.h"

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"key\"}"

static json_t *key;
static struct job job;
static struct path keys_file;
static struct general_settings settings;

static void setup(void)
{
	struct error err;
	struct path place = scratch_make();
	key = signing_key("P-256", 0, "key");
	json_t *set = json_pack("{s:[o]}", "keys", signing_public(key));
	char *text = json_dumps(set, 0);
	keys_file = path_of("%s/keys.json", place.text);
	scratch_write(keys_file.text, text, 0644);
	free(text);
	json_decref(set);
	job = (struct job){.id = 981625, .project_id = 20, .project_path = "group/project"};
	ck_assert_int_eq(url_server("https://gitlab.example.com", &job.origin, &err), 0);
	settings = (struct general_settings){.jwks_file = keys_file.text};
}

static void teardown(void)
{
	json_decref(key);
}

/* A token of this issuer, job and project. */
static char *token_of(const char *issuer, int job_id, const char *project)
{
	json_t *claims = json_pack("{s:s, s:I, s:s, s:i, s:s, s:s}", "iss", issuer, "exp",
				   (json_int_t)time(NULL) + 3600, "user_login", "usr", "job_id",
				   job_id, "project_path", project, "pipeline_source", "push");
	char *said = json_dumps(claims, 0);
	char *token = signing_token(key, HEADER, said);
	free(said);
	json_decref(claims);
	return token;
}

static void expect(const char *issuer, int job_id, const char *project, const char *reason)
{
	struct identity identity;
	struct error err = {.detail = ""};
	char *token = token_of(issuer, job_id, project);
	int result = identity_establish(&settings, &job, token, &identity, &err);
	ck_assert_msg(result == (reason == NULL ? 0 : -1), "%s", err.detail);
	if (reason != NULL) {
		ck_assert_msg(strstr(err.detail, reason) != NULL, "%s", err.detail);
	} else {
		ck_assert_str_eq(identity.claims.user_login, "usr");
		ck_assert_uint_eq(identity.claims.job_id, 981625);
		ck_assert_str_eq(identity.claims.pipeline_source, "push");
		ck_assert_str_eq(identity.warning, "");
	}
	free(token);
}

START_TEST(a_good_token_says_who)
{
	expect("https://gitlab.example.com", 981625, "group/project", NULL);
}
END_TEST

START_TEST(the_token_of_another_job_does_not)
{
	expect("https://gitlab.example.com", 981624, "group/project", "is of job 981624");
	expect("https://gitlab.example.com", 981625, "group/other", "is of project group/other");
	expect("https://evil.example", 981625, "group/project", "was issued by");
}
END_TEST

START_TEST(a_path_that_is_none_is_refused_even_where_signed)
{
	job.project_path[0] = '\0';
	expect("https://gitlab.example.com", 981625, "../../etc", "claims are malformed");
	expect("https://gitlab.example.com", 981625, "", NULL);
}
END_TEST

START_TEST(the_settings_name_the_server_before_the_job_does)
{
	settings.gitlab_server = (char *)"https://settings.example/gitlab/";
	expect("https://settings.example/gitlab", 981625, "group/project", NULL);
	expect("https://gitlab.example.com", 981625, "group/project", "was issued by");
	settings.gitlab_server = (char *)"http://settings.example";
	expect("http://settings.example", 981625, "group/project", "for loopback only");
}
END_TEST

START_TEST(without_any_server_there_is_no_identity)
{
	job.origin = (struct server){.url = ""};
	expect("https://gitlab.example.com", 981625, "group/project", "names no GitLab server");
	expect("", 981625, "group/project", "names no GitLab server");
}
END_TEST

START_TEST(a_key_that_the_file_has_not_is_named)
{
	struct identity identity;
	struct error err;
	char *token = signing_token(key, "{\"alg\":\"ES256\",\"kid\":\"other\"}", "{}");
	ck_assert_int_eq(identity_establish(&settings, &job, token, &identity, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.detail, "has no key 'other'"));
	free(token);
}
END_TEST

START_TEST(garbage_is_denied)
{
	static const char *const tokens[] = {"", "x", "a.b.c", "e30.e30.e30"};
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct identity identity;
		struct error err;
		ck_assert_int_eq(identity_establish(&settings, &job, tokens[i], &identity, &err),
				 -1);
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	}
}
END_TEST

START_TEST(a_key_file_that_others_could_write_is_refused)
{
	struct path place = scratch_make();
	struct path other = path_of("%s/keys.json", place.text);
	expect("https://gitlab.example.com", 981625, "group/project", NULL);
	ck_assert_int_eq(chmod(keys_file.text, 0664), 0);
	expect("https://gitlab.example.com", 981625, "group/project", "others cannot write");
	ck_assert_int_eq(chmod(keys_file.text, 0646), 0);
	expect("https://gitlab.example.com", 981625, "group/project", "others cannot write");
	ck_assert_int_eq(chmod(keys_file.text, 0600), 0);
	expect("https://gitlab.example.com", 981625, "group/project", NULL);

	settings.jwks_file = place.text;
	expect("https://gitlab.example.com", 981625, "group/project", "must be a regular file");
	settings.jwks_file = other.text;
	expect("https://gitlab.example.com", 981625, "group/project", "cannot open");
	ck_assert_int_eq(mkfifo(other.text, 0600), 0);
	expect("https://gitlab.example.com", 981625, "group/project", "must be a regular file");
	unlink(other.text);
	scratch_write(other.text, "<html>", 0600);
	expect("https://gitlab.example.com", 981625, "group/project", "the key set is not JSON");
}
END_TEST

/* Of the directory above it. */
static const struct {
	mode_t mode;
	const char *reason;
} WAYS[] = {
	{0755, NULL},
	{01777, NULL},
	{0775, "is writable by group or others; run: chmod go-w"},
	{02770, "is writable by group or others; run: chmod go-w"},
	{0707, "is writable by group or others; run: chmod go-w"},
};

START_TEST(no_other_file_can_be_put_in_its_place)
{
	struct path place = scratch_make();
	struct path inner = path_of("%s/inner", place.text);
	struct path real = path_of("%s/inner/keys.json", place.text);
	struct path linked = path_of("%s/keys.json", place.text);
	scratch_directory(inner.text, 0755);
	ck_assert_int_eq(rename(keys_file.text, real.text), 0);
	scratch_link(real.text, linked.text);
	char *const paths[] = {real.text, linked.text};
	const char *const levels[] = {inner.text, place.text};
	for (int i = 0; i < ROWS(paths); i++)
		for (int k = 0; k < ROWS(levels); k++) {
			settings.jwks_file = paths[i];
			settings.tls_ca_file = NULL;
			ck_assert_int_eq(chmod(levels[k], WAYS[_i].mode), 0);
			expect("https://gitlab.example.com", 981625, "group/project",
			       WAYS[_i].reason);
			settings.jwks_file = NULL;
			settings.tls_ca_file = paths[i];
			if (WAYS[_i].reason != NULL)
				expect("https://gitlab.example.com", 981625, "group/project",
				       WAYS[_i].reason);
			ck_assert_int_eq(chmod(levels[k], 0755), 0);
		}
}
END_TEST

START_TEST(nobody_else_has_a_part_in_the_way)
{
	struct path place = scratch_make();
	struct path linked = path_of("%s/keys.json", place.text);
	if (!process_is_root(__func__))
		return;
	scratch_link(keys_file.text, linked.text);
	ck_assert_int_eq(chmod(place.text, 01777), 0);
	settings.jwks_file = linked.text;
	expect("https://gitlab.example.com", 981625, "group/project", NULL);
	ck_assert_int_eq(lchown(linked.text, 65534, 65534), 0);
	expect("https://gitlab.example.com", 981625, "group/project", "is owned by uid 65534");
	ck_assert_int_eq(lchown(linked.text, 0, 0), 0);
	ck_assert_int_eq(chown(place.text, 65534, 65534), 0);
	expect("https://gitlab.example.com", 981625, "group/project", "is owned by uid 65534");
}
END_TEST

START_TEST(a_key_file_of_another_account_is_refused)
{
	if (!process_is_root(__func__))
		return;
	ck_assert_int_eq(chown(keys_file.text, 65534, 65534), 0);
	expect("https://gitlab.example.com", 981625, "group/project",
	       "must be a regular file that root");
}
END_TEST

Suite *identity_suite(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("identity");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_good_token_says_who);
	tcase_add_test(tcase, the_token_of_another_job_does_not);
	tcase_add_test(tcase, a_path_that_is_none_is_refused_even_where_signed);
	tcase_add_test(tcase, the_settings_name_the_server_before_the_job_does);
	tcase_add_test(tcase, without_any_server_there_is_no_identity);
	tcase_add_test(tcase, a_key_that_the_file_has_not_is_named);
	tcase_add_test(tcase, garbage_is_denied);
	tcase_add_test(tcase, a_key_file_that_others_could_write_is_refused);
	tcase_add_test(tcase, a_key_file_of_another_account_is_refused);
	tcase_add_loop_test(tcase, no_other_file_can_be_put_in_its_place, 0, ROWS(WAYS));
	tcase_add_test(tcase, nobody_else_has_a_part_in_the_way);
	suite_add_tcase(suite, tcase);
	return suite;
}
