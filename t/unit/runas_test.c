/*
 * RunAs: what a script's answer means. The scripts that are run are the system's, because only
 * root's directories are trusted; t/e2e has others.
 */
#include <string.h>

#include "core/policy/runas.h"
#include "t/unit/suites.h"

static const struct {
	const char *text;
	const char *reason; /* NULL: it is an answer */
	const char *username, *data_dir, *error_message;
} REPLIES[] = {
	{"", NULL, "", "", ""},
	{" \t\r\n", NULL, "", "", ""},
	{"{}", NULL, "", "", ""},
	{"{\"username\":\"usr\"}", NULL, "usr", "", ""},
	{"{\"username\":\"usr\"}\n", NULL, "usr", "", ""},
	{"{\"data_dir\":\"/scratch\"}", NULL, "", "/scratch", ""},
	{"{\"error_message\":\"no\"}", NULL, "", "", "no"},
	{"{\"username\":\"a\",\"data_dir\":\"/b\",\"error_message\":\"c\"}", NULL, "a", "/b", "c"},
	{"{\"user_message\":\"\"}", "its JSON must have", "", "", ""},
	{"{\"user_message\":1}", "its JSON must have", "", "", ""},
	{"{", "not a JSON object", "", "", ""},
	{"accepted", "not a JSON object", "", "", ""},
	{"usr", "not a JSON object", "", "", ""},
	{"[]", "not a JSON object", "", "", ""},
	{"\"usr\"", "not a JSON object", "", "", ""},
	{"{}{}", "not a JSON object", "", "", ""},
	{"{} accepted", "not a JSON object", "", "", ""},
	{"\xff", "not a JSON object", "", "", ""},
	{"{\"username\":\"a\",\"username\":\"b\"}", "not a JSON object", "", "", ""},
	{"{\"username\":\"a\\u0000b\"}", "not a JSON object", "", "", ""},
	{"{\"username\":7}", "its JSON must have", "", "", ""},
	{"{\"username\":null}", "its JSON must have", "", "", ""},
	{"{\"data_dir\":[]}", "its JSON must have", "", "", ""},
	{"{\"error_message\":true}", "its JSON must have", "", "", ""},
	{"{\"user\":\"usr\"}", "its JSON must have", "", "", ""},
	{"{\"username\":\"\"}", "its JSON must have", "", "", ""},
	{"{\"data_dir\":\"\"}", "its JSON must have", "", "", ""},
	{"{\"username\":\"usr\",\"limit\":1}", "its JSON must have", "", "", ""},
	{"{\"username\":\"01234567890123456789012345678901234567890123456789012345678901234\"}",
	 "its JSON must have", "", "", ""},
};

START_TEST(an_answer_is_strings_in_an_object_or_nothing)
{
	struct runas_reply reply;
	struct error err = {.detail = ""};
	const char *text = REPLIES[_i].text;
	int result = runas_parse(text, strlen(text), &reply, &err);
	ck_assert_int_eq(result, REPLIES[_i].reason == NULL ? 0 : -1);
	if (REPLIES[_i].reason != NULL) {
		ck_assert_int_eq(err.kind, ERROR_DENIED);
		ck_assert_msg(strstr(err.detail, REPLIES[_i].reason) != NULL, "%s", err.detail);
		return;
	}
	ck_assert_str_eq(reply.answer.username, REPLIES[_i].username);
	ck_assert_str_eq(reply.answer.data_dir, REPLIES[_i].data_dir);
	ck_assert_str_eq(reply.error_message, REPLIES[_i].error_message);
}
END_TEST

START_TEST(the_user_may_be_told_something_else)
{
	static const char *const texts[] = {
		"{\"user_message\":\"ask us\"}",
		"{\"user_message\":\"ask us\",\"error_message\":\"no account\"}",
	};
	struct runas_reply reply;
	struct error err = {.detail = ""};
	for (size_t i = 0; i < 2; i++) {
		ck_assert_msg(runas_parse(texts[i], strlen(texts[i]), &reply, &err) == 0, "%s",
			      err.detail);
		ck_assert_str_eq(reply.user_message, "ask us");
		ck_assert_str_eq(reply.error_message, i == 0 ? "" : "no account");
	}
}
END_TEST

START_TEST(bytes_behind_a_nul_are_read)
{
	struct runas_reply reply;
	struct error err;
	ck_assert_int_eq(runas_parse(" \0{}", 4, &reply, &err), -1);
	ck_assert_int_eq(runas_parse("{}\0x", 4, &reply, &err), -1);
}
END_TEST

