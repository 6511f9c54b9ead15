/* The answer of a GitLab server about a job, from its bytes to the verdict. t/e2e asks a server. */
#include <stdlib.h>
#include <string.h>

#include "core/identity/confirmation.h"
#include "core/identity/http.h"
#include "t/unit/suites.h"

static const char ANSWER[] =
	"{\"id\":7,\"status\":\"running\",\"name\":\"ci-job\",\"ref\":\"main\",\"coverage\":null,"
	"\"user\":{\"id\":3,\"username\":\"kim\",\"name\":\"Kim\",\"state\":\"active\","
	"\"bot\":false},\"commit\":{\"id\":\"0f\",\"message\":\"m\\n\"},"
	"\"pipeline\":{\"id\":5,\"project_id\":20,\"status\":\"failed\"},"
	"\"project\":{\"ci_job_token_scope_enabled\":false},\"tag_list\":[]}";

static struct job job;
static struct claims claims;

static void setup(void)
{
	job = (struct job){.id = 7, .project_id = 20, .pipeline_id = 5, .user_id = 3};
	claims = (struct claims){
		.user_login = "kim", .job_id = 7, .user_id = 3, .project_id = 20, .pipeline_id = 5};
}

/* Checks the answer with its first `from` replaced by `to`; *err is filled if it is refused. */
static int judge(const char *from, const char *to, bool allow_bots, struct error *err)
{
	struct confirmation said;
	char text[2048];
	const char *at = strstr(ANSWER, from);
	ck_assert_ptr_nonnull(at);
	int size = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - ANSWER), ANSWER, to,
			    at + strlen(from));
	if (confirmation_parse(text, (size_t)size, &said, err) != 0)
		return -1;
	return confirmation_check(&said, &job, &claims, allow_bots, err);
}

static const struct {
	const char *from, *to;
} GOOD[] = {
	{"", ""},
	{"\"id\":7", "\"id\":\"7\""},
	{"\"tag_list\":[]", "\"tag_list\":[],\"later\":{\"id\":1}"},
};

START_TEST(an_answer_that_agrees_confirms_the_job)
{
	struct error err = {.detail = ""};
	ck_assert_msg(judge(GOOD[_i].from, GOOD[_i].to, false, &err) == 0, "%s", err.detail);
}
END_TEST

static const struct {
	const char *from, *to, *reason;
} BAD[] = {
	{"running", "canceled", "that the job is not running, but 'canceled'"},
	{"running", "canceling", "that the job is not running, but 'canceling'"},
	{"running", "success", "that the job is not running, but 'success'"},
	{"running", "Running", "that the job is not running, but 'Running'"},
	{"running", "running ", "that the job is not running, but 'running '"},
	{"running", "", "that the job is not running, but ''"},
	{"\"id\":7", "\"id\":8", "job's id is 8, the job response says 7"},
	{"\"id\":5", "\"id\":6", "job's pipeline.id is 6, the job response says 5"},
	{"\"project_id\":20", "\"project_id\":21",
	 "job's pipeline.project_id is 21, the job response says 20"},
	{"\"id\":3", "\"id\":4", "job's user.id is 4, the job response says 3"},
	{"\"kim\"", "\"lee\"", "job's user is lee, the id token says kim"},
	{"\"kim\"", "\"Kim\"", "job's user is Kim, the id token says kim"},
	{"\"bot\":false", "\"bot\":true",
	 "says that kim is a bot, and auth.allow_bot_accounts is not set"},

	{"\"status\":\"running\",", "", "job's status"},
	{"\"running\"", "null", "job's status"},
	{"\"running\"", "[\"running\"]", "job's status"},
	{"running", "running-running-running-running-", "job's status"},
	{"\"id\":7,", "", "job's id"},
	{"\"id\":7", "\"id\":0", "job's id"},
	{"\"id\":7", "\"id\":-7", "job's id"},
	{"\"id\":7", "\"id\":7.0", "job's id"},
	{"\"id\":7", "\"id\":\"7x\"", "job's id"},
	{"\"id\":7", "\"id\":true", "job's id"},
	{"\"pipeline\":", "\"pipelines\":", "job's pipeline.id"},
	{"{\"id\":5,", "{", "job's pipeline.id"},
	{"{\"id\":5,\"project_id\":20,\"status\":\"failed\"}", "[5,20]", "job's pipeline.id"},
	{"\"project_id\":20,", "", "job's pipeline.project_id"},
	{"\"project_id\":20", "\"project_id\":null", "job's pipeline.project_id"},
	{"\"user\":{", "\"User\":{", "job's user.id"},
	{"\"id\":3,", "", "job's user.id"},
	{"\"id\":3", "\"id\":null", "job's user.id"},
	{"\"username\":\"kim\",", "", "job's user.username"},
	{"\"kim\"", "7", "job's user.username"},
	{"\"bot\":false", "\"bot\":\"false\"", "job's user.bot"},
	{"\"bot\":false", "\"bot\":0", "job's user.bot"},
	{"\"bot\":false", "\"bot\":null", "job's user.bot"},
	{",\"bot\":false", "", "job's user.bot"},
};

