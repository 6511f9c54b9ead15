/*
 * The claims of a token: their limits, the second check by the parent process, and the environment
 * of the script.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/identity/claims.h"
#include "t/unit/suites.h"

/* A token's claims, with `name` set to `value` (JSON). */
static json_t *said_with(const char *name, const char *value)
{
	json_t *said =
		json_pack("{s:s, s:s, s:s, s:s}", "user_login", "usr", "job_id", "981625", "iss",
			  "https://gitlab.example.com", "project_path", "group/project");
	if (name != NULL)
		json_object_set_new(said, name, json_loads(value, JSON_DECODE_ANY, NULL));
	return said;
}

static struct claims read_claims(const char *name, const char *value)
{
	struct claims claims;
	struct error err = {.detail = ""};
	json_t *said = said_with(name, value);
	ck_assert_msg(claims_read(said, &claims, &err) == 0, "%s", err.detail);
	json_decref(said);
	return claims;
}

/* The value of a variable in the environment that the claims become; NULL: it is not there. */
static const char *variable(const json_t *list, const char *name)
{
	size_t length = strlen(name);
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		const char *text = json_string_value(entry);
		if (strncmp(text, name, length) == 0 && text[length] == '=')
			return text + length + 1;
	}
	return NULL;
}

static json_t *environment_of(const struct claims *claims)
{
	struct error err = {.detail = ""};
	json_t *list = json_array();
	ck_assert_msg(claims_to_environment(claims, list, &err) == 0, "%s", err.detail);
	return list;
}

static const struct {
	const char *claim, *value, *variable, *expected;
} VARIABLES[] = {
	{"user_login", "\"usr\"", "JWT_USER_LOGIN", "usr"},
	{"user_email", "\"usr@example.com\"", "JWT_USER_EMAIL", "usr@example.com"},
	{"user_id", "\"42\"", "JWT_USER_ID", "42"},
	{"user_id", "42", "JWT_USER_ID", "42"},
	{"namespace_id", "\"9970\"", "JWT_NAMESPACE_ID", "9970"},
	{"namespace_path", "\"group/sub\"", "JWT_NAMESPACE_PATH", "group/sub"},
	{"project_id", "20", "JWT_PROJECT_ID", "20"},
	{"project_path", "\"group/project\"", "JWT_PROJECT_PATH", "group/project"},
	{"job_id", "\"981625\"", "JWT_JOB_ID", "981625"},
	{"pipeline_id", "574", "JWT_PIPELINE_ID", "574"},
	{"pipeline_source", "\"web\"", "JWT_PIPELINE_SOURCE", "web"},
	{"ref", "\"f$(id)`id`;\\\"'\"", "JWT_REF", "f$(id)`id`;\"'"},
	{"ref", "\"Gr\\u00fc\\u00dfe\"", "JWT_REF",
	 "Gr\xc3\xbc\xc3\x9f"
	 "e"},
	{"ref", "null", "JWT_REF", ""},
	{"pipeline_id", "null", "JWT_PIPELINE_ID", ""},
	{"ref_protected", "\"true\"", "JWT_REF_PROTECTED", "true"},
	{"ref_protected", "false", "JWT_REF_PROTECTED", "false"},
	{"ref_protected", "null", "JWT_REF_PROTECTED", ""},
	{"sha", "\"714a629c\"", "JWT_SHA", "714a629c"},
	{"user_access_level", "\"developer\"", "JWT_USER_ACCESS_LEVEL", "developer"},
	{"user_access_level", "null", "JWT_USER_ACCESS_LEVEL", ""},
	{"runner_id", "7", "JWT_RUNNER_ID", "7"},
	{"unknown", "1", "JWT_JOB_PROJECT_ID", ""},
	{"unknown", "1", "JWT_JOB_PROJECT_PATH", ""},
	{"iss", "\"https://gitlab.example.com\"", "JWT_ISS", "https://gitlab.example.com"},
	{"user_identities", "[{\"provider\":\"site-ldap.2\",\"extern_uid\":\"uid=usr\"}]",
	 "JWT_IDENTITY_SITE_LDAP_2", "uid=usr"},
	{"user_identities",
	 "[{\"provider\":\"a\",\"extern_uid\":\"1\"},{\"provider\":\"b\",\"extern_uid\":\"2\"}]",
	 "JWT_IDENTITY_B", "2"},
	{"user_identities", "[]", "JWT_IDENTITY_B", NULL},
	{"user_identities", "[7,{\"provider\":\"a\"},{\"provider\":\"b\",\"extern_uid\":\"2\"}]",
	 "JWT_IDENTITY_B", "2"},
	{"user_identities", "[{\"provider\":\"a\",\"extern_uid\":null}]", "JWT_IDENTITY_A", NULL},
	{"unknown", "1", "JWT_UNKNOWN", NULL},
};