static const struct account SERVICE = {
	.name = "gitlab-runner", .uid = 999, .gid = 999, .home = "/", .shell = "/bin/sh"};

static const struct {
	const char *script;
	const char *target;
	const char *reason; /* NULL: accepted */
	const char *username;
} ASKED[] = {
	{"/bin/true", NULL, NULL, ""},
	{"/bin/true", "", NULL, ""},
	{"/bin/true", "other", NULL, "other"},
	{"/bin/false", NULL, "auth.runas: it refused with exit code 1", ""},
	{"/bin/false", "other", "auth.runas for other: it refused with exit code 1", ""},
	{"/bin/echo", NULL, "auth.runas: its output is not a JSON object", ""},
	{"/bin/true", "-u", "auth.runas for -u: the job asks for the account '-u'", ""},
	{"/bin/true", "a b", "auth.runas for a b: the job asks for the account 'a b'", ""},
	{"/bin/true", "../root", "auth.runas for ../root: the job asks for the account '../root'",
	 ""},
	{"/bin/true", "0", "auth.runas for 0: the job asks for the account '0'", ""},
	{"/bin/true", "kim@ad.example",
	 "the job asks for the account 'kim@ad.example', which is not", ""},
	{"/bin/true", "AD\\kim",
	 "the job asks for the account 'AD\\kim', which is not a valid name", ""},
	{"/nonexistent", NULL, "auth.runas: cannot find /nonexistent", ""},
	{"/etc/passwd", NULL, "auth.runas: /etc/passwd is not a program", ""},
	{"/bin", NULL, "is not a program", ""},
	{"/tmp/script", NULL, "auth.runas: ", ""},
};

START_TEST(a_script_is_asked)
{
	struct claims claims = {.user_login = "usr", .job_id = 981625};
	struct runas_settings settings = {.validation_script = (char *)ASKED[_i].script};
	struct runas_question question = {
		.service = &SERVICE, .claims = &claims, .name = "usr", .target = ASKED[_i].target};
	struct runas_answer answer;
	struct error err = {.detail = ""};
	int result = runas_ask(&settings, &question, &answer, &err);
	ck_assert_msg(result == (ASKED[_i].reason == NULL ? 0 : -1), "%s", err.detail);
	if (result == 0)
		ck_assert_str_eq(answer.username, ASKED[_i].username);
	else
		ck_assert_msg(strstr(err.detail, ASKED[_i].reason) != NULL, "%s", err.detail);
}
END_TEST

START_TEST(a_digest_that_is_another_refuses)
{
	struct claims claims = {.user_login = "usr", .job_id = 981625};
	struct runas_settings settings = {.validation_script = (char *)"/bin/true",
					  .sha256 = (char *)"0123456789abcdef0123456789abcdef"
							    "0123456789abcdef0123456789abcdef"};
	struct runas_question question = {.service = &SERVICE, .claims = &claims, .name = "usr"};
	struct runas_answer answer;
	struct error err;
	ck_assert_int_eq(runas_ask(&settings, &question, &answer, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.detail, "which is not that of auth.runas.sha256"));

	/* It says the right one, which is accepted then, in capital letters as well. */
	char right[65] = "";
	const char *at = strstr(err.detail, "has the sha256 ");
	ck_assert_ptr_nonnull(at);
	memcpy(right, at + strlen("has the sha256 "), 64);
	settings.sha256 = right;
	ck_assert_int_eq(runas_ask(&settings, &question, &answer, &err), 0);
	for (char *c = right; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'f')
			*c = (char)(*c - 'a' + 'A');
	ck_assert_int_eq(runas_ask(&settings, &question, &answer, &err), 0);
}
END_TEST

Suite *runas_suite(void)
{
	Suite *suite = suite_create("runas");
	TCase *tcase = tcase_create("runas");

	tcase_add_loop_test(tcase, an_answer_is_strings_in_an_object_or_nothing, 0, ROWS(REPLIES));
	tcase_add_test(tcase, the_user_may_be_told_something_else);
	tcase_add_test(tcase, bytes_behind_a_nul_are_read);
	tcase_add_loop_test(tcase, a_script_is_asked, 0, ROWS(ASKED));
	tcase_add_test(tcase, a_digest_that_is_another_refuses);
	suite_add_tcase(suite, tcase);
	return suite;
}
