/*
 * The job response: much in it was written by the job's author.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/identity/job.h"
#include "core/lib/text.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static char *const TOKEN_NAMES[] = {(char *)"SITE_ID_TOKEN", (char *)"CI_JOB_JWT"};
static const struct string_list TOKENS = {.items = (char **)TOKEN_NAMES, .count = 2};

static char token[JOB_TOKEN_SIZE];

static int parse(const char *text, struct job *job, struct error *err)
{
	memset(token, 'x', sizeof(token));
	return job_parse(text, strlen(text), &TOKENS, job, token, err);
}

/* As GitLab sends it, much shortened. */
#define RESPONSE                                                                                \
	"{\"id\":981625,\"token\":\"glcbt-SECRET\",\"allow_git_fetch\":true,\"job_info\":{"     \
	"\"name\":\"build\",\"stage\":\"test\",\"project_id\":20,\"project_name\":\"project\"," \
	"\"project_full_path\":\"group/project\",\"pipeline_id\":574,\"user_id\":1,"            \
	"\"scoped_user_id\":42},"                                                               \
	"\"git_info\":{\"repo_url\":\"https://gitlab-ci-token:SECRET@gitlab.example.com/group/" \
	"project.git\",\"ref\":\"main\",\"sha\":\"714a629\"},\"variables\":["                   \
	"{\"key\":\"CI_JOB_ID\",\"value\":\"1\",\"public\":true},"                              \
	"{\"key\":\"SITE_ID_TOKEN\",\"value\":\"a.b.c\",\"public\":false,\"masked\":true}]}"

START_TEST(a_response_is_read)
{
	struct job job;
	struct error err = {.detail = ""};
	ck_assert_msg(parse(RESPONSE, &job, &err) == 0, "%s", err.detail);
	ck_assert_uint_eq(job.id, 981625);
	ck_assert_uint_eq(job.project_id, 20);
	ck_assert_uint_eq(job.pipeline_id, 574);
	ck_assert_uint_eq(job.user_id, 1);
	ck_assert_uint_eq(job.scoped_user_id, 42);
	ck_assert_str_eq(job.project_path, "group/project");
	ck_assert_str_eq(job.repository_path, "group/project");
	ck_assert_str_eq(job.origin.url, "https://gitlab.example.com");
	ck_assert_str_eq(token, "a.b.c");
}
END_TEST

/* The author of a job writes it, and most sites do not use it: it is never an error. */
static const struct {
	const char *image;
	const char *name;
	const char *entrypoint;
} IMAGES[] = {
	{"null", "", ""},
	{"5", "", ""},
	{"{}", "", ""},
	{"{\"name\":5}", "", ""},
	{"{\"name\":\"\"}", "", ""},
	{"{\"name\":\"python:3.12\"}", "python:3.12", ""},
	{"{\"name\":\"a\\n-v\",\"entrypoint\":null}", "a\n-v", ""},
	{"{\"name\":\"a\",\"entrypoint\":[]}", "a", ""},
	{"{\"name\":\"a\",\"entrypoint\":[\"\"]}", "a", "[\"\"]"},
	{"{\"name\":\"a\",\"entrypoint\":[\"/b\",\"-c\\n\\u00e4\"]}", "a",
	 "[\"/b\",\"-c\\n\\u00E4\"]"},
	{"{\"name\":\"a\",\"entrypoint\":[\"sh\",1]}", "a", "?"},
	{"{\"name\":\"a\",\"entrypoint\":[[]]}", "a", "?"},
};

START_TEST(the_image_is_read)
{
	struct job job;
	struct error err = {.detail = ""};
	char *text = text_format("{\"id\":5,\"image\":%s}", IMAGES[_i].image);
	ck_assert_msg(parse(text, &job, &err) == 0, "%s", err.detail);
	ck_assert_str_eq(job.image, IMAGES[_i].name);
	ck_assert_str_eq(job.entrypoint, IMAGES[_i].entrypoint);
	free(text);
}
END_TEST