START_TEST(an_answer_that_differs_or_lacks_something_refuses_it)
{
	struct error err = {.detail = ""};
	ck_assert_int_eq(judge(BAD[_i].from, BAD[_i].to, false, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_msg(strstr(err.detail, BAD[_i].reason) != NULL, "%s", err.detail);
}
END_TEST

START_TEST(a_bot_is_admitted_where_bots_are)
{
	struct error err = {.detail = ""};
	ck_assert_msg(judge("\"bot\":false", "\"bot\":true", true, &err) == 0, "%s", err.detail);
	ck_assert_int_eq(judge("\"bot\":false", "\"bot\":1", true, &err), -1);
}
END_TEST

/* Faults of the token's claims that the response does not show. */
static const struct {
	size_t offset;
	const char *reason;
} TOKENS[] = {
	{offsetof(struct claims, job_id), "job's id is 7, the id token says 99"},
	{offsetof(struct claims, pipeline_id), "job's pipeline.id is 5, the id token says 99"},
	{offsetof(struct claims, project_id),
	 "job's pipeline.project_id is 20, the id token says 99"},
	{offsetof(struct claims, job_project_id),
	 "job's pipeline.project_id is 20, the id token says 99"},
	{offsetof(struct claims, user_id), "job's user.id is 3, the id token says 99"},
};

START_TEST(the_id_token_is_compared_also_where_the_response_says_nothing)
{
	struct error err = {.detail = ""};
	job = (struct job){.id = 7};
	ck_assert_msg(judge("", "", false, &err) == 0, "%s", err.detail);
	*(uint64_t *)((char *)&claims + TOKENS[_i].offset) = 99;
	ck_assert_int_eq(judge("", "", false, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_msg(strstr(err.detail, TOKENS[_i].reason) != NULL, "%s", err.detail);
}
END_TEST

/* In a pipeline of a merge request, project_id is the fork, and the job is the parent's. */
START_TEST(the_project_is_the_one_that_the_job_belongs_to)
{
	struct error err = {.detail = ""};
	claims.job_project_id = 20;
	claims.project_id = 33;
	ck_assert_msg(judge("", "", false, &err) == 0, "%s", err.detail);
}
END_TEST

START_TEST(a_token_without_a_user_id_is_refused)
{
	struct error err = {.detail = ""};
	claims.user_id = 0;
	ck_assert_int_eq(judge("", "", false, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail,
			 "the id token has no user_id, which auth.confirm_job compares");
}
END_TEST

static const char *const NO_OBJECTS[] = {
	"",
	"null",
	"[]",
	"7",
	"<html>Sign in</html>",
	"{\"id\":7",
	"{\"id\":7}{}",
	"{\"id\":7,\"id\":7}",
	"{\"user\":{\"bot\":true,\"bot\":false}}",
};

/* The page of a proxy is not an answer of the server. */
START_TEST(what_is_no_json_object_is_no_answer)
{
	struct confirmation said;
	struct error err = {.detail = ""};
	const char *text = NO_OBJECTS[_i];
	ck_assert_int_eq(confirmation_parse(text, strlen(text), &said, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.detail, "is not a JSON object"));
}
END_TEST

START_TEST(an_answer_of_the_largest_size_is_read)
{
	struct confirmation said;
	struct error err = {.detail = ""};
	char *text = malloc(HTTP_MOST_SIZE);
	ck_assert_ptr_nonnull(text);
	memset(text, ' ', HTTP_MOST_SIZE);
	memcpy(text, ANSWER, strlen(ANSWER));
	ck_assert_int_eq(confirmation_parse(text, HTTP_MOST_SIZE, &said, &err), 0);
	ck_assert_str_eq(said.username, "kim");
	/* Nested more deeply than the stack allows. */
	memset(text, '[', HTTP_MOST_SIZE);
	ck_assert_int_eq(confirmation_parse(text, HTTP_MOST_SIZE, &said, &err), -1);
	free(text);
}
END_TEST

Suite *confirmation_suite(void)
{
	Suite *suite = suite_create("confirmation");
	TCase *tests = tcase_create("confirmation");
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_loop_test(tests, an_answer_that_agrees_confirms_the_job, 0, ROWS(GOOD));
	tcase_add_loop_test(tests, an_answer_that_differs_or_lacks_something_refuses_it, 0,
			    ROWS(BAD));
	tcase_add_test(tests, a_bot_is_admitted_where_bots_are);
	tcase_add_loop_test(tests, the_id_token_is_compared_also_where_the_response_says_nothing, 0,
			    ROWS(TOKENS));
	tcase_add_test(tests, the_project_is_the_one_that_the_job_belongs_to);
	tcase_add_test(tests, a_token_without_a_user_id_is_refused);
	tcase_add_loop_test(tests, what_is_no_json_object_is_no_answer, 0, ROWS(NO_OBJECTS));
	tcase_add_test(tests, an_answer_of_the_largest_size_is_read);
	suite_add_tcase(suite, tests);
	return suite;
}