START_TEST(each_claim_is_a_variable)
{
	struct claims claims = read_claims(VARIABLES[_i].claim, VARIABLES[_i].value);
	struct error err = {.detail = ""};
	ck_assert_msg(claims_accept(&claims, &err) == 0, "%s", err.detail);
	json_t *list = environment_of(&claims);
	ck_assert_pstr_eq(variable(list, VARIABLES[_i].variable), VARIABLES[_i].expected);
	json_decref(list);
}
END_TEST

START_TEST(of_identities_that_would_be_one_variable_none_is_told)
{
	struct claims claims =
		read_claims("user_identities", "[{\"provider\":\"a-b\",\"extern_uid\":\"1\"},"
					       "{\"provider\":\"c\",\"extern_uid\":\"3\"},"
					       "{\"provider\":\"A_B\",\"extern_uid\":\"2\"}]");
	json_t *list = environment_of(&claims);
	ck_assert_ptr_null(variable(list, "JWT_IDENTITY_A_B"));
	ck_assert_str_eq(variable(list, "JWT_IDENTITY_C"), "3");
	json_decref(list);
}
END_TEST

START_TEST(there_is_a_limit_to_identities)
{
	struct claims claims;
	struct error err;
	json_t *said = said_with(NULL, NULL);
	json_t *many = json_array();
	json_object_set_new(said, "user_identities", many);
	for (int i = 0; i < CLAIMS_MOST_IDENTITIES; i++)
		json_array_append_new(many, json_pack("{s:o,s:s}", "provider",
						      json_sprintf("p%d", i), "extern_uid", "x"));
	ck_assert_int_eq(claims_read(said, &claims, &err), 0);
	json_t *list = environment_of(&claims);
	ck_assert_str_eq(variable(list, "JWT_IDENTITY_P15"), "x");
	json_decref(list);
	json_array_append_new(many, json_pack("{s:s,s:s}", "provider", "more", "extern_uid", "x"));
	ck_assert_int_eq(claims_read(said, &claims, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	json_decref(said);
}
END_TEST

START_TEST(what_is_too_long_is_refused)
{
	struct claims claims;
	struct error err;
	char ref[1026];
	json_t *said = said_with(NULL, NULL);
	memset(ref, 'r', sizeof(ref));
	ref[1023] = '\0';
	json_object_set_new(said, "ref", json_string(ref));
	ck_assert_int_eq(claims_read(said, &claims, &err), 0);
	ref[1023] = 'r';
	ref[1024] = '\0';
	json_object_set_new(said, "ref", json_string(ref));
	ck_assert_int_eq(claims_read(said, &claims, &err), -1);
	ck_assert_str_eq(err.detail, "the id token's ref is missing or malformed");
	json_decref(said);
}
END_TEST

/* Each text of the struct, as a parser that was taken over could leave it. */
#define FIELD(member) offsetof(struct claims, member), sizeof(((struct claims *)NULL)->member)
static const struct {
	size_t offset, size;
} TEXTS[] = {
	{FIELD(user_login)},
	{FIELD(user_email)},
	{FIELD(project_path)},
	{FIELD(namespace_path)},
	{FIELD(pipeline_source)},
	{FIELD(ref)},
	{FIELD(ref_protected)},
	{FIELD(sha)},
	{FIELD(user_access_level)},
	{FIELD(job_project_path)},
	{FIELD(identities[3].account)},
	{FIELD(issuer)},
	{FIELD(identities[0].provider)},
	{FIELD(identities[15].extern_uid)},
};

START_TEST(a_text_that_does_not_end_or_has_lines_is_not_believed)
{
	static const char *const hostile[] = {"a\nb", "a\x1b[2J", "a\x7f"};
	struct error err = {.detail = ""};
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct claims claims = read_claims(NULL, NULL);
		char *text = (char *)&claims + TEXTS[_i].offset;
		snprintf(text, TEXTS[_i].size, "%s", hostile[i]);
		ck_assert_int_eq(claims_accept(&claims, &err), -1);
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	}
	struct claims claims = read_claims(NULL, NULL);
	char *text = (char *)&claims + TEXTS[_i].offset;
	memset(text, 'x', TEXTS[_i].size);
	(void)claims_accept(&claims, &err);
	ck_assert_uint_eq(strlen(text), TEXTS[_i].size - 1);
}
END_TEST

START_TEST(names_that_are_none_are_not_believed)
{
	struct error err;
	struct claims claims = read_claims(NULL, NULL);
	ck_assert_int_eq(claims_accept(&claims, &err), 0);
	snprintf(claims.project_path, sizeof(claims.project_path), "../../etc");
	ck_assert_int_eq(claims_accept(&claims, &err), -1);
	claims = read_claims(NULL, NULL);
	claims.user_login[0] = '\0';
	ck_assert_int_eq(claims_accept(&claims, &err), -1);

	/* A login is never one of a directory's names. */
	claims = read_claims(NULL, NULL);
	snprintf(claims.user_login, sizeof(claims.user_login), "usr@ad.example");
	ck_assert_int_eq(claims_accept(&claims, &err), -1);
	claims = read_claims(NULL, NULL);
	snprintf(claims.identities[0].account, ACCOUNT_NAME_SIZE, "../usr");
	ck_assert_int_eq(claims_accept(&claims, &err), -1);
	snprintf(claims.identities[0].account, ACCOUNT_NAME_SIZE, "AD\\usr");
	ck_assert_int_eq(claims_accept(&claims, &err), 0);

	claims = read_claims(NULL, NULL);
	claims.job_project_id = 20;
	ck_assert_int_eq(claims_accept(&claims, &err), -1);
	snprintf(claims.job_project_path, sizeof(claims.job_project_path), "../etc");
	ck_assert_int_eq(claims_accept(&claims, &err), -1);
	snprintf(claims.job_project_path, sizeof(claims.job_project_path), "group/project");
	ck_assert_int_eq(claims_accept(&claims, &err), 0);
}
END_TEST

/* What is no name, or too long, is still an identity of that provider. */
START_TEST(each_identity_names_an_account_or_none)
{
	struct claims claims = read_claims(
		"user_identities", "[{\"provider\":\"ldapmain\",\"extern_uid\":\"uid=kim,dc=x\"},"
				   "{\"provider\":\"ldapmain\"},{\"extern_uid\":\"kim\"},7,"
				   "{\"provider\":\"saml\",\"extern_uid\":\"a b\"}]");
	ck_assert_str_eq(claims.identities[0].account, "kim");
	ck_assert_str_eq(claims.identities[1].provider, "ldapmain");
	ck_assert_str_eq(claims.identities[1].account, "");
	ck_assert_str_eq(claims.identities[2].provider, "saml");
	ck_assert_str_eq(claims.identities[2].extern_uid, "a b");
	ck_assert_str_eq(claims.identities[2].account, "");
	ck_assert_str_eq(claims.identities[3].provider, "");
}
END_TEST

START_TEST(a_text_cut_inside_a_letter_is_no_variable)
{
	struct error err;
	struct claims claims = read_claims(NULL, NULL);
	json_t *list = json_array();
	snprintf(claims.ref, sizeof(claims.ref), "Gr\xc3");
	ck_assert_int_eq(claims_to_environment(&claims, list, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	json_decref(list);
}
END_TEST

Suite *claims_suite(void)
{
	Suite *suite = suite_create("claims");
	TCase *tcase = tcase_create("claims");

	tcase_add_loop_test(tcase, each_claim_is_a_variable, 0, ROWS(VARIABLES));
	tcase_add_test(tcase, of_identities_that_would_be_one_variable_none_is_told);
	tcase_add_test(tcase, there_is_a_limit_to_identities);
	tcase_add_test(tcase, what_is_too_long_is_refused);
	tcase_add_loop_test(tcase, a_text_that_does_not_end_or_has_lines_is_not_believed, 0,
			    ROWS(TEXTS));
	tcase_add_test(tcase, names_that_are_none_are_not_believed);
	tcase_add_test(tcase, each_identity_names_an_account_or_none);
	tcase_add_test(tcase, a_text_cut_inside_a_letter_is_no_variable);
	suite_add_tcase(suite, tcase);
	return suite;
}