START_TEST(an_image_that_is_too_long_is_no_valid_one)
{
	struct job job;
	struct error err = {.detail = ""};
	char full[IMAGE_NAME_SIZE];
	char *text = text_format("{\"id\":5,\"image\":{\"name\":\"a/%0600d\","
				 "\"entrypoint\":[\"%01100d\"]}}",
				 0, 0);
	ck_assert_msg(parse(text, &job, &err) == 0, "%s", err.detail);
	ck_assert(!image_name_complete(job.image, true, full));
	ck_assert_str_eq(job.entrypoint, "?");
	free(text);
}
END_TEST

START_TEST(the_secret_of_the_repository_goes_nowhere)
{
	struct job job;
	struct error err;
	ck_assert_int_eq(parse(RESPONSE, &job, &err), 0);
	ck_assert_ptr_null(memmem(&job, sizeof(job), "SECRET", 6));
	ck_assert_ptr_null(memmem(token, strlen(token), "SECRET", 6));
}
END_TEST

START_TEST(only_the_id_is_needed)
{
	struct job job;
	struct job empty = {.id = 5};
	struct error err;
	ck_assert_int_eq(parse("{\"id\":5}", &job, &err), 0);
	ck_assert_uint_eq(job.id, 5);
	ck_assert(job.project_id == 0 && job.pipeline_id == 0 && job.user_id == 0);
	ck_assert_str_eq(job.project_path, empty.project_path);
	ck_assert_str_eq(job.repository_path, "");
	ck_assert_str_eq(job.origin.url, "");
	ck_assert_str_eq(token, "");
}
END_TEST

static const char *const BAD_IDS[] = {
	"0", "\"0\"", "null", "\"\"", "-5", "5.0", "true", "[5]", "{}", "\"5x\"", "\" 5\"",
};

START_TEST(a_response_without_an_id_is_refused)
{
	struct job job;
	struct error err;
	char *text = text_format("{\"id\":%s}", BAD_IDS[_i]);
	ck_assert_msg(parse(text, &job, &err) != 0, "%s was accepted", text);
	ck_assert_str_eq(err.detail, "the job response has no id");
	free(text);
}
END_TEST

START_TEST(ids_are_numbers_or_their_digits)
{
	static const char *const names[] = {"project_id", "pipeline_id", "user_id",
					    "scoped_user_id"};
	struct job job;
	struct error err;
	ck_assert_int_eq(parse("{\"id\":\"5\",\"job_info\":{\"project_id\":\"20\","
			       "\"pipeline_id\":\"574\",\"user_id\":null}}",
			       &job, &err),
			 0);
	ck_assert(job.id == 5 && job.project_id == 20 && job.pipeline_id == 574);
	ck_assert_uint_eq(job.user_id, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int k = 3; k < ROWS(BAD_IDS); k++) {
			char *text = text_format("{\"id\":5,\"job_info\":{\"%s\":%s}}", names[i],
						 BAD_IDS[k]);
			ck_assert_msg(parse(text, &job, &err) != 0, "%s was accepted", text);
			free(text);
		}
}
END_TEST

static const char *const NOT_RESPONSES[] = {
	"",	" ", "[]",	  "5",		 "\"x\"",
	"null", "{", "{\"id\":5", "{\"id\":5}x", "{\"id\":\"\\u0000\"}",
	"\xff",
};

START_TEST(what_is_not_a_json_object_is_refused)
{
	struct job job;
	struct error err;
	ck_assert_int_eq(parse(NOT_RESPONSES[_i], &job, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
}
END_TEST

/* Cut anywhere: the runner's disk may have been full. */
START_TEST(no_error_quotes_the_response)
{
	static const char response[] =
		"{\"id\":1,\"token\":\"SECRET\",\"variables\":[{\"value\":\"SECRET\"}]}";
	struct job job;
	struct error err;
	for (size_t size = 0; size < sizeof(response) - 1; size++) {
		ck_assert_int_eq(job_parse(response, size, &TOKENS, &job, token, &err), -1);
		ck_assert_msg(strstr(err.detail, "SEC") == NULL, "%s", err.detail);
	}
}
END_TEST

/* Members of another type than GitLab's are treated as absent. */
static const char *const ODD_TYPES[] = {
	"{\"id\":5,\"job_info\":[],\"git_info\":7,\"variables\":{}}",
	"{\"id\":5,\"job_info\":null,\"git_info\":null,\"variables\":null}",
	"{\"id\":5,\"git_info\":{\"repo_url\":7},\"variables\":[1,null,[],{},\"SITE_ID_TOKEN\"]}",
	"{\"id\":5,\"variables\":[{\"key\":\"SITE_ID_TOKEN\"},{\"value\":\"a.b.c\"}]}",
	"{\"id\":5,\"variables\":[{\"key\":7,\"value\":\"a.b.c\"}]}",
	"{\"id\":5,\"variables\":[{\"key\":\"SITE_ID_TOKEN\",\"value\":7}]}",
	"{\"id\":5,\"variables\":[{\"key\":\"SITE_ID_TOKEN\",\"value\":\"\"}]}",
	"{\"id\":5,\"variables\":[{\"key\":\"site_id_token\",\"value\":\"a.b.c\"}]}",
};

START_TEST(members_of_odd_types_are_passed_over)
{
	struct job job;
	struct error err;
	ck_assert_int_eq(parse(ODD_TYPES[_i], &job, &err), 0);
	ck_assert_uint_eq(job.id, 5);
	ck_assert_str_eq(token, "");
}
END_TEST

#define VARIABLE(key, value) "{\"key\":\"" key "\",\"value\":\"" value "\"}"

static const struct {
	const char *variables;
	const char *token;
} TOKEN_ORDERS[] = {
	{VARIABLE("CI_JOB_JWT", "second"), "second"},
	{VARIABLE("CI_JOB_JWT", "second") "," VARIABLE("SITE_ID_TOKEN", "first"), "first"},
	{VARIABLE("SITE_ID_TOKEN", "first") "," VARIABLE("SITE_ID_TOKEN", "later"), "later"},
	{VARIABLE("SITE_ID_TOKEN", "first") "," VARIABLE("SITE_ID_TOKEN", ""), ""},
	{VARIABLE("SITE_ID_TOKEN", "") "," VARIABLE("CI_JOB_JWT", "second"), "second"},
	{VARIABLE("OTHER", "x"), ""},
};

START_TEST(the_first_named_token_counts_and_of_that_the_last_value)
{
	struct job job;
	struct error err;
	char *text = text_format("{\"id\":5,\"variables\":[%s]}", TOKEN_ORDERS[_i].variables);
	ck_assert_int_eq(parse(text, &job, &err), 0);
	ck_assert_str_eq(token, TOKEN_ORDERS[_i].token);
	free(text);
}
END_TEST

START_TEST(variables_do_not_say_which_job_or_server_it_is)
{
	struct job job;
	struct error err;
	ck_assert_int_eq(
		parse("{\"id\":5,\"variables\":[" VARIABLE("CI_JOB_ID", "6") "," VARIABLE(
			      "CI_SERVER_URL",
			      "https://evil.example") "," VARIABLE("CI_PROJECT_PATH", "e/vil") "]}",
		      &job, &err),
		0);
	ck_assert_uint_eq(job.id, 5);
	ck_assert_str_eq(job.origin.url, "");
	ck_assert_str_eq(job.project_path, "");
	ck_assert_str_eq(job.repository_path, "");
}
END_TEST

START_TEST(a_token_of_64_kib_is_the_largest)
{
	struct job job;
	struct error err;
	char *text = text_format("{\"id\":5,\"variables\":[{\"key\":\"SITE_ID_TOKEN\",\"value\":"
				 "\"%065536d\"}]}",
				 0);
	ck_assert_int_eq(parse(text, &job, &err), 0);
	ck_assert_uint_eq(strlen(token), 65536);
	free(text);
	text = text_format("{\"id\":5,\"variables\":[{\"key\":\"SITE_ID_TOKEN\",\"value\":"
			   "\"%065537d\"}]}",
			   0);
	ck_assert_int_eq(parse(text, &job, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	free(text);
}
END_TEST

static const struct {
	const char *path;
	bool fits;
} PATHS[] = {
	{"group/project", true},
	{"group/sub-group/sub.group/_project", true},
	{"project", true},
	{"group/.dotted", true},
	{"group/...", true},
	{"-group/p", true},
	{"", false},
	{"/", false},
	{"/group", false},
	{"group/", false},
	{"group//project", false},
	{".", false},
	{"..", false},
	{"../project", false},
	{"group/../project", false},
	{"group/./project", false},
	{"group/..", false},
	{"group/pro ject", false},
	{"group/pro\nject", false},
	{"group/$HOME", false},
	{"group/a;b", false},
	{"group\\project", false},
	{"gr\xc3\xbcn/project", false},
};

START_TEST(a_project_path_is_made_of_directory_names)
{
	ck_assert_int_eq(job_is_project_path(PATHS[_i].path), PATHS[_i].fits);
	struct job job;
	struct error err;
	json_t *root = json_pack("{s:i, s:{s:s}}", "id", 5, "job_info", "project_full_path",
				 PATHS[_i].path);
	if (root == NULL) /* not UTF-8, which no JSON can hold */
		return;
	char *text = json_dumps(root, 0);
	int result = parse(text, &job, &err);
	free(text);
	json_decref(root);
	/* "" is as good as absent. */
	ck_assert_int_eq(result, PATHS[_i].fits || PATHS[_i].path[0] == '\0' ? 0 : -1);
	if (result != 0)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	else
		ck_assert_str_eq(job.project_path, PATHS[_i].path);
}
END_TEST

START_TEST(a_part_of_a_path_has_255_bytes_at_most)
{
	char *longest = text_format("g/%0255d", 0);
	char *longer = text_format("g/%0256d", 0);
	ck_assert(job_is_project_path(longest));
	ck_assert(!job_is_project_path(longer));
	free(longest);
	free(longer);
}
END_TEST

static const struct {
	const char *url;
	const char *path;
	const char *origin;
} REPOSITORIES[] = {
	{"https://t:SECRET@h.example:8443/g/s/p.git", "g/s/p", "https://h.example:8443"},
	{"https://h.example/g/p", "g/p", "https://h.example"},
	{"https://h.example/prefix/g/p.git", "prefix/g/p", "https://h.example"},
	{"https://h.example/../../etc.git", "", "https://h.example"},
	{"https://h.example/g//p.git", "", "https://h.example"},
	{"https://h.example/", "", "https://h.example"},
	{"https://h.example", "", "https://h.example"},
	{"https://h.example/g/p.git?x=y", "", "https://h.example"},
	{"http://h.example/g/p.git", "g/p", ""},
	{"git@h.example:g/p.git", "", ""},
	{"", "", ""},
};

START_TEST(origin_and_path_come_from_the_repository)
{
	struct job job;
	struct error err;
	char *text =
		text_format("{\"id\":5,\"git_info\":{\"repo_url\":\"%s\"}}", REPOSITORIES[_i].url);
	ck_assert_int_eq(parse(text, &job, &err), 0);
	ck_assert_str_eq(job.repository_path, REPOSITORIES[_i].path);
	ck_assert_str_eq(job.origin.url, REPOSITORIES[_i].origin);
	free(text);
}
END_TEST

/* A descriptor of a file with this response. */
static int open_response(const char *text)
{
	struct error err = {.detail = ""};
	struct path place = scratch_make();
	struct path file = path_of("%s/response.json", place.text);
	scratch_write(file.text, text, 0600);
	int fd = job_open(file.text, &err);
	ck_assert_msg(fd >= 0, "%s", err.detail);
	return fd;
}

START_TEST(a_file_is_read_in_a_confined_child)
{
	struct job job;
	struct error err = {.detail = ""};
	int fd = open_response(RESPONSE);
	ck_assert_msg(job_read(fd, &TOKENS, &job, token, &err) == 0, "%s", err.detail);
	close(fd);
	ck_assert_uint_eq(job.id, 981625);
	ck_assert_str_eq(job.project_path, "group/project");
	ck_assert_str_eq(job.origin.url, "https://gitlab.example.com");
	ck_assert_str_eq(job.origin.host, "gitlab.example.com");
	ck_assert_str_eq(token, "a.b.c");
}
END_TEST

START_TEST(what_the_child_refuses_is_refused)
{
	struct job job;
	struct error err;
	int fd = open_response("{\"id\":5,\"job_info\":{\"project_full_path\":\"../x\"}}");
	ck_assert_int_eq(job_read(fd, &TOKENS, &job, token, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "the job's project path '../x' is not valid");
	close(fd);
}
END_TEST

/* The job's own token, of `length` bytes between these, and what is said of it. */
static const struct {
	const char *before;
	size_t length;
	const char *after;
	const char *reason; /* NULL: it is read */
} OWN_TOKENS[] = {
	{"{\"id\":5,\"token\":\"", 1, "\"}", NULL},
	{"{\"id\":5,\"token\":\"", CI_JOB_TOKEN_SIZE - 1, "\"}", NULL},
	{"{\"id\":5,\"token\":\"", CI_JOB_TOKEN_SIZE, "\"}", "no token of the job, or one of more"},
	{"{\"id\":5,\"token\":\"", 0, "\"}", "is malformed"},
	{"{\"id\":5,\"token\":\"", 9, "\\r\\nHost: x\"}", "is malformed"},
	{"{\"id\":5,\"token\":\"", 9, " \"}", "is malformed"},
	{"{\"id\":5,\"token\":[\"", 9, "\"]}", "has no token of the job"},
	{"{\"id\":5,\"variables\":[{\"key\":\"CI_JOB_TOKEN\",\"value\":\"", 9, "\"}]}",
	 "has no token of the job"},
	{"[\"token\",\"", 9, "\"]", "has no token of the job"},
	{"{\"token\":\"", 9, "", "has no token of the job"},
};

START_TEST(the_jobs_own_token_is_fit_for_a_header)
{
	static char long_token[CI_JOB_TOKEN_SIZE + 1];
	static char response[CI_JOB_TOKEN_SIZE + 256];
	static char own[CI_JOB_TOKEN_SIZE];
	struct error err = {.detail = ""};
	memset(long_token, 'S', OWN_TOKENS[_i].length);
	snprintf(response, sizeof(response), "%s%s%s", OWN_TOKENS[_i].before, long_token,
		 OWN_TOKENS[_i].after);
	int fd = open_response(response);
	int result = job_read_own_token(fd, own, &err);
	close(fd);
	ck_assert_int_eq(result, OWN_TOKENS[_i].reason == NULL ? 0 : -1);
	if (result == 0) {
		ck_assert_str_eq(own, long_token);
		return;
	}
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_msg(strstr(err.detail, OWN_TOKENS[_i].reason) != NULL, "%s", err.detail);
	ck_assert_ptr_null(strstr(err.detail, "SS"));
}
END_TEST

START_TEST(the_environment_is_asked_where_the_response_has_no_token)
{
	struct job job;
	struct error err;
	setenv("CUSTOM_ENV_CI_JOB_JWT", "from.the.environment", 1);
	setenv("SITE_ID_TOKEN", "not.this.one", 1);
	int fd = open_response("{\"id\":5}");
	ck_assert_int_eq(job_read(fd, &TOKENS, &job, token, &err), 0);
	ck_assert_str_eq(token, "from.the.environment");
	close(fd);
	unsetenv("CUSTOM_ENV_CI_JOB_JWT");
	fd = open_response("{\"id\":5}");
	ck_assert_int_eq(job_read(fd, &TOKENS, &job, token, &err), 0);
	ck_assert_str_eq(token, "");
	close(fd);
	unsetenv("SITE_ID_TOKEN");
}
END_TEST

START_TEST(a_state_of_another_job_is_denied)
{
	struct error err = {.detail = ""};
	int fd = open_response(RESPONSE);
	ck_assert_msg(job_check_id(fd, 981625, &err) == 0, "%s", err.detail);
	close(fd);
	fd = open_response(RESPONSE);
	ck_assert_int_eq(job_check_id(fd, 981624, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, "the state is of job 981624, this is job 981625");
	close(fd);
	fd = open_response("{}");
	ck_assert_int_eq(job_check_id(fd, 0, &err), -1);
	close(fd);
}
END_TEST

START_TEST(no_file_a_link_and_a_pipe_are_refused)
{
	struct job job;
	struct error err;
	struct path place = scratch_make();
	struct path file = path_of("%s/response.json", place.text);
	struct path link = path_of("%s/link", place.text);
	struct path pipe = path_of("%s/pipe", place.text);
	ck_assert_int_eq(job_open(NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_int_eq(job_open(file.text, &err), -1);
	scratch_write(file.text, RESPONSE, 0600);
	scratch_link(file.text, link.text);
	ck_assert_int_eq(job_open(link.text, &err), -1);
	/* Neither hangs. */
	ck_assert_int_eq(mkfifo(pipe.text, 0600), 0);
	int fd = job_open(pipe.text, &err);
	ck_assert(fd < 0 || job_read(fd, &TOKENS, &job, token, &err) == -1);
	close(fd);
	fd = job_open(place.text, &err);
	ck_assert(fd < 0 || job_read(fd, &TOKENS, &job, token, &err) == -1);
	close(fd);
}
END_TEST

Suite *job_suite(void)
{
	Suite *suite = suite_create("job");
	TCase *text = tcase_create("text"), *file = tcase_create("file");

	tcase_add_test(text, a_response_is_read);
	tcase_add_loop_test(text, the_image_is_read, 0, ROWS(IMAGES));
	tcase_add_test(text, an_image_that_is_too_long_is_no_valid_one);
	tcase_add_test(text, the_secret_of_the_repository_goes_nowhere);
	tcase_add_test(text, only_the_id_is_needed);
	tcase_add_loop_test(text, a_response_without_an_id_is_refused, 0, ROWS(BAD_IDS));
	tcase_add_test(text, ids_are_numbers_or_their_digits);
	tcase_add_loop_test(text, what_is_not_a_json_object_is_refused, 0, ROWS(NOT_RESPONSES));
	tcase_add_test(text, no_error_quotes_the_response);
	tcase_add_loop_test(text, members_of_odd_types_are_passed_over, 0, ROWS(ODD_TYPES));
	tcase_add_loop_test(text, the_first_named_token_counts_and_of_that_the_last_value, 0,
			    ROWS(TOKEN_ORDERS));
	tcase_add_test(text, variables_do_not_say_which_job_or_server_it_is);
	tcase_add_test(text, a_token_of_64_kib_is_the_largest);
	tcase_add_loop_test(text, a_project_path_is_made_of_directory_names, 0, ROWS(PATHS));
	tcase_add_test(text, a_part_of_a_path_has_255_bytes_at_most);
	tcase_add_loop_test(text, origin_and_path_come_from_the_repository, 0, ROWS(REPOSITORIES));
	suite_add_tcase(suite, text);

	tcase_add_test(file, a_file_is_read_in_a_confined_child);
	tcase_add_test(file, what_the_child_refuses_is_refused);
	tcase_add_loop_test(file, the_jobs_own_token_is_fit_for_a_header, 0, ROWS(OWN_TOKENS));
	tcase_add_test(file, a_state_of_another_job_is_denied);
	tcase_add_test(file, the_environment_is_asked_where_the_response_has_no_token);
	tcase_add_test(file, no_file_a_link_and_a_pipe_are_refused);
	suite_add_tcase(suite, file);
	return suite;
}
